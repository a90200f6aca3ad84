import { noiseOf } from '../../../shared/math/nominal.ts'

/**
 * What nominal values of one quantity say of its level: how much single steps scatter around it, and how fast it wanders
 * when nothing is wrong.
 *
 * Source: a local-level model (Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter", 1989, 2.1)
 * with its two variances found from block means and their structure function.
 */
export type LocalLevel = Readonly<{
  /** Variance of a step. */
  noise: number
  /** Growth of the level's variance a step. */
  wander: number
}>

const BLOCK_STEPS = 20
/** Share of the structure function's slope that is taken for wander: the rest is a rig that was settling. */
const WANDER_SHARE = 0.1

/** For at least two blocks of 20 values. */
export function fitLocalLevel(values: Float64Array): LocalLevel {
  const { noise, within } = noiseOf(values)
  const means = new Float64Array(Math.floor(values.length / BLOCK_STEPS))
  for (let b = 0; b < means.length; b += 1) {
    let sum = 0
    for (let k = 0; k < BLOCK_STEPS; k += 1) sum += values[b * BLOCK_STEPS + k]!
    means[b] = sum / BLOCK_STEPS
  }
  let wander = 0
  for (let lag = 1; lag <= Math.floor(means.length / 2); lag += 1)
    wander = Math.max(wander, (structureOf(means, lag) - (2 * within) / BLOCK_STEPS) / (lag * BLOCK_STEPS))
  return { noise, wander: WANDER_SHARE * wander }
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
