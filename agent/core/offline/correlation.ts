import type { Attribution } from './attribution.ts'

/** Columns that were recorded beside each other, row by row. */
export type Columns = ReadonlyMap<string, readonly number[]>

export const CORRELATION_SHOWN_MIN = 0.3
const CORRELATIONS_SHOWN_MAX = 5
const ROWS_MIN = 3

type Correlated = Pick<
  Attribution,
  'raw_features' | 'raw_feature_correlations' | 'corr_method' | 'n_points_used' | 'correlation_note'
>

/**
 * What moved with a metric while it was recorded: Pearson's correlation of its column with every other one, strongest
 * first. Only rows in which both have a number count. Undefined where the metric has no column, or is the only one.
 */
export function correlate(own: string, columns: Columns): Correlated | undefined {
  const values = columns.get(own)
  const others = [...columns].filter(([name]) => name !== own)
  if (values === undefined || others.length === 0) return undefined
  let used = 0
  const found = others.flatMap(([feature, column]) => {
    const rows = values.flatMap((value, k) => {
      const other = column[k] ?? Number.NaN
      return Number.isFinite(value) && Number.isFinite(other) ? [[value, other] as const] : []
    })
    if (rows.length < ROWS_MIN) return []
    used = Math.max(used, rows.length)
    const corr = pearson(rows)
    return corr !== null && Math.abs(corr) >= CORRELATION_SHOWN_MIN ? [{ feature, corr }] : []
  })
  found.sort((a, b) => Math.abs(b.corr) - Math.abs(a.corr) || (a.feature < b.feature ? -1 : 1))
  return {
    raw_features: [own],
    raw_feature_correlations: found.slice(0, CORRELATIONS_SHOWN_MAX),
    corr_method: 'pearson',
    n_points_used: used,
    correlation_note:
      found.length === 0
        ? 'no other column of signals.csv moves with it'
        : 'columns of signals.csv that move with it; that one causes the other is not said',
  }
}

/** Null where one side does not move: it has no correlation, which is not one of 0. */
function pearson(rows: readonly (readonly [number, number])[]): number | null {
  let [meanA, meanB] = [0, 0]
  for (const [a, b] of rows) {
    meanA += a / rows.length
    meanB += b / rows.length
  }
  let [ab, aa, bb] = [0, 0, 0]
  for (const [a, b] of rows) {
    ab += (a - meanA) * (b - meanB)
    aa += (a - meanA) * (a - meanA)
    bb += (b - meanB) * (b - meanB)
  }
  const scale = Math.sqrt(aa) * Math.sqrt(bb)
  return scale > 0 && Number.isFinite(scale) ? Math.max(-1, Math.min(1, ab / scale)) : null
}
