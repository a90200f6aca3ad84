import { driverOf, isActive } from './alarm.ts'
import {
  areLatchesIdle,
  beginLatchRow,
  breakLatchRows,
  clearFollowers,
  createLatches,
  driverSinceOf,
  endLatchRow,
  isLatched,
  type Latches,
  type LatchStep,
  stepLatch,
} from './latches.ts'
import { fitOf, type MonitorSettings } from './monitor-settings.ts'
import type { StepRow } from './steps.ts'
import { RIG_STREAMS, type RigStream } from './streams.ts'
import type { Voice } from './voice.ts'

/** One stream that watches all channels together. */
export type RigMonitor = Readonly<{
  stream: RigStream
  numbers: Float64Array
  /** Of each channel. */
  limits: Float64Array
  /** Limits it must come to for an event. */
  eventRatio: number
  state: Float64Array
  /** Of each channel in the newest row. */
  scores: Float64Array
  latches: Latches
  /** Which channels are in alarm; written before it is read. */
  held: Uint8Array
}>

/** The streams that the baseline has a fit of; limits are in the fits of the channels. */
export function createRigMonitors({ channels, rig }: MonitorSettings): RigMonitor[] {
  return RIG_STREAMS.flatMap((stream): RigMonitor[] => {
    const { detector } = stream
    const fit = fitOf(rig, detector)
    if (fit === null) return []
    const numbers = Float64Array.from(fit.numbers)
    const state = new Float64Array(detector.fields(numbers))
    detector.begin(numbers, state)
    return [
      {
        stream,
        numbers,
        limits: Float64Array.from(channels, (of) => fitOf(of, detector)?.limit ?? detector.limitMin),
        eventRatio: detector.eventRatio(numbers),
        state,
        scores: new Float64Array(channels.length),
        latches: createLatches(channels.length),
        held: new Uint8Array(channels.length),
      },
    ]
  })
}

const LATCH: LatchStep = { over: false, score: 0, limit: 1, distance: 0 }

/** Takes a row. An alarm may end at any time, and begin only when `mayStart`. */
export function stepRig(of: RigMonitor, row: StepRow, mayStart: boolean): void {
  const { stream, numbers, limits, state, scores, latches, held } = of
  hold(of)
  stream.detector.step(numbers, state, row, { held, scores })
  beginLatchRow(latches)
  let isQuiet = areLatchesIdle(latches)
  for (let c = 0; c < scores.length; c += 1) if (scores[c]! > limits[c]!) isQuiet = false
  // Nearly always so.
  if (!isQuiet) latchRig(of, mayStart)
}

function hold({ latches, held }: RigMonitor): void {
  const isAny = isActive(latches)
  for (let c = 0; c < held.length; c += 1) held[c] = isAny && isLatched(latches, c) ? 1 : 0
}

function latchRig({ stream, numbers, limits, state, scores, latches }: RigMonitor, mayStart: boolean): void {
  const { detector, rule } = stream
  const driver = driverOf(latches)
  const driverSince = driverSinceOf(latches)
  let driverEnded = false
  for (let c = 0; c < scores.length; c += 1) {
    LATCH.score = scores[c]!
    LATCH.limit = limits[c]!
    LATCH.over = mayStart && scores[c]! > limits[c]!
    LATCH.distance = detector.deviation(numbers, state, c)
    if (!stepLatch(latches, rule, c, LATCH)) continue
    detector.release(numbers, state, c)
    if (c === driver) driverEnded = true
  }
  if (driverEnded) for (const c of clearFollowers(latches, driverSince)) detector.release(numbers, state, c)
  endLatchRow(latches)
}

/** Steps that nobody saw went by: a gap in time. */
export function skipRig(of: RigMonitor, steps: number): void {
  const { stream, numbers, state, latches, held } = of
  breakLatchRows(latches)
  hold(of)
  stream.detector.skip(numbers, state, { steps, held })
}

/** How far a channel is, in limits. */
export function rigRatioOf({ scores, limits }: RigMonitor, channel: number): number {
  return scores[channel]! / limits[channel]!
}

/** How far the furthest channel is, in limits. */
export function largestRigRatio(of: RigMonitor): number {
  let most = 0
  for (let c = 0; c < of.scores.length; c += 1) most = Math.max(most, rigRatioOf(of, c))
  return most
}

/** How far the furthest channel is, in what an event takes. */
export function eventScoreOf(of: RigMonitor): number {
  return largestRigRatio(of) / of.eventRatio
}

/** What the stream says of a channel; null while that is not in alarm. */
export function voiceOfRig(of: RigMonitor, channel: number): Voice | null {
  const { stream, numbers, limits, state, latches } = of
  if (!isLatched(latches, channel)) return null
  const { detector } = stream
  return {
    stream: detector.name,
    ratio: rigRatioOf(of, channel),
    level: null,
    perScore: null,
    limit: limits[channel]!,
    distance: detector.deviation(numbers, state, channel),
    steps: detector.meanSteps,
  }
}
