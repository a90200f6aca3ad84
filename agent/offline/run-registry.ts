import { type LoadedOfflineRegistry, parseOfflineRegistry } from '../../shared/config/offline-registry.ts'
import type { RegistryMetric } from '../../shared/config/registry.ts'
import { yamlBytes } from '../../shared/config/sound-yaml.ts'
import type { MetricRules, RunRules } from '../core/offline/run-metric.ts'
import type { MetricNaming } from '../core/offline/run-units.ts'

/** What runs of one program in one mode are read and judged by. */
export type RunRegistry = Readonly<{
  hash: string
  rules: RunRules
  naming: ReadonlyMap<string, MetricNaming>
}>

/** @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE; ConfigError with every mistake */
export function loadRunRegistry(path: string): LoadedOfflineRegistry {
  return parseOfflineRegistry(path, yamlBytes(path))
}

/** The registry as it is in force for a run; modes are compared in lower case, as the predecessor does. */
export function registryFor(
  registry: LoadedOfflineRegistry,
  { program, operating_mode: mode }: Readonly<{ program: string; operating_mode: string }>,
): RunRegistry {
  const metrics = registry.metricsFor({ program, mode: mode.toLowerCase() })
  return {
    hash: registry.hash,
    rules: new Map(metrics.map((m) => [m.metric, rulesOf(m)])),
    naming: new Map(metrics.map((m) => [m.metric, m])),
  }
}

function rulesOf({ metric: _, ...m }: RegistryMetric): MetricRules {
  return m
}
