import { multiply, type PackedMatrix, packedLength, rowProduct } from '../../../shared/math/packed-symmetric.ts'
import {
  type CompleteRows,
  type CrossSums,
  completeRows,
  crossSumsOf,
  orderOf,
  relationOf,
  reordered,
  residualColumns,
  unitsOf,
} from './conditional-residual.ts'
import type { Numbers, RigDetector, RigScores } from './detector.ts'
import { fitLocalLevel } from './local-level.ts'
import type { StepRow, StepTable } from './steps.ts'

/**
 * The conditional residuals of all channels, each watched like a level: how far a channel is from what all others say it
 * should be, against a reference that follows slowly while all is well and stands still in alarm. Three means are looked
 * at, of the step itself, of about 4 and of about 15 steps: a valve that sticks shows in single steps, a leak that control
 * makes up for only in long means.
 *
 * The scores are of channels, so that they name their channel. A sum over all of them (T² of the middle and long means)
 * found the same faults and gave several times as many false alarms: it adds up the drifts of all channels that are well.
 *
 * The noise of a residual is what it was in rows its relation was not fitted to. In fitted rows it is too small by more
 * than (rows ÷ (rows − channels))², and limits made of it alarm without a fault.
 */
const NAME = 'multivariate'

/** Beyond this the product costs more than 150 ns a value and the matrix more than 1 KiB a channel; a rig with more has no such stream. */
export const MULTIVARIATE_CHANNELS_MAX = 128

/** Weights of the newest step in the middle and the long mean; exact in binary. */
const MIDDLE = 0.375
const LONG = 0.125
/** Parts of the nominal rows that are left out in turn. */
const PARTS = 5
/** Rows below which a relation of channels is chance: of each channel, and at all. */
const ROWS_A_CHANNEL_MIN = 5
const ROWS_MIN = 100
/** Rows of a channel for which older segments are joined with the newest. */
const ROWS_A_CHANNEL = 10
/** Passes over the missing channels of a row; each halves the error of the last at least, as a rule. */
const MISSING_SWEEPS = 4
/** Values are cut at so many deviations, so that their products stay numbers. */
const VALUE_MAX = 1_000_000
const SCORE_MAX = 1_000_000
/** So that a residual without any spread tolerates nothing, and is still divided by something. */
const VARIANCE_MIN = 1e-100

/**
 * Tolerance in variances of the reference's error as the filter has it. More than 1, because the filter is told a tenth of
 * the wander so that it follows slowly, and is therefore surer of itself than it should be.
 */
const REFERENCE_TOLERANCE = 2.5

/** Numbers of a fit: these, then those of each channel, then the inverse of the correlations by position. */
const CHANNELS = 0
const UNREST = 1
const ROWS = 2
const OF_FIT = 3
/** Of a channel; one that takes no part has 0 deviations a unit. */
const OF_CHANNEL = 5
const MEAN = 0
const PER_UNIT = 1
/** Position in the order of {@link orderOf}, and the rows it is kept for: in one number, for the room of it. */
const PLACE = 2
const NOISE = 3
const WANDER = 4

/** State of each channel: reference, its variance, two means, rows in them, last value and rows since. */
const FIELDS = 7
const REF = 0
const VARIANCE = 1
const MIDDLE_MEAN = 2
const LONG_MEAN = 3
const SEEN = 4
const LAST = 5
const AGE = 6

/** Rows after which a mean has all the noise that it keeps, to the last bit but a few. */
const SEEN_MAX = 128
const MIDDLE_SHARES = noiseShares(MIDDLE)
const LONG_SHARES = noiseShares(LONG)

/** Share of a step's noise variance in a fading mean of so many steps. */
function noiseShares(weight: number): Float64Array {
  const shares = new Float64Array(SEEN_MAX + 1)
  for (let n = 1; n <= SEEN_MAX; n += 1) shares[n] = (1 - weight) * (1 - weight) * shares[n - 1]! + weight * weight
  return shares
}

/** Values and products of the row in work; written before they are read. */
const z = new Float64Array(MULTIVARIATE_CHANNELS_MAX)
const g = new Float64Array(MULTIVARIATE_CHANNELS_MAX)

