import t from 'tap'
import { analyzeRun } from '../../../../agent/offline/analyze-run.ts'
import { decisionRecord } from '../../../../agent/offline/decision-record.ts'
import { CHART_POINTS_MAX } from '../../../../agent/offline/drift-report.ts'
import { readRunFolder } from '../../../../agent/offline/run-folder.ts'
import { parseOfflineRegistry } from '../../../../shared/config/offline-registry.ts'
import { createRunsFolder, metaText, REGISTRY, samplesCell } from '../../../support/run-folders.ts'

const folder = createRunsFolder()
t.teardown(folder.remove)

const HEADER = 'metric,value,unit,tags\n'
let made = 0
const run = (id: string, rows: string, more: Record<string, unknown> = {}) => {
  made += 1
  return readRunFolder(
    folder.run(`r${made}`, { 'run_meta.json': metaText(id, more), 'metrics.csv': `${HEADER}${rows}` }),
  )
}
const registryOf = (text: string) => parseOfflineRegistry('metric_registry.yaml', new TextEncoder().encode(text))
const registry = registryOf(REGISTRY)
const GOOD = 'avg_latency_ms,10,ms,\nreset_count,0,count,\nhttp_error_rate,0.01,,\n'

const WRONG = [
  ['  a: { invariant_min: 5, invariant_max: 1 }\n', 'metrics.a.invariant_min'],
  ['  a: { fail_threshold: 1, fail_max: 2 }\n', 'metrics.a.fail_threshold'],
  ['  a: { unit_map: { s: 1000 } }\n', 'metrics.a.unit_map'],
  ['  a: { aliases: [x] }\n  b: { aliases: [X] }\n', 'metrics.b.aliases[0]'],
  ['  a: { drift_treshold: 1 }\n', 'metrics.a.drift_treshold'],
] as const

const KEYS = `run_id correlation_id status baseline_run_id hb_version source_type baseline_reason baseline_warning
  baseline_match_level baseline_match_fields baseline_match_score baseline_match_possible baseline_confidence
  context_mismatch_expected drift_metrics top_drifts distribution_drifts drift_attribution likely_investigation_areas
  decision_basis warnings fail_metrics invariant_violations investigation_hints what_to_do_next primary_issue data_coverage
  decision_confidence_reduced_due_to_missing_data evidence_links`.split(/\s+/)

// verifies REQ-EVD-006
t.test('a report has every key of the predecessor', async (t) => {
  const report = analyzeRun({ run: run('b', GOOD.replace('10', '12')), baseline: run('a', GOOD), registry })
  for (const key of KEYS) t.ok(Object.hasOwn(report, key), key)
  t.match(report, {
    run_id: 'b',
    baseline_run_id: 'a',
    status: 'PASS_WITH_DRIFT',
    baseline_reason: 'explicit',
    baseline_match_fields: ['operating_mode'],
    baseline_match_score: 1,
    data_coverage: 1,
    primary_issue: 'avg_latency_ms: 10 → 12 ms (20.0 %)',
    evidence_links: [{ metric_name: 'avg_latency_ms', report_ref: 'drift_report.html#metric-1' }],
  })
  t.equal(
    JSON.stringify(analyzeRun({ run: run('b', GOOD), baseline: run('a', GOOD), registry })).includes('1970'),
    false,
  )
})

t.test('names and units of a run become those of the registry, and the report says how', async (t) => {
  const rows = `Avg Task Latency (ms),10500,us,${samplesCell([10_000, 11_000])}\nreset_count,0,count,\nhttp_error_rate,0.01,,\n`
  const report = analyzeRun({ run: run('b', rows), baseline: run('a', GOOD), registry })
  t.equal(report.status, 'PASS')
  const detail = report.metric_details.find(({ metric }) => metric === 'avg_latency_ms')
  t.match(detail, { current: 10.5, unit: 'ms', low: 9, high: 11, samples_current: [10, 11] })
  t.match(report.conversions, [
    { kind: 'alias', from: 'Avg Task Latency (ms)', to: 'avg_latency_ms' },
    { kind: 'unit', from: 'us', to: 'ms', factor: 0.001, source: 'unit_map' },
  ])
})

