import { checkAssertions } from '../../agent/core/offline/assertions.ts'
import { compareRuns } from '../../agent/core/offline/compare-runs.ts'
import type { RunMetric, RunMetrics, RunRules } from '../../agent/core/offline/run-metric.ts'
import { buildReport, type DriftReport } from '../../agent/offline/drift-report.ts'

/** A name that would be markup, a script and another line if it were not escaped. */
export const HOSTILE_METRIC = `"><script>alert('x')</script><img src=x onerror=alert(1)>`

export const metric = (value: number | null, samples: readonly number[] = [], unit = 'ms'): RunMetric => ({
  value,
  unit,
  samples,
  invalidSamples: 0,
})

/** Samples around a level that climb from one sample on; whole numbers of a fixed pattern, so that nothing is random. */
export const climbing = (level: number, from: number, count = 120): number[] =>
  Array.from({ length: count }, (_, k) => level + ((k * 7) % 5) * 0.1 + (k < from ? 0 : (k - from) * 0.05))

const RULES: RunRules = new Map([
  ['avg_latency_ms', { drift_threshold: 1, drift_percent: 10, distribution_drift: { ks_threshold: 0.2 } }],
  ['reset_count', { critical: true, invariant_eq: 0 }],
  ['throughput', { drift_percent: 5 }],
  [HOSTILE_METRIC, { drift_threshold: 1 }],
])

/** A report of a run that drifted and failed, with everything a page can show. */
export function failedReport(): DriftReport {
  const current: RunMetrics = new Map([
    ['avg_latency_ms', metric(11.7, climbing(10, 60))],
    ['reset_count', metric(2, [], 'count')],
    ['throughput', metric(880, [], '1/s')],
    ['calm', metric(1)],
    ['strange', metric(Number.NaN)],
    [HOSTILE_METRIC, metric(9)],
  ])
  const before: RunMetrics = new Map([
    ['avg_latency_ms', metric(10.2, climbing(10, 1000))],
    ['reset_count', metric(0, [], 'count')],
    ['throughput', metric(1000, [], '1/s')],
    ['calm', metric(1)],
    ['strange', metric(1)],
    [HOSTILE_METRIC, metric(1)],
  ])
  const comparison = compareRuns(current, before, { rules: RULES, distribution: true })
  return buildReport({
    comparison,
    status: comparison.status,
    run: { runId: 'run-17', correlationId: null, sourceType: 'test', program: 'demo', startUtc: null },
    baseline: {
      baseline_run_id: 'run-3',
      baseline_reason: 'last_pass',
      baseline_warning: 'context mismatch: matched 1/2',
      baseline_match_level: 'MED',
      baseline_match_fields: ['scenario_id'],
      baseline_match_score: 0.5,
      baseline_match_possible: 2,
    },
    current,
    before,
    rules: RULES,
    coverage: { coverage: 5 / 6, isReduced: false },
    warnings: ['unknown metric: <b>nope</b>'],
    conversions: [],
    registryHash: 'a1b2c3d4e5f6',
    version: '0.0.0-test',
    top: 5,
    asserts: checkAssertions(current, [{ id: 'A1', metric: 'throughput', op: '>=', value: 900 }]),
  })
}
