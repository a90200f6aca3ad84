import { MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import { book } from './ledger.ts'
import { closeMismatches } from './mismatch.ts'
import { digestCover, growTree, leafRows } from './pane-tree.ts'
import { closePane, paneOf } from './panes.ts'
import type { Digests } from './settings.ts'
import type { RigState } from './state.ts'
import { joinWindow } from './windows.ts'

/**
 * Closes the panes of the next slide of a rig and joins its windows, which are then to be judged.
 *
 * @returns the digest of everything that the widest window holds.
 */
export function closePanes(rig: RigState, digests: Digests): Uint8Array {
  const { slideUs, metrics } = rig.settings
  const pane = paneOf(rig.closedUs, slideUs)
  const rows = leafRows(rig.tree, pane)
  closePane(rig.panes, pane, rig.sources.names, rows, rig.newestUs)
  for (let m = 0; m < metrics.length; m += 1) {
    book(rig.ledger, m, 'evaluated', rows[m * MOMENTS_FIELDS]!)
    if (rows[m * MOMENTS_FIELDS + 7]! > 0) rig.invalidPane[m] = pane
    if (rig.firstUs[m]! < 0 && rows[m * MOMENTS_FIELDS]! > 0) rig.firstUs[m] = rig.closedUs
  }
  closeMismatches(rig, pane)
  growTree(rig.tree, pane, digests)
  rig.closedUs += slideUs
  // The widest window holds the others: its digest is that of the input.
  let cover: number[] = []
  for (const window of rig.windows) cover = joinWindow(rig.tree, window, pane)
  return digestCover(rig.tree, cover, digests)
}
