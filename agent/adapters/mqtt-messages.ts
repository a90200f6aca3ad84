import { INJECTED_COLUMN, parseTime } from '../../shared/codec/recording-text.ts'
import { encodeBadRow } from '../../shared/codec/telemetry.ts'
import type { MqttSourceConfig } from '../../shared/config/types.ts'
import type { Encoded } from './encoded.ts'

/** What a message is read with; `row` names it in the reason for which it is refused. */
export type MessagePlace = Readonly<{ rig: string; topic: string; row: number; config: MessageConfig }>
export type MessageConfig = Pick<
  MqttSourceConfig,
  'encoding' | 'topic_map' | 'time_unit' | 'time' | 'message_bytes_max'
>

const UTF8 = new TextDecoder('utf-8', { fatal: true })
const TO_BYTES = new TextEncoder()
/** Where a time may stand, the first that is there counts. */
const TIME_KEYS = ['timestamp', 'event_time', 'ts'] as const
const CHANNEL_KEYS = ['channel', 'metric', 'name'] as const
/** By which samples say that they are injected: kept, whatever stands there, so that they are judged like anywhere. */
const MARKS = ['injected', INJECTED_COLUMN] as const
const US_OF = { s: 1_000_000, ms: 1000, us: 1 } as const
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const PAIR = /^([A-Za-z_][^\s=,;]*)=([^\s,;]+)$/
/** Fields that are no channel of their own where a message is of pairs. */
const FIELDS: ReadonlySet<string> = new Set([
  ...CHANNEL_KEYS,
  ...TIME_KEYS,
  't_us',
  'value',
  'unit',
  'q',
  'source',
  ...MARKS,
])

/**
 * What a message says, in our words: samples in JSON, or a row that cannot be read. Nothing is guessed and nothing is
 * mended here: what is not as it should be goes on as it is, so that the ledger counts it with its reason.
 *
 * | message                                                           | is                                               |
 * |-------------------------------------------------------------------|--------------------------------------------------|
 * | `{channel, t_us, value, …}`, or a list                            | taken as it is                                   |
 * | `{metric or name, timestamp or event_time or ts, value, unit?}`   | a sample, or a list of them; `tags` is passed over |
 * | `metric=flow value=1.5 unit=bar ts=…`                             | a sample                                         |
 * | `flow=1.5 pressure=3 ts=…`                                        | samples of one time                              |
 * | `1.5`                                                             | a sample of the channel in `topic_map`           |
 */
export function readMessage(payload: Uint8Array, place: MessagePlace): Encoded {
  const { config } = place
  if (payload.length > config.message_bytes_max)
    return bad(place, `${payload.length} bytes, more than ${config.message_bytes_max}`)
  if (config.encoding === 'cbor') return { encoding: 'cbor', bytes: new Uint8Array(payload) }
  const text = textOf(payload)
  if (text === null) return asItIs(payload)
  if (/^[[{]/.test(text)) return readJson(text, payload, place)
  if (NUMBER.test(text)) return samplesOf([{ value: Number(text) }], false, place)
  return readPairs(text, place) ?? bad(place, text)
}

function textOf(payload: Uint8Array): string | null {
  try {
    return UTF8.decode(payload).trim()
  } catch {
    return null
  }
}

function readJson(text: string, payload: Uint8Array, place: MessagePlace): Encoded {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return asItIs(payload)
  }
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (!list.every(isMap) || list.every(isOurs)) return asItIs(payload)
  return samplesOf(list, Array.isArray(value), place)
}

/** Null when it is no message of pairs. */
function readPairs(text: string, place: MessagePlace): Encoded | null {
  const parts = text.split(/[\s,;]+/).filter((part) => part !== '')
  const fields = new Map<string, string>()
  for (const part of parts) {
    const pair = PAIR.exec(part)
    if (pair === null) return null
    // The same twice: which of them is meant?
    if (fields.has(pair[1]!)) return null
    fields.set(pair[1]!, pair[2]!)
  }
  const said = Object.fromEntries([...fields].filter(([key]) => FIELDS.has(key)).map(pairValue))
  if (fields.has('value')) return samplesOf([said], false, place)
  const readings = [...fields].filter(([key]) => !FIELDS.has(key))
  if (readings.length === 0 || CHANNEL_KEYS.some((key) => fields.has(key))) return null
  return samplesOf(
    readings.map(([channel, value]) => ({ ...said, channel, value: numberOf(value) })),
    readings.length > 1,
    place,
  )
}

function pairValue([key, text]: readonly [string, string]): readonly [string, unknown] {
  const isTime = key === 't_us' || TIME_KEYS.some((one) => one === key)
  return [key, key === 'value' || key === 'q' || (isTime && NUMBER.test(text)) ? numberOf(text) : text]
}

/** A text that is no number stays a text, and is refused for it. */
function numberOf(text: string): number | string {
  return NUMBER.test(text) ? Number(text) : text
}

type Fields = Readonly<Record<string, unknown>>

function sampleOf(fields: Fields, { topic, config }: MessagePlace): Fields {
  const { topic_map: map = {}, time } = config
  const named = CHANNEL_KEYS.find((key) => fields[key] !== undefined)
  const mapped = Object.hasOwn(map, topic) ? map[topic] : undefined
  const timeUs = timeOf(fields, config) ?? (time === 'arrival' ? 0 : undefined)
  const mark = MARKS.find((key) => fields[key] !== undefined)
  const { value, unit, q, source, rig } = fields
  return {
    channel: named === undefined ? mapped : fields[named],
    ...(timeUs === undefined ? {} : { t_us: timeUs }),
    value,
    ...(unit === undefined || unit === null ? {} : { unit }),
    ...(q === undefined ? {} : { q }),
    ...(source === undefined ? {} : { source }),
    ...(rig === undefined ? {} : { rig }),
    ...(mark === undefined ? {} : { injected: fields[mark] }),
  }
}

/** Event time in µs; what cannot be read stays as it is and is refused for it. */
function timeOf(fields: Fields, { time_unit: unit }: MessageConfig): unknown {
  if (fields['t_us'] !== undefined) return fields['t_us']
  const key = TIME_KEYS.find((one) => fields[one] !== undefined)
  const given = key === undefined ? undefined : fields[key]
  if (typeof given === 'number') return nearest(given * US_OF[unit])
  // A text of digits alone would be whole microseconds there, whatever was meant.
  return typeof given === 'string' && !NUMBER.test(given) ? (parseTime(given) ?? given) : given
}

function nearest(us: number): number {
  return Math.floor(us + 0.5)
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isOurs(fields: unknown): boolean {
  const isWhole = isMap(fields) && fields['channel'] !== undefined && fields['t_us'] !== undefined
  return isWhole && fields[INJECTED_COLUMN] === undefined
}

function samplesOf(said: readonly Fields[], asList: boolean, place: MessagePlace): Encoded {
  const list = said.map((fields) => sampleOf(fields, place))
  if (list.some(({ channel }) => channel === undefined)) return bad(place, 'no channel, and none in `topic_map`')
  return { encoding: 'json', bytes: TO_BYTES.encode(JSON.stringify(asList ? list : list[0])) }
}

function asItIs(payload: Uint8Array): Encoded {
  return { encoding: 'json', bytes: new Uint8Array(payload) }
}

function bad({ rig, row, topic }: MessagePlace, text: string): Encoded {
  return { encoding: 'cbor', bytes: encodeBadRow({ rig, row, text: `${topic}: ${text}` }) }
}
