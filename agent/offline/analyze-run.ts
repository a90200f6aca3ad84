import type { LoadedOfflineRegistry } from '../../shared/config/offline-registry.ts'
import { CONTEXT_FIELDS, type SelectedBaseline, selectBaseline } from '../../shared/model/baseline-selection.ts'
import { readCode } from '../code-identity.ts'
import type { Assertion } from '../core/offline/assertions.ts'
import { checkAssertions, worstOf } from '../core/offline/assertions.ts'
import type { Attribution } from '../core/offline/attribution.ts'
import { compareRuns, type RunVerdict } from '../core/offline/compare-runs.ts'
import { correlate } from '../core/offline/correlation.ts'
import { coverageOf, type MissingData, weighCoverage } from '../core/offline/missing-data.ts'
import type { RunMetric } from '../core/offline/run-metric.ts'
import { type Canonical, canonicalMetrics, metricOfColumn } from '../core/offline/run-units.ts'
import { saidOf } from './choose-baseline.ts'
import { type BaselineFacts, buildReport, type DriftReport } from './drift-report.ts'
import type { RunFolder } from './run-folder.ts'
import { type RunRegistry, registryFor } from './run-registry.ts'

export type AnalyzeInput = Readonly<{
  run: RunFolder
  baseline: RunFolder | null
  /** How the baseline was chosen among runs; left out where it was named outright. */
  selected?: SelectedBaseline | null
  /** What came up before, in words. */
  warnings?: readonly string[]
  /** Null: nothing can be judged, and the verdict is never a pass. */
  registry: LoadedOfflineRegistry | null
  missingData?: MissingData
  distribution?: boolean
  assertions?: readonly Assertion[]
  top?: number
}>

const TOP = 5
const NO_RUN: Canonical = { metrics: new Map(), warnings: [], conversions: [] }

/** Holds the run of a folder against that of another, and says all of it as a report. Writes nothing. */
export function analyzeRun(input: AnalyzeInput): DriftReport {
  const { run, assertions } = input
  const registry = input.registry === null ? null : registryFor(input.registry, run.meta)
  const facts = baselineFacts(input, registry?.hash ?? '')
  const baseline = facts.baseline_run_id === null ? null : input.baseline
  const current = inCanonical(run, registry)
  const before = baseline === null ? NO_RUN : inCanonical(baseline, registry)
  const rules = registry?.rules ?? new Map()
  const compared = compareRuns(current.metrics, before.metrics, { rules, distribution: input.distribution ?? true })
  const comparison = { ...compared, top_drivers: withCorrelations(compared.top_drivers, run, registry) }
  const coverage = coverageOf(current.metrics, before.metrics, rules)
  const weighed = weighCoverage(comparison.status, coverage, input.missingData)
  const asserts = assertions === undefined ? undefined : checkAssertions(current.metrics, assertions)
  const verdicts: RunVerdict[] = [
    weighed.status,
    // Without a registry nothing was judged, so that nothing passed; what is worse stays.
    ...(registry === null && weighed.status.startsWith('PASS') ? (['NO_TEST'] as const) : []),
    ...(asserts ?? []).map(({ status }) => status),
  ]
  return buildReport({
    comparison,
    status: worstOf(verdicts),
    run: {
      runId: run.meta.run_id,
      correlationId: orNull(run.meta.correlation_id),
      sourceType: run.meta.source_system || 'run_folder',
      program: orNull(run.meta.program),
      startUtc: orNull(run.meta.start_utc),
    },
    baseline: facts,
    current: current.metrics,
    before: before.metrics,
    rules,
    coverage: weighed,
    warnings: [
      ...(registry === null
        ? ['no metric registry: nothing has a rule to be judged by; name one with --registry']
        : []),
      ...(input.warnings ?? []),
      ...run.warnings,
      ...current.warnings,
      ...[...(baseline?.warnings ?? []), ...before.warnings].map((warning) => `baseline: ${warning}`),
      ...(facts.baseline_warning === null ? [] : [facts.baseline_warning]),
    ],
    conversions: current.conversions,
    registryHash: registry?.hash ?? null,
    version: readCode().version,
    top: input.top ?? TOP,
    ...(asserts === undefined ? {} : { asserts }),
  })
}

function orNull(text: string): string | null {
  return text === '' ? null : text
}

/** Metrics in the names and units of the registry; samples of `signals.csv` stand in where a row keeps none. */
function inCanonical(run: RunFolder, registry: RunRegistry | null): Canonical {
  const raw = new Map(
    [...run.metrics].map(([name, metric]) => [name, withSignal(metric, run.signals.get(name))] as const),
  )
  if (registry === null) return { metrics: raw, warnings: [], conversions: [] }
  return canonicalMetrics(raw, registry.naming)
}

/** What else moved in `signals.csv` while the metrics that stand out were recorded. */
function withCorrelations(
  drivers: readonly Attribution[],
  { signals }: RunFolder,
  registry: RunRegistry | null,
): readonly Attribution[] {
  const naming = registry?.naming ?? new Map<string, never>()
  const columns = new Map([...signals.keys()].map((name) => [metricOfColumn(name, naming) ?? name, name] as const))
  return drivers.map((driver) => {
    const own = columns.get(driver.metric_name)
    return own === undefined ? driver : { ...driver, ...correlate(own, signals) }
  })
}

function withSignal(metric: RunMetric, signal: readonly number[] | undefined): RunMetric {
  if (signal === undefined || metric.samples.length > 0 || metric.invalidSamples > 0) return metric
  const samples = signal.filter((value) => Number.isFinite(value))
  return { ...metric, samples, invalidSamples: signal.length - samples.length }
}

const NO_BASELINE: BaselineFacts = {
  baseline_run_id: null,
  baseline_reason: 'none',
  baseline_warning: null,
  baseline_match_level: 'NONE',
  baseline_match_fields: [],
  baseline_match_score: 0,
  baseline_match_possible: 0,
}

/** Whether the baseline that was named may be one, and how well it fits. A run is never its own. */
function baselineFacts({ run, baseline, selected = null }: AnalyzeInput, registryHash: string): BaselineFacts {
  if (selected !== null) return factsOf(selected)
  if (baseline === null) return NO_BASELINE
  const { run_id: runId } = baseline.meta
  const found = selectBaseline({
    run: saidOf(run.meta),
    candidates: [{ ...saidOf(baseline.meta), run_id: runId, status: '' }],
    tags: [],
    policy: { strategy: 'explicit', run_id: runId },
    registryHash,
  })
  const matched = CONTEXT_FIELDS.filter((field) => run.meta[field] !== '' && run.meta[field] === baseline.meta[field])
  const possible = CONTEXT_FIELDS.filter((field) => run.meta[field] !== '').length
  const context = matched.length < possible ? `context mismatch: matched ${matched.length}/${possible}` : null
  return {
    baseline_run_id: found.usable ? found.baseline_run_id : null,
    baseline_reason: found.reason,
    baseline_warning: found.warning ?? context,
    baseline_match_level: found.match.level,
    baseline_match_fields: matched,
    baseline_match_score: possible === 0 ? 0 : matched.length / possible,
    baseline_match_possible: possible,
  }
}

function factsOf({ baseline_run_id: runId, reason, warning, match, usable }: SelectedBaseline): BaselineFacts {
  return {
    baseline_run_id: usable ? runId : null,
    baseline_reason: reason,
    baseline_warning: warning,
    baseline_match_level: match.level,
    baseline_match_fields: match.matched_fields,
    baseline_match_score: match.ratio,
    baseline_match_possible: match.possible,
  }
}
