import type { ChannelDetector, ChannelStep } from './detector.ts'
import { meansOf, type StepTable } from './steps.ts'

/**
 * The local-level residual: how far the mean of the last steps is from a reference that follows slowly while all is well
 * and stands still in alarm. The tolerance grows with the time since the reference was last confirmed, at the rate at
 * which the level was seen to wander when nothing was wrong.
 *
 * Taking a short baseline for a fixed distribution is what makes z scores, PSI, KS and T² alarm at a third of all healthy
 * steps of a rig that warms up; the wander rate is what they lack.
 *
 * Source: a local-level model (Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter", 1989, 2.1)
 * with its two variances found from block means and their structure function.
 */
const MEAN_STEPS = 15
const BLOCK_STEPS = 20
/** Share of the structure function's slope that is taken for wander: the rest is a rig that was settling. */
const WANDER_SHARE = 0.1
/** Steps below which nothing is known of a channel. */
const FIT_STEPS_MIN = 2 * BLOCK_STEPS

/** Order of the numbers of a fit. */
const REFERENCE = 0
const NOISE = 1
const WANDER = 2
const START_VARIANCE = 3

/** Order of a channel's state: reference, its variance, deviation, spread, ring of means and how many steps it saw. */
const REF = 0
const VARIANCE = 1
const DEVIATION = 2
const SPREAD = 3
const SEEN = 4
const RING = 5

export const LEVEL: ChannelDetector = {
  name: 'level',
  version: 1,
  fields: RING + MEAN_STEPS,
  meanSteps: MEAN_STEPS,
  limitMin: 4,
  fit(segments, channel) {
    const newest = segments.at(-1)
    return newest === undefined ? null : fitLevel(newest, channel)
  },
  begin(numbers, state, at) {
    state.fill(0, at, at + RING + MEAN_STEPS)
    state[at + REF] = numbers[REFERENCE]!
    state[at + VARIANCE] = numbers[START_VARIANCE]!
  },
  step: stepLevel,
  skip(numbers, state, at, steps) {
    // The reference grows old in the meantime, and the mean of before says nothing about now.
    state[at + VARIANCE] = state[at + VARIANCE]! + numbers[WANDER]! * steps
    state[at + SEEN] = 0
  },
  deviation: (_numbers, state, at) => state[at + DEVIATION]!,
  release(_numbers, state, at) {
    state[at + VARIANCE] = state[at + VARIANCE]! + state[at + DEVIATION]! * state[at + DEVIATION]!
  },
  band: (_numbers, state, at) => ({ level: state[at + REF]!, perScore: state[at + SPREAD]! }),
  detectableShift: (numbers, limit) => limit * Math.sqrt(numbers[NOISE]! / MEAN_STEPS + numbers[START_VARIANCE]!),
}

function stepLevel(numbers: readonly number[], state: Float64Array, at: number, now: ChannelStep): number {
  const noise = numbers[NOISE]!
  const seen = state[at + SEEN]!
  const slot = seen % MEAN_STEPS
  const full = Math.min(seen + 1, MEAN_STEPS)
  state[at + RING + slot] = now.mean
  state[at + SEEN] = seen + 1
  // Summed anew in the order of the ring: a sum that is kept and corrected would gather rounding errors for ever.
  let sum = 0
  for (let k = 0; k < full; k += 1) sum += state[at + RING + k]!
  let variance = state[at + VARIANCE]! + numbers[WANDER]!
  const deviation = sum / full - state[at + REF]!
  const spread = Math.sqrt(noise / full + variance)
  if (!now.held && variance + noise > 0) {
    const gain = variance / (variance + noise)
    state[at + REF] = state[at + REF]! + gain * (now.mean - state[at + REF]!)
    variance -= gain * variance
  }
  state[at + VARIANCE] = variance
  state[at + DEVIATION] = deviation
  state[at + SPREAD] = spread
  return scoreOf(Math.abs(deviation), spread)
}

/** A channel without any spread tolerates nothing; the score is cut so that it stays a number. */
const SCORE_MAX = 1_000_000
function scoreOf(size: number, spread: number): number {
  if (size === 0) return 0
  return spread > 0 ? Math.min(size / spread, SCORE_MAX) : SCORE_MAX
}

function fitLevel(table: StepTable, channel: number): readonly number[] | null {
  const x = meansOf(table, channel)
  if (x.length < FIT_STEPS_MIN) return null
  const blocks = Math.floor(x.length / BLOCK_STEPS)
  const means = new Float64Array(blocks)
  let within = 0
  for (let b = 0; b < blocks; b += 1) {
    let sum = 0
    for (let k = 0; k < BLOCK_STEPS; k += 1) sum += x[b * BLOCK_STEPS + k]!
    means[b] = sum / BLOCK_STEPS
    for (let k = 0; k < BLOCK_STEPS; k += 1) {
      const d = x[b * BLOCK_STEPS + k]! - means[b]!
      within += d * d
    }
  }
  within /= blocks * (BLOCK_STEPS - 1)
  const noise = Math.max(within, (BLOCK_STEPS * structureOf(means, 1)) / 2)
  let wander = 0
  for (let lag = 1; lag <= Math.floor(blocks / 2); lag += 1) {
    const grown = (structureOf(means, lag) - (2 * within) / BLOCK_STEPS) / (lag * BLOCK_STEPS)
    wander = Math.max(wander, grown)
  }
  wander *= WANDER_SHARE
  let sum = 0
  for (const value of x) sum += value
  return [sum / x.length, noise, wander, noise / x.length + (wander * x.length) / 3]
}

/** Mean squared difference of block means `lag` apart. */
function structureOf(means: Float64Array, lag: number): number {
  let sum = 0
  for (let k = 0; k + lag < means.length; k += 1) {
    const d = means[k + lag]! - means[k]!
    sum += d * d
  }
  return sum / (means.length - lag)
}
