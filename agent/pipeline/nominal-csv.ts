import { readFileSync, statSync } from 'node:fs'
import {
  cellsOf,
  type Header,
  headerOf,
  INJECTED_COLUMN,
  isInjectedRow,
  parseTime,
} from '../../shared/codec/recording-text.ts'
import { encodeFrame } from '../../shared/codec/telemetry.ts'
import type { ConfigBytes } from '../../shared/config/load.ts'
import type { RigConfig } from '../../shared/config/types.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Micros } from '../../shared/units.ts'
import { frameOf } from '../adapters/csv-source.ts'
import type { BaselineFit } from '../core/baseline-fit.ts'
import {
  type CellCount,
  commaHint,
  createCellCounter,
  LINES_NAMED_MAX,
  linesText,
  type TooMuch,
  tooMuchOf,
} from './csv-cells.ts'
import { createEvaluation, evaluate } from './evaluation.ts'
import { createNominalRecorder, type NominalRecorder, recordSlide } from './nominal.ts'

/** Names of time columns that are recognised without being named. */
const TIME_COLUMNS = ['t_us', 'time', 'timestamp', 'datetime', 'ts'] as const
/** What stands between cells whose numbers have a comma. */
const DELIMITERS_BESIDE_COMMAS = [';', '\t', '|'] as const
/** Bytes of a CSV that is made a baseline of. */
export const NOMINAL_CSV_BYTES_MAX = 268_435_456

export type CsvColumns = Readonly<{ timeColumn?: string; decimalComma: boolean; ignore: readonly string[] }>

/** `feeds`: whether a channel is one of a metric; cells of the others are nobody's and are not counted. */
type About = Readonly<{
  files: readonly ConfigBytes[]
  rig: RigConfig
  columns: CsvColumns
  feeds(channel: string): boolean
}>

/**
 * Evaluates a recording of nominal data by itself: every row through the same path as telemetry, its times the clock. Cells
 * that are no numbers are counted, and more than a few of them are refused: what is left would be judged as the whole.
 *
 * @throws HbError CONFIG_MISSING, CONFIG_TOO_LARGE, CSV_HEADER, CSV_TIMES, CSV_CELLS, INJECTED_DATA, BASELINE_TOO_SHORT
 */
export function recordCsv(
  path: string,
  about: About,
  fit?: BaselineFit,
): { recorder: NominalRecorder; cells: CellCount } {
  const { files, rig, columns, feeds } = about
  const size = statSync(path, { throwIfNoEntry: false })
  if (size?.isFile() !== true) throw new HbError('CONFIG_MISSING', { path, reason: 'there is no such file' })
  if (size.size > NOMINAL_CSV_BYTES_MAX)
    throw new HbError('CONFIG_TOO_LARGE', { path, found: size.size, at_most: NOMINAL_CSV_BYTES_MAX })
  const lines = readFileSync(path, 'utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
  const header = headerFor(lines[0] ?? '', path, columns)
  requireMeasured(path, lines, header)
  const counter = createCellCounter({ ...header, channels: header.channels.filter(({ name }) => feeds(name)) })
  const evaluation = createEvaluation()
  let recorder: NominalRecorder | null = null
  const take = (input: Parameters<typeof evaluate>[2]) => {
    evaluate(evaluation, 0, input, (state, verdict) => {
      if (state.settings.rig !== rig.rig) return
      recorder ??= createNominalRecorder(state, rig, fit)
      recordSlide(recorder, verdict)
    })
  }
  let lastUs = -1
  lines.slice(1).forEach((line, row) => {
    if (line === '') return
    const read = cellsOf(line, header.delimiter)
    const cells = columns.decimalComma && read !== null ? read.map((cell) => cell.replaceAll(',', '.')) : read
    if (cells !== null && !counter.take(cells, row + 2)) return
    const timeUs = cells === null ? null : parseTime(cells[header.time] ?? '')
    if (cells === null || timeUs === null || timeUs <= lastUs)
      throw new HbError('CSV_TIMES', {
        path,
        row: row + 2,
        found: line.slice(0, 80),
        expected: 'a later time than the row before',
      })
    if (lastUs < 0) take({ kind: 'config', nowUs: timeUs, files })
    const frame = frameOf(cells, { rig: rig.rig, source: 'csv', epoch: '1', seq: row, timeUs, header })
    const raw = { rig: rig.rig, origin: 'csv', encoding: 'cbor' as const, provenance: 'replay' as const }
    take({ kind: 'frame', nowUs: timeUs, ...raw, messages: [encodeFrame(frame)] })
    lastUs = timeUs
  })
  const counted = counter.finish()
  const tooMuch = tooMuchOf(counted)
  if (tooMuch !== null) throw refusedFor(path, tooMuch)
  take({ kind: 'tick', nowUs: closingUs(rig, lastUs) })
  if (recorder === null) throw new HbError('BASELINE_TOO_SHORT', { path, reason: 'no slide of it was ever evaluated' })
  return { recorder, cells: counted }
}

/** Not a row that a fault was put into enters a baseline. @throws HbError INJECTED_DATA */
function requireMeasured(path: string, lines: readonly string[], header: Header): void {
  if (header.injected < 0) return
  const found: number[] = []
  let first = ''
  lines.slice(1).forEach((line, row) => {
    const cells = cellsOf(line, header.delimiter)
    if (line === '' || cells === null || !isInjectedRow(cells, header)) return
    if (found.length === 0) first = cells[header.injected]!.trim()
    found.push(row + 2)
  })
  if (found.length === 0) return
  throw new HbError('INJECTED_DATA', {
    path,
    rows: found.length,
    lines: linesText({ count: found.length, lines: found.slice(0, LINES_NAMED_MAX) }),
    column: INJECTED_COLUMN,
    found: first.slice(0, 80),
  })
}

function refusedFor(path: string, { column, faults, of, atMost }: TooMuch): HbError {
  const share = `${faults.count} of ${of}`
  return new HbError('CSV_CELLS', {
    path,
    ...(column === null ? { ragged_rows: share } : { column, not_numbers: share }),
    lines: linesText(faults),
    found: faults.found,
    expected: `at most ${100 * atMost} % of them`,
    hint: commaHint(faults) ?? undefined,
  })
}

/** When the slide that a time falls into is closed without waiting for anything newer (decisions 3). */
export function closingUs({ slide_ms: slideMs, lateness_ms: latenessMs }: RigConfig, timeUs: Micros): Micros {
  const slideUs = slideMs * 1000
  return (Math.floor(timeUs / slideUs) + 2) * slideUs + latenessMs * 1000
}

function headerFor(line: string, path: string, { timeColumn, decimalComma, ignore }: CsvColumns): Header {
  // A comma within numbers stands between cells only where these are quoted.
  const delimiter = decimalComma ? (DELIMITERS_BESIDE_COMMAS.find((one) => line.includes(one)) ?? ',') : undefined
  const named = TIME_COLUMNS.find((name) =>
    line.split(/[;,\t]/).some((cell) => cell.trim().replace(/^"|"$/g, '') === name),
  )
  const time = timeColumn ?? named ?? TIME_COLUMNS[0]
  return headerOf(line, {
    path,
    time_column: time,
    ignore_columns: ignore,
    ...(delimiter === undefined ? {} : { delimiter }),
  })
}
