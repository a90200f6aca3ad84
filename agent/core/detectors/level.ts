import { noiseOf } from '../../../shared/math/nominal.ts'
import type { ChannelDetector, Numbers } from './detector.ts'
import { isLatched } from './latches.ts'
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
/** Wander is never less than this share of the noise: no reference is so sure that it need not follow for days. */
const WANDER_SHARE_OF_NOISE = 0.00003
/**
 * Tolerance in variances of the reference's error as the filter has it. More than 1, because the filter is told a tenth of
 * the wander so that it follows slowly, and is therefore surer of itself than it should be.
 */
const REFERENCE_TOLERANCE = 2.5
/**
 * Standard deviations of a step beyond which it counts as so far: one sample that is nonsense is a matter for the spike
 * detector, and must move neither the mean of fifteen beyond its limit nor the reference.
 */
const STEP_SIGMAS_MAX = 6
/** A gap of so many steps makes the reference half as old as it is long. */
const LONG_GAP_STEPS = 400
/** Weight of what other segments say of the wander rate, when there are many. */
const POOLED_SHARE = 0.5
/** Steps below which nothing is known of a channel. */
const FIT_STEPS_MIN = 2 * BLOCK_STEPS
/** Smallest noise by the size of the values: below it is only how sums are rounded. */
const NOISE_OF_SIZE = 1e-9

/** Order of the numbers of a fit. */
const REFERENCE = 0
const NOISE = 1
const WANDER = 2
const START_VARIANCE = 3

/** Order of a channel's state: reference, its variance, deviation, spread, steps in the ring, where the next goes, sum, ring. */
const REF = 0
const VARIANCE = 1
const DEVIATION = 2
const SPREAD = 3
const FULL = 4
const SLOT = 5
const SUM = 6
const RING = 7
const FIELDS = RING + MEAN_STEPS

export const LEVEL: ChannelDetector = {
  name: 'level',
  version: 2,
  fields: FIELDS,
  meanSteps: MEAN_STEPS,
  limitMin: 3,
  fit: fitLevel,
  begin(numbers, state, at) {
    state.fill(0, at, at + FIELDS)
    state[at + REF] = numbers[REFERENCE]!
    state[at + VARIANCE] = numbers[START_VARIANCE]!
  },
  step({ fits, state, scores, latches }, { mean }) {
    for (let c = 0, at = 0; c < fits.length; c += 1, at += FIELDS) {
      const fit = fits[c]!
      if (fit === null || Number.isNaN(mean[c]!)) continue
      scores[c] = stepLevel(fit.numbers, state, at, mean[c]!, isLatched(latches, c))
    }
  },
  skip(numbers, state, at, steps) {
    // The reference grows old in the meantime, and the mean of before says nothing about now. But faults begin in gaps
    // too: one that is short beside what the baseline saw in one piece excuses next to nothing.
    const aged = steps * (steps / (steps + LONG_GAP_STEPS))
    state[at + VARIANCE] = state[at + VARIANCE]! + numbers[WANDER]! * aged
    state[at + FULL] = 0
    state[at + SLOT] = 0
    state[at + SUM] = 0
  },
  deviation: (_numbers, state, at) => state[at + DEVIATION]!,
  release(_numbers, state, at) {
    // Not the mean of now for a reference: it is still on its way back, and the rest of the way would be the next alarm.
    state[at + VARIANCE] = state[at + VARIANCE]! + state[at + DEVIATION]! * state[at + DEVIATION]!
  },
  band: (_numbers, state, at) => ({ level: state[at + REF]!, perScore: state[at + SPREAD]! }),
  detectableShift: (numbers, limit) =>
    limit * Math.sqrt(numbers[NOISE]! / MEAN_STEPS + REFERENCE_TOLERANCE * numbers[START_VARIANCE]!),
}

