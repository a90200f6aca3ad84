import { createHash } from 'node:crypto'
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import type { BaselineTag } from '../../shared/model/baseline-selection.ts'
import { countsAs } from '../../shared/model/run-meta.ts'
import { openToRead, type SqlReader, type SqlRow } from '../../shared/sqlite/database.ts'
import { diskError } from '../adapters/files.ts'
import { BASELINE_TAGS } from '../adapters/run-folders.ts'
import type { MetricRow, OutFolder, RunMeta } from './run-writer.ts'
import type { ImportSummary } from './summary.ts'

/** Rows that are read at once. */
const PAGE_ROWS = 5000
/** Bytes of a file that are hashed at once. */
const READ_BYTES = 1024 * 1024
/** Where the database is copied to while it is read: SQLite writes beside a database even to read it. */
const READING = '.reading'
/** Tables with a place in run folders; the others are counted. */
const IMPORTED_TABLES: readonly string[] = ['runs', 'metrics', 'baseline_tags']
/** Columns of a run that are text of the run contract under the same name. */
const SAME_NAMES = [
  ...['program', 'subsystem', 'test_name', 'environment', 'operating_mode', 'scenario_id', 'sensor_config_id'],
  ...['input_data_version', 'environment_fingerprint'],
] as const

type Importing = Readonly<{ out: OutFolder; summary: ImportSummary }>
/** A run that was taken, by its id. */
type Taken = { folder: string; program: string; metrics: number }
type Known = Readonly<{
  taken: Map<string, Taken>
  refused: Set<string>
  columns: ReadonlyMap<string, readonly string[]>
}>

/**
 * Imports a registry database (`runs.db`) of any age: a column that it lacks is empty. The file itself is only copied.
 *
 * @throws HbError IMPORT_SHAPE when it is none, DISK_…
 */
export async function importDatabase(path: string, importing: Importing): Promise<void> {
  const folder = join(importing.out.path, READING)
  const copy = join(folder, 'runs.db')
  try {
    mkdirSync(folder)
    copyFileSync(path, copy)
    if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`)
  } catch (cause) {
    throw diskError(cause, path)
  }
  try {
    importing.summary.source = { ...importing.summary.source, sha256: digestOfFile(copy) }
    const database = await openToRead(copy)
    try {
      await importFrom(database, path, importing)
    } finally {
      await database.close()
    }
  } catch (error) {
    if (!isHbError(error, 'DATABASE_DAMAGED') && !isHbError(error, 'DATABASE_FAILED')) throw error
    throw new HbError('IMPORT_SHAPE', { path, found: String(error.context['detail']) }, { cause: error })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function importFrom(database: SqlReader, path: string, importing: Importing): Promise<void> {
  const { out, summary } = importing
  const known: Known = { taken: new Map(), refused: new Set(), columns: await columnsOf(database) }
  requireColumns(known, path, { runs: ['run_id'], metrics: ['run_id', 'metric', 'value'] })
  const name = summary.source.name
  for (const row of await database.all('PRAGMA quick_check(10)'))
    if (row['quick_check'] !== 'ok')
      summary.failed.push({ what: 'database_damaged', where: name, found: String(row['quick_check']) })
  const lineage = await lineageOf(database, known)
  await eachRow(database, known, 'runs', (row) => addRun(row, { ...importing, known, lineage }))
  const byRun = new Map<string, MetricRow[]>()
  const without = new Map<string, number>()
  await eachRow(
    database,
    known,
    'metrics',
    (row) => addMetric(row, { summary, known, byRun, without }),
    () => {
      for (const [runId, rows] of byRun) out.addMetrics(known.taken.get(runId)!.folder, rows)
      byRun.clear()
    },
  )
  for (const [runId, count] of without)
    summary.failed.push({ what: 'metrics_without_run', where: `run ${JSON.stringify(runId)}`, found: `${count} rows` })
  await addTags(database, { ...importing, known })
  await noteRepeats(database, { summary, known })
  for (const table of known.columns.keys())
    if (!IMPORTED_TABLES.includes(table)) summary.not_imported[table] = await countOf(database, table)
  const why = 'the database has neither hashes nor signatures: its runs are as they were found'
  summary.unverifiable.push({ what: 'database', where: name, why })
}

async function columnsOf(database: SqlReader): Promise<Map<string, string[]>> {
  const tables = await database.all(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  )
  const columns = new Map<string, string[]>()
  for (const { name } of tables) {
    const rows = await database.all('SELECT name FROM pragma_table_info(?)', [String(name)])
    columns.set(
      String(name),
      rows.map((row) => String(row['name'])),
    )
  }
  return columns
}

function requireColumns({ columns }: Known, path: string, wanted: Readonly<Record<string, readonly string[]>>): void {
  for (const [table, names] of Object.entries(wanted)) {
    const missing = names.filter((name) => !(columns.get(table) ?? []).includes(name))
    if (missing.length > 0)
      throw new HbError('IMPORT_SHAPE', { path, found: `no ${missing.join(', ')}`, expected: `a table \`${table}\`` })
  }
}

