import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml'
import { didYouMean, keyHint, PROBLEMS_MAX, type Problem } from './problems.ts'
import { defaultOf, expectedOf, fits, type Schema } from './schema-terms.ts'
import { isSecretKey, isSecretText, NOT_SHOWN, SECRET_EXPECTED, SECRET_HINT } from './secrets.ts'
import { unwantedIn, YAML_BYTES_MAX } from './yaml-text.ts'

/** Keys and places in lists from the top of a file. */
export type Path = readonly (string | number)[]
/** Where something stands, as a {@link Problem} says it. */
export type Place = Pick<Problem, 'file' | 'line' | 'column' | 'key'>

/**
 * A file that was read. Its value has the defaults filled in; what is wrong is `undefined` in it, so it is to be used only
 * where {@link CheckedFile.isSound} says so.
 */
export type CheckedFile = Readonly<{
  value: unknown
  problems: readonly Problem[]
  /** Where a value stands; for one that is not there, where it belongs. */
  at(path: Path): Place
  /** Whether there is a value, given by the file itself. */
  has(path: Path): boolean
  /** Whether nothing is wrong at a path and below. */
  isSound(path: Path): boolean
}>

/** Reads a YAML file against its schema. Every mistake is noted with its place and the reading goes on. */
export function checkYaml(file: string, bytes: Uint8Array, schema: Schema): CheckedFile {
  const check = new Check(file)
  const value = check.run(bytes, schema)
  return {
    value,
    problems: check.problems,
    at: (path) => check.place(path),
    has: (path) => check.find(path).isWhole,
    isSound: (path) => value !== undefined && check.isSound(path),
  }
}