export const MULTIVARIATE: RigDetector = {
  name: NAME,
  version: 1,
  meanSteps: (2 - LONG) / LONG,
  limitMin: 4,
  fields: (numbers) => channelsOf(numbers) * FIELDS,
  fit: fitMultivariate,
  begin(numbers, state) {
    state.fill(0)
    for (let c = 0, order = channelsOf(numbers); c < order; c += 1) {
      const of = OF_FIT + c * OF_CHANNEL
      const rows = numbers[ROWS]!
      state[c * FIELDS + VARIANCE] = numbers[of + NOISE]! / rows + (numbers[of + WANDER]! * rows) / 3
      // Nothing was said yet, so that nothing is kept.
      state[c * FIELDS + AGE] = keptRowsOf(numbers, of)
    }
  },
  step: stepMultivariate,
  skip(numbers, state, { steps, held }) {
    for (let c = 0, order = channelsOf(numbers); c < order; c += 1) {
      const at = c * FIELDS
      state[at + AGE] = state[at + AGE]! + steps
      // In alarm the reference stands still, and the mean of before is still what is known of the fault.
      if (held[c] === 1) continue
      state[at + VARIANCE] = state[at + VARIANCE]! + numbers[OF_FIT + c * OF_CHANNEL + WANDER]! * steps
      forgetMeans(state, at)
    }
  },
  deviation(numbers, state, channel) {
    const of = OF_FIT + channel * OF_CHANNEL
    const perUnit = numbers[of + PER_UNIT]!
    if (perUnit === 0) return 0
    return deviationAt(state, channel * FIELDS) / (perUnit * diagonalOf(matrixOf(numbers), positionOf(numbers, of)))
  },
  release(_numbers, state, channel) {
    const at = channel * FIELDS
    const deviation = deviationAt(state, at)
    state[at + VARIANCE] = state[at + VARIANCE]! + deviation * deviation
  },
  // A relation that moved by itself from one part of the nominal rows to the next is no proof of a fault when it moves.
  eventRatio: (numbers) => Math.max(1, Math.sqrt(numbers[UNREST]!)),
}

/** As a whole number: with one that might have a fraction every index of the product is calculated as a double, at twice the time. */
function channelsOf(numbers: Numbers): number {
  return numbers[CHANNELS]! | 0
}

const POSITION_BITS = 7
const KEPT_MAX = 1_000_000

function placeOf(position: number, keptRows: number): number {
  return position + Math.min(keptRows, KEPT_MAX) * MULTIVARIATE_CHANNELS_MAX
}

function positionOf(numbers: Numbers, of: number): number {
  return numbers[of + PLACE]! & (MULTIVARIATE_CHANNELS_MAX - 1)
}

/** Rows for which a channel that is silent still says what it said last. */
function keptRowsOf(numbers: Numbers, of: number): number {
  return numbers[of + PLACE]! >> POSITION_BITS
}

function forgetMeans(state: Float64Array, at: number): void {
  state[at + MIDDLE_MEAN] = state[at + REF]!
  state[at + LONG_MEAN] = state[at + REF]!
  state[at + SEEN] = 0
}

function deviationAt(state: Float64Array, at: number): number {
  return state[at + LONG_MEAN]! - state[at + REF]!
}

function stepMultivariate(numbers: Numbers, state: Float64Array, row: StepRow, { held, scores }: RigScores): void {
  const order = channelsOf(numbers)
  const missing = standardise(numbers, state, row)
  // What a few channels say is no account of what all the others should be.
  const isTold = 2 * missing.length <= order
  if (isTold) conclude(matrixOf(numbers), missing, furthestOf(numbers, state, held))
  for (let c = 0; c < order; c += 1) {
    const of = OF_FIT + c * OF_CHANNEL
    const at = c * FIELDS
    state[at + VARIANCE] = state[at + VARIANCE]! + numbers[of + WANDER]!
    const isJudged = isTold && numbers[of + PER_UNIT]! > 0 && state[at + AGE]! <= keptRowsOf(numbers, of)
    if (!isJudged) scores[c] = 0
    else {
      const residual = g[positionOf(numbers, of)]!
      scores[c] = scoreOf(state, at, residual, numbers[of + NOISE]!)
      if (held[c] === 0) follow(state, at, residual, numbers[of + NOISE]!)
    }
  }
}

function matrixOf(numbers: Numbers): PackedMatrix {
  const order = channelsOf(numbers)
  return { numbers, at: OF_FIT + order * OF_CHANNEL, order }
}

function diagonalOf({ numbers, at }: PackedMatrix, position: number): number {
  return numbers[at + packedLength(position) + position]!
}

