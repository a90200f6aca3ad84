import { ksCritical, ksStatistic } from '../../../shared/math/kolmogorov.ts'
import type { OverallVerdict } from '../../../shared/model/verdict.ts'
import { type Attribution, attribute, byRank } from './attribution.ts'
import { breaksInvariant, type Difference, differenceOf, isPastFailLimit } from './drift-rule.ts'
import { type MetricRules, NO_RULES, namesOf, type RunMetric, type RunMetrics, type RunRules } from './run-metric.ts'

/** The verdict of a run: what an agent says, and NO_METRICS where neither side has any. */
export type RunVerdict = OverallVerdict | 'NO_METRICS'

export type DriftRecord = Readonly<{
  metric: string
  baseline: number
  current: number
  delta: number
  percent_change: number | null
  drift_threshold: number | null
  drift_percent: number | null
  min_effect: number | null
  unit: string | null
  severity: 'FAIL' | 'DRIFT'
}>

export type InvariantViolation = Readonly<{
  metric: string
  current: number
  invariant_min: number | null
  invariant_max: number | null
  invariant_eq: number | null
}>

export type DistributionDrift = Readonly<{
  metric: string
  method: 'ks'
  statistic: number
  threshold: number
  /** What samples of one distribution stay below nearly always, at these counts. */
  critical_value: number
  sample_count_current: number
  sample_count_baseline: number
}>

/** What became of a run against its baseline, with the predecessor's keys. Lists of names are sorted and hold each once. */
export type RunComparison = Readonly<{
  status: RunVerdict
  /** Largest absolute difference first, as the predecessor has it: units are mixed. {@link top_drivers} is ranked. */
  drift: readonly DriftRecord[]
  warnings: readonly string[]
  fail: readonly string[]
  invariant_violations: readonly InvariantViolation[]
  distribution_drifts: readonly DistributionDrift[]
  top_drivers: readonly Attribution[]
  /** Metrics that could not be judged, and those that had nothing to be compared with. */
  no_test: readonly string[]
  no_baseline: readonly string[]
  /** How many metrics had a usable value on both sides. */
  compared: number
}>

export type CompareOptions = Readonly<{ rules: RunRules; distribution: boolean }>

type Findings = {
  readonly drift: DriftRecord[]
  readonly warnings: string[]
  readonly fail: Set<string>
  readonly violations: InvariantViolation[]
  readonly distributions: DistributionDrift[]
  readonly drivers: Attribution[]
  readonly noTest: Set<string>
  readonly noBaseline: Set<string>
  compared: number
}

type Side = Readonly<{ metric: string; rules: MetricRules }>

/**
 * Holds a run against its baseline, metric by metric in the order of their names. Never PASS for what was not tested: a
 * value that is no number, two units or a required metric that is absent are NO_TEST, no baseline is NO_BASELINE, and a
 * critical metric without a usable value fails.
 */
export function compareRuns(current: RunMetrics, baseline: RunMetrics, options: CompareOptions): RunComparison {
  const found: Findings = {
    drift: [],
    warnings: [],
    fail: new Set(),
    violations: [],
    distributions: [],
    drivers: [],
    noTest: new Set(),
    noBaseline: new Set(),
    compared: 0,
  }
  const wanted = [...options.rules].filter(([, rules]) => rules.critical === true || rules.required === true)
  const isEmpty = current.size === 0 && baseline.size === 0
  const names = isEmpty && wanted.length === 0 ? [] : namesOf(current, baseline, new Map(wanted))
  for (const metric of names) {
    const rules = options.rules.get(metric) ?? NO_RULES
    compareMetric({ metric, rules }, { current: current.get(metric), baseline: baseline.get(metric), options }, found)
  }
  if (names.length === 0) found.warnings.push('no metrics evaluated')
  const status =
    names.length === 0 ? 'NO_METRICS' : verdictOf(found, hasNothingToCompare(current, options.rules, found))
  const drift = found.drift.sort((a, b) => Math.abs(b.delta) - Math.abs(a.delta) || (a.metric < b.metric ? -1 : 1))
  return {
    status,
    drift,
    warnings: found.warnings,
    fail: [...found.fail],
    invariant_violations: found.violations,
    distribution_drifts: found.distributions,
    top_drivers: found.drivers.sort(byRank),
    no_test: [...found.noTest],
    no_baseline: [...found.noBaseline],
    compared: found.compared,
  }
}

/** Whether no metric of the run met a baseline, though some needs one. */
function hasNothingToCompare(current: RunMetrics, rules: RunRules, { compared }: Findings): boolean {
  return compared === 0 && [...current.keys()].some((metric) => rules.get(metric)?.baseline_required !== false)
}

function verdictOf({ fail, noTest, noBaseline, drift, distributions }: Findings, nothing: boolean): OverallVerdict {
  if (fail.size > 0) return 'FAIL'
  if (noTest.size > 0) return 'NO_TEST'
  if (noBaseline.size > 0 || nothing) return 'NO_BASELINE'
  return drift.length > 0 || distributions.length > 0 ? 'PASS_WITH_DRIFT' : 'PASS'
}

