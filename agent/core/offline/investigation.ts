import type { RunComparison } from './compare-runs.ts'

export type RootCause =
  | 'critical_threshold'
  | 'invariant_violation'
  | 'distribution_shift'
  | 'threshold_exceeded'
  | 'drift_or_fail'

/** Where to look first, in the predecessor's words. A hint is a guess from the name of the metric, and says so. */
export type InvestigationHint = Readonly<{
  metric: string
  pinpoint: string
  suggested_actions: readonly string[]
  root_cause_category: RootCause
  root_cause_label: string
}>

const LABELS: Readonly<Record<RootCause, string>> = {
  critical_threshold: 'a limit that must not be passed',
  invariant_violation: 'a condition that must always hold',
  distribution_shift: 'the same level, but its samples are spread differently',
  threshold_exceeded: 'further from the baseline than permitted',
  drift_or_fail: 'drift or failure',
}

type Area = Readonly<{ words: RegExp; area: string; actions: readonly string[] }>

/** What a name tells. The first that fits counts. */
const AREAS: readonly Area[] = [
  {
    words: /watchdog/,
    area: 'Watchdog and task starvation',
    actions: [
      'Read the log before each trigger for the task that did not answer.',
      'Compare its load with the baseline run.',
    ],
  },
  {
    words: /deadline/,
    area: 'Scheduling and deadlines',
    actions: ['Compare task periods and priorities with the baseline run.', 'Look for new work in the same cycle.'],
  },
  {
    words: /latency|lag/,
    area: 'Timing and bus load',
    actions: [
      'Compare bus load and queue depth with the baseline run.',
      'Look at the samples: a longer tail or all of them?',
    ],
  },
  {
    words: /error|fail|reset/,
    area: 'Errors and resets',
    actions: ['Read events.jsonl around the first error.', 'Compare build and configuration with the baseline run.'],
  },
  {
    words: /throughput|rate|qps/,
    area: 'Throughput and load',
    actions: ['Compare the offered load of both runs.', 'Look for what waits: a consumer, a disk, a link.'],
  },
]

const ANYTHING: Area = {
  words: /./,
  area: 'The signal itself and its sensor',
  actions: ['Compare the signal of both runs over time.', 'Check sensor, wiring, calibration and unit.'],
}

/** One hint for every metric that failed, drifted, or could not be tested, in the order of their rank. */
export function hintsFor(comparison: RunComparison): InvestigationHint[] {
  return notableMetrics(comparison).map((metric) => {
    const cause = causeOf(metric, comparison)
    const { area, actions } = areaOf(metric)
    return {
      metric,
      pinpoint: `${area}: ${pinpoint(metric, comparison)}`,
      suggested_actions: actions,
      root_cause_category: cause,
      root_cause_label: LABELS[cause],
    }
  })
}

export function areasFor(comparison: RunComparison): string[] {
  return [...new Set(notableMetrics(comparison).map((metric) => areaOf(metric).area))]
}

/** What failed first, then what drifted by rank, then what was not tested. */
export function notableMetrics({
  fail,
  top_drivers: drivers,
  no_test: noTest,
  no_baseline: none,
}: RunComparison): string[] {
  const ranked = drivers.map(({ metric_name: metric }) => metric)
  const failed = fail.filter((metric) => !ranked.includes(metric))
  return [...new Set([...failed, ...ranked, ...noTest, ...none])]
}

function areaOf(metric: string): Area {
  const name = metric.toLowerCase()
  return AREAS.find(({ words }) => words.test(name)) ?? ANYTHING
}

function causeOf(metric: string, comparison: RunComparison): RootCause {
  if (comparison.invariant_violations.some((one) => one.metric === metric)) return 'invariant_violation'
  if (comparison.fail.includes(metric)) return 'critical_threshold'
  if (comparison.drift.some((one) => one.metric === metric)) return 'threshold_exceeded'
  if (comparison.distribution_drifts.some((one) => one.metric === metric)) return 'distribution_shift'
  return 'drift_or_fail'
}

/** Why a metric is notable, in one sentence. */
export function pinpoint(metric: string, comparison: RunComparison): string {
  const broken = comparison.invariant_violations.find((one) => one.metric === metric)
  if (broken !== undefined) return `${broken.current} breaks ${invariantText(broken)}`
  const drift = comparison.drift.find((one) => one.metric === metric)
  const unit = drift?.unit === null || drift === undefined ? '' : ` ${drift.unit}`
  if (comparison.fail.includes(metric))
    return drift === undefined
      ? 'past its fail limit, or critical and absent'
      : `${drift.current}${unit} is past its fail limit`
  if (drift !== undefined) {
    const percent = drift.percent_change === null ? '' : ` (${drift.percent_change.toPrecision(3)} %)`
    return `${drift.baseline} → ${drift.current}${unit}${percent}`
  }
  const ks = comparison.distribution_drifts.find((one) => one.metric === metric)
  if (ks !== undefined) return `its samples are ${ks.statistic.toPrecision(3)} apart, permitted is ${ks.threshold}`
  return comparison.no_baseline.includes(metric) ? 'it has no baseline' : 'it could not be tested'
}

function invariantText({
  invariant_eq: eq,
  invariant_min: min,
  invariant_max: max,
}: Readonly<{
  invariant_eq: number | null
  invariant_min: number | null
  invariant_max: number | null
}>): string {
  const parts = [eq === null ? '' : `= ${eq}`, min === null ? '' : `≥ ${min}`, max === null ? '' : `≤ ${max}`]
  return parts.filter((part) => part !== '').join(' and ')
}