t.test('unit mismatch: a unit that nothing converts is NO_TEST, with what to do', async (t) => {
  const report = analyzeRun({ run: run('b', GOOD.replace('10,ms', '10,kg')), baseline: run('a', GOOD), registry })
  t.equal(report.status, 'NO_TEST')
  t.match(report.warnings, [/`kg` cannot be converted to `ms`; correct the unit in the run or add it to `unit_map`/])
})

t.test('a unit in another case is never another prefix', async (t) => {
  const power = registryOf('version: "1.0"\nmetrics:\n  p: { unit: foo, unit_map: { mW: 2 }, drift_threshold: 1 }\n')
  const report = analyzeRun({ run: run('b', 'p,1,MW,\n'), baseline: run('a', 'p,1,foo,\n'), registry: power })
  t.equal(report.status, 'NO_TEST')
})

t.test('alias collision: two columns of a run for one metric are NO_TEST', async (t) => {
  const rows = `${GOOD}Avg Task Latency (ms),10,ms,\n`
  const report = analyzeRun({ run: run('b', rows), baseline: run('a', GOOD), registry })
  t.same([report.status, report.no_test_metrics], ['NO_TEST', ['avg_latency_ms']])
  t.match(report.warnings, [/^alias collision: .*remove one from the run/])
})

t.test('a run is never its own baseline, nor is one of another mode', async (t) => {
  const self = analyzeRun({ run: run('same', GOOD), baseline: run('same', GOOD), registry })
  t.match(self, { status: 'NO_BASELINE', baseline_run_id: null })
  t.match(self.warnings, [/a run is never its own baseline/])
  const stress = run('a', GOOD, { operating_mode: 'stress' })
  t.match(analyzeRun({ run: run('b', GOOD), baseline: stress, registry }), {
    status: 'NO_BASELINE',
    baseline_run_id: null,
  })
  t.equal(analyzeRun({ run: run('b', GOOD), baseline: null, registry }).status, 'NO_BASELINE')
})

t.test('another context is told', async (t) => {
  const lab = { environment: 'lab', scenario_id: 's1' }
  const report = analyzeRun({ run: run('b', GOOD, lab), baseline: run('a', GOOD, { environment: 'hil' }), registry })
  t.match(report, {
    status: 'PASS',
    baseline_warning: 'context mismatch: matched 1/3',
    context_mismatch_expected: true,
  })
})

t.test('without a registry nothing passes', async (t) => {
  t.equal(analyzeRun({ run: run('b', GOOD), baseline: run('a', GOOD), registry: null }).status, 'NO_TEST')
  t.equal(analyzeRun({ run: run('b', GOOD), baseline: null, registry: null }).status, 'NO_BASELINE')
})

t.test('NaN run: its metrics are NO_TEST, and its critical ones fail', async (t) => {
  const nan = (metric: string): string => GOOD.replace(new RegExp(`${metric},[^,]+`), `${metric},NaN`)
  const of = (rows: string) => analyzeRun({ run: run('b', rows), baseline: run('a', GOOD), registry })
  t.same([of(nan('avg_latency_ms')).status, of(nan('avg_latency_ms')).data_coverage], ['NO_TEST', 2 / 3])
  t.equal(of(nan('reset_count')).status, 'FAIL')
})

t.test('too little data reduces confidence and never helps', async (t) => {
  const few = run('b', 'reset_count,3,count,\n')
  const report = analyzeRun({
    run: few,
    baseline: run('a', GOOD),
    registry,
    missingData: { min_coverage: 0.9, mode: 'degrade' },
  })
  t.match(report, { status: 'FAIL', decision_confidence_reduced_due_to_missing_data: true })
})

t.test('signals stand in for samples that a row does not keep, thinned for the chart', async (t) => {
  const values = Array.from({ length: 3 * CHART_POINTS_MAX }, (_, k) => k % 10)
  const signals = `ts,avg_latency_ms\n${values.map((value, k) => `${k},${value}`).join('\n')}\n`
  const path = folder.run('signals', {
    'run_meta.json': metaText('b'),
    'metrics.csv': HEADER + GOOD,
    'signals.csv': signals,
  })
  const report = analyzeRun({ run: readRunFolder(path), baseline: run('a', GOOD), registry })
  t.equal(report.metric_details[0]!.samples_current.length, CHART_POINTS_MAX)
})

