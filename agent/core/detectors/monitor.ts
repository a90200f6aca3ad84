import { type AlarmState, driverOf, isActive } from './alarm.ts'
import {
  areLatchesIdle,
  beginLatchRow,
  breakLatchRows,
  clearFollowers,
  createLatches,
  driverSinceOf,
  endLatchRow,
  isLatched,
  isLatchIdle,
  type Latches,
  type LatchStep,
  stepLatch,
} from './latches.ts'
import { fitOf, type MonitorSettings } from './monitor-settings.ts'
import { createRigMonitors, eventScoreOf, type RigMonitor, skipRig, stepRig, voiceOfRig } from './rig-monitor.ts'
import type { StepRow } from './steps.ts'
import { CHANNEL_STREAMS, type ChannelStream, EVENT_ON_ROWS, type StreamUse } from './streams.ts'
import type { Voice } from './voice.ts'

/** A fit of the baseline, its numbers as doubles in a row. */
type ChannelFit = Readonly<{ numbers: Float64Array; limit: number }>

/** One channel stream of a rig: fits, state, and the score of every channel in limits. */
export type ChannelMonitor = Readonly<{
  stream: ChannelStream
  fits: readonly (ChannelFit | null)[]
  state: Float64Array
  /** Score of the newest step of each channel; 0 for one without a fit. */
  scores: Float64Array
  latches: Latches
  /** Score that two channels must pass for neither to need its own limit; Infinity without support. */
  supportLimit: number
}>

/** All detectors of one rig. Everything but `settings` is state. */
export type Monitor = {
  readonly settings: MonitorSettings
  readonly channels: readonly ChannelMonitor[]
  readonly rig: readonly RigMonitor[]
  /** Rows taken since it began, and rows for which events are held back yet while the rig settles. */
  readonly progress: Float64Array
}

const ROWS = 0

export function createMonitor(settings: MonitorSettings): Monitor {
  const channels = CHANNEL_STREAMS.map((stream): ChannelMonitor => {
    const { detector } = stream
    const fits = settings.channels.map((of): ChannelFit | null => {
      const fit = fitOf(of, detector)
      return fit === null ? null : { numbers: Float64Array.from(fit.numbers), limit: fit.limit }
    })
    const state = new Float64Array(fits.length * detector.fields)
    fits.forEach((fit, c) => {
      if (fit !== null) detector.begin(fit.numbers, state, c * detector.fields)
    })
    const supportLimit =
      (stream.support === null ? null : fitOf(settings.rig, stream.support))?.limit ?? Number.POSITIVE_INFINITY
    return {
      stream,
      fits,
      state,
      scores: new Float64Array(fits.length),
      latches: createLatches(fits.length),
      supportLimit,
    }
  })
  const rig = createRigMonitors(settings)
  return { settings, channels, rig, progress: new Float64Array(1) }
}

/** Takes one row of steps. */
export function stepMonitor(monitor: Monitor, row: StepRow): void {
  const { progress } = monitor
  progress[ROWS] = progress[ROWS]! + 1
  const mayStart = isWarm(monitor)
  const { channels, rig } = monitor
  for (let k = 0; k < channels.length; k += 1) stepChannels(channels[k]!, row, mayStart)
  for (let k = 0; k < rig.length; k += 1) stepRig(rig[k]!, row, mayStart)
}

const LATCH: LatchStep = { over: false, score: 0, limit: 1, distance: 0 }

function stepChannels(of: ChannelMonitor, row: StepRow, mayStart: boolean): void {
  const { stream, fits, scores, latches, supportLimit } = of
  const { mean } = row
  stream.detector.step(of, row)
  beginLatchRow(latches)
  // The furthest channel, and how far the one behind it is: what support is about.
  let furthest = -1
  let first = 0
  let second = 0
  let isQuiet = areLatchesIdle(latches)
  for (let c = 0; c < fits.length; c += 1) {
    const fit = fits[c]!
    if (fit === null || Number.isNaN(mean[c]!)) continue
    const score = scores[c]!
    if (score > fit.limit) isQuiet = false
    if (score > first) {
      second = first
      first = score
      furthest = c
    } else if (score > second) second = score
  }
  LATCH_ROW.mayStart = mayStart
  LATCH_ROW.supported = second > supportLimit ? furthest : -1
  // Nearly always so.
  if (isQuiet && LATCH_ROW.supported < 0) return
  latchChannels(of, row, LATCH_ROW)
}

type LatchRow = { mayStart: boolean; supported: number }
const LATCH_ROW: LatchRow = { mayStart: false, supported: -1 }

function latchChannels(of: ChannelMonitor, row: StepRow, { mayStart, supported }: Readonly<LatchRow>): void {
  const { stream, fits, state, scores, latches } = of
  const { detector, rule } = stream
  const driver = driverOf(latches)
  const driverSince = driverSinceOf(latches)
  let driverEnded = false
  for (let c = 0; c < fits.length; c += 1) {
    const fit = fits[c]!
    if (fit === null || Number.isNaN(row.mean[c]!)) continue
    const over = mayStart && (scores[c]! > fit.limit || c === supported)
    if (!over && isLatchIdle(latches, c)) continue
    LATCH.over = over
    LATCH.limit = fit.limit
    LATCH.score = scores[c]!
    LATCH.distance = detector.deviation?.(fit.numbers, state, c * detector.fields) ?? LATCH.score
    if (!stepLatch(latches, rule, c, LATCH)) continue
    detector.release?.(fit.numbers, state, c * detector.fields)
    if (c === driver) driverEnded = true
  }
  if (driverEnded)
    for (const c of clearFollowers(latches, driverSince))
      detector.release?.(fits[c]!.numbers, state, c * detector.fields)
  endLatchRow(latches)
}

