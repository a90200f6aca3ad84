import type { Database, SqlRow } from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'

/** Raw samples around a decision, or the state of asking for them. */
export type StoredSlice = Readonly<{
  agent: string
  seq: number
  rig: string
  fromUs: Micros
  toUs: Micros
  state: 'asked' | 'there' | 'refused'
  reason: string | null
  /** JSON text of the channels; null until the agent has answered. */
  body: string | null
  askedUs: Micros
  answeredUs: Micros | null
}>

export type SliceQuestion = Pick<StoredSlice, 'agent' | 'seq' | 'rig' | 'fromUs' | 'toUs' | 'askedUs'>

/** Slices by decision. Asking again keeps the last answer until there is a new one. */
export interface SliceStore {
  get(agent: string, seq: number): Promise<StoredSlice | undefined>
  ask(question: SliceQuestion): Promise<void>
  /** @returns false when nobody asked for this slice, and nothing is stored. */
  answer(
    agent: string,
    seq: number,
    answer: Readonly<{ body: string | null; reason: string | null; nowUs: Micros }>,
  ): Promise<boolean>
  /** Questions an agent has not answered, oldest first. */
  open(agent: string, limit: number): Promise<readonly StoredSlice[]>
}

/** Slices kept; of more, the one answered longest ago goes. It can be asked for again while the agent has its journal. */
export const SLICES_MAX = 2_000

export function createSliceStore(db: Database): SliceStore {
  return {
    async get(agent, seq) {
      const row = await db.get('SELECT * FROM slices WHERE agent = ? AND seq = ?', [agent, seq])
      return row === undefined ? undefined : sliceOf(row)
    },
    ask: (q) =>
      db.write(async (tx) => {
        const columns = ['agent', 'seq', 'rig', 'from_us', 'to_us', 'state', 'asked_us']
        const conflict = `ON CONFLICT (agent, seq) DO UPDATE SET state = 'asked', asked_us = excluded.asked_us`
        await tx.insert({ table: 'slices', columns, conflict }, [
          [q.agent, q.seq, q.rig, q.fromUs, q.toUs, 'asked', q.askedUs],
        ])
        await tx.run(
          'DELETE FROM slices WHERE rowid IN (SELECT rowid FROM slices ORDER BY asked_us DESC LIMIT -1 OFFSET ?)',
          [SLICES_MAX],
        )
      }),
    answer: (agent, seq, { body, reason, nowUs }) =>
      db.write(async (tx) => {
        const there = await tx.get('SELECT 1 AS one FROM slices WHERE agent = ? AND seq = ?', [agent, seq])
        if (there === undefined) return false
        const state = body === null ? 'refused' : 'there'
        const sql =
          'UPDATE slices SET state = ?, reason = ?, body = coalesce(?, body), answered_us = ? WHERE agent = ? AND seq = ?'
        await tx.run(sql, [state, reason, body, nowUs, agent, seq])
        return true
      }),
    async open(agent, limit) {
      const rows = await db.all(`SELECT * FROM slices WHERE agent = ? AND state = 'asked' ORDER BY asked_us LIMIT ?`, [
        agent,
        limit,
      ])
      return rows.map(sliceOf)
    },
  }
}

function sliceOf(row: SqlRow): StoredSlice {
  return {
    agent: row['agent'] as string,
    seq: row['seq'] as number,
    rig: row['rig'] as string,
    fromUs: row['from_us'] as number,
    toUs: row['to_us'] as number,
    state: row['state'] as StoredSlice['state'],
    reason: row['reason'] as string | null,
    body: row['body'] as string | null,
    askedUs: row['asked_us'] as number,
    answeredUs: row['answered_us'] as number | null,
  }
}
