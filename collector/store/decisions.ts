import type { Database, SqlRow, SqlValue } from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'

/** A stored decision, a range that said the same as the record before, or all of a batch whose detail was not kept. */
export type StoredDecision = Readonly<{
  agent: string
  seq: number
  lastSeq: number
  kind: 'record' | 'range' | 'revision' | 'thinned' | 'safety'
  rig: string | null
  program: string | null
  run: string | null
  verdict: string | null
  /** The decision that this one corrects. */
  revises: number | null
  /** The revision that corrects this one; of a range, the decision that was asked for. */
  revisedBy: Readonly<{ seq: number; verdict: string }> | null
  timeUs: Micros
  body: Readonly<Record<string, unknown>>
  epoch: number
  batchSeq: number
  receiptUs: Micros
}>

export type DecisionQuery = Readonly<{
  rig?: string
  run?: string
  verdict?: string
  beforeUs?: Micros
  /** Only records that say another verdict than the one of their rig before them. */
  changes?: boolean
  /** Revisions instead of the decisions that were made at the time. */
  revisions?: boolean
  limit: number
}>

/** Decisions of verified batches, to be looked for. */
export interface DecisionStore {
  /** Full records, newest first by event time. */
  list(query: DecisionQuery): Promise<readonly StoredDecision[]>
  /** What is stored for one decision: its record, or the range it lies in. */
  get(agent: string, seq: number): Promise<StoredDecision | undefined>
}

const FROM = `FROM decisions d JOIN batches b ON b.agent = d.agent AND b.epoch = d.epoch AND b.batch_seq = d.batch_seq`
/** The revision of a decision, as one value: an agent makes one at most. */
const REVISED_BY = (seq: string): string => `(SELECT json_array(v.seq, v.verdict) FROM decisions v
  WHERE v.agent = d.agent AND v.kind = 'revision' AND v.revises = ${seq} ORDER BY v.seq LIMIT 1) AS revised_by`
const SELECT = `SELECT d.*, b.recv_us AS receipt_us, ${REVISED_BY('d.seq')} ${FROM}`
const SELECT_ASKED = `SELECT d.*, b.recv_us AS receipt_us, ${REVISED_BY('?')} ${FROM}`

/** Records looked through for changes: a day of a rig that is not PASS has 86 400, and looking must stay quick. */
const CHANGES_SCAN_MAX = 20_000
/** A record whose rig said the same verdict in its record before is a repetition. */
const IS_CHANGE = `r.verdict IS NOT (SELECT p.verdict FROM decisions p WHERE p.kind = 'record' AND p.rig = r.rig
  AND p.agent = r.agent AND p.time_us < r.time_us ORDER BY p.time_us DESC LIMIT 1)`
const NEWEST_FIRST = 'ORDER BY d.time_us DESC, d.agent, d.seq DESC'

export function createDecisionStore(db: Database): DecisionStore {
  return {
    async list({ rig, run, verdict, beforeUs, changes, revisions, limit }) {
      const conditions = [revisions === true ? `d.kind = 'revision'` : `d.kind = 'record'`]
      const values: SqlValue[] = []
      const where = (condition: string, value: SqlValue | undefined): void => {
        if (value === undefined) return
        conditions.push(condition)
        values.push(value)
      }
      where('d.rig = ?', rig)
      where('d.run = ?', run)
      where('d.verdict = ?', verdict)
      where('d.time_us < ?', beforeUs)
      const among = `FROM decisions d WHERE ${conditions.join(' AND ')} ${NEWEST_FIRST}`
      const sql =
        changes === true && revisions !== true
          ? `WITH recent AS (SELECT d.agent, d.seq, d.rig, d.verdict, d.time_us ${among} LIMIT ${CHANGES_SCAN_MAX}),
             changed AS (SELECT r.agent, r.seq FROM recent r WHERE ${IS_CHANGE} LIMIT ?)
             ${SELECT} JOIN changed c ON c.agent = d.agent AND c.seq = d.seq ${NEWEST_FIRST}`
          : `${SELECT} WHERE ${conditions.join(' AND ')} ${NEWEST_FIRST} LIMIT ?`
      return (await db.all(sql, [...values, limit])).map(decisionOf)
    },
    async get(agent, seq) {
      const where = 'WHERE d.agent = ? AND d.seq <= ? ORDER BY d.seq DESC LIMIT 1'
      const row = await db.get(`${SELECT_ASKED} ${where}`, [seq, agent, seq])
      if (row === undefined || !((row['last_seq'] as number) >= seq)) return undefined
      return decisionOf(row)
    },
  }
}

function decisionOf(row: SqlRow): StoredDecision {
  return {
    agent: row['agent'] as string,
    seq: row['seq'] as number,
    lastSeq: row['last_seq'] as number,
    kind: row['kind'] as StoredDecision['kind'],
    rig: row['rig'] as string | null,
    program: row['program'] as string | null,
    run: row['run'] as string | null,
    verdict: row['verdict'] as string | null,
    revises: row['revises'] as number | null,
    revisedBy: revisedByOf(row['revised_by'] as string | null),
    timeUs: row['time_us'] as number,
    body: JSON.parse(row['body'] as string) as Record<string, unknown>,
    epoch: row['epoch'] as number,
    batchSeq: row['batch_seq'] as number,
    receiptUs: row['receipt_us'] as number,
  }
}

function revisedByOf(pair: string | null): StoredDecision['revisedBy'] {
  if (pair === null) return null
  const [seq, verdict] = JSON.parse(pair) as [number, string]
  return { seq, verdict }
}
