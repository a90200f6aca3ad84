import { convertValue, isIdentity } from '../../shared/model/conversion.ts'
import {
  type Frame,
  type InjectedRefusal,
  QUALITY,
  type SampleRefusal,
  suspectUnit,
} from '../../shared/model/telemetry.ts'
import type { Affine } from '../../shared/model/units.ts'
import { conversionFor } from './convert.ts'
import { injectedRefusal } from './injected.ts'
import { noteLate } from './late.ts'
import { book, refuse } from './ledger.ts'
import { noteMismatch } from './mismatch.ts'
import { noteOrigin, type Origins } from './origins.ts'
import { paneOf, placeOf, putInvalid, putRun, putSample } from './panes.ts'
import { VALUE_MAX } from './settings.ts'
import { missingFrames, noteFrame, noteList } from './sources.ts'
import type { RigState, Slower } from './state.ts'

/**
 * Takes the samples of one decoded frame into the open panes of its rig, and books each of them in the loss ledger.
 *
 * @returns why it was not taken, when that is because it holds injected samples
 */
export function acceptFrame(rig: RigState, frame: Frame, nowUs: number): InjectedRefusal | null {
  const names = frame.channels ?? (frame.cid === null ? undefined : rig.sources.lists.get(frame.cid))
  const samples = frame.timeUs.length
  const injected = injectedRefusal(rig, frame)
  if (injected !== null) {
    // Nobody vouches for the number of a stranger: the frame of the rig itself that has it is missing, or still to come.
    if (frame.provenance === 'injected') noteFrame(rig.sources, nameOf(frame), frame.seq, nowUs)
    bookRefused(rig, { names: names ?? [], samples })
    refuseFrame(rig, injected, nowUs, `${nameOf(frame)} sent frame ${frame.seq}`)
    return injected
  }
  if (frame.channels !== null && frame.cid !== null && !noteList(rig.sources, frame.cid, frame.channels)) {
    refuseFrame(rig, 'sources_full', nowUs, `more channel lists than are remembered: ${frame.cid}`)
    return null
  }
  if (names === undefined) {
    refuseFrame(rig, 'unknown_cid', nowUs, `channel list ${frame.cid} was not announced yet`)
    return null
  }
  if (samples * names.length !== frame.value.length) {
    const found = `${frame.value.length} values for ${names.length} channels at ${samples} times`
    refuseFrame(rig, 'wrong_shape', nowUs, found)
    return null
  }
  const name = nameOf(frame)
  const arrival = noteFrame(rig.sources, name, frame.seq, nowUs)
  const metrics = metricsOf(rig, names, frame.channels === null)
  const arrived = { frame, names, metrics, source: arrival.slot, nowUs }
  if (arrival.duplicate) {
    bookDuplicates(rig, arrived)
    refuse(rig.ledger, 'duplicate_frame', 1, nowUs, () => `${name} sent frame ${frame.seq} again`)
    return null
  }
  takeSamples(rig, arrived, null)
  const { slower } = rig
  if (slower !== null) takeSamples(slower.rig, arrived, { slower, beforeUs: rig.closedUs })
  return null
}

/** The life of its publisher. */
function nameOf({ source, epoch }: Frame): string {
  return `${source}/${epoch}`.normalize('NFC')
}

function bookRefused(rig: RigState, { names, samples }: { names: readonly string[]; samples: number }): void {
  for (const metric of metricsOf(rig, names, false)) {
    const row = metric < 0 ? rig.ledger.metrics : metric
    book(rig.ledger, row, 'received', samples)
    book(rig.ledger, row, 'rejected', samples)
  }
}

/** A frame that is no repeat, with the metric of each of its channels. */
type Arrived = Readonly<{
  frame: Frame
  names: readonly string[]
  metrics: readonly number[]
  source: number
  nowUs: number
}>

