import { GATE_WEIGHTS, type QualityPolicy } from './baseline-gate.ts'

/** Keys of which more is stricter, and keys of which less is, by their names in the file. */
const MORE_IS_STRICTER = [
  ['min_sample_size', 'minSampleSize'],
  ['min_effective_n', 'minEffectiveN'],
  ['min_time_in_state_s', 'minTimeInStateS'],
  ['min_environment_match_score', 'minEnvironmentMatchScore'],
  ['min_segments', 'minSegments'],
  ['hard_segments', 'hardSegments'],
] as const
const LESS_IS_STRICTER = [
  ['max_coefficient_of_variation', 'maxCoefficientOfVariation'],
  ['max_gap_s', 'maxGapS'],
  ['max_step_statistic', 'maxStepStatistic'],
  ['max_contaminated', 'maxContaminated'],
] as const
const DECAY_LESS_IS_STRICTER = [
  ['decay.max_age_s', 'maxAgeS'],
  ['decay.max_drift_spreads', 'maxDriftSpreads'],
] as const
const DEMANDS = [
  ['no_unresolved_alerts', 'noUnresolvedAlerts'],
  ['require_tolerance', 'requireTolerance'],
] as const
const EXEMPTIONS = [
  ['exclude_metrics', 'excludeMetrics'],
  ['allow_constant', 'allowConstant'],
] as const

/**
 * Where a policy asks for less than another one, each as `key found < wanted`; empty when it is at least as strict
 * everywhere. Whoever proposes a baseline brings the policy of its gate: what it must at least ask for is for those to say
 * who rely on it.
 */
export function laxerThan(policy: QualityPolicy, wanted: QualityPolicy): string[] {
  const found: string[] = []
  for (const [key, name] of MORE_IS_STRICTER)
    if (!(policy[name] >= wanted[name])) found.push(`${key} ${policy[name]} < ${wanted[name]}`)
  for (const [key, name] of LESS_IS_STRICTER)
    if (!(policy[name] <= wanted[name])) found.push(`${key} ${policy[name]} > ${wanted[name]}`)
  for (const [key, name] of DECAY_LESS_IS_STRICTER)
    if (!(policy.decay[name] <= wanted.decay[name])) found.push(`${key} ${policy.decay[name]} > ${wanted.decay[name]}`)
  if (!(policy.decay.minCommonRatio >= wanted.decay.minCommonRatio))
    found.push(`decay.min_common_ratio ${policy.decay.minCommonRatio} < ${wanted.decay.minCommonRatio}`)
  for (const [key, name] of DEMANDS) if (wanted[name] && !policy[name]) found.push(`${key} false`)
  for (const [key, name] of EXEMPTIONS) {
    const more = policy[name].filter((metric) => !wanted[name].includes(metric))
    if (more.length > 0) found.push(`${key} ${more.join(', ')}`)
  }
  for (const weight of GATE_WEIGHTS)
    if (!(policy.weights[weight] >= wanted.weights[weight]))
      found.push(`confidence_weights.${weight} ${policy.weights[weight]} < ${wanted.weights[weight]}`)
  return found
}
