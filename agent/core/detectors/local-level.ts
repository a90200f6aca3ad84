/**
 * What nominal values of one quantity say of its level: where it is, how much single steps scatter around it and how fast
 * it wanders when nothing is wrong.
 *
 * Source: a local-level model (Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter", 1989, 2.1)
 * with its two variances found from block means and their structure function.
 */
export type LocalLevel = Readonly<{
  level: number
  /** Variance of a step. */
  noise: number
  /** Growth of the level's variance a step. */
  wander: number
  /** Variance of `level` as an estimate of the level at the end. */
  levelVariance: number
}>

const BLOCK_STEPS = 20
/** Share of the structure function's slope that is taken for wander: the rest is a rig that was settling. */
const WANDER_SHARE = 0.1

/** @returns null when there are too few values to say anything. */
export function fitLocalLevel(values: Float64Array): LocalLevel | null {
  const blocks = Math.floor(values.length / BLOCK_STEPS)
  if (blocks < 2) return null
  const means = new Float64Array(blocks)
  let within = 0
  for (let b = 0; b < blocks; b += 1) {
    let sum = 0
    for (let k = 0; k < BLOCK_STEPS; k += 1) sum += values[b * BLOCK_STEPS + k]!
    means[b] = sum / BLOCK_STEPS
    for (let k = 0; k < BLOCK_STEPS; k += 1) {
      const d = values[b * BLOCK_STEPS + k]! - means[b]!
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
  for (const value of values) sum += value
  const n = values.length
  return { level: sum / n, noise, wander, levelVariance: noise / n + (wander * n) / 3 }
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