type Pair = Readonly<{ current: RunMetric | undefined; baseline: RunMetric | undefined; options: CompareOptions }>

function compareMetric(side: Side, { current, baseline, options }: Pair, found: Findings): void {
  const { metric, rules } = side
  if (current === undefined || current.value === null) {
    found.warnings.push(`missing current metric: ${metric}`)
    untested(side, rules.required === true, found)
    return
  }
  tellInvalidSamples(metric, { current, baseline }, found)
  const { value } = current
  if (!Number.isFinite(value)) {
    found.warnings.push(`value is not a number: ${metric}`)
    untested(side, true, found)
    return
  }
  judgeByLimits(side, value, found)
  if (baseline === undefined || baseline.value === null) {
    found.warnings.push(`missing baseline metric: ${metric}`)
    if (rules.baseline_required === true) found.noBaseline.add(metric)
    return
  }
  if (!Number.isFinite(baseline.value)) {
    found.warnings.push(`baseline value is not a number: ${metric}`)
    found.noTest.add(metric)
    return
  }
  if (current.unit !== null && baseline.unit !== null && current.unit !== baseline.unit) {
    found.warnings.push(`unit mismatch: ${metric} is in ${current.unit}, its baseline in ${baseline.unit}`)
    found.noTest.add(metric)
    return
  }
  found.compared += 1
  compareValues(side, { current, baseline, distribution: options.distribution }, found)
}

/** A metric that says nothing. A critical one must not be missed for that reason. */
function untested({ metric, rules }: Side, isNoTest: boolean, found: Findings): void {
  if (isNoTest) found.noTest.add(metric)
  if (rules.critical !== true) return
  found.fail.add(metric)
  found.warnings.push(`critical metric without a usable value: ${metric}`)
}

function tellInvalidSamples(metric: string, { current, baseline }: Omit<Pair, 'options'>, found: Findings): void {
  for (const [whose, count] of [
    ['', current?.invalidSamples ?? 0],
    ['baseline ', baseline?.invalidSamples ?? 0],
  ] as const)
    if (count > 0) found.warnings.push(`${count} ${whose}samples are not numbers: ${metric}`)
}

function judgeByLimits({ metric, rules }: Side, value: number, found: Findings): void {
  if (breaksInvariant(value, rules)) {
    const { invariant_min: min = null, invariant_max: max = null, invariant_eq: eq = null } = rules
    found.violations.push({ metric, current: value, invariant_min: min, invariant_max: max, invariant_eq: eq })
    found.fail.add(metric)
  }
  if (isPastFailLimit(value, rules)) found.fail.add(metric)
}

type Values = Readonly<{ current: RunMetric; baseline: RunMetric; distribution: boolean }>

function compareValues(side: Side, { current, baseline, distribution }: Values, found: Findings): void {
  const { metric, rules } = side
  const difference = differenceOf(current.value!, baseline.value!, rules)
  if (difference.isPercentUndefined) found.warnings.push(zeroBaseline(metric, rules))
  const failed = found.fail.has(metric)
  if (difference.drifts) {
    found.drift.push({
      metric,
      baseline: baseline.value!,
      current: current.value!,
      delta: difference.delta,
      percent_change: difference.percent,
      drift_threshold: rules.drift_threshold ?? null,
      drift_percent: rules.drift_percent ?? null,
      min_effect: rules.min_effect ?? null,
      unit: current.unit,
      severity: failed ? 'FAIL' : 'DRIFT',
    })
  }
  const ks = distribution ? distributionDrift(side, current.samples, baseline.samples) : null
  if (ks !== null) found.distributions.push(ks)
  if (difference.drifts || failed || ks !== null)
    found.drivers.push(attribute({ metric, rules, current, baseline, difference: basisOf(difference), failed, ks }))
}

/** A difference that `min_effect` cancelled is not what a failed metric is ranked by. */
function basisOf(difference: Difference): Difference {
  return difference.drifts ? difference : { ...difference, effect: 0 }
}

function zeroBaseline(metric: string, { drift_threshold: threshold, min_effect: smallest }: MetricRules): string {
  const instead =
    threshold === undefined
      ? `any difference${smallest === undefined ? '' : ` of at least ${smallest}`} counts`
      : 'drift_threshold decides alone'
  return `no percentage at a baseline of zero: ${metric}; ${instead}`
}

/** The chance of taking two sets from one distribution for different, where the threshold alone would not decide. */
const KS_ALPHA = 0.05

/** Two samples differ when their distance passes the stated threshold and what chance alone makes of so few. */
function distributionDrift(
  { metric, rules }: Side,
  current: readonly number[],
  baseline: readonly number[],
): DistributionDrift | null {
  const threshold = rules.distribution_drift?.ks_threshold
  if (threshold === undefined || current.length === 0 || baseline.length === 0) return null
  const statistic = ksStatistic(current, baseline)
  const critical = ksCritical(current.length, baseline.length, KS_ALPHA)
  if (statistic === null || !(statistic > threshold && statistic > critical)) return null
  return {
    metric,
    method: 'ks',
    statistic,
    threshold,
    critical_value: critical,
    sample_count_current: current.length,
    sample_count_baseline: baseline.length,
  }
}
