/**
 * Count, mean and spread of a set of samples, kept so that two disjoint sets can be joined exactly once.
 *
 * Eight doubles in a row of a `Float64Array`, because the evaluator holds hundreds of thousands of them: see `FIELD`.
 * `m2` is the sum of squared deviations from the mean, in squared units of the channel. An empty set has count 0 and
 * zeros everywhere; its other fields mean nothing.
 */
export const MOMENTS_FIELDS = 8
export const FIELD = { count: 0, mean: 1, m2: 2, min: 3, max: 4, first: 5, last: 6, invalid: 7 } as const

/** A set of samples as a value, for results. */
export type Moments = Readonly<{
  count: number
  mean: number
  m2: number
  min: number
  max: number
  first: number
  last: number
  invalid: number
}>

/** Reads row `row` of an array of moments. */
export function momentsAt(rows: Float64Array, row: number): Moments {
  const at = row * MOMENTS_FIELDS
  return {
    count: rows[at]!,
    mean: rows[at + 1]!,
    m2: rows[at + 2]!,
    min: rows[at + 3]!,
    max: rows[at + 4]!,
    first: rows[at + 5]!,
    last: rows[at + 6]!,
    invalid: rows[at + 7]!,
  }
}

/**
 * Joins the older row `a` with the younger row `b` into row `out` of `into`, which may be one of the two.
 *
 * Windows are built by joining whole panes, oldest first, and never by subtracting an expired pane: subtraction lets
 * rounding error grow for as long as the agent runs. The last bits depend on the order of joining, so callers fix it.
 *
 * Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances",
 * Stanford STAN-CS-79-773 (1979).
 */
export function joinRows(
  a: Float64Array,
  aRow: number,
  b: Float64Array,
  bRow: number,
  into: Float64Array,
  out: number,
): void {
  const i = aRow * MOMENTS_FIELDS
  const j = bRow * MOMENTS_FIELDS
  const o = out * MOMENTS_FIELDS
  const na = a[i]!
  const nb = b[j]!
  const invalid = a[i + 7]! + b[j + 7]!
  if (nb === 0) {
    copyRow(a, i, into, o)
  } else if (na === 0) {
    copyRow(b, j, into, o)
  } else {
    const count = na + nb
    const ma = a[i + 1]!
    const delta = b[j + 1]! - ma
    const mean = ma + (delta * nb) / count
    const m2 = a[i + 2]! + b[j + 2]! + (delta * delta * na * nb) / count
    const min = Math.min(a[i + 3]!, b[j + 3]!)
    const max = Math.max(a[i + 4]!, b[j + 4]!)
    const first = a[i + 5]!
    const last = b[j + 6]!
    into[o] = count
    into[o + 1] = mean
    into[o + 2] = m2
    into[o + 3] = min
    into[o + 4] = max
    into[o + 5] = first
    into[o + 6] = last
  }
  into[o + 7] = invalid
}

/** Spans of rows that lie in one array: row `c` of the older one is joined with row `c` of the younger one into row `c` of `out`. */
export type SiblingRows = Readonly<{ older: number; younger: number; out: number; count: number }>

/** Joins two spans row by row. The same bits as {@link joinRows}, without a call a row. */
export function joinSiblings(rows: Float64Array, { older, younger, out, count }: SiblingRows): void {
  let i = older * MOMENTS_FIELDS
  let j = younger * MOMENTS_FIELDS
  let o = out * MOMENTS_FIELDS
  for (let c = 0; c < count; c += 1, i += MOMENTS_FIELDS, j += MOMENTS_FIELDS, o += MOMENTS_FIELDS) {
    const na = rows[i]!
    const nb = rows[j]!
    if (na === 0 || nb === 0) {
      joinRows(rows, older + c, rows, younger + c, rows, out + c)
      continue
    }
    const n = na + nb
    const mean = rows[i + 1]!
    const delta = rows[j + 1]! - mean
    rows[o] = n
    rows[o + 1] = mean + (delta * nb) / n
    rows[o + 2] = rows[i + 2]! + rows[j + 2]! + (delta * delta * na * nb) / n
    const min = rows[i + 3]!
    rows[o + 3] = rows[j + 3]! < min ? rows[j + 3]! : min
    const max = rows[i + 4]!
    rows[o + 4] = rows[j + 4]! > max ? rows[j + 4]! : max
    rows[o + 5] = rows[i + 5]!
    rows[o + 6] = rows[j + 6]!
    rows[o + 7] = rows[i + 7]! + rows[j + 7]!
  }
}

/**
 * Joins whole spans of rows, oldest first, in count, mean and m2: row `c` of `into` gets what {@link joinRows} makes of the
 * rows `starts[k] + c` of `rows`, one after the other, from an empty set on. The same bits.
 *
 * The other fields do not depend on the order of joining, so who needs them can have them cheaper. Two spans at a time:
 * one would wait for what it has just written, and what is left is the time of the divisions.
 */
export function joinSpans(rows: Float64Array, starts: readonly number[], into: Float64Array): void {
  let k = starts.length % 2
  if (k === 1) {
    let i = starts[0]! * MOMENTS_FIELDS
    for (let o = 0; o < into.length; o += MOMENTS_FIELDS, i += MOMENTS_FIELDS) {
      into[o] = rows[i]!
      into[o + 1] = rows[i + 1]!
      into[o + 2] = rows[i + 2]!
    }
  } else {
    for (let o = 0; o < into.length; o += MOMENTS_FIELDS) {
      into[o] = 0
      into[o + 1] = 0
      into[o + 2] = 0
    }
  }
  for (; k < starts.length; k += 2) joinTwo(rows, starts[k]! * MOMENTS_FIELDS, starts[k + 1]! * MOMENTS_FIELDS, into)
}

function joinTwo(rows: Float64Array, left: number, right: number, into: Float64Array): void {
  let i = left
  let j = right
  for (let o = 0; o < into.length; o += MOMENTS_FIELDS, i += MOMENTS_FIELDS, j += MOMENTS_FIELDS) {
    let n = into[o]!
    let mean = into[o + 1]!
    let m2 = into[o + 2]!
    const ni = rows[i]!
    if (ni !== 0) {
      if (n === 0) {
        n = ni
        mean = rows[i + 1]!
        m2 = rows[i + 2]!
      } else {
        const count = n + ni
        const delta = rows[i + 1]! - mean
        mean = mean + (delta * ni) / count
        m2 = m2 + rows[i + 2]! + (delta * delta * n * ni) / count
        n = count
      }
    }
    const nj = rows[j]!
    if (nj !== 0) {
      if (n === 0) {
        n = nj
        mean = rows[j + 1]!
        m2 = rows[j + 2]!
      } else {
        const count = n + nj
        const delta = rows[j + 1]! - mean
        mean = mean + (delta * nj) / count
        m2 = m2 + rows[j + 2]! + (delta * delta * n * nj) / count
        n = count
      }
    }
    into[o] = n
    into[o + 1] = mean
    into[o + 2] = m2
  }
}

function copyRow(from: Float64Array, at: number, into: Float64Array, to: number): void {
  for (let k = 0; k < MOMENTS_FIELDS; k += 1) into[to + k] = from[at + k]!
}

/** Sample variance (n − 1), in squared units; null for fewer than two samples. Never negative. */
export function sampleVariance(moments: Moments): number | null {
  if (!(moments.count >= 2)) return null
  return Math.max(0, moments.m2 / (moments.count - 1))
}
