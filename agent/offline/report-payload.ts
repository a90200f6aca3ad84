import type { AssertResult } from '../core/offline/assertions.ts'
import type { Attribution } from '../core/offline/attribution.ts'
import type { DistributionDrift, DriftRecord, InvariantViolation, RunVerdict } from '../core/offline/compare-runs.ts'

export type InvestigationHint = Readonly<{
  metric: string
  pinpoint: string
  suggested_actions: readonly string[]
  root_cause_category: string
  root_cause_label: string
}>

export type EvidenceLink = Readonly<{ metric_name: string; artifact_ref: string; report_ref: string; hint: string }>

/** What a page shows of a `drift_report.json`; the file has more. */
export type ShownReport = Readonly<{
  run_id: string
  status: RunVerdict
  baseline_run_id: string | null
  baseline_reason: string
  baseline_warning: string | null
  baseline_match_level: string
  baseline_match_fields: readonly string[]
  baseline_confidence: number
  hb_version: string
  drift_metrics: readonly DriftRecord[]
  distribution_drifts: readonly DistributionDrift[]
  drift_attribution: Readonly<{ top_drivers: readonly Attribution[] }>
  fail_metrics: readonly string[]
  invariant_violations: readonly InvariantViolation[]
  warnings: readonly string[]
  investigation_hints: readonly InvestigationHint[]
  evidence_links: readonly EvidenceLink[]
  what_to_do_next: string
  primary_issue: string | null
  data_coverage: number
  assert_results?: readonly AssertResult[]
}>

/** Samples of a metric beside the band its baseline allows; all in `unit`. */
export type ReportSeries = Readonly<{
  metric: string
  unit: string | null
  samples: readonly number[]
  baseline: number | null
  /** Where drift begins, below and above; null where no rule says. */
  low: number | null
  high: number | null
}>
