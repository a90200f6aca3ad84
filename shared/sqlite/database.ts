import sqlite3 from 'sqlite3'
import { HbError, isHbError } from '../errors/hb-error.ts'
import { invariant } from '../lib/assert.ts'
import type { Clock } from '../lib/clock.ts'
import {
  type AppliedMigration,
  MIGRATIONS_TABLE,
  type Migration,
  migrationRow,
  pendingMigrations,
} from './migrations.ts'

/** What may be bound. sqlite3 binds a BigInt as NULL without a word, so it is not in here, and numbers are checked. */
export type SqlValue = null | number | string | Uint8Array
export type SqlRow = Readonly<Record<string, null | number | string | Uint8Array>>

/** Transactions that may wait for the writer; one more is refused with `DATABASE_BUSY`. */
const WRITES_WAITING_MAX = 1_024
/** Rows of one INSERT statement, and variables of one statement (SQLite allows 32 766). */
const INSERT_ROWS_MAX = 500
const VARIABLES_MAX = 30_000
/** Another process that holds the database longer than this is an error, not something to wait for. */
const BUSY_TIMEOUT_MS = 5_000
/** The write-ahead log is folded back after this many pages (4 KiB each). */
const WAL_PAGES_MAX = 2_000

/** Reads rows. Every value is null, a number, a string or bytes. */
export interface SqlReader {
  all(sql: string, values?: readonly SqlValue[]): Promise<SqlRow[]>
  /** The first row, or undefined. */
  get(sql: string, values?: readonly SqlValue[]): Promise<SqlRow | undefined>
}

/** Bytes in a row of a store that may be damaged: a cell may then be anything, or its column be gone, and is no bytes. */
export function bytesIn(row: SqlRow, column: string): Uint8Array {
  const cell = row[column]
  return cell instanceof Uint8Array ? cell : new Uint8Array(0)
}

export interface SqlTransaction extends SqlReader {
  run(sql: string, values?: readonly SqlValue[]): Promise<void>
  /** Inserts rows with as few statements as SQLite allows. `conflict` is what stands after the values: `ON CONFLICT …`. */
  insert(
    into: Readonly<{ table: string; columns: readonly string[]; conflict?: string }>,
    rows: readonly (readonly SqlValue[])[],
  ): Promise<void>
}

/**
 * A SQLite file: write-ahead log, `synchronous=FULL`, one writer. Transactions wait for each other in the order in
 * which they were asked for; reads see only what is committed and never wait for the writer.
 *
 * Throws `DISK_FULL`, `DATABASE_DAMAGED`, `DATABASE_BUSY` or `DATABASE_FAILED`.
 */
export interface Database extends SqlReader {
  /** Runs `work` in one transaction; it is durable when this settles, and undone when `work` throws. */
  write<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T>
  /** Waits for what was asked for before, then closes. Twice is fine. */
  close(): Promise<void>
}

export type DatabaseOptions = Readonly<{ path: string; migrations: readonly Migration[]; clock: Pick<Clock, 'nowUs'> }>

/** Opens a database and brings its schema up to date, or throws `DATABASE_VERSION` and changes nothing. */
export async function openDatabase({ path, migrations, clock }: DatabaseOptions): Promise<Database> {
  migrations.forEach((step, index) => {
    invariant(step.number === index + 1, `migration ${step.number} is not in its place`)
  })
  const writer = await openConnection(path, sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE)
  try {
    await writer.exec('PRAGMA journal_mode=WAL')
    await writer.exec(
      `PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=${WAL_PAGES_MAX}`,
    )
    await migrate(writer, { path, migrations, clock })
    const reader = await openConnection(path, sqlite3.OPEN_READONLY)
    return databaseOver(writer, reader, path)
  } catch (error) {
    await writer.close()
    throw error
  }
}

async function migrate(writer: Connection, { path, migrations, clock }: DatabaseOptions): Promise<void> {
  await writer.exec(MIGRATIONS_TABLE)
  const rows = await writer.all('SELECT number, digest FROM hb_migrations ORDER BY number')
  for (const step of pendingMigrations(migrations, rows as unknown as AppliedMigration[], path)) {
    await inTransaction(writer, async (tx) => {
      await writer.exec(step.sql)
      await tx.insert({ table: 'hb_migrations', columns: ['number', 'name', 'digest', 'applied_us'] }, [
        migrationRow(step, clock.nowUs()),
      ])
    })
  }
}

