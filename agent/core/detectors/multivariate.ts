import { multiply, type PackedMatrix, packedLength, rowProduct } from '../../../shared/math/packed-symmetric.ts'
import {
  type CompleteRows,
  type CrossSums,
  completeRows,
  crossSumsOf,
  relationOf,
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

/**
 * Tolerance in variances of the reference's error as the filter has it. More than 1, because the filter is told a tenth of
 * the wander so that it follows slowly, and is therefore surer of itself than it should be.
 */
const REFERENCE_TOLERANCE = 2.5

/** Numbers of a fit: how many channels, unrest, then these of each channel, then the inverse of the correlations. */
const CHANNELS = 0
const UNREST = 1
const OF_FIT = 2
const OF_CHANNEL = 8
const MEAN = 0
const SCALE = 1
const TO_UNIT = 2
const KEPT = 3
const REFERENCE = 4
const NOISE = 5
const WANDER = 6
const START_VARIANCE = 7

/** State of each channel. The ages of the means are the share of the noise that is left in them. */
const FIELDS = 8
const REF = 0
const VARIANCE = 1
const MIDDLE_MEAN = 2
const MIDDLE_SHARE = 3
const LONG_MEAN = 4
const LONG_SHARE = 5
const LAST = 6
const AGE = 7

/** Values and products of the row in work; written before they are read. */
const z = new Float64Array(MULTIVARIATE_CHANNELS_MAX)
const g = new Float64Array(MULTIVARIATE_CHANNELS_MAX)

export const MULTIVARIATE: RigDetector = {
  name: NAME,
  version: 1,
  meanSteps: (2 - LONG) / LONG,
  limitMin: 4,
  fields: (numbers) => numbers[CHANNELS]! * FIELDS,
  fit: fitMultivariate,
  begin(numbers, state) {
    state.fill(0)
    for (let c = 0; c < numbers[CHANNELS]!; c += 1) {
      const of = OF_FIT + c * OF_CHANNEL
      const at = c * FIELDS
      state[at + REF] = numbers[of + REFERENCE]!
      state[at + VARIANCE] = numbers[of + START_VARIANCE]!
      forgetMeans(state, at)
      // Nothing was said yet, so that nothing is kept.
      state[at + AGE] = numbers[of + KEPT]!
    }
  },
  step: stepMultivariate,
  skip(numbers, state, { steps, held }) {
    for (let c = 0; c < numbers[CHANNELS]!; c += 1) {
      const at = c * FIELDS
      state[at + AGE] = state[at + AGE]! + steps
      // In alarm the reference stands still, and the mean of before is still what is known of the fault.
      if (held[c] === 1) continue
      state[at + VARIANCE] = state[at + VARIANCE]! + numbers[OF_FIT + c * OF_CHANNEL + WANDER]! * steps
      forgetMeans(state, at)
    }
  },
  deviation: (_numbers, state, channel) => deviationAt(state, channel * FIELDS),
  release(_numbers, state, channel) {
    const at = channel * FIELDS
    const deviation = deviationAt(state, at)
    state[at + VARIANCE] = state[at + VARIANCE]! + deviation * deviation
  },
  // A relation that moved by itself from one part of the nominal rows to the next is no proof of a fault when it moves.
  eventRatio: (numbers) => Math.max(1, Math.sqrt(numbers[UNREST]!)),
}

function forgetMeans(state: Float64Array, at: number): void {
  state[at + MIDDLE_MEAN] = state[at + REF]!
  state[at + LONG_MEAN] = state[at + REF]!
  state[at + MIDDLE_SHARE] = 0
  state[at + LONG_SHARE] = 0
}

function deviationAt(state: Float64Array, at: number): number {
  return state[at + LONG_MEAN]! - state[at + REF]!
}

function stepMultivariate(numbers: Numbers, state: Float64Array, row: StepRow, { held, scores }: RigScores): void {
  const order = numbers[CHANNELS]!
  const missing = standardise(numbers, state, row)
  const matrix: PackedMatrix = { numbers, at: OF_FIT + order * OF_CHANNEL, order }
  // What a few channels say is no account of what all the others should be.
  const isTold = 2 * missing.length <= order
  if (isTold) {
    complete(matrix, missing)
    multiply(matrix, z, g)
  }
  for (let c = 0; c < order; c += 1) {
    const of = OF_FIT + c * OF_CHANNEL
    const at = c * FIELDS
    state[at + VARIANCE] = state[at + VARIANCE]! + numbers[of + WANDER]!
    const isJudged = isTold && numbers[of + SCALE]! > 0 && state[at + AGE]! <= numbers[of + KEPT]!
    if (!isJudged) scores[c] = 0
    else {
      const residual = g[c]! * numbers[of + TO_UNIT]!
      scores[c] = scoreOf(state, at, residual, numbers[of + NOISE]!)
      if (held[c] === 0) follow(state, at, residual, numbers[of + NOISE]!)
    }
  }
}

/** Writes the row in deviations to `z`. @returns channels that said nothing for longer than they ever did. */
function standardise(numbers: Numbers, state: Float64Array, row: StepRow): number[] {
  const missing: number[] = []
  for (let c = 0; c < numbers[CHANNELS]!; c += 1) {
    const of = OF_FIT + c * OF_CHANNEL
    const at = c * FIELDS
    const scale = numbers[of + SCALE]!
    const mean = row.mean[c]!
    z[c] = 0
    if (scale === 0) continue
    if (Number.isNaN(mean)) state[at + AGE] = state[at + AGE]! + 1
    else {
      const value = (mean - numbers[of + MEAN]!) / scale
      state[at + LAST] = Math.max(-VALUE_MAX, Math.min(value, VALUE_MAX))
      state[at + AGE] = 0
    }
    if (state[at + AGE]! <= numbers[of + KEPT]!) z[c] = state[at + LAST]!
    else missing.push(c)
  }
  return missing
}

/**
 * Sets missing channels to what the others say they should be, so that their own residual is 0 and nothing is held against
 * the others. By the method of Gauss and Seidel, which converges for every positive definite matrix.
 */
function complete(matrix: PackedMatrix, missing: readonly number[]): void {
  for (let sweep = 0; sweep < MISSING_SWEEPS; sweep += 1) {
    for (const c of missing) z[c] = -rowProduct(matrix, c, z) / matrix.numbers[matrix.at + packedLength(c) + c]!
  }
}

/** Takes a residual into the means of a channel. @returns the largest of their scores. */
function scoreOf(state: Float64Array, at: number, residual: number, noise: number): number {
  const reference = state[at + REF]!
  const variance = REFERENCE_TOLERANCE * state[at + VARIANCE]!
  const middle = state[at + MIDDLE_MEAN]! + MIDDLE * (residual - state[at + MIDDLE_MEAN]!)
  const long = state[at + LONG_MEAN]! + LONG * (residual - state[at + LONG_MEAN]!)
  const middleShare = (1 - MIDDLE) * (1 - MIDDLE) * state[at + MIDDLE_SHARE]! + MIDDLE * MIDDLE
  const longShare = (1 - LONG) * (1 - LONG) * state[at + LONG_SHARE]! + LONG * LONG
  state[at + MIDDLE_MEAN] = middle
  state[at + LONG_MEAN] = long
  state[at + MIDDLE_SHARE] = middleShare
  state[at + LONG_SHARE] = longShare
  // The largest of the squares, so that one root does for three.
  const single = squareRatio(residual - reference, noise + variance)
  const atMiddle = squareRatio(middle - reference, noise * middleShare + variance)
  const atLong = squareRatio(long - reference, noise * longShare + variance)
  return Math.min(Math.sqrt(Math.max(single, atMiddle, atLong)), SCORE_MAX)
}

/** A residual without any spread tolerates nothing. */
function squareRatio(distance: number, variance: number): number {
  if (distance === 0) return 0
  return variance > 0 ? (distance * distance) / variance : SCORE_MAX * SCORE_MAX
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
  if (channels < 2 || channels > MULTIVARIATE_CHANNELS_MAX) return null
  const complete = completeRows(newestOf(segments, ROWS_A_CHANNEL * channels))
  const rows = complete.rows.length / channels
  if (rows < ROWS_MIN || rows < ROWS_A_CHANNEL_MIN * channels) return null
  const parts = Array.from({ length: PARTS }, (_, k): readonly [number, number] => [
    Math.floor((k * rows) / PARTS),
    Math.floor(((k + 1) * rows) / PARTS),
  ])
  const sums = parts.map((part) => crossSumsOf(complete.rows, complete.mean, part))
  const relation = relationOf(sums, complete.mean)
  if (relation === null) return null
  const fitted = residualColumns(complete.rows, relation, [0, rows])
  const unseen = unseenResiduals(complete, sums, parts)
  if (unseen === null) return null
  const toUnit = unitsOf(relation)
  const ofChannels: number[] = []
  let unrest = 0
  for (let c = 0; c < channels; c += 1) {
    const { level, noise: seen, wander } = fitLocalLevel(fitted[c]!)
    const noise = Math.max(seen, fitLocalLevel(unseen[c]!).noise)
    ofChannels.push(relation.mean[c]!, relation.scale[c]!, toUnit[c]!, complete.keptRows[c]!)
    ofChannels.push(level, noise, wander, noise / rows + (wander * rows) / 3)
    unrest += unrestOf(unseen[c]!, noise, parts) / channels
  }
  return [channels, unrest, ...ofChannels, ...relation.inverse]
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

/** The newest segments that have so many rows together, or all there are. */
function newestOf(segments: readonly StepTable[], wanted: number): readonly StepTable[] {
  let from = segments.length
  for (let rows = 0; from > 0 && rows < wanted; rows += segments[from]!.rows) from -= 1
  return segments.slice(from)
}

/** Residuals of every row by a relation it was left out of. */
function unseenResiduals(
  { rows, mean }: CompleteRows,
  sums: readonly CrossSums[],
  parts: readonly (readonly [number, number])[],
): Float64Array[] | null {
  const columns = Array.from({ length: mean.length }, () => new Float64Array(rows.length / mean.length))
  for (const [k, part] of parts.entries()) {
    const others = relationOf(sums.toSpliced(k, 1), mean)
    if (others === null) return null
    residualColumns(rows, others, part).forEach((column, c) => {
      columns[c]!.set(column, part[0])
    })
  }
  return columns
}
