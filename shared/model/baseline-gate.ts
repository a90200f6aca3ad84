import {
  type BaselineContext,
  type BaselineGate,
  type BaselineMetric,
  type BaselineRecord,
  QUANTILE_RATIOS,
} from './baseline.ts'
import type { DecayPolicy } from './baseline-decay.ts'
import { outlierShare } from './contamination.ts'

/** What a baseline must be to be certified (`baseline_quality_policy.yaml`), every key with its unit. */
export type QualityPolicy = Readonly<{
  minSampleSize: number
  minEffectiveN: number
  minTimeInStateS: number
  maxCoefficientOfVariation: number
  excludeMetrics: readonly string[]
  allowConstant: readonly string[]
  noUnresolvedAlerts: boolean
  minEnvironmentMatchScore: number
  maxGapS: number
  maxStepStatistic: number
  maxContaminated: number
  requireTolerance: boolean
  minSegments: number
  hardSegments: number
  /** How much of a shortfall counts: 1 all of it, 0 nothing. */
  weights: Readonly<Record<GateWeight, number>>
  /** When what was certified no longer holds. */
  decay: DecayPolicy
}>

/** Parts of a confidence that a policy may weigh; the number of segments always counts. */
export const GATE_WEIGHTS = [
  'sample_size',
  'effective_n',
  'stability',
  'no_alerts',
  'environment_match',
  'step_statistic',
  'contamination',
  'detectable_shift',
] as const
export type GateWeight = (typeof GATE_WEIGHTS)[number]

/** What of a record a gate looks at. */
export type GateStats = Pick<BaselineRecord, 'segments' | 'metrics' | 'rigMaxima'>

/** `environment` is the score of {@link matchContext}; `digest` that of the policy's bytes. */
export type GateAgainst = Readonly<{ policy: QualityPolicy; digest: Uint8Array; environment: number }>

/** Fewer replayed segments than `min_segments` say too little of how often nothing looks like something. */
export const FEW_SEGMENTS_CONFIDENCE_MAX = 0.5
/** Nobody knows what happened while a table of numbers was recorded. */
const UNKNOWN_ALERTS_SCORE = 0.5
/** A channel without a natural zero has no coefficient of variation; it is steady when it is hardly wider than its noise. */
const STEADY_SPREADS = 2

type Input = BaselineGate['inputs'][number]
type Finding = Readonly<{ reasons: readonly string[]; input: Input; weight: GateWeight | null }>

/**
 * Computes from the data alone whether a baseline may be certified and how far it is to be believed. Confidence is the
 * product of the scores of its inputs, so that anybody can do the sum again; none of it can be set from outside.
 */
export function checkQuality(stats: GateStats, against: GateAgainst): BaselineGate {
  const { policy } = against
  const findings = [
    sampleSize(stats, policy),
    effectiveSize(stats, policy),
    timeInState(stats, policy),
    stability(stats, policy),
    constants(stats, policy),
    alerts(stats, policy),
    environment(against),
    gaps(stats, policy),
    steps(stats, policy),
    contamination(stats, policy),
    detectableShift(stats, policy),
    levelMove(stats),
    segmentCount(stats, policy),
  ]
  const inputs = findings.map(({ input, weight }) => ({
    ...input,
    score: weight === null ? input.score : 1 - policy.weights[weight] * (1 - input.score),
  }))
  const reasons = findings.flatMap((finding) => finding.reasons)
  return {
    passed: reasons.length === 0,
    reasons,
    confidence: inputs.reduce((product, { score }) => product * score, 1),
    inputs,
    policy: against.digest,
  }
}

/** Computes the gate of a record again: it must come out as it stands there. The environment is as it was found then. */
export function recheckGate(record: BaselineRecord, policy: QualityPolicy): BaselineGate {
  const found = record.gate.inputs.find(({ name }) => name === 'environment_match_score')
  return checkQuality(record, { policy, digest: record.gate.policy, environment: found?.value ?? 0 })
}

