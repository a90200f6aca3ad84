import type { Micros } from '../../shared/units.ts'

/** Distance between two marks, and how many are kept: about four and a half hours, in 256 KiB. */
export const MARK_EVERY_US: Micros = 1_000_000
export const MARKS_MAX = 16_384

/** Where in the journal a time stands, to the second. What is older has to be looked for in the journal. */
export interface TimeIndex {
  note(nowUs: Micros, seq: number): void
  /** Last noted position at or before a time; null when that is older than the oldest mark. */
  before(timeUs: Micros): number | null
}

export function createTimeIndex(): TimeIndex {
  const times = new Float64Array(MARKS_MAX)
  const seqs = new Float64Array(MARKS_MAX)
  let count = 0
  return {
    note(nowUs, seq) {
      const newest = (count - 1) % MARKS_MAX
      if (count > 0 && nowUs - times[newest]! < MARK_EVERY_US) return
      times[count % MARKS_MAX] = nowUs
      seqs[count % MARKS_MAX] = seq
      count += 1
    },
    before(timeUs) {
      let best: number | null = null
      for (let k = Math.max(0, count - MARKS_MAX); k < count; k += 1) {
        if (times[k % MARKS_MAX]! > timeUs) break
        best = seqs[k % MARKS_MAX]!
      }
      return best
    },
  }
}
