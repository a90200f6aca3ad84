import { OPEN_SAMPLES_MAX } from './settings.ts'

/**
 * Samples of one channel that came together: `count` of them, times strictly increasing, from one frame of one source.
 * Most runs point into the arrays of their frame, so that keeping them costs nothing per sample.
 */
export type SampleRun = {
  time: Float64Array
  value: Float64Array
  timeAt: number
  valueAt: number
  count: number
  seq: number
  source: number
  /** Its arrays belong to it alone, and a sample can still be put behind. */
  own: boolean
}

/**
 * Samples of one channel whose panes are still open, in order of arrival, {@link OPEN_SAMPLES_MAX} at most.
 *
 * They are kept because the value of a pane is the sum in (event time, source, seq) order (decisions 1): a pane that
 * got a sample out of order is summed again, in order, when it closes.
 */
export type OpenSamples = {
  runs: SampleRun[]
  length: number
  /** Runs that are over, to be used again: at one run a millisecond and channel they would be most of the garbage. */
  readonly spare: SampleRun[]
}

/** A run as it is to be put at the end. */
export type NewRun = Readonly<Omit<SampleRun, 'own' | 'count'>>

/** Runs kept for later use, a channel; and those that are kept however few a slide needs. */
const SPARE_MAX = 1024
const SPARE_MIN = 64
const NOTHING = new Float64Array(0)
/** Room of an own run at first, small enough to lie beside its object; and at most. */
const OWN_FIRST = 8
const OWN_MAX = 64

export function createOpenSamples(): OpenSamples {
  return { runs: [], length: 0, spare: [] }
}

/** Samples that can still be taken: past them the channel sheds. */
export function roomOf(open: OpenSamples): number {
  return OPEN_SAMPLES_MAX - open.length
}

/** Puts the first `count` samples of a run at the end. The caller has asked {@link roomOf}. */
export function pushRun(open: OpenSamples, run: NewRun, count: number): void {
  const spare = open.spare.pop()
  open.runs.push(spare === undefined ? newRun(run, count) : takeOver(spare, run, count))
  open.length += count
}

/** As {@link pushRun}, but what goes on where the last run ends, as the panes of one frame do, makes that one longer. */
export function continueRun(open: OpenSamples, run: NewRun, count: number): void {
  const last = open.runs[open.runs.length - 1]
  if (
    last !== undefined &&
    last.time === run.time &&
    last.value === run.value &&
    last.timeAt + last.count === run.timeAt &&
    last.valueAt + last.count === run.valueAt
  ) {
    last.count += count
    open.length += count
  } else pushRun(open, run, count)
}

function newRun({ time, value, timeAt, valueAt, seq, source }: NewRun, count: number): SampleRun {
  return { time, value, timeAt, valueAt, count, seq, source, own: false }
}

function takeOver(spare: SampleRun, run: NewRun, count: number): SampleRun {
  spare.time = run.time
  spare.value = run.value
  spare.timeAt = run.timeAt
  spare.valueAt = run.valueAt
  spare.count = count
  spare.seq = run.seq
  spare.source = run.source
  spare.own = false
  return spare
}

/** Puts one sample at the end. @returns false at the bound, when the sample is not kept and must be counted as shed. */
export function pushOpen(open: OpenSamples, time: number, value: number, seq: number, source: number): boolean {
  if (roomOf(open) < 1) return false
  const last = open.runs[open.runs.length - 1]
  if (last !== undefined && canTake(last, time, seq, source)) {
    if (last.count === last.time.length) growOwn(last)
    last.time[last.count] = time
    last.value[last.count] = value
    last.count += 1
    open.length += 1
    return true
  }
  const own = { time: new Float64Array(OWN_FIRST), value: new Float64Array(OWN_FIRST) }
  own.time[0] = time
  own.value[0] = value
  pushRun(open, { ...own, timeAt: 0, valueAt: 0, seq, source }, 1)
  open.runs[open.runs.length - 1]!.own = true
  return true
}

