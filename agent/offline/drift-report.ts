import type { AssertResult } from '../core/offline/assertions.ts'
import type { Attribution } from '../core/offline/attribution.ts'
import type {
  DistributionDrift,
  DriftRecord,
  InvariantViolation,
  RunComparison,
  RunVerdict,
} from '../core/offline/compare-runs.ts'
import { sampleLimit } from '../core/offline/drift-rule.ts'
import { areasFor, hintsFor, type InvestigationHint, notableMetrics, pinpoint } from '../core/offline/investigation.ts'
import type { MetricRules, RunMetrics, RunRules } from '../core/offline/run-metric.ts'
import { namesOf } from '../core/offline/run-metric.ts'

/** Points of one signal in a report: enough for a chart. */
export const CHART_POINTS_MAX = 500

/** One metric of a report, with what a chart of it needs. `low` and `high`: outside of them it drifts. */
export type MetricDetail = Readonly<{
  metric: string
  unit: string | null
  verdict: 'FAIL' | 'NO_TEST' | 'NO_BASELINE' | 'DRIFT' | 'PASS'
  baseline: number | null
  current: number | null
  low: number | null
  high: number | null
  samples_baseline: readonly number[]
  samples_current: readonly number[]
}>

export type EvidenceLink = Readonly<{ metric_name: string; artifact_ref: string; report_ref: string; hint: string }>

/** `drift_report.json`: the predecessor's keys, and ours behind them. Whoever reads it passes over keys it does not know. */
export type DriftReport = Readonly<{
  run_id: string
  correlation_id: string | null
  status: RunVerdict
  baseline_run_id: string | null
  hb_version: string
  source_type: string
  baseline_reason: string
  baseline_warning: string | null
  baseline_match_level: string
  baseline_match_fields: readonly string[]
  /** Share of the fields that match, 0 to 1. */
  baseline_match_score: number
  baseline_match_possible: number
  /** Of the quality gate of a baseline; null for the run of another day, which went through none. */
  baseline_confidence: number | null
  context_mismatch_expected: boolean
  drift_metrics: readonly DriftRecord[]
  top_drifts: readonly DriftRecord[]
  distribution_drifts: readonly DistributionDrift[]
  drift_attribution: Readonly<{ top_drivers: readonly Attribution[] }>
  likely_investigation_areas: readonly string[]
  decision_basis: Readonly<{
    drift_score: number | null
    warn_threshold: number | null
    fail_threshold: number | null
    persistence_cycles: number | null
    score_type: string | null
  }>
  warnings: readonly string[]
  fail_metrics: readonly string[]
  invariant_violations: readonly InvariantViolation[]
  investigation_hints: readonly InvestigationHint[]
  what_to_do_next: string
  primary_issue: string | null
  data_coverage: number
  decision_confidence_reduced_due_to_missing_data: boolean
  evidence_links: readonly EvidenceLink[]
  assert_results?: readonly AssertResult[]
  schema_version: '1.0'
  program: string | null
  /** When the run began, as it says of itself. */
  run_start_utc: string | null
  /** Metrics that the registry calls critical. */
  critical_metrics: readonly string[]
  no_test_metrics: readonly string[]
  no_baseline_metrics: readonly string[]
  metrics_compared: number
  registry_hash: string | null
  conversions: readonly Readonly<Record<string, unknown>>[]
  metric_details: readonly MetricDetail[]
}>

/** What is known of the baseline of a run. */
export type BaselineFacts = Pick<
  DriftReport,
  | 'baseline_run_id'
  | 'baseline_reason'
  | 'baseline_warning'
  | 'baseline_match_level'
  | 'baseline_match_fields'
  | 'baseline_match_score'
  | 'baseline_match_possible'
>

export type ReportInput = Readonly<{
  comparison: RunComparison
  /** After the share of data and the assertions were weighed. */
  status: RunVerdict
  run: Readonly<{
    runId: string
    correlationId: string | null
    sourceType: string
    program: string | null
    startUtc: string | null
  }>
  baseline: BaselineFacts
  current: RunMetrics
  before: RunMetrics
  rules: RunRules
  coverage: Readonly<{ coverage: number; isReduced: boolean }>
  warnings: readonly string[]
  conversions: DriftReport['conversions']
  registryHash: string | null
  version: string
  /** How many drifts are named first. */
  top: number
  asserts?: readonly AssertResult[]
}>

