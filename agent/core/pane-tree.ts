import { joinRows, joinSpans, MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import type { Digests } from './settings.ts'

/**
 * Closed panes of a rig and their joins, as a tree aligned to absolute pane numbers: node `k` of level `l` covers panes
 * `[k·2^l, (k+1)·2^l)` of every channel. A window is read as the fewest aligned nodes, joined left to right, so it never
 * depends on when the agent started, and nothing is ever subtracted (decisions 2).
 *
 * The digests of the slides form the same tree, so the digest of a window's input costs a handful of hashes.
 */
export type PaneTree = {
  readonly channels: number
  /** The rows of all levels, one level behind the other. */
  readonly rows: Float64Array
  readonly levels: readonly TreeLevel[]
}
type TreeLevel = {
  readonly width: number
  readonly capacity: number
  /** Its part of the rows of the tree, and the row where that begins. */
  readonly rows: Float64Array
  readonly firstRow: number
  readonly digests: Uint8Array
}

const DIGEST_BYTES = 32

/** A tree that can answer for windows of up to `panesMax` panes. */
export function createPaneTree(channels: number, panesMax: number): PaneTree {
  const widths: number[] = []
  for (let width = 1; width <= panesMax; width *= 2) widths.push(width)
  const capacities = widths.map((width) => Math.floor(panesMax / width) + 2)
  const rows = new Float64Array(capacities.reduce((a, b) => a + b, 0) * channels * MOMENTS_FIELDS)
  let firstRow = 0
  const levels = widths.map((width, l): TreeLevel => {
    const capacity = capacities[l]!
    const at = firstRow
    firstRow += capacity * channels
    return {
      width,
      capacity,
      firstRow: at,
      rows: rows.subarray(at * MOMENTS_FIELDS, firstRow * MOMENTS_FIELDS),
      digests: new Uint8Array(capacity * DIGEST_BYTES),
    }
  })
  return { channels, rows, levels }
}

/** Rows of the leaf of a pane, to be filled by the caller before {@link growTree}. */
export function leafRows(tree: PaneTree, pane: number): Float64Array {
  const level = tree.levels[0]!
  const size = tree.channels * MOMENTS_FIELDS
  const at = (pane % level.capacity) * size
  return level.rows.subarray(at, at + size)
}

/** Takes the leaf of `pane`, whose rows are filled, into the tree: its digest, and every node that is now complete. */
export function growTree(tree: PaneTree, pane: number, digests: Digests): void {
  const leaf = leafRows(tree, pane)
  const head = new Uint8Array(8)
  new DataView(head.buffer).setFloat64(0, pane, true)
  setDigest(
    tree.levels[0]!,
    pane,
    digests.bytes('slide', head, new Uint8Array(leaf.buffer, leaf.byteOffset, leaf.byteLength)),
  )
  for (let l = 1; l < tree.levels.length; l += 1) {
    const level = tree.levels[l]!
    if ((pane + 1) % level.width !== 0) return
    const below = tree.levels[l - 1]!
    const node = Math.floor(pane / level.width)
    const left = rowOf(below, node * 2, tree.channels)
    const right = rowOf(below, node * 2 + 1, tree.channels)
    const out = rowOf(level, node, tree.channels)
    for (let c = 0; c < tree.channels; c += 1)
      joinRows(below.rows, left + c, below.rows, right + c, level.rows, out + c)
    setDigest(level, node, digests.bytes('node', getDigest(below, node * 2), getDigest(below, node * 2 + 1)))
  }
}

/** Forgets everything: after a gap, windows fill anew. */
export function clearTree(tree: PaneTree): void {
  for (const level of tree.levels) {
    level.rows.fill(0)
    level.digests.fill(0)
  }
}

/** The aligned nodes that make up panes `[from, to)`, left to right, as pairs (level, node). */
export function coverOf(tree: PaneTree, from: number, to: number): number[] {
  const cover: number[] = []
  let at = from
  while (at < to) {
    let l = tree.levels.length - 1
    while (l > 0 && (at % tree.levels[l]!.width !== 0 || at + tree.levels[l]!.width > to)) l -= 1
    cover.push(l, Math.floor(at / tree.levels[l]!.width))
    at += tree.levels[l]!.width
  }
  return cover
}

/** Joins the nodes of a cover, per channel, into `rows`. */
export function joinCover(tree: PaneTree, cover: readonly number[], rows: Float64Array): void {
  const starts: number[] = []
  for (let k = 0; k < cover.length; k += 2) {
    const level = tree.levels[cover[k]!]!
    starts.push(level.firstRow + rowOf(level, cover[k + 1]!, tree.channels))
  }
  joinSpans(tree.rows, starts, rows)
}

/** Digest of the panes of a cover: what a decision names as its input. */
export function digestCover(tree: PaneTree, cover: readonly number[], digests: Digests): Uint8Array {
  const parts: Uint8Array[] = []
  for (let k = 0; k < cover.length; k += 2) parts.push(getDigest(tree.levels[cover[k]!]!, cover[k + 1]!))
  return digests.bytes('slice', ...parts)
}

function rowOf(level: TreeLevel, node: number, channels: number): number {
  return (node % level.capacity) * channels
}

function getDigest(level: TreeLevel, node: number): Uint8Array {
  const at = (node % level.capacity) * DIGEST_BYTES
  return level.digests.subarray(at, at + DIGEST_BYTES)
}

function setDigest(level: TreeLevel, node: number, digest: Uint8Array): void {
  level.digests.set(digest, (node % level.capacity) * DIGEST_BYTES)
}