/** Gives the last run arrays of its own, so that samples can be put behind it: for a state that is restored. */
export function ownLast(open: OpenSamples): void {
  const last = open.runs[open.runs.length - 1]
  if (last === undefined) return
  last.time = last.time.slice(last.timeAt, last.timeAt + last.count)
  last.value = last.value.slice(last.valueAt, last.valueAt + last.count)
  last.timeAt = 0
  last.valueAt = 0
  last.own = true
}

/**
 * Forgets samples before `closedUs` that stand at the front. What stands behind a newer one goes when that one does.
 * `likely` is how many of them the front run probably holds; it only makes finding them cheaper.
 */
export function dropClosed(open: OpenSamples, closedUs: number, likely: number): void {
  const { runs } = open
  let whole = 0
  for (; whole < runs.length; whole += 1) {
    const run = runs[whole]!
    const last = run.timeAt + run.count - 1
    if (!(run.time[last]! < closedUs)) {
      const gone = isFirstFrom(run, closedUs, likely) ? likely : firstFrom(run, closedUs)
      run.timeAt += gone
      run.valueAt += gone
      run.count -= gone
      // An own run is written behind its count, which no longer says where that is.
      if (gone > 0) run.own = false
      open.length -= gone
      break
    }
    open.length -= run.count
    run.time = NOTHING
    run.value = NOTHING
    if (open.spare.length < SPARE_MAX) open.spare.push(run)
  }
  if (whole === 0) return
  // The next slide needs about as many as this one had. What a stall piled up would else be kept for ever.
  const needed = Math.max(SPARE_MIN, 2 * whole)
  while (open.spare.length > needed) open.spare.pop()
  for (let k = whole; k < runs.length; k += 1) runs[k - whole] = runs[k]!
  for (; whole > 0; whole -= 1) runs.pop()
}

function isFirstFrom({ time, timeAt, count }: SampleRun, timeUs: number, i: number): boolean {
  return i > 0 && i < count && time[timeAt + i]! >= timeUs && time[timeAt + i - 1]! < timeUs
}

/** Index in a run of its first sample at or after a time; its count when there is none. */
export function firstFrom(run: SampleRun, timeUs: number): number {
  if (run.time[run.timeAt]! >= timeUs) return 0
  if (run.time[run.timeAt + run.count - 1]! < timeUs) return run.count
  let low = 0
  let high = run.count
  while (low < high) {
    const middle = (low + high) >> 1
    if (run.time[run.timeAt + middle]! < timeUs) low = middle + 1
    else high = middle
  }
  return low
}

/** Tells whether a sample with exactly this time and value is among the open ones: an exact repeat. */
export function hasOpen(open: OpenSamples, time: number, value: number): boolean {
  for (let k = open.runs.length - 1; k >= 0; k -= 1) {
    const run = open.runs[k]!
    const i = firstFrom(run, time)
    if (i < run.count && run.time[run.timeAt + i] === time && run.value[run.valueAt + i] === value) return true
  }
  return false
}

/** Least and greatest value of the samples in `[fromUs, toUs)`. */
export function extremesIn(open: OpenSamples, fromUs: number, toUs: number): { min: number; max: number } {
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  for (const run of open.runs) {
    const end = firstFrom(run, toUs)
    for (let i = firstFrom(run, fromUs); i < end; i += 1) {
      const value = run.value[run.valueAt + i]! + 0
      min = Math.min(min, value)
      max = Math.max(max, value)
    }
  }
  return { min, max }
}

function canTake(run: SampleRun, time: number, seq: number, source: number): boolean {
  return run.own && run.seq === seq && run.source === source && run.count < OWN_MAX && time > run.time[run.count - 1]!
}

function growOwn(run: SampleRun): void {
  const time = new Float64Array(run.count * 2)
  const value = new Float64Array(run.count * 2)
  time.set(run.time)
  value.set(run.value)
  run.time = time
  run.value = value
}
