import { compareRuns } from '../../agent/core/offline/compare-runs.ts'
import type { RunMetric, RunRules } from '../../agent/core/offline/run-metric.ts'
import type { ReportSeries, ShownReport } from '../../agent/offline/report-payload.ts'

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
export function failedReport(): { report: ShownReport; series: ReportSeries[] } {
  const before = climbing(10, 1000)
  const now = climbing(10, 60)
  const compared = compareRuns(
    new Map([
      ['avg_latency_ms', metric(11.7, now)],
      ['reset_count', metric(2, [], 'count')],
      ['throughput', metric(880, [], '1/s')],
      [HOSTILE_METRIC, metric(9)],
    ]),
    new Map([
      ['avg_latency_ms', metric(10.2, before)],
      ['reset_count', metric(0, [], 'count')],
      ['throughput', metric(1000, [], '1/s')],
      [HOSTILE_METRIC, metric(1)],
    ]),
    { rules: RULES, distribution: true },
  )
  const report: ShownReport = {
    run_id: 'run-17',
    status: compared.status,
    baseline_run_id: 'run-3',
    baseline_reason: 'last_pass',
    baseline_warning: 'context mismatch: matched 1/2',
    baseline_match_level: 'MED',
    baseline_match_fields: ['scenario_id'],
    baseline_confidence: 0,
    hb_version: '0.0.0-test',
    drift_metrics: compared.drift,
    distribution_drifts: compared.distribution_drifts,
    drift_attribution: { top_drivers: compared.top_drivers },
    fail_metrics: compared.fail,
    invariant_violations: compared.invariant_violations,
    warnings: [...compared.warnings, 'unknown metric: <b>nope</b>'],
    investigation_hints: [
      {
        metric: 'reset_count',
        pinpoint: 'A reset was counted where none may be.',
        suggested_actions: ['Read the log around the reset.', 'Look at the supply voltage.'],
        root_cause_category: 'invariant_violation',
        root_cause_label: 'a limit that always holds',
      },
    ],
    evidence_links: [
      {
        metric_name: 'reset_count',
        artifact_ref: 'metrics.csv',
        report_ref: 'drift_report.json#/fail_metrics',
        hint: 'the row of this metric',
      },
    ],
    what_to_do_next: 'Do not go on. Start with reset_count.',
    primary_issue: 'reset_count is 2 and must be 0.',
    data_coverage: 1,
    assert_results: [
      {
        id: 'A1',
        metric: 'throughput',
        op: '>=',
        value: 900,
        status: 'FAIL',
        current: 880,
        reason: '880 is not >= 900',
      },
    ],
  }
  const series = [{ metric: 'avg_latency_ms', unit: 'ms', samples: now, baseline: 10.2, low: 9.2, high: 11.2 }]
  return { report, series }
}
