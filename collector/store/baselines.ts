import { bytesIn, type Database, type SqlRow, type SqlTransaction } from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'
import type { BookRow } from '../core/book-rows.ts'

/** The book that is kept here: its id, and a digest of whom it trusted when its derived rows were written. */
export type StoredBook = Readonly<{ book: string; trust: string; madeUs: Micros }>
export type StoredStatement = Readonly<{ seq: number; id: string; digest: string; recvUs: Micros; bytes: Uint8Array }>
export type StoredRecord = Readonly<{ digest: string; storedUs: Micros; bytes: Uint8Array; policy: Uint8Array }>
/** What the schedule last found of a baseline; `body` is JSON. */
export type StoredDecay = Readonly<{ digest: string; checkedUs: Micros; body: string }>

/** One statement and what it brings along. */
export type Addition = Readonly<{
  book: StoredBook
  record: Readonly<{
    digest: string
    bytes: Uint8Array
    policy: Readonly<{ digest: string; bytes: Uint8Array }>
  }> | null
  statement: StoredStatement
  /** Derived rows that it changes. */
  rows: readonly BookRow[]
}>

/**
 * Baselines: the bytes of records and statements, which are the truth, and rows of what they come to, which only serve
 * for searching. Bytes are never changed and never deleted.
 */
export interface BaselineStore {
  book(): Promise<StoredBook | undefined>
  digests(): Promise<readonly string[]>
  record(digest: string): Promise<StoredRecord | undefined>
  /** All statements, in their order. */
  statements(): Promise<readonly StoredStatement[]>
  rows(): Promise<readonly BookRow[]>
  /** A record, its statement and what they change, all or nothing. */
  add(addition: Addition): Promise<void>
  /** Writes the derived rows anew, for other people that are trusted. */
  replaceRows(book: StoredBook, rows: readonly BookRow[]): Promise<void>
  decays(): Promise<readonly StoredDecay[]>
  noteDecay(decays: readonly StoredDecay[]): Promise<void>
  /** The next number against replays for an agent: rises over starts, and over a clock that was set back. */
  nextNumber(agent: string, nowUs: Micros): Promise<number>
}

const STATEMENTS = 'SELECT seq, id, digest, recv_us, bytes FROM baseline_statements ORDER BY seq'
const RECORD = `SELECT r.digest, r.stored_us, r.bytes, p.bytes AS policy FROM baseline_records r
  JOIN baseline_policies p ON p.digest = r.policy WHERE r.digest = ?`

export function createBaselineStore(db: Database): BaselineStore {
  return {
    async book() {
      const row = await db.get('SELECT book, trust, made_us FROM baseline_book')
      if (row === undefined) return undefined
      return { book: row['book'] as string, trust: row['trust'] as string, madeUs: row['made_us'] as number }
    },
    digests: async () =>
      (await db.all('SELECT digest FROM baseline_records ORDER BY digest')).map((row) => row['digest'] as string),
    async record(digest) {
      const row = await db.get(RECORD, [digest])
      return row === undefined ? undefined : recordOf(row)
    },
    statements: async () => (await db.all(STATEMENTS)).map(statementOf),
    rows: async () => (await db.all('SELECT kind, key, body FROM baseline_state ORDER BY kind, key')).map(rowOf),
    add: (addition) => db.write((tx) => add(tx, addition)),
    replaceRows: (book, rows) =>
      db.write(async (tx) => {
        await putBook(tx, book)
        await tx.run('DELETE FROM baseline_state')
        await putRows(tx, rows)
      }),
    decays: async () =>
      (await db.all('SELECT digest, checked_us, body FROM baseline_decay ORDER BY digest')).map((row) => ({
        digest: row['digest'] as string,
        checkedUs: row['checked_us'] as number,
        body: row['body'] as string,
      })),
    noteDecay: (decays) =>
      db.write(async (tx) => {
        const conflict = 'ON CONFLICT (digest) DO UPDATE SET checked_us = excluded.checked_us, body = excluded.body'
        await tx.insert(
          { table: 'baseline_decay', columns: ['digest', 'checked_us', 'body'], conflict },
          decays.map(({ digest, checkedUs, body }) => [digest, checkedUs, body]),
        )
      }),
    nextNumber: (agent, nowUs) =>
      db.write(async (tx) => {
        const last = await tx.get('SELECT number FROM baseline_downlinks WHERE agent = ?', [agent])
        const number = Math.max(nowUs, ((last?.['number'] as number | undefined) ?? 0) + 1)
        const conflict = 'ON CONFLICT (agent) DO UPDATE SET number = excluded.number'
        await tx.insert({ table: 'baseline_downlinks', columns: ['agent', 'number'], conflict }, [[agent, number]])
        return number
      }),
  }
}

async function add(tx: SqlTransaction, { book, record, statement, rows }: Addition): Promise<void> {
  await putBook(tx, book)
  if (record !== null) {
    // The name is the digest of the content: what is there already is the same.
    const conflict = 'ON CONFLICT (digest) DO NOTHING'
    const { policy } = record
    await tx.insert({ table: 'baseline_policies', columns: ['digest', 'bytes'], conflict }, [
      [policy.digest, policy.bytes],
    ])
    await tx.insert({ table: 'baseline_records', columns: ['digest', 'policy', 'stored_us', 'bytes'], conflict }, [
      [record.digest, policy.digest, statement.recvUs, record.bytes],
    ])
  }
  const { seq, id, digest, recvUs, bytes } = statement
  await tx.insert({ table: 'baseline_statements', columns: ['seq', 'id', 'digest', 'recv_us', 'bytes'] }, [
    [seq, id, digest, recvUs, bytes],
  ])
  await putRows(tx, rows)
}

async function putBook(tx: SqlTransaction, { book, trust, madeUs }: StoredBook): Promise<void> {
  const conflict = 'ON CONFLICT (one) DO UPDATE SET book = excluded.book, trust = excluded.trust'
  await tx.insert({ table: 'baseline_book', columns: ['one', 'book', 'trust', 'made_us'], conflict }, [
    [1, book, trust, madeUs],
  ])
}

async function putRows(tx: SqlTransaction, rows: readonly BookRow[]): Promise<void> {
  const conflict = 'ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body'
  await tx.insert(
    { table: 'baseline_state', columns: ['kind', 'key', 'body'], conflict },
    rows.map(({ kind, key, body }) => [kind, key, body]),
  )
}

export function statementOf(row: SqlRow): StoredStatement {
  return {
    seq: row['seq'] as number,
    id: row['id'] as string,
    digest: row['digest'] as string,
    recvUs: row['recv_us'] as number,
    bytes: bytesIn(row, 'bytes'),
  }
}

export function rowOf(row: SqlRow): BookRow {
  return { kind: row['kind'] as BookRow['kind'], key: row['key'] as string, body: row['body'] as string }
}

function recordOf(row: SqlRow): StoredRecord {
  return {
    digest: row['digest'] as string,
    storedUs: row['stored_us'] as number,
    bytes: bytesIn(row, 'bytes'),
    policy: bytesIn(row, 'policy'),
  }
}
