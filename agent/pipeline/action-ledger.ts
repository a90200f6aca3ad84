import type { Action, ActionState } from '../../shared/model/action.ts'
import type { ActionParams } from '../../shared/model/action-input.ts'
import type { Micros } from '../../shared/units.ts'
import type { ActionChange } from '../core/safety/changes.ts'

/** An action as of its newest transition. */
export type LedgerAction = Readonly<{
  key: string
  rig: string
  rule: string
  episode: number
  action: Action
  target: string
  params: ActionParams
  state: ActionState
  /** Event time of the slide that it began with, time of the agent at its first and newest transition, and until when it is of use. */
  endUs: Micros
  firstUs: Micros
  lastUs: Micros
  deadlineUs: Micros
  attempt: number
  transitions: number
}>

/** One row of the history of an action. `digest` is of this row and of `prev`, the digest of the one before it. */
export type LedgerTransition = Readonly<
  Pick<
    ActionChange,
    'state' | 'from' | 'nowUs' | 'endUs' | 'deadlineUs' | 'attempt' | 'reasons' | 'note' | 'conditions'
  > & { n: number; prev: Uint8Array; digest: Uint8Array }
>

export type LedgerQuery = Readonly<{
  rig?: string
  state?: ActionState
  /** Newest transition at this time or later. */
  sinceUs?: Micros
  /** At most {@link LEDGER_LIST_MAX}. */
  limit: number
}>

/** Actions that one answer has at most. */
export const LEDGER_LIST_MAX = 1_000

/** `dropped`: notes beside actions that have as many rows as one may have. */
export type LedgerCounts = Readonly<{
  actions: number
  transitions: number
  groups: number
  dropped: number
  waiting: number
}>

/**
 * What became of every action, on disk (SE-13). It is a projection: the journal is the truth (K1), and recording what is
 * there already changes nothing, so that the changes of a replay can be recorded again.
 */
export interface ActionLedger {
  /**
   * Settles when all of them would survive a power cut; those of callers who wait at the same time share one transaction.
   * The order is kept. Rejects with DISK_FULL, DATABASE_DAMAGED, DATABASE_BUSY or DATABASE_FAILED: nothing of it is
   * durable then.
   */
  record(changes: readonly ActionChange[]): Promise<void>
  /** Settles when what was handed over before has been dealt with and another transaction was taken; rejects like `record`. */
  passed(): Promise<void>
  /** Actions that have not ended, oldest first. */
  open(): Promise<readonly LedgerAction[]>
  byKey(key: string): Promise<Readonly<{ action: LedgerAction; transitions: readonly LedgerTransition[] }> | null>
  /** Newest first. */
  list(query: LedgerQuery): Promise<readonly LedgerAction[]>
  counts(): LedgerCounts
  close(): Promise<void>
}

/** Changes that are recorded at once when many come from a replay. */
const REPLAYED_GROUP = 256

/** Records what a replay of the journal says anew: what is missing comes back, what is there stays. @returns how many */
export async function recordReplayed(ledger: ActionLedger, changes: AsyncIterable<ActionChange>): Promise<number> {
  let group: ActionChange[] = []
  let count = 0
  for await (const change of changes) {
    group.push(change)
    count += 1
    if (group.length < REPLAYED_GROUP) continue
    await ledger.record(group)
    group = []
  }
  if (group.length > 0) await ledger.record(group)
  return count
}
