import type { FindingJson } from './messages.ts'

/** Why a metric is not PASS, as a person would say it: channel, what was seen in which window, and what it was held against. */
export function whyFinding(f: FindingJson): string {
  const unit = f.unit === '1' ? '' : ` ${f.unit}`
  const window = f.window_us > 0 ? ` over ${span(f.window_us)}` : ''
  switch (f.ground) {
    case 'invariant_max':
      return `${f.channel} reached ${number(f.max)}${unit}${window}, never above ${number(f.limit)}${unit}`
    case 'invariant_min':
      return `${f.channel} fell to ${number(f.min)}${unit}${window}, never below ${number(f.limit)}${unit}`
    case 'invariant_eq':
      return `${f.channel} was ${number(f.min)} to ${number(f.max)}${unit}${window}, always ${number(f.limit)}${unit}`
    case 'fail_max':
      return `${f.channel} was ${number(f.mean)}${unit}${window}, above its limit of ${number(f.limit)}${unit}`
    case 'fail_min':
      return `${f.channel} was ${number(f.mean)}${unit}${window}, below its limit of ${number(f.limit)}${unit}`
    case 'deviation':
    case 'drift_threshold':
    case 'drift_percent':
      return `${f.channel} was ${number(f.mean)}${unit}${window}, baseline ${number(f.baseline_mean)}${unit}: ${number(f.deviation)} spreads off, ${number(f.ratio)} times what is tolerated`
    case 'silent':
      return `${f.channel} has been silent for ${f.age_us === null ? 'as long as it was watched' : span(f.age_us)}`
    case 'invalid_samples':
      return `${f.channel} sent values that are no measurement${window}`
    case 'unit_mismatch':
      return `${f.channel} states a unit that nothing converts to ${f.unit}`
    case 'alias_collision':
      return `${f.channel} is fed by two channels at once, and cannot be both`
    case 'window_not_filled':
      return `${f.channel} sent only ${f.count} samples${window}`
    case 'no_baseline':
      return `${f.channel} has no baseline to compare with`
    case 'sensor_replaced':
      return `${f.channel} has another sensor since its baseline was made`
    case 'settling':
      return `${f.channel} may settle in its new mode first`
    case 'warming_up':
      return `${f.channel} has not been watched for long enough to be sure of it`
    case 'level':
      return `${f.channel} was ${number(f.mean)}${unit}${window}, where ${number(f.baseline_mean)}${unit} was expected: ${number(f.ratio)} times what its level may wander`
    case 'golden':
      return `${f.channel} has drifted to ${number(f.mean)}${unit}, its certified level is ${number(f.baseline_mean)}${unit}: ${number(f.ratio)} times what is tolerated`
    case 'variance':
      return `${f.channel} is noisier or quieter${window} than its baseline: ${number(f.ratio)} times what is tolerated`
    case 'spike':
      return `${f.channel} jumped for a moment, ${number(f.ratio)} times as far as it ever did`
    case 'stuck':
      return `${f.channel} has said the same for longer than it ever did`
    case 'multivariate':
      return `${f.channel} does not fit what the other channels say${window}: ${number(f.ratio)} times what is tolerated`
    case 'not_cleared':
      return `${f.channel} is within tolerance${window} again, not yet for long enough`
    default:
      return `${f.channel}: ${f.ground}`
  }
}

function number(value: number | null): string {
  return value === null ? '?' : String(Number(value.toPrecision(4)))
}

function span(us: number): string {
  return us < 1_000_000 ? `${us / 1000} ms` : `${Number((us / 1_000_000).toPrecision(3))} s`
}
