import type { Static } from 'typebox'
import { DOMAIN, digestOf } from '../crypto/digest.ts'
import type { QualityPolicy } from '../model/baseline-gate.ts'
import type { CheckedFile } from './document.ts'
import type { Problem } from './problems.ts'
import { QualityPolicySchema } from './quality-schema.ts'
import { soundYaml } from './sound-yaml.ts'

/** A policy, and exactly the bytes it was read from: a gate names their digest. */
export type LoadedPolicy = Readonly<{
  policy: QualityPolicy
  bytes: Uint8Array
  digest: Uint8Array
}>

const DEFAULT_TEXT = 'version: 1\n'

/**
 * Reads `baseline_quality_policy.yaml`.
 *
 * @throws ConfigError with every mistake.
 */
export function parseQualityPolicy(name: string, bytes: Uint8Array): LoadedPolicy {
  const whole = soundYaml(name, bytes, { schema: QualityPolicySchema, moreProblems: policyProblems })
  return { policy: policyOf(whole), bytes, digest: policyDigest(bytes) }
}

function policyProblems(file: CheckedFile): Problem[] {
  const problems: Problem[] = []
  const read = (file.value ?? {}) as Partial<Static<typeof QualityPolicySchema>>
  if (read.require_quality_gate === false)
    problems.push({
      ...file.at(['require_quality_gate']),
      found: 'false',
      expected: 'true',
      hint: 'a baseline that fails the gate is approved by break-glass: logged, with a reason, and for a while',
    })
  const { min_segments: few, hard_segments: hard } = read.acceptance_criteria ?? {}
  if (few !== undefined && hard !== undefined && hard < few)
    problems.push({
      ...file.at(['acceptance_criteria', 'hard_segments']),
      found: `${hard}`,
      expected: `at least \`min_segments\` (${few})`,
    })
  return problems
}

/** The policy of a place without a file: every default. */
export function defaultQualityPolicy(): LoadedPolicy {
  return parseQualityPolicy('baseline_quality_policy.yaml', new TextEncoder().encode(DEFAULT_TEXT))
}

/** What a gate names its policy by. */
export function policyDigest(bytes: Uint8Array): Uint8Array {
  return digestOf(DOMAIN.file, bytes)
}

function policyOf({
  acceptance_criteria: a,
  confidence_weights,
  decay,
}: Static<typeof QualityPolicySchema>): QualityPolicy {
  return {
    minSampleSize: a.min_sample_size,
    minEffectiveN: a.min_effective_n,
    minTimeInStateS: a.min_time_in_state_s,
    maxCoefficientOfVariation: a.stability.max_coefficient_of_variation,
    excludeMetrics: a.stability.exclude_metrics,
    allowConstant: a.allow_constant,
    noUnresolvedAlerts: a.no_unresolved_alerts,
    minEnvironmentMatchScore: a.min_environment_match_score,
    maxGapS: a.max_gap_s,
    maxStepStatistic: a.max_step_statistic,
    maxContaminated: a.max_contaminated,
    requireTolerance: a.require_tolerance,
    minSegments: a.min_segments,
    hardSegments: a.hard_segments,
    weights: confidence_weights,
    decay: {
      maxAgeS: decay.max_age_s,
      maxDriftSpreads: decay.max_drift_spreads,
      minCommonRatio: decay.min_common_ratio,
    },
  }
}
