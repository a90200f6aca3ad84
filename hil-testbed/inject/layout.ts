import { headerOf, INJECTED_COLUMN, namesOf } from '../../shared/codec/recording-text.ts'
import { HbError } from '../../shared/errors/hb-error.ts'

/** Columns that hold the time where nobody says which. */
const TIME_COLUMNS = ['t_us', 'timestamp', 'ts', 'datetime', 'time'] as const

/**
 * What a file of values looks like. `recording`: a row is a time, a column a channel. `table`: a row is a metric, as in
 * `metrics.csv` of a run and in the predecessor's `baseline_source.csv`.
 */
export type Layout = Readonly<{
  kind: 'recording' | 'table'
  delimiter: string
  names: readonly string[]
  /** Column of the time; −1 for none. */
  time: number
  /** Column of a channel, by its name; of a table none are known before its rows. */
  channels: readonly Readonly<{ column: number; name: string }>[]
  /** Columns of a table: its metric, and the value of now. */
  metric: number
  value: number
  /** Column that says what was injected before; −1 for none. */
  mark: number
}>

/** @throws HbError CSV_HEADER */
export function layoutOf(
  first: string,
  { path, timeColumn }: { path: string; timeColumn: string | undefined },
): Layout {
  const options = { path, ignore_columns: [] }
  const line = first.replace(/\r$/, '')
  const { names, delimiter } = namesOf(line)
  const lower = names.map((name) => name.toLowerCase())
  const metric = lower.indexOf('metric')
  const value = lower.includes('current') ? lower.indexOf('current') : lower.indexOf('value')
  const mark = names.indexOf(INJECTED_COLUMN)
  if (timeColumn === undefined && metric >= 0 && value >= 0)
    return { kind: 'table', delimiter, names, time: -1, channels: [], metric, value, mark }
  const wanted = timeColumn ?? names.find((name) => TIME_COLUMNS.some((one) => one === name.toLowerCase()))
  if (wanted === undefined)
    throw new HbError('CSV_HEADER', {
      path,
      found: names.join(', ').slice(0, 200),
      expected: `a time column (--time-column, or one of ${TIME_COLUMNS.join(', ')}), or the columns metric and value`,
    })
  const header = headerOf(line, { ...options, time_column: wanted })
  return { ...header, kind: 'recording', metric: -1, value: -1, mark }
}