/** Whether two gates say the same, to the last bit. */
export function isSameGate(a: BaselineGate, b: BaselineGate): boolean {
  const said = ({ passed, reasons, confidence, inputs }: BaselineGate) =>
    JSON.stringify([passed, reasons, confidence, inputs.map((i) => [i.name, i.value, i.bound, i.score])])
  return said(a) === said(b)
}

/** How many of the context fields that both sides state are equal. Fields that one side leaves open are not possible ones. */
export function matchContext(
  made: BaselineContext,
  rig: BaselineContext,
): Readonly<{ matched: number; possible: number; score: number }> {
  let matched = 0
  let possible = 0
  for (const key of Object.keys(made) as (keyof BaselineContext)[]) {
    if (made[key] === '' || rig[key] === '') continue
    possible += 1
    if (made[key] === rig[key]) matched += 1
  }
  return { matched, possible, score: possible === 0 ? 1 : matched / possible }
}

/** Segments that were replayed: what limits, and so confidence, rest on. */
export function replayedSegments({ segments, rigMaxima }: GateStats): number {
  return Math.min(rigMaxima.length, segments.filter((segment) => segment.used).length)
}

function sampleSize({ metrics }: GateStats, { minSampleSize }: QualityPolicy): Finding {
  const least = leastOf(metrics, (m) => m.count)
  return {
    reasons: least < minSampleSize ? [`sample_size ${shown(least)} < ${minSampleSize}`] : [],
    input: { name: 'sample_size', value: least, bound: minSampleSize, score: ratio(least, minSampleSize) },
    weight: 'sample_size',
  }
}

function effectiveSize({ metrics }: GateStats, { minEffectiveN, excludeMetrics }: QualityPolicy): Finding {
  const judged = metrics.filter((m) => !excludeMetrics.includes(m.metric) && !isConstant(m))
  const least = judged.length === 0 ? minEffectiveN : leastOf(judged, (m) => m.effectiveCount)
  const few = judged.filter((m) => !(m.effectiveCount >= minEffectiveN))
  return {
    reasons: few.map((m) => `effective_n ${shown(m.effectiveCount)} < ${minEffectiveN}: ${m.metric}`),
    input: { name: 'effective_n', value: least, bound: minEffectiveN, score: ratio(least, minEffectiveN) },
    weight: 'effective_n',
  }
}

function timeInState({ segments }: GateStats, { minTimeInStateS }: QualityPolicy): Finding {
  const us = segments.reduce((sum, s) => sum + (s.used ? s.toUs - s.fromUs : 0), 0)
  const seconds = us / 1_000_000
  return {
    reasons: seconds >= minTimeInStateS ? [] : [`time_span_sec ${shown(seconds)} < ${minTimeInStateS}`],
    // Never part of the predecessor's confidence: what time gives is in samples and segments.
    input: { name: 'time_span_sec', value: seconds, bound: minTimeInStateS, score: 1 },
    weight: null,
  }
}

function stability({ metrics }: GateStats, policy: QualityPolicy): Finding {
  const { maxCoefficientOfVariation: max, excludeMetrics } = policy
  const judged = metrics.filter((m) => !excludeMetrics.includes(m.metric) && !isConstant(m))
  const unsteady = judged.filter((m) => !isSteady(m, max))
  const worst = unsteady.reduce((most, m) => Math.max(most, variation(m)), 0)
  return {
    reasons: unsteady.map(
      (m) =>
        `stability check failed: ${m.metric} ${m.mean === 0 ? 'has a mean of 0' : `${shown(variation(m))} > ${max}`}`,
    ),
    input: { name: 'stability', value: unsteady.length, bound: 0, score: worst === 0 ? 1 : ratio(max, worst) },
    weight: 'stability',
  }
}

function isSteady(m: BaselineMetric, max: number): boolean {
  if (variation(m) <= max) return true
  if (m.tolerance !== null && m.sd <= m.tolerance) return true
  const hasNoZero = m.min < 0 && m.max > 0
  return hasNoZero && m.sd <= STEADY_SPREADS * Math.sqrt(m.noise)
}

