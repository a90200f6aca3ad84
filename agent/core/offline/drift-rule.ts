import { RATIO_MAX } from '../compare.ts'
import type { MetricRules } from './run-metric.ts'

/** How a value stands to its baseline. `effect` is the difference in limits: 1 is just at the limit that is passed by most. */
export type Difference = Readonly<{
  delta: number
  /** In percent of the baseline, with its sign; null at a baseline of zero. */
  percent: number | null
  drifts: boolean
  passed: readonly ('drift_threshold' | 'drift_percent')[]
  effect: number
  /** A percentage was asked for and there is none. */
  isPercentUndefined: boolean
}>

/**
 * Either of two rules makes a drift, when passed and not just reached; `min_effect` cancels what is too small to matter.
 *
 * At a baseline of zero there is no percentage. Where `drift_threshold` stands beside it, that decides alone. Where
 * `drift_percent` is the only rule, any difference counts that `min_effect` does not cancel: silence would let anything
 * pass.
 */
export function differenceOf(current: number, baseline: number, rules: MetricRules): Difference {
  const delta = current - baseline
  const size = Math.abs(delta)
  const percent = baseline === 0 ? null : (delta / baseline) * 100
  const { drift_threshold: threshold, drift_percent: share, min_effect: smallest } = rules
  const isPercentUndefined = share !== undefined && percent === null && delta !== 0
  const passed: ('drift_threshold' | 'drift_percent')[] = []
  if (threshold !== undefined && size > threshold) passed.push('drift_threshold')
  const sharePassed =
    percent === null ? isPercentUndefined && threshold === undefined : Math.abs(percent) > (share ?? 0)
  if (share !== undefined && sharePassed) passed.push('drift_percent')
  const ratios = [
    threshold === undefined ? 0 : ratioOf(size, threshold),
    share === undefined || percent === null ? 0 : ratioOf(Math.abs(percent), share),
    percent === null && sharePassed ? RATIO_MAX : 0,
  ]
  const drifts = passed.length > 0 && !(smallest !== undefined && size < smallest)
  return { delta, percent, drifts, passed: drifts ? passed : [], effect: Math.max(...ratios), isPercentUndefined }
}

/** The distance from the baseline at which a sample counts as gone, in the unit of the metric; null without a rule. */
export function sampleLimit(
  baseline: number,
  { drift_threshold: threshold, drift_percent: share }: MetricRules,
): number | null {
  if (threshold !== undefined) return threshold
  return share === undefined || baseline === 0 ? null : (Math.abs(baseline) * share) / 100
}

function ratioOf(size: number, limit: number): number {
  if (size === 0) return 0
  return limit > 0 ? Math.min(size / limit, RATIO_MAX) : RATIO_MAX
}

/** Whether a value breaks what must hold whatever the baseline says. */
export function breaksInvariant(value: number, rules: MetricRules): boolean {
  const { invariant_eq: eq, invariant_min: min, invariant_max: max } = rules
  return (eq !== undefined && value !== eq) || (min !== undefined && value < min) || (max !== undefined && value > max)
}

/** Whether a value is past its fail limits. A critical metric without any fails above zero: it counts what must not happen. */
export function isPastFailLimit(value: number, rules: MetricRules): boolean {
  const { fail_min: min, fail_max: max, critical } = rules
  if (min !== undefined && value < min) return true
  if (max !== undefined) return value > max
  return critical === true && min === undefined && value > 0
}
