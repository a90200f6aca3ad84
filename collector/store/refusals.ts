import type { Database } from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'

/** Something that was not taken, and why. `agent` is who it claimed to be, empty when it could not be said. */
export type Refusal = Readonly<{
  code: string
  agent: string
  detail: string
  epoch: number | null
  batchSeq: number | null
  timeUs: Micros
}>

export type StoredRefusal = Refusal & Readonly<{ count: number; firstUs: Micros }>

/** What was refused. The same thing refused again is counted, not written again. */
export interface RefusalStore {
  /** `times`: how many of the same it stands for, 1 when absent. */
  record(refusal: Refusal & Readonly<{ times?: number }>): Promise<void>
  /** Newest first. */
  list(limit: number): Promise<readonly StoredRefusal[]>
}

/** Kinds that are kept; of more, the one not seen for longest goes. Batches of an attacker must not fill the disk. */
export const REFUSALS_MAX = 10_000
const DETAIL_CHARS_MAX = 512

export function createRefusalStore(db: Database): RefusalStore {
  return {
    record: (refusal) =>
      db.write(async (tx) => {
        const row = [
          refusal.code,
          refusal.agent,
          refusal.detail.slice(0, DETAIL_CHARS_MAX),
          refusal.epoch,
          refusal.batchSeq,
          refusal.timeUs,
          refusal.timeUs,
          refusal.times ?? 1,
        ]
        const conflict = `ON CONFLICT (agent, code, detail, coalesce(epoch, -1), coalesce(batch_seq, -1))
          DO UPDATE SET count = count + excluded.count, time_us = excluded.time_us`
        await tx.insert(
          {
            table: 'refusals',
            columns: ['code', 'agent', 'detail', 'epoch', 'batch_seq', 'first_us', 'time_us', 'count'],
            conflict,
          },
          [row],
        )
        const surplus = 'SELECT id FROM refusals ORDER BY time_us DESC, id DESC LIMIT -1 OFFSET ?'
        await tx.run(`DELETE FROM refusals WHERE id IN (${surplus})`, [REFUSALS_MAX])
      }),
    async list(limit) {
      const rows = await db.all('SELECT * FROM refusals ORDER BY time_us DESC, id DESC LIMIT ?', [limit])
      return rows.map((row) => ({
        code: row['code'] as string,
        agent: row['agent'] as string,
        detail: row['detail'] as string,
        epoch: row['epoch'] as number | null,
        batchSeq: row['batch_seq'] as number | null,
        timeUs: row['time_us'] as number,
        firstUs: row['first_us'] as number,
        count: row['count'] as number,
      }))
    },
  }
}
