import type { Static } from 'typebox'
import type { CheckedFile, Path } from '../../shared/config/document.ts'
import { didYouMean, type Problem } from '../../shared/config/problems.ts'
import { combinations, pairwiseRows } from './pairwise.ts'
import { maskedNames, type Reference, unmasked } from './params-text.ts'
import type { ParamsSchema } from './scenario-schema.ts'

export type Params = Static<typeof ParamsSchema>
export type ParamValue = number | string

/** Runs of one scenario, and parameters of one matrix. Beyond, the file is refused. */
export const ROWS_MAX = 1000
export const MATRIX_PARAMS_MAX = 16

/** What a matrix changes without a name in `set`, and where it stands. */
export const MATRIX_KEYS: ReadonlyMap<string, Path> = new Map([
  ['seed', ['seed']],
  ['quantum_ms', ['clock', 'quantum_ms']],
  ['duration_s', ['clock', 'duration_s']],
])

/** One combination: values for `${name}`, and what the matrix puts in beside that, with where each stands in it. */
export type Combination = Readonly<{
  row: number
  /** Of the matrix, by its key. */
  params: Readonly<Record<string, ParamValue>>
  values: ReadonlyMap<string, ParamValue>
  changes: readonly Readonly<{ key: string; value: ParamValue; from: Path }>[]
}>

