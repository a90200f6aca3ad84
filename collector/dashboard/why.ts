import { formatAge, formatCount, formatRatio, formatSigma, formatValue, formatWidth } from './quantities.ts'
import type { FindingJson } from './wire-types.ts'

/**
 * Says in one sentence why a metric is not PASS: channel, window, value, how far outside which baseline or which limit.
 * The sentence is made from the finding alone, so it can be said again from the signed record.
 */
export function explainFinding(finding: FindingJson): string {
  return `${subjectOf(finding)} ${groundOf(finding)}${strengthOf(finding)}`
}

/** The short form for a list: `flow 24.1 L/min · 10 s · −8.2σ`. */
export function summarizeFinding(finding: FindingJson): string {
  const parts = [`${finding.metric}`]
  if (finding.mean !== null) parts.push(withUnit(finding.mean, finding.unit))
  if (finding.window_us > 0) parts.push(formatWidth(finding.window_us))
  if (finding.deviation !== null) parts.push(formatSigma(finding.deviation))
  if (finding.ground === 'silent' && finding.age_us !== null)
    parts.push(`silent for ${formatAge(finding.age_us / 1000)}`)
  return parts.join(' · ')
}

function subjectOf(finding: FindingJson): string {
  const named = finding.channel !== '' && finding.channel !== finding.metric
  return named ? `${finding.metric} (channel ${finding.channel})` : finding.metric
}

/** The window and what was measured in it: `has a mean of 24.1 L/min over 10 s (480 samples)`. */
function measured(finding: FindingJson): string {
  const over = finding.window_us > 0 ? ` over ${formatWidth(finding.window_us)}` : ''
  return `has a mean of ${withUnit(finding.mean, finding.unit)}${over} (${formatCount(finding.count)} samples)`
}

function groundOf(finding: FindingJson): string {
  const limit = withUnit(finding.limit, finding.unit)
  switch (finding.ground) {
    case 'fail_max':
      return `${measured(finding)}: ${beyond(finding, finding.mean, 'above')} its upper limit of ${limit}`
    case 'fail_min':
      return `${measured(finding)}: ${beyond(finding, finding.mean, 'below')} its lower limit of ${limit}`
    case 'invariant_max':
      return `${measured(finding)} and reached ${withUnit(finding.max ?? finding.mean, finding.unit)}: ${beyond(finding, finding.max ?? finding.mean, 'above')} its upper limit of ${limit}`
    case 'invariant_min':
      return `${measured(finding)} and reached ${withUnit(finding.min ?? finding.mean, finding.unit)}: ${beyond(finding, finding.min ?? finding.mean, 'below')} its lower limit of ${limit}`
    case 'invariant_eq':
      return `${measured(finding)}: it must equal ${limit}`
    case 'deviation':
      return `${measured(finding)}: ${awayFrom(finding)}`
    case 'drift_threshold':
      return `${measured(finding)}: ${awayFrom(finding)}; it may move by ${limit}`
    case 'drift_percent':
      return `${measured(finding)}: ${awayFrom(finding)}; it may move by ${limit}`
    case 'level':
      return streamAway(finding, 'that it has been at lately')
    case 'golden':
      return streamAway(finding, 'of its golden baseline, whatever it has been at lately')
    case 'variance':
      return `is noisier or quieter than in its baseline${scoreOf(finding)}`
    case 'spike':
      return `had single samples far outside of what its baseline has seen${reachedOf(finding)}`
    case 'stuck':
      return `shows the same value for longer than it ever did in its baseline${finding.mean === null ? '' : `: ${withUnit(finding.mean, finding.unit)}`}`
    case 'multivariate':
      return `contributes most to a departure of all channels together: they no longer move as they did in the baseline${scoreOf(finding)}`
    case 'silent':
      return `is silent: its newest sample is ${formatAge(finding.age_us === null ? null : finding.age_us / 1000)} old${finding.limit === null ? '' : `, ${formatAge(finding.limit / 1000)} are allowed`}`
    case 'invalid_samples':
      return 'sends samples that are not usable numbers'
    case 'unit_mismatch':
      return `arrives in another unit than ${finding.unit}, and there is no conversion`
    case 'window_not_filled':
      return `cannot be judged: ${finding.window_us > 0 ? `its window of ${formatWidth(finding.window_us)}` : 'its window'} holds only ${formatCount(finding.count)} samples`
    case 'no_baseline':
      return 'has no baseline to compare with, and needs one'
    case 'sensor_replaced':
      return 'has another sensor than the one its baseline was made with'
    case 'not_cleared':
      return `${measured(finding)}: within tolerance again, not yet for long enough`
    case 'alias_collision':
      return 'is fed by two channels at once: they cannot both be it'
    default:
      return `is ${finding.verdict} on the ground “${finding.ground}”${finding.mean === null ? '' : `: ${withUnit(finding.mean, finding.unit)}`}`
  }
}

function awayFrom(finding: FindingJson): string {
  if (finding.baseline_mean === null) return 'away from its baseline'
  const delta = finding.mean === null ? null : finding.mean - finding.baseline_mean
  const side = delta === null || delta >= 0 ? 'above' : 'below'
  const distance = delta === null ? 'away from' : `${withUnit(Math.abs(delta), finding.unit)} ${side}`
  const spread = finding.baseline_spread === null ? '' : ` ± ${formatValue(finding.baseline_spread)}`
  const sigma = finding.deviation === null ? '' : ` (${formatSigma(finding.deviation)})`
  return `${distance}${sigma} its baseline of ${formatValue(finding.baseline_mean)}${spread}${unitOf(finding.unit)}`
}

/** As a detector says it: how far the mean of its steps is from what it expects, and how far it lets it go. */
function streamAway(finding: FindingJson, whence: string): string {
  const over = finding.window_us > 0 ? ` over ${formatWidth(finding.window_us)}` : ''
  const { mean, baseline_mean: expected, limit, unit } = finding
  if (mean === null || expected === null) return `is away from the level ${whence}`
  const side = mean >= expected ? 'above' : 'below'
  const tolerated = limit === null ? '' : `; ${withUnit(limit, unit)} is tolerated`
  return `has a mean of ${withUnit(mean, unit)}${over}: ${withUnit(Math.abs(mean - expected), unit)} ${side} the ${withUnit(expected, unit)} ${whence}${tolerated}`
}

function scoreOf(finding: FindingJson): string {
  return finding.window_us > 0 ? ` over ${formatWidth(finding.window_us)}` : ''
}

function reachedOf({ min, max, unit }: FindingJson): string {
  return min === null || max === null ? '' : `: between ${withUnit(min, unit)} and ${withUnit(max, unit)}`
}

function beyond(finding: FindingJson, reached: number | null, side: 'above' | 'below'): string {
  if (reached === null || finding.limit === null) return side
  return `${withUnit(Math.abs(reached - finding.limit), finding.unit)} ${side}`
}

function strengthOf(finding: FindingJson): string {
  if (finding.ratio === null || !Number.isFinite(finding.ratio) || !(finding.ratio > 1)) return '.'
  return finding.ground === 'silent' ? '.' : `, ${formatRatio(finding.ratio)} times what is allowed.`
}

function withUnit(value: number | null, unit: string): string {
  return `${formatValue(value)}${unitOf(unit)}`
}

function unitOf(unit: string): string {
  return unit === '' || unit === '1' ? '' : `\u00a0${unit}`
}
