import { modulo } from '../../shared/math/modulo.ts'
import { MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import {
  continueRun,
  createOpenSamples,
  dropClosed,
  firstFrom,
  hasOpen,
  type OpenSamples,
  pushOpen,
  roomOf,
  type SampleRun,
} from './open-samples.ts'
import { VALUE_MAX } from './settings.ts'

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
}

/** Fields of an accumulator, in order. */
const PANE_FIELDS = 12
const COUNT = 0
const SHIFT = 1
const SUM = 2
const SUM_SQUARES = 3
const MIN = 4
const MAX = 5
const LAST = 6
const LAST_TIME = 7
const LAST_SEQ = 8
const LAST_SOURCE = 9
const INVALID = 10
/** 1 when the pane got a sample out of order. */
const DISORDERED = 11

export function createOpenPanes(channels: number, slideUs: number, capacity: number): OpenPanes {
  return {
    slideUs,
    channels,
    capacity,
    rows: new Float64Array(channels * capacity * PANE_FIELDS),
    samples: Array.from({ length: channels }, () => createOpenSamples()),
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

/** How many values from `valueAt` on, `most` at most, can be squared and summed. NaN cannot. */
function usable(value: Float64Array, valueAt: number, most: number): number {
  for (let k = 0; k < most; k += 1) {
    const v = value[valueAt + k]!
    if (!(v <= VALUE_MAX && v >= -VALUE_MAX)) return k
  }
  return most
}

/**
 * Adds values to a pane up to the first that cannot be used. Whether one cannot is asked once for all of them: what is no
 * number leaves none in the sum, and what is too large shows in the extremes.
 *
 * @returns how many were added
 */
function addAll(rows: Float64Array, at: number, value: Float64Array, valueAt: number, most: number): number {
  if (usable(value, valueAt, Math.min(1, most)) === 0) return 0
  const count = rows[at + COUNT]!
  const first = value[valueAt]! + 0
  const shift = count === 0 ? first : rows[at + SHIFT]!
  let sum = rows[at + SUM]!
  let sumSquares = rows[at + SUM_SQUARES]!
  let min = count === 0 ? first : rows[at + MIN]!
  let max = count === 0 ? first : rows[at + MAX]!
  const end = valueAt + most
  for (let k = valueAt; k < end; k += 1) {
    const v = value[k]! + 0
    const d = v - shift
    sum += d
    sumSquares += d * d
    if (v < min) min = v
    if (v > max) max = v
  }
  if (!(min >= -VALUE_MAX && max <= VALUE_MAX && sum - sum === 0))
    return addAll(rows, at, value, valueAt, usable(value, valueAt, most))
  rows[at + COUNT] = count + most
  rows[at + SHIFT] = shift
  rows[at + SUM] = sum
  rows[at + SUM_SQUARES] = sumSquares
  rows[at + MIN] = min
  rows[at + MAX] = max
  return most
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
    if (open[at + DISORDERED] === 1) sumAgain(panes, channel, pane, sources)
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

/** Place of a pane in the ring of those that are open, the same for every channel. */
export function placeOf(panes: OpenPanes, pane: number): number {
  return modulo(pane, panes.capacity)
}

/** Where the accumulator of a pane begins. */
function slotOf(panes: OpenPanes, channel: number, pane: number): number {
  return (channel * panes.capacity + placeOf(panes, pane)) * PANE_FIELDS
}

function emptyPane(rows: Float64Array, at: number): void {
  rows[at + COUNT] = 0
  rows[at + SHIFT] = 0
  rows[at + SUM] = 0
  rows[at + SUM_SQUARES] = 0
  rows[at + MIN] = 0
  rows[at + MAX] = 0
  rows[at + LAST] = 0
  rows[at + LAST_TIME] = 0
  rows[at + LAST_SEQ] = 0
  rows[at + LAST_SOURCE] = 0
  rows[at + INVALID] = 0
  rows[at + DISORDERED] = 0
}

function add(rows: Float64Array, at: number, value: number): void {
  if (rows[at + COUNT] === 0) {
    rows[at + SHIFT] = value
    rows[at + MIN] = value
    rows[at + MAX] = value
  }
  const d = value - rows[at + SHIFT]!
  rows[at + SUM] = rows[at + SUM]! + d
  rows[at + SUM_SQUARES] = rows[at + SUM_SQUARES]! + d * d
  if (value < rows[at + MIN]!) rows[at + MIN] = value
  if (value > rows[at + MAX]!) rows[at + MAX] = value
  rows[at + COUNT] = rows[at + COUNT]! + 1
}

function follows(rows: Float64Array, at: number, sample: OpenSample, sources: readonly string[]): boolean {
  if (sample.timeUs !== rows[at + LAST_TIME]) return false
  const mine = sources[sample.source]!
  const theirs = sources[rows[at + LAST_SOURCE]!]!
  if (mine !== theirs) return theirs < mine
  if (sample.seq !== rows[at + LAST_SEQ]) return rows[at + LAST_SEQ]! < sample.seq
  return sample.seq >= 0 || rows[at + LAST]! < sample.value
}

/**
 * Sums a pane again in (event time, source, seq) order. Runs that do not reach into each other follow one another as they
 * are; only where they do are their samples put in order one by one.
 */
function sumAgain(panes: OpenPanes, channel: number, pane: number, sources: readonly string[]): void {
  const parts = partsOf(panes.samples[channel]!, pane * panes.slideUs, (pane + 1) * panes.slideUs)
  parts.sort((a, b) => a.firstUs - b.firstUs || a.place - b.place)
  const { rows } = panes
  const at = slotOf(panes, channel, pane)
  rows[at + COUNT] = 0
  rows[at + SUM] = 0
  rows[at + SUM_SQUARES] = 0
  for (let k = 0; k < parts.length; ) {
    const end = clusterEnd(parts, k)
    if (end === k + 1) addPart(rows, at, parts[k]!)
    else addCluster(rows, at, parts.slice(k, end), sources)
    k = end
  }
}

/** What of a run lies in a pane; `place` is where its first sample stands in order of arrival. */
type Part = Readonly<{ run: SampleRun; from: number; count: number; place: number; firstUs: number; lastUs: number }>

function partsOf(open: OpenSamples, fromUs: number, toUs: number): Part[] {
  const parts: Part[] = []
  let place = 0
  for (const run of open.runs) {
    const at = place
    place += run.count
    if (run.time[run.timeAt]! >= toUs || run.time[run.timeAt + run.count - 1]! < fromUs) continue
    const from = firstFrom(run, fromUs)
    const count = firstFrom(run, toUs) - from
    if (count === 0) continue
    const firstUs = run.time[run.timeAt + from]!
    parts.push({ run, from, count, place: at + from, firstUs, lastUs: run.time[run.timeAt + from + count - 1]! })
  }
  return parts
}

/** First part after those that part `k` reaches into, directly or through others. */
function clusterEnd(parts: readonly Part[], k: number): number {
  let newest = parts[k]!.lastUs
  let end = k + 1
  while (end < parts.length && !(parts[end]!.firstUs > newest)) {
    newest = Math.max(newest, parts[end]!.lastUs)
    end += 1
  }
  return end
}

function addPart(rows: Float64Array, at: number, { run, from, count, lastUs }: Part): void {
  addAll(rows, at, run.value, run.valueAt + from, count)
  rows[at + LAST] = run.value[run.valueAt + from + count - 1]! + 0
  rows[at + LAST_TIME] = lastUs
}

type Placed = { timeUs: number; value: number; seq: number; name: string; place: number }

/** Adds samples of parts that reach into each other; those without a sequence at one instant go by value. */
function addCluster(rows: Float64Array, at: number, parts: readonly Part[], sources: readonly string[]): void {
  const placed: Placed[] = []
  for (const { run, from, count, place } of parts)
    for (let i = 0; i < count; i += 1)
      placed.push({
        timeUs: run.time[run.timeAt + from + i]!,
        value: run.value[run.valueAt + from + i]! + 0,
        seq: run.seq,
        name: sources[run.source]!,
        place: place + i,
      })
  placed.sort((a, b) => {
    if (a.timeUs !== b.timeUs) return a.timeUs - b.timeUs
    if (a.name !== b.name) return a.name < b.name ? -1 : 1
    if (a.seq !== b.seq) return a.seq - b.seq
    if (a.seq < 0 && a.value !== b.value) return a.value - b.value
    return a.place - b.place
  })
  for (const { value } of placed) add(rows, at, value)
  const newest = placed[placed.length - 1]!
  rows[at + LAST] = newest.value
  rows[at + LAST_TIME] = newest.timeUs
}
