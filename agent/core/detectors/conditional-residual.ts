import { inverseOf, multiply, type PackedMatrix, packedLength } from '../../../shared/math/packed-symmetric.ts'
import type { StepTable } from './steps.ts'

/**
 * How the channels of a rig go together: of each channel, what all the others say it should be.
 *
 * With z the row in standard deviations and C its correlations, (C⁻¹ z) of a channel is, but for a factor, the channel
 * minus its regression on all others. A fault that leaves every channel in its range but breaks a balance (a valve that is
 * open further than its flow says) is large here and nowhere else.
 *
 * Source: Hawkins, "Regression Adjustment for Variables in Multivariate Quality Control", Journal of Quality Technology
 * 25 (1993).
 */
export type Relation = Readonly<{
  mean: Float64Array
  /** Standard deviations; 0 for a channel that never moved, which takes no part. */
  scale: Float64Array
  /** Inverse of the correlations, packed. */
  inverse: Float64Array
}>

/**
 * Added to the diagonal of the correlations: noise of 3 % of its spread that is allowed to every channel. Channels that
 * repeat each other would be held to the rounding of their last digit without it.
 */
const RIDGE = 0.001
/** A spread below this share of the mean's size is rounding of a constant. */
const SPREAD_MIN_RATIO = 1e-12

/** Sums over some rows: enough to join and leave out parts of a table without reading it again. */
export type CrossSums = Readonly<{ rows: number; sums: Float64Array; products: Float64Array }>

/** Rows `from` to `to` of complete rows, about `shift`: the sums stay small where values are large. */
export function crossSumsOf(rows: Float64Array, shift: Float64Array, [from, to]: readonly [number, number]): CrossSums {
  const d = shift.length
  const sums = new Float64Array(d)
  const products = new Float64Array(packedLength(d))
  const x = new Float64Array(d)
  for (let row = from; row < to; row += 1) {
    for (let i = 0, k = 0; i < d; i += 1) {
      const value = rows[row * d + i]! - shift[i]!
      x[i] = value
      sums[i] = sums[i]! + value
      for (let j = 0; j <= i; j += 1, k += 1) products[k] = products[k]! + value * x[j]!
    }
  }
  return { rows: to - from, sums, products }
}

/** The relation in some parts of a table; null when it cannot be told. */
export function relationOf(parts: readonly CrossSums[], shift: Float64Array): Relation | null {
  const d = shift.length
  let rows = 0
  const mean = new Float64Array(d)
  const correlations = new Float64Array(packedLength(d))
  for (const part of parts) {
    rows += part.rows
    for (let i = 0; i < d; i += 1) mean[i] = mean[i]! + part.sums[i]!
    for (let k = 0; k < correlations.length; k += 1) correlations[k] = correlations[k]! + part.products[k]!
  }
  const scale = new Float64Array(d)
  for (let i = 0; i < d; i += 1) {
    mean[i] = mean[i]! / rows
    const variance = correlations[packedLength(i) + i]! / rows - mean[i]! * mean[i]!
    const spread = Math.sqrt(Math.max(0, variance))
    scale[i] = spread > SPREAD_MIN_RATIO * Math.abs(shift[i]! + mean[i]!) ? spread : 0
  }
  for (let i = 0, k = 0; i < d; i += 1) {
    for (let j = 0; j <= i; j += 1, k += 1) {
      const spread = scale[i]! * scale[j]!
      const shared = spread > 0 ? (correlations[k]! / rows - mean[i]! * mean[j]!) / spread : 0
      correlations[k] = i === j ? 1 + RIDGE : shared
    }
  }
  const inverse = inverseOf(correlations, d)
  if (inverse === null) return null
  for (let i = 0; i < d; i += 1) mean[i] = mean[i]! + shift[i]!
  return { mean, scale, inverse }
}

/**
 * Residuals of rows `from` to `to`, a column after the other; 0 for a channel that takes no part. {@link unitsOf} makes
 * them differences in the unit of the channel.
 */
