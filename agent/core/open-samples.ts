import { OPEN_SAMPLES_MAX } from './settings.ts'

/**
 * Samples of one channel whose panes are still open, in order of arrival. A ring that doubles up to a named bound.
 *
 * They are kept because the value of a pane is the sum in (event time, source, seq) order (decisions 1): a pane that
 * got a sample out of order is summed again, in order, when it closes.
 */
export type OpenSamples = {
  time: Float64Array
  value: Float64Array
  seq: Float64Array
  source: Int32Array
  head: number
  length: number
}

const FIRST_CAPACITY = 64

export function createOpenSamples(capacity = FIRST_CAPACITY): OpenSamples {
  return {
    time: new Float64Array(capacity),
    value: new Float64Array(capacity),
    seq: new Float64Array(capacity),
    source: new Int32Array(capacity),
    head: 0,
    length: 0,
  }
}

/** Puts one sample at the end. @returns false at the bound, when the sample is not kept and must be counted as shed. */
export function pushOpen(open: OpenSamples, time: number, value: number, seq: number, source: number): boolean {
  if (open.length === open.time.length && !grow(open)) return false
  const at = (open.head + open.length) & (open.time.length - 1)
  open.time[at] = time
  open.value[at] = value
  open.seq[at] = seq
  open.source[at] = source
  open.length += 1
  return true
}

/** Forgets samples before `closedUs` that stand at the front. What stands behind a newer one goes when that one does. */
export function dropClosed(open: OpenSamples, closedUs: number): void {
  const mask = open.time.length - 1
  while (open.length > 0 && open.time[open.head]! < closedUs) {
    open.head = (open.head + 1) & mask
    open.length -= 1
  }
}

function grow(open: OpenSamples): boolean {
  const old = open.time.length
  if (old * 2 > OPEN_SAMPLES_MAX) return false
  const bigger = createOpenSamples(old * 2)
  for (let i = 0; i < open.length; i += 1) {
    const at = (open.head + i) & (old - 1)
    bigger.time[i] = open.time[at]!
    bigger.value[i] = open.value[at]!
    bigger.seq[i] = open.seq[at]!
    bigger.source[i] = open.source[at]!
  }
  open.time = bigger.time
  open.value = bigger.value
  open.seq = bigger.seq
  open.source = bigger.source
  open.head = 0
  return true
}

/** Tells whether a sample with exactly this time and value is among the open ones: an exact repeat. */
export function hasOpen(open: OpenSamples, time: number, value: number): boolean {
  const mask = open.time.length - 1
  for (let i = open.length - 1; i >= 0; i -= 1) {
    const at = (open.head + i) & mask
    if (open.time[at] === time && open.value[at] === value) return true
  }
  return false
}
