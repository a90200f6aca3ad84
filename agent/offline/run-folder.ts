import { statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { INJECTED_COLUMN } from '../../shared/codec/recording-text.ts'
import { readBytes } from '../../shared/config/files.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { RunMetrics } from '../core/offline/run-metric.ts'
import {
  type Decimal,
  numberExpected,
  quoted,
  type RunProblem,
  readMetrics,
  readNumber,
  readRows,
} from './metrics-csv.ts'

/** Longest file of a run that is read. */
export const RUN_FILE_BYTES_MAX = 64 * 1024 * 1024
/** Letters, digits and `. _ : -`, none of them first but a letter or digit: it names folders and stands in evidence. */
const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/
/** Mistakes that are told at once. */
const TOLD_MAX = 5

/** What a run says of itself, with the names of `run_meta.json`; '' where it says nothing. */
export type RunMeta = Readonly<{
  run_id: string
  correlation_id: string
  program: string
  subsystem: string
  test_name: string
  environment: string
  operating_mode: string
  scenario_id: string
  sensor_config_id: string
  input_data_version: string
  environment_fingerprint: string
  source_system: string
  /** When the run began, as it says. */
  start_utc: string
}>

/** A run of the run contract 1.0 as it was written: names and units are still its own. */
export type RunFolder = Readonly<{
  path: string
  meta: RunMeta
  metrics: RunMetrics
  /** Columns of `signals.csv` without its times; none when there is no such file. */
  signals: ReadonlyMap<string, readonly number[]>
  events: number
  warnings: readonly string[]
  /** Decimal mark of its files, as it was given or as `run_meta.json` says. */
  decimal: Decimal
}>

/**
 * Reads a folder with `run_meta.json`, `metrics.csv` and, where they are there, `signals.csv` and `events.jsonl`. Nothing
 * is written, and no name in it leads anywhere.
 *
 * @throws HbError RUN_MISSING, RUN_INVALID with the first mistakes and how many there are
 */
export function readRunFolder(path: string, decimal?: Decimal): RunFolder {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new HbError('RUN_MISSING', { path, reason: 'there is no such folder' })
  const problems: RunProblem[] = []
  const warnings: string[] = []
  const raw = readMeta(path, problems)
  const meta = metaOf(raw, { folder: basename(resolve(path)), problems, warnings })
  const mark = decimal ?? decimalOf(raw, problems)
  const read = readMetrics(textOf(path, 'metrics.csv', problems) ?? '', mark, problems)
  const signals = readSignals(textOf(path, 'signals.csv', null), mark, problems)
  const events = countEvents(textOf(path, 'events.jsonl', null), problems)
  if (problems.length > 0) throw new HbError('RUN_INVALID', contextOf(path, problems))
  return {
    path,
    meta,
    metrics: read.metrics,
    signals,
    events,
    warnings: [...warnings, ...read.warnings],
    decimal: mark,
  }
}

function contextOf(path: string, problems: readonly RunProblem[]): Record<string, string | number> {
  const told = problems.slice(0, TOLD_MAX).map(({ file, line, column, found, expected }): string => {
    const place = line === 0 ? file : `${file}:${line}`
    return `${place}${column === '' ? '' : ` ${column}`}: found ${found}; expected ${expected}`
  })
  return {
    run: path,
    mistakes: problems.length,
    ...Object.fromEntries(told.map((text, k) => [`mistake_${k + 1}`, text])),
  }
}

/** The text of a file. One that may be absent is null then; of one that must be there, absence is a mistake. */
function textOf(folder: string, file: string, problems: RunProblem[] | null): string | null {
  const path = join(folder, file)
  if (problems === null && statSync(path, { throwIfNoEntry: false }) === undefined) return null
  const bytes = readBytes(path, RUN_FILE_BYTES_MAX)
  if (!(bytes instanceof Uint8Array)) {
    if (bytes.isTooLarge || problems === null) throw new HbError('RUN_MISSING', { path, reason: bytes.reason })
    problems.push({ file, line: 0, column: '', found: bytes.reason, expected: 'a file of the run contract' })
    return null
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    throw new HbError('RUN_INVALID', {
      run: folder,
      mistakes: 1,
      mistake_1: `${file}: found bytes that are not UTF-8; expected text in UTF-8: export it again as "CSV UTF-8"`,
    })
  }
}

function readMeta(path: string, problems: RunProblem[]): Readonly<Record<string, unknown>> {
  const file = 'run_meta.json'
  const text = textOf(path, file, problems)
  if (text === null) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    problems.push({ file, line: 0, column: '', found: 'no object', expected: 'one JSON object: {"run_id": "…", …}' })
  } catch (error) {
    problems.push({ file, line: 0, column: '', found: quoted((error as Error).message), expected: 'one JSON object' })
  }
  return {}
}