function constants({ metrics }: GateStats, { allowConstant }: QualityPolicy): Finding {
  const stuck = metrics.filter((m) => isConstant(m) && !allowConstant.includes(m.metric))
  return {
    reasons: stuck.map(
      (m) =>
        `constant channel ${m.metric}: every sample was ${shown(m.mean)} ${m.unit}; look at its sensor, or name it in allow_constant`,
    ),
    input: { name: 'constant_channels', value: stuck.length, bound: 0, score: stuck.length === 0 ? 1 : 0 },
    weight: null,
  }
}

function alerts({ segments }: GateStats, { noUnresolvedAlerts }: QualityPolicy): Finding {
  const used = segments.filter((s) => s.used)
  const known = used.filter((s) => s.alerts >= 0)
  const count = known.reduce((sum, s) => sum + s.alerts, 0)
  const isUnknown = known.length < used.length
  const score = count > 0 ? 0 : isUnknown ? UNKNOWN_ALERTS_SCORE : 1
  return {
    reasons: count > 0 && noUnresolvedAlerts ? ['unresolved alerts in window'] : [],
    input: { name: 'alerts', value: count === 0 && isUnknown ? -1 : count, bound: 0, score },
    weight: 'no_alerts',
  }
}

function environment({ policy, environment: score }: GateAgainst): Finding {
  const bound = policy.minEnvironmentMatchScore
  return {
    reasons: score >= bound ? [] : [`environment_match_score ${shown(score)} < ${bound}`],
    input: { name: 'environment_match_score', value: score, bound, score },
    weight: 'environment_match',
  }
}

function gaps({ segments }: GateStats, { maxGapS }: QualityPolicy): Finding {
  const used = segments.filter((s) => s.used)
  const longest = used.reduce((most, s) => Math.max(most, s.gapUs), 0) / 1_000_000
  const wide = used.filter((s) => s.gapUs > maxGapS * 1_000_000)
  return {
    reasons: wide.map((s) => `gap_sec ${shown(s.gapUs / 1_000_000)} > ${maxGapS}: ${s.source}`),
    input: { name: 'gap_sec', value: longest, bound: maxGapS, score: longest <= maxGapS ? 1 : 0 },
    weight: null,
  }
}

function steps({ metrics }: GateStats, { maxStepStatistic }: QualityPolicy): Finding {
  const worst = metrics.reduce((most, m) => Math.max(most, m.stepStatistic), 0)
  const moved = metrics.filter((m) => !(m.stepStatistic <= maxStepStatistic))
  const score = worst <= maxStepStatistic ? 1 : ratio(maxStepStatistic, worst)
  return {
    reasons: moved.map((m) => `step_statistic ${shown(m.stepStatistic)} > ${maxStepStatistic}: ${m.metric}`),
    input: { name: 'step_statistic', value: worst, bound: maxStepStatistic, score },
    weight: 'step_statistic',
  }
}

function contamination({ metrics }: GateStats, { maxContaminated }: QualityPolicy): Finding {
  const worst = metrics.reduce((most, m) => Math.max(most, outlierShare(m)), 0)
  const spoilt = metrics.filter((m) => outlierShare(m) > maxContaminated)
  const percent = (share: number) => `${shown(share * 100)} %`
  return {
    reasons: spoilt.map(
      (m) =>
        `contaminated ${m.metric}: ${percent(outlierShare(m))} of its samples lie apart from the rest, at most ${percent(maxContaminated)}; leave out the segment they come from`,
    ),
    input: { name: 'contaminated', value: worst, bound: maxContaminated, score: 1 - worst },
    weight: 'contamination',
  }
}

