import t from 'tap'
import { correlate } from '../../../../agent/core/offline/correlation.ts'

const STEPS = [0, 1, 2, 3, 4, 5]

t.test('only other columns that were really recorded are correlated, strongest first', (t) => {
  const columns = new Map([
    ['latency', STEPS],
    ['queue', STEPS.map((k) => 3 - 2 * k)],
    ['load', [0, 2, 1, 4, 3, 6]],
    ['constant', STEPS.map(() => 7)],
    ['noise', [1, -1, 0, 0, -1, 1]],
  ])
  const found = correlate('latency', columns)
  t.match(found, { raw_features: ['latency'], corr_method: 'pearson', n_points_used: 6 })
  t.same(
    found?.raw_feature_correlations?.map(({ feature }) => feature),
    ['queue', 'load'],
  )
  const [queue, load] = found?.raw_feature_correlations ?? []
  t.equal(queue?.corr, -1)
  // Σab = 18, Σaa = 17.5 and Σbb = 70/3, by hand.
  t.ok(Math.abs((load?.corr ?? 0) - 18 / Math.sqrt(17.5 * (70 / 3))) < 1e-12)
  t.end()
})

t.test('a metric without a column, or with no other beside it, has no correlation', (t) => {
  t.equal(correlate('latency', new Map([['queue', STEPS]])), undefined)
  t.equal(correlate('latency', new Map([['latency', STEPS]])), undefined)
  const gaps = correlate(
    'latency',
    new Map([
      ['latency', [0, Number.NaN, 2]],
      ['queue', [1, 2, 3]],
    ]),
  )
  t.match(gaps, { raw_feature_correlations: [], n_points_used: 0, correlation_note: /no other column/ })
  t.end()
})
