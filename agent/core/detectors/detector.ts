import type { Latches } from './latches.ts'
import type { StepRow, StepTable } from './steps.ts'

/** What a fit found: the numbers of a baseline, or a copy that is quick to read. */
export type Numbers = ArrayLike<number>

/**
 * Watches one channel by itself, one step after the other. The interface a rig owner implements to add one: a file with
 * an object of this type, named in {@link ./streams.ts}.
 *
 * `numbers` are what `fit` found, kept in the baseline and never changed. `state` holds `fields` doubles of this channel
 * from index `at` on and nothing else is remembered, so that a checkpoint is the state. Only + − × ÷ √ and comparisons:
 * the same steps give the same bits everywhere.
 */
export type ChannelDetector = Readonly<{
  name: string
  /** Raised when `numbers` or scores would differ; a baseline of another version does not speak for this stream. */
  version: number
  /** Doubles of state a channel. */
  fields: number
  /** Steps whose mean it judges. */
  meanSteps: number
  /** A replayed limit is never below this score. */
  limitMin: number
  /** From nominal segments, oldest first; `channel` is the column. Null when there is too little to say anything. */
  fit(segments: readonly StepTable[], channel: number): readonly number[] | null
  begin(numbers: Numbers, state: Float64Array, at: number): void
  /**
   * Takes a row: of every channel that has a fit and made a step (its mean is a number), writes the score, where 0 is as
   * ever and the limit is where it speaks, never NaN. The loop is the detector's own, so that it is compiled for it alone:
   * one loop that calls five detectors costs more than what they do.
   */
  step(watched: WatchedChannels, row: StepRow): void
  /** Steps that nobody saw went by. */
  skip?(numbers: Numbers, state: Float64Array, at: number, steps: number): void
  /** Signed distance from what was expected, in the unit of the metric; what recovery is measured by. */
  deviation?(numbers: Numbers, state: Float64Array, at: number): number
  /** The alarm is over: lets the detector find the new level when it is not the old one. */
  release?(numbers: Numbers, state: Float64Array, at: number): void
  /** What is expected and how far from it is 1 score, in the unit of the metric: for people to look at. */
  band?(numbers: Numbers, state: Float64Array, at: number): Readonly<{ level: number; perScore: number }>
  /** Smallest lasting shift that is told at a limit, in the unit of the metric. */
  detectableShift?(numbers: Numbers, limit: number): number
}>

/** The channels that a detector watches. State of channel `c` begins at `c · fields`. */
export type WatchedChannels = Readonly<{
  /** By channel; null for one that the baseline does not know. */
  fits: readonly (Readonly<{ numbers: Numbers }> | null)[]
  state: Float64Array
  /** Written by the detector. */
  scores: Float64Array
  /** Which channels are in alarm, by `isLatched`: what is abnormal must not teach the detector. */
  latches: Latches
}>

/**
 * Watches all channels at once, and scores each of them: limits, alarms and driver are of channels, whoever scores them.
 * Same rules as {@link ChannelDetector}; the order of channels is that of the rig's metrics.
 */
export type RigDetector = Readonly<{
  name: string
  version: number
  /** Steps whose mean it judges at the longest. */
  meanSteps: number
  limitMin: number
  /** Doubles of state for these numbers. */
  fields(numbers: Numbers): number
  fit(segments: readonly StepTable[]): readonly number[] | null
  begin(numbers: Numbers, state: Float64Array): void
  /** Takes a row; a channel whose mean is NaN has nothing new. Writes every channel's score. */
  step(numbers: Numbers, state: Float64Array, row: StepRow, to: RigScores): void
  /** Steps that nobody saw went by. */
  skip(numbers: Numbers, state: Float64Array, gap: Readonly<{ steps: number; held: Uint8Array }>): void
  /** Signed distance of a channel from what was expected, in the unit of its metric. */
  deviation(numbers: Numbers, state: Float64Array, channel: number): number
  /** The alarm of a channel is over: lets the detector find its new level when it is not the old one. */
  release(numbers: Numbers, state: Float64Array, channel: number): void
  /** How far beyond a limit it must be to make an event, by what its nominal data show of how far it can be trusted. */
  eventRatio(numbers: Numbers): number
}>

/** Where the scores of channels go, one a channel; `held` is 1 for a channel that is in alarm: that must not teach. */
export type RigScores = Readonly<{ held: Uint8Array; scores: Float64Array }>
