import { paneOf, placeOf } from './panes.ts'
import type { RigState } from './state.ts'

/** Why samples of a metric could not be turned into its unit; a ground of INVALID. Worse ones have larger numbers. */
export const MISMATCHES = ['unit_mismatch', 'alias_collision'] as const
export type Mismatch = (typeof MISMATCHES)[number]

/**
 * Which panes of a metric held samples that nothing converts. Kept by pane like the samples themselves, so that the order of
 * arrival does not show.
 */
export type Mismatches = Readonly<{
  /** 1 + index into {@link MISMATCHES} for an open pane of a metric, at `metric · capacity + place`; 0 for none. */
  open: Uint8Array
  /** Newest closed pane of each metric that held any; −1 for none. And of which kind. */
  lastPane: Float64Array
  lastKind: Uint8Array
}>

export function createMismatches(metrics: number, capacity: number): Mismatches {
  return {
    open: new Uint8Array(metrics * capacity),
    lastPane: new Float64Array(metrics).fill(-1),
    lastKind: new Uint8Array(metrics),
  }
}

/** Marks the open pane of a sample. */
export function noteMismatch({ mismatches, panes }: RigState, metric: number, timeUs: number, kind: Mismatch): void {
  const at = metric * panes.capacity + placeOf(panes, paneOf(timeUs, panes.slideUs))
  mismatches.open[at] = Math.max(mismatches.open[at]!, MISMATCHES.indexOf(kind) + 1)
}

/** Takes over the marks of a pane that was closed. */
export function closeMismatches({ mismatches, panes }: RigState, pane: number): void {
  const { open, lastPane, lastKind } = mismatches
  for (let m = 0, at = placeOf(panes, pane); m < lastPane.length; m += 1, at += panes.capacity) {
    const kind = open[at]!
    if (kind === 0) continue
    open[at] = 0
    lastPane[m] = pane
    lastKind[m] = kind - 1
  }
}

/** After a gap nothing that was open belongs to what comes. */
export function clearMismatches({ mismatches }: RigState): void {
  mismatches.open.fill(0)
  mismatches.lastPane.fill(-1)
}

/** What kind of them a metric had in the last `withinUs` before the end of a slide; null for none. */
export function mismatchIn(rig: RigState, metric: number, { endUs, withinUs }: { endUs: number; withinUs: number }) {
  const pane = rig.mismatches.lastPane[metric]!
  if (pane < 0 || endUs - (pane + 1) * rig.settings.slideUs >= withinUs) return null
  return MISMATCHES[rig.mismatches.lastKind[metric]!]!
}

export function arraysOfMismatches({ open, lastPane, lastKind }: Mismatches): ArrayBufferView[] {
  return [open, lastPane, lastKind]
}
