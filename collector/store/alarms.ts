import type { AlarmEntry } from '../../shared/model/alarms/state.ts'
import type { Database, SqlTransaction } from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'
import type { SaidAlarms } from '../agent-alarms.ts'

/** An alarm as it is kept, and who acknowledged it last; null: nobody since it was announced. */
export type StoredAlarm = Readonly<{ site: string; entry: AlarmEntry; ackedBy: string | null }>
export type StoredSite = Readonly<{ site: string; forgotten: number; members: readonly string[] }>

/** One line of what happened. `statement`: the signed order behind it; null: nobody ordered it. */
export type AlarmLine = Readonly<{
  timeUs: Micros
  site: string
  id: string
  kind: string
  occurrence: number
  severity: string | null
  text: string
  statement: Uint8Array | null
}>

/** What changed in one round. `gone`: alarms that are no longer kept; `over`: those whose notices need not be known any more. */
export type AlarmWrite = Readonly<{
  sites: readonly StoredSite[]
  alarms: readonly StoredAlarm[]
  gone: readonly Readonly<{ site: string; id: string }>[]
  over: readonly Readonly<{ site: string; id: string }>[]
  lines: readonly AlarmLine[]
  /** Notices that were taken. */
  told: readonly StoredNotice[]
  /** What agents say of alarms of their rigs. */
  said: readonly SaidAlarms[]
}>

export type StoredNotice = Readonly<{ key: string; site: string; id: string; timeUs: Micros }>

export type KeptAlarms = Readonly<{
  sites: readonly StoredSite[]
  alarms: readonly StoredAlarm[]
  /** Notices that were taken. */
  told: readonly StoredNotice[]
  said: readonly SaidAlarms[]
}>

/** Lines of what happened that are kept; the oldest go. */
export const ALARM_LINES_MAX = 10_000

/** Alarms of the collector, over restarts. */
export interface AlarmStore {
  load(): Promise<KeptAlarms>
  write(change: AlarmWrite): Promise<void>
  /** Newest first. */
  lines(limit: number): Promise<readonly AlarmLine[]>
  /** A real write, to know whether one is possible. */
  pulse(nowUs: Micros): Promise<void>
}

const SITE = 'ON CONFLICT (site) DO UPDATE SET forgotten = excluded.forgotten, members = excluded.members'
const ALARM = 'ON CONFLICT (site, id) DO UPDATE SET body = excluded.body, acked_by = excluded.acked_by'
const TRIM = `DELETE FROM collector_alarm_log WHERE number <= (SELECT max(number) FROM collector_alarm_log) - ${ALARM_LINES_MAX}`

export function createAlarmStore(db: Database): AlarmStore {
  return {
    async load() {
      const [sites, alarms, told, said] = await Promise.all([
        db.all('SELECT site, forgotten, members FROM collector_sites'),
        db.all('SELECT site, body, acked_by FROM collector_alarms'),
        db.all('SELECT key, site, id, told_us FROM collector_notices'),
        db.all('SELECT body FROM agent_alarms ORDER BY said_us'),
      ])
      return {
        sites: sites.map((row) => ({
          site: row['site'] as string,
          forgotten: row['forgotten'] as number,
          members: JSON.parse(row['members'] as string) as string[],
        })),
        alarms: alarms.map((row) => ({
          site: row['site'] as string,
          entry: JSON.parse(row['body'] as string) as AlarmEntry,
          ackedBy: row['acked_by'] as string | null,
        })),
        told: told.map((row) => ({
          key: row['key'] as string,
          site: row['site'] as string,
          id: row['id'] as string,
          timeUs: row['told_us'] as number,
        })),
        said: said.map((row) => JSON.parse(row['body'] as string) as SaidAlarms),
      }
    },
    write: (change) => db.write((tx) => writeAll(tx, change)),
    async lines(limit) {
      const rows = await db.all('SELECT * FROM collector_alarm_log ORDER BY number DESC LIMIT ?', [limit])
      return rows.map((row) => ({
        timeUs: row['time_us'] as number,
        site: row['site'] as string,
        id: row['id'] as string,
        kind: row['kind'] as string,
        occurrence: row['occurrence'] as number,
        severity: row['severity'] as string | null,
        text: row['text'] as string,
        statement: row['statement'] as Uint8Array | null,
      }))
    },
    pulse: (nowUs) =>
      db.write((tx) =>
        tx.run(
          'INSERT INTO collector_pulse (one, written_us) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET written_us = excluded.written_us',
          [nowUs],
        ),
      ),
  }
}

async function writeAll(
  tx: SqlTransaction,
  { sites, alarms, gone, over, lines, told, said }: AlarmWrite,
): Promise<void> {
  const bySite = { table: 'collector_sites', columns: ['site', 'forgotten', 'members'], conflict: SITE }
  if (sites.length > 0)
    await tx.insert(
      bySite,
      sites.map(({ site, forgotten, members }) => [site, forgotten, JSON.stringify(members)]),
    )
  const byAlarm = { table: 'collector_alarms', columns: ['site', 'id', 'body', 'acked_by'], conflict: ALARM }
  if (alarms.length > 0)
    await tx.insert(
      byAlarm,
      alarms.map(({ site, entry, ackedBy }) => [site, entry.id, JSON.stringify(entry), ackedBy]),
    )
  for (const { site, id } of gone) await tx.run('DELETE FROM collector_alarms WHERE site = ? AND id = ?', [site, id])
  for (const { site, id } of [...gone, ...over])
    await tx.run('DELETE FROM collector_notices WHERE site = ? AND id = ?', [site, id])
  const columnsOfNotice = ['key', 'site', 'id', 'told_us']
  if (told.length > 0)
    await tx.insert(
      { table: 'collector_notices', columns: columnsOfNotice, conflict: 'ON CONFLICT (key) DO NOTHING' },
      told.map(({ key, site, id, timeUs }) => [key, site, id, timeUs]),
    )
  const conflict = 'ON CONFLICT (agent, rig) DO UPDATE SET body = excluded.body, said_us = excluded.said_us'
  if (said.length > 0)
    await tx.insert(
      { table: 'agent_alarms', columns: ['agent', 'rig', 'body', 'said_us'], conflict },
      said.map((one) => [one.agent, one.rig, JSON.stringify(one), one.saidUs]),
    )
  if (lines.length === 0) return
  const columns = ['time_us', 'site', 'id', 'kind', 'occurrence', 'severity', 'text', 'statement']
  await tx.insert(
    { table: 'collector_alarm_log', columns },
    lines.map((l) => [l.timeUs, l.site, l.id, l.kind, l.occurrence, l.severity, l.text, l.statement]),
  )
  await tx.run(TRIM)
}
