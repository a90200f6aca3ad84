import t from 'tap'
import { noiseAt } from '../../../shared/lib/prng.ts'
import { effectiveCount, noiseOf, quantilesOf, stepStatistic } from '../../../shared/math/nominal.ts'

const COUNT = 400

/** White noise of deviation 1, the same every time. */
function noise(seed: number, count = COUNT): Float64Array {
  return Float64Array.from({ length: count }, (_, k) => noiseAt(seed, 0, k))
}

t.test('a level that moves shows in the step statistic, wherever it moved', async (t) => {
  const quiet = noise(1)
  t.ok(stepStatistic(quiet) < 6, `${stepStatistic(quiet)}`)
  for (const at of [100, 200, 300]) {
    const moved = quiet.map((value, k) => (k < at ? value : value + 5))
    t.ok(stepStatistic(moved) > 20, `moved at ${at}: ${stepStatistic(moved)}`)
  }
})

t.test('a step statistic by hand: halves of 0 and 1 with blocks that differ by a known spread', async (t) => {
  // Twenty blocks of one value: ten around 0 and ten around 1, each ± 0.1 in turn.
  const values = Float64Array.from({ length: 20 }, (_, k) => (k < 10 ? 0 : 1) + (k % 2 === 0 ? 0.1 : -0.1))
  // Pooled variance 20 · 0.01 ÷ 18; t = 1 ÷ √(0.0111… · 2 ÷ 10).
  t.ok(Math.abs(stepStatistic(values) - 1 / Math.sqrt((0.2 / 18) * 0.2)) < 1e-12)
})

t.test('a level without noise: no step is none, any step is certain', async (t) => {
  t.equal(stepStatistic(new Float64Array(COUNT).fill(3)), 0)
  t.equal(stepStatistic(new Float64Array(COUNT).fill(3).fill(4, 200)), 1_000_000)
  t.equal(stepStatistic(new Float64Array(5).fill(3)), 0, 'too little to say')
})

t.test('noise that neighbours share counts as noise of the level, and makes fewer of the samples', async (t) => {
  const white = noise(2, 4000)
  t.ok(Math.abs(noiseOf(white).noise - 1) < 0.25, `${noiseOf(white).noise}`)
  t.ok(effectiveCount(white) > 3000)
  let state = 0
  const coloured = white.map((value) => {
    state = 0.9 * state + value
    return state
  })
  const { noise: wide, within } = noiseOf(coloured)
  t.ok(wide > 3 * within, `${wide} against ${within}`)
  t.ok(effectiveCount(coloured) < 1500, `${effectiveCount(coloured)}`)
  t.equal(effectiveCount(new Float64Array(100).fill(7)), 100, 'a constant is what it is')
})

t.test('quantiles are values at ranks, between neighbours in proportion', async (t) => {
  const values = Float64Array.of(4, 1, 3, 2)
  t.same(quantilesOf(values, [0, 0.5, 1]), [1, 2.5, 4])
  t.same([...values], [4, 1, 3, 2], 'the values stay as they are')
  t.same(quantilesOf(new Float64Array(0), [0, 1]), [])
})
