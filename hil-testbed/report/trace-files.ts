import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { parse } from 'yaml'
import { checkScenarios, SCENARIO_SUFFIX } from '../scenario/load.ts'
import { LATEST_FILE, type LatestResults, readLatest } from './latest-results.ts'
import { REQUIREMENTS_FILE, readRequirements } from './requirements.ts'
import type { TracedScenario, TraceInput } from './trace.ts'

/** Where scenarios and rigs lie in the project. */
export const SCENARIOS_FOLDER = 'hil-testbed/scenarios'
export const RIGS_FOLDER = 'hil-testbed/rigs'
/** No file of a scenario or a rig is larger; what is, counts by its length. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024

/**
 * Reads what belongs to the trace of a project.
 *
 * @param results file of the newest verdicts, by default that of the project, which may not be there yet
 * @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE, HIL_REPORT_MISSING, HIL_REPORT_SHAPE; ConfigError
 */
export function readTrace(root: string, { today, results }: Readonly<{ today: string; results?: string }>): TraceInput {
  const own = join(root, LATEST_FILE)
  const nothing: LatestResults = { v: 1, results: [] }
  const reader = new TraceReader(resolve(root), rowsByFile(resolve(root, SCENARIOS_FOLDER)))
  return {
    requirements: readRequirements(join(root, REQUIREMENTS_FILE)),
    scenarios: filesBelow(resolve(root, SCENARIOS_FOLDER))
      .filter((file) => file.endsWith(SCENARIO_SUFFIX))
      .map((file) => reader.scenario(file)),
    latest: results === undefined && !existsSync(own) ? nothing : readLatest(results ?? own),
    textOf: (path) => textOf(root, path),
    today,
  }
}

/** How many rows the matrix of each scenario has, by its file. What does not load has none. */
function rowsByFile(folder: string): Map<string, number> {
  const counts = new Map<string, number>()
  if (!existsSync(folder)) return counts
  for (const { file } of checkScenarios([folder], { mayBeNone: true }).rows)
    counts.set(resolve(file), (counts.get(resolve(file)) ?? 0) + 1)
  return counts
}

/** Digest over a scenario and everything it is made of, by id; null where there is no such scenario. */
export function digestsOf({ scenarios }: TraceInput): (id: string) => string | null {
  return (id) => scenarios.find((one) => one.id === id)?.digest ?? null
}

function textOf(root: string, path: string): string | null {
  const full = resolve(root, path)
  // What shows a requirement is a file of the project.
  if (!full.startsWith(`${resolve(root)}${sep}`) || !isFile(full)) return null
  return readFileSync(full, 'utf8')
}

/** Reads files of a project, each once: many scenarios share a rig. */
class TraceReader {
  private readonly yamls = new Map<string, Yaml>()
  private readonly digests = new Map<string, string>()
  private readonly root: string
  private readonly rows: ReadonlyMap<string, number>

  constructor(root: string, rows: ReadonlyMap<string, number>) {
    this.root = root
    this.rows = rows
  }

  /** What a scenario says it is; the rest of it is for `hb hil lint`. */
  scenario(path: string): TracedScenario {
    const { value, problem } = this.yaml(path)
    const { id, title, rig, verifies } = value
    const name = typeof rig === 'string' && /^[a-z0-9][a-z0-9-]*$/.test(rig) ? rig : ''
    const rigFiles = name === '' ? [] : filesBelow(join(this.root, RIGS_FOLDER, name))
    const files = [...new Set([path, ...rigFiles, ...[path, ...rigFiles].flatMap((file) => this.named(file))])]
    const lacks = [
      ...(typeof id === 'string' ? [] : ['`id`']),
      ...(rigFiles.length > 0 ? [] : [`rig in ${RIGS_FOLDER}`]),
    ]
    const file = this.pathOf(path)
    return {
      ...{ id: typeof id === 'string' ? id : file, title: typeof title === 'string' ? title : '', file, rig: name },
      verifies: Array.isArray(verifies) ? verifies.map(String) : [],
      rules: files.flatMap((each) => this.rules(each)),
      rows: this.rows.get(path) ?? 0,
      digest: this.digest(files),
      problem: problem !== '' ? problem : lacks.length === 0 ? '' : `it has no ${lacks.join(' and no ')}`,
    }
  }

  /** Over path and content of each file, in the order of their paths. */
  private digest(files: readonly string[]): string {
    const lines = files.map((file) => `${this.pathOf(file)} ${this.contentDigest(file)}\n`)
    return createHash('sha256').update(lines.sort().join('')).digest('hex')
  }

  private contentDigest(file: string): string {
    return kept(this.digests, file, () => {
      const { size } = statSync(file)
      const content = size > TEXT_BYTES_MAX ? String(size) : readFileSync(file)
      return createHash('sha256').update(content).digest('hex')
    })
  }

  /** Files that a YAML file names anywhere, from its own folder: registries, policies, recordings. */
  private named(path: string): string[] {
    return textsIn(this.yaml(path).value)
      .filter((text) => /^[\w./ -]{1,255}$/.test(text) && /[./]/.test(text))
      .map((text) => resolve(dirname(path), text))
      .filter(isFile)
  }

  private rules(path: string): string[] {
    const { rules } = this.yaml(path).value
    if (!Array.isArray(rules)) return []
    return rules.flatMap((rule: { id?: unknown } | null) => (typeof rule?.id === 'string' ? [rule.id] : []))
  }

  private yaml(path: string): Yaml {
    return kept(this.yamls, path, () => (isYaml(path) ? yamlOf(path) : { value: {}, problem: 'it is not YAML' }))
  }

  private pathOf(path: string): string {
    return relative(this.root, path).split(sep).join('/')
  }
}

type Yaml = Readonly<{ value: Record<string, unknown>; problem: string }>

function kept<T>(known: Map<string, T>, key: string, make: () => T): T {
  const value = known.get(key) ?? make()
  known.set(key, value)
  return value
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

function yamlOf(path: string): Yaml {
  try {
    const value: unknown = parse(readFileSync(path, 'utf8'), { maxAliasCount: 0, prettyErrors: false })
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isMap
      ? { value: value as Record<string, unknown>, problem: '' }
      : { value: {}, problem: 'it is no map of keys' }
  } catch (error) {
    return { value: {}, problem: `it is not YAML: ${(error as Error).message}` }
  }
}

const isYaml = (path: string): boolean => /\.ya?ml$/.test(path) && statSync(path).size <= TEXT_BYTES_MAX

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

/** Every file below a folder, sorted; none where there is no such folder. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}