/** Every row of a table in the order it was written, and `afterPage` behind every few thousand of them. */
async function eachRow(
  database: SqlReader,
  { columns }: Known,
  table: string,
  take: (row: SqlRow) => void,
  afterPage: () => void = () => {},
): Promise<void> {
  const names = (columns.get(table) ?? []).map(identifier).join(', ')
  let last = Number.MIN_SAFE_INTEGER
  for (;;) {
    const rows = await database.all(
      `SELECT rowid AS "row of table", ${names} FROM ${identifier(table)} WHERE rowid > ? ORDER BY rowid LIMIT ?`,
      [last, PAGE_ROWS],
    )
    for (const row of rows) take(row)
    afterPage()
    if (rows.length < PAGE_ROWS) return
    last = rowOf(rows.at(-1)!)
  }
}

type AddingRun = Importing & Readonly<{ known: Known; lineage: ReadonlyMap<string, string> }>

function addRun(row: SqlRow, { out, summary, known, lineage }: AddingRun): void {
  const id = text(row, 'run_id')
  const refuse = (reason: string): void => {
    known.refused.add(id)
    summary.refused.push({ from: 'runs', row: rowOf(row), id, reason })
  }
  const bytes = Object.keys(row).find((column) => row[column] instanceof Uint8Array)
  if (bytes !== undefined) {
    refuse(`\`${bytes}\` is bytes, not text`)
    return
  }
  const meta = metaOf(row, text(row, 'baseline_run_id') || (lineage.get(id) ?? ''))
  const added = out.addRun(meta)
  if ('reason' in added) {
    refuse(added.reason)
    return
  }
  known.taken.set(id, { folder: added.folder, program: text(row, 'program'), metrics: 0 })
  const { status, counts_as } = meta.imported
  summary.runs.push({ run_id: id, folder: added.folder, status, counts_as })
}

function metaOf(row: SqlRow, baselineRunId: string): RunMeta {
  const [runId, status] = [text(row, 'run_id'), text(row, 'status')]
  return {
    run_id: runId,
    ...Object.fromEntries(SAME_NAMES.map((name) => [name, text(row, name)])),
    build: { git_sha: text(row, 'build_sha'), build_id: text(row, 'build_id') },
    timestamps: { start_utc: text(row, 'start_utc'), end_utc: text(row, 'end_utc') },
    toolchain: { source_system: text(row, 'source_system') },
    imported: {
      from: 'predecessor',
      status,
      counts_as: countsAs({ status, runId, baselineRunId }),
      baseline_run_id: baselineRunId,
      registry_hash: text(row, 'registry_hash'),
      created_at: text(row, 'created_at'),
    },
  }
}

type AddingMetric = Readonly<{
  summary: ImportSummary
  known: Known
  byRun: Map<string, MetricRow[]>
  without: Map<string, number>
}>

