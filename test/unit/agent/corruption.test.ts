import t, { type Test } from 'tap'
import { createPrng } from '../../../shared/lib/prng.ts'
import {
  afterPowerCut,
  crashPoints,
  cuts,
  endure,
  exactlyTold,
  flips,
  lifeOn,
  rearrangements,
  type Tally,
  toldAtAll,
  wornState,
} from '../../support/damaged-state.ts'

/** Every so-many-th byte here, of saved states fewer: their digest is over all of them. Each one in the slow lane. */
const STRIDE = 211
const STRIDE_OF_STATES = 2003
const POWER_CUTS = 40
/** K7: a start on a damaged state folder. */
const READY_MS = 2000

const base = await wornState()
const foreign = (await wornState()).disk
const strideOf = (path: string): number => (path.endsWith('.hbc') ? STRIDE_OF_STATES : STRIDE)

function report(t: Test, tally: Tally): void {
  for (const fault of tally.faults.slice(0, 10)) t.fail(fault)
  t.equal(tally.faults.length, 0, 'after each of them the agent goes on and everything signed stands')
  t.ok(tally.worstStartMs < READY_MS, `ready after ${tally.worstStartMs.toFixed(0)} ms at most`)
  for (const [kind, n] of tally.counts) t.comment(`counted: damage, ${kind} | ${n} | ready, exact, nothing twice`)
}

t.test('an undamaged state folder is gone on from without a word', async (t) => {
  const outcome = await lifeOn(base.disk.clone(), base.collector.copy())
  t.same(outcome.faults, [])
  t.same(outcome.events, [])
  t.same(outcome.renewed, [])
})

t.test('a flipped byte in any file costs what it hit, and exactly that is said', async (t) => {
  const all = base.disk.paths().flatMap((path) => [...flips(base.disk, path, strideOf(path))])
  report(t, await endure(base, all, exactlyTold(base.disk)))
})

t.test('a file that ends too early or in zeros is gone on from', async (t) => {
  const all = base.disk.paths().flatMap((path) => [...cuts(base.disk, path, 2 * strideOf(path))])
  report(t, await endure(base, all))
})

t.test('a power cut at any change of the disk takes nothing that was signed', async (t) => {
  const prng = createPrng(7)
  const points = await crashPoints(POWER_CUTS, prng)
  const faults: string[] = []
  points.push(...(await crashPoints(POWER_CUTS, prng, { faultSeed: 5 })))
  for (const point of points) faults.push(...(await afterPowerCut(point, prng)))
  t.same(faults, [])
  t.comment(`counted: power cuts of the agent | ${points.length} | every signed decision comes out again`)
})

t.test('files lost, swapped, doubled or of another agent are found out', async (t) => {
  report(t, await endure(base, rearrangements(base.disk, foreign), toldAtAll))
})
