import {
  bytesIn,
  type Database,
  type SqlRow,
  type SqlTransaction,
  type SqlValue,
} from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'
import type { DecisionRow } from '../core/decision-view.ts'
import { noteSafety } from './safety.ts'

/**
 * A verified batch with everything that is kept of it. `header` is JSON for people; `cose` is what is proved. `records` is
 * null when the agent did not keep its detail; in the table that is no bytes, which no map of records has.
 */
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
  records: Uint8Array | null
  receipt: Uint8Array
}>

/** A decision of a batch with the program that its rig runs in. */
export type BatchDecision = DecisionRow & Readonly<{ program: string | null }>

export type BatchWithDecisions = Readonly<{ batch: StoredBatch; decisions: readonly BatchDecision[] }>

export type BatchPlace = Readonly<{ agent: string; epoch: number; batchSeq: number }>

/** `thinned`: stored without its records. */
export type BatchReceipt = Readonly<{ identity: Uint8Array; receipt: Uint8Array; thinned: boolean }>

/** Verified batches and their decisions. */
export interface BatchStore {
  /**
   * Stores batches with all their decisions in one transaction: when it settles every one of them would survive a
   * power cut, and when it throws none of them is there. A batch that is there already is a bug of the caller.
   */
  append(batches: readonly BatchWithDecisions[]): Promise<void>
  /**
   * Puts records and decisions where a batch was stored without them: the same batch has come whole. One that has its
   * records already stays as it is.
   */
  complete(batches: readonly BatchWithDecisions[]): Promise<void>
  get(place: BatchPlace): Promise<StoredBatch | undefined>
  /** Identity and receipt of a stored batch, without its bytes. */
  receipt(place: BatchPlace): Promise<BatchReceipt | undefined>
  /** The newest batches of all agents, newest first. */
  recent(limit: number): Promise<readonly Omit<StoredBatch, 'cose' | 'records' | 'receipt' | 'header'>[]>
  /** When the newest batch of each of these agents was received; null: there is none. */
  lastReceived(agents: readonly string[]): Promise<ReadonlyMap<string, Micros | null>>
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
  'about',
  'epoch',
  'batch_seq',
] as const
const NEWEST = 'SELECT recv_us FROM batches WHERE agent = ? ORDER BY epoch DESC, batch_seq DESC LIMIT 1'
const AT_PLACE = 'FROM batches WHERE agent = ? AND epoch = ? AND batch_seq = ?'

export function createBatchStore(db: Database): BatchStore {
  return {
    async lastReceived(agents) {
      const found = new Map<string, Micros | null>()
      for (const agent of agents)
        found.set(agent, ((await db.get(NEWEST, [agent]))?.['recv_us'] as number | undefined) ?? null)
      return found
    },
    append: (group) =>
      db.write(async (tx) => {
        const rows = group.map(({ batch }) => batchRow(batch))
        await tx.insert({ table: 'batches', columns: BATCH_COLUMNS }, rows)
        const decisions = group.flatMap(({ batch, decisions: of }) => of.map((d) => decisionRow(batch, d)))
        await tx.insert({ table: 'decisions', columns: DECISION_COLUMNS }, decisions)
        for (const { batch, decisions: of } of group) await noteSafety(tx, batch.agent, of)
      }),
    complete: (group) =>
      db.write(async (tx) => {
        for (const { batch, decisions } of group) await completeBatch(tx, batch, decisions)
      }),
    async get({ agent, epoch, batchSeq }) {
      const row = await db.get(`SELECT * ${AT_PLACE}`, [agent, epoch, batchSeq])
      if (row === undefined) return undefined
      return {
        ...summaryOf(row),
        header: row['header'] as string,
        cose: bytesIn(row, 'cose'),
        records: recordsOf(row),
        receipt: bytesIn(row, 'receipt'),
      }
    },
    async receipt({ agent, epoch, batchSeq }) {
      const columns = 'identity, receipt, length(records) = 0 AS thinned'
      const row = await db.get(`SELECT ${columns} ${AT_PLACE}`, [agent, epoch, batchSeq])
      if (row === undefined) return undefined
      return {
        identity: bytesIn(row, 'identity'),
        receipt: bytesIn(row, 'receipt'),
        thinned: row['thinned'] === 1,
      }
    },
    async recent(limit) {
      const columns = 'agent, epoch, batch_seq, identity, prev, first_seq, count, run, recv_us'
      return (await db.all(`SELECT ${columns} FROM batches ORDER BY rowid DESC LIMIT ?`, [limit])).map(summaryOf)
    },
  }
}

const NO_RECORDS = new Uint8Array(0)

/** Records of a row of the table; null when they were never sent. */
export function recordsOf(row: SqlRow): Uint8Array | null {
  const records = bytesIn(row, 'records')
  return records.length === 0 ? null : records
}

export function bytesOf({ cose, records }: Pick<StoredBatch, 'cose' | 'records'>): number {
  return cose.length + (records?.length ?? 0)
}

/** Decisions that an earlier epoch told already have their rows there, and no row of this batch to be replaced. */
async function completeBatch(
  tx: SqlTransaction,
  batch: StoredBatch,
  decisions: readonly BatchDecision[],
): Promise<void> {
  const place = [batch.agent, batch.epoch, batch.batchSeq]
  const there = await tx.get(`SELECT length(records) AS bytes ${AT_PLACE}`, place)
  if (there?.['bytes'] !== 0) return
  await tx.run('UPDATE batches SET records = ?, bytes = ? WHERE agent = ? AND epoch = ? AND batch_seq = ?', [
    batch.records,
    bytesOf(batch),
    ...place,
  ])
  const at = `FROM decisions WHERE agent = ? AND seq >= ? AND seq < ? AND epoch = ? AND batch_seq = ? AND kind = 'thinned'`
  const { agent, firstSeq, count, epoch, batchSeq } = batch
  const values = [agent, firstSeq, firstSeq + count, epoch, batchSeq]
  const row = await tx.get(`SELECT seq ${at}`, values)
  if (row === undefined) return
  await tx.run(`DELETE ${at}`, values)
  const own = decisions.filter((d) => d.seq >= (row['seq'] as number))
  const rows = own.map((d) => decisionRow(batch, d))
  await tx.insert({ table: 'decisions', columns: DECISION_COLUMNS }, rows)
  await noteSafety(tx, agent, own)
}

function batchRow(b: StoredBatch): SqlValue[] {
  const bytes = bytesOf(b)
  const place = [b.agent, b.epoch, b.batchSeq, b.identity, b.prev, b.firstSeq, b.count]
  return [...place, bytes, b.run, b.header, b.recvUs, b.cose, b.records ?? NO_RECORDS, b.receipt]
}

function decisionRow(b: StoredBatch, d: BatchDecision): SqlValue[] {
  const about = [b.agent, d.seq, d.lastSeq, d.kind, d.rig, d.program, d.run, d.verdict, d.revises, d.timeUs, d.body]
  return [...about, d.safety?.about ?? null, b.epoch, b.batchSeq]
}

function summaryOf(row: SqlRow): Omit<StoredBatch, 'cose' | 'records' | 'receipt' | 'header'> {
  return {
    agent: row['agent'] as string,
    epoch: row['epoch'] as number,
    batchSeq: row['batch_seq'] as number,
    identity: bytesIn(row, 'identity'),
    prev: bytesIn(row, 'prev'),
    firstSeq: row['first_seq'] as number,
    count: row['count'] as number,
    run: row['run'] as string,
    recvUs: row['recv_us'] as number,
  }
}
