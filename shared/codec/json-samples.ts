import { fromHex, toHex } from '../crypto/digest.ts'
import { isChannelName } from '../model/ids.ts'
import { type Frame, type InjectedMark, type Provenance, QUALITY } from '../model/telemetry.ts'
import type { Micros } from '../units.ts'
import { brief, idOf, isQuality, Refused, unitOf } from './telemetry-shape.ts'

/** Samples in one JSON message. */
export const JSON_SAMPLES_MAX = 4096
const UTF8 = new TextDecoder('utf-8', { fatal: true })
const TO_BYTES = new TextEncoder()
/** 64 bytes in hex. */
const SIGNATURE = /^[0-9a-f]{128}$/

/** What a message of samples does not say itself. */
export type SampleOrigin = Readonly<{ rig: string; origin: string; provenance: Provenance }>

export type OutSample = Readonly<{
  channel: string
  timeUs: Micros
  value: number
  rig?: string
  source?: string
  /** {@link QUALITY}; without it good. */
  quality?: number
  /** Made by `signSamplesMark` for this channel and time. */
  injected?: InjectedMark
}>

/** Bytes of one sample, as rigs without frames publish it. */
export function encodeSample({ channel, timeUs, value, rig, source, quality, injected }: OutSample): Uint8Array {
  return TO_BYTES.encode(
    JSON.stringify({
      ...{ channel, t_us: timeUs },
      // JSON has no number that is none: null is what stands for it.
      value,
      ...(rig === undefined ? {} : { rig }),
      ...(source === undefined ? {} : { source }),
      ...(quality === undefined ? {} : { q: quality }),
      ...(injected === undefined ? {} : { injected: toHex(injected.signature) }),
    }),
  )
}

/**
 * The frame of a message in JSON: one sample `{channel, t_us, value, unit?, q?, source?, rig?, injected?}`, or a list of them of
 * one source. It has no sequence. `injected` is the signature of the message's mark in hex (see `signSamplesMark`), on each
 * sample that a bench put there.
 *
 * @throws Refused
 */
export function samplesFrom(value: unknown, from: SampleOrigin): Frame {
  if (!Array.isArray(value)) return oneSampleFrame(sampleOf(value, from), from)
  if (value.length === 0 || value.length > JSON_SAMPLES_MAX)
    throw new Refused('wrong_shape', `${value.length} samples, at most ${JSON_SAMPLES_MAX}`)
  return sampleFrame(
    value.map((one) => sampleOf(one, from)),
    from,
  )
}

type JsonSample = {
  channel: string
  source: string
  timeUs: number
  value: number
  quality: number
  unit: string | undefined
  /** The signature of the mark that its message has, in hex; undefined: it was measured. */
  mark: string | undefined
}

function sampleOf(value: unknown, { rig, origin }: SampleOrigin): JsonSample {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Refused('wrong_shape', 'a sample is an object')
  const map = value as Record<string, unknown>
  if (map['rig'] !== undefined && map['rig'] !== rig)
    throw new Refused('wrong_rig', `rig is ${brief(map['rig'])}, expected ${rig}`)
  const mark = map['injected'] === undefined || map['injected'] === false ? undefined : map['injected']
  if (mark !== undefined && (typeof mark !== 'string' || !SIGNATURE.test(mark)))
    throw new Refused('taint_forged', 'a mark that is no signature')
  const channel = map['channel']
  if (typeof channel !== 'string' || !isChannelName(channel))
    throw new Refused('bad_name', `channel is ${brief(channel)}`)
  const timeUs = map['t_us']
  if (typeof timeUs !== 'number') throw new Refused('bad_time', `t_us is ${brief(timeUs)}`)
  const unit = unitOf(map['unit'])
  // JSON has no NaN: null is what most writers put there. It is a sample that is no number, not a missing one.
  const number = map['value'] === null ? Number.NaN : map['value']
  if (typeof number !== 'number') throw new Refused('wrong_shape', `value is ${brief(map['value'])}`)
  const quality = map['q'] ?? QUALITY.good
  if (typeof quality !== 'number' || !isQuality(quality)) throw new Refused('wrong_shape', `q is ${brief(map['q'])}`)
  return {
    channel,
    source: map['source'] === undefined ? origin : idOf(map['source'], 'source'),
    timeUs,
    value: number,
    quality,
    unit,
    mark,
  }
}

/** The mark of a message, of which every marked sample says the same. Who signed it is for those who have a key. */
function markIn(samples: readonly JsonSample[]): { injected?: InjectedMark } {
  const marked = samples.filter(({ mark }) => mark !== undefined)
  const [first] = marked
  if (first === undefined) return {}
  if (marked.some(({ mark }) => mark !== first.mark)) throw new Refused('taint_forged', 'several marks in one message')
  if (!samples.every(({ timeUs }) => Number.isSafeInteger(timeUs)))
    throw new Refused('taint_forged', 'a mark at a time that is no whole number')
  const channels = [...new Set(marked.map(({ channel }) => channel))].sort()
  // The times of a message that is dated by arrival are others; it was signed with those that it has.
  return { injected: { channels, signature: fromHex(first.mark!)!, timesUs: timesOf(samples) } }
}

/** Distinct times of a message's samples, in their order. */
function timesOf(samples: readonly JsonSample[]): readonly Micros[] {
  return [...new Set(samples.map(({ timeUs }) => timeUs))]
}

/** The frame of a message that is one sample, which is what most are. */
function oneSampleFrame(sample: JsonSample, { rig, origin, provenance }: SampleOrigin): Frame {
  const { source, channel, timeUs, value, quality, unit } = sample
  const one = {
    rig,
    source,
    epoch: origin,
    seq: -1,
    channels: [channel],
    cid: null,
    provenance,
    timeUs: Float64Array.of(timeUs),
    value: Float64Array.of(value),
    quality: Uint8Array.of(quality),
  }
  const frame = unit === undefined ? one : { ...one, unit }
  return sample.mark === undefined ? frame : { ...frame, ...markIn([sample]) }
}

/** One frame of the samples of a message: a list must be of one channel set at one unit, or be sent as several messages. */
function sampleFrame(samples: readonly JsonSample[], { rig, origin, provenance }: SampleOrigin): Frame {
  const first = samples[0]!
  if (samples.some((s) => s.source !== first.source || s.unit !== first.unit))
    throw new Refused('wrong_shape', 'samples of several sources or units in one message')
  const channels = [...new Set(samples.map((s) => s.channel))]
  if (channels.length > 1 && samples.length !== channels.length)
    throw new Refused('wrong_shape', 'several times of several channels in one message')
  if (channels.length > 1 && samples.some((s) => s.timeUs !== first.timeUs))
    throw new Refused('wrong_shape', 'several times of several channels in one message')
  const times = channels.length > 1 ? [first.timeUs] : samples.map((s) => s.timeUs)
  return {
    rig,
    source: first.source,
    epoch: origin,
    seq: -1,
    channels,
    cid: null,
    provenance,
    timeUs: Float64Array.from(times),
    value: Float64Array.from(samples, (s) => s.value),
    quality: Uint8Array.from(samples, (s) => s.quality),
    ...markIn(samples),
    ...(first.unit === undefined ? {} : { unit: first.unit }),
  }
}

/** @throws Refused */
export function jsonOf(message: Uint8Array): unknown {
  // The reason in words is another one in every version of the platform; the evaluator keeps it, so it is ours.
  let text: string
  try {
    text = UTF8.decode(message)
  } catch {
    throw new Refused('malformed_json', `${message.length} bytes that are no UTF-8`)
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new Refused('malformed_json', `no JSON: ${brief(text)}`)
  }
}
