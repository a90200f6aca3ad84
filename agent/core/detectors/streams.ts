import type { AlarmRule } from './alarm.ts'
import type { ChannelDetector, RigDetector } from './detector.ts'
import { LEVEL } from './level.ts'

/**
 * What a stream's alarm is for: `event` streams say that something happened and make the rig's state; `advisory` ones are
 * shown and make a metric DRIFT, and never join the latch of an event stream: merged into one they doubled the time in
 * alarm after a fault was over.
 */
export type StreamUse = 'event' | 'advisory'

export type ChannelStream = Readonly<{ detector: ChannelDetector; use: StreamUse; rule: AlarmRule }>
export type RigStream = Readonly<{ detector: RigDetector; use: StreamUse; rule: AlarmRule }>

/** The detectors in force, in the order of their states in a checkpoint. To add one: a file with it, and a row here. */
export const CHANNEL_STREAMS: readonly ChannelStream[] = [
  { detector: LEVEL, use: 'event', rule: { onRows: 1, offRows: 5, recoveredRatio: 0.1 } },
]

export const RIG_STREAMS: readonly RigStream[] = []

/** Names of all streams; they are the grounds of findings. */
export const STREAM_NAMES: readonly string[] = [...CHANNEL_STREAMS, ...RIG_STREAMS].map(({ detector }) => detector.name)
