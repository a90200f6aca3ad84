import fc from 'fast-check'
import t from 'tap'
import { clearTree, coverOf, createPaneTree, growTree, leafRows } from '../../../agent/core/pane-tree.ts'
import { clearWindow, createWindow, joinWindow } from '../../../agent/core/windows.ts'
import { evaluatorDigests } from '../../../agent/pipeline/digests.ts'
import { createPrng } from '../../../shared/lib/prng.ts'
import { modulo } from '../../../shared/math/modulo.ts'
import { joinRows, MOMENTS_FIELDS } from '../../../shared/math/moments.ts'

const WIDTHS = [1, 2, 3, 7, 20, 33]
const WHOLE = ['falling', 'noise', 'rising', 'same']
const BROKEN = ['empty', 'sparse', ...WHOLE]
const SLIDES = 400
/** As panes are numbered since 1970. */
const FIRST = 36_000_000_000

/** Fills the leaf of a pane with what its channels are named after; of broken ones some samples are invalid. */
function fillLeaf(rows: Float64Array, names: readonly string[], pane: number, draw: () => number): void {
  rows.fill(0)
  for (const [c, name] of names.entries()) {
    const o = c * MOMENTS_FIELDS
    if (names === BROKEN && draw() < 0.02) rows[o + 7] = 2
    if (name === 'empty' || (name === 'sparse' && draw() < 0.8)) continue
    const level = { falling: FIRST - pane, rising: pane - FIRST, same: 5 }[name] ?? draw() * 10
    const reach = name === 'noise' ? draw() : 0.4
    rows.set([1 + Math.floor(draw() * 4), level, reach, level - reach, level + reach, level - 0.1, level + 0.1], o)
  }
}

/** What a window of leaves holds, joined one after the other; count, extremes, ends and invalid do not depend on that. */
function differs(found: Float64Array, leaves: readonly (Float64Array | undefined)[], channel: number): boolean {
  const wanted = new Float64Array(MOMENTS_FIELDS)
  for (const leaf of leaves) if (leaf !== undefined) joinRows(wanted, 0, leaf, channel, wanted, 0)
  const row = found.subarray(channel * MOMENTS_FIELDS, (channel + 1) * MOMENTS_FIELDS)
  const near = (f: number) => Math.abs(row[f]! - wanted[f]!) <= 1e-12 * Math.max(1, Math.abs(wanted[f]!))
  return !([0, 3, 4, 5, 6, 7].every((f) => row[f] === wanted[f]) && near(1) && near(2))
}

for (const names of [WHOLE, BROKEN])
  t.test(`windows of ${names} hold what their panes hold, carried along, begun anew and over gaps`, async (t) => {
    const prng = createPrng(11)
    const tree = createPaneTree(names.length, 33)
    const windows = WIDTHS.map((panes) => createWindow(names.length, panes))
    const leaves = new Map<number, Float64Array>()
    let compared = 0
    for (let pane = FIRST, slide = 0; slide < SLIDES; slide += 1, pane += 1) {
      if (slide % 90 === 89) {
        clearTree(tree)
        for (const window of windows) clearWindow(window)
        leaves.clear()
        // After a loss a gap can be no pane wide; nothing from before it counts all the same.
        if (slide % 180 === 89) pane += 17
      }
      const leaf = leafRows(tree, pane)
      fillLeaf(leaf, names, pane, () => prng.next())
      leaves.set(pane, leaf.slice())
      growTree(tree, pane, evaluatorDigests)
      for (const window of windows) {
        const anew = createWindow(names.length, window.panes)
        joinWindow(tree, anew, pane)
        joinWindow(tree, window, pane)
        t.same(anew.rows, window.rows)
        const held = Array.from({ length: window.panes }, (_, k) => leaves.get(pane - k)).reverse()
        for (const c of names.keys()) if (differs(window.rows, held, c)) t.fail(`${names[c]}, ${window.panes} panes`)
        compared += names.length
      }
    }
    t.equal(compared, SLIDES * WIDTHS.length * names.length)
  })

t.test('a cover is the widest aligned nodes that fit, from left to right', async (t) => {
  const tree = createPaneTree(1, 1000)
  const widest = (from: number, to: number): number[] => {
    const cover: number[] = []
    for (let at = from; at < to; ) {
      let l = tree.levels.length - 1
      while (at % tree.levels[l]!.width !== 0 || at + tree.levels[l]!.width > to) l -= 1
      cover.push(l, at / tree.levels[l]!.width)
      at += tree.levels[l]!.width
    }
    return cover
  }
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.nat(1200), (from, panes) => {
      t.same(coverOf(tree, from, from + panes), widest(from, from + panes))
    }),
    { seed: 3, numRuns: 2_000 },
  )
})

t.test('the rest of a division is exact as far as panes go', async (t) => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 1, max: 2 ** 20 }), (dividend, divisor) => {
      const pane = Math.floor(dividend / 2)
      const edge = Math.floor(pane / divisor) * divisor
      for (const n of [pane, edge, edge - 1, edge + divisor - 1])
        if (n >= 0 && modulo(n, divisor) !== n % divisor) throw new Error(`${n} of ${divisor}`)
    }),
    { seed: 5, numRuns: 20_000 },
  )
  t.pass('20 000 pairs')
})
