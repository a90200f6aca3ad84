import type { Micros } from '../units.ts'

/** How good a sample is, as its source says (decisions 18). */
export const QUALITY = { good: 0, suspect: 1, bad: 2, missing: 3 } as const

/**
 * Samples of some channels from one source, decoded and shape-checked. Times are event times.
 *
 * `value[c * timeUs.length + i]` is channel `c` at `timeUs[i]`; `quality` has the same layout.
 * `seq` counts the frames of one `epoch` of one `source`; a single JSON sample has `seq` −1 (no sequence).
 */
export type Frame = Readonly<{
  rig: string
  source: string
  epoch: string
  seq: number
  /** Channel names in full, or null when the frame names them by `cid` only. */
  channels: readonly string[] | null
  /** Digest of the channel list, hex; null when the frame carries none. A list message has names, a cid and no samples. */
  cid: string | null
  timeUs: Float64Array
  value: Float64Array
  quality?: Uint8Array
  /** Unit stated by a single JSON sample; absent means the canonical unit of the metric is assumed. */
  unit?: string
  /** Where the samples come from: only `live` may ever satisfy a gate for a hard action. */
  provenance: Provenance
  /** Which of its channels a bench put there; absent: none, and nothing is verified. */
  injected?: InjectedMark
}>

/** Names of the channels of a frame whose samples are injected, and the injector's Ed25519 signature of that. */
export type InjectedMark = Readonly<{
  channels: readonly string[]
  signature: Uint8Array
  /** Event times that samples without a sequence say: what their mark is about, in place of source, epoch and number. */
  timesUs?: readonly Micros[]
}>

export const PROVENANCES = ['live', 'late', 'replay', 'simulated', 'injected', 'overridden'] as const
export type Provenance = (typeof PROVENANCES)[number]

/** Why a message with injected samples was not taken: it came outside a testbed, or under a mark that is not the injector's. */
export const INJECTED_REFUSALS = ['injected_refused', 'taint_forged'] as const
export type InjectedRefusal = (typeof INJECTED_REFUSALS)[number]

/** Why a whole telemetry message was not taken. Counted by reason; the first of each kind is kept as an example. */
export const FRAME_REFUSALS = [
  'malformed_cbor',
  'malformed_json',
  'too_large',
  'wrong_version',
  'wrong_shape',
  'wrong_rig',
  'unknown_cid',
  'bad_name',
  'bad_time',
  'duplicate_frame',
  'sources_full',
  'channels_full',
  'bad_row',
  ...INJECTED_REFUSALS,
] as const
export type FrameRefusal = (typeof FRAME_REFUSALS)[number]

/** Why one sample was not evaluated though its message was taken. */
export const SAMPLE_REFUSALS = [
  'not_a_number',
  'quality_bad',
  'quality_missing',
  'future',
  'unknown_channel',
  'unit_mismatch',
  'alias_collision',
  'bad_time',
  'suspect_ms',
  'suspect_s',
  'suspect_ns',
] as const
export type SampleRefusal = (typeof SAMPLE_REFUSALS)[number]

/**
 * The loss ledger of one channel. It balances: received = evaluated + late + duplicate + rejected + shed + pending,
 * where pending are samples in panes that are still open. Missing stands beside it (gaps in a source's sequence).
 */
export type LedgerCounts = Readonly<{
  received: number
  evaluated: number
  late: number
  duplicate: number
  rejected: number
  shed: number
  pending: number
}>

/** A half-open span of event time, `[fromUs, toUs)`. */
export type Span = Readonly<{ fromUs: Micros; toUs: Micros }>

/** A day: a time this near to now after a change of unit was meant in that unit. */
const NEAR_US = 86_400_000_000

/** Recognises a time that makes sense only in another unit than µs. @returns the unit it looks like, or null. */
export function suspectUnit(timeUs: Micros, nowUs: Micros): 'suspect_ms' | 'suspect_s' | 'suspect_ns' | null {
  if (Math.abs(timeUs - nowUs) <= NEAR_US) return null
  if (Math.abs(timeUs * 1000 - nowUs) <= NEAR_US) return 'suspect_ms'
  if (Math.abs(timeUs * 1_000_000 - nowUs) <= NEAR_US) return 'suspect_s'
  if (Math.abs(timeUs / 1000 - nowUs) <= NEAR_US) return 'suspect_ns'
  return null
}
