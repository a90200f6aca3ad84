import type { Micros } from '../../shared/units.ts'

/** Upper ends of the buckets grow by this factor: a quantile is told to 5 %. */
const GROWTH = 1.05
/** The first bucket ends here, in µs; the last holds everything above 10 µs · 1.05^399, about an hour. */
const FIRST_US = 10
const BUCKETS = 400

/** How long decisions took, since the start. Bounded, and cheap enough to be asked at every decision. */
export interface DecisionLatency {
  /** Takes one, in µs; below zero counts as zero. */
  note(latencyUs: Micros): void
  /** Upper end of the bucket that holds quantile `q` of 0…1, in µs; null when nothing was noted. */
  quantileUs(q: number): Micros | null
  readonly worstUs: Micros
  readonly count: number
}

export function createDecisionLatency(): DecisionLatency {
  const counts = new Float64Array(BUCKETS)
  const ends = Float64Array.from({ length: BUCKETS }, (_, k) => FIRST_US * GROWTH ** k)
  let count = 0
  let worstUs = 0
  return {
    note(latencyUs) {
      const k = latencyUs <= FIRST_US ? 0 : Math.ceil(Math.log(latencyUs / FIRST_US) / Math.log(GROWTH))
      const at = Math.min(BUCKETS - 1, k)
      counts[at] = counts[at]! + 1
      count += 1
      worstUs = Math.max(worstUs, latencyUs)
    },
    quantileUs(q) {
      let seen = 0
      for (let k = 0; k < BUCKETS; k += 1) {
        seen += counts[k]!
        if (seen > 0 && seen >= q * count) return Math.min(ends[k]!, worstUs)
      }
      return null
    },
    get worstUs() {
      return worstUs
    },
    get count() {
      return count
    },
  }
}