/** Set for the slower evaluation: what lies before `beforeUs` was late for the first one, so only this one has it. */
type Again = Readonly<{ slower: Slower; beforeUs: number }>

function bookDuplicates(rig: RigState, { frame, metrics }: Arrived): void {
  for (const metric of metrics) {
    const row = metric < 0 ? rig.ledger.metrics : metric
    book(rig.ledger, row, 'received', frame.timeUs.length)
    book(rig.ledger, row, 'duplicate', frame.timeUs.length)
  }
}

function takeSamples(rig: RigState, { frame, names, metrics, source, nowUs }: Arrived, again: Again | null): void {
  const samples = frame.timeUs.length
  const pieces = piecesOf(rig, frame, nowUs)
  for (let c = 0; c < names.length; c += 1) {
    const metric = metrics[c]!
    const channel = names[c]!
    book(rig.ledger, metric < 0 ? rig.ledger.metrics : metric, 'received', samples)
    if (metric < 0) rejectAll(rig, samples, nowUs, channel)
    else {
      const at = c * samples
      acceptChannel(rig, { frame, metric, channel, row: c, values: frame.value, at, source, nowUs, again }, pieces)
    }
  }
}

/** Metric of each channel, −1 for a channel that no metric knows. Found once for a list that is remembered by its digest. */
function metricsOf(rig: RigState, names: readonly string[], remembered: boolean): readonly number[] {
  const known = remembered ? rig.listMetrics.get(names) : undefined
  if (known !== undefined) return known
  const metrics = names.map((name) => rig.channelIndex.get(name) ?? rig.channelIndex.get(name.normalize('NFC')) ?? -1)
  if (remembered) rig.listMetrics.set(names, metrics)
  return metrics
}

/** Where the times of a frame fall: so many that are too late, then a run for each open pane, at its place. */
type Pieces = Readonly<{ late: number; places: readonly number[]; ends: readonly number[] }>

/**
 * Looks at the times and qualities of a frame once for all its channels.
 *
 * @returns null when its samples must be looked at one by one: without a sequence, with times that are no whole numbers,
 * do not rise or lie too far ahead, or with a quality that is more than a remark.
 */
function piecesOf(rig: RigState, frame: Frame, nowUs: number): Pieces | null {
  const { timeUs, quality } = frame
  const n = timeUs.length
  if (frame.seq < 0 || n === 0 || !(timeUs[n - 1]! <= nowUs + rig.settings.maxFutureUs)) return null
  let late = 0
  let before = Number.NEGATIVE_INFINITY
  for (let i = 0; i < n; i += 1) {
    const t = timeUs[i]!
    if (!(Number.isSafeInteger(t) && t > before)) return null
    if (t < rig.closedUs) late += 1
    before = t
  }
  if (late > 0 && suspectUnit(timeUs[0]!, nowUs) !== null) return null
  if (quality !== undefined)
    for (let i = 0; i < quality.length; i += 1)
      if (quality[i] !== QUALITY.good && quality[i] !== QUALITY.suspect) return null
  const places: number[] = []
  const ends: number[] = []
  const { slideUs } = rig.settings
  for (let i = late; i < n; ) {
    const pane = paneOf(timeUs[i]!, slideUs)
    const endUs = (pane + 1) * slideUs
    while (i < n && timeUs[i]! < endUs) i += 1
    places.push(placeOf(rig.panes, pane))
    ends.push(i)
  }
  return { late, places, ends }
}

/** Counts a message from which no sample was taken. */
export function refuseFrame(rig: RigState, reason: Parameters<typeof refuse>[1], nowUs: number, detail: string): void {
  rig.ledger.framesRefused += 1
  refuse(rig.ledger, reason, 1, nowUs, () => detail)
}

/** Samples that publishers numbered away and that never arrived, as frames. */
export function missingOf(rig: RigState): number {
  return missingFrames(rig.sources)
}

