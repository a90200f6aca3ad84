/** Blocks that the halves of a step statistic are made of, and the fewest on either side of the split. */
const STEP_BLOCKS = 20
const STEP_SIDE_BLOCKS_MIN = 3

/**
 * How clearly the level of nominal data moved: the largest Student t between the means of two parts, over all places
 * where it can be cut, from 20 block means so that the noise's colour does not count. 0 when there is too little to say.
 *
 * A rig that was still settling, or that was touched while its baseline was made, shows here: on recordings of a water
 * loop it is 3 to 16 for good baselines and 25 to 32 for the two in which somebody turned a valve.
 */
export function stepStatistic(values: Float64Array): number {
  const size = Math.floor(values.length / STEP_BLOCKS)
  if (size < 1) return 0
  const blocks = new Float64Array(STEP_BLOCKS)
  for (let b = 0; b < STEP_BLOCKS; b += 1) blocks[b] = meanOf(values.subarray(b * size, (b + 1) * size))
  let worst = 0
  for (let k = STEP_SIDE_BLOCKS_MIN; k < STEP_BLOCKS - STEP_SIDE_BLOCKS_MIN; k += 1)
    worst = Math.max(worst, splitT(blocks, k))
  return worst
}

/** A level without any noise that moves is moved for certain. */
const T_MAX = 1_000_000

function splitT(blocks: Float64Array, k: number): number {
  const before = blocks.subarray(0, k)
  const after = blocks.subarray(k)
  const [a, b] = [meanOf(before), meanOf(after)]
  const pooled = (squaresAround(before, a) + squaresAround(after, b)) / (blocks.length - 2)
  const distance = Math.abs(a - b)
  if (distance === 0) return 0
  return pooled > 0 ? Math.min(distance / Math.sqrt(pooled * (1 / before.length + 1 / after.length)), T_MAX) : T_MAX
}

/** Steps in a block of {@link noiseOf}. */
const NOISE_BLOCK = 20

/**
 * Variance of a step's noise: the larger of the variance inside blocks of 20 and of what adjacent block means differ by.
 * The second counts what is alike between neighbours. `within` is the first alone. Zeros when there are no two blocks.
 */
export function noiseOf(values: Float64Array): Readonly<{ noise: number; within: number }> {
  const blocks = Math.floor(values.length / NOISE_BLOCK)
  if (blocks < 2) return { noise: 0, within: 0 }
  let within = 0
  let between = 0
  let before = 0
  for (let b = 0; b < blocks; b += 1) {
    const block = values.subarray(b * NOISE_BLOCK, (b + 1) * NOISE_BLOCK)
    const mean = meanOf(block)
    within += squaresAround(block, mean)
    if (b > 0) between += (mean - before) * (mean - before)
    before = mean
  }
  within /= blocks * (NOISE_BLOCK - 1)
  return { within, noise: Math.max(within, (NOISE_BLOCK * between) / (blocks - 1) / 2) }
}

/**
 * How many independent steps `values` are worth: their count less what neighbours repeat of each other.
 *
 * Source: the variance of a mean of correlated samples is that of n_eff independent ones (Bayley and Hammersley, "The
 * 'effective' number of independent observations in an autocorrelated time series", JRSS suppl. 8, 1946), with the
 * long-run variance from block means.
 */
export function effectiveCount(values: Float64Array): number {
  const { noise, within } = noiseOf(values)
  if (noise === 0) return values.length
  return Math.max(1, (values.length * within) / noise)
}

/** Values at ranks `ratios` (0–1) by linear interpolation; empty for no values. Leaves `values` as they are. */
export function quantilesOf(values: Float64Array, ratios: readonly number[]): number[] {
  if (values.length === 0) return []
  const sorted = values.slice().sort()
  return ratios.map((ratio) => {
    const at = ratio * (sorted.length - 1)
    const low = Math.floor(at)
    const high = Math.min(low + 1, sorted.length - 1)
    return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!)
  })
}

function meanOf(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}

function squaresAround(values: Float64Array, mean: number): number {
  let sum = 0
  for (const value of values) sum += (value - mean) * (value - mean)
  return sum
}
