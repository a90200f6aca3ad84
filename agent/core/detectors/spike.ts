import type { ChannelDetector } from './detector.ts'
import type { StepTable } from './steps.ts'

/**
 * Single samples far from the steps before them: the further of a step's two extremes from a fading mean, against how far
 * extremes are when nothing is wrong. A mean over many steps would hide what lasted for one sample.
 */
const FADING_STEPS = 8
const FIT_STEPS_MIN = 40
/** Mean distance of normal noise to its standard deviation: makes a score what people know as sigmas. */
const SIGMA_OF_MEAN_DISTANCE = 1.25
/** Smallest distance by the size of the values: below it is only how sums are rounded. */
const DISTANCE_OF_SIZE = 1e-9
const SCORE_MAX = 1_000_000

const SIGMA = 0

const FADING = 0
const SEEN = 1
const DISTANCE = 2
const FIELDS = 3

export const SPIKE: ChannelDetector = {
  name: 'spike',
  version: 1,
  fields: FIELDS,
  meanSteps: 1,
  limitMin: 8,
  fit(segments, channel) {
    const newest = segments.at(-1)
    return newest === undefined ? null : fitSpike(newest, channel)
  },
  begin(_numbers, state, at) {
    state.fill(0, at, at + FIELDS)
  },
  step({ fits, state, scores }, { mean, min, max }) {
    for (let c = 0, at = 0; c < fits.length; c += 1, at += FIELDS) {
      const fit = fits[c]!
      if (fit === null || Number.isNaN(mean[c]!)) continue
      scores[c] = scoreOf(takeStep(state, at, mean[c]!, min[c]!, max[c]!), fit.numbers[SIGMA]!)
    }
  },
  skip(_numbers, state, at) {
    state[at + SEEN] = 0
  },
  deviation: (_numbers, state, at) => state[at + DISTANCE]!,
}

function scoreOf(distance: number, sigma: number): number {
  if (distance === 0) return 0
  return sigma > 0 ? Math.min(Math.abs(distance) / sigma, SCORE_MAX) : SCORE_MAX
}

/** @returns signed distance of the further extreme from the steps before; 0 while there are too few of them. */
function takeStep(state: Float64Array, at: number, mean: number, min: number, max: number): number {
  const seen = state[at + SEEN]!
  const fading = state[at + FADING]!
  const above = max - fading
  const below = min - fading
  const distance = seen < FADING_STEPS ? 0 : Math.abs(below) > Math.abs(above) ? below : above
  state[at + FADING] = fading + (mean - fading) * (seen < FADING_STEPS ? 1 / (seen + 1) : 1 / FADING_STEPS)
  state[at + SEEN] = seen + 1
  state[at + DISTANCE] = distance
  return distance
}

/** By the mean distance and not by squares: the one spike that nominal data may hold would make its like tolerable. */
function fitSpike(table: StepTable, channel: number): readonly number[] | null {
  const state = new Float64Array(3)
  let sum = 0
  let size = 0
  let steps = 0
  for (let row = 0; row < table.rows; row += 1) {
    const k = row * table.channels + channel
    const mean = table.mean[k]!
    if (Number.isNaN(mean)) continue
    sum += Math.abs(takeStep(state, 0, mean, table.min[k]!, table.max[k]!))
    size += Math.abs(mean)
    steps += 1
  }
  if (steps < FIT_STEPS_MIN) return null
  return [Math.max((SIGMA_OF_MEAN_DISTANCE * sum) / (steps - FADING_STEPS), (DISTANCE_OF_SIZE * size) / steps)]
}
