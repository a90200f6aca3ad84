import type { LedgerCounts } from '../../shared/model/telemetry.ts'
import { addCounts, countsOf } from './ledger.ts'
import { pendingOf } from './panes.ts'
import type { RigState } from './state.ts'

/** The loss ledger of a whole rig, over all its metrics, unknown channels and earlier configurations. */
export function totalCounts(rig: RigState): LedgerCounts {
  let total = addCounts(rig.settled, countsOf(rig.ledger, rig.ledger.metrics, 0))
  for (let m = 0; m < rig.ledger.metrics; m += 1) total = addCounts(total, metricCounts(rig, m))
  return total
}

/** The loss ledger of one metric of a rig under the present configuration. */
export function metricCounts(rig: RigState, metric: number): LedgerCounts {
  return countsOf(rig.ledger, metric, pendingOf(rig.panes, metric))
}
