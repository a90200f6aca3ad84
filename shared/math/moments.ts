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

/**
 * Joins whole spans of rows, oldest first: row `c` of `into` is what {@link joinRows} makes of the rows `starts[k] + c`
 * of `rows`, one after the other, from an empty set on. The same bits, without a write between.
 */
export function joinSpans(rows: Float64Array, starts: readonly number[], into: Float64Array): void {
  into.fill(0)
  for (let k = 0; k < starts.length; k += 1) {
    let j = starts[k]! * MOMENTS_FIELDS
    for (let o = 0; o < into.length; o += MOMENTS_FIELDS, j += MOMENTS_FIELDS) {
      const nb = rows[j]!
      const na = into[o]!
      into[o + 7] = into[o + 7]! + rows[j + 7]!
      if (nb === 0) continue
      into[o + 6] = rows[j + 6]!
      if (na === 0) {
        into[o] = nb
        into[o + 1] = rows[j + 1]!
        into[o + 2] = rows[j + 2]!
        into[o + 3] = rows[j + 3]!
        into[o + 4] = rows[j + 4]!
        into[o + 5] = rows[j + 5]!
        continue
      }
      const count = na + nb
      const mean = into[o + 1]!
      const delta = rows[j + 1]! - mean
      into[o] = count
      into[o + 1] = mean + (delta * nb) / count
      into[o + 2] = into[o + 2]! + rows[j + 2]! + (delta * delta * na * nb) / count
      if (rows[j + 3]! < into[o + 3]!) into[o + 3] = rows[j + 3]!
      if (rows[j + 4]! > into[o + 4]!) into[o + 4] = rows[j + 4]!
    }
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
