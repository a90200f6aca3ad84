import { isChannelName, isId } from '../model/ids.ts'
import { MODES } from '../model/verdict.ts'
import type { CheckedFile, Path } from './document.ts'
import { didYouMean, type Problem } from './problems.ts'
import { provenanceProblems } from './registry-provenance.ts'
import { unitProblems } from './registry-units.ts'
import { METRICS_MAX } from './schema-parts.ts'
import type { MetricConfig, RegistryConfig } from './types.ts'

/** A metric in force for a rig: base, then the changes of its programme, then those of its mode. Units are trimmed. */
export type RegistryMetric = Omit<MetricConfig, 'source_columns'> &
  Readonly<{ metric: string; source_columns?: readonly string[] }>

/**
 * What a mode may not change: what a channel is, in which unit, and how often it comes. Windows are filled from the samples
 * of both modes when it changes.
 */
export const FIXED_IN_MODES = [
  'aliases',
  'source_columns',
  'unit',
  'unit_map',
  'calibration',
  'nominal_rate_hz',
  'idle_after_ms',
  'windows_ms',
  'source',
  'ccg',
  'publisher',
  'derived_from',
] as const satisfies readonly (keyof MetricConfig)[]

/** Whose overrides apply. */
export type InForce = Readonly<{ program: string; mode: string }>

type Overrides = RegistryConfig['programs']
type Add = (path: Path, found: string, expected: string, hint?: string) => void

/**
 * Merges the overrides key by key, as the predecessor does, and sorts by name (by code unit). A list or a map in an
 * override takes the place of the whole one below. Pure.
 */
export function metricsFor(registry: RegistryConfig, { program, mode }: InForce): RegistryMetric[] {
  const forProgram = changesOf(registry.programs, program)
  const forMode = changesOf(registry.mode_overrides, mode)
  const metrics = Object.entries(registry.metrics).map(([metric, base]): RegistryMetric => {
    const layers = [base, own(forProgram, metric), changeable(own(forMode, metric))].map(withFailMax)
    return asInForce(metric, Object.assign({}, ...layers) as MetricConfig)
  })
  return metrics.sort((a, b) => (a.metric < b.metric ? -1 : 1))
}

/** Mistakes of a registry that no single key shows: of its names, and of what is declared without any override. */
export function registryProblems(file: CheckedFile): Problem[] {
  const problems: Problem[] = []
  const registry = (file.value ?? {}) as Partial<RegistryConfig>
  const add = collect(file, problems)
  const metrics = registry.metrics ?? {}
  const names = Object.keys(metrics)
  if (file.isSound(['metrics']) && names.length === 0) add(['metrics'], 'no metric', `1 to ${METRICS_MAX} metrics`)
  if (names.length > METRICS_MAX) add(['metrics'], `${names.length} metrics`, `1 to ${METRICS_MAX} metrics`)
  for (const metric of names) {
    if (!isChannelName(metric))
      add(
        ['metrics', metric],
        'a name that no channel can have',
        'printable characters, at most 128, no blank at the ends',
      )
  }
  for (const metric of names) {
    const units = file.isSound(['metrics', metric])
      ? Object.keys(metrics[metric]!.unit_map ?? {}).map((unit) => unit.trim())
      : []
    const twice = units.find((unit, k) => units.indexOf(unit) !== k)
    if (twice !== undefined)
      add(['metrics', metric, 'unit_map'], `\`${twice}\` a second time`, 'every unit once, without blanks at its ends')
  }
  const base = names.flatMap((metric) =>
    file.isSound(['metrics', metric]) ? [asInForce(metric, metrics[metric]!)] : [],
  )
  problems.push(...contradictions(file, base, []))
  overrideProblems(registry.programs, { key: 'programs', names, add, isName: isId, expected: 'the id of a program' })
  const modes = {
    isName: (name: string) => MODES.some((mode) => mode === name),
    expected: `one of ${MODES.join(', ')}`,
  }
  overrideProblems(registry.mode_overrides, { key: 'mode_overrides', names, add, ...modes })
  fixedProblems(registry, add)
  return problems
}

