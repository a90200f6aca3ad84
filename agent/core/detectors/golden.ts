import { noiseOf } from '../../../shared/math/nominal.ts'
import type { ChannelDetector, Numbers } from './detector.ts'
import { meansOf, type StepTable } from './steps.ts'

/**
 * Slow drift: how far a fading mean is from the level of the nominal data, which never moves. A fault that is slower than
 * the reference of {@link import('./level.ts').LEVEL} follows is invisible to it, and is seen here.
 *
 * What is tolerated is how far levels of nominal segments are apart. From fewer than three of them nobody knows that: then
 * the tolerance grows with time, as a walk at the rate at which the level wandered inside them.
 */
const FADING_STEPS = 64
/** Variance of the fading mean in variances of a step, for white noise: weight ÷ (2 − weight). */
const NOISE_SHARE = 1 / (2 * FADING_STEPS - 1)
const BLOCK_STEPS = 20
const FIT_STEPS_MIN = 2 * BLOCK_STEPS
/** Segments from which the spread between them is known. */
const SEGMENTS_KNOWN = 3
/** Smallest noise by the size of the values: below it is only how sums are rounded. */
const NOISE_OF_SIZE = 1e-9
const SCORE_MAX = 1_000_000

const REFERENCE = 0
const VARIANCE = 1
const WANDER = 2

const FADING = 0
const SEEN = 1
const AGE = 2
const SPREAD = 3
const FIELDS = 4

export const GOLDEN: ChannelDetector = {
  name: 'golden',
  version: 1,
  fields: FIELDS,
  meanSteps: FADING_STEPS,
  limitMin: 4,
  fit: fitGolden,
  begin(_numbers, state, at) {
    state.fill(0, at, at + FIELDS)
  },
  step({ fits, state, scores }, { mean }) {
    for (let c = 0, at = 0; c < fits.length; c += 1, at += FIELDS) {
      const fit = fits[c]!
      if (fit === null || Number.isNaN(mean[c]!)) continue
      scores[c] = stepGolden(fit.numbers, state, at, mean[c]!)
    }
  },
  skip(_numbers, state, at, steps) {
    state[at + SEEN] = 0
    state[at + AGE] = state[at + AGE]! + steps
  },
  deviation: (numbers, state, at) => state[at + FADING]! - numbers[REFERENCE]!,
  band: (numbers, state, at) => ({ level: numbers[REFERENCE]!, perScore: state[at + SPREAD]! }),
  detectableShift: (numbers, limit) => limit * Math.sqrt(numbers[VARIANCE]!),
}

function stepGolden(numbers: Numbers, state: Float64Array, at: number, mean: number): number {
  const seen = state[at + SEEN]! + 1
  const fading =
    state[at + FADING]! + (mean - state[at + FADING]!) * (seen < FADING_STEPS ? 1 / seen : 1 / FADING_STEPS)
  const age = state[at + AGE]! + 1
  const spread = Math.sqrt(numbers[VARIANCE]! + numbers[WANDER]! * age)
  state[at + FADING] = fading
  state[at + SEEN] = seen
  state[at + AGE] = age
  state[at + SPREAD] = spread
  const apart = Math.abs(fading - numbers[REFERENCE]!)
  if (seen < FADING_STEPS || apart === 0) return 0
  return spread > 0 ? Math.min(apart / spread, SCORE_MAX) : SCORE_MAX
}

function fitGolden(segments: readonly StepTable[], channel: number): readonly number[] | null {
  const values = segments.map((segment) => meansOf(segment, channel)).filter((x) => x.length >= FIT_STEPS_MIN)
  const newest = values.at(-1)
  if (newest === undefined) return null
  const means = values.map(meanOf)
  const reference = meanOf(means)
  const least = NOISE_OF_SIZE * reference
  const noise = Math.max(noiseOf(newest).noise, least * least)
  if (means.length >= SEGMENTS_KNOWN) {
    let between = 0
    for (const mean of means) between += (mean - reference) * (mean - reference)
    between /= means.length - 1
    return [reference, NOISE_SHARE * noise + between * (1 + 1 / means.length), 0]
  }
  const wander = meanOf(values.map(wanderOf))
  return [reference, NOISE_SHARE * noise + noise / newest.length + (wander * newest.length) / 3, wander]
}

/** Growth of the level's variance a step: the steepest of what block means differ by beyond their noise. */
function wanderOf(x: Float64Array): number {
  const { within } = noiseOf(x)
  const blocks = Math.floor(x.length / BLOCK_STEPS)
  const means = Array.from({ length: blocks }, (_, b) => meanOf(x.subarray(b * BLOCK_STEPS, (b + 1) * BLOCK_STEPS)))
  let most = 0
  for (let lag = 1; lag < blocks; lag += 1) {
    let sum = 0
    for (let k = 0; k + lag < blocks; k += 1) sum += (means[k + lag]! - means[k]!) * (means[k + lag]! - means[k]!)
    most = Math.max(most, (sum / (blocks - lag) - (2 * within) / BLOCK_STEPS) / (lag * BLOCK_STEPS))
  }
  return most
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let k = 0; k < values.length; k += 1) sum += values[k]!
  return sum / values.length
}