type ChannelPart = {
  frame: Frame
  metric: number
  channel: string
  row: number
  /** Where its values are: those of the frame, or these converted. */
  values: Float64Array
  at: number
  source: number
  nowUs: number
  again: Again | null
}

function rejectAll(rig: RigState, samples: number, nowUs: number, channel: string): void {
  if (samples === 0) return
  book(rig.ledger, rig.ledger.metrics, 'rejected', samples)
  refuse(rig.ledger, 'unknown_channel', samples, nowUs, () => `channel "${channel}" is in no metric of the registry`)
}

function acceptChannel(rig: RigState, part: ChannelPart, pieces: Pieces | null): void {
  const { frame, metric, channel } = part
  const n = frame.timeUs.length
  const conversion = conversionFor(rig, { metric, channel, unit: frame.unit })
  if ('reason' in conversion) {
    book(rig.ledger, metric, 'rejected', n)
    refuse(rig.ledger, conversion.reason, n, part.nowUs, () => conversion.detail)
    for (let i = 0; i < n; i += 1) {
      const timeUs = frame.timeUs[i]!
      spoil(rig, metric, timeUs, part.nowUs)
      if (isOpen(rig, timeUs, part.nowUs)) noteMismatch(rig, metric, timeUs, conversion.reason)
    }
    return
  }
  const read = isIdentity(conversion) ? part : converted(part, conversion)
  if (rig.origins !== null) noteArrival(rig, rig.origins, part)
  if (pieces !== null) acceptPieces(rig, read, pieces)
  else for (let i = 0; i < n; i += 1) acceptSample(rig, read, i, read.values[read.at + i]!)
}

/** Only what may still be evaluated is of interest: a sample from far ahead has no say in where a window came from. */
function noteArrival(rig: RigState, origins: Origins, { frame, metric, channel, nowUs }: ChannelPart): void {
  let newestUs = -1
  for (let i = 0; i < frame.timeUs.length; i += 1) {
    const timeUs = frame.timeUs[i]!
    if (isOpen(rig, timeUs, nowUs)) newestUs = Math.max(newestUs, timeUs)
  }
  if (newestUs < 0) return
  const provenance = frame.injected?.channels.includes(channel) === true ? 'injected' : frame.provenance
  noteOrigin(origins, metric, { nowUs, newestUs, provenance, publisher: frame.source })
}

/** The part with its values in the unit of the metric; the frame stays as it arrived. */
function converted(part: ChannelPart, by: Affine): ChannelPart {
  const values = new Float64Array(part.frame.timeUs.length)
  for (let i = 0; i < values.length; i += 1) values[i] = convertValue(by, part.values[part.at + i]!)
  return { ...part, values, at: 0 }
}

/** Takes a channel of a frame pane by pane. Only a value that cannot be used is looked at by itself. */
function acceptPieces(rig: RigState, part: ChannelPart, { late, places, ends }: Pieces): void {
  const { frame, metric } = part
  const { timeUs: time } = frame
  const { values: value, at: base } = part
  if (late > 0 && rig.late === null) book(rig.ledger, metric, 'late', late)
  else for (let i = 0; i < late; i += 1) bookLate(rig, part, i, value[base + i]!)
  const run = {
    channel: metric,
    place: 0,
    seq: frame.seq,
    source: part.source,
    time,
    value,
    timeAt: 0,
    valueAt: 0,
    count: 0,
  }
  let i = late
  for (let k = 0; k < places.length; k += 1) {
    const end = ends[k]!
    run.place = places[k]!
    while (i < end) {
      run.timeAt = i
      run.valueAt = base + i
      run.count = end - i
      const kept = putRun(rig.panes, run)
      i += kept
      if (kept > 0) rig.newestSeenUs[metric] = Math.max(rig.newestSeenUs[metric]!, time[i - 1]!)
      if (part.again !== null) for (let k = i - kept; k < i; k += 1) countAgain(part.again, time[k]!)
      if (i < end) {
        acceptSample(rig, part, i, value[base + i]!)
        i += 1
      }
    }
  }
}

