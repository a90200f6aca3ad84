import type { Micros } from '../../shared/units.ts'

/** Columns of a plot: no screen shows more of it, and so no file holds more. */
export const PLOT_COLUMNS = 480

/**
 * A series thinned to the columns of a plot: of each column its first and last value and its least and greatest, so that the one spike
 * there was stays. Values that are no number leave a gap and are counted.
 */
export class ThinnedSeries {
  private readonly spanUs: Micros
  /** first, least, greatest, last of each column; NaN where there is none. */
  private readonly values = new Float64Array(PLOT_COLUMNS * 4).fill(Number.NaN)
  least = Number.POSITIVE_INFINITY
  greatest = Number.NEGATIVE_INFINITY
  count = 0
  notFinite = 0

  constructor(spanUs: Micros) {
    this.spanUs = Math.max(1, spanUs)
  }

  /** Times outside of the span count to its first or last column. */
  add(atUs: Micros, value: number): void {
    if (!Number.isFinite(value)) {
      this.notFinite += 1
      return
    }
    const column = Math.min(PLOT_COLUMNS - 1, Math.max(0, Math.floor((atUs / this.spanUs) * PLOT_COLUMNS)))
    const k = column * 4
    const { values } = this
    if (Number.isNaN(values[k]!)) values.fill(value, k, k + 4)
    values[k + 1] = Math.min(values[k + 1]!, value)
    values[k + 2] = Math.max(values[k + 2]!, value)
    values[k + 3] = value
    this.least = Math.min(this.least, value)
    this.greatest = Math.max(this.greatest, value)
    this.count += 1
  }

  /** Columns that have values: where (0 to 1), and first, least, greatest, last in it. */
  *columns(): Generator<readonly [place: number, ...Column]> {
    for (let column = 0; column < PLOT_COLUMNS; column += 1) {
      const [first, least, greatest, last] = this.values.subarray(column * 4, column * 4 + 4)
      if (!Number.isNaN(first!)) yield [(column + 0.5) / PLOT_COLUMNS, first!, least!, greatest!, last!]
    }
  }
}

type Column = [first: number, least: number, greatest: number, last: number]
