import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { openDatabase } from '../../shared/sqlite/database.ts'
import { type AgentStore, createAgentStore } from './agents.ts'
import { type AlarmStore, createAlarmStore } from './alarms.ts'
import { type BaselineStore, createBaselineStore } from './baselines.ts'
import { type BatchStore, createBatchStore } from './batches.ts'
import { createDecisionStore, type DecisionStore } from './decisions.ts'
import { createRefusalStore, type RefusalStore } from './refusals.ts'
import { createRolloutStore, type RolloutStore } from './rollouts.ts'
import { createSafetyStore, type SafetyStore } from './safety.ts'
import { COLLECTOR_MIGRATIONS } from './schema.ts'
import { createSliceStore, type SliceStore } from './slices.ts'

/** Everything the collector keeps. */
export type Stores = Readonly<{
  agents: AgentStore
  alarms: AlarmStore
  baselines: BaselineStore
  batches: BatchStore
  decisions: DecisionStore
  refusals: RefusalStore
  rollouts: RolloutStore
  safety: SafetyStore
  slices: SliceStore
  close(): Promise<void>
}>

/** Name of the database in the data folder. */
export const DATABASE_FILE = 'collector.sqlite'

/** Opens the database in the data folder, which is made when it is missing; only its owner may look inside. */
export async function openStores(folder: string, clock: Pick<Clock, 'nowUs'>): Promise<Stores> {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new HbError('DATABASE_FAILED', { path: folder }, { cause })
  }
  const db = await openDatabase({ path: join(folder, DATABASE_FILE), migrations: COLLECTOR_MIGRATIONS, clock })
  return {
    agents: createAgentStore(db),
    alarms: createAlarmStore(db),
    baselines: createBaselineStore(db),
    batches: createBatchStore(db),
    decisions: createDecisionStore(db),
    refusals: createRefusalStore(db),
    rollouts: createRolloutStore(db),
    safety: createSafetyStore(db),
    slices: createSliceStore(db),
    close: () => db.close(),
  }
}