t.test('a chart keeps the one spike there was, and what moved with it is told', async (t) => {
  const values = Array.from({ length: 50_000 }, (_, k) => (k === 31_337 ? 99 : 10))
  const rows = values.map((value, k) => `${k},${value},${2 * value},5`).join('\n')
  const path = folder.run('spike', {
    'run_meta.json': metaText('spike'),
    'metrics.csv': HEADER + GOOD.replace('10', '12'),
    'signals.csv': `ts,Avg Task Latency (ms),queue,constant\n${rows}\n`,
  })
  const report = analyzeRun({ run: readRunFolder(path), baseline: run('a', GOOD), registry })
  t.match(report.drift_attribution.top_drivers[0], {
    metric_name: 'avg_latency_ms',
    raw_features: ['Avg Task Latency (ms)'],
    raw_feature_correlations: [{ feature: 'queue' }],
    n_points_used: 50_000,
  })
  const detail = analyzeRun({
    run: readRunFolder(
      folder.run('spike-by-name', {
        'run_meta.json': metaText('spike'),
        'metrics.csv': HEADER + GOOD,
        'signals.csv': `ts,avg_latency_ms\n${values.map((value, k) => `${k},${value}`).join('\n')}\n`,
      }),
    ),
    baseline: run('a', GOOD),
    registry,
  }).metric_details[0]!
  t.ok(detail.samples_current.length <= CHART_POINTS_MAX)
  t.ok(detail.samples_current.includes(99))
})

t.test(
  'a decision: the same analysis again is the same, another one is not, and a larger drift is no less sure',
  async (t) => {
    const of = (latency: number) => {
      const report = analyzeRun({ run: run('b', GOOD.replace('10', `${latency}`)), baseline: run('a', GOOD), registry })
      return decisionRecord(report, { timestamp: '2026-01-01T00:00:00.000Z', policyHash: null })
    }
    t.same(of(12), of(12))
    t.not(of(12).decision_id, of(13).decision_id)
    t.ok(of(30).decision_confidence >= of(12).decision_confidence)
    t.match(of(12), { reason: 'threshold_exceeded', action_allowed: false, config_hash: /^[0-9a-f]{64}$/ })
    t.equal(of(10).reason, 'ok')
    t.notOk(Object.values(of(12)).includes(null as never), 'no key is null')
  },
)

t.test('a registry of the predecessor is taken, and one that contradicts itself is not', async (t) => {
  const metrics = registryOf(
    'version: "1.0"\nmetrics:\n  resets: { critical: true }\n  a: { unit: s, nominal_rate_hz: 10 }\n',
  )
  const [a, resets] = metrics.metricsFor({ program: 'P 1', mode: '' })
  t.match(a, { required: true, baseline_required: true })
  t.notOk(Object.hasOwn(resets!, 'required'))
  const bare = {
    run: run('b', 'resets,1,,\n'),
    baseline: run('a', 'resets,1,,\n'),
    registry: registryOf('version: "1.0"\nmetrics:\n  resets: { critical: true }\n'),
  }
  t.equal(analyzeRun(bare).status, 'FAIL')
  for (const [text, at] of WRONG)
    t.throws(
      () => registryOf(`version: "1.0"\nmetrics:\n${text}`),
      { code: 'CONFIG_INVALID', problems: [{ key: at }] },
      text,
    )
})

t.test('overrides of program and mode are in force', async (t) => {
  const text = `${REGISTRY}programs:\n  demo: { metrics: { avg_latency_ms: { drift_threshold: 5, drift_percent: 90 } } }\n`
  const rows = GOOD.replace('10', '12')
  t.equal(analyzeRun({ run: run('b', rows), baseline: run('a', GOOD), registry: registryOf(text) }).status, 'PASS')
  const modes = `${text}mode_overrides:\n  nominal: { metrics: { avg_latency_ms: { drift_threshold: 1 } } }\n`
  const nominal = { operating_mode: 'Nominal' }
  const report = analyzeRun({
    run: run('b', rows, nominal),
    baseline: run('a', GOOD, nominal),
    registry: registryOf(modes),
  })
  t.equal(report.status, 'PASS_WITH_DRIFT')
})