type Saying = Readonly<{ folder: string; problems: RunProblem[]; warnings: string[] }>

function metaOf(raw: Readonly<Record<string, unknown>>, { folder, problems, warnings }: Saying): RunMeta {
  const file = 'run_meta.json'
  const text = (key: string, of = raw): string => {
    const value = of[key]
    if (value === undefined || value === null) return ''
    if (typeof value === 'string' && value.length <= 256) return value
    problems.push({
      file,
      line: 0,
      column: key,
      found: quoted(JSON.stringify(value)),
      expected: 'a text of at most 256 characters',
    })
    return ''
  }
  const { schema_version: version } = raw
  if (version !== undefined && version !== '1.0')
    problems.push({ file, line: 0, column: 'schema_version', found: quoted(String(version)), expected: '"1.0"' })
  const runId = text('run_id')
  if (runId === '') warnings.push(`run_meta.json has no run_id; the folder's name stands for it`)
  const toolchain = raw['toolchain']
  const timestamps = raw['timestamps']
  const times = typeof timestamps === 'object' && timestamps !== null ? (timestamps as Record<string, unknown>) : {}
  const tools = typeof toolchain === 'object' && toolchain !== null ? (toolchain as Record<string, unknown>) : {}
  return {
    run_id: idOf(runId === '' ? folder : runId, problems),
    correlation_id: text('correlation_id'),
    program: text('program'),
    subsystem: text('subsystem'),
    test_name: text('test_name'),
    environment: text('environment'),
    operating_mode: text('operating_mode'),
    scenario_id: text('scenario_id'),
    sensor_config_id: text('sensor_config_id'),
    input_data_version: text('input_data_version'),
    environment_fingerprint: text('environment_fingerprint'),
    source_system: text('source_system', tools),
    start_utc: text('start_utc', times),
  }
}

/** The predecessor made a folder of that name: a path in it wrote anywhere. */
function idOf(runId: string, problems: RunProblem[]): string {
  const isPath = /[/\\]/.test(runId) || runId.includes('..')
  if (RUN_ID.test(runId) && !isPath) return runId
  const expected =
    'letters, digits and . _ : - only, at most 128, without `..`: rename the run, it is a name and no path'
  problems.push({ file: 'run_meta.json', line: 0, column: 'run_id', found: quoted(runId), expected })
  return ''
}

function decimalOf(raw: Readonly<Record<string, unknown>>, problems: RunProblem[]): Decimal {
  const { decimal = 'point' } = raw
  if (decimal === 'point' || decimal === 'comma') return decimal
  problems.push({
    file: 'run_meta.json',
    line: 0,
    column: 'decimal',
    found: quoted(JSON.stringify(decimal)),
    expected: '"point" or "comma"',
  })
  return 'point'
}

function readSignals(text: string | null, decimal: Decimal, problems: RunProblem[]): Map<string, number[]> {
  const file = 'signals.csv'
  const signals = new Map<string, number[]>()
  const table = text === null ? null : readRows(file, text, problems)
  if (table === null) return signals
  const time = table.names.findIndex((name) => /^(timestamp|ts)$/i.test(name))
  const columns = table.names.flatMap((name, k) =>
    k === time || name === '' || name === INJECTED_COLUMN ? [] : [{ name, k }],
  )
  if (time < 0 || columns.length === 0) {
    const found = `the header ${quoted(table.names.join(' | '))}`
    problems.push({ file, line: 1, column: '', found, expected: '`timestamp` or `ts`, and at least one signal' })
    return signals
  }
  for (const { name, k } of columns) {
    const values = table.rows.map(({ line, cells }) => {
      const cell = (cells[k] ?? '').trim()
      const value = readNumber(cell, decimal)
      if (value === undefined)
        problems.push({ file, line, column: name, found: quoted(cell), expected: numberExpected(cell, decimal) })
      return value ?? Number.NaN
    })
    signals.set(name, values)
  }
  return signals
}

/** Every line is looked at; the predecessor read the first. */
function countEvents(text: string | null, problems: RunProblem[]): number {
  if (text === null) return 0
  let events = 0
  for (const [k, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    try {
      JSON.parse(line)
      events += 1
    } catch {
      problems.push({
        file: 'events.jsonl',
        line: k + 1,
        column: '',
        found: quoted(line),
        expected: 'one JSON object a line',
      })
    }
  }
  return events
}
