import type { Micros } from '../units.ts'
import type { BaselineMetric, BaselineRecord } from './baseline.ts'

/** When a baseline no longer says how the rig is (`decay` of the quality policy). */
export type DecayPolicy = Readonly<{
  maxAgeS: number
  /** A metric has moved when it is further than this from the baseline, in spreads; or than its stated tolerance. */
  maxDriftSpreads: number
  /** Share of the baseline's metrics that the rig must still have. */
  minCommonRatio: number
}>

/** Level of a metric lately, while nothing was wrong. */
export type CurrentLevel = Readonly<{ metric: string; mean: number }>

/** What is left of a baseline: the product of the scores, 0 when it is stale. */
export type Decay = Readonly<{
  factor: number
  reasons: readonly string[]
  terms: readonly Readonly<{ name: string; value: number; bound: number; score: number }>[]
}>

/** Event time between two looks at a baseline in force, beside the one at every start. */
export const DECAY_EVERY_US: Micros = 3_600_000_000
/** Age stands for nothing in the first half of what is permitted; then it counts evenly until nothing is left. */
const FRESH_RATIO = 0.5

type Decaying = Pick<BaselineRecord, 'metrics' | 'toUs' | 'stepUs'>
type Term = Decay['terms'][number] & Readonly<{ reason: string }>

/**
 * Computes how far a baseline still holds: its age, how far levels may have wandered since, how many have moved, and how
 * many are still there. `current` is null when nobody knows where the rig is now; then only time counts.
 */
export function decayOf(
  baseline: Decaying,
  { nowUs, current }: Readonly<{ nowUs: Micros; current: readonly CurrentLevel[] | null }>,
  policy: DecayPolicy,
): Decay {
  if (baseline.metrics.length === 0) return { factor: 0, reasons: ['the baseline knows no metric'], terms: [] }
  const known = [ageTerm(baseline, nowUs, policy), wanderTerm(baseline, nowUs)]
  if (current !== null) known.push(commonTerm(baseline, current, policy), driftTerm(baseline, current, policy))
  return {
    factor: known.reduce((product, { score }) => product * score, 1),
    reasons: known.filter(({ score }) => score < 1).map(({ reason }) => reason),
    terms: known.map(({ name, value, bound, score }) => ({ name, value, bound, score })),
  }
}

/** Whether the next look is due; time that goes back makes it due as well. */
export function isDecayDue(lastUs: Micros, nowUs: Micros): boolean {
  return !(nowUs >= lastUs && nowUs - lastUs < DECAY_EVERY_US)
}

/** Variance of a metric's level some steps after it was measured: that of the mean, and what it wandered since. */
export function levelVariance(m: BaselineMetric, steps: number): number {
  const samples = Math.max(1, m.effectiveCount)
  return (m.sd * m.sd) / samples + m.wander * Math.max(0, steps)
}

function ageTerm({ toUs }: Decaying, nowUs: Micros, { maxAgeS }: DecayPolicy): Term {
  const ageS = Math.max(0, nowUs - toUs) / 1_000_000
  const score = bounded((1 - ageS / maxAgeS) / (1 - FRESH_RATIO))
  return {
    ...{ name: 'age_sec', value: ageS, bound: maxAgeS, score },
    reason: `age_sec ${shown(ageS)} of ${shown(maxAgeS)}`,
  }
}

/** detection.md 9: where √P has grown past what the engineer can bear, the level is known no better than not at all. */
function wanderTerm({ metrics, toUs, stepUs }: Decaying, nowUs: Micros): Term {
  const steps = Math.max(0, nowUs - toUs) / stepUs
  let worst = 0
  let who = ''
  for (const m of metrics) {
    if (m.tolerance === null) continue
    const spent = levelVariance(m, steps) / (m.tolerance * m.tolerance)
    if (spent > worst) [worst, who] = [spent, m.metric]
  }
  return {
    ...{ name: 'wander', value: Math.sqrt(worst), bound: 1, score: bounded(1 - worst) },
    reason: `wander ${shown(Math.sqrt(worst))} of the tolerance of ${who}`,
  }
}

function commonTerm({ metrics }: Decaying, current: readonly CurrentLevel[], { minCommonRatio }: DecayPolicy): Term {
  const common = metrics.filter((m) => levelOf(current, m) !== undefined).length
  const ratio = common / metrics.length
  return {
    ...{ name: 'common_metrics', value: common, bound: minCommonRatio * metrics.length },
    score: ratio < minCommonRatio || common === 0 ? 0 : ratio,
    reason: `common_metrics ${common} of ${metrics.length}`,
  }
}

/** The predecessor's rule: half of the metrics elsewhere is another rig; up to there every one counts evenly. */
function driftTerm({ metrics }: Decaying, current: readonly CurrentLevel[], policy: DecayPolicy): Term {
  const common = metrics.filter((m) => levelOf(current, m) !== undefined)
  const moved = common.filter((m) => hasMoved(m, levelOf(current, m)!, policy))
  const ratio = common.length === 0 ? 0 : moved.length / common.length
  return {
    ...{ name: 'drifted_metrics', value: moved.length, bound: common.length / 2, score: bounded(1 - 2 * ratio) },
    reason: `drifted_metrics ${moved.length} of ${common.length}: ${moved.map((m) => m.metric).join(', ')}`,
  }
}

/** Written as what must hold, so that a level which is no number has moved. */
function hasMoved(m: BaselineMetric, level: number, { maxDriftSpreads }: DecayPolicy): boolean {
  const bearable = m.tolerance ?? maxDriftSpreads * m.sd
  return !(Math.abs(level - m.mean) <= bearable)
}

function levelOf(current: readonly CurrentLevel[], { metric }: BaselineMetric): number | undefined {
  return current.find((one) => one.metric === metric)?.mean
}

function bounded(score: number): number {
  return score >= 1 ? 1 : score > 0 ? score : 0
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)))
}
