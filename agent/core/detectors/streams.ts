import type { ChannelDetector, RigDetector } from './detector.ts'
import { GOLDEN } from './golden.ts'
import type { LatchRule } from './latches.ts'
import { LEVEL } from './level.ts'
import { MULTIVARIATE } from './multivariate.ts'
import { SPIKE } from './spike.ts'
import { STUCK } from './stuck.ts'
import { VARIANCE } from './variance.ts'

/**
 * What a stream's alarm is for: `event` streams say that something happened and make the rig's state; `advisory` ones are
 * shown and make a metric DRIFT, and never join the latch of an event stream: merged into one they doubled the time in
 * alarm after a fault was over.
 */
export type StreamUse = 'event' | 'advisory'

/**
 * Support: two channels beyond a score at which neither need be beyond its own limit. `name` is that of its fit, `limitMin`
 * the least score. One odd nominal segment may blind a channel; it seldom blinds two at once.
 */
export type Support = Readonly<{ name: string; version: number; limitMin: number }>

export type ChannelStream = Readonly<{
  detector: ChannelDetector
  use: StreamUse
  rule: LatchRule
  support: Support | null
}>
export type RigStream = Readonly<{ detector: RigDetector; use: StreamUse; rule: LatchRule }>

/** The detectors in force, in the order of their states in a checkpoint. To add one: a file with it, and a row here. */
export const CHANNEL_STREAMS: readonly ChannelStream[] = [
  {
    detector: LEVEL,
    use: 'event',
    rule: { onRows: 3, offRows: 5, quietScore: 2, recoveredRatio: 0.1 },
    support: { name: 'level_support', version: 1, limitMin: 3 },
  },
  {
    detector: VARIANCE,
    use: 'advisory',
    rule: { onRows: 5, offRows: 10, quietScore: 2, recoveredRatio: 0 },
    support: null,
  },
  {
    detector: SPIKE,
    use: 'advisory',
    rule: { onRows: 1, offRows: 5, quietScore: 4, recoveredRatio: 0 },
    support: null,
  },
  {
    detector: STUCK,
    use: 'advisory',
    rule: { onRows: 1, offRows: 5, quietScore: 1, recoveredRatio: 0 },
    support: null,
  },
  {
    detector: GOLDEN,
    use: 'advisory',
    rule: { onRows: 30, offRows: 60, quietScore: 2, recoveredRatio: 0 },
    support: null,
  },
]

export const RIG_STREAMS: readonly RigStream[] = [
  {
    detector: MULTIVARIATE,
    use: 'event',
    rule: { onRows: 3, offRows: 5, quietScore: 4, recoveredRatio: 0.2 },
  },
]

/** Rows beyond its limit after which every event stream has spoken. */
export const EVENT_ON_ROWS = Math.max(
  ...[...CHANNEL_STREAMS, ...RIG_STREAMS].filter(({ use }) => use === 'event').map(({ rule }) => rule.onRows),
)

/** Names of all streams; they are the grounds of findings. */
export const STREAM_NAMES: readonly string[] = [...CHANNEL_STREAMS, ...RIG_STREAMS].map(({ detector }) => detector.name)
