import { bytesIn, type Database, type SqlRow } from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'
import type { ChainHead, EnrolledAgent } from '../core/chain.ts'

/** An agent as operators see it. `head` is its last receipted batch. */
export type AgentRecord = EnrolledAgent &
  Readonly<{
    enrolledUs: Micros
    version: string
    seenUs: Micros | null
    head: ChainHead | null
    rigs: readonly { rig: string; program: string }[]
  }>

/** Who is enrolled, what it has declared, and where its chain ends. */
export interface AgentStore {
  /** Enrols exactly these; one that is enrolled already keeps what it has sent. One that is left out stays stored, but is not served. */
  enrol(agents: readonly EnrolledAgent[], nowUs: Micros): Promise<void>
  /** Remembers what an agent said of itself when it connected. Rigs it does not name any more keep their program. */
  declare(
    agent: string,
    said: Readonly<{
      version: string
      bootId: string
      rigs: readonly { rig: string; program: string }[]
      nowUs: Micros
    }>,
  ): Promise<void>
  /** Everything that was ever enrolled, in order of name. */
  all(): Promise<readonly AgentRecord[]>
  head(agent: string): Promise<ChainHead | null>
  programs(agent: string): Promise<ReadonlyMap<string, string>>
}

/** A batch of a new epoch may tell decisions again that came before: what comes next is behind all that are stored. */
const HEAD = `SELECT epoch, batch_seq, identity,
  (SELECT d.last_seq + 1 FROM decisions d WHERE d.agent = b.agent ORDER BY d.seq DESC LIMIT 1) AS next_seq
  FROM batches b WHERE agent = ? ORDER BY epoch DESC, batch_seq DESC LIMIT 1`

export function createAgentStore(db: Database): AgentStore {
  async function head(agent: string): Promise<ChainHead | null> {
    const row = await db.get(HEAD, [agent])
    return row === undefined ? null : headOf(row)
  }

  async function programs(agent: string): Promise<ReadonlyMap<string, string>> {
    const rows = await db.all('SELECT rig, program FROM rigs WHERE agent = ? ORDER BY rig', [agent])
    return new Map(rows.map((row) => [row['rig'] as string, row['program'] as string]))
  }

  return {
    head,
    programs,
    enrol: (agents, nowUs) =>
      db.write(async (tx) => {
        await tx.insert(
          {
            table: 'agents',
            columns: ['agent', 'deployment', 'spki', 'programs', 'enrolled_us'],
            conflict:
              'ON CONFLICT (agent) DO UPDATE SET deployment = excluded.deployment, spki = excluded.spki, programs = excluded.programs',
          },
          agents.map((a) => [a.agent, a.deployment, a.spki, JSON.stringify(a.programs), nowUs]),
        )
      }),
    declare: (agent, { version, bootId, rigs, nowUs }) =>
      db.write(async (tx) => {
        await tx.run('UPDATE agents SET version = ?, boot_id = ?, seen_us = ? WHERE agent = ?', [
          version,
          bootId,
          nowUs,
          agent,
        ])
        const conflict = 'ON CONFLICT (agent, rig) DO UPDATE SET program = excluded.program'
        await tx.insert(
          { table: 'rigs', columns: ['agent', 'rig', 'program'], conflict },
          rigs.map(({ rig, program }) => [agent, rig, program]),
        )
      }),
    async all() {
      const rows = await db.all('SELECT * FROM agents ORDER BY agent')
      return Promise.all(
        rows.map(async (row): Promise<AgentRecord> => {
          const agent = row['agent'] as string
          return recordOf(row, { head: await head(agent), programs: await programs(agent) })
        }),
      )
    },
  }
}

function recordOf(row: SqlRow, of: { head: ChainHead | null; programs: ReadonlyMap<string, string> }): AgentRecord {
  return {
    agent: row['agent'] as string,
    deployment: row['deployment'] as string,
    spki: bytesIn(row, 'spki'),
    programs: JSON.parse(row['programs'] as string) as string[],
    enrolledUs: row['enrolled_us'] as number,
    version: row['version'] as string,
    seenUs: row['seen_us'] as number | null,
    head: of.head,
    rigs: [...of.programs].map(([rig, program]) => ({ rig, program })),
  }
}

function headOf(row: SqlRow): ChainHead {
  return {
    epoch: row['epoch'] as number,
    batchSeq: row['batch_seq'] as number,
    identity: bytesIn(row, 'identity'),
    nextSeq: row['next_seq'] as number,
  }
}
