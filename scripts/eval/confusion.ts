/** Rows by label and verdict. */
export type Counts = Readonly<{ tp: number; fp: number; fn: number; tn: number }>

/** What is read from counts: F1 from 0 to 1, false and missed alarms in percent, J = 1 − FAR − MAR as a ratio. */
export type Rates = Readonly<{ f1: number; far: number; mar: number; j: number }>

export const NO_COUNTS: Counts = { tp: 0, fp: 0, fn: 0, tn: 0 }

/** Counts rows of a label against rows of a verdict, 1 being wrong. No row is excused because a row near it was right. */
export function countRows(truth: Uint8Array, verdict: Uint8Array): Counts {
  // By label and verdict: a normal row left alone, a false alarm, a miss, a hit.
  const counts = [0, 0, 0, 0]
  for (let row = 0; row < truth.length; row += 1) counts[2 * truth[row]! + verdict[row]!]! += 1
  const [tn, fp, fn, tp] = counts as [number, number, number, number]
  return { tp, fp, fn, tn }
}

export function addCounts(all: Iterable<Counts>): Counts {
  let [tp, fp, fn, tn] = [0, 0, 0, 0]
  for (const counts of all) {
    tp += counts.tp
    fp += counts.fp
    fn += counts.fn
    tn += counts.tn
  }
  return { tp, fp, fn, tn }
}

/** Rates of pooled counts. With nothing to count a rate is 0. */
export function ratesOf({ tp, fp, fn, tn }: Counts): Rates {
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
  const far = share(fp, fp + tn)
  const mar = share(fn, fn + tp)
  return { f1: share(tp, tp + (fp + fn) / 2), far: 100 * far, mar: 100 * mar, j: 1 - far - mar }
}

/** The mean of rates over the starts. */
export function meanRates(all: readonly Rates[]): Rates {
  const mean = (pick: (rates: Rates) => number): number => meanOf(all.map(pick))
  return { f1: mean((r) => r.f1), far: mean((r) => r.far), mar: mean((r) => r.mar), j: mean((r) => r.j) }
}

/** 0 of nothing. */
export const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
