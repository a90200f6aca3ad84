import { parse } from 'csv-parse/sync'
import { isChannelName } from '../../shared/model/ids.ts'
import type { RunMetric, RunMetrics } from '../core/offline/run-metric.ts'
import { samplesOf } from './run-samples.ts'

/** One thing that is wrong with a file of a run. Lines count from 1; 0 is the whole file. */
export type RunProblem = Readonly<{ file: string; line: number; column: string; found: string; expected: string }>

export type CsvRows = Readonly<{ names: readonly string[]; delimiter: string; rows: readonly CsvRow[] }>
type CsvRow = Readonly<{ line: number; cells: readonly string[] }>

const DELIMITERS = [';', '\t', ','] as const
const COLUMNS = ['metric', 'value', 'unit', 'tags'] as const
/** What is shown of a cell. */
const CELL_SHOWN_MAX = 60

/** How numbers of a run are written. `null`: nobody said, and a comma in a number is a mistake. */
export type Decimal = 'point' | 'comma'

/**
 * Splits a CSV file as spreadsheets write it: with or without byte order mark, CRLF or LF, quoted cells, and `;`, `,` or a
 * tab between cells, which the header tells.
 */
export function readRows(file: string, text: string, problems: RunProblem[]): CsvRows | null {
  const header = /^\uFEFF?[\r\n]*([^\r\n]*)/.exec(text)?.[1] ?? ''
  if (header.trim() === '') {
    problems.push({ file, line: 1, column: '', found: 'an empty file', expected: 'a header, then one row a line' })
    return null
  }
  const delimiter = DELIMITERS.find((one) => header.includes(one)) ?? ','
  try {
    const records = parse(text, {
      bom: true,
      delimiter,
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      record_delimiter: ['\r\n', '\n', '\r'],
    }) as unknown as readonly { record: string[]; info: { lines: number } }[]
    const [first, ...rest] = records
    const names = (first?.record ?? []).map((name) => name.trim())
    const rows = rest.map(({ record, info }) => ({ line: info.lines, cells: record }))
    for (const { line, cells } of rows) {
      if (cells.slice(names.length).every((cell) => cell.trim() === '')) continue
      const expected = `${names.length}, as in the header; text with separators in it stands in "double quotes"`
      problems.push({ file, line, column: '', found: `${cells.length} cells`, expected })
    }
    return { names, delimiter, rows }
  } catch (error) {
    const { lines = 0, message } = error as { lines?: number; message: string }
    problems.push({
      file,
      line: lines,
      column: '',
      found: cut(message),
      expected: 'cells between one kind of separator; text with quotes or separators in it stands in "double quotes"',
    })
    return null
  }
}

export type ReadMetrics = Readonly<{ metrics: RunMetrics; warnings: readonly string[] }>

/** Reads `metrics.csv`. Whatever is wrong is added to `problems`, and the reading goes on. */
export function readMetrics(text: string, decimal: Decimal, problems: RunProblem[]): ReadMetrics {
  const file = 'metrics.csv'
  const table = readRows(file, text, problems)
  const rows = new Map<string, ReadRow[]>()
  const warnings: string[] = []
  if (table === null) return { metrics: new Map(), warnings }
  const at = columnsOf(table.names, { file, problems, warnings })
  if (at === null) return { metrics: new Map(), warnings }
  for (const { line, cells } of table.rows) {
    const cell = (column: (typeof COLUMNS)[number]): string => {
      const index = at.get(column)
      return index === undefined ? '' : (cells[index] ?? '').trim()
    }
    const metric = cell('metric')
    if (!isChannelName(metric)) {
      const expected = 'a name of 1 to 128 printable characters'
      problems.push({ file, line, column: 'metric', found: metric === '' ? 'nothing' : quoted(metric), expected })
      continue
    }
    const value = readNumber(cell('value'), decimal)
    if (value === undefined)
      problems.push({
        file,
        line,
        column: 'value',
        found: quoted(cell('value')),
        expected: numberExpected(cell('value'), decimal),
      })
    const unit = cell('unit')
    if (isHalfOfNumber(unit, { value: cell('value'), delimiter: table.delimiter, decimal })) {
      const expected = 'a unit; numbers with a decimal comma stand in "double quotes", or `;` stands between cells'
      problems.push({ file, line, column: 'unit', found: quoted(unit), expected })
    }
    const row = { line, value: value ?? null, unit: unit === '' ? null : unit, tags: cell('tags') }
    const known = rows.get(metric)
    if (known === undefined) rows.set(metric, [row])
    else known.push(row)
  }
  const metrics = new Map<string, RunMetric>()
  for (const [metric, ofMetric] of rows) metrics.set(metric, metricOf(metric, ofMetric, warnings))
  return { metrics, warnings }
}

