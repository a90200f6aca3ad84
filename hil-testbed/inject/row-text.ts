import { parseTime } from '../../shared/codec/recording-text.ts'
import type { Micros } from '../../shared/units.ts'

const LINE_FEED = 0x0a
const RETURN = 0x0d
const QUESTION = 0x3f
/** First and last moment with four digits of a year. */
const CALENDAR_US = [Date.UTC(1000, 0, 1) * 1000, Date.UTC(9999, 11, 31) * 1000] as const

type Written = Readonly<{
  delimiter: string
  /** Column of an earlier mark; −1: the mark is a new cell at the end. */
  mark: number
  marks: readonly string[]
  mutate: ((bytes: Uint8Array) => Uint8Array) | null
}>

/** One line of the result, with its end. A row that nothing changed has the text it came with. */
export function rowText(
  {
    cells,
    line,
    end,
    isChanged,
  }: Readonly<{ cells: readonly string[]; line: string; end: string; isChanged: boolean }>,
  { delimiter, mark, marks, mutate }: Written,
): Uint8Array {
  // A quote that does not close: what stands here may be the inside of a cell that goes on in the next line.
  if (cells.length === 0 && line.includes('"')) return Buffer.from(`${line}${end}`)
  const said = marks.join('+')
  const isMarkedBefore = mark >= 0
  const all = [...cells]
  if (isMarkedBefore && said !== '') all[mark] = [all[mark] ?? '', said].filter((one) => one !== '').join('+')
  const isOther = isChanged || (isMarkedBefore && said !== '')
  const text = isOther ? all.map((cell) => cellText(cell ?? '', delimiter)).join(delimiter) : line
  const tail = isMarkedBefore ? end : `${delimiter}${said}${end}`
  if (mutate === null) return Buffer.from(`${text}${tail}`)
  const bytes = mutate(Buffer.from(text)).map((byte) => (byte === LINE_FEED || byte === RETURN ? QUESTION : byte))
  return Buffer.concat([bytes, Buffer.from(tail)])
}

/** A cell, quoted where it must be. */
export function cellText(cell: string, delimiter: string): string {
  return cell.includes(delimiter) || cell.includes('"') ? `"${cell.replaceAll('"', '""')}"` : cell
}

/** A time as another one is written: whole µs, or a calendar as long as it has a year for it. */
export function timeText(timeUs: Micros, like: string): string {
  const text = like.trim()
  if (/^\d+$/.test(text) || parseTime(text) === null) return String(timeUs)
  if (!(timeUs >= CALENDAR_US[0] && timeUs <= CALENDAR_US[1])) return String(timeUs)
  const iso = new Date(Math.floor(timeUs / 1000)).toISOString()
  const fraction = `${iso.slice(20, 23)}${String(timeUs - Math.floor(timeUs / 1000) * 1000).padStart(3, '0')}`
  const digits = Math.max(/\.(\d+)/.exec(text)?.[1]?.length ?? 0, fraction.replace(/0+$/, '').length)
  const zone = /(Z|\+00:?00)$/.exec(text)?.[1] ?? ''
  const seconds = digits === 0 ? '' : `.${fraction.padEnd(digits, '0').slice(0, digits)}`
  return `${iso.slice(0, 10)}${text[10] ?? ' '}${iso.slice(11, 19)}${seconds}${zone}`
}