function stepLevel(numbers: Numbers, state: Float64Array, at: number, mean: number, held: boolean): number {
  const noise = numbers[NOISE]!
  const slot = state[at + SLOT]!
  const before = state[at + FULL]!
  const full = before < MEAN_STEPS ? before + 1 : MEAN_STEPS
  const leaves = before < MEAN_STEPS ? 0 : state[at + RING + slot]!
  // In alarm the tolerance stands still with the reference: one that grew would talk the alarm out of it.
  const variance = state[at + VARIANCE]! + (held ? 0 : numbers[WANDER]!)
  const value = held ? mean : withinReach(mean, state[at + REF]!, variance + noise)
  state[at + RING + slot] = value
  state[at + FULL] = full
  state[at + SLOT] = slot === MEAN_STEPS - 1 ? 0 : slot + 1
  let sum = state[at + SUM]! + (value - leaves)
  if (slot === MEAN_STEPS - 1) {
    // Summed anew once round, in the order of the ring: a sum that is only corrected gathers rounding errors for ever.
    sum = 0
    for (let k = 0; k < MEAN_STEPS; k += 1) sum += state[at + RING + k]!
  }
  state[at + SUM] = sum
  const deviation = sum / full - state[at + REF]!
  const spread = Math.sqrt(noise / full + REFERENCE_TOLERANCE * variance)
  state[at + VARIANCE] = variance
  state[at + DEVIATION] = deviation
  state[at + SPREAD] = spread
  if (!held && variance + noise > 0) {
    const gain = variance / (variance + noise)
    state[at + REF] = state[at + REF]! + gain * (value - state[at + REF]!)
    state[at + VARIANCE] = variance - gain * variance
  }
  return scoreOf(Math.abs(deviation), spread)
}

function withinReach(value: number, reference: number, variance: number): number {
  const apart = value - reference
  const most = STEP_SIGMAS_MAX * STEP_SIGMAS_MAX * variance
  if (!(most > 0 && apart * apart > most)) return value
  return reference + (apart < 0 ? -Math.sqrt(most) : Math.sqrt(most))
}

/** A channel without any spread tolerates nothing; the score is cut so that it stays a number. */
const SCORE_MAX = 1_000_000
function scoreOf(size: number, spread: number): number {
  if (size === 0) return 0
  return spread > 0 ? Math.min(size / spread, SCORE_MAX) : SCORE_MAX
}

/**
 * Level and noise are those of the newest segment. How fast the level wanders is known from all of them: one segment alone
 * has shown only a handful of excursions. The median, so that one odd segment blinds nobody.
 */
function fitLevel(segments: readonly StepTable[], channel: number): readonly number[] | null {
  const own = segments.at(-1)
  if (own === undefined) return null
  const x = meansOf(own, channel)
  const measured = measure(x)
  if (measured === null) return null
  const { noise, mean } = measured
  const others: number[] = []
  for (const segment of segments.slice(0, -1)) {
    const wander = measure(meansOf(segment, channel))?.wander
    if (wander !== undefined) others.push(wander)
  }
  const share = (POOLED_SHARE * others.length) / (others.length + 1)
  const wander = (1 - share) * measured.wander + share * medianOf(others)
  return [mean, noise, wander, noise / x.length + (wander * x.length) / 3]
}

function measure(x: Float64Array): { mean: number; noise: number; wander: number } | null {
  if (x.length < FIT_STEPS_MIN) return null
  let sum = 0
  for (const value of x) sum += value
  const mean = sum / x.length
  const { noise: seen, within } = noiseOf(x)
  const least = NOISE_OF_SIZE * mean
  const noise = Math.max(seen, least * least)
  const means = blockMeans(x)
  let wander = 0
  for (let lag = 1; lag < means.length; lag += 1)
    wander = Math.max(wander, (structureOf(means, lag) - (2 * within) / BLOCK_STEPS) / (lag * BLOCK_STEPS))
  return { mean, noise, wander: Math.max(WANDER_SHARE * wander, WANDER_SHARE_OF_NOISE * noise) }
}

function blockMeans(x: Float64Array): Float64Array {
  const means = new Float64Array(Math.floor(x.length / BLOCK_STEPS))
  for (let b = 0; b < means.length; b += 1) {
    let sum = 0
    for (let k = 0; k < BLOCK_STEPS; k += 1) sum += x[b * BLOCK_STEPS + k]!
    means[b] = sum / BLOCK_STEPS
  }
  return means
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

/** 0 for none. */
function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return 0
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
