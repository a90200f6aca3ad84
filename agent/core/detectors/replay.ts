/** Share of a nominal segment that a replay fits on; the rest is what it is watched on. */
export const REPLAY_FIT_RATIO = 0.5

/** Largest score that `onRows` rows in a row all came to. */
export function longestKept(scores: Float64Array, rows: number, onRows: number): number {
  let most = 0
  for (let last = onRows - 1; last < rows; last += 1) {
    let least = scores[last]!
    for (let k = last - onRows + 1; k < last; k += 1) least = Math.min(least, scores[k]!)
    most = Math.max(most, least)
  }
  return most
}
