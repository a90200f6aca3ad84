import { decodeTelemetry, rigIn } from '../../shared/codec/telemetry.ts'
import { type Frame, QUALITY, suspectUnit } from '../../shared/model/telemetry.ts'
import type { Bytes, Micros } from '../../shared/units.ts'

/** Channels and lives of publishers that are kept apart; what comes beyond is counted and not looked at. */
export const CHANNELS_MAX = 4096
const SOURCES_MAX = 256
/** Channel lists that are remembered by their digest. */
const LISTS_MAX = 256
/** Characters or bytes of a message that are shown. */
const HEAD_BYTES = 24
/** Offsets and ages kept to take the middle and the largest of; of more, the oldest makes room. */
const KEPT_MAX = 2048

/** One message: as it came, what it decodes to, and why it would not be taken. */
export type Heard = Readonly<{
  atUs: Micros
  raw: Readonly<{ bytes: Bytes; head: string }>
  decoded: Readonly<{
    rig: string
    source: string
    seq: number | null
    channels: number
    samples: number
    /** Arrival less the newest time in it; null without samples. */
    behindUs: Micros | null
    unit: string | null
  }> | null
  refused: Readonly<{ reason: string; detail: string }> | null
  /** What an agent would refuse of its samples, by reason. */
  remarks: readonly string[]
}>

export type ChannelFacts = Readonly<{
  channel: string
  samples: number
  /** Samples a second: by their own times where these agree with the arrival, else by arrival; null when there were too few to tell. */
  rateHz: number | null
  /** Range of the numbers among them; null when there was none. */
  range: Readonly<{ min: number; max: number; last: number }> | null
  /** Units that were stated, at most a few; empty when none was. */
  units: readonly string[]
  notNumbers: number
}>

export type SourceFacts = Readonly<{
  source: string
  messages: number
  missing: number
  repeated: number
  /** Arrival less newest time of a message: the middle one; null without samples. */
  behindUs: Micros | null
  /** Age of the oldest sample of a message at its arrival, the largest there was. */
  oldestUs: Micros
  /** The same within a message: newest less oldest time. */
  spanUs: Micros
  /** Unit that its times look like, if not µs. */
  looksLike: 'ms' | 's' | 'ns' | null
}>

export type ObservationOptions = Readonly<{
  /** Rig whose telemetry is listened to; null: that of the first message that names one. */
  rig: string | null
  origin: string
  encoding: 'cbor' | 'json'
}>

/** What is known of a stream by listening alone. Nothing is kept of it but figures. */
export interface Observation {
  take(message: Uint8Array, nowUs: Micros): Heard
  readonly rig: string | null
  readonly messages: number
  readonly refused: ReadonlyMap<string, number>
  /** Channels beyond the bound, which were not looked at. */
  readonly channelsShed: number
  channels(): ChannelFacts[]
  sources(): SourceFacts[]
}

const UNITS_MAX = 8
const LOOKS = { suspect_ms: 'ms', suspect_s: 's', suspect_ns: 'ns' } as const

type Channel = {
  samples: number
  /** Samples of the first message: they came before the span began that the rate is taken over. */
  early: number
  firstUs: Micros
  lastUs: Micros
  /** Oldest and newest time of its samples. */
  oldestUs: Micros
  newestUs: Micros
  min: number
  max: number
  last: number
  notNumbers: number
  units: Set<string>
}
type Source = {
  messages: number
  highest: number
  missing: number
  repeated: number
  behindUs: number[]
  oldestUs: Micros
  spanUs: Micros
  looksLike: SourceFacts['looksLike']
}

export function createObservation(options: ObservationOptions): Observation {
  return new Listening(options)
}

class Listening implements Observation {
  rig: string | null
  messages = 0
  channelsShed = 0
  readonly refused = new Map<string, number>()
  private readonly options: ObservationOptions
  private readonly byName = new Map<string, Channel>()
  private readonly bySource = new Map<string, Source>()
  private readonly lists = new Map<string, readonly string[]>()