/** Text that may stand in a place where it becomes part of the file: nothing that YAML gives a meaning. */
const TEXT = /^[\w(+.][\w .<>=+*/()%-]{0,199}$/
const NAME = /^[A-Za-z][A-Za-z0-9_]{0,62}$/

type About = Readonly<{
  file: CheckedFile
  params: Params
  references: readonly Reference[]
  lineOf(offset: number): number
}>

/** All combinations of a file, or what is wrong with its parameters. `seed`, when given, takes the place of every other. */
export function readParams(about: About, seed?: number): { problems: Problem[]; rows: Combination[] } {
  const { file, params } = about
  const problems: Problem[] = []
  const add = (path: Path, found: string, expected: string, hint?: string): void => {
    problems.push({ ...file.at(['params', ...path]), found, expected, ...(hint === undefined ? {} : { hint }) })
  }
  const matrix =
    seed === undefined || params.matrix['seed'] === undefined ? params.matrix : { ...params.matrix, seed: [seed] }
  setProblems(about, add)
  matrixProblems(about, matrix, add)
  problems.push(...referenceProblems(about))
  if (problems.length > 0) return { problems, rows: [] }
  const keys = Object.keys(matrix)
  const sizes = keys.map((key) => matrix[key]!.length)
  const isTooLarge = !params.pairwise && sizes.reduce((product, size) => product * size, 1) > ROWS_MAX
  const picked = isTooLarge ? [] : params.pairwise ? pairwiseRows(sizes) : combinations(sizes)
  if (isTooLarge || picked.length > ROWS_MAX) {
    const runs = isTooLarge ? sizes.join(' × ') : String(picked.length)
    add(
      ['matrix'],
      `${runs} runs`,
      `at most ${ROWS_MAX}`,
      params.pairwise ? undefined : '`pairwise: true`, or two files',
    )
    return { problems, rows: [] }
  }
  return { problems, rows: picked.map((places, row) => combination({ params, keys, matrix }, places, row)) }
}

function combination(
  { params, keys, matrix }: Readonly<{ params: Params; keys: readonly string[]; matrix: Params['matrix'] }>,
  places: readonly number[],
  row: number,
): Combination {
  const given: Record<string, ParamValue> = { ...params.set }
  const changes: Combination['changes'][number][] = []
  const own: Record<string, ParamValue> = {}
  keys.forEach((key, k) => {
    const value = matrix[key]![places[k]!]!
    own[key] = value
    if (isChange(key)) changes.push({ key, value, from: ['params', 'matrix', key, places[k]!] })
    else given[key] = value
  })
  const resolved = (name: string): ParamValue => unmasked(given[name]!, resolved)
  const values = new Map(Object.keys(given).map((name) => [name, resolved(name)]))
  return { row, params: own, values, changes }
}

/** `seed` and its like, and `FAULT.PARAMETER`: put in where they belong; everything else is the name of a value. */
function isChange(key: string): boolean {
  return MATRIX_KEYS.has(key) || key.includes('.')
}

type Add = (path: Path, found: string, expected: string, hint?: string) => void

function setProblems({ params }: About, add: Add): void {
  const { set, matrix } = params
  const known = knownNames(params)
  for (const [name, value] of Object.entries(set)) {
    if (!NAME.test(name)) add(['set', name], `\`${name}\``, 'a letter, then letters, digits and `_`')
    if (typeof value === 'string' && !TEXT.test(unmasked(value, () => 'x') as string))
      add(['set', name], JSON.stringify(value), 'a number, or text of letters, digits, blanks and operators')
    const loop = cycleFrom(name, { ...set, ...Object.fromEntries(Object.keys(matrix).map((key) => [key, 0])) })
    if (loop !== null) add(['set', name], loop.join(' → '), 'a value that does not refer to itself')
    for (const to of maskedNames(value))
      if (!known.includes(to)) add(['set', name], `\${${to}}`, 'a name of `set` or `matrix`', didYouMean(to, known))
  }
}

function knownNames({ set, matrix }: Params): string[] {
  return [...new Set([...Object.keys(set), ...Object.keys(matrix).filter((key) => !isChange(key))])]
}

/** The way from a name back to itself; null when there is none. */
function cycleFrom(start: string, set: Readonly<Record<string, ParamValue>>): string[] | null {
  const seen = new Set<string>()
  const walk = (name: string, way: readonly string[]): string[] | null => {
    for (const to of maskedNames(set[name] ?? 0)) {
      if (to === start) return [...way, to]
      if (seen.has(to)) continue
      seen.add(to)
      const found = walk(to, [...way, to])
      if (found !== null) return found
    }
    return null
  }
  return walk(start, [start])
}

function matrixProblems({ params, references }: About, matrix: Params['matrix'], add: Add): void {
  const keys = Object.keys(matrix)
  if (keys.length > MATRIX_PARAMS_MAX) add(['matrix'], `${keys.length} parameters`, `at most ${MATRIX_PARAMS_MAX}`)
  if (params.pairwise && keys.length < 3)
    add(['pairwise'], `true with ${keys.length} parameters`, '3 or more: two meet in every combination anyway')
  for (const [key, values] of Object.entries(matrix)) {
    const isUsed = isChange(key) || key in params.set || references.some(({ name }) => name === key)
    const names = [...MATRIX_KEYS.keys(), ...Object.keys(params.set)]
    if (!isUsed)
      add(
        ['matrix', key],
        `\`${key}\``,
        'seed, quantum_ms, duration_s, FAULT.PARAMETER, or a name that something refers to',
        didYouMean(key, names),
      )
    values.forEach((value, k) => {
      if (values.indexOf(value) !== k) add(['matrix', key, k], `\`${value}\` a second time`, 'every value once')
      if (typeof value === 'string' && !TEXT.test(value))
        add(['matrix', key, k], JSON.stringify(value), 'a number, or text of letters, digits, blanks and operators')
    })
  }
}

/** References to nothing, and names that nothing refers to. */
function referenceProblems({ file, params, references, lineOf }: About): Problem[] {
  const known = knownNames(params)
  const unknown = references.flatMap(({ name, offset }): Problem[] => {
    if (known.includes(name)) return []
    const hint = didYouMean(name, known)
    const place = { ...file.at([]), line: lineOf(offset), column: 1, key: '' }
    return [
      {
        ...place,
        found: `\${${name}}`,
        expected: 'a name of `params.set` or `params.matrix`',
        ...(hint === undefined ? {} : { hint }),
      },
    ]
  })
  const unused = Object.keys(params.set).filter((key) => !references.some(({ name }) => name === key))
  return [
    ...unknown,
    ...unused.map((key) => ({
      ...file.at(['params', 'set', key]),
      found: `\`${key}\`, which nothing refers to`,
      expected: `\`\${${key}}\` somewhere, or no such name`,
    })),
  ]
}
