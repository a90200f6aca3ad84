import { joinSpans, MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import { coverOf, coverRow, type PaneTree } from './pane-tree.ts'

/**
 * One window of every channel, joined anew at every slide: its moments, and what makes the next slide cheaper.
 *
 * Count, mean and m2 are joined from the nodes of the tree in their fixed order. Least and greatest value do not depend on
 * an order: they stay while the pane they came from is inside, and are looked for again when it has left. Nothing of a
 * window is state: one that was never joined gives the same rows.
 */
export type JoinedWindow = {
  readonly panes: number
  /** Moments of channel `c` in row `c`. */
  readonly rows: Float64Array
  /** Pane, per channel, from which on the least and the greatest value are surely inside. */
  readonly low: Float64Array
  readonly high: Float64Array
  /** Whether a row may hold invalid samples. */
  spoiled: boolean
  /** Last pane it was joined through; −1 when its extremes must be looked for. */
  through: number
}

export function createWindow(channels: number, panes: number): JoinedWindow {
  return {
    panes,
    rows: new Float64Array(channels * MOMENTS_FIELDS),
    low: new Float64Array(channels),
    high: new Float64Array(channels),
    spoiled: true,
    through: -1,
  }
}

/** Joins the window that ends with `pane`, the newest of the tree. @returns the nodes it is made of, as of `coverOf` */
export function joinWindow(tree: PaneTree, window: JoinedWindow, pane: number): number[] {
  const from = Math.max(0, pane + 1 - window.panes)
  const cover = coverOf(tree, from, pane + 1)
  const { rows } = window
  if (cover.length === 0) {
    rows.fill(0)
    return cover
  }
  const starts: number[] = []
  for (let k = 0; k < cover.length; k += 2) starts.push(coverRow(tree, cover[k]!, cover[k + 1]!))
  joinSpans(tree.rows, starts, rows)
  if (tree.sparse >= from) findEnds(tree.rows, starts, rows)
  else joinEnds(tree.rows, starts, rows)
  joinInvalid(tree, window, starts, from)
  if (window.through !== pane - 1) {
    window.low.fill(-1)
    window.high.fill(-1)
  }
  window.through = pane
  joinExtremes(tree, window, { cover, starts, from, pane })
  return cover
}

/** Forgets where extremes came from: after a gap panes of before are no part of anything. */
export function clearWindow(window: JoinedWindow): void {
  window.through = -1
}

/** First and last value where every node holds samples of every channel. */
function joinEnds(nodes: Float64Array, starts: readonly number[], rows: Float64Array): void {
  let first = starts[0]! * MOMENTS_FIELDS + 5
  let last = starts[starts.length - 1]! * MOMENTS_FIELDS + 6
  for (let o = 0; o < rows.length; o += MOMENTS_FIELDS, first += MOMENTS_FIELDS, last += MOMENTS_FIELDS) {
    rows[o + 5] = nodes[first]!
    rows[o + 6] = nodes[last]!
  }
}

function findEnds(nodes: Float64Array, starts: readonly number[], rows: Float64Array): void {
  for (let o = 0; o < rows.length; o += MOMENTS_FIELDS) {
    rows[o + 5] = endOf(nodes, starts, o, 5)
    rows[o + 6] = endOf(nodes, starts, o, 6)
  }
}

/** Invalid samples are whole numbers: their sum is the same in every order, and nearly always none. */
function joinInvalid(tree: PaneTree, window: JoinedWindow, starts: readonly number[], from: number): void {
  const { rows } = window
  const spoiled = tree.spoiled >= from
  if (!spoiled && !window.spoiled) return
  window.spoiled = spoiled
  for (let o = 7; o < rows.length; o += MOMENTS_FIELDS) rows[o] = 0
  if (!spoiled) return
  for (let k = 0; k < starts.length; k += 1) {
    let i = starts[k]! * MOMENTS_FIELDS + 7
    for (let o = 7; o < rows.length; o += MOMENTS_FIELDS, i += MOMENTS_FIELDS) rows[o] = rows[o]! + tree.rows[i]!
  }
}

/** Field 5 (first) of the first node that holds a sample, or 6 (last) of the last one; 0 when none does. */
function endOf(nodes: Float64Array, starts: readonly number[], o: number, field: 5 | 6): number {
  for (let k = 0; k < starts.length; k += 1) {
    const i = starts[field === 5 ? k : starts.length - 1 - k]! * MOMENTS_FIELDS + o
    if (nodes[i]! > 0) return nodes[i + field]!
  }
  return 0
}

type Covered = Readonly<{ cover: readonly number[]; starts: readonly number[]; from: number; pane: number }>

function joinExtremes(tree: PaneTree, window: JoinedWindow, covered: Covered): void {
  const { rows, low, high } = window
  const { from, pane } = covered
  const nodes = tree.rows
  let leaf = coverRow(tree, 0, pane) * MOMENTS_FIELDS
  for (let c = 0, o = 0; c < low.length; c += 1, o += MOMENTS_FIELDS, leaf += MOMENTS_FIELDS) {
    const min = nodes[leaf + 3]!
    if (low[c]! < from) findExtreme(tree, window, covered, c, 3)
    else if (min <= rows[o + 3]! && nodes[leaf]! > 0) {
      rows[o + 3] = min
      low[c] = pane
    }
    const max = nodes[leaf + 4]!
    if (high[c]! < from) findExtreme(tree, window, covered, c, 4)
    else if (max >= rows[o + 4]! && nodes[leaf]! > 0) {
      rows[o + 4] = max
      high[c] = pane
    }
  }
}

/** Looks through the nodes of a channel for its least value (field 3) or its greatest (field 4). */
function findExtreme(tree: PaneTree, window: JoinedWindow, { cover, starts }: Covered, c: number, field: 3 | 4): void {
  const nodes = tree.rows
  let best = 0
  let since = -1
  for (let k = 0; k < starts.length; k += 1) {
    const i = (starts[k]! + c) * MOMENTS_FIELDS
    if (nodes[i]! === 0) continue
    const value = nodes[i + field]!
    if (since < 0 || (field === 3 ? value <= best : value >= best)) {
      best = value
      since = cover[2 * k + 1]! * tree.levels[cover[2 * k]!]!.width
    }
  }
  window.rows[c * MOMENTS_FIELDS + field] = best
  if (field === 3) window.low[c] = since
  else window.high[c] = since
}
