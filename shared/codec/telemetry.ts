import { DOMAIN, digestOf, toHex } from '../crypto/digest.ts'
import { SIGNATURE_BYTES } from '../crypto/sign.ts'
import { isHbError } from '../errors/hb-error.ts'
import { isChannelName, isId } from '../model/ids.ts'
import type { FrameResult } from '../model/input.ts'
import type { Frame, InjectedMark, Provenance } from '../model/telemetry.ts'
import type { Micros } from '../units.ts'
import { canonicalBytes } from './canonical.ts'
import { jsonOf, samplesFrom } from './json-samples.ts'
import { brief, idOf, isQuality, Refused, unitOf } from './telemetry-shape.ts'
import { decodeTransport, encodeTransport, type TransportCaps } from './transport.ts'

/** Version of the telemetry frame, its field `v`. */
export const FRAME_VERSION = 1
/** Bounds of one frame; a larger one is refused whole and counted. */
export const FRAME_BYTES_MAX = 4 * 1024 * 1024
export const FRAME_CHANNELS_MAX = 4096
export const FRAME_TIMES_MAX = 65_536
const CAPS: TransportCaps = { bytesMax: FRAME_BYTES_MAX, depthMax: 4, itemsMax: 300_000 }
/** Text that names a source's life; chosen by the publisher at its start. */
const EPOCH_MAX = 64
/** Detail of a refusal for which there should be a better one: a mistake of the decoder. */
export const UNFORESEEN = 'the decoder has no answer to it'
/** Characters of a row that are kept of one that cannot be read. */
const ROW_TEXT_MAX = 160

export type TelemetryMessage = Readonly<{
  /** Rig that the endpoint belongs to; a frame of another rig is refused. */
  rig: string
  /** Configured source: the name of a JSON sample that gives none. */
  origin: string
  encoding: 'cbor' | 'json'
  provenance: Provenance
  message: Uint8Array
  nowUs: Micros
  /** Dated by arrival: the newest sample of a message is of `nowUs`, the others keep their distance to it. */
  time?: 'arrival'
}>

/**
 * Reads one telemetry message. Hostile bytes never throw: they give the reason they are refused for.
 *
 * A frame is a map in profile `transport`: `v` 1, `rig`, `source`, `epoch`, `seq`, `ch` (channel names) or `cid` (digest of
 * a list sent before, 32 bytes), `t` (event times in µs), `x` (values, channel by channel) and optionally `q` (quality,
 * same layout), `unit` and `inj` (a list of the injected channels and a signature, see `signMark`). A message with `ch` and
 * `cid` and without `t` announces a list. JSON is in `json-samples.ts`; it has no sequence.
 *
 * Deterministic: the same bytes give the same frame on every machine, for the journal keeps the bytes.
 */
export function decodeTelemetry(message: TelemetryMessage): FrameResult {
  const result = message.encoding === 'cbor' ? decodeFrame(message) : decodeSamples(message)
  if (message.time !== 'arrival' || !result.ok || result.frame.timeUs.length === 0) return result
  return { ok: true, frame: { ...result.frame, timeUs: arrivalTimes(result.frame.timeUs, message.nowUs) } }
}

/**
 * Times of a message that is dated by arrival. A single sample needs no time of its own to make sense; where there are
 * several, one that is no whole number stays as it is and is refused like anywhere.
 */
function arrivalTimes(timeUs: Float64Array, nowUs: Micros): Float64Array {
  if (timeUs.length === 1) return Float64Array.of(nowUs)
  const newest = timeUs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  return timeUs.map((t) => (Number.isSafeInteger(t) && Number.isSafeInteger(newest) ? nowUs - (newest - t) : t))
}

/** The rig that a message says it is of, for whoever listens without knowing; null when it says none. Never throws. */
export function rigIn(message: Uint8Array, encoding: 'cbor' | 'json'): string | null {
  try {
    const value = encoding === 'cbor' ? transportMap(message) : jsonOf(message)
    const first: unknown = Array.isArray(value) ? value[0] : value
    const rig = typeof first === 'object' && first !== null ? Reflect.get(first, 'rig') : undefined
    return typeof rig === 'string' && isId(rig) ? rig : null
  } catch {
    // Whatever is wrong with it is said when it is decoded.
    return null
  }
}