export function residualColumns(
  rows: Float64Array,
  { mean, scale, inverse }: Relation,
  [from, to]: readonly [number, number],
): Float64Array[] {
  const d = mean.length
  const matrix: PackedMatrix = { numbers: inverse, at: 0, order: d }
  const columns = Array.from({ length: d }, () => new Float64Array(to - from))
  const z = new Float64Array(d)
  const g = new Float64Array(d)
  for (let row = from; row < to; row += 1) {
    for (let i = 0; i < d; i += 1) z[i] = scale[i]! > 0 ? (rows[row * d + i]! - mean[i]!) / scale[i]! : 0
    multiply(matrix, z, g)
    for (let i = 0; i < d; i += 1) columns[i]![row - from] = g[i]!
  }
  return columns
}

/** Units of the channel a residual: what was added to one channel alone comes out as it was. */
export function unitsOf({ scale, inverse }: Relation): Float64Array {
  return Float64Array.from(scale, (spread, i) => spread / inverse[packedLength(i) + i]!)
}

/** Rows without holes: a channel that had nothing new keeps what it said last. */
export type CompleteRows = Readonly<{
  rows: Float64Array
  /** Longest stretch of rows over which each channel was kept. */
  keptRows: Float64Array
  /** Of the newest segment. */
  mean: Float64Array
}>

/**
 * Joins segments, oldest first. Older ones are moved to the level of the newest: how channels go together is known from
 * all of them, where they are only from the newest.
 */
export function completeRows(segments: readonly StepTable[]): CompleteRows {
  const { channels } = segments.at(-1)!
  const parts = segments.map(completeSegment)
  const { mean } = parts.at(-1)!
  const keptRows = new Float64Array(channels)
  const rows = new Float64Array(parts.reduce((sum, part) => sum + part.rows.length, 0))
  let at = 0
  for (const part of parts) {
    for (let c = 0; c < channels; c += 1) {
      keptRows[c] = Math.max(keptRows[c]!, part.keptRows[c]!)
      const move = mean[c]! - part.mean[c]!
      for (let k = c; k < part.rows.length; k += channels) rows[at + k] = part.rows[k]! + move
    }
    at += part.rows.length
  }
  return { rows, keptRows, mean }
}

/**
 * Channels in an order that what they are called has no part in: by their values, row by row. Sums over channels run in it,
 * so that their last bits are the same whatever the rig's metrics are named. Only two that never differed keep their order.
 */
export function orderOf({ rows, mean }: CompleteRows): number[] {
  const d = mean.length
  return Array.from(mean, (_, c) => c).sort((a, b) => {
    for (let row = 0; row < rows.length; row += d) {
      const apart = rows[row + a]! - rows[row + b]!
      if (apart !== 0) return apart
    }
    return 0
  })
}

/** The same rows with column `channelAt[k]` in the place of column k. */
export function reordered({ rows, keptRows, mean }: CompleteRows, channelAt: readonly number[]): CompleteRows {
  const d = channelAt.length
  const moved = new Float64Array(rows.length)
  for (let row = 0; row < rows.length; row += d)
    for (let k = 0; k < d; k += 1) moved[row + k] = rows[row + channelAt[k]!]!
  const pick = (values: Float64Array) => Float64Array.from(channelAt, (c) => values[c]!)
  return { rows: moved, keptRows: pick(keptRows), mean: pick(mean) }
}

function completeSegment({ channels, rows, mean: steps }: StepTable): CompleteRows {
  const filled = new Float64Array(rows * channels)
  const keptRows = new Float64Array(channels)
  const mean = new Float64Array(channels)
  for (let c = 0; c < channels; c += 1) {
    let last = firstOf(steps, channels, c)
    let kept = 0
    let sum = 0
    for (let row = 0; row < rows; row += 1) {
      const value = steps[row * channels + c]!
      kept = Number.isNaN(value) ? kept + 1 : 0
      keptRows[c] = Math.max(keptRows[c]!, kept)
      if (kept === 0) last = value
      filled[row * channels + c] = last
      sum += last
    }
    mean[c] = sum / rows
  }
  return { rows: filled, keptRows, mean }
}

/** 0 for a channel that never says anything: constant, so that it takes no part. */
function firstOf(steps: Float64Array, channels: number, c: number): number {
  for (let at = c; at < steps.length; at += channels) if (!Number.isNaN(steps[at]!)) return steps[at]!
  return 0
}