/** What stands at a path of a value that was read; undefined where nothing does. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) => (typeof at === 'object' && at !== null ? Reflect.get(at, part) : undefined),
    value,
  )
}

type What = Pick<Problem, 'found' | 'expected'> & { hint?: string | undefined }

class Check {
  readonly problems: Problem[] = []
  private readonly paths: Path[] = []
  private readonly file: string
  private readonly lines = new LineCounter()
  private contents: Node | null = null

  constructor(file: string) {
    this.file = file
  }

  run(bytes: Uint8Array, schema: Schema): unknown {
    const text = this.textOf(bytes)
    if (text === undefined) return undefined
    const unwanted = unwantedIn(text, PROBLEMS_MAX)
    if (unwanted.length > 0) {
      lineStarts(text, this.lines)
      for (const { offset, found, expected } of unwanted) this.note(offset, [], { found, expected })
      return undefined
    }
    const options = { uniqueKeys: false, version: '1.2', prettyErrors: false, stringKeys: true } as const
    const document = parseDocument(text, { lineCounter: this.lines, ...options })
    for (const error of [...document.errors, ...document.warnings]) {
      const found = error.code === 'MULTIPLE_DOCS' ? 'a second document (`---`)' : brief(error.message, false)
      const hint = 'one key a line, two blanks an indent, no tabs'
      this.note(error.pos[0], [], { found, expected: 'one YAML 1.2 document', hint })
    }
    if (this.problems.length > 0) return undefined
    this.contents = document.contents
    return this.value(schema, this.contents, [])
  }

  /** The deepest part of a path that is there: the node, and where it is named. */
  find(path: Path): { offset: number; isWhole: boolean } {
    let node: Node | null | undefined = this.contents
    let offset = startOf(node)
    for (const part of path) {
      const pair: Pair<Scalar, Node> | undefined = isMap(node) ? pairOf(node, String(part)) : undefined
      const item: unknown = isSeq(node) && typeof part === 'number' ? node.items[part] : undefined
      const next: Node | null | undefined = pair === undefined ? (item as Node | undefined) : pair.value
      if (pair === undefined && item === undefined) return { offset, isWhole: false }
      offset = pair !== undefined && !isScalar(next) ? startOf(pair.key) : startOf(next)
      node = next
    }
    return { offset, isWhole: true }
  }

  place(path: Path): Place {
    return this.placeAt(this.find(path).offset, path)
  }

  isSound(path: Path): boolean {
    if (this.paths.length > PROBLEMS_MAX) return false
    // Above as well: what is inside of something that is wrong was never looked at.
    return !this.paths.some((wrong) => path.every((part, k) => k >= wrong.length || wrong[k] === part))
  }

  private textOf(bytes: Uint8Array): string | undefined {
    if (bytes.length > YAML_BYTES_MAX) {
      return this.note(0, [], { found: `${bytes.length} bytes`, expected: `at most ${YAML_BYTES_MAX}` })
    }
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      return this.note(0, [], { found: 'bytes that are not UTF-8', expected: 'text in UTF-8' })
    }
  }

  private placeAt(offset: number, path: Path): Place {
    const { line, col } = this.lines.linePos(offset)
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col), key: keyOf(path) }
  }

  private note(offset: number, path: Path, { found, expected, hint }: What): undefined {
    if (this.paths.length <= PROBLEMS_MAX) this.paths.push(path)
    if (this.problems.length >= PROBLEMS_MAX) return undefined
    this.problems.push({ ...this.placeAt(offset, path), found, expected, ...(hint === undefined ? {} : { hint }) })
    return undefined
  }

  private add(node: Node | null | undefined, path: Path, what: What): undefined {
    // A key without a value has an empty node right behind it; the key itself is easier to find.
    return this.note(node?.range == null ? this.find(path).offset : node.range[0], path, what)
  }

  private value(schema: Schema, node: Node | null | undefined, path: Path): unknown {
    if (schema.anyOf !== undefined) return this.choice(schema.anyOf, node, path)
    if (schema.type === 'object') return this.object(schema, node, path)
    if (schema.type === 'array') return this.list(schema, node, path)
    return this.scalar(schema, node, path)
  }

  /** One of several: maps are told apart by their `type`, values by trying. */
  private choice(choices: readonly Schema[], node: Node | null | undefined, path: Path): unknown {
    if (choices[0]?.type === 'object') return this.variant(choices, node, path)
    const list = choices.find((one) => one.type === 'array')
    if (list !== undefined && isSeq(node)) return this.list(list, node, path)
    const found = isScalar(node) ? node.value : undefined
    const fitting = choices.some((choice) => choice !== list && fits(choice, found))
    if (fitting) return found
    const expected = [...new Set(choices.map(expectedOf))].join(' or ')
    const words = choices.flatMap((choice) => (typeof choice.const === 'string' ? [choice.const] : []))
    const hint = typeof found === 'string' ? didYouMean(found.toLowerCase(), words) : undefined
    return this.add(node, path, { ...foundIn(node), expected, hint: hint ?? valueHint(choices, found) })
  }

  private variant(choices: readonly Schema[], node: Node | null | undefined, path: Path): unknown {
    if (!isMap(node)) return this.add(node, path, { ...foundIn(node), expected: 'a map of keys' })
    const types = choices.map((choice) => choice.properties?.['type']?.const as string)
    const given = pairOf(node, 'type')
    const type = isScalar(given?.value) ? given.value.value : undefined
    const chosen = choices[types.indexOf(type as string)]
    if (chosen !== undefined) return this.object(chosen, node, path)
    const hint = typeof type === 'string' ? didYouMean(type.toLowerCase(), types) : undefined
    const found = given === undefined ? { found: 'nothing' } : foundIn(given.value)
    return this.add(given?.value ?? node, [...path, 'type'], { ...found, expected: `one of ${types.join(', ')}`, hint })
  }

  private object(schema: Schema, node: Node | null | undefined, path: Path): unknown {
    if (!isMap(node)) return this.add(node, path, { ...foundIn(node), expected: 'a map of keys' })
    const value: Record<string, unknown> = {}
    const named = new Map<string, Scalar>()
    const every = schema.patternProperties === undefined ? undefined : Object.values(schema.patternProperties)[0]
    for (const pair of (node as YAMLMap).items as Pair<Scalar, Node>[]) {
      const key = String(pair.key.value)
      const here = [...path, key]
      const first = named.get(key)
      if (first !== undefined) {
        const found = `\`${shown(key)}\` a second time`
        this.add(pair.key, here, {
          found,
          expected: `it once; the first is on line ${this.lines.linePos(startOf(first)).line}`,
        })
        continue
      }
      named.set(key, pair.key)
      const known = own(schema.properties, key) ?? every
      if (known === undefined || key === '__proto__') this.unknownKey(schema, pair.key, here)
      else value[key] = this.value(known, pair.value, here)
    }
    for (const key of schema.required ?? [])
      if (!named.has(key)) this.leftOut(schema, { node, value, path: [...path, key] })
    return value
  }

  /** Fills in the default of a key that is not there, or notes that there is none. */
  private leftOut(
    schema: Schema,
    { node, value, path }: { node: Node; value: Record<string, unknown>; path: Path },
  ): void {
    const key = String(path.at(-1))
    const missing = schema.properties![key]!
    const initial = defaultOf(missing)
    if (initial !== undefined) value[key] = initial
    else this.add(node, path, { found: 'nothing', expected: expectedOf(missing), hint: missing.description })
  }

  private unknownKey(schema: Schema, node: Node, path: Path): void {
    const known = Object.keys(schema.properties ?? {})
    const key = String(path.at(-1))
    if (isSecretKey(key)) {
      const file = known.find((name) => name === `${key.toLowerCase()}_file`)
      const expected = file === undefined ? SECRET_EXPECTED : `the path of a file that holds it, in \`${file}\``
      this.add(node, path, { found: NOT_SHOWN, expected, hint: SECRET_HINT })
      return
    }
    const expected = known.length === 0 ? 'another name' : `one of ${known.join(', ')}`
    this.add(node, path, { found: 'a key that is not known', expected, hint: keyHint(key, known) })
  }

  private list(schema: Schema, node: Node | null | undefined, path: Path): unknown {
    if (!isSeq(node)) {
      const hint = isScalar(node) && node.value !== null ? 'write the value in brackets: `[…]`' : undefined
      return this.add(node, path, { ...foundIn(node), expected: expectedOf(schema), hint })
    }
    const { minItems = 0, maxItems = PROBLEMS_MAX } = schema
    if (node.items.length < minItems || node.items.length > maxItems) {
      this.add(node, path, { found: `${node.items.length} items`, expected: `${minItems} to ${maxItems}` })
    }
    return node.items.slice(0, maxItems).map((item, k) => this.value(schema.items!, item as Node, [...path, k]))
  }

  private scalar(schema: Schema, node: Node | null | undefined, path: Path): unknown {
    const value = isScalar(node) ? node.value : undefined
    if (isSecretText(value))
      return this.add(node, path, { found: NOT_SHOWN, expected: SECRET_EXPECTED, hint: SECRET_HINT })
    if (isScalar(node) && fits(schema, value)) return value
    return this.add(node, path, { ...foundIn(node), expected: expectedOf(schema), hint: valueHint([schema], value) })
  }
}