/** Position of the channel in alarm that is furthest, and not silent; −1 for none. */
function furthestOf(numbers: Numbers, state: Float64Array, held: Uint8Array): number {
  let furthest = -1
  let most = -1
  for (let c = 0; c < held.length; c += 1) {
    const of = OF_FIT + c * OF_CHANNEL
    if (held[c] === 0 || !(state[c * FIELDS + AGE]! <= keptRowsOf(numbers, of))) continue
    const deviation = deviationAt(state, c * FIELDS)
    const far = (deviation * deviation) / (numbers[of + NOISE]! + VARIANCE_MIN)
    const position = positionOf(numbers, of)
    if (!(far > most || (far === most && position < furthest))) continue
    most = far
    furthest = position
  }
  return furthest
}

/**
 * Writes the residuals of `z` to `g`. The others are not held against what the furthest channel in alarm says: a slope that
 * chance made a twentieth puts a whole deviation on a channel that is well when another one is twenty off, and its reference
 * would follow until the fault is over and then be wrong.
 */
function conclude(matrix: PackedMatrix, missing: readonly number[], furthest: number): void {
  if (furthest < 0) {
    complete(matrix, missing)
    multiply(matrix, z, g)
    return
  }
  const said = z[furthest]!
  complete(matrix, [...missing, furthest])
  multiply(matrix, z, g)
  g[furthest] = g[furthest]! + diagonalOf(matrix, furthest) * (said - z[furthest]!)
}

const NONE: readonly number[] = []

/** Writes the row in deviations to `z`. @returns positions of channels that said nothing for longer than they ever did. */
function standardise(numbers: Numbers, state: Float64Array, { mean: means }: StepRow): readonly number[] {
  let missing: number[] | null = null
  const order = channelsOf(numbers)
  for (let c = 0, of = OF_FIT, at = 0; c < order; c += 1, of += OF_CHANNEL, at += FIELDS) {
    const perUnit = numbers[of + PER_UNIT]!
    const mean = means[c]!
    if (Number.isNaN(mean)) state[at + AGE] = state[at + AGE]! + 1
    else {
      const value = (mean - numbers[of + MEAN]!) * perUnit
      state[at + LAST] = value > VALUE_MAX ? VALUE_MAX : value < -VALUE_MAX ? -VALUE_MAX : value
      state[at + AGE] = 0
    }
    const isKnown = state[at + AGE]! <= keptRowsOf(numbers, of)
    const position = positionOf(numbers, of)
    z[position] = isKnown ? state[at + LAST]! : 0
    if (!isKnown && perUnit > 0) {
      missing ??= []
      missing.push(position)
    }
  }
  // In the order of positions: what is completed first is used for the next.
  return missing?.sort((a, b) => a - b) ?? NONE
}

/**
 * Sets missing channels to what the others say they should be, so that their own residual is 0 and nothing is held against
 * the others. By the method of Gauss and Seidel, which converges for every positive definite matrix.
 */
function complete(matrix: PackedMatrix, missing: readonly number[]): void {
  // One alone is right at once.
  const sweeps = missing.length === 1 ? 1 : MISSING_SWEEPS
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    for (const k of missing) z[k] = -rowProduct(matrix, k, z) / diagonalOf(matrix, k)
  }
}

/** Takes a residual into the means of a channel. @returns the largest of their scores. */
function scoreOf(state: Float64Array, at: number, residual: number, noise: number): number {
  const reference = state[at + REF]!
  const variance = REFERENCE_TOLERANCE * state[at + VARIANCE]! + VARIANCE_MIN
  const seen = state[at + SEEN]! < SEEN_MAX ? state[at + SEEN]! + 1 : SEEN_MAX
  const middle = state[at + MIDDLE_MEAN]! + MIDDLE * (residual - state[at + MIDDLE_MEAN]!)
  const long = state[at + LONG_MEAN]! + LONG * (residual - state[at + LONG_MEAN]!)
  state[at + SEEN] = seen
  state[at + MIDDLE_MEAN] = middle
  state[at + LONG_MEAN] = long
  // The largest of the squares, so that one root does for three.
  const single = ((residual - reference) * (residual - reference)) / (noise + variance)
  const atMiddle = ((middle - reference) * (middle - reference)) / (noise * MIDDLE_SHARES[seen]! + variance)
  const atLong = ((long - reference) * (long - reference)) / (noise * LONG_SHARES[seen]! + variance)
  const larger = single > atMiddle ? single : atMiddle
  const score = Math.sqrt(larger > atLong ? larger : atLong)
  return score < SCORE_MAX ? score : SCORE_MAX
}

