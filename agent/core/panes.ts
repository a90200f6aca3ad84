import { modulo } from '../../shared/math/modulo.ts'
import { MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import {
  continueRun,
  createOpenSamples,
  dropClosed,
  extremesIn,
  hasOpen,
  type OpenSamples,
  pushOpen,
  roomOf,
} from './open-samples.ts'
import {
  add,
  addAll,
  COUNT,
  DISORDERED,
  emptyPane,
  INVALID,
  LAST,
  LAST_SEQ,
  LAST_SOURCE,
  LAST_TIME,
  MAX,
  MIN,
  PANE_FIELDS,
  SHIFT,
  SUM,
  SUM_SQUARES,
  usable,
} from './pane-row.ts'
import { type Part, sumAgain } from './sum-again.ts'

/**
 * The panes of one rig that still take samples: one accumulator per channel and pane, a row of doubles each.
 *
 * Samples that come in order are added at once, shifted by the first value of the pane (four times as fast as Welford
 * and as stable). A pane that got one out of order is summed again in (event time, source, seq) order when it closes,
 * so any order of arrival gives the same bytes.
 */
export type OpenPanes = {
  readonly slideUs: number
  readonly channels: number
  /** Panes that can be open at once, from the oldest open one on. */
  readonly capacity: number
  /** {@link PANE_FIELDS} doubles a pane: a pane of a channel lies in two lines of the cache, not in twelve. */
  readonly rows: Float64Array
  readonly samples: OpenSamples[]
  /** Written down while a pane is summed again; nothing of it is kept. */
  readonly parts: Part[]
}

export function createOpenPanes(channels: number, slideUs: number, capacity: number): OpenPanes {
  return {
    slideUs,
    channels,
    capacity,
    rows: new Float64Array(channels * capacity * PANE_FIELDS),
    samples: Array.from({ length: channels }, () => createOpenSamples()),
    parts: [],
  }
}

/** Index of the pane of an event time. */
export function paneOf(timeUs: number, slideUs: number): number {
  return Math.floor(timeUs / slideUs)
}

export type PutResult = 'kept' | 'duplicate' | 'shed'

/** One sample for {@link putSample}: finite value, pane already known to be open. `seq` −1 has no sequence and is deduplicated by content. */
export type OpenSample = { channel: number; timeUs: number; value: number; seq: number; source: number }

/** Adds one finite sample to its pane. `ranks` orders sources by name where times are equal. */
export function putSample(panes: OpenPanes, sample: OpenSample, sources: readonly string[]): PutResult {
  const { channel, timeUs, seq, source } = sample
  // One zero: which of two repeats of a sample comes first must not show, and −0 repeats 0.
  const value = sample.value + 0
  const { rows } = panes
  const at = slotOf(panes, channel, paneOf(timeUs, panes.slideUs))
  const open = panes.samples[channel]!
  const behind = rows[at + COUNT]! > 0 && !(timeUs > rows[at + LAST_TIME]!)
  if (behind && seq < 0 && hasOpen(open, timeUs, value)) return 'duplicate'
  if (!pushOpen(open, timeUs, value, seq, source)) return 'shed'
  if (behind && !follows(rows, at, sample, sources)) rows[at + DISORDERED] = 1
  add(rows, at, value)
  rows[at + LAST] = value
  if (!(timeUs < rows[at + LAST_TIME]!)) {
    rows[at + LAST_TIME] = timeUs
    rows[at + LAST_SEQ] = seq
    rows[at + LAST_SOURCE] = source
  }
  return 'kept'
}

/** Counts a sample that is not a number, or that its source calls bad: the pane is INVALID, its moments are untouched. */
export function putInvalid(panes: OpenPanes, channel: number, timeUs: number): void {
  const { rows } = panes
  const at = slotOf(panes, channel, paneOf(timeUs, panes.slideUs))
  rows[at + INVALID] = rows[at + INVALID]! + 1
}

/** Samples of one channel of one frame that lie in one open pane, times strictly increasing: for {@link putRun}. */
export type PaneRun = Readonly<{
  channel: number
  /** {@link placeOf} its pane. */
  place: number
  seq: number
  source: number
  time: Float64Array
  value: Float64Array
  /** Index of the first sample in `time` and in `value`, and how many follow. */
  timeAt: number
  valueAt: number
  count: number
}>

/**
 * Adds a run up to its first value that cannot be used. The same sums as {@link putSample}, without a call per sample;
 * a run that does not come after all that the pane holds is only counted here and summed in order when the pane closes.
 *
 * @returns how many were kept. Fewer than asked: what stands there is no usable value, or the channel has no room.
 */
export function putRun(panes: OpenPanes, run: PaneRun): number {
  const { channel, time, value, timeAt, valueAt, seq, source } = run
  const { rows } = panes
  const at = (channel * panes.capacity + run.place) * PANE_FIELDS
  const open = panes.samples[channel]!
  const most = Math.min(run.count, roomOf(open))
  const inOrder = rows[at + COUNT] === 0 || (rows[at + DISORDERED] === 0 && time[timeAt]! > rows[at + LAST_TIME]!)
  const kept = inOrder ? addAll(rows, at, value, valueAt, most) : usable(value, valueAt, most)
  if (kept === 0) return 0
  continueRun(open, run, kept)
  const lastTime = time[timeAt + kept - 1]!
  if (!inOrder) {
    rows[at + DISORDERED] = 1
    rows[at + COUNT] = rows[at + COUNT]! + kept
  }
  if (inOrder || !(lastTime < rows[at + LAST_TIME]!)) {
    rows[at + LAST_TIME] = lastTime
    rows[at + LAST_SEQ] = seq
    rows[at + LAST_SOURCE] = source
  }
  rows[at + LAST] = value[valueAt + kept - 1]! + 0
  return kept
}

/**
 * Closes one pane of every channel: writes the moments of channel `c` to row `c` of `rows` and the newest event time to
 * `newest[c]` where the pane holds a sample, then empties the pane for later use.
 */
export function closePane(
  panes: OpenPanes,
  pane: number,
  sources: readonly string[],
  rows: Float64Array,
  newest: Float64Array,
): void {
  const endUs = (pane + 1) * panes.slideUs
  const open = panes.rows
  const stride = panes.capacity * PANE_FIELDS
  let at = slotOf(panes, 0, pane)
  for (let channel = 0; channel < panes.channels; channel += 1, at += stride) {
    if (open[at + DISORDERED] === 1) sumAgain(panes, { channel, pane, at }, sources)
    const o = channel * MOMENTS_FIELDS
    const count = open[at + COUNT]!
    rows[o] = count
    if (count > 0) {
      const sum = open[at + SUM]!
      rows[o + 1] = open[at + SHIFT]! + sum / count
      rows[o + 2] = Math.max(0, open[at + SUM_SQUARES]! - (sum * sum) / count)
      rows[o + 3] = open[at + MIN]!
      rows[o + 4] = open[at + MAX]!
      rows[o + 5] = open[at + SHIFT]!
      rows[o + 6] = open[at + LAST]!
      newest[channel] = open[at + LAST_TIME]!
    } else {
      rows.fill(0, o + 1, o + 7)
    }
    rows[o + 7] = open[at + INVALID]!
    emptyPane(open, at)
    dropClosed(panes.samples[channel]!, endUs, count)
  }
}

/** Empties every pane: after a gap nothing that was open belongs to what comes. @returns samples dropped per channel. */
export function emptyAll(panes: OpenPanes): Float64Array {
  const dropped = new Float64Array(panes.channels)
  for (let channel = 0; channel < panes.channels; channel += 1) {
    dropped[channel] = pendingOf(panes, channel)
    panes.samples[channel] = createOpenSamples()
  }
  panes.rows.fill(0)
  return dropped
}

/** Samples in open panes of one channel. */
export function pendingOf(panes: OpenPanes, channel: number): number {
  let pending = 0
  for (let k = 0; k < panes.capacity; k += 1)
    pending += panes.rows[(channel * panes.capacity + k) * PANE_FIELDS + COUNT]!
  return pending
}

/** Lets a channel of panes that nobody sums say it has so many open samples. */
export function sayPending(panes: OpenPanes, channel: number, pending: number): void {
  panes.rows[channel * panes.capacity * PANE_FIELDS + COUNT] = pending
}

/** What an open pane of a channel holds so far; the extremes of one that holds nothing mean nothing. */
export type OpenFacts = { count: number; min: number; max: number; newestUs: number; invalid: number }

/** Looks into an open pane. Its extremes do not depend on the order of its samples, so neither does this. */
export function lookIntoPane(panes: OpenPanes, channel: number, pane: number): OpenFacts {
  const { rows, slideUs } = panes
  const at = slotOf(panes, channel, pane)
  const facts = {
    ...{ count: rows[at + COUNT]!, min: rows[at + MIN]!, max: rows[at + MAX]! },
    ...{ newestUs: rows[at + LAST_TIME]!, invalid: rows[at + INVALID]! },
  }
  // What came out of order is counted there and summed only when the pane closes.
  if (rows[at + DISORDERED] === 1)
    Object.assign(facts, extremesIn(panes.samples[channel]!, pane * slideUs, (pane + 1) * slideUs))
  return facts
}

/** Place of a pane in the ring of those that are open, the same for every channel. */
export function placeOf(panes: OpenPanes, pane: number): number {
  return modulo(pane, panes.capacity)
}

/** Where the accumulator of a pane begins. */
function slotOf(panes: OpenPanes, channel: number, pane: number): number {
  return (channel * panes.capacity + placeOf(panes, pane)) * PANE_FIELDS
}

function follows(rows: Float64Array, at: number, sample: OpenSample, sources: readonly string[]): boolean {
  if (sample.timeUs !== rows[at + LAST_TIME]) return false
  const mine = sources[sample.source]!
  const theirs = sources[rows[at + LAST_SOURCE]!]!
  if (mine !== theirs) return theirs < mine
  if (sample.seq !== rows[at + LAST_SEQ]) return rows[at + LAST_SEQ]! < sample.seq
  return sample.seq >= 0 || rows[at + LAST]! < sample.value
}
