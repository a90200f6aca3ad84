import t from 'tap'
import { checkAssertions, worstOf } from '../../../../agent/core/offline/assertions.ts'
import { compareRuns } from '../../../../agent/core/offline/compare-runs.ts'
import { coverageOf, weighCoverage } from '../../../../agent/core/offline/missing-data.ts'
import type { MetricRules, RunMetric, RunMetrics } from '../../../../agent/core/offline/run-metric.ts'
import { onsetOf, sampleStats } from '../../../../agent/core/offline/sample-stats.ts'

const metric = (value: number | null, more: Partial<RunMetric> = {}): RunMetric => ({
  value,
  unit: null,
  samples: [],
  invalidSamples: 0,
  ...more,
})
const run = (values: Record<string, number | null>): RunMetrics =>
  new Map(Object.entries(values).map(([name, value]) => [name, metric(value)]))
const options = (rules: Record<string, MetricRules>) => ({ rules: new Map(Object.entries(rules)), distribution: true })

t.test('a value that is no number is NO_TEST whatever the rules', async (t) => {
  const rules: Record<string, MetricRules> = { a: { drift_threshold: 1, invariant_min: 0, invariant_max: 1 } }
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const found = compareRuns(run({ a: value, b: 1 }), run({ a: 0, b: 1 }), options(rules))
    t.same([found.status, found.no_test], ['NO_TEST', ['a']])
    t.same(found.warnings, ['value is not a number: a'])
  }
  const baseline = compareRuns(run({ a: 1 }), run({ a: Number.NaN }), options(rules))
  t.same([baseline.status, baseline.no_test], ['NO_TEST', ['a']])
})

t.test('a critical metric that is no number fails, as one that is absent does', async (t) => {
  const rules = { a: { critical: true, fail_max: 3 } }
  const found = compareRuns(run({ a: Number.NaN }), run({ a: 0 }), options(rules))
  t.same([found.status, found.fail, found.no_test], ['FAIL', ['a'], ['a']])
  t.equal(compareRuns(run({ b: 1 }), run({ b: 1 }), options(rules)).status, 'FAIL', 'absent from both sides')
  t.equal(compareRuns(run({ a: null }), run({ a: 1 }), options(rules)).status, 'FAIL', 'left blank')
})

t.test('what the registry requires is NO_TEST or NO_BASELINE when it is absent', async (t) => {
  const required = { a: { required: true, baseline_required: true } }
  t.equal(compareRuns(run({ b: 1 }), run({ b: 1 }), options(required)).status, 'NO_TEST')
  const found = compareRuns(run({ a: 1, b: 1 }), run({ b: 1 }), options(required))
  t.same([found.status, found.no_baseline], ['NO_BASELINE', ['a']])
  const byLimits = { a: { baseline_required: false, invariant_max: 5 } }
  t.equal(compareRuns(run({ a: 1 }), run({}), options(byLimits)).status, 'PASS')
  t.equal(compareRuns(run({ a: 6 }), run({}), options(byLimits)).status, 'FAIL')
})

t.test('a baseline that shares no metric with the run is none', async (t) => {
  t.equal(compareRuns(run({ a: 1 }), run({ b: 1 }), options({})).status, 'NO_BASELINE')
})

t.test('limits hold on both sides', async (t) => {
  const rules = { a: { critical: true, fail_min: -2 } }
  t.equal(compareRuns(run({ a: 7 }), run({ a: 7 }), options(rules)).status, 'PASS')
  t.equal(compareRuns(run({ a: -3 }), run({ a: -3 }), options(rules)).status, 'FAIL')
})

t.test('few samples must differ more than chance makes them', async (t) => {
  const few = { samples: [1, 2, 3] }
  const other = { samples: [2, 3, 4] }
  const rules = { a: { distribution_drift: { ks_threshold: 0.2 } } }
  const found = compareRuns(new Map([['a', metric(2, other)]]), new Map([['a', metric(2, few)]]), options(rules))
  t.same([found.status, found.distribution_drifts], ['PASS', []])
  const many = Array.from({ length: 100 }, (_, k) => k)
  const shifted = compareRuns(
    new Map([['a', metric(50, { samples: many.map((k) => k + 40), invalidSamples: 2 })]]),
    new Map([['a', metric(50, { samples: many })]]),
    options(rules),
  )
  t.equal(shifted.status, 'PASS_WITH_DRIFT')
  t.match(shifted.distribution_drifts, [{ metric: 'a', threshold: 0.2, sample_count_current: 100 }])
  t.same(shifted.warnings, ['2 samples are not numbers: a'])
  t.match(shifted.top_drivers, [{ confidence: 'medium', decision_basis: ['distribution_ks'] }])
})

t.test('nothing is correlated with itself', async (t) => {
  const found = compareRuns(run({ a: 9 }), run({ a: 1 }), options({ a: { drift_threshold: 1 } }))
  t.match(found.top_drivers, [{ raw_feature_correlations: null, corr_method: null, drift_score: 8 }])
})

t.test('too little data never makes a verdict better', async (t) => {
  const worse = (status: Parameters<typeof weighCoverage>[0], mode: 'ignore' | 'degrade' | 'fail') =>
    weighCoverage(status, 0.5, { min_coverage: 0.8, mode }).status
  t.equal(worse('FAIL', 'degrade'), 'FAIL')
  t.equal(worse('PASS', 'degrade'), 'NO_TEST')
  t.equal(worse('PASS_WITH_DRIFT', 'degrade'), 'NO_TEST')
  t.equal(worse('PASS', 'fail'), 'FAIL')
  t.equal(worse('PASS', 'ignore'), 'PASS')
  t.same(weighCoverage('PASS', 0.8, { min_coverage: 0.8, mode: 'fail' }).isReduced, false)
  t.equal(coverageOf(run({ a: 1, b: Number.NaN, x: 1 }), run({ a: 1, b: 1, c: 1, d: 1 }), new Map()), 0.25)
})

t.test('assertions: every operation, and no value is NO_TEST', async (t) => {
  const of = (op: '<' | '<=' | '>' | '>=' | '==' | '!=' | 'in' | 'not_in', value: number | number[], name = 'a') =>
    checkAssertions(run({ a: 2, n: Number.NaN }), [{ id: 'A', metric: name, op, value }])[0]!.status
  t.same(
    [of('<', 3), of('<', 2), of('<=', 2), of('>', 1), of('>', 2), of('>=', 2)],
    ['PASS', 'FAIL', 'PASS', 'PASS', 'FAIL', 'PASS'],
  )
  t.same(
    [of('==', 2), of('!=', 2), of('in', [1, 2]), of('not_in', [1, 2]), of('in', 3)],
    ['PASS', 'FAIL', 'PASS', 'FAIL', 'FAIL'],
  )
  t.same([of('<', 3, 'absent'), of('<', 3, 'n')], ['NO_TEST', 'NO_TEST'])
  t.equal(worstOf(['PASS', 'NO_TEST', 'PASS_WITH_DRIFT', 'NO_BASELINE']), 'NO_TEST')
  t.equal(worstOf([]), 'NO_TEST')
})

t.test('samples: spread, quantiles between samples, and where they leave', async (t) => {
  t.same(sampleStats([4, 1, 3, 2]), { mean: 2.5, median: 2.5, p95: 3.8499999999999996, std: Math.sqrt(1.25), count: 4 })
  t.equal(sampleStats([]), null)
  t.same(onsetOf([0, 3, 0, 3, 3], { level: 0, limit: 2, persistence: 2 }), {
    first_exceed_index: 1,
    sustained_index: 3,
    persistence: 2,
  })
})