  constructor(options: ObservationOptions) {
    this.options = options
    this.rig = options.rig
  }

  take(message: Uint8Array, nowUs: Micros): Heard {
    const { encoding, origin } = this.options
    this.messages += 1
    this.rig ??= rigIn(message, encoding)
    const raw = { bytes: message.length, head: headOf(message, encoding) }
    const about = { rig: this.rig ?? '', origin, encoding, provenance: 'live', nowUs } as const
    const read = decodeTelemetry({ ...about, message })
    const refuse = (reason: string, detail: string): Heard => {
      this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1)
      return { atUs: nowUs, raw, decoded: null, refused: { reason, detail }, remarks: [] }
    }
    if (!read.ok) return refuse(read.reason, read.detail)
    const { frame } = read
    if (frame.cid !== null && frame.channels !== null && this.lists.size < LISTS_MAX)
      this.lists.set(frame.cid, frame.channels)
    const names = frame.channels ?? this.lists.get(frame.cid ?? '')
    if (names === undefined) return refuse('unknown_cid', 'its channel list was not announced yet; it comes every 2 s')
    if (names.length * frame.timeUs.length !== frame.value.length)
      return refuse('wrong_shape', `${frame.value.length} values for ${names.length} channels`)
    const remarks = this.note(frame, names, nowUs)
    for (const remark of remarks) this.refused.set(remark, (this.refused.get(remark) ?? 0) + 1)
    const { newest } = spanOf(frame.timeUs)
    const { rig, source, seq, unit = null } = frame
    const samples = frame.value.length
    const behindUs = samples === 0 ? null : nowUs - newest
    const decoded = { rig, source, seq: seq < 0 ? null : seq, channels: names.length, samples, behindUs, unit }
    return { atUs: nowUs, raw, decoded, refused: null, remarks }
  }

  channels(): ChannelFacts[] {
    return [...this.byName]
      .map(([channel, c]) => ({
        channel,
        samples: c.samples,
        rateHz: rateOf(c),
        range: c.min <= c.max ? { min: c.min, max: c.max, last: c.last } : null,
        units: [...c.units],
        notNumbers: c.notNumbers,
      }))
      .sort((a, b) => (a.channel < b.channel ? -1 : 1))
  }

  sources(): SourceFacts[] {
    return [...this.bySource].map(([source, s]) => {
      const sorted = [...s.behindUs].sort((a, b) => a - b)
      const { messages, missing, repeated, oldestUs, spanUs, looksLike } = s
      const behindUs = sorted[Math.floor(sorted.length / 2)] ?? null
      return { source, messages, missing, repeated, behindUs, oldestUs, spanUs, looksLike }
    })
  }

  /** Counts a frame and its samples. @returns the reasons for which some of them would be refused */
  private note(frame: Frame, names: readonly string[], nowUs: Micros): string[] {
    const remarks = new Set<string>()
    this.noteSource(frame, nowUs, remarks)
    const n = frame.timeUs.length
    if (n === 0) return [...remarks]
    const { oldest, newest } = spanOf(frame.timeUs)
    names.forEach((name, row) => {
      const channel = this.channelOf(name, nowUs, n)
      if (channel === null) {
        this.channelsShed += 1
        remarks.add('channels_full')
        return
      }
      channel.lastUs = nowUs
      channel.oldestUs = Math.min(channel.oldestUs, oldest)
      channel.newestUs = Math.max(channel.newestUs, newest)
      channel.samples += n
      if (frame.unit !== undefined && channel.units.size < UNITS_MAX) channel.units.add(frame.unit)
      for (let i = 0; i < n; i += 1) {
        const value = frame.value[row * n + i]!
        const quality = frame.quality?.[row * n + i] ?? QUALITY.good
        if (quality === QUALITY.bad) remarks.add('quality_bad')
        if (quality === QUALITY.missing) remarks.add('quality_missing')
        if (quality === QUALITY.bad || quality === QUALITY.missing) continue
        if (!Number.isFinite(value)) {
          channel.notNumbers += 1
          remarks.add('not_a_number')
          continue
        }
        channel.min = Math.min(channel.min, value)
        channel.max = Math.max(channel.max, value)
        channel.last = value
      }
    })
    return [...remarks]
  }

  private channelOf(name: string, nowUs: Micros, n: number): Channel | null {
    const known = this.byName.get(name)
    if (known !== undefined) return known
    if (this.byName.size >= CHANNELS_MAX) return null
    const channel: Channel = {
      samples: 0,
      early: n,
      firstUs: nowUs,
      lastUs: nowUs,
      oldestUs: Number.POSITIVE_INFINITY,
      newestUs: Number.NEGATIVE_INFINITY,
      min: Number.POSITIVE_INFINITY,
      max: Number.NEGATIVE_INFINITY,
      last: Number.NaN,
      notNumbers: 0,
      units: new Set(),
    }
    this.byName.set(name, channel)
    return channel
  }

  private noteSource({ source, epoch, seq, timeUs }: Frame, nowUs: Micros, remarks: Set<string>): void {
    const name = seq < 0 ? source : `${source}/${epoch}`
    const known = this.bySource.get(name)
    if (known === undefined && this.bySource.size >= SOURCES_MAX) {
      remarks.add('sources_full')
      return
    }
    const s: Source = known ?? {
      messages: 0,
      highest: -1,
      missing: 0,
      repeated: 0,
      behindUs: [],
      oldestUs: 0,
      spanUs: 0,
      looksLike: null,
    }
    this.bySource.set(name, s)
    s.messages += 1
    if (seq >= 0 && known !== undefined) {
      if (seq > s.highest + 1) s.missing += seq - s.highest - 1
      // One that comes late fills a hole; one that is highest already is there twice.
      if (seq < s.highest && s.missing > 0) s.missing -= 1
      else if (seq <= s.highest) {
        s.repeated += 1
        remarks.add('duplicate_frame')
      }
    }
    s.highest = Math.max(s.highest, seq)
    for (const t of timeUs) {
      const looks = suspectUnit(t, nowUs)
      if (looks !== null) {
        s.looksLike = LOOKS[looks]
        remarks.add(looks)
      } else if (!Number.isSafeInteger(t)) remarks.add('bad_time')
    }
    const { oldest, newest } = spanOf(timeUs)
    if (!(newest >= oldest)) return
    s.behindUs.push(nowUs - newest)
    if (s.behindUs.length > KEPT_MAX) s.behindUs.shift()
    s.oldestUs = Math.max(s.oldestUs, nowUs - oldest)
    s.spanUs = Math.max(s.spanUs, newest - oldest)
  }
}

function spanOf(timeUs: Float64Array): { oldest: number; newest: number } {
  let newest = Number.NEGATIVE_INFINITY
  let oldest = Number.POSITIVE_INFINITY
  for (const t of timeUs) {
    newest = Math.max(newest, t)
    oldest = Math.min(oldest, t)
  }
  return { oldest, newest }
}

/** What waited with the publisher comes at once and would make it look faster; its own times know better, if they are µs. */
function rateOf({ samples, early, firstUs, lastUs, oldestUs, newestUs }: Channel): number | null {
  const arrivalUs = lastUs - firstUs
  const ownUs = newestUs - oldestUs
  if (!(arrivalUs > 0)) return null
  const agrees = ownUs > arrivalUs / 2 && ownUs < arrivalUs * 2
  return agrees ? ((samples - 1) * 1_000_000) / ownUs : ((samples - early) * 1_000_000) / arrivalUs
}

function headOf(message: Uint8Array, encoding: 'cbor' | 'json'): string {
  const head = Buffer.from(message.subarray(0, HEAD_BYTES))
  const more = message.length > HEAD_BYTES ? '…' : ''
  return `${encoding === 'json' ? head.toString('utf8') : head.toString('hex')}${more}`
}
