import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type CheckedFile, checkYaml } from '../../shared/config/document.ts'
import { readBytes } from '../../shared/config/files.ts'
import { ConfigError, type Problem, withoutRepeats } from '../../shared/config/problems.ts'
import type { Schema } from '../../shared/config/schema-terms.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { ScenarioRow } from '../core/scenario.ts'
import { knownIds, readRequirements } from '../report/requirements.ts'
import { type Params, readParams } from './params.ts'
import { filledIn, isMasked, masked, referencesIn } from './params-text.ts'
import { nearestAbove, RIG_FILE, RigReader, shortPath } from './rig-file.ts'
import { type RowOptions, readRow } from './row.ts'
import type { ScenarioValue } from './row-context.ts'
import { ScenarioSchema } from './scenario-schema.ts'

export const SCENARIO_SUFFIX = '.scenario.yaml'
/** Longest scenario file; files of one campaign; folders inside of each other. */
export const SCENARIO_BYTES_MAX = 262_144
export const SCENARIO_FILES_MAX = 4096
const DEPTH_MAX = 16

export type LoadOptions = Readonly<{
  /** In place of every seed that a file says. */
  seed?: number
  /** Ids that `verifies` may name; by default those of the nearest `requirements.yaml` above a file, when there is one. */
  requirements?: ReadonlySet<string>
}>

/** Scenarios of files and folders: every run of them, by file and row. */
export type Loaded = Readonly<{ files: number; rows: readonly ScenarioRow[] }>

/**
 * Reads scenarios, with their rigs and what these name, and checks all of it. Nothing is started by it.
 *
 * @param paths files, or folders that are looked through for `*.scenario.yaml`.
 * @throws HbError USAGE for a path that is not there, or without any scenario; ConfigError SCENARIO_INVALID with every mistake of every file.
 */
export function loadScenarios(paths: readonly string[], options: LoadOptions = {}): Loaded {
  const { rows, problems, files } = checkScenarios(paths, options)
  if (problems.length > 0) throw new ConfigError(problems, 'SCENARIO_INVALID')
  return { files, rows }
}

/** The same with what is wrong as a value. @throws HbError USAGE */
export function checkScenarios(
  paths: readonly string[],
  options: LoadOptions & Readonly<{ mayBeNone?: boolean }> = {},
): Loaded & Readonly<{ problems: readonly Problem[] }> {
  const found = scenarioFiles(paths, options.mayBeNone ?? false)
  const rigs = new RigReader()
  const requirements = new Map<string, ReadonlySet<string>>()
  const rows: ScenarioRow[] = []
  const problems: Problem[] = []
  const ids = new Map<string, string>()
  for (const path of found) {
    const known = options.requirements ?? requirementsFor(path, requirements)
    const one = readScenario({ path, rigs, requirements: known, seed: options.seed })
    rows.push(...one.rows)
    problems.push(...one.problems)
    if (one.id === null) continue
    const first = ids.get(one.id.text)
    const { line, column, key, text } = one.id
    if (first !== undefined)
      problems.push({
        file: path,
        line,
        column,
        key,
        found: `\`${text}\` a second time`,
        expected: `every id once; the first is in ${first}`,
      })
    else ids.set(text, `${path}:${line}`)
  }
  return { files: found.length, rows, problems: withoutRepeats(problems) }
}

/** Mistakes of the rig files in files and folders, also of such that no scenario uses. @throws HbError USAGE */
export function checkRigs(paths: readonly string[]): Readonly<{ files: number; problems: readonly Problem[] }> {
  const rigs = new RigReader()
  const found = filesUnder(paths, (name) => name === RIG_FILE)
  const problems = found.flatMap((path) => {
    const rig = rigs.rig(path)
    return 'file' in rig ? rig.problems : []
  })
  return { files: found.length, problems }
}

/** @throws HbError USAGE */
function scenarioFiles(paths: readonly string[], mayBeNone: boolean): string[] {
  const found = filesUnder(paths, (name) => name.endsWith(SCENARIO_SUFFIX))
  if (found.length === 0 && !mayBeNone)
    throw new HbError('USAGE', { found: `no *${SCENARIO_SUFFIX} in ${paths.join(', ')}`, expected: 'one or more' })
  if (found.length > SCENARIO_FILES_MAX)
    throw new HbError('USAGE', { found: `${found.length} scenarios`, expected: `at most ${SCENARIO_FILES_MAX}` })
  return found
}

