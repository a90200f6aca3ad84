import { bytesIn, type Database, type SqlRow, type SqlTransaction } from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'

/** A rollout as it was ordered, and where it is. `body` is JSON of its state. */
export type StoredRollout = Readonly<{
  id: string
  digest: string
  number: number
  /** Signed order that it began with, who signed it, and why. */
  order: Uint8Array
  by: string
  reason: string
  stages: string
  startedUs: Micros
  endedUs: Micros | null
  status: string
  live: boolean
  body: string
}>
export type RolloutNote = Readonly<{ timeUs: Micros; agent: string; what: string; detail: string }>
/** What an agent last said of its configuration, and what it last answered to a bundle; both are JSON. */
export type StoredConfig = Readonly<{
  agent: string
  saidUs: Micros | null
  said: string | null
  answer: string | null
}>

/** Rollouts, the bundles they carry, what happened in them, and under what every agent says that it runs. */
export interface RolloutStore {
  /** A rollout and its bundle, all or nothing. Forgets the oldest that have ended beyond {@link ROLLOUTS_KEPT_MAX}. */
  start(rollout: StoredRollout, bundle: Uint8Array): Promise<void>
  /** Where it is now, with what happened. */
  save(
    id: string,
    state: Pick<StoredRollout, 'status' | 'live' | 'body' | 'endedUs'>,
    notes: readonly RolloutNote[],
  ): Promise<void>
  get(id: string): Promise<StoredRollout | undefined>
  /** Newest first. */
  list(limit: number): Promise<readonly StoredRollout[]>
  /** Those that run, or owe agents the way back, oldest first. */
  live(): Promise<readonly StoredRollout[]>
  notes(id: string): Promise<readonly RolloutNote[]>
  /** Bytes of a bundle; those of rollouts that ended long ago are not kept. */
  bundle(digest: string): Promise<Uint8Array | undefined>
  noteConfig(agent: string, config: Readonly<{ said: string; saidUs: Micros }>): Promise<void>
  noteAnswer(agent: string, answer: string): Promise<void>
  configs(): Promise<readonly StoredConfig[]>
}

/** Rollouts that are kept; of more, the oldest that has ended goes, with its record. */
export const ROLLOUTS_KEPT_MAX = 1_000
/** Bundles that are kept for rollouts that have ended. */
export const ROLLOUT_BUNDLES_KEPT_MAX = 4

const COLUMNS = 'id, digest, number, signed_order, by_whom, reason, stages, started_us, ended_us, status, live, body'

export function createRolloutStore(db: Database): RolloutStore {
  const many = async (sql: string, values: (string | number)[] = []) => (await db.all(sql, values)).map(rolloutOf)
  return {
    start: (rollout, bundle) => db.write((tx) => insertRollout(tx, rollout, bundle)),
    save: (id, state, notes) => db.write((tx) => saveState(tx, { id, state, notes })),
    get: async (id) => (await many(`SELECT ${COLUMNS} FROM rollouts WHERE id = ?`, [id]))[0],
    list: (limit) => many(`SELECT ${COLUMNS} FROM rollouts ORDER BY seq DESC LIMIT ?`, [limit]),
    live: () => many(`SELECT ${COLUMNS} FROM rollouts WHERE live = 1 ORDER BY seq`),
    notes: async (id) =>
      (await db.all('SELECT time_us, agent, what, detail FROM rollout_notes WHERE rollout = ? ORDER BY seq', [id])).map(
        (row) => ({
          timeUs: row['time_us'] as number,
          agent: row['agent'] as string,
          what: row['what'] as string,
          detail: row['detail'] as string,
        }),
      ),
    bundle: async (digest) =>
      (await db.get('SELECT bytes FROM rollout_bundles WHERE digest = ?', [digest]))?.['bytes'] as
        | Uint8Array
        | undefined,
    noteConfig: (agent, { said, saidUs }) =>
      db.write(async (tx) => {
        const conflict = 'ON CONFLICT (agent) DO UPDATE SET said = excluded.said, said_us = excluded.said_us'
        await tx.insert({ table: 'agent_configs', columns: ['agent', 'said_us', 'said'], conflict }, [
          [agent, saidUs, said],
        ])
      }),
    noteAnswer: (agent, answer) =>
      db.write(async (tx) => {
        const conflict = 'ON CONFLICT (agent) DO UPDATE SET answer = excluded.answer'
        await tx.insert({ table: 'agent_configs', columns: ['agent', 'answer'], conflict }, [[agent, answer]])
      }),
    configs: async () =>
      (await db.all('SELECT agent, said_us, said, answer FROM agent_configs ORDER BY agent')).map((row) => ({
        agent: row['agent'] as string,
        saidUs: row['said_us'] as number | null,
        said: row['said'] as string | null,
        answer: row['answer'] as string | null,
      })),
  }
}

async function insertRollout(tx: SqlTransaction, r: StoredRollout, bundle: Uint8Array): Promise<void> {
  await tx.insert(
    { table: 'rollout_bundles', columns: ['digest', 'bytes', 'stored_us'], conflict: 'ON CONFLICT DO NOTHING' },
    [[r.digest, bundle, r.startedUs]],
  )
  await tx.insert({ table: 'rollouts', columns: COLUMNS.split(', ') }, [
    [
      ...[r.id, r.digest, r.number, r.order, r.by, r.reason, r.stages, r.startedUs, r.endedUs],
      ...[r.status, r.live ? 1 : 0, r.body],
    ],
  ])
  const old = `SELECT id FROM rollouts WHERE live = 0 ORDER BY seq DESC LIMIT -1 OFFSET ${ROLLOUTS_KEPT_MAX}`
  await tx.run(`DELETE FROM rollout_notes WHERE rollout IN (${old})`)
  await tx.run(`DELETE FROM rollouts WHERE id IN (${old})`)
  await tx.run(`DELETE FROM rollout_bundles WHERE digest NOT IN (SELECT digest FROM rollouts WHERE live = 1)
    AND digest NOT IN (SELECT digest FROM rollouts ORDER BY seq DESC LIMIT ${ROLLOUT_BUNDLES_KEPT_MAX})`)
}

type Saved = Readonly<{
  id: string
  state: Pick<StoredRollout, 'status' | 'live' | 'body' | 'endedUs'>
  notes: readonly RolloutNote[]
}>

async function saveState(tx: SqlTransaction, { id, state, notes }: Saved): Promise<void> {
  const { status, live, body, endedUs } = state
  await tx.run('UPDATE rollouts SET status = ?, live = ?, body = ?, ended_us = ? WHERE id = ?', [
    ...[status, live ? 1 : 0, body, endedUs, id],
  ])
  const last = await tx.get('SELECT max(seq) AS seq FROM rollout_notes WHERE rollout = ?', [id])
  const from = ((last?.['seq'] as number | null | undefined) ?? 0) + 1
  await tx.insert(
    { table: 'rollout_notes', columns: ['rollout', 'seq', 'time_us', 'agent', 'what', 'detail'] },
    notes.map(({ timeUs, agent, what, detail }, k) => [id, from + k, timeUs, agent, what, detail]),
  )
}

function rolloutOf(row: SqlRow): StoredRollout {
  return {
    id: row['id'] as string,
    digest: row['digest'] as string,
    number: row['number'] as number,
    order: bytesIn(row, 'signed_order'),
    by: row['by_whom'] as string,
    reason: row['reason'] as string,
    stages: row['stages'] as string,
    startedUs: row['started_us'] as number,
    endedUs: row['ended_us'] as number | null,
    status: row['status'] as string,
    live: row['live'] === 1,
    body: row['body'] as string,
  }
}
