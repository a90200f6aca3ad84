/** One metric of a run that is over. A value of null was left blank; one that is no finite number is kept as it is. */
export type RunMetric = Readonly<{
  value: number | null
  unit: string | null
  /** Finite samples the value was made of, in order; none when the run did not keep them. */
  samples: readonly number[]
  /** Samples that were no finite numbers; they count for nothing and are told. */
  invalidSamples: number
}>

export type RunMetrics = ReadonlyMap<string, RunMetric>

/** By what a metric of a run is judged, in the words of the metric registry. What is absent judges nothing. */
export type MetricRules = Readonly<{
  unit?: string
  drift_threshold?: number
  drift_percent?: number
  min_effect?: number
  critical?: boolean
  fail_min?: number
  fail_max?: number
  invariant_eq?: number
  invariant_min?: number
  invariant_max?: number
  distribution_drift?: Readonly<{ ks_threshold: number }>
  drift_persistence?: number
  source_columns?: readonly string[]
  /** Absent from the run: NO_TEST instead of a warning. */
  required?: boolean
  /** `true`: absent from the baseline it is NO_BASELINE instead of a warning; `false`: judged by limits alone. */
  baseline_required?: boolean
}>

export type RunRules = ReadonlyMap<string, MetricRules>

/** Rules of a metric the registry does not know: it is compared, and nothing is ever wrong with it. */
export const NO_RULES: MetricRules = {}

/** Names of several maps, each once, sorted by code unit. */
export function namesOf(...maps: readonly ReadonlyMap<string, unknown>[]): string[] {
  return [...new Set(maps.flatMap((map) => [...map.keys()]))].sort((a, b) => (a < b ? -1 : 1))
}