/** What a value was probably meant to be, where its kind tells. */
function valueHint(choices: readonly Schema[], value: unknown): string | undefined {
  const wants = (...types: string[]): boolean =>
    choices.some((choice) => choice.type !== undefined && types.includes(choice.type))
  if (typeof value === 'string') {
    if (wants('boolean') && /^(y|yes|on|n|no|off)$/i.test(value)) return `\`${/^(y|on)/i.test(value)}\``
    if (wants('integer', 'number') && /^[+-]?\d[\d_]*(\.\d+)?$/.test(value))
      return `\`${value.replaceAll('_', '')}\`, without quotes or underscores`
    if (wants('integer') && /^\d+(\.\d+)?\s*(ms|s|sec|m|min|h)$/.test(value))
      return 'a number alone; its unit stands in the name of the key'
    return undefined
  }
  if (typeof value !== 'number' && typeof value !== 'boolean') return undefined
  if (choices.some((choice) => choice.type === 'string' && fits(choice, String(value))))
    return `\`"${value}"\`, in quotes`
  return undefined
}

function foundIn(node: Node | null | undefined): { found: string } {
  if (node === null || node === undefined) return { found: 'nothing' }
  if (isMap(node)) return { found: 'a map of keys' }
  if (isSeq(node)) return { found: 'a list' }
  if (!isScalar(node)) return { found: 'something else' }
  if (node.value === null || node.value === undefined) return { found: 'nothing' }
  return { found: isSecretText(node.value) ? NOT_SHOWN : brief(node.value) }
}

const FOUND_MAX = 80

function brief(value: unknown, quoted = typeof value === 'string'): string {
  const text = quoted ? JSON.stringify(value) : String(value)
  return text.length > FOUND_MAX ? `${text.slice(0, FOUND_MAX)}…` : text
}

/** Foreign text in a message: without anything that a terminal would obey. */
function shown(text: string): string {
  return /^[\p{L}\p{N}\p{P}\p{S} ]*$/u.test(text) ? text : JSON.stringify(text).slice(1, -1)
}

function keyOf(path: Path): string {
  return path
    .map((part, k) => (typeof part === 'number' ? `[${part}]` : `${k === 0 ? '' : '.'}${shown(part)}`))
    .join('')
}

function pairOf(map: YAMLMap, key: string): Pair<Scalar, Node> | undefined {
  return (map.items as Pair<Scalar, Node>[]).find((pair) => String(pair.key.value) === key)
}

function startOf(node: Node | null | undefined): number {
  return node?.range == null ? 0 : node.range[0]
}

/** `constructor` and its like are keys of every object, and of no schema. */
function own<T>(of: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return of !== undefined && Object.hasOwn(of, key) ? of[key] : undefined
}

function lineStarts(text: string, lines: LineCounter): void {
  lines.addNewLine(0)
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1)
}
