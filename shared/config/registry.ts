import type { CheckedFile } from './document.ts'
import { METRICS_MAX } from './schema.ts'
import type { Problem } from './problems.ts'
import type { MetricConfig, RegistryConfig } from './types.ts'
import { isChannelName } from '../model/ids.ts'

/** A metric in force for a rig: base, then the changes of its programme, then those of its mode. */
export type RegistryMetric = MetricConfig & Readonly<{ metric: string }>

/** Merges the overrides key by key, as the predecessor does, and sorts by name. */
export function metricsFor(registry: RegistryConfig, { program, mode }: { program: string; mode: string }): RegistryMetric[] {
  const forProgram = registry.programs?.[program]?.metrics ?? {}
  const forMode = registry.mode_overrides?.[mode]?.metrics ?? {}
  const metrics = Object.entries(registry.metrics).map(([metric, base]) => ({ ...base, ...forProgram[metric], ...forMode[metric], metric }))
  return metrics.sort((a, b) => (a.metric < b.metric ? -1 : 1))
}

/** Mistakes of a registry that no single key shows. */
export function registryProblems(file: CheckedFile, registry: RegistryConfig): Problem[] {
  const problems: Problem[] = []
  const names = Object.keys(registry.metrics)
  const add = (path: string[], found: string, expected: string, hint?: string) => {
    problems.push({ ...file.at(path), found, expected, ...(hint === undefined ? {} : { hint }) })
  }
  if (names.length === 0 || names.length > METRICS_MAX) add(['metrics'], `${names.length} metrics`, `1 to ${METRICS_MAX}`)
  const owners = new Map<string, string>()
  for (const metric of names) {
    const config = registry.metrics[metric]!
    if (!isChannelName(metric)) add(['metrics', metric], 'a name with blanks at its ends or control characters', '1 to 128 printable characters')
    for (const channel of [metric, ...(config.aliases ?? []), ...(config.source_columns ?? [])]) {
      const owner = owners.get(normaliseAlias(channel))
      if (owner !== undefined && owner !== metric) add(['metrics', metric], `\`${channel}\`, which also feeds \`${owner}\``, 'every channel feeds one metric', 'names that differ only in case or punctuation count as the same')
      owners.set(normaliseAlias(channel), metric)
    }
    for (const problem of contradictions(config)) add(['metrics', metric, problem.key], problem.found, problem.expected)
  }
  for (const [group, key] of [[registry.programs, 'programs'], [registry.mode_overrides, 'mode_overrides']] as const) {
    for (const [name, { metrics }] of Object.entries(group ?? {})) {
      for (const metric of Object.keys(metrics)) if (!names.includes(metric)) add([key, name, 'metrics', metric], 'a metric that is not declared above', 'a name from `metrics`')
    }
  }
  return problems
}

/** Lower case, letters and digits only: two channels that look the same in a log must not be two metrics. */
export function normaliseAlias(name: string): string {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  return plain === '' ? name : plain
}

function contradictions(m: MetricConfig): { key: string; found: string; expected: string }[] {
  const wrong: { key: string; found: string; expected: string }[] = []
  const failMax = m.fail_max ?? m.fail_threshold
  if (m.fail_max !== undefined && m.fail_threshold !== undefined) wrong.push({ key: 'fail_threshold', found: 'both `fail_threshold` and `fail_max`', expected: 'one of them' })
  if (m.fail_min !== undefined && failMax !== undefined && m.fail_min >= failMax) wrong.push({ key: 'fail_min', found: `${m.fail_min}`, expected: `less than the upper limit ${failMax}` })
  if (m.invariant_min !== undefined && m.invariant_max !== undefined && m.invariant_min > m.invariant_max) wrong.push({ key: 'invariant_min', found: `${m.invariant_min}`, expected: `at most \`invariant_max\` ${m.invariant_max}` })
  const limits = [m.invariant_eq, m.invariant_min, m.invariant_max, m.fail_min, failMax]
  if (m.critical === true && limits.every((limit) => limit === undefined)) wrong.push({ key: 'critical', found: 'critical without any limit', expected: 'an `invariant_*`, `fail_min` or `fail_max` beside it' })
  if (!m.baseline_required && limits.every((limit) => limit === undefined)) wrong.push({ key: 'baseline_required', found: 'neither a baseline nor a limit', expected: 'a limit to judge it by' })
  if (m.unit_map !== undefined && Object.hasOwn(m.unit_map, m.unit) && m.unit_map[m.unit] !== 1) wrong.push({ key: 'unit_map', found: `factor ${m.unit_map[m.unit]} for its own unit`, expected: '1' })
  return wrong
}
