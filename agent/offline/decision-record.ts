import { DOMAIN, digestOf, toHex } from '../../shared/crypto/digest.ts'
import type { DriftReport } from './drift-report.ts'

/** `decision_record.json`, version 1.0. Whoever reads it passes over keys it does not know; a key that says nothing is left out. */
export type DecisionRecord = Readonly<{
  schema_version: '1.0'
  decision_id: string
  timestamp: string
  status: DriftReport['status']
  confidence: number
  decision_confidence: number
  trigger_metrics: readonly string[]
  action_allowed: false
  reason: string
  config_hash: string
  evidence_ref: string
  run_id: string
  baseline_run_id?: string
  correlation_id?: string
  extra: Readonly<Record<string, unknown>>
}>

/** Confidence that a judgement without all of its data may have at most. */
const MISSING_DATA_CONFIDENCE_MAX = 0.85
/** Samples from which on more of them say nothing new. */
const SAMPLES_ENOUGH = 50

/**
 * Records what was decided. No action was asked for, and so none is allowed. The id is a digest of what was decided from
 * what: the same analysis again is the same decision, another one is not.
 */
export function decisionRecord(
  report: DriftReport,
  about: Readonly<{ timestamp: string; policyHash: string | null }>,
): DecisionRecord {
  const config = JSON.stringify({ baseline_policy: about.policyHash, metric_registry: report.registry_hash })
  const { metric_details: details, ...decided } = report
  const text = JSON.stringify([config, decided, details])
  const confidence = confidenceOf(report)
  return {
    schema_version: '1.0',
    decision_id: `d-${hexOf(text).slice(0, 24)}`,
    timestamp: about.timestamp,
    status: report.status,
    confidence,
    decision_confidence: confidence,
    trigger_metrics: triggersOf(report),
    action_allowed: false,
    reason: reasonOf(report),
    config_hash: hexOf(config),
    evidence_ref: 'drift_report.json',
    run_id: report.run_id,
    ...(report.baseline_run_id === null ? {} : { baseline_run_id: report.baseline_run_id }),
    ...(report.correlation_id === null ? {} : { correlation_id: report.correlation_id }),
    extra: { data_coverage: report.data_coverage, metrics_compared: report.metrics_compared },
  }
}

function hexOf(text: string): string {
  return toHex(digestOf(DOMAIN.file, new TextEncoder().encode(text)))
}

function triggersOf(report: DriftReport): string[] {
  const drifted = [...report.drift_metrics, ...report.distribution_drifts].map(({ metric }) => metric)
  const all = [...report.fail_metrics, ...drifted, ...report.no_test_metrics, ...report.no_baseline_metrics]
  return [...new Set(all)].sort((a, b) => (a < b ? -1 : 1))
}

function reasonOf({ status, drift_metrics: drift, fail_metrics: fail, ...report }: DriftReport): string {
  const broken = report.invariant_violations.map(({ metric }) => metric)
  const reasons = [
    fail.some((metric) => !broken.includes(metric)) || drift.length > 0 ? 'threshold_exceeded' : '',
    broken.length > 0 ? 'invariant_violation' : '',
    report.distribution_drifts.length > 0 ? 'distribution_shift' : '',
    report.no_test_metrics.length > 0 ? 'not_tested' : '',
    status === 'NO_BASELINE' ? 'no_baseline' : '',
  ].filter((reason) => reason !== '')
  if (reasons.length > 0) return reasons.join(' + ')
  return status === 'PASS' ? 'ok' : status.toLowerCase()
}

/**
 * How sure a verdict is, 0 to 1: by how clear the difference is, how much of the data was there, how many samples stand
 * behind it and how well the baseline matches. The predecessor was less sure the larger a drift was.
 */
function confidenceOf(report: DriftReport): number {
  if (report.status === 'NO_METRICS' || report.status === 'NO_TEST' || report.status === 'NO_BASELINE') return 0
  const drivers = report.drift_attribution.top_drivers
  const clear =
    report.status === 'PASS' ? 1 : Math.min(1, Math.max(0.5, ((drivers[0]?.drift_score ?? 2) - 1) / 2 + 0.5))
  const counts = report.metric_details.map(({ samples_current: samples }) => samples.length)
  const samples = Math.min(SAMPLES_ENOUGH, counts.length === 0 ? 0 : Math.max(...counts)) / SAMPLES_ENOUGH
  const { baseline_match_possible: possible } = report
  const match = possible === 0 ? 0.5 : report.baseline_match_score
  const sum = 0.35 * clear + 0.3 * report.data_coverage + 0.15 * samples + 0.2 * match
  const capped = report.data_coverage < 1 ? Math.min(sum, MISSING_DATA_CONFIDENCE_MAX) : sum
  return Math.round(capped * 100) / 100
}
