import type { ChannelDetector, Numbers } from './detector.ts'
import { meansOf, type StepTable } from './steps.ts'

/**
 * How restless a channel is: the moving range, a fading mean of |step − step before|, against that of nominal data. A
 * level that moves counts once and not as long as it is away, which is why it is not a variance around a mean. Tells both
 * a sensor that became noisy and one that became too quiet.
 *
 * Source: the moving-range chart for single values (Montgomery, "Introduction to Statistical Quality Control", 6.4).
 */
const FADING_STEPS = 16
/** Relative spread of the fading mean for white noise; what was seen is never taken for less. */
const RELATIVE_SPREAD = 0.15
const FIT_STEPS_MIN = 40
/** Smallest range by the size of the values: below it is only how sums are rounded. */
const RANGE_OF_SIZE = 1e-9
const SCORE_MAX = 1_000_000

const RANGE = 0
const SPREAD = 1

const FADING = 0
const BEFORE = 1
const SEEN = 2
const FIELDS = 3

export const VARIANCE: ChannelDetector = {
  name: 'variance',
  version: 1,
  fields: FIELDS,
  meanSteps: FADING_STEPS,
  limitMin: 5,
  fit(segments, channel) {
    const newest = segments.at(-1)
    return newest === undefined ? null : fitVariance(newest, channel)
  },
  begin(_numbers, state, at) {
    state.fill(0, at, at + FIELDS)
  },
  step({ fits, state, scores }, { mean }) {
    for (let c = 0, at = 0; c < fits.length; c += 1, at += FIELDS) {
      const fit = fits[c]!
      if (fit === null || Number.isNaN(mean[c]!)) continue
      scores[c] = stepVariance(fit.numbers, state, at, mean[c]!)
    }
  },
  skip(_numbers, state, at) {
    state[at + SEEN] = 0
  },
}

/** Says nothing before the fading mean is worth its name: a first range alone is anything. */
function stepVariance(numbers: Numbers, state: Float64Array, at: number, mean: number): number {
  const seen = state[at + SEEN]!
  const before = state[at + BEFORE]!
  state[at + BEFORE] = mean
  state[at + SEEN] = seen + 1
  if (seen === 0) return 0
  const range = Math.abs(mean - before)
  const fading =
    state[at + FADING]! + (range - state[at + FADING]!) * (seen < FADING_STEPS ? 1 / seen : 1 / FADING_STEPS)
  state[at + FADING] = fading
  if (seen < FADING_STEPS) return 0
  const apart = Math.abs(fading - numbers[RANGE]!)
  if (apart === 0) return 0
  const spread = numbers[SPREAD]!
  return spread > 0 ? Math.min(apart / spread, SCORE_MAX) : SCORE_MAX
}

/** The spread is that of the fading mean itself, as it ran over the segment. */
function fitVariance(table: StepTable, channel: number): readonly number[] | null {
  const x = meansOf(table, channel)
  if (x.length < FIT_STEPS_MIN) return null
  let ranges = 0
  let sum = x[0]!
  for (let k = 1; k < x.length; k += 1) {
    ranges += Math.abs(x[k]! - x[k - 1]!)
    sum += x[k]!
  }
  const range = ranges / (x.length - 1)
  let squares = 0
  let fading = 0
  for (let k = 1; k < x.length; k += 1) {
    fading += (Math.abs(x[k]! - x[k - 1]!) - fading) / Math.min(k, FADING_STEPS)
    if (k >= FADING_STEPS) squares += (fading - range) * (fading - range)
  }
  const seen = Math.sqrt(squares / (x.length - FADING_STEPS))
  return [range, Math.max(seen, RELATIVE_SPREAD * range, RANGE_OF_SIZE * Math.abs(sum / x.length))]
}