/** A mode that would make another channel of a metric. What says the same as without it is allowed. */
function fixedProblems({ metrics, mode_overrides: modes }: Partial<RegistryConfig>, add: Add): void {
  for (const [mode, changes] of Object.entries(modes ?? {})) {
    for (const [metric, change] of Object.entries(changes?.metrics ?? {})) {
      const base = metrics === undefined ? undefined : own(metrics, metric)
      if (base === undefined || change === undefined) continue
      for (const key of FIXED_IN_MODES) {
        if (change[key] === undefined || JSON.stringify(change[key]) === JSON.stringify(base[key])) continue
        add(
          ['mode_overrides', mode, 'metrics', metric, key],
          'a key that no mode changes',
          'limits and tolerances only',
          'set it in `metrics`, or in `programs` for a whole programme',
        )
      }
    }
  }
}

/** Mistakes of the metrics in force for a rig. The file must be sound. */
export function mergedProblems(
  file: CheckedFile,
  metrics: readonly RegistryMetric[],
  { program, mode }: InForce,
): Problem[] {
  // In the order of the file, so that what the registry says without any override is the same mistake again.
  const declared = new Map(Object.keys((file.value as RegistryConfig).metrics).map((metric, k) => [metric, k]))
  const inOrder = [...metrics].sort((a, b) => declared.get(a.metric)! - declared.get(b.metric)!)
  return contradictions(file, inOrder, [
    ['mode_overrides', mode],
    ['programs', program],
  ])
}

/**
 * A channel name without case, blanks and punctuation: two channels that look the same in a log must not be two metrics.
 * Only compared here; telemetry is matched letter for letter.
 */
export function normaliseAlias(name: string): string {
  const plain = name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
  return plain === '' ? name : plain
}

type Rules = Readonly<{
  key: string
  names: readonly string[]
  add: Add
  isName: (name: string) => boolean
  expected: string
}>

function overrideProblems(overrides: Overrides, { key, names, add, isName, expected }: Rules): void {
  for (const [name, changes] of Object.entries(overrides ?? {})) {
    const hint = key === 'mode_overrides' ? didYouMean(name.toLowerCase(), MODES) : undefined
    if (!isName(name)) add([key, name], 'a name that never applies', expected, hint)
    for (const metric of Object.keys(changes?.metrics ?? {})) {
      if (!names.includes(metric)) {
        add(
          [key, name, 'metrics', metric],
          'a metric that is not declared',
          'a name from `metrics`',
          didYouMean(metric, names),
        )
      }
    }
  }
}

/** Checks metrics as they are in force. `layers` are the overrides, the last one first: where a wrong value was given. */
function contradictions(file: CheckedFile, metrics: readonly RegistryMetric[], layers: readonly Path[]): Problem[] {
  const problems: Problem[] = []
  const add = collect(file, problems)
  const owners = new Map<string, string>()
  const placeOf = (metric: string, key: string): Path => {
    const places = layers.map((layer): Path => [...layer, 'metrics', metric, key])
    return places.find((path) => file.has(path)) ?? ['metrics', metric, key]
  }
  for (const m of metrics) {
    const givenAt = (key: string): Path => placeOf(m.metric, key)
    const names = [
      [m.metric, ['metrics', m.metric] as Path],
      ...(m.aliases ?? []).map((name, k) => [name, [...givenAt('aliases'), k] as Path] as const),
      ...(m.source_columns ?? []).map((name, k) => [name, columnPath(file, givenAt('source_columns'), k)] as const),
    ] as const
    for (const [name, path] of names) {
      const owner = owners.get(normaliseAlias(name))
      if (owner === undefined) owners.set(normaliseAlias(name), m.metric)
      else if (owner !== m.metric) {
        add(
          path,
          `\`${name}\` for \`${m.metric}\` and for \`${owner}\``,
          'every channel feeds one metric',
          'names that differ only in case or punctuation count as the same',
        )
      }
    }
    limitProblems(m, (key, found, expected, hint) => add(givenAt(key), found, expected, hint))
    unitProblems(m, (key, found, expected, hint) => add(givenAt(key), found, expected, hint))
    persistenceProblems(m, (key, found, expected, hint) => add(givenAt(key), found, expected, hint))
  }
  provenanceProblems(metrics, (metric, key, what) => add(placeOf(metric, key), what.found, what.expected, what.hint))
  return problems
}

