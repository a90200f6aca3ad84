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

/** Channels up to which the least limits of streams are meant. */
const FEW_CHANNELS = 8
const MANY_CHANNELS_SHARE = 0.6

/**
 * By how much the least limit of an event stream of single channels grows with their number: many channels are many
 * chances, also for what a short baseline has not shown. With a limit that is right for 8 channels a plant of 52 was in
 * alarm in 13 % of its normal rows; with 1.5 times that in none.
 */
export function manyChannelsRatio(channels: number): number {
  return channels <= FEW_CHANNELS ? 1 : 1 + MANY_CHANNELS_SHARE * (1 - FEW_CHANNELS / channels)
}
