import { parse } from 'csv-parse/sync'
import { HbError } from '../errors/hb-error.ts'
import { isChannelName } from '../model/ids.ts'
import type { Micros } from '../units.ts'

/** Column in which `hb inject` says what it did to a row; never a channel. Blank or 0: nothing, the row was measured. */
export const INJECTED_COLUMN = 'hb_injected'
const DELIMITERS = [';', ',', '\t', '|'] as const

/** What the first line of a file says of its columns. */
export type Header = Readonly<{
  delimiter: string
  names: readonly string[]
  time: number
  channels: readonly { column: number; name: string }[]
  /** Column that says which rows are injected; −1 without one. */
  injected: number
}>

type Columns = Readonly<{ path: string; time_column: string; delimiter?: string; ignore_columns: readonly string[] }>

/** Columns of a header line. @throws HbError CSV_HEADER */
export function headerOf(first: string, { path, ...config }: Columns): Header {
  const { names, delimiter } = namesOf(first, config.delimiter)
  const time = names.indexOf(config.time_column)
  if (time < 0)
    throw new HbError('CSV_HEADER', { path, time_column: config.time_column, found: names.join(', ').slice(0, 200) })
  const channels = names.flatMap((name, column) =>
    column !== time && isData(name) && !config.ignore_columns.includes(name) ? [{ column, name }] : [],
  )
  const twice = channels.find(({ name }, k) => channels.findIndex((c) => c.name === name) !== k)
  if (twice !== undefined) throw new HbError('CSV_HEADER', { path, found: `two columns named ${twice.name}` })
  if (channels.length === 0) throw new HbError('CSV_HEADER', { path, found: 'no channel beside the time' })
  return { delimiter, names, time, channels, injected: names.indexOf(INJECTED_COLUMN) }
}

/** Names of a header line, and what stands between them. */
export function namesOf(first: string, known?: string): { names: string[]; delimiter: string } {
  const line = first.replace(/^\uFEFF/, '')
  const delimiter = known ?? DELIMITERS.find((d) => line.includes(d)) ?? ','
  return { names: line.split(delimiter).map((name) => name.trim().replace(/^"|"$/g, '')), delimiter }
}

/** Whether a column may hold a channel. */
function isData(name: string): boolean {
  return name !== INJECTED_COLUMN && isChannelName(name)
}

/** Cells of a line, or null when its quotes do not close. */
export function cellsOf(line: string, delimiter: string): string[] | null {
  if (!line.includes('"')) return line.split(delimiter)
  try {
    return (parse(line, { delimiter, relax_column_count: true, relax_quotes: true }) as string[][])[0] ?? null
  } catch {
    return null
  }
}

/** Whether a row says that it was not measured but put there. Whatever is not plainly a no is a yes. */
export function isInjectedRow(cells: readonly string[], { injected }: Pick<Header, 'injected'>): boolean {
  return injected >= 0 && !['', '0'].includes((cells[injected] ?? '').trim())
}

/** A number as it is written, otherwise NaN: the evaluator counts it as one. One that no double holds, as `1e400`, is none. */
export function numberOf(cell: string): number {
  const text = cell.trim()
  const value = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(value) ? value : Number.NaN
}

const CALENDAR = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)?(?:Z|\+00:?00)?$/

/** Event time in µs of `YYYY-MM-DD HH:MM:SS[.ffffff]` (taken as UTC) or of whole microseconds; null for anything else. */
export function parseTime(cell: string): Micros | null {
  const text = cell.trim()
  if (/^\d{1,16}$/.test(text)) return Number(text)
  const match = CALENDAR.exec(text)
  if (match === null) return null
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const date = Date.UTC(year, month - 1, day, hour, minute, second)
  // 31 February is a day in March, month 0 one of the year before and year 20 is 1920 to the calendar of the machine;
  // here they are mistakes.
  const back = new Date(date)
  if (back.getUTCFullYear() !== year || back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day) return null
  if (hour > 23 || minute > 59 || second > 59) return null
  return date * 1000 + Number((match[7] ?? '').padEnd(6, '0'))
}