function filesUnder(paths: readonly string[], fits: (name: string) => boolean): string[] {
  const found = paths.flatMap((path) => {
    if (isFolder(path)) return walk(path, fits, 0).map(shortPath)
    return fits(basename(path)) ? [shortPath(path)] : []
  })
  return [...new Set(found)].sort()
}

/** @throws HbError USAGE for a path that is not there */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch (cause) {
    throw new HbError('USAGE', { found: path, expected: `a *${SCENARIO_SUFFIX} or a folder of them` }, { cause })
  }
}

function walk(folder: string, fits: (name: string) => boolean, depth: number): string[] {
  if (depth > DEPTH_MAX) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory())
      return entry.name.startsWith('.') || entry.name === 'node_modules' ? [] : walk(path, fits, depth + 1)
    return entry.isFile() && fits(entry.name) ? [path] : []
  })
}

/** @throws ConfigError when it is wrong itself */
function requirementsFor(path: string, read: Map<string, ReadonlySet<string>>): ReadonlySet<string> | null {
  const file = nearestAbove(dirname(path), 'requirements.yaml')
  if (file === null) return null
  const known = read.get(file) ?? knownIds(readRequirements(file))
  read.set(file, known)
  return known
}

type Id = Readonly<{ text: string; line: number; column: number; key: string }>
type Read = Readonly<{ id: Id | null; rows: readonly ScenarioRow[]; problems: readonly Problem[] }>

/** One file: its parameters first, then each of its combinations as if it had been written down. */
function readScenario(options: RowOptions): Read {
  const { path } = options
  const bytes = readBytes(path, SCENARIO_BYTES_MAX)
  if (!(bytes instanceof Uint8Array)) {
    const place = { file: path, line: 1, column: 1, key: '' }
    return {
      id: null,
      rows: [],
      problems: [{ ...place, found: bytes.reason, expected: 'a scenario that can be read' }],
    }
  }
  const text = new TextDecoder().decode(bytes)
  const first = check(path, masked(text))
  const params = paramsOf(first)
  if (params === null) {
    const problems = first.problems.filter(({ found }) => !isMasked(found))
    return { id: null, rows: [], problems }
  }
  const about = {
    file: first,
    params,
    references: referencesIn(text),
    lineOf: (offset: number) => lineAt(text, offset),
  }
  const { problems, rows: combinations } = readParams(about, options.seed)
  if (problems.length > 0)
    return {
      id: idOf(first),
      rows: [],
      problems: [...problems, ...first.problems.filter(({ found }) => !isMasked(found))],
    }
  const checked = new Map<string, CheckedFile>()
  const read = combinations.map((combination) =>
    readRow(fileOf(path, filledIn(text, combination.values), bytes, checked), combination, options),
  )
  return {
    id: idOf(first),
    rows: read.flatMap(({ row }) => (row === null ? [] : [row])),
    problems: withoutRepeats(read.flatMap((one) => one.problems)),
  }
}

/** The file with its values filled in, read once however many combinations share it. */
function fileOf(path: string, text: string, bytes: Uint8Array, checked: Map<string, CheckedFile>): CheckedFile {
  const known = checked.get(text)
  if (known !== undefined) return known
  // As it is when it holds what is not UTF-8: the reader says so.
  const file = isUtf8(bytes) ? check(path, text) : checkYaml(path, bytes, ScenarioSchema as unknown as Schema)
  checked.set(text, file)
  return file
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

function check(path: string, text: string): CheckedFile {
  return checkYaml(path, new TextEncoder().encode(text), ScenarioSchema as unknown as Schema)
}

const NO_PARAMS: Params = { set: {}, matrix: {}, pairwise: false }

function paramsOf(file: CheckedFile): Params | null {
  if (file.value === undefined || !file.isSound(['params'])) return null
  return (file.value as Partial<ScenarioValue>).params ?? NO_PARAMS
}

function idOf(file: CheckedFile): Id | null {
  const { id } = (file.value ?? {}) as Partial<ScenarioValue>
  if (id === undefined || !file.isSound(['id'])) return null
  const { line, column, key } = file.at(['id'])
  return { text: id, line, column, key }
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}
