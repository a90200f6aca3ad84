import { MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import { createOpenSamples, dropClosed, hasOpen, type OpenSamples, pushOpen } from './open-samples.ts'

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

/**
 * Adds samples `from..to` of one channel of a frame that are finite, in one pane, and strictly increasing in time
 * after everything the pane holds. The fast path: the same sums as {@link putSample}, without a call per sample.
 *
 * @returns how many were kept; the rest is shed.
 */
export function putRun(
  panes: OpenPanes,
  run: { channel: number; pane: number; seq: number; source: number },
  time: Float64Array,
  value: Float64Array,
  valueAt: number,
  from: number,
  to: number,
): number {
  const at = slotOf(panes, run.channel, run.pane)
  const open = panes.samples[run.channel]!
  let kept = 0
  let sum = panes.sum[at]!
  let sumSquares = panes.sumSquares[at]!
  let count = panes.count[at]!
  if (count === 0) {
    panes.shift[at] = value[valueAt + from]! + 0
    panes.min[at] = value[valueAt + from]! + 0
    panes.max[at] = value[valueAt + from]! + 0
  }
  const shift = panes.shift[at]!
  let min = panes.min[at]!
  let max = panes.max[at]!
  for (let i = from; i < to; i += 1) {
    const v = value[valueAt + i]! + 0
    if (!pushOpen(open, time[i]!, v, run.seq, run.source)) break
    const d = v - shift
    sum += d
    sumSquares += d * d
    if (v < min) min = v
    if (v > max) max = v
    count += 1
    kept += 1
  }
  if (kept > 0) {
    panes.last[at] = value[valueAt + from + kept - 1]! + 0
    panes.lastTime[at] = time[from + kept - 1]!
    panes.lastSeq[at] = run.seq
    panes.lastSource[at] = run.source
  }
  panes.sum[at] = sum
  panes.sumSquares[at] = sumSquares
  panes.min[at] = min
  panes.max[at] = max
  panes.count[at] = count
  return kept
}

/** Newest sample of a channel in a pane, or −Infinity when it holds none. */
export function paneNewest(panes: OpenPanes, channel: number, pane: number): number {
  const at = slotOf(panes, channel, pane)
  return panes.count[at]! > 0 ? panes.lastTime[at]! : Number.NEGATIVE_INFINITY
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

/** Sums a pane again in (event time, source, seq) order; samples without a sequence at one instant go by value. */
function sumAgain(panes: OpenPanes, channel: number, pane: number, sources: readonly string[]): void {
  const open = panes.samples[channel]!
  const mask = open.time.length - 1
  const inPane: number[] = []
  for (let i = 0; i < open.length; i += 1) {
    const at = (open.head + i) & mask
    if (paneOf(open.time[at]!, panes.slideUs) === pane) inPane.push(at)
  }
  const place = (at: number) => (at - open.head + open.time.length) & mask
  inPane.sort((a, b) => {
    if (open.time[a] !== open.time[b]) return open.time[a]! - open.time[b]!
    const nameA = sources[open.source[a]!]!
    const nameB = sources[open.source[b]!]!
    if (nameA !== nameB) return nameA < nameB ? -1 : 1
    if (open.seq[a] !== open.seq[b]) return open.seq[a]! - open.seq[b]!
    if (open.seq[a]! < 0 && open.value[a] !== open.value[b]) return open.value[a]! - open.value[b]!
    return place(a) - place(b)
  })
  const at = slotOf(panes, channel, pane)
  panes.count[at] = 0
  panes.sum[at] = 0
  panes.sumSquares[at] = 0
  for (const sampleAt of inPane) add(panes, at, open.value[sampleAt]!)
  const newest = inPane[inPane.length - 1]!
  panes.last[at] = open.value[newest]!
  panes.lastTime[at] = open.time[newest]!
}