/** Bytes of a frame, as publishers and the file and host sources make them. */
export function encodeFrame(frame: Omit<Frame, 'provenance'>): Uint8Array {
  const { rig, source, epoch, seq, channels, cid, timeUs, value, quality, unit, injected } = frame
  return encodeTransport({
    v: FRAME_VERSION,
    rig,
    source,
    epoch,
    seq,
    ...(channels === null ? {} : { ch: channels }),
    ...(cid === null ? {} : { cid: new Uint8Array(Buffer.from(cid, 'hex')) }),
    ...(timeUs.length === 0 ? {} : { t: timeUs, x: value }),
    ...(quality === undefined ? {} : { q: quality }),
    ...(unit === undefined ? {} : { unit }),
    ...(injected === undefined ? {} : { inj: [injected.channels, injected.signature] }),
  })
}

/** Bytes that stand for a row of a recording that cannot be read: refused as `bad_row`, with the text as the example. */
export function encodeBadRow({ rig, row, text }: { rig: string; row: number; text: string }): Uint8Array {
  return encodeTransport({
    v: FRAME_VERSION,
    rig,
    bad_row: `row ${row}: ${text.slice(0, ROW_TEXT_MAX)}`,
  })
}

/** Digest that stands for a list of channel names, in hex. */
export function channelListId(names: readonly string[]): string {
  return toHex(digestOf(DOMAIN.channelList, canonicalBytes(names)))
}

function decodeFrame({ rig, provenance, message }: TelemetryMessage): FrameResult {
  try {
    return { ok: true, frame: frameFrom(rig, provenance, transportMap(message)) }
  } catch (thrown) {
    return refusal(rig, thrown)
  }
}

function transportMap(message: Uint8Array): Record<string, unknown> {
  if (message.length > FRAME_BYTES_MAX) throw new Refused('too_large', `more than ${FRAME_BYTES_MAX} bytes`)
  const value = decodeTransport(message, CAPS)
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value))
    throw new Refused('wrong_shape', 'not a map')
  return value as Record<string, unknown>
}

function frameFrom(rig: string, provenance: Provenance, map: Record<string, unknown>): Frame {
  if (map['v'] !== FRAME_VERSION)
    throw new Refused('wrong_version', `v is ${brief(map['v'])}, expected ${FRAME_VERSION}`)
  if (map['rig'] !== rig) throw new Refused('wrong_rig', `rig is ${brief(map['rig'])}, expected ${rig}`)
  const { epoch, seq, bad_row: badRow } = map
  if (typeof badRow === 'string') throw new Refused('bad_row', badRow.slice(0, 2 * ROW_TEXT_MAX))
  const source = idOf(map['source'], 'source')
  if (typeof epoch !== 'string' || epoch.length === 0 || epoch.length > EPOCH_MAX)
    throw new Refused('wrong_shape', 'epoch is no short text')
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0)
    throw new Refused('wrong_shape', `seq is ${brief(seq)}`)
  const channels = map['ch'] === undefined ? null : namesOf(map['ch'])
  const cid = map['cid'] === undefined ? null : cidOf(map['cid'])
  if (channels !== null && cid !== null && channelListId(channels) !== cid)
    throw new Refused('unknown_cid', 'cid is not the digest of ch')
  if (channels === null && cid === null) throw new Refused('wrong_shape', 'neither ch nor cid')
  const timeUs = map['t'] === undefined ? new Float64Array(0) : numbersOf(map['t'], 't', FRAME_TIMES_MAX)
  const value = map['x'] === undefined ? new Float64Array(0) : numbersOf(map['x'], 'x', FRAME_BYTES_MAX / 4)
  if (timeUs.length === 0 && channels === null) throw new Refused('wrong_shape', 'no times')
  if (channels !== null && value.length !== channels.length * timeUs.length)
    throw new Refused('wrong_shape', `${value.length} values for ${channels.length} channels at ${timeUs.length} times`)
  if (timeUs.length > 0 && (value.length === 0 || value.length % timeUs.length !== 0))
    throw new Refused('wrong_shape', `${value.length} values at ${timeUs.length} times`)
  const quality = qualityOf(map['q'], value.length)
  const unit = unitOf(map['unit'])
  const injected = markOf(map['inj'], channels)
  return {
    rig,
    source,
    epoch,
    seq,
    channels,
    cid,
    timeUs,
    value,
    provenance,
    ...(quality === undefined ? {} : { quality }),
    ...(unit === undefined ? {} : { unit }),
    ...(injected === undefined ? {} : { injected }),
  }
}