function addMetric(row: SqlRow, { summary, known, byRun, without }: AddingMetric): void {
  const runId = text(row, 'run_id')
  const run = known.taken.get(runId)
  if (run === undefined) {
    if (!known.refused.has(runId)) without.set(runId, (without.get(runId) ?? 0) + 1)
    return
  }
  const { value } = row
  const isNumber = typeof value === 'number' && Number.isFinite(value)
  const where = `metrics row ${rowOf(row)}`
  // A row without a value is one of the contract; anything else that is no number is told, and has no value here.
  if (!isNumber && value !== null && value !== undefined)
    summary.failed.push({ what: 'value_not_a_number', where, found: shown(value) })
  const metric = text(row, 'metric')
  if (metric === '') {
    summary.refused.push({ from: 'metrics', row: rowOf(row), id: runId, reason: 'the metric has no name' })
    return
  }
  const rows = byRun.get(runId) ?? []
  byRun.set(runId, rows)
  rows.push({ metric, value: isNumber ? value : null, unit: text(row, 'unit'), tags: text(row, 'tags') })
  run.metrics += 1
  summary.metrics += 1
}

/** The predecessor's tags were for all programs at once; here each belongs to that of its run. */
async function addTags(database: SqlReader, { out, summary, known }: Importing & { known: Known }): Promise<void> {
  if (!known.columns.has('baseline_tags')) return
  const tags: BaselineTag[] = []
  await eachRow(database, known, 'baseline_tags', (row) => {
    const [tag, runId, hash] = [text(row, 'tag'), text(row, 'run_id'), text(row, 'registry_hash')]
    const run = known.taken.get(runId)
    const where = `tag ${JSON.stringify(tag)}`
    if (run === undefined)
      summary.failed.push({ what: 'tag_without_run', where, found: `run ${JSON.stringify(runId)}` })
    else if (run.metrics === 0)
      summary.failed.push({ what: 'tag_of_empty_run', where, found: `run ${JSON.stringify(runId)} has no metrics` })
    else tags.push({ tag, run_id: runId, program: run.program, ...(hash === '' ? {} : { registry_hash: hash }) })
  })
  summary.tags = tags.length
  if (tags.length > 0) out.put(BASELINE_TAGS, `${JSON.stringify({ tags }, null, 2)}\n`)
}

async function noteRepeats(database: SqlReader, { summary, known }: { summary: ImportSummary; known: Known }) {
  const rows = await database.all(
    'SELECT run_id, metric, COUNT(*) AS times FROM metrics GROUP BY run_id, metric HAVING COUNT(*) > 1 ORDER BY run_id, metric',
  )
  for (const row of rows)
    if (known.taken.has(text(row, 'run_id')))
      summary.unverifiable.push({
        what: 'metric_repeated',
        where: `run ${text(row, 'run_id')}, ${text(row, 'metric')}`,
        why: `${String(row['times'])} rows, and nothing says which counts; all are kept`,
      })
}

/** Baseline of every run whose own row names none. */
async function lineageOf(database: SqlReader, known: Known): Promise<Map<string, string>> {
  const lineage = new Map<string, string>()
  const columns = known.columns.get('baseline_lineage') ?? []
  if (!columns.includes('run_id') || !columns.includes('baseline_run_id')) return lineage
  await eachRow(database, known, 'baseline_lineage', (row) => {
    lineage.set(text(row, 'run_id'), text(row, 'baseline_run_id'))
  })
  return lineage
}

async function countOf(database: SqlReader, table: string): Promise<number> {
  return Number((await database.get(`SELECT COUNT(*) AS rows FROM ${identifier(table)}`))?.['rows'])
}

function rowOf(row: SqlRow): number {
  return Number(row['row of table'])
}

function text(row: SqlRow, column: string): string {
  const value = row[column]
  return value === null || value === undefined || value instanceof Uint8Array ? '' : String(value)
}

function shown(value: string | number | Uint8Array): string {
  return value instanceof Uint8Array ? `${value.length} bytes` : JSON.stringify(String(value).slice(0, 80))
}

/** SHA-256 of a file of any size. */
function digestOfFile(path: string): string {
  const hash = createHash('sha256')
  const part = Buffer.alloc(READ_BYTES)
  const fd = openSync(path, 'r')
  try {
    for (let read = readSync(fd, part); read > 0; read = readSync(fd, part)) hash.update(part.subarray(0, read))
  } finally {
    closeSync(fd)
  }
  return hash.digest('hex')
}

/** A name inside of SQL. Names come from the file itself, so that they can hold anything. */
function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
