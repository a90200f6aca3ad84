import { modulo } from '../../shared/math/modulo.ts'
import { joinSiblings, MOMENTS_FIELDS } from '../../shared/math/moments.ts'
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
  /**
   * Last pane in which a channel may hold an invalid sample, and in which one may hold no sample: windows behind it need
   * not look. No part of a snapshot: a tree that knows nothing looks.
   */
  spoiled: number
  sparse: number
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
const UNKNOWN = Number.MAX_SAFE_INTEGER

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
  return { channels, rows, levels, spoiled: UNKNOWN, sparse: UNKNOWN }
}

/** Rows of the leaf of a pane, to be filled by the caller before {@link growTree}. */
export function leafRows(tree: PaneTree, pane: number): Float64Array {
  const level = tree.levels[0]!
  const size = tree.channels * MOMENTS_FIELDS
  const at = modulo(pane, level.capacity) * size
  return level.rows.subarray(at, at + size)
}

/** Takes the leaf of `pane`, whose rows are filled, into the tree: its digest, and every node that is now complete. */
export function growTree(tree: PaneTree, pane: number, digests: Digests): void {
  const leaf = leafRows(tree, pane)
  lookAt(tree, leaf, pane)
  const head = new Uint8Array(8)
  new DataView(head.buffer).setFloat64(0, pane, true)
  const bytes = new Uint8Array(leaf.buffer, leaf.byteOffset, leaf.byteLength)
  setDigest(tree.levels[0]!, pane, digests.bytes('slide', head, bytes))
  for (let l = 1; l < tree.levels.length; l += 1) {
    const level = tree.levels[l]!
    if (modulo(pane + 1, level.width) !== 0) return
    const below = tree.levels[l - 1]!
    const node = Math.floor(pane / level.width)
    joinSiblings(tree.rows, {
      older: coverRow(tree, l - 1, node * 2),
      younger: coverRow(tree, l - 1, node * 2 + 1),
      out: coverRow(tree, l, node),
      count: tree.channels,
    })
    setDigest(level, node, digests.bytes('node', getDigest(below, node * 2), getDigest(below, node * 2 + 1)))
  }
}

function lookAt(tree: PaneTree, leaf: Float64Array, pane: number): void {
  let invalid = 0
  let empty = 0
  for (let o = 0; o < leaf.length; o += MOMENTS_FIELDS) {
    if (leaf[o] === 0) empty += 1
    invalid += leaf[o + 7]!
  }
  tree.spoiled = invalid === 0 ? Math.min(tree.spoiled, pane - 1) : pane
  tree.sparse = empty === 0 ? Math.min(tree.sparse, pane - 1) : pane
}

/** Forgets everything: after a gap, windows fill anew. */
export function clearTree(tree: PaneTree): void {
  tree.sparse = UNKNOWN
  for (const level of tree.levels) {
    level.rows.fill(0)
    level.digests.fill(0)
  }
}

/** The aligned nodes that make up panes `[from, to)`, left to right, as pairs (level, node): the widest that fit. */
export function coverOf(tree: PaneTree, from: number, to: number): number[] {
  const cover: number[] = []
  const behind: number[] = []
  const top = tree.levels.length - 1
  let first = from
  let end = to
  for (let l = 0; first < end; l += 1) {
    if (l === top) {
      for (let node = first; node < end; node += 1) cover.push(l, node)
      break
    }
    if (modulo(first, 2) === 1) {
      cover.push(l, first)
      first += 1
    }
    if (modulo(end, 2) === 1) {
      end -= 1
      behind.push(l, end)
    }
    first /= 2
    end /= 2
  }
  for (let k = behind.length - 2; k >= 0; k -= 2) cover.push(behind[k]!, behind[k + 1]!)
  return cover
}

/** Digest of the panes of a cover: what a decision names as its input. */
export function digestCover(tree: PaneTree, cover: readonly number[], digests: Digests): Uint8Array {
  const parts: Uint8Array[] = []
  for (let k = 0; k < cover.length; k += 2) parts.push(getDigest(tree.levels[cover[k]!]!, cover[k + 1]!))
  return digests.bytes('slice', ...parts)
}

/** First row of a node of a cover in the rows of the tree. */
export function coverRow(tree: PaneTree, level: number, node: number): number {
  return tree.levels[level]!.firstRow + rowOf(tree.levels[level]!, node, tree.channels)
}

function rowOf(level: TreeLevel, node: number, channels: number): number {
  return modulo(node, level.capacity) * channels
}

function getDigest(level: TreeLevel, node: number): Uint8Array {
  const at = modulo(node, level.capacity) * DIGEST_BYTES
  return level.digests.subarray(at, at + DIGEST_BYTES)
}

function setDigest(level: TreeLevel, node: number, digest: Uint8Array): void {
  level.digests.set(digest, modulo(node, level.capacity) * DIGEST_BYTES)
}