/** The shape of a mark; who signed it is for those who have a key. Names that the frame does not have mark nothing. */
function markOf(value: unknown, channels: readonly string[] | null): InjectedMark | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length !== 2) throw new Refused('wrong_shape', 'inj is no mark')
  const [names, signature]: unknown[] = value
  if (!(signature instanceof Uint8Array && signature.length === SIGNATURE_BYTES))
    throw new Refused('wrong_shape', 'inj has no signature')
  const marked = namesOf(names, 'inj')
  const foreign = channels === null ? undefined : marked.find((name) => !channels.includes(name))
  if (foreign !== undefined) throw new Refused('wrong_shape', `inj names ${brief(foreign)}, which the frame has not`)
  return { channels: marked, signature }
}

function decodeSamples({ rig, origin, provenance, message }: TelemetryMessage): FrameResult {
  try {
    if (message.length > FRAME_BYTES_MAX) throw new Refused('too_large', `more than ${FRAME_BYTES_MAX} bytes`)
    return { ok: true, frame: samplesFrom(jsonOf(message), { rig, origin, provenance }) }
  } catch (thrown) {
    return refusal(rig, thrown)
  }
}

function refusal(rig: string, thrown: unknown): FrameResult {
  if (thrown instanceof Refused) return { ok: false, rig, reason: thrown.reason, detail: thrown.detail }
  if (isHbError(thrown, 'CBOR_REFUSED')) {
    const reason = thrown.context['reason'] === 'too_large' ? 'too_large' : 'malformed_cbor'
    return {
      ok: false,
      rig,
      reason,
      detail: `${String(thrown.context['reason'])} at byte ${String(thrown.context['offset'])}`,
    }
  }
  // The bytes are in the journal already: thrown on, this would end every start from now on, not only this one.
  return { ok: false, rig, reason: 'wrong_shape', detail: UNFORESEEN }
}

function namesOf(value: unknown, field = 'ch'): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > FRAME_CHANNELS_MAX)
    throw new Refused('wrong_shape', `${field} is no list of names`)
  for (const name of value)
    if (typeof name !== 'string' || !isChannelName(name)) throw new Refused('bad_name', `channel is ${brief(name)}`)
  if (new Set(value).size !== value.length) throw new Refused('wrong_shape', `${field} names a channel twice`)
  return value
}

function cidOf(value: unknown): string {
  if (!(value instanceof Uint8Array) || value.length !== 32) throw new Refused('wrong_shape', 'cid is no digest')
  return toHex(value)
}

function qualityOf(value: unknown, length: number): Uint8Array | undefined {
  if (value === undefined) return undefined
  if (!(value instanceof Uint8Array) || value.length !== length || !value.every(isQuality))
    throw new Refused('wrong_shape', 'q does not fit x')
  return value
}

/** Numbers of a typed array or a plain list, as doubles. Whole numbers beyond 2^53 lose digits here and are refused as times later. */
function numbersOf(value: unknown, field: string, max: number): Float64Array {
  if (value instanceof Float64Array && value.length <= max) return value
  const list = value instanceof BigInt64Array || value instanceof BigUint64Array ? Array.from(value, Number) : value
  const countable = Array.isArray(list) || (ArrayBuffer.isView(list) && !(list instanceof DataView))
  if (!countable || (list as { length: number }).length > max)
    throw new Refused('wrong_shape', `${field} is no list of numbers`)
  // Asked first: a structure would be asked for its own idea of a number, and may have none.
  if (Array.isArray(list) && !list.every((n) => typeof n === 'number' || typeof n === 'bigint'))
    throw new Refused('wrong_shape', `${field} holds what is no number`)
  return Float64Array.from(list as ArrayLike<number>, (n) => (typeof n === 'bigint' ? Number(n) : n))
}
