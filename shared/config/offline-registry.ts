import { type Static, Type } from 'typebox'
import { DOMAIN, digestOf, toHex } from '../crypto/digest.ts'
import { isId } from '../model/ids.ts'
import { type CheckedFile, checkYaml } from './document.ts'
import { ConfigError, type Problem } from './problems.ts'
import { mergedProblems, metricsFor, type RegistryMetric, registryProblems } from './registry.ts'
import { MetricSchema } from './registry-schema.ts'
import { closed } from './schema-parts.ts'
import type { Schema } from './schema-terms.ts'
import type { RegistryConfig } from './types.ts'

/**
 * A metric as the predecessor wrote it: without a rate, maybe without a unit, and required only where that is said. The
 * registry of an agent is one of these as well.
 */
const OfflineMetricSchema = closed({
  ...MetricSchema.properties,
  unit: Type.Optional(MetricSchema.properties.unit),
  nominal_rate_hz: Type.Optional(MetricSchema.properties.nominal_rate_hz),
  required: Type.Optional(Type.Boolean({ description: 'Whether the run is NO_TEST without it.' })),
  baseline_required: Type.Optional(Type.Boolean({ description: 'Whether it is NO_BASELINE without a baseline.' })),
})
const overrides = Type.Optional(
  Type.Record(
    Type.String(),
    closed({ metrics: Type.Record(Type.String(), Type.Partial(OfflineMetricSchema, { additionalProperties: false })) }),
  ),
)
const OfflineRegistrySchema = closed({
  version: Type.Literal('1.0', { description: 'Version of this file.' }),
  metrics: Type.Record(Type.String(), OfflineMetricSchema),
  programs: overrides,
  mode_overrides: overrides,
})
type OfflineRegistry = Static<typeof OfflineRegistrySchema>
type OfflineMetric = OfflineRegistry['metrics'][string]

/** A metric in force for runs of a program in a mode. `unit` is '' where the registry has none. */
export type OfflineRegistryMetric = RegistryMetric

export type LoadedOfflineRegistry = Readonly<{
  /** First twelve digits of the digest of the file, as lineage names it. */
  hash: string
  metricsFor(whose: Readonly<{ program: string; mode: string }>): readonly OfflineRegistryMetric[]
}>

/**
 * Reads a metric registry to judge runs that are over, whether written for an agent or for the predecessor.
 *
 * An entry with `nominal_rate_hz` is one an agent watches: there `required` and `baseline_required` hold unless it says
 * otherwise, as they do for the agent. An entry without only warns of what is missing, as the predecessor did.
 *
 * @throws ConfigError with every mistake.
 */
export function parseOfflineRegistry(name: string, bytes: Uint8Array): LoadedOfflineRegistry {
  const file = checkYaml(name, bytes, OfflineRegistrySchema as unknown as Schema)
  const asAgent: CheckedFile = { ...file, value: asAgentRegistry(file.value as OfflineRegistry | undefined) }
  const problems: Problem[] = [...file.problems, ...registryProblems(asAgent), ...unitlessProblems(file)]
  if (problems.length > 0) throw new ConfigError(problems)
  const registry = registryOf(file.value as OfflineRegistry)
  return {
    hash: toHex(digestOf(DOMAIN.file, bytes)).slice(0, 12),
    metricsFor(whose) {
      const metrics = metricsFor(registry, whose)
      const checked = metrics.map((m): RegistryMetric => (m.unit === '' ? { ...m, unit: '1' } : m))
      const wrong = mergedProblems(file, checked.map(withoutBareCritical), whose)
      if (wrong.length > 0) throw new ConfigError(wrong)
      return metrics
    },
  }
}

/** What is checked as an agent's: a unit that was left out is no mistake here, nor is a critical counter without limits. */
function asAgentRegistry(value: OfflineRegistry | undefined): RegistryConfig | undefined {
  if (value?.metrics === undefined) return value as RegistryConfig | undefined
  const programs = Object.entries(value.programs ?? {}).filter(([program]) => isId(program))
  const metrics = Object.entries(value.metrics).map(([metric, m]) => {
    if (m === undefined) return [metric, m]
    const { unit_map: map, ...rest } = m
    const known =
      m.unit === undefined ? { ...rest, unit: '1' } : { ...rest, ...(map === undefined ? {} : { unit_map: map }) }
    return [metric, withoutBareCritical(known as unknown as RegistryMetric)]
  })
  return {
    ...value,
    ...(value.programs === undefined ? {} : { programs: Object.fromEntries(programs) }),
    metrics: Object.fromEntries(metrics),
  } as unknown as RegistryConfig
}

/** The predecessor's counters of what must not happen: critical alone, which fails above zero. */
function withoutBareCritical<T extends RegistryMetric>(m: T): T {
  const limits = [m.fail_max, m.fail_threshold, m.fail_min, m.invariant_eq, m.invariant_min, m.invariant_max]
  const isBare = m.critical === true && m.nominal_rate_hz === undefined && limits.every((limit) => limit === undefined)
  return isBare ? { ...m, critical: false } : m
}

function unitlessProblems(file: CheckedFile): Problem[] {
  const { metrics = {} } = (file.value ?? {}) as Partial<OfflineRegistry>
  return Object.entries(metrics).flatMap(([metric, m]) =>
    m?.unit_map === undefined || m.unit !== undefined || !file.isSound(['metrics', metric])
      ? []
      : [
          {
            ...file.at(['metrics', metric, 'unit_map']),
            found: 'factors into no unit',
            expected: '`unit` beside it',
            hint: 'name the unit that the numbers of this metric are in',
          },
        ],
  )
}

/** What an agent would be given, with the unit left empty and what the entry does not say left open. */
function registryOf(value: OfflineRegistry): RegistryConfig {
  const metrics = Object.entries(value.metrics).map(([metric, m]) => [metric, withDefaults(m)])
  return { ...value, metrics: Object.fromEntries(metrics) } as unknown as RegistryConfig
}

function withDefaults(m: OfflineMetric): OfflineMetric {
  const isWatched = m.nominal_rate_hz !== undefined
  return { unit: '', ...(isWatched ? { required: true, baseline_required: true } : {}), ...m }
}