function follow(state: Float64Array, at: number, residual: number, noise: number): void {
  const variance = state[at + VARIANCE]!
  if (!(variance + noise > 0)) return
  const gain = variance / (variance + noise)
  state[at + REF] = state[at + REF]! + gain * (residual - state[at + REF]!)
  state[at + VARIANCE] = variance - gain * variance
}

function fitMultivariate(segments: readonly StepTable[]): readonly number[] | null {
  const channels = segments.at(-1)?.channels ?? 0
  const newest = newestOf(segments, Math.max(ROWS_MIN, ROWS_A_CHANNEL * channels))
  const rows = newest.reduce((sum, segment) => sum + segment.rows, 0)
  if (lackOfRelation(channels, rows) !== null) return null
  const inOrder = completeRows(newest)
  const channelAt = orderOf(inOrder)
  const complete = reordered(inOrder, channelAt)
  const parts = Array.from({ length: PARTS }, (_, k): readonly [number, number] => [
    Math.floor((k * rows) / PARTS),
    Math.floor(((k + 1) * rows) / PARTS),
  ])
  const sums = parts.map((part) => crossSumsOf(complete.rows, complete.mean, part))
  const relation = relationOf(sums, complete.mean)
  if (relation === null) return null
  const fitted = residualColumns(complete.rows, relation, [0, rows])
  const unseen = unseenResiduals({ complete, sums, parts, toUnit: unitsOf(relation) })
  if (unseen === null) return null
  const ofChannels: number[][] = []
  let unrest = 0
  channelAt.forEach((channel, k) => {
    const { noise: seen, wander } = fitLocalLevel(fitted[k]!)
    const noise = Math.max(seen, fitLocalLevel(unseen[k]!).noise)
    const scale = relation.scale[k]!
    ofChannels[channel] = [
      relation.mean[k]!,
      scale > 0 ? 1 / scale : 0,
      placeOf(k, complete.keptRows[k]!),
      noise,
      wander,
    ]
    unrest += unrestOf(unseen[k]!, noise, parts) / channels
  })
  return [channels, unrest, rows, ...ofChannels.flat(), ...relation.inverse]
}

/** Mean over parts of how many times further their means are from 0 than noise makes them, in squares; 1 is at rest. */
function unrestOf(residuals: Float64Array, noise: number, parts: readonly (readonly [number, number])[]): number {
  if (noise === 0) return 0
  let sum = 0
  for (const [from, to] of parts) {
    let mean = 0
    for (let row = from; row < to; row += 1) mean += residuals[row]! / (to - from)
    sum += (mean * mean * (to - from)) / noise
  }
  return sum / parts.length
}

/** Why channels are not watched together when this is what is known of them; null when they are. */
export function lackOfRelation(channels: number, rows: number): string | null {
  if (channels < 2) return 'one channel alone'
  if (channels > MULTIVARIATE_CHANNELS_MAX) return `${channels} channels, at most ${MULTIVARIATE_CHANNELS_MAX}`
  const least = Math.max(ROWS_MIN, ROWS_A_CHANNEL_MIN * channels)
  return rows < least ? `${rows} steps, at least ${least} for ${channels} channels` : null
}

/** The newest segments that have so many rows together, or all there are. */
function newestOf(segments: readonly StepTable[], wanted: number): readonly StepTable[] {
  let from = segments.length
  for (let rows = 0; from > 0 && rows < wanted; rows += segments[from]!.rows) from -= 1
  return segments.slice(from)
}

type Parts = Readonly<{
  complete: CompleteRows
  sums: readonly CrossSums[]
  parts: readonly (readonly [number, number])[]
  toUnit: Float64Array
}>

/** Residuals of every row by a relation it was left out of, in the units that the relation of all rows has for them. */
function unseenResiduals({ complete: { rows, mean }, sums, parts, toUnit }: Parts): Float64Array[] | null {
  const columns = Array.from({ length: mean.length }, () => new Float64Array(rows.length / mean.length))
  for (const [k, part] of parts.entries()) {
    const others = relationOf(sums.toSpliced(k, 1), mean)
    if (others === null) return null
    const units = unitsOf(others)
    residualColumns(rows, others, part).forEach((column, c) => {
      const factor = toUnit[c]! > 0 ? units[c]! / toUnit[c]! : 0
      columns[c]!.set(
        column.map((residual) => residual * factor),
        part[0],
      )
    })
  }
  return columns
}