type Cut = Readonly<{ value: string; delimiter: string; decimal: Decimal }>

/** Whether a unit is what stood behind a decimal comma: `a,12,5` is three cells. */
function isHalfOfNumber(unit: string, { value, delimiter, decimal }: Cut): boolean {
  if (delimiter !== ',' || !/^\d+$/.test(unit) || value.includes(',')) return false
  return decimal === 'comma' || unit !== '1'
}

type ReadRow = Readonly<{ line: number; value: number | null; unit: string | null; tags: string }>

/**
 * Rows of one metric. Several are its samples, and its value is their mean: the predecessor kept the last one and said
 * nothing. Rows in several units are no samples of anything.
 */
function metricOf(metric: string, rows: readonly ReadRow[], warnings: string[]): RunMetric {
  const first = rows[0]!
  if (rows.length === 1) return { value: first.value, unit: first.unit, ...samplesOf(first.tags) }
  const units = [...new Set(rows.map(({ unit }) => unit))]
  const values = rows.flatMap(({ value }) => (value === null ? [] : [value]))
  const samples = values.filter((value) => Number.isFinite(value))
  if (units.length > 1) {
    warnings.push(
      `${metric} stands in ${rows.length} rows in the units ${units.map((u) => u ?? '(none)').join(', ')}; give it one`,
    )
    return { value: Number.NaN, unit: first.unit, samples: [], invalidSamples: values.length }
  }
  warnings.push(`${metric} stands in ${rows.length} rows: they are its samples, its value is their mean`)
  const sum = samples.reduce((total, value) => total + value, 0)
  const value = values.length === 0 ? null : samples.length === 0 ? Number.NaN : sum / samples.length
  return { value, unit: first.unit, samples, invalidSamples: values.length - samples.length }
}

type Saying = Readonly<{ file: string; problems: RunProblem[]; warnings: string[] }>

function columnsOf(names: readonly string[], { file, problems, warnings }: Saying): Map<string, number> | null {
  const at = new Map<string, number>()
  for (const [k, name] of names.entries()) {
    const column = COLUMNS.find((known) => known === name.toLowerCase())
    if (column === undefined) {
      if (name !== '') warnings.push(`${file}: column \`${name}\` is not read`)
    } else if (at.has(column)) {
      problems.push({ file, line: 1, column, found: 'the column a second time', expected: 'every column once' })
    } else at.set(column, k)
  }
  const missing = (['metric', 'value'] as const).filter((column) => !at.has(column))
  if (missing.length === 0) return at
  problems.push({
    file,
    line: 1,
    column: missing.join(', '),
    found: `missing required columns; the header is ${quoted(names.join(' | '))}`,
    expected: 'metric,value,unit,tags with `,`, `;` or a tab between them',
  })
  return null
}

const PLAIN = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
const NO_NUMBER = /^[+-]?(nan|inf|infinity)$/i

/** A number, null for an empty cell, NaN or an infinity where that is written; undefined for anything else. */
export function readNumber(text: string, decimal: Decimal): number | null | undefined {
  if (text === '') return null
  if (NO_NUMBER.test(text)) return /nan/i.test(text) ? Number.NaN : Number(text.replace(/inf(inity)?/i, 'Infinity'))
  const plain = decimal === 'comma' && !text.includes('.') ? text.replace(',', '.') : text
  return PLAIN.test(plain) ? Number(plain) : undefined
}

export function numberExpected(text: string, decimal: Decimal): string {
  if (decimal === 'point' && /^[+-]?\d*,\d+$/.test(text))
    return 'a number; where a comma is the decimal mark, say `--decimal comma`, or "decimal": "comma" in run_meta.json'
  if (/[.,].*[.,]/.test(text)) return 'a number without separators of thousands'
  return decimal === 'comma' ? 'a number with a decimal comma, as in 12,5' : 'a number, as in 12.5'
}

export function quoted(text: string): string {
  return JSON.stringify(cut(text))
}

function cut(text: string): string {
  return text.length > CELL_SHOWN_MAX ? `${text.slice(0, CELL_SHOWN_MAX)}…` : text
}