/** Tells whether a value is a number that can be squared and summed. NaN and the infinities are not. */
function isUsable(value: number): boolean {
  return value >= -VALUE_MAX && value <= VALUE_MAX
}

function isOpen(rig: RigState, timeUs: number, nowUs: number): boolean {
  return timeUs >= rig.closedUs && timeUs <= nowUs + rig.settings.maxFutureUs
}

/** Marks the pane of a sample that cannot be used: what the window would say is not to be trusted. */
function spoil(rig: RigState, metric: number, timeUs: number, nowUs: number): void {
  if (!isOpen(rig, timeUs, nowUs)) return
  putInvalid(rig.panes, metric, timeUs)
  rig.newestSeenUs[metric] = Math.max(rig.newestSeenUs[metric]!, timeUs)
}

function acceptSample(rig: RigState, part: ChannelPart, i: number, value: number): void {
  const { frame, metric, nowUs } = part
  const timeUs = frame.timeUs[i]!
  const reason = sampleRefusal(rig, frame, part.row * frame.timeUs.length + i, timeUs, value, nowUs)
  if (reason === 'late') {
    bookLate(rig, part, i, value)
    return
  }
  if (reason !== null) {
    book(rig.ledger, metric, 'rejected', 1)
    refuse(
      rig.ledger,
      reason,
      1,
      nowUs,
      () => `${rig.settings.metrics[metric]!.metric}: value ${value} at ${timeUs} µs, taken in at ${nowUs} µs`,
    )
    // A source that says `missing` claims nothing: the window fills less. One that sends rubbish makes it INVALID.
    if (reason !== 'quality_missing') spoil(rig, metric, timeUs, nowUs)
    return
  }
  const put = putSample(
    rig.panes,
    { channel: metric, timeUs, value, seq: frame.seq, source: part.source },
    rig.sources.names,
  )
  if (put !== 'kept') {
    book(rig.ledger, metric, put, 1)
    if (put === 'shed' && part.again !== null) part.again.slower.shedUs = Math.max(part.again.slower.shedUs, timeUs)
    return
  }
  rig.newestSeenUs[metric] = Math.max(rig.newestSeenUs[metric]!, timeUs)
  if (part.again !== null) countAgain(part.again, timeUs)
}

function bookLate(rig: RigState, part: ChannelPart, i: number, value: number): void {
  const { frame, metric, channel, source, row } = part
  const timeUs = frame.timeUs[i]!
  book(rig.ledger, metric, 'late', 1)
  const quality = frame.quality?.[row * frame.timeUs.length + i]
  noteLate(rig, { metric, channel, timeUs, value, quality, source, seq: frame.seq })
}

/** Counts a sample that the first evaluation did not take because it was late. */
function countAgain({ slower, beforeUs }: Again, timeUs: number): void {
  if (timeUs < beforeUs) slower.counts.samples += 1
}

function sampleRefusal(
  rig: RigState,
  frame: Frame,
  at: number,
  timeUs: number,
  value: number,
  nowUs: number,
): SampleRefusal | 'late' | null {
  // Nanoseconds since 1970 are no safe integers any more, and seconds have decimals: ask for the unit first.
  if (!Number.isSafeInteger(timeUs)) return suspectUnit(timeUs, nowUs) ?? 'bad_time'
  if (timeUs > nowUs + rig.settings.maxFutureUs) return suspectUnit(timeUs, nowUs) ?? 'future'
  if (timeUs < rig.closedUs) return suspectUnit(timeUs, nowUs) ?? 'late'
  const quality = frame.quality === undefined ? QUALITY.good : frame.quality[at]
  if (quality === QUALITY.missing) return 'quality_missing'
  if (quality !== QUALITY.good && quality !== QUALITY.suspect) return 'quality_bad'
  return isUsable(value) ? null : 'not_a_number'
}