function databaseOver(writer: Connection, reader: Connection, path: string): Database {
  let waiting = 0
  let tail: Promise<unknown> = Promise.resolve()
  let closing: Promise<void> | undefined

  return {
    all: reader.all,
    get: async (sql, values) => (await reader.all(sql, values))[0],
    write(work) {
      if (closing !== undefined) return Promise.reject(new HbError('DATABASE_FAILED', { path, detail: 'closed' }))
      if (waiting >= WRITES_WAITING_MAX) return Promise.reject(new HbError('DATABASE_BUSY', { path, waiting }))
      waiting += 1
      const turn = tail.then(() => inTransaction(writer, work))
      // The next one's turn comes however this one ended; its caller has the error.
      tail = turn.then(
        () => {
          waiting -= 1
        },
        () => {
          waiting -= 1
        },
      )
      return turn
    },
    close() {
      closing ??= tail.then(async () => {
        await reader.close()
        await writer.close()
      })
      return closing
    },
  }
}

async function inTransaction<T>(writer: Connection, work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
  const tx: SqlTransaction = {
    all: writer.all,
    get: async (sql, values) => (await writer.all(sql, values))[0],
    run: async (sql, values) => {
      await writer.all(sql, values)
    },
    insert: (into, rows) => insertRows(writer, into, rows),
  }
  await writer.exec('BEGIN IMMEDIATE')
  try {
    const result = await work(tx)
    await writer.exec('COMMIT')
    return result
  } catch (error) {
    // After some failures SQLite has rolled back by itself, and saying it again is the only thing that then fails.
    await writer.exec('ROLLBACK').catch(() => undefined)
    throw error
  }
}

/** Opens an existing database for reading only. Throws `DATABASE_DAMAGED` or `DATABASE_FAILED`. */
export async function openToRead(path: string): Promise<SqlReader & { close(): Promise<void> }> {
  const connection = await openConnection(path, sqlite3.OPEN_READONLY)
  return {
    all: connection.all,
    get: async (sql, values) => (await connection.all(sql, values))[0],
    close: () => connection.close(),
  }
}

async function insertRows(
  writer: Connection,
  { table, columns, conflict = '' }: Readonly<{ table: string; columns: readonly string[]; conflict?: string }>,
  rows: readonly (readonly SqlValue[])[],
): Promise<void> {
  const perStatement = Math.max(1, Math.min(INSERT_ROWS_MAX, Math.floor(VARIABLES_MAX / columns.length)))
  const row = `(${columns.map(() => '?').join(',')})`
  for (let from = 0; from < rows.length; from += perStatement) {
    const part = rows.slice(from, from + perStatement)
    for (const values of part)
      invariant(values.length === columns.length, `${table}: a row has ${values.length} values`)
    const sql = `INSERT INTO ${table} (${columns.join(',')}) VALUES ${part.map(() => row).join(',')} ${conflict}`
    await writer.all(sql, part.flat())
  }
}

type Connection = Readonly<{
  exec(sql: string): Promise<void>
  all(sql: string, values?: readonly SqlValue[]): Promise<SqlRow[]>
  close(): Promise<void>
}>

function openConnection(path: string, flags: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const raw = new sqlite3.Database(path, flags, (error) => {
      if (error !== null) {
        reject(databaseError(error, path))
        return
      }
      raw.configure('busyTimeout', BUSY_TIMEOUT_MS)
      resolve(connectionOver(raw, path))
    })
  })
}

function connectionOver(raw: sqlite3.Database, path: string): Connection {
  return {
    exec: (sql) =>
      new Promise((resolve, reject) => {
        raw.exec(sql, (error) => (error === null ? resolve() : reject(databaseError(error, path))))
      }),
    all: (sql, values = []) =>
      new Promise((resolve, reject) => {
        raw.all(sql, values.map(bindable), (error, rows) =>
          error === null ? resolve(rows as SqlRow[]) : reject(databaseError(error, path)),
        )
      }),
    close: () =>
      new Promise((resolve, reject) => {
        raw.close((error) => (error === null ? resolve() : reject(databaseError(error, path))))
      }),
  }
}

/** sqlite3 would store a BigInt as NULL and round what is beyond 2^53; both are bugs of the caller. */
function bindable(value: SqlValue): SqlValue {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'number') {
    invariant(
      Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)),
      `${value} cannot be bound`,
    )
    return value
  }
  invariant(value instanceof Uint8Array, `a ${typeof value} cannot be bound`)
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function databaseError(error: Error & { code?: string }, path: string): HbError {
  if (isHbError(error)) return error
  const code = error.code ?? ''
  const context = { path, sqlite: code, detail: error.message }
  if (code === 'SQLITE_FULL') return new HbError('DISK_FULL', context, { cause: error })
  if (code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB')
    return new HbError('DATABASE_DAMAGED', context, { cause: error })
  if (code === 'SQLITE_BUSY' || code === 'SQLITE_LOCKED') return new HbError('DATABASE_BUSY', context, { cause: error })
  return new HbError('DATABASE_FAILED', context, { cause: error })
}
