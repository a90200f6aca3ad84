import fc from 'fast-check'
import t from 'tap'
import { KS_ALPHAS, ksCritical, ksStatistic } from '../../../shared/math/kolmogorov.ts'
import { predecessorVectors, VECTORS_ABSENT } from '../../support/predecessor-vectors.ts'

/** Few values, so that most sets have ties; and values of any size. */
const COARSE = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 40 })
const FINE = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 })
const SAMPLES = fc.oneof(COARSE, FINE)

/** The definition: the greatest distance over all values that occur. */
function byDefinition(a: readonly number[], b: readonly number[]): number {
  const share = (set: readonly number[], value: number): number => set.filter((x) => x <= value).length / set.length
  return Math.max(...[...a, ...b].map((value) => Math.abs(share(a, value) - share(b, value))))
}

t.test('the statistic is that of the definition, with ties and without', (t) => {
  fc.assert(
    fc.property(SAMPLES, SAMPLES, (a, b) => Math.abs(ksStatistic(a, b)! - byDefinition(a, b)) <= 1e-12),
    { numRuns: 2000 },
  )
  t.end()
})

t.test('neither the order of the samples nor of the sets changes a bit of it', (t) => {
  fc.assert(
    fc.property(SAMPLES, SAMPLES, (a, b) => {
      const statistic = ksStatistic(a, b)
      return statistic === ksStatistic([...b].reverse(), a) && statistic === ksStatistic(a, [...b].sort())
    }),
  )
  t.end()
})

t.test('a set is at distance 0 from itself, and at 1 from one that lies beyond it', (t) => {
  fc.assert(fc.property(SAMPLES, (a) => ksStatistic(a, [...a, ...a]) === 0))
  t.equal(ksStatistic([-0, 0], [0, -0]), 0, 'both zeros are one value')
  t.equal(ksStatistic([1, 1, 2], [3, 3]), 1)
  t.end()
})

t.test('there is no statistic of nothing, nor of a value that is not finite', (t) => {
  t.equal(ksStatistic([], [1]), null)
  t.equal(ksStatistic([1], []), null)
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    t.equal(ksStatistic([1, value, 2], [1]), null)
    t.equal(ksStatistic([1], [value, 2, 3]), null)
  }
  t.end()
})

t.test('the sets given are left as they were', (t) => {
  const a = [3, 1, 2]
  ksStatistic(a, a)
  t.same(a, [3, 1, 2])
  t.end()
})

t.test('the critical value is that of the limit law, and falls with the number of samples', (t) => {
  for (const alpha of KS_ALPHAS) {
    const limit = Math.sqrt(-Math.log(alpha / 2) / 2)
    t.ok(Math.abs(ksCritical(50, 50, alpha) - limit * Math.sqrt(100 / 2500)) < 1e-12, `alpha ${alpha}`)
    t.equal(ksCritical(40, 10, alpha), ksCritical(10, 40, alpha))
    t.ok(ksCritical(400, 400, alpha) < ksCritical(40, 40, alpha))
  }
  t.ok(ksCritical(3, 3, 0.001) >= 1, 'three samples can show nothing at 0.001')
  t.end()
})

t.test('equal distributions exceed it no more often than they may', (t) => {
  // Every way of dealing 0…9 into two sets of five: the exact law of the statistic without ties.
  let dealt = 0
  const exceeded = new Map(KS_ALPHAS.map((alpha) => [alpha, 0]))
  for (let deal = 0; deal < 1024; deal += 1) {
    const ranks = Array.from({ length: 10 }, (_, rank) => rank)
    const a = ranks.filter((rank) => (deal >> rank) & 1)
    if (a.length !== 5) continue
    dealt += 1
    const statistic = ksStatistic(
      a,
      ranks.filter((rank) => !a.includes(rank)),
    )!
    for (const alpha of KS_ALPHAS) {
      if (statistic > ksCritical(5, 5, alpha)) exceeded.set(alpha, exceeded.get(alpha)! + 1)
    }
  }
  t.equal(dealt, 252)
  for (const alpha of KS_ALPHAS) t.ok(exceeded.get(alpha)! / dealt <= alpha, `alpha ${alpha}`)
  t.ok(exceeded.get(0.1)! > 0, 'and it can be exceeded')
  t.end()
})

t.test("the predecessor's statistics, and where ties made it wrong", (t) => {
  const vectors = predecessorVectors('ks') as readonly KsVector[] | null
  if (vectors === null) {
    t.comment(VECTORS_ABSENT)
    t.end()
    return
  }
  t.equal(vectors.length, 5)
  for (const { a, b, expected, deviate } of vectors) {
    const statistic = ksStatistic(a, b)!
    const name = `${a.length} with ${b.length}${deviate === undefined ? '' : `, apart for its ${deviate}`}`
    if (deviate === undefined) t.ok(Math.abs(statistic - expected) <= 1e-12, name)
    else t.ok(Math.abs(statistic - byDefinition(a, b)) <= 1e-12 && statistic < expected, name)
  }
  t.end()
})

type KsVector = Readonly<{ a: number[]; b: number[]; expected: number; deviate?: string }>
