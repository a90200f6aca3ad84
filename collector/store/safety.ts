import type { SqlReader, SqlRow, SqlTransaction, SqlValue } from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'
import type { DecisionRow } from '../core/decision-view.ts'

/** A stored record of what the safety kernel of an agent said. `body` is as {@link DecisionRow} has it. */
export type SafetyRecord = Readonly<{
  agent: string
  program: string
  rig: string
  seq: number
  about: string
  state: string
  stands: boolean
  timeUs: Micros
  receiptUs: Micros
  body: SafetyBody
}>
export type SafetyBody = Readonly<{
  says: Readonly<Record<string, unknown>>
  params: unknown
  persons: readonly unknown[]
  text: unknown
}>

/** An action with what was said of it, oldest first. */
export type StoredAction = Readonly<{ newest: SafetyRecord; steps: readonly SafetyRecord[]; more: number }>

export type ActionQuery = Readonly<{ rig?: string; agent?: string; state?: string; open?: boolean; limit: number }>

/** Steps of one action that are given; of more the newest. The kernel notes fewer of one that nobody tampers with. */
export const STEPS_MAX = 64
/** Armings, bypasses and alarms that stand at once, over all rigs; of more the newest. */
export const STANDING_MAX = 2_000

/** What is under way, armed, bypassed and in alarm. */
export interface SafetyStore {
  /** The last word about the arming of every rig, and the bypasses and alarms that stand. */
  standing(): Promise<readonly SafetyRecord[]>
  /** Actions, newest change first. */
  actions(query: ActionQuery): Promise<readonly StoredAction[]>
}

const COLUMNS = `d.agent, d.program, d.rig, d.seq, d.about, s.state, s.stands, d.time_us, d.body, b.recv_us AS receipt_us`
const JOINED = `JOIN decisions d ON d.agent = s.agent AND d.seq = s.seq
  JOIN batches b ON b.agent = d.agent AND b.epoch = d.epoch AND b.batch_seq = d.batch_seq`
const STANDING = `SELECT ${COLUMNS} FROM safety_state s ${JOINED}
  WHERE (s.about = 'arm' OR (s.stands = 1 AND s.about NOT LIKE 'action:%')) ORDER BY s.time_us DESC, s.seq DESC LIMIT ${STANDING_MAX}`
const STEPS = `SELECT d.agent, d.program, d.rig, d.seq, d.about, json_extract(d.body, '$.says.state') AS state, 0 AS stands,
  d.time_us, d.body, b.recv_us AS receipt_us FROM decisions d
  JOIN batches b ON b.agent = d.agent AND b.epoch = d.epoch AND b.batch_seq = d.batch_seq
  WHERE d.agent = ? AND d.about = ? AND d.kind = 'safety' ORDER BY d.seq DESC LIMIT ${STEPS_MAX}`
const STEP_COUNT = `SELECT count(*) AS n FROM decisions WHERE agent = ? AND about = ? AND kind = 'safety'`

export function createSafetyStore(db: SqlReader): SafetyStore {
  return {
    standing: async () => (await db.all(STANDING)).map(recordOf),
    async actions({ rig, agent, state, open, limit }) {
      const conditions = [`s.about LIKE 'action:%'`]
      const values: SqlValue[] = []
      const where = (condition: string, value: SqlValue | undefined): void => {
        if (value === undefined) return
        conditions.push(condition)
        values.push(value)
      }
      where('s.rig = ?', rig)
      where('s.agent = ?', agent)
      where('s.state = ?', state)
      where('s.stands = ?', open === undefined ? undefined : Number(open))
      const sql = `SELECT ${COLUMNS} FROM safety_state s ${JOINED} WHERE ${conditions.join(' AND ')}
        ORDER BY s.time_us DESC, s.seq DESC LIMIT ?`
      const found = (await db.all(sql, [...values, limit])).map(recordOf)
      return Promise.all(found.map((newest) => actionOf(db, newest)))
    },
  }
}

async function actionOf(db: SqlReader, newest: SafetyRecord): Promise<StoredAction> {
  const place = [newest.agent, newest.about]
  const steps = (await db.all(STEPS, place)).map(recordOf).reverse()
  const count = steps.length < STEPS_MAX ? steps.length : Number((await db.get(STEP_COUNT, place))?.['n'])
  return { newest, steps, more: count - steps.length }
}

/** Remembers what a batch says is newest of each thing: what came late never stands over what came before it. */
export async function noteSafety(tx: SqlTransaction, agent: string, rows: readonly DecisionRow[]): Promise<void> {
  const values = rows.flatMap(({ rig, seq, timeUs, safety }): SqlValue[][] =>
    safety === undefined || safety.about === null
      ? []
      : [[agent, rig, safety.about, seq, safety.state, Number(safety.stands), timeUs]],
  )
  const conflict = `ON CONFLICT (agent, rig, about) DO UPDATE SET seq = excluded.seq, state = excluded.state,
    stands = excluded.stands, time_us = excluded.time_us WHERE excluded.seq > safety_state.seq`
  const columns = ['agent', 'rig', 'about', 'seq', 'state', 'stands', 'time_us']
  if (values.length > 0) await tx.insert({ table: 'safety_state', columns, conflict }, values)
}

function recordOf(row: SqlRow): SafetyRecord {
  return {
    agent: row['agent'] as string,
    program: (row['program'] as string | null) ?? '',
    rig: row['rig'] as string,
    seq: row['seq'] as number,
    about: row['about'] as string,
    state: row['state'] as string,
    stands: row['stands'] === 1,
    timeUs: row['time_us'] as number,
    receiptUs: row['receipt_us'] as number,
    body: JSON.parse(row['body'] as string) as SafetyBody,
  }
}
