import type { Database, SqlRow, SqlValue } from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'
import type { DecisionRow } from '../core/decision-view.ts'

/** A verified batch with everything that is kept of it. `header` is JSON for people; `cose` is what is proved. */
export type StoredBatch = Readonly<{
  agent: string
  epoch: number
  batchSeq: number
  identity: Uint8Array
  prev: Uint8Array
  firstSeq: number
  count: number
  run: string
  header: string
  recvUs: Micros
  cose: Uint8Array
  records: Uint8Array
  receipt: Uint8Array
}>

/** A decision of a batch with the program that its rig runs in. */
export type BatchDecision = DecisionRow & Readonly<{ program: string | null }>

export type BatchPlace = Readonly<{ agent: string; epoch: number; batchSeq: number }>

/** Verified batches and their decisions. */
export interface BatchStore {
  /**
   * Stores batches with all their decisions in one transaction: when it settles every one of them would survive a
   * power cut, and when it throws none of them is there. A batch that is there already is a bug of the caller.
   */
  append(batches: readonly Readonly<{ batch: StoredBatch; decisions: readonly BatchDecision[] }>[]): Promise<void>
  get(place: BatchPlace): Promise<StoredBatch | undefined>
  /** Identity and receipt of a stored batch, without its bytes. */
  receipt(place: BatchPlace): Promise<Readonly<{ identity: Uint8Array; receipt: Uint8Array }> | undefined>
  /** The newest batches of all agents, newest first. */
  recent(limit: number): Promise<readonly Omit<StoredBatch, 'cose' | 'records' | 'receipt' | 'header'>[]>
}

const BATCH_COLUMNS = [
  'agent',
  'epoch',
  'batch_seq',
  'identity',
  'prev',
  'first_seq',
  'count',
  'bytes',
  'run',
  'header',
  'recv_us',
  'cose',
  'records',
  'receipt',
] as const
const DECISION_COLUMNS = [
  'agent',
  'seq',
  'last_seq',
  'kind',
  'rig',
  'program',
  'run',
  'verdict',
  'revises',
  'time_us',
  'body',
  'epoch',
  'batch_seq',
] as const
const AT_PLACE = 'FROM batches WHERE agent = ? AND epoch = ? AND batch_seq = ?'

export function createBatchStore(db: Database): BatchStore {
  return {
    append: (group) =>
      db.write(async (tx) => {
        const rows = group.map(({ batch }) => batchRow(batch))
        await tx.insert({ table: 'batches', columns: BATCH_COLUMNS }, rows)
        const decisions = group.flatMap(({ batch, decisions: of }) => of.map((d) => decisionRow(batch, d)))
        await tx.insert({ table: 'decisions', columns: DECISION_COLUMNS }, decisions)
      }),
    async get({ agent, epoch, batchSeq }) {
      const row = await db.get(`SELECT * ${AT_PLACE}`, [agent, epoch, batchSeq])
      if (row === undefined) return undefined
      return {
        ...summaryOf(row),
        header: row['header'] as string,
        cose: row['cose'] as Uint8Array,
        records: row['records'] as Uint8Array,
        receipt: row['receipt'] as Uint8Array,
      }
    },
    async receipt({ agent, epoch, batchSeq }) {
      const row = await db.get(`SELECT identity, receipt ${AT_PLACE}`, [agent, epoch, batchSeq])
      return row === undefined
        ? undefined
        : { identity: row['identity'] as Uint8Array, receipt: row['receipt'] as Uint8Array }
    },
    async recent(limit) {
      const columns = 'agent, epoch, batch_seq, identity, prev, first_seq, count, run, recv_us'
      return (await db.all(`SELECT ${columns} FROM batches ORDER BY rowid DESC LIMIT ?`, [limit])).map(summaryOf)
    },
  }
}

function batchRow(b: StoredBatch): SqlValue[] {
  const bytes = b.cose.length + b.records.length
  const place = [b.agent, b.epoch, b.batchSeq, b.identity, b.prev, b.firstSeq, b.count]
  return [...place, bytes, b.run, b.header, b.recvUs, b.cose, b.records, b.receipt]
}

function decisionRow(b: StoredBatch, d: BatchDecision): SqlValue[] {
  const about = [b.agent, d.seq, d.lastSeq, d.kind, d.rig, d.program, d.run, d.verdict, d.revises, d.timeUs, d.body]
  return [...about, b.epoch, b.batchSeq]
}

function summaryOf(row: SqlRow): Omit<StoredBatch, 'cose' | 'records' | 'receipt' | 'header'> {
  return {
    agent: row['agent'] as string,
    epoch: row['epoch'] as number,
    batchSeq: row['batch_seq'] as number,
    identity: row['identity'] as Uint8Array,
    prev: row['prev'] as Uint8Array,
    firstSeq: row['first_seq'] as number,
    count: row['count'] as number,
    run: row['run'] as string,
    recvUs: row['recv_us'] as number,
  }
}