function detectableShift({ metrics }: GateStats, { requireTolerance }: QualityPolicy): Finding {
  const stated = metrics.filter((m) => m.tolerance !== null)
  const loose = stated.filter((m) => !(m.detectableShift <= m.tolerance!))
  const open = requireTolerance ? metrics.filter((m) => m.tolerance === null) : []
  const worst = stated.reduce((most, m) => Math.max(most, m.detectableShift / m.tolerance!), 0)
  return {
    reasons: [
      ...loose.map(
        (m) =>
          `baseline too loose to protect ${m.metric}: detectable_shift ${shown(m.detectableShift)} > ${shown(m.tolerance!)} ${m.unit}`,
      ),
      ...open.map((m) => `no tolerance stated for ${m.metric}`),
    ],
    input: { name: 'detectable_shift', value: worst, bound: 1, score: worst <= 1 ? 1 : ratio(1, worst) },
    weight: 'detectable_shift',
  }
}

/**
 * Whether nominal data kept within what its metric is to be protected to: a ramp that no step statistic shows, and a level
 * that moved from one segment to the next. Of metrics without a stated tolerance nobody can say how much would be too much.
 */
function levelMove({ metrics }: GateStats): Finding {
  const stated = metrics.filter((m) => m.tolerance !== null && !isConstant(m))
  const moved = stated.filter((m) => !(movedBy(m) <= m.tolerance!))
  const worst = stated.reduce((most, m) => Math.max(most, movedBy(m) / m.tolerance!), 0)
  return {
    reasons: moved.map(
      (m) =>
        `the level of ${m.metric} moved by ${shown(movedBy(m))} ${m.unit} while it was nominal, its tolerance is ${shown(m.tolerance!)}; leave out what is not one state`,
    ),
    input: { name: 'level_move', value: worst, bound: 1, score: worst <= 1 ? 1 : ratio(1, worst) },
    weight: null,
  }
}

/** Width of the middle nine tenths of a normal distribution, in standard deviations. */
const NINE_TENTHS_OF_NORMAL = 3.29
const [LOW, MEDIAN, HIGH] = [0.05, 0.5, 0.95].map((r) => (QUANTILE_RATIOS as readonly number[]).indexOf(r)) as [
  number,
  number,
  number,
]

/** The newest segment against all of them, or half its own width beyond that of its noise; the larger. */
function movedBy({ quantiles, mean, noise }: BaselineMetric): number {
  if (quantiles.length !== QUANTILE_RATIOS.length) return 0
  const within = (quantiles[HIGH]! - quantiles[LOW]! - NINE_TENTHS_OF_NORMAL * Math.sqrt(noise)) / 2
  return Math.max(Math.abs(quantiles[MEDIAN]! - mean), within)
}

/** detection.md 9: a confidence above M/(M+1) cannot be had from M segments, whatever the detector. */
function segmentCount(stats: GateStats, { minSegments }: QualityPolicy): Finding {
  const count = replayedSegments(stats)
  const most = count / (count + 1)
  return {
    reasons: stats.segments.some((s) => s.used) ? [] : ['no segment was used'],
    input: {
      name: 'segments',
      value: count,
      bound: minSegments,
      score: count < minSegments ? Math.min(most, FEW_SEGMENTS_CONFIDENCE_MAX) : most,
    },
    weight: null,
  }
}

function isConstant(m: BaselineMetric): boolean {
  return m.min === m.max
}

/** Spread over level; of a level of zero there is none. */
function variation(m: BaselineMetric): number {
  return m.mean === 0 ? Number.MAX_VALUE : m.sd / Math.abs(m.mean)
}

function leastOf(metrics: readonly BaselineMetric[], value: (m: BaselineMetric) => number): number {
  return metrics.length === 0 ? 0 : metrics.reduce((least, m) => Math.min(least, value(m)), Number.MAX_VALUE)
}

/** At most 1; written so that NaN gives 0. */
function ratio(value: number, wanted: number): number {
  const part = value / wanted
  return part >= 1 ? 1 : part > 0 ? part : 0
}

/** Four digits are enough to be understood. */
function shown(value: number): string {
  return String(Number(value.toPrecision(4)))
}
