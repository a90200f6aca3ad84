import type { DetectorFit } from '../../../shared/model/baseline.ts'
import type { ChannelDetector } from './detector.ts'
import { createLatches } from './latches.ts'
import { longestKept, manyChannelsRatio, REPLAY_FIT_RATIO } from './replay.ts'
import { fitRig } from './rig-limits.ts'
import { cellOfSteps, createStepRow, reverseSteps, type StepRow, type StepTable, sliceSteps } from './steps.ts'
import { CHANNEL_STREAMS, type ChannelStream, type Support } from './streams.ts'

/** What detectors found in nominal segments. */
export type Fitted = Readonly<{
  /** Of each channel. */
  channels: readonly (readonly DetectorFit[])[]
  rig: readonly DetectorFit[]
  /** Largest score of an event in each replayed segment, in what one takes. */
  rigMaxima: readonly number[]
}>

/**
 * Fits every detector to nominal segments, oldest first, and finds the limits by replay: each segment is fitted on one
 * half and watched on the other, and nothing that came up while nothing was wrong would have been an alarm.
 *
 * If segments are exchangeable, the chance that the next one passes the largest of M maxima is 1 ÷ (M + 1): conformal
 * prediction (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005, 2.2).
 */
export function fitDetectors(segments: readonly StepTable[], channels: number): Fitted {
  const fits: DetectorFit[][] = Array.from({ length: channels }, () => [])
  const rig: DetectorFit[] = []
  let rigMaxima: number[] = []
  for (const stream of CHANNEL_STREAMS) {
    const { detector, use, support } = stream
    const replays = segments.map((segment) => replayStream(stream, segment))
    const inLimits = segments.map(() => 0)
    const limitMin = detector.limitMin * (use === 'event' ? manyChannelsRatio(channels) : 1)
    for (let c = 0; c < channels; c += 1) {
      const numbers = detector.fit(segments, c)
      if (numbers === null) continue
      const maxima = replays.map(({ largest }) => largest[c]!)
      const limit = maxima.reduce((a, b) => Math.max(a, b), limitMin)
      maxima.forEach((max, k) => {
        inLimits[k] = Math.max(inLimits[k]!, max / limit)
      })
      fits[c]!.push({ detector: detector.name, version: detector.version, numbers, maxima, limit })
    }
    if (use === 'event' && rigMaxima.length === 0) rigMaxima = inLimits
    if (support !== null && replays.length > 0) rig.push(fitSupport(support, replays, channels))
  }
  const together = fitRig(segments, fits)
  rig.push(...together.rig)
  rig.sort((a, b) => (a.detector < b.detector ? -1 : 1))
  return { channels: fits, rig, rigMaxima: rigMaxima.map((max, k) => Math.max(max, together.inEvents[k]!)) }
}

/**
 * Share of replays that support stays below. Not all of them, as for one channel: two channels at once is what is left
 * when one odd segment has put the limit of each too high, and such a segment has often moved two.
 */
const SUPPORT_RANK_RATIO = 0.85

function fitSupport({ name, version, limitMin }: Support, replays: readonly Replay[], channels: number): DetectorFit {
  const maxima = replays.map(({ second }) => second)
  const rank = Math.min(Math.floor(SUPPORT_RANK_RATIO * (maxima.length + 1)) + 1, maxima.length)
  const limit = Math.max(limitMin * manyChannelsRatio(channels), [...maxima].sort((a, b) => a - b)[rank - 1]!)
  return { detector: name, version, numbers: [], maxima, limit }
}

/** What came up in a segment: the score each channel kept up for as long as an alarm needs, and so the second largest. */
type Replay = { readonly largest: Float64Array; second: number }

/**
 * Both ways in time: what a rig does while nothing is wrong it may do backwards, and each half is worth watching. A
 * segment still counts once, by the larger of the two.
 */
function replayStream(stream: ChannelStream, segment: StepTable): Replay {
  const replay = { largest: new Float64Array(segment.channels), second: 0 }
  for (const table of [segment, reverseSteps(segment)]) {
    const scores = replayScores(stream.detector, table)
    keepLargest(replay, scores, { channels: table.channels, onRows: stream.rule.onRows })
  }
  return replay
}

/** Scores on the half of a segment that was not fitted on, row by row; NaN where a channel has none. */
function replayScores(detector: ChannelDetector, segment: StepTable): Float64Array {
  const { channels, rows } = segment
  const half = Math.floor(rows * REPLAY_FIT_RATIO)
  const fitted = sliceSteps(segment, 0, half)
  const scores = new Float64Array((rows - half) * channels).fill(Number.NaN)
  const state = new Float64Array(detector.fields)
  for (let c = 0; c < channels; c += 1) {
    const numbers = detector.fit([fitted], c)
    if (numbers === null) continue
    detector.begin(numbers, state, 0)
    const watched = { fits: [{ numbers }], state, scores: new Float64Array(1), latches: createLatches(1) }
    for (let row = half; row < rows; row += 1) {
      const at = row * channels + c
      if (Number.isNaN(segment.mean[at]!)) continue
      detector.step(watched, cellOfSteps(segment, at))
      scores[(row - half) * channels + c] = watched.scores[0]!
    }
  }
  return scores
}

function keepLargest(
  replay: Replay,
  scores: Float64Array,
  { channels, onRows }: { channels: number; onRows: number },
): void {
  const rows = scores.length / channels
  const seconds = new Float64Array(rows)
  const column = new Float64Array(rows)
  for (let row = 0; row < rows; row += 1) seconds[row] = secondLargest(scores, row * channels, channels)
  replay.second = Math.max(replay.second, longestKept(seconds, rows, onRows))
  for (let c = 0; c < channels; c += 1) {
    // Rows are those in which the channel made a step, as they are for the alarm.
    let steps = 0
    for (let row = 0; row < rows; row += 1) {
      const score = scores[row * channels + c]!
      if (Number.isNaN(score)) continue
      column[steps] = score
      steps += 1
    }
    replay.largest[c] = Math.max(replay.largest[c]!, longestKept(column, steps, onRows))
  }
}

/** 0 when fewer than two channels made a step. */
function secondLargest(scores: Float64Array, from: number, count: number): number {
  let first = 0
  let second = 0
  for (let k = from; k < from + count; k += 1) {
    const score = scores[k]!
    if (score > first) {
      second = first
      first = score
    } else if (score > second) second = score
  }
  return second
}

/** Gathers rows for a table. */
export type StepRecorder = { readonly channels: number; readonly rows: { timeUs: number; row: StepRow }[] }

/** Keeps a copy of a row. */
export function recordSteps(recorder: StepRecorder, timeUs: number, row: StepRow): void {
  const copy = createStepRow(recorder.channels)
  for (const column of ['mean', 'min', 'max', 'first', 'last'] as const) copy[column].set(row[column])
  recorder.rows.push({ timeUs, row: copy })
}

/** The rows of a recorder as one table. */
export function tableOf({ channels, rows }: StepRecorder): StepTable {
  const column = (name: keyof StepRow) => {
    const values = new Float64Array(rows.length * channels)
    rows.forEach(({ row }, k) => {
      values.set(row[name], k * channels)
    })
    return values
  }
  return {
    channels,
    rows: rows.length,
    timeUs: Float64Array.from(rows, ({ timeUs }) => timeUs),
    mean: column('mean'),
    min: column('min'),
    max: column('max'),
    first: column('first'),
    last: column('last'),
  }
}