/** One column may be written without brackets. */
function columnPath(file: CheckedFile, path: Path, k: number): Path {
  return file.has([...path, k]) ? [...path, k] : path
}

export type AddKey = (key: keyof MetricConfig, found: string, expected: string, hint?: string) => void

function limitProblems(m: RegistryMetric, add: AddKey): void {
  const { fail_min: failMin, invariant_min: min, invariant_max: max, invariant_eq: eq } = m
  const failMax = m.fail_max ?? m.fail_threshold
  if (m.fail_max !== undefined && m.fail_threshold !== undefined) {
    add('fail_threshold', '`fail_threshold` and `fail_max`', 'one of them; they mean the same')
  }
  if (failMin !== undefined && failMax !== undefined && failMin >= failMax) {
    add('fail_min', `${failMin}`, `less than the upper limit ${failMax}`)
  }
  if (min !== undefined && max !== undefined && min > max)
    add('invariant_min', `${min}`, `at most \`invariant_max\` ${max}`)
  if (eq !== undefined && ((min !== undefined && eq < min) || (max !== undefined && eq > max))) {
    add('invariant_eq', `${eq}`, 'a value that `invariant_min` and `invariant_max` permit')
  }
  const hasLimit = [eq, min, max, failMin, failMax].some((limit) => limit !== undefined)
  if (m.critical === true && !hasLimit)
    add('critical', 'critical without any limit', 'an `invariant_*`, `fail_min` or `fail_max` beside it')
  if (m.baseline_required === false && !hasLimit) {
    add(
      'baseline_required',
      'neither a baseline nor a limit',
      'an `invariant_*`, `fail_min` or `fail_max` to judge it by',
    )
  }
}

function persistenceProblems(m: RegistryMetric, add: AddKey): void {
  const { drift_persistence: wanted, drift_persistence_of: of } = m
  if (of !== undefined && wanted > of)
    add('drift_persistence_of', `${wanted} of ${of} slides`, `at least \`drift_persistence\` (${wanted})`)
}

/** The predecessor's word gives way to ours, so that an override may use either whatever stands below. */
function withFailMax(layer: Partial<MetricConfig> | undefined): Partial<MetricConfig> {
  if (layer?.fail_threshold === undefined || layer.fail_max !== undefined) return layer ?? {}
  const { fail_threshold, ...rest } = layer
  return { ...rest, fail_max: fail_threshold }
}

function asInForce(metric: string, { source_columns: columns, ...m }: MetricConfig): RegistryMetric {
  const factors = Object.entries(m.unit_map ?? {})
  return {
    ...m,
    metric,
    unit: m.unit.trim(),
    ...(columns === undefined ? {} : { source_columns: typeof columns === 'string' ? [columns] : columns }),
    ...(m.unit_map === undefined
      ? {}
      : { unit_map: Object.fromEntries(factors.map(([unit, factor]) => [unit.trim(), factor])) }),
  }
}

/** What of a mode's changes applies. */
function changeable(changes: Partial<MetricConfig> | undefined): Partial<MetricConfig> | undefined {
  if (changes === undefined) return undefined
  const fixed: readonly string[] = FIXED_IN_MODES
  return Object.fromEntries(Object.entries(changes).filter(([key]) => !fixed.includes(key)))
}

function changesOf(overrides: Overrides, name: string): Readonly<Record<string, Partial<MetricConfig>>> {
  return own(overrides, name)?.metrics ?? {}
}

/** `constructor` and its like are names of every object, and of no metric unless somebody declares one. */
function own<T>(of: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return of !== undefined && Object.hasOwn(of, name) ? of[name] : undefined
}

function collect(file: CheckedFile, problems: Problem[]): Add {
  return (path, found, expected, hint) => {
    problems.push({ ...file.at(path), found, expected, ...(hint === undefined ? {} : { hint }) })
  }
}
