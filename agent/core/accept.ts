import { type Frame, QUALITY, type SampleRefusal, suspectUnit } from '../../shared/model/telemetry.ts'
import { book, refuse } from './ledger.ts'
import { paneNewest, paneOf, putInvalid, putRun, putSample } from './panes.ts'
import { VALUE_MAX } from './settings.ts'
import { missingFrames, noteFrame, noteList } from './sources.ts'
import type { RigState } from './state.ts'

/** Takes the samples of one decoded frame into the open panes of its rig, and books each of them in the loss ledger. */
export function acceptFrame(rig: RigState, frame: Frame, nowUs: number): void {
  const names = frame.channels ?? (frame.cid === null ? undefined : rig.sources.lists.get(frame.cid))
  const samples = frame.timeUs.length
  if (frame.channels !== null && frame.cid !== null && !noteList(rig.sources, frame.cid, frame.channels)) {
    refuseFrame(rig, 'sources_full', nowUs, `more channel lists than are remembered: ${frame.cid}`)
    return
  }
  if (names === undefined) {
    refuseFrame(rig, 'unknown_cid', nowUs, `channel list ${frame.cid} was not announced yet`)
    return
  }
  if (samples * names.length !== frame.value.length) {
    const found = `${frame.value.length} values for ${names.length} channels at ${samples} times`
    refuseFrame(rig, 'wrong_shape', nowUs, found)
    return
  }
  const name = `${frame.source}/${frame.epoch}`.normalize('NFC')
  const arrival = noteFrame(rig.sources, name, frame.seq, nowUs)
  for (let c = 0; c < names.length; c += 1) {
    const metric = rig.channelIndex.get(names[c]!.normalize('NFC'))
    const row = metric ?? rig.ledger.metrics
    book(rig.ledger, row, 'received', samples)
    if (arrival.duplicate) book(rig.ledger, row, 'duplicate', samples)
    else if (metric === undefined) rejectAll(rig, samples, nowUs, names[c]!)
    else acceptChannel(rig, { frame, metric, row: c, source: arrival.slot, nowUs })
  }
  if (arrival.duplicate) refuse(rig.ledger, 'duplicate_frame', 1, nowUs, () => `${name} sent frame ${frame.seq} again`)
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

type ChannelPart = { frame: Frame; metric: number; row: number; source: number; nowUs: number }

function rejectAll(rig: RigState, samples: number, nowUs: number, channel: string): void {
  if (samples === 0) return
  book(rig.ledger, rig.ledger.metrics, 'rejected', samples)
  refuse(rig.ledger, 'unknown_channel', samples, nowUs, () => `channel "${channel}" is in no metric of the registry`)
}

function acceptChannel(rig: RigState, part: ChannelPart): void {
  const { frame, metric } = part
  const settings = rig.settings.metrics[metric]!
  const factor = frame.unit === undefined || frame.unit === settings.unit ? 1 : settings.unitFactors.get(frame.unit)
  const n = frame.timeUs.length
  if (factor === undefined) {
    book(rig.ledger, metric, 'rejected', n)
    refuse(
      rig.ledger,
      'unit_mismatch',
      n,
      part.nowUs,
      () => `${settings.metric} is in ${settings.unit}; the sample says "${frame.unit}"`,
    )
    for (let i = 0; i < n; i += 1) spoil(rig, metric, frame.timeUs[i]!, part.nowUs)
    return
  }
  const base = part.row * n
  let i = 0
  while (i < n) {
    const end = factor === 1 && frame.quality === undefined ? runEnd(rig, part, i) : i
    if (end - i >= 2) {
      const pane = paneOf(frame.timeUs[i]!, rig.settings.slideUs)
      const kept = putRun(
        rig.panes,
        { channel: metric, pane, seq: frame.seq, source: part.source },
        frame.timeUs,
        frame.value,
        base,
        i,
        end,
      )
      if (kept < end - i) book(rig.ledger, metric, 'shed', end - i - kept)
      if (kept > 0) rig.newestSeenUs[metric] = Math.max(rig.newestSeenUs[metric]!, frame.timeUs[i + kept - 1]!)
      i = end
    } else {
      acceptSample(rig, part, i, frame.value[base + i]! * factor)
      i += 1
    }
  }
}

/** End of the run of samples from `i` on that are finite, of one open pane, and each after all that the pane holds. */
function runEnd(rig: RigState, part: ChannelPart, i: number): number {
  const { timeUs: time, value, seq } = part.frame
  if (seq < 0 || !isOpen(rig, time[i]!, part.nowUs)) return i
  const pane = paneOf(time[i]!, rig.settings.slideUs)
  const paneEnd = (pane + 1) * rig.settings.slideUs
  const base = part.row * time.length
  let before = paneNewest(rig.panes, part.metric, pane)
  let end = i
  while (end < time.length) {
    const t = time[end]!
    const v = value[base + end]!
    // What cannot be used, by value or time, ends the run and is refused one by one.
    if (!(t > before && t < paneEnd && isUsable(v) && Number.isSafeInteger(t))) break
    before = t
    end += 1
  }
  return before <= part.nowUs + rig.settings.maxFutureUs ? end : i
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
    book(rig.ledger, metric, 'late', 1)
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
  if (put === 'kept') rig.newestSeenUs[metric] = Math.max(rig.newestSeenUs[metric]!, timeUs)
  else book(rig.ledger, metric, put, 1)
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
