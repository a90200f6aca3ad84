import type { Micros } from '../../shared/units.ts'

/** Upper ends of the buckets grow by this factor: a quantile is told to 5 %. */
const GROWTH = 1.05
/** The first bucket ends here, in µs; the last holds everything above 10 µs · 1.05^399, about an hour. */
const FIRST_US = 10
const BUCKETS = 400
/** Quantiles are of this many decisions at least, and of twice as many at most: a minute or two of one rig at 50 ms. */
const SPAN = 1_200

/** How long decisions took lately. Bounded, and cheap enough to be asked at every decision. */
export interface DecisionLatency {
  /** Takes one, in µs; below zero counts as zero. */
  note(latencyUs: Micros): void
  /** Upper end of the bucket that holds quantile `q` of 0…1, in µs; null when nothing was noted. */
  quantileUs(q: number): Micros | null
}

export function createDecisionLatency(): DecisionLatency {
  let now = new Float64Array(BUCKETS)
  let before = new Float64Array(BUCKETS)
  let noted = 0
  let notedBefore = 0
  return {
    note(latencyUs) {
      const k = latencyUs <= FIRST_US ? 0 : Math.ceil(Math.log(latencyUs / FIRST_US) / Math.log(GROWTH))
      const at = Math.min(BUCKETS - 1, k)
      now[at] = now[at]! + 1
      noted += 1
      if (noted < SPAN) return
      ;[before, now] = [now, before.fill(0)]
      notedBefore = noted
      noted = 0
    },
    quantileUs(q) {
      const wanted = q * (noted + notedBefore)
      let seen = 0
      for (let k = 0; k < BUCKETS; k += 1) {
        seen += now[k]! + before[k]!
        if (seen > 0 && seen >= wanted) return FIRST_US * GROWTH ** k
      }
      return null
    },
  }
}
