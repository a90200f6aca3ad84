import { VALUE_MAX } from './settings.ts'

/** Fields of an accumulator, in order. */
export const PANE_FIELDS = 12
export const COUNT = 0
export const SHIFT = 1
export const SUM = 2
export const SUM_SQUARES = 3
export const MIN = 4
export const MAX = 5
export const LAST = 6
export const LAST_TIME = 7
export const LAST_SEQ = 8
export const LAST_SOURCE = 9
export const INVALID = 10
/** 1 when the pane got a sample out of order. */
export const DISORDERED = 11

/** How many values from `valueAt` on, `most` at most, can be squared and summed. NaN cannot. */
export function usable(value: Float64Array, valueAt: number, most: number): number {
  for (let k = 0; k < most; k += 1) {
    const v = value[valueAt + k]!
    if (!(v <= VALUE_MAX && v >= -VALUE_MAX)) return k
  }
  return most
}

/**
 * Adds values to a pane up to the first that cannot be used. Whether one cannot is asked once for all of them: what is no
 * number leaves none in the sum, and what is too large shows in the extremes.
 *
 * @returns how many were added
 */
export function addAll(rows: Float64Array, at: number, value: Float64Array, valueAt: number, most: number): number {
  if (usable(value, valueAt, Math.min(1, most)) === 0) return 0
  const count = rows[at + COUNT]!
  const first = value[valueAt]! + 0
  const shift = count === 0 ? first : rows[at + SHIFT]!
  let sum = rows[at + SUM]!
  let sumSquares = rows[at + SUM_SQUARES]!
  let min = count === 0 ? first : rows[at + MIN]!
  let max = count === 0 ? first : rows[at + MAX]!
  const end = valueAt + most
  for (let k = valueAt; k < end; k += 1) {
    const v = value[k]! + 0
    const d = v - shift
    sum += d
    sumSquares += d * d
    if (v < min) min = v
    if (v > max) max = v
  }
  if (!(min >= -VALUE_MAX && max <= VALUE_MAX && sum - sum === 0))
    return addAll(rows, at, value, valueAt, usable(value, valueAt, most))
  rows[at + COUNT] = count + most
  rows[at + SHIFT] = shift
  rows[at + SUM] = sum
  rows[at + SUM_SQUARES] = sumSquares
  rows[at + MIN] = min
  rows[at + MAX] = max
  return most
}

export function emptyPane(rows: Float64Array, at: number): void {
  rows[at + COUNT] = 0
  rows[at + SHIFT] = 0
  rows[at + SUM] = 0
  rows[at + SUM_SQUARES] = 0
  rows[at + MIN] = 0
  rows[at + MAX] = 0
  rows[at + LAST] = 0
  rows[at + LAST_TIME] = 0
  rows[at + LAST_SEQ] = 0
  rows[at + LAST_SOURCE] = 0
  rows[at + INVALID] = 0
  rows[at + DISORDERED] = 0
}

export function add(rows: Float64Array, at: number, value: number): void {
  if (rows[at + COUNT] === 0) {
    rows[at + SHIFT] = value
    rows[at + MIN] = value
    rows[at + MAX] = value
  }
  const d = value - rows[at + SHIFT]!
  rows[at + SUM] = rows[at + SUM]! + d
  rows[at + SUM_SQUARES] = rows[at + SUM_SQUARES]! + d * d
  if (value < rows[at + MIN]!) rows[at + MIN] = value
  if (value > rows[at + MAX]!) rows[at + MAX] = value
  rows[at + COUNT] = rows[at + COUNT]! + 1
}