/**
 * Steps that nobody saw went by: a gap in time. No new warm-up: references would follow what happened in the gap before
 * anybody may speak of it.
 */
export function skipMonitor(monitor: Monitor, steps: number): void {
  for (const { stream, fits, state, latches } of monitor.channels) {
    const { detector } = stream
    breakLatchRows(latches)
    // A channel in alarm stands still: its reference is frozen, and the mean of before is still what is known of the fault.
    fits.forEach((fit, c) => {
      if (fit !== null && !isLatched(latches, c)) detector.skip?.(fit.numbers, state, c * detector.fields, steps)
    })
  }
  for (const of of monitor.rig) skipRig(of, steps)
}

/** The stream that speaks loudest about a channel, one that makes events before one that advises; null while none does. */
export function voiceOf(monitor: Monitor, channel: number): Voice | null {
  let loudest: Voice | null = null
  let isEvent = false
  const hear = (voice: Voice, use: StreamUse) => {
    const outdoes = (use === 'event') === isEvent ? !(loudest !== null && loudest.ratio >= voice.ratio) : !isEvent
    if (!outdoes) return
    loudest = voice
    isEvent = use === 'event'
  }
  for (const of of monitor.channels) {
    const { stream, fits, state, latches } = of
    const fit = fits[channel]
    if (fit == null || !isLatched(latches, channel)) continue
    const { detector } = stream
    const at = channel * detector.fields
    const band = detector.band?.(fit.numbers, state, at) ?? null
    const voice = {
      stream: detector.name,
      ratio: ratioOf(of, channel),
      level: band?.level ?? null,
      perScore: band?.perScore ?? null,
      limit: fit.limit,
      distance: detector.deviation?.(fit.numbers, state, at) ?? null,
      steps: detector.meanSteps,
    }
    hear(voice, stream.use)
  }
  for (const of of monitor.rig) {
    const voice = voiceOfRig(of, channel)
    if (voice !== null) hear(voice, of.stream.use)
  }
  return loudest
}

/** What the event streams say of the rig. */
export type Event = Readonly<{
  state: 'warming_up' | 'nominal' | 'alarm'
  /** Largest score of an event stream, in limits. */
  score: number
  /** The stream and channel that drive the alarm; null while there is none. */
  stream: string | null
  channel: number
}>

export function eventOf(monitor: Monitor): Event {
  let score = 0
  let driven: { stream: string; channel: number; score: number } | null = null
  const hear = (name: string, alarm: AlarmState, most: number) => {
    score = Math.max(score, most)
    if (isActive(alarm) && (driven === null || most > driven.score))
      driven = { stream: name, channel: driverOf(alarm), score: most }
  }
  for (const of of monitor.channels)
    if (of.stream.use === 'event') hear(of.stream.detector.name, of.latches, largestRatio(of))
  for (const of of monitor.rig) {
    if (of.stream.use !== 'event') continue
    // Nearer than an event takes it is in alarm, for people to see, and no event.
    const most = eventScoreOf(of)
    if (most > 1) hear(of.stream.detector.name, of.latches, most)
    else score = Math.max(score, most)
  }
  const active = driven as { stream: string; channel: number } | null
  if (active !== null) return { state: 'alarm', score, stream: active.stream, channel: active.channel }
  return { state: isWarm(monitor) ? 'nominal' : 'warming_up', score, stream: null, channel: -1 }
}

/**
 * Whether it would have told of a fault that stands: its means have filled, and rows enough for an event have gone by since.
 * Until then its silence says nothing.
 */
export function isSure({ progress, settings }: Monitor): boolean {
  return progress[ROWS]! >= settings.warmUpRows + EVENT_ON_ROWS
}

/** Whether its means have filled, and events may begin. */
function isWarm({ progress, settings }: Monitor): boolean {
  return progress[ROWS]! > settings.warmUpRows
}

/** Everything a monitor remembers, in a fixed order: a snapshot is a copy of these. */
export function arraysOfMonitor({ channels, rig, progress }: Monitor): Float64Array[] {
  return [
    progress,
    ...channels.flatMap(({ state, scores, latches }) => [state, scores, latches]),
    ...rig.flatMap(({ state, scores, latches }) => [state, scores, latches]),
  ]
}

/** How far a channel is in a stream, in limits; 0 for one it knows nothing of. */
export function ratioOf({ fits, scores }: ChannelMonitor, channel: number): number {
  const fit = fits[channel]
  return fit == null ? 0 : scores[channel]! / fit.limit
}

/** How far the furthest channel of a stream is, in limits. */
export function largestRatio(of: ChannelMonitor): number {
  let most = 0
  for (let c = 0; c < of.fits.length; c += 1) most = Math.max(most, ratioOf(of, c))
  return most
}
