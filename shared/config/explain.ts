import { dirname, join, resolve } from 'node:path'
import { type CheckedFile, checkYaml, type Path } from './document.ts'
import { readBytes } from './files.ts'
import { didYouMean } from './problems.ts'
import { CONFIG_FILES, type KeyEntry, type KeyStep, keysOf, unitOf } from './reference.ts'
import { rangeOf, type Schema, typeOf } from './schema-terms.ts'
import type { RegistryConfig, RigConfig, RuntimeConfig } from './types.ts'
import { YAML_BYTES_MAX } from './yaml-text.ts'

/** Where a value comes from, and what it is. */
export type KeyValue = Readonly<{
  /** Dotted path, as in `rigs[0].slide_ms`. */
  key: string
  /** Rig for which it is so, where that depends on one. */
  rig: string | null
  value: unknown
  /** Whether a file gives it; otherwise it is the default. */
  isSet: boolean
  file: string
  /** 1-based; null for a default. */
  line: number | null
}>

/** One key: what it means, and what it is now. */
export type Explained = Readonly<{
  file: string
  name: string
  meaning: string
  type: string
  unit: string
  range: string
  /** JSON; null when there is none. */
  default: string | null
  isNeeded: boolean
  /** Empty when no file was given, or where the part it stands in is left out. */
  now: readonly KeyValue[]
}>

/** Files that were read: a runtime.yaml with its registries, or a collector.yaml. */
export type ReadFiles = Readonly<{
  kind: 'runtime' | 'collector'
  main: CheckedFile
  registries: ReadonlyMap<string, CheckedFile>
  mappings: ReadonlyMap<string, CheckedFile>
  policies: ReadonlyMap<string, CheckedFile>
}>

const TITLED = CONFIG_FILES.map(([title, , schema]): Titled => ({ title, schema: schema as Schema }))
const [RUNTIME, REGISTRY, EQUIVALENCE, ACTIONS, COLLECTOR] = TITLED as [Titled, Titled, Titled, Titled, Titled]
type Titled = { title: string; schema: Schema }
/** Keys that only a collector has at its top. */
const OF_COLLECTOR = ['data_dir', 'agents_listen', 'operators_listen']

/** Reads a configuration as far as it can be read: what is wrong in it does not keep the rest from being explained. */
export function readToExplain(path: string): ReadFiles | string {
  const bytes = readBytes(path, YAML_BYTES_MAX)
  if (!(bytes instanceof Uint8Array)) return bytes.reason
  const text = new TextDecoder().decode(bytes)
  const kind = OF_COLLECTOR.some((key) => new RegExp(`^${key}:`, 'm').test(text)) ? 'collector' : 'runtime'
  const main = checkYaml(path, bytes, (kind === 'collector' ? COLLECTOR : RUNTIME).schema)
  const named = (
    key: 'registry_file' | 'equivalence_file' | 'actions_policy_file',
    schema: Schema,
  ): Map<string, CheckedFile> => {
    const files = new Map<string, CheckedFile>()
    for (const { [key]: name } of rigsOf(main)) {
      if (typeof name !== 'string' || files.has(name)) continue
      const found = readBytes(resolve(dirname(path), name), YAML_BYTES_MAX)
      if (found instanceof Uint8Array) files.set(name, checkYaml(join(dirname(path), name), found, schema))
    }
    return files
  }
  return {
    kind,
    main,
    registries: named('registry_file', REGISTRY.schema),
    mappings: named('equivalence_file', EQUIVALENCE.schema),
    policies: named('actions_policy_file', ACTIONS.schema),
  }
}

/**
 * Explains every key that is written like this: as in the reference (`rigs[].slide_ms`), with numbers and names
 * (`rigs[0].slide_ms`), or by its end alone (`slide_ms`).
 *
 * @returns what was found; when nothing was, what may have been meant
 */
export function explain(
  wanted: string | null,
  files: ReadFiles | null,
): readonly Explained[] | { hint: string | undefined } {
  const read =
    files === null ? TITLED : files.kind === 'collector' ? [COLLECTOR] : [RUNTIME, REGISTRY, EQUIVALENCE, ACTIONS]
  const all = read.flatMap(({ title, schema }) => keysOf(schema).map((entry) => ({ title, entry })))
  const found = wanted === null ? all : all.filter(({ entry }) => isMeant(entry, wanted))
  if (found.length > 0) return found.map(({ title, entry }) => explained(title, entry, { wanted, files }))
  const names = [...new Set(all.map(({ entry }) => lastOf(entry)))]
  return { hint: didYouMean(lastPart(wanted ?? ''), names) }
}

function isMeant(entry: KeyEntry, wanted: string): boolean {
  if (entry.name === wanted || writtenAs(entry.steps) === wanted) return true
  if (!/[.[\] ]/.test(wanted)) return lastOf(entry) === wanted
  return patternOf(entry.steps).test(wanted) || patternOf(entry.steps).test(wanted.replaceAll('[]', '[0]'))
}

