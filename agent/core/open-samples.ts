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
export type NewRun = Readonly<Omit<SampleRun, 'own'>>

/** Runs kept for later use, a channel. */
const SPARE_MAX = 1024
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

/** Puts a run at the end. The caller has asked {@link roomOf}. */
export function pushRun(open: OpenSamples, run: NewRun): void {
  const spare = open.spare.pop()
  open.runs.push(spare === undefined ? { ...run, own: false } : takeOver(spare, run))
  open.length += run.count
}

function takeOver(spare: SampleRun, run: NewRun): SampleRun {
  spare.time = run.time
  spare.value = run.value
  spare.timeAt = run.timeAt
  spare.valueAt = run.valueAt
  spare.count = run.count
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
  pushRun(open, { ...own, timeAt: 0, valueAt: 0, count: 1, seq, source })
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

/** Forgets samples before `closedUs` that stand at the front. What stands behind a newer one goes when that one does. */
export function dropClosed(open: OpenSamples, closedUs: number): void {
  let whole = 0
  for (const run of open.runs) {
    if (run.time[run.timeAt + run.count - 1]! < closedUs) {
      open.length -= run.count
      whole += 1
      continue
    }
    const gone = firstFrom(run, closedUs)
    run.timeAt += gone
    run.valueAt += gone
    run.count -= gone
    // An own run is written behind its count, which no longer says where that is.
    if (gone > 0) run.own = false
    open.length -= gone
    break
  }
  for (let k = 0; k < whole && open.spare.length < SPARE_MAX; k += 1) {
    const run = open.runs[k]!
    run.time = NOTHING
    run.value = NOTHING
    open.spare.push(run)
  }
  if (whole > 0) open.runs.splice(0, whole)
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
