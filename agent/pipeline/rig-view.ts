import type { AlarmState } from '../../shared/model/alarms/state.ts'
import type { LedgerCounts } from '../../shared/model/telemetry.ts'
import type { Micros } from '../../shared/units.ts'
import type { Ledger } from '../core/ledger.ts'
import { pendingOf, sayPending } from '../core/panes.ts'
import type { SafetyState } from '../core/safety/state.ts'
import { createRigState, type RevisionCounts, type RigState } from '../core/state.ts'

/**
 * What people and headers are told of a rig that another thread evaluates: counts, times and sources, without samples
 * and windows. Plain data, a copy.
 */
export type RigView = Readonly<{
  closedUs: Micros
  originUs: Micros
  newestSeenUs: Float64Array
  newestUs: Float64Array
  ledgerRows: Float64Array
  framesReceived: number
  framesRefused: number
  /** By reason; null when nothing was refused since the last view. */
  refusals: [string, { count: number; firstUs: Micros; example: string }][] | null
  /** Samples in open panes, a metric. */
  pending: Float64Array
  sources: readonly SourceView[]
  missingBefore: number
  settled: LedgerCounts
  /** Of the second look; null without one. */
  revisions: RevisionCounts | null
  /** Null without a policy, and where nobody looks: there is much of it. */
  safety: Readonly<{ alarms: AlarmState; kernel: SafetyState }> | null
}>

type SourceView = Readonly<{ name: string; first: number; highest: number; missing: number; lastUs: Micros }>

/** `refusedBefore` is what {@link refusalsOf} gave at the last view; −1 for the first. `look`: somebody may look at alarms and actions. */
export function viewOf(rig: RigState, refusedBefore: number, look: boolean): RigView {
  const pending = new Float64Array(rig.settings.metrics.length)
  for (let m = 0; m < pending.length; m += 1) pending[m] = pendingOf(rig.panes, m)
  return {
    closedUs: rig.closedUs,
    originUs: rig.originUs,
    newestSeenUs: rig.newestSeenUs.slice(),
    newestUs: rig.newestUs.slice(),
    ledgerRows: rig.ledger.rows.slice(),
    framesReceived: rig.ledger.framesReceived,
    framesRefused: rig.ledger.framesRefused,
    refusals: refusalsOf(rig) === refusedBefore ? null : [...rig.ledger.refusals],
    pending,
    sources: rig.sources.slots.map(({ name, first, highest, missing, lastUs }) => ({
      name,
      first,
      highest,
      missing,
      lastUs,
    })),
    missingBefore: rig.sources.missingBefore,
    settled: rig.settled,
    revisions: rig.slower === null ? null : { ...rig.slower.counts },
    // A copy, like the rest: it is changed in place while the view is still read.
    safety:
      look && rig.safety !== null ? structuredClone({ alarms: rig.safety.alarms, kernel: rig.safety.kernel }) : null,
  }
}

/** Refusals of a rig so far, over all reasons. */
export function refusalsOf(rig: RigState): number {
  let count = 0
  for (const refusal of rig.ledger.refusals.values()) count += refusal.count
  return count
}

/** A rig that is only looked at: it says what the other one says, and has none of its samples. */
export function lookAlike(rig: RigState): RigState {
  const alike = createRigState(rig.settings)
  Object.assign(alike, { mode: rig.mode, run: rig.run, replaced: new Map(rig.replaced) })
  applyView(alike, viewOf(rig, -1, true))
  return alike
}

/** Brings a look-alike to where the rig was when the view was taken. */
export function applyView(rig: RigState, view: RigView): void {
  rig.closedUs = view.closedUs
  rig.originUs = view.originUs
  rig.newestSeenUs.set(view.newestSeenUs)
  rig.newestUs.set(view.newestUs)
  rig.ledger.rows.set(view.ledgerRows)
  rig.ledger.framesReceived = view.framesReceived
  rig.ledger.framesRefused = view.framesRefused
  if (view.refusals !== null) takeRefusals(rig.ledger, view.refusals)
  // Where a pane is does not matter to who only counts what is open.
  for (let m = 0; m < view.pending.length; m += 1) sayPending(rig.panes, m, view.pending[m]!)
  rig.sources = {
    slots: view.sources.map((source) => ({ ...source, seen: new Uint8Array(0) })),
    names: view.sources.map(({ name }) => name),
    lists: rig.sources.lists,
    missingBefore: view.missingBefore,
  }
  rig.settled = view.settled
  if (rig.safety !== null && view.safety !== null) Object.assign(rig.safety, view.safety)
  if (rig.slower !== null && view.revisions !== null) rig.slower.counts = view.revisions
}

function takeRefusals(ledger: Ledger, refusals: NonNullable<RigView['refusals']>): void {
  ledger.refusals.clear()
  for (const [reason, refusal] of refusals) ledger.refusals.set(reason as never, refusal)
}