/** Says of a comparison what people and programs need to know. Nothing in it depends on the time of the analysis. */
export function buildReport(input: ReportInput): DriftReport {
  const { comparison, status, run, baseline, coverage, asserts } = input
  const first = comparison.top_drivers[0]
  const notable = notableMetrics(comparison)
  const names = namesOf(input.current, input.before)
  const ranked = new Map(comparison.top_drivers.map(({ metric_name: metric }, rank) => [metric, rank]))
  const byRank = [...comparison.drift].sort((a, b) => (ranked.get(a.metric) ?? 0) - (ranked.get(b.metric) ?? 0))
  return {
    run_id: run.runId,
    correlation_id: run.correlationId,
    status,
    hb_version: input.version,
    source_type: run.sourceType,
    ...baseline,
    baseline_confidence: null,
    context_mismatch_expected: baseline.baseline_match_possible > baseline.baseline_match_fields.length,
    drift_metrics: comparison.drift,
    top_drifts: byRank.slice(0, input.top),
    distribution_drifts: comparison.distribution_drifts,
    drift_attribution: { top_drivers: comparison.top_drivers },
    likely_investigation_areas: areasFor(comparison),
    decision_basis: {
      drift_score: first?.drift_score ?? null,
      warn_threshold: first?.warn_threshold ?? null,
      fail_threshold: first?.fail_threshold ?? null,
      persistence_cycles: first?.persistence_cycles ?? null,
      score_type: first?.score_type ?? null,
    },
    warnings: [...input.warnings, ...comparison.warnings],
    fail_metrics: comparison.fail,
    invariant_violations: comparison.invariant_violations,
    investigation_hints: hintsFor(comparison),
    what_to_do_next: nextStep(status),
    primary_issue: notable[0] === undefined ? null : `${notable[0]}: ${pinpoint(notable[0], comparison)}`,
    data_coverage: coverage.coverage,
    decision_confidence_reduced_due_to_missing_data: coverage.isReduced,
    evidence_links: notable.map((metric) => evidenceOf(metric, names)),
    ...(asserts === undefined ? {} : { assert_results: asserts }),
    schema_version: '1.0',
    program: run.program,
    run_start_utc: run.startUtc,
    critical_metrics: [...input.rules].flatMap(([metric, { critical }]) => (critical === true ? [metric] : [])).sort(),
    no_test_metrics: comparison.no_test,
    no_baseline_metrics: comparison.no_baseline,
    metrics_compared: comparison.compared,
    registry_hash: input.registryHash,
    conversions: input.conversions,
    metric_details: names.map((metric) => detailOf(metric, input)),
  }
}

function nextStep(status: RunVerdict): string {
  return {
    FAIL: 'Stop here: look at the metrics that failed before the article is used.',
    NO_TEST: 'Nothing was shown of some metrics: correct what the warnings name, then analyse the run again.',
    NO_METRICS: 'Nothing was measured: check that the run wrote metrics.csv, then analyse it again.',
    NO_BASELINE: 'Nothing was compared: name a run that was good with --baseline, then analyse this one again.',
    PASS_WITH_DRIFT: 'Look at what drifted and decide whether it is expected; a repeated run tells chance from change.',
    PASS: 'Nothing to do.',
  }[status]
}

/** The element of the report in HTML that shows a metric is `metric-N`, N counting `metric_details` from 1. */
function evidenceOf(metric: string, names: readonly string[]): EvidenceLink {
  const at = names.indexOf(metric)
  return {
    metric_name: metric,
    artifact_ref: 'metrics.csv',
    report_ref: at < 0 ? 'drift_report.html' : `drift_report.html#metric-${at + 1}`,
    hint: at < 0 ? 'neither run has a row for it' : 'its row in the run, and its chart in the report',
  }
}

function detailOf(metric: string, { comparison, current, before, rules }: ReportInput): MetricDetail {
  const now = current.get(metric)
  const then = before.get(metric)
  const level = finite(then?.value)
  const rule: MetricRules = rules.get(metric) ?? {}
  const limit = level === null ? null : sampleLimit(level, rule)
  return {
    metric,
    unit: now?.unit ?? then?.unit ?? null,
    verdict: verdictOf(metric, comparison),
    baseline: level,
    current: finite(now?.value),
    low: level === null || limit === null ? null : level - limit,
    high: level === null || limit === null ? null : level + limit,
    samples_baseline: thinned(then?.samples ?? []),
    samples_current: thinned(now?.samples ?? []),
  }
}

function verdictOf(metric: string, comparison: RunComparison): MetricDetail['verdict'] {
  if (comparison.fail.includes(metric)) return 'FAIL'
  if (comparison.no_test.includes(metric)) return 'NO_TEST'
  if (comparison.no_baseline.includes(metric)) return 'NO_BASELINE'
  const drifted = [...comparison.drift, ...comparison.distribution_drifts].some((one) => one.metric === metric)
  return drifted ? 'DRIFT' : 'PASS'
}

function finite(value: number | null | undefined): number | null {
  return value !== null && value !== undefined && Number.isFinite(value) ? value : null
}

/** The least and the greatest sample of every stretch, in their order: a chart must not lose the one spike there was. */
function thinned(samples: readonly number[]): number[] {
  if (samples.length <= CHART_POINTS_MAX) return [...samples]
  const stretch = Math.ceil((2 * samples.length) / CHART_POINTS_MAX)
  const kept: number[] = []
  for (let from = 0; from < samples.length; from += stretch) {
    let [least, greatest] = [from, from]
    for (let k = from; k < Math.min(from + stretch, samples.length); k += 1) {
      if (samples[k]! < samples[least]!) least = k
      if (samples[k]! > samples[greatest]!) greatest = k
    }
    kept.push(samples[Math.min(least, greatest)]!)
    if (least !== greatest) kept.push(samples[Math.max(least, greatest)]!)
  }
  return kept
}
