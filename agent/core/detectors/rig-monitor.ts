import type { DetectorFit } from '../../../shared/model/baseline.ts'
import { driverOf } from './alarm.ts'
import {
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
import { largest, type Voice } from './voice.ts'

/** One stream that watches all channels together. */
export type RigMonitor = Readonly<{
  stream: RigStream
  fit: DetectorFit
  /** Of each channel. */
  limits: Float64Array
  /** Limits it must come to for an event. */
  eventRatio: number
  state: Float64Array
  /** Scores ÷ limits of the newest row. */
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
    const state = new Float64Array(detector.fields(fit.numbers))
    detector.begin(fit.numbers, state)
    return [
      {
        stream,
        fit,
        limits: Float64Array.from(channels, (of) => fitOf(of, detector)?.limit ?? detector.limitMin),
        eventRatio: detector.eventRatio(fit.numbers),
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
  const { stream, fit, limits, state, scores, latches, held } = of
  const { detector, rule } = stream
  for (let c = 0; c < held.length; c += 1) held[c] = isLatched(latches, c) ? 1 : 0
  detector.step(fit.numbers, state, row, { held, scores })
  const driver = driverOf(latches)
  const driverSince = driverSinceOf(latches)
  let driverEnded = false
  beginLatchRow(latches)
  for (let c = 0; c < held.length; c += 1) {
    LATCH.score = scores[c]!
    LATCH.limit = limits[c]!
    LATCH.distance = detector.deviation(fit.numbers, state, c)
    scores[c] = scores[c]! / limits[c]!
    LATCH.over = mayStart && scores[c]! > 1
    if (!stepLatch(latches, rule, c, LATCH)) continue
    detector.release(fit.numbers, state, c)
    if (c === driver) driverEnded = true
  }
  if (driverEnded) for (const c of clearFollowers(latches, driverSince)) detector.release(fit.numbers, state, c)
  endLatchRow(latches)
}

/** Steps that nobody saw went by: a gap in time. */
export function skipRig({ stream, fit, state, latches }: RigMonitor, steps: number): void {
  breakLatchRows(latches)
  stream.detector.skip(fit.numbers, state, steps)
}

/** Largest score of a channel, in what an event takes. */
export function eventScoreOf({ scores, eventRatio }: RigMonitor): number {
  return largest(scores) / eventRatio
}

/** What the stream says of a channel; null while that is not in alarm. */
export function voiceOfRig({ stream, fit, limits, state, scores, latches }: RigMonitor, channel: number): Voice | null {
  if (!isLatched(latches, channel)) return null
  const { detector } = stream
  return {
    stream: detector.name,
    ratio: scores[channel]!,
    level: null,
    perScore: null,
    limit: limits[channel]!,
    distance: detector.deviation(fit.numbers, state, channel),
    steps: detector.meanSteps,
  }
}
