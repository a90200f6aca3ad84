import { MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import {
  createOpenSamples,
  dropClosed,
  firstFrom,
  hasOpen,
  type OpenSamples,
  pushOpen,
  pushRun,
  roomOf,
  type SampleRun,
} from './open-samples.ts'
import { VALUE_MAX } from './settings.ts'

/**
 * The panes of one rig that still take samples: one accumulator per channel and pane, in typed arrays.
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
  count: Float64Array
  shift: Float64Array
  sum: Float64Array
  sumSquares: Float64Array
  min: Float64Array
  max: Float64Array
  last: Float64Array
  lastTime: Float64Array
  lastSeq: Float64Array
  lastSource: Int32Array
  invalid: Float64Array
  /** 1 when the pane got a sample out of order. */
  disordered: Uint8Array
  readonly samples: OpenSamples[]
}

export function createOpenPanes(channels: number, slideUs: number, capacity: number): OpenPanes {
  const n = channels * capacity
  return {
    slideUs,
    channels,
    capacity,
    count: new Float64Array(n),
    shift: new Float64Array(n),
    sum: new Float64Array(n),
    sumSquares: new Float64Array(n),
    min: new Float64Array(n),
    max: new Float64Array(n),
    last: new Float64Array(n),
    lastTime: new Float64Array(n),
    lastSeq: new Float64Array(n),
    lastSource: new Int32Array(n),
    invalid: new Float64Array(n),
    disordered: new Uint8Array(n),
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
  const at = slotOf(panes, channel, paneOf(timeUs, panes.slideUs))
  const open = panes.samples[channel]!
  const behind = panes.count[at]! > 0 && !(timeUs > panes.lastTime[at]!)
  if (behind && seq < 0 && hasOpen(open, timeUs, value)) return 'duplicate'
  if (!pushOpen(open, timeUs, value, seq, source)) return 'shed'
  if (behind && !follows(panes, at, sample, sources)) panes.disordered[at] = 1
  add(panes, at, value)
  panes.last[at] = value
  if (!(timeUs < panes.lastTime[at]!)) {
    panes.lastTime[at] = timeUs
    panes.lastSeq[at] = seq
    panes.lastSource[at] = source
  }
  return 'kept'
}

/** Counts a sample that is not a number, or that its source calls bad: the pane is INVALID, its moments are untouched. */
export function putInvalid(panes: OpenPanes, channel: number, timeUs: number): void {
  const at = slotOf(panes, channel, paneOf(timeUs, panes.slideUs))
  panes.invalid[at] = panes.invalid[at]! + 1
}

/** Samples of one channel of one frame that lie in one open pane, times strictly increasing: for {@link putRun}. */
export type PaneRun = Readonly<{
  channel: number
  pane: number
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
  const at = slotOf(panes, channel, run.pane)
  const open = panes.samples[channel]!
  const most = Math.min(run.count, roomOf(open))
  const inOrder = panes.count[at] === 0 || (panes.disordered[at] === 0 && time[timeAt]! > panes.lastTime[at]!)
  const kept = inOrder ? addAll(panes, at, value, valueAt, most) : usable(value, valueAt, most)
  if (kept === 0) return 0
  pushRun(open, { time, value, timeAt, valueAt, count: kept, seq, source })
  const lastTime = time[timeAt + kept - 1]!
  if (!inOrder) {
    panes.disordered[at] = 1
    panes.count[at] = panes.count[at]! + kept
  }
  if (inOrder || !(lastTime < panes.lastTime[at]!)) {
    panes.lastTime[at] = lastTime
    panes.lastSeq[at] = seq
    panes.lastSource[at] = source
  }
  panes.last[at] = value[valueAt + kept - 1]! + 0
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

/** Adds values to a pane up to the first that cannot be used. @returns how many were added */
function addAll(panes: OpenPanes, at: number, value: Float64Array, valueAt: number, most: number): number {
  if (usable(value, valueAt, Math.min(1, most)) === 0) return 0
  if (panes.count[at] === 0) {
    const first = value[valueAt]! + 0
    panes.shift[at] = first
    panes.min[at] = first
    panes.max[at] = first
  }
  const shift = panes.shift[at]!
  let sum = panes.sum[at]!
  let sumSquares = panes.sumSquares[at]!
  let min = panes.min[at]!
  let max = panes.max[at]!
  let k = 0
  for (; k < most; k += 1) {
    const v = value[valueAt + k]! + 0
    if (!(v <= VALUE_MAX && v >= -VALUE_MAX)) break
    const d = v - shift
    sum += d
    sumSquares += d * d
    if (v < min) min = v
    if (v > max) max = v
  }
  panes.sum[at] = sum
  panes.sumSquares[at] = sumSquares
  panes.min[at] = min
  panes.max[at] = max
  panes.count[at] = panes.count[at]! + k
  return k
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
  for (let channel = 0; channel < panes.channels; channel += 1) {
    const at = slotOf(panes, channel, pane)
    if (panes.disordered[at] === 1) sumAgain(panes, channel, pane, sources)
    const o = channel * MOMENTS_FIELDS
    const count = panes.count[at]!
    rows[o] = count
    if (count > 0) {
      const sum = panes.sum[at]!
      rows[o + 1] = panes.shift[at]! + sum / count
      rows[o + 2] = Math.max(0, panes.sumSquares[at]! - (sum * sum) / count)
      rows[o + 3] = panes.min[at]!
      rows[o + 4] = panes.max[at]!
      rows[o + 5] = panes.shift[at]!
      rows[o + 6] = panes.last[at]!
      newest[channel] = panes.lastTime[at]!
    } else {
      rows.fill(0, o + 1, o + 7)
    }
    rows[o + 7] = panes.invalid[at]!
    emptyPane(panes, at)
    dropClosed(panes.samples[channel]!, endUs)
  }
}

/** Empties every pane: after a gap nothing that was open belongs to what comes. @returns samples dropped per channel. */
export function emptyAll(panes: OpenPanes): Float64Array {
  const dropped = new Float64Array(panes.channels)
  for (let channel = 0; channel < panes.channels; channel += 1) {
    for (let k = 0; k < panes.capacity; k += 1) {
      const at = channel * panes.capacity + k
      dropped[channel] = dropped[channel]! + panes.count[at]!
      emptyPane(panes, at)
    }
    panes.samples[channel] = createOpenSamples()
  }
  return dropped
}

/** Samples in open panes of one channel. */
export function pendingOf(panes: OpenPanes, channel: number): number {
  let pending = 0
  for (let k = 0; k < panes.capacity; k += 1) pending += panes.count[channel * panes.capacity + k]!
  return pending
}

function slotOf(panes: OpenPanes, channel: number, pane: number): number {
  return channel * panes.capacity + (pane % panes.capacity)
}

function emptyPane(panes: OpenPanes, at: number): void {
  panes.count[at] = 0
  panes.shift[at] = 0
  panes.sum[at] = 0
  panes.sumSquares[at] = 0
  panes.min[at] = 0
  panes.max[at] = 0
  panes.last[at] = 0
  panes.lastTime[at] = 0
  panes.lastSeq[at] = 0
  panes.lastSource[at] = 0
  panes.invalid[at] = 0
  panes.disordered[at] = 0
}

function add(panes: OpenPanes, at: number, value: number): void {
  if (panes.count[at] === 0) {
    panes.shift[at] = value
    panes.min[at] = value
    panes.max[at] = value
  }
  const d = value - panes.shift[at]!
  panes.sum[at] = panes.sum[at]! + d
  panes.sumSquares[at] = panes.sumSquares[at]! + d * d
  if (value < panes.min[at]!) panes.min[at] = value
  if (value > panes.max[at]!) panes.max[at] = value
  panes.count[at] = panes.count[at]! + 1
}

function follows(panes: OpenPanes, at: number, sample: OpenSample, sources: readonly string[]): boolean {
  if (sample.timeUs !== panes.lastTime[at]) return false
  const mine = sources[sample.source]!
  const theirs = sources[panes.lastSource[at]!]!
  if (mine !== theirs) return theirs < mine
  if (sample.seq !== panes.lastSeq[at]) return panes.lastSeq[at]! < sample.seq
  return sample.seq >= 0 || panes.last[at]! < sample.value
}

/**
 * Sums a pane again in (event time, source, seq) order. Runs that do not reach into each other follow one another as they
 * are; only where they do are their samples put in order one by one.
 */
function sumAgain(panes: OpenPanes, channel: number, pane: number, sources: readonly string[]): void {
  const parts = partsOf(panes.samples[channel]!, pane * panes.slideUs, (pane + 1) * panes.slideUs)
  parts.sort((a, b) => a.firstUs - b.firstUs || a.place - b.place)
  const at = slotOf(panes, channel, pane)
  panes.count[at] = 0
  panes.sum[at] = 0
  panes.sumSquares[at] = 0
  for (let k = 0; k < parts.length; ) {
    const end = clusterEnd(parts, k)
    if (end === k + 1) addPart(panes, at, parts[k]!)
    else addCluster(panes, at, parts.slice(k, end), sources)
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

function addPart(panes: OpenPanes, at: number, { run, from, count, lastUs }: Part): void {
  addAll(panes, at, run.value, run.valueAt + from, count)
  panes.last[at] = run.value[run.valueAt + from + count - 1]! + 0
  panes.lastTime[at] = lastUs
}

type Placed = { timeUs: number; value: number; seq: number; name: string; place: number }

/** Adds samples of parts that reach into each other; those without a sequence at one instant go by value. */
function addCluster(panes: OpenPanes, at: number, parts: readonly Part[], sources: readonly string[]): void {
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
  for (const { value } of placed) add(panes, at, value)
  const newest = placed[placed.length - 1]!
  panes.last[at] = newest.value
  panes.lastTime[at] = newest.timeUs
}