/** `rigs[].sources[].endpoint`: the name without the kind of a map. */
function writtenAs(steps: readonly KeyStep[]): string {
  return steps.reduce((text, step) => {
    if (step.kind === 'key') return text === '' ? step.key : `${text}.${step.key}`
    if (step.kind === 'each') return `${text}[]`
    return step.kind === 'named' ? `${text}.NAME` : text
  }, '')
}

function patternOf(steps: readonly KeyStep[]): RegExp {
  const text = steps.reduce((before, step) => {
    if (step.kind === 'key') return `${before}${before === '' ? '' : '\\.'}${step.key}`
    if (step.kind === 'each') return `${before}\\[\\d+\\]`
    return step.kind === 'named' ? `${before}\\..+` : before
  }, '')
  return new RegExp(`^${text}$`)
}

function lastOf({ steps }: KeyEntry): string {
  const last = steps.at(-1)!
  return last.kind === 'key' ? last.key : ''
}

function lastPart(text: string): string {
  return text.split(/[.[\] ]+/).findLast((part) => part !== '') ?? ''
}

type Asked = Readonly<{ wanted: string | null; files: ReadFiles | null }>

function explained(title: string, entry: KeyEntry, { wanted, files }: Asked): Explained {
  const { name, schema, isNeeded } = entry
  const now = files === null ? [] : valuesNow(title, entry, files)
  // `rigs[1].slide_ms` asks about one of them.
  const isOne = wanted !== null && now.some(({ key }) => key === wanted)
  return {
    file: title,
    name,
    meaning: schema.description ?? '',
    type: typeOf(schema),
    unit: unitOf(lastOf(entry)),
    range: rangeOf(schema),
    default: schema.default === undefined ? null : JSON.stringify(schema.default),
    isNeeded: isNeeded && schema.default === undefined && schema.type !== 'object',
    now: isOne ? now.filter(({ key }) => key === wanted) : now,
  }
}

function valuesNow(title: string, entry: KeyEntry, files: ReadFiles): KeyValue[] {
  if (title === REGISTRY.title) return metricValues(entry, files)
  if (title === ACTIONS.title) return [...files.policies.values()].flatMap((file) => valuesIn(file, entry))
  if (title === EQUIVALENCE.title) return [...files.mappings.values()].flatMap((file) => valuesIn(file, entry))
  return valuesIn(files.main, entry)
}

function valuesIn(file: CheckedFile, entry: KeyEntry): KeyValue[] {
  return pathsTo(file.value, entry.steps).map((path) => valueAt(file, path, null))
}

function valueAt(file: CheckedFile, path: Path, rig: string | null): KeyValue {
  const isSet = file.has(path)
  const place = file.at(path)
  return {
    key: place.key,
    rig,
    value: follow(file.value, path),
    isSet,
    file: place.file,
    line: isSet ? place.line : null,
  }
}

/** A metric is in force for a rig: base, then its programme, then its mode; the last that says something counts. */
function metricValues(entry: KeyEntry, { main, registries }: ReadFiles): KeyValue[] {
  return rigsOf(main).flatMap(({ rig, program, mode, registry_file: name }) => {
    const file = registries.get(name ?? '')
    if (file === undefined) return []
    return pathsTo(file.value, entry.steps).map((path) => {
      const layers: Path[] = [path, ['programs', program ?? '', ...path], ['mode_overrides', mode ?? '', ...path]]
      const inForce = path[0] === 'metrics' ? layers.findLast((layer) => file.has(layer)) : undefined
      return valueAt(file, inForce ?? path, rig ?? null)
    })
  })
}

function rigsOf(main: CheckedFile): readonly Partial<RigConfig>[] {
  const { rigs } = (main.value ?? {}) as Partial<RuntimeConfig>
  return Array.isArray(rigs) ? rigs.filter((rig) => rig !== undefined) : []
}

/** Every path that is there for these steps. The last key may be left out; what it stands in may not. */
function pathsTo(value: unknown, steps: readonly KeyStep[], above: Path = []): Path[] {
  const [step, ...rest] = steps
  if (step === undefined) return [above]
  if (step.kind === 'variant') return follow(value, ['type']) === step.type ? pathsTo(value, rest, above) : []
  if (typeof value !== 'object' || value === null) return []
  if (step.kind === 'key') return pathsTo(follow(value, [step.key]), rest, [...above, step.key])
  const parts = Array.isArray(value)
    ? value.map((part, k) => [k, part] as const)
    : Object.entries(value as RegistryConfig)
  return parts.flatMap(([name, part]) => pathsTo(part, rest, [...above, name]))
}

function follow(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, part) ? Reflect.get(at, part) : undefined,
    value,
  )
}
