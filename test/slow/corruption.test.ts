import t from 'tap'
import { createPrng } from '../../shared/lib/prng.ts'
import {
  afterPowerCut,
  crashPoints,
  cuts,
  type Damage,
  endure,
  exactlyTold,
  flips,
  rearrangements,
  toldAtAll,
  wornState,
} from '../support/damaged-state.ts'

t.setTimeout(0)

/** Saved states are one digest over everything: a part of their bytes stands for all. */
const STATE_STRIDE = 23
/** Cuts between two neighbours of these come to the same code; every record has some in each of its parts. */
const CUT_STRIDE = 3
const LIVES = 6
const POWER_CUTS_A_LIFE = 100

const base = await wornState()
const foreign = (await wornState()).disk
const files = base.disk.paths()
const strideOf = (path: string, stride: number): number => (path.endsWith('.hbc') ? STATE_STRIDE : stride)

t.test('every byte of journal, outbox and identity flipped, and saved states here and there', async (t) => {
  const all = function* (): Generator<Damage> {
    for (const path of files) yield* flips(base.disk, path, strideOf(path, 1))
  }
  const tally = await endure(base, all(), exactlyTold(base.disk))
  t.same(tally.faults.slice(0, 10), [])
  t.comment(`counted: bytes flipped | ${tally.counts.get('flip')} | worst start ${tally.worstStartMs.toFixed(0)} ms`)
})

t.test('files cut and filled with zeros at every few bytes', async (t) => {
  const all = function* (): Generator<Damage> {
    for (const path of files) yield* cuts(base.disk, path, strideOf(path, CUT_STRIDE))
  }
  const tally = await endure(base, all())
  t.same(tally.faults.slice(0, 10), [])
  const n = [...tally.counts.values()].reduce((a, b) => a + b, 0)
  t.comment(`counted: files cut or zero-filled | ${n} | worst start ${tally.worstStartMs.toFixed(0)} ms`)
})

t.test('files lost, swapped, doubled and foreign', async (t) => {
  const tally = await endure(base, rearrangements(base.disk, foreign), toldAtAll)
  t.same(tally.faults, [])
  const n = [...tally.counts.values()].reduce((a, b) => a + b, 0)
  t.comment(`counted: files lost, swapped, doubled, foreign | ${n} | all said`)
})

t.test(`${LIVES * POWER_CUTS_A_LIFE} power cuts, what was not synced dropped, reordered or torn`, async (t) => {
  const faults: string[] = []
  for (let seed = 1; seed <= LIVES; seed += 1) {
    const prng = createPrng(seed)
    for (const point of await crashPoints(POWER_CUTS_A_LIFE, prng)) faults.push(...(await afterPowerCut(point, prng)))
  }
  t.same(faults, [])
  t.comment(`counted: power cuts of the agent | ${LIVES * POWER_CUTS_A_LIFE} | every signed decision comes out again`)
})

t.test('power cuts of a disk that also refuses one call in ten', async (t) => {
  const faults: string[] = []
  for (let faultSeed = 1; faultSeed <= LIVES; faultSeed += 1) {
    const prng = createPrng(100 + faultSeed)
    for (const point of await crashPoints(POWER_CUTS_A_LIFE, prng, { faultSeed }))
      faults.push(...(await afterPowerCut(point, prng)))
  }
  t.same(faults, [])
  t.comment(`counted: power cuts, disk failing too | ${LIVES * POWER_CUTS_A_LIFE} | the same`)
})
