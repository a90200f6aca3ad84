import { type AssertResult, worstOf } from './assertions.ts'
import type { RunVerdict } from './compare-runs.ts'

/** What came of one scenario. */
export type ScenarioOutcome = Readonly<{
  scenario_id: string
  /** The worst of comparison and assertions: neither can make up for the other. */
  status: RunVerdict
  assert_results: readonly AssertResult[]
  /** Largest distance of any metric from its baseline, in limits. */
  drift_score: number
  run_id: string
  baseline_run_id: string | null
  baseline_reason: string
  /** Why the run could not be read; null when it was. */
  error: string | null
}>

/** One row of the trace matrix: a requirement and a scenario that is to show it. */
export type TraceRow = Readonly<{ requirement_id: string; scenario_id: string; status: RunVerdict }>

export type RequirementOutcome = Readonly<{ requirement_id: string; scenarios: readonly string[]; status: RunVerdict }>

type Requirement = Readonly<{ id: string; scenarios: readonly string[] }>

/** Which requirement is shown by which scenario, and how that went. A scenario that has no outcome was not tested. */
export function traceMatrix(requirements: readonly Requirement[], outcomes: readonly ScenarioOutcome[]): TraceRow[] {
  const byId = new Map(outcomes.map((outcome) => [outcome.scenario_id, outcome.status]))
  return requirements.flatMap(({ id, scenarios }) =>
    scenarios.map((scenario) => ({
      requirement_id: id,
      scenario_id: scenario,
      status: byId.get(scenario) ?? ('NO_TEST' as const),
    })),
  )
}

/** A requirement holds as far as the worst of its scenarios. */
export function requirementOutcomes(
  requirements: readonly Requirement[],
  matrix: readonly TraceRow[],
): RequirementOutcome[] {
  return requirements.map(({ id, scenarios }) => ({
    requirement_id: id,
    scenarios,
    status: worstOf(matrix.filter((row) => row.requirement_id === id).map(({ status }) => status)),
  }))
}

/** A row of `plan_history.jsonl`. */
export type HistoryRow = Readonly<{
  ts_utc: string
  plan_id: string
  scenario_id: string
  status: string
  drift_score: number
}>

export type ScenarioTrend = Readonly<{
  scenario_id: string
  runs: number
  trend: 'improving' | 'stable' | 'degrading' | 'too_few_runs'
  statuses: readonly string[]
  drift_scores: readonly number[]
}>

/** Runs of a scenario that its trend looks at. */
const TREND_RUNS = 10
const TREND_RUNS_MIN = 4
/** A change of the mean distance that counts, in limits. */
const TREND_STEP = 0.1

/** How the distance of each scenario from its baseline went: the newer half of its last runs against the older. */
export function trendsOf(history: readonly HistoryRow[], planId: string): ScenarioTrend[] {
  const rows = history.filter((row) => row.plan_id === planId)
  const ids = [...new Set(rows.map((row) => row.scenario_id))].sort((a, b) => (a < b ? -1 : 1))
  return ids.map((id) => {
    const last = rows.filter((row) => row.scenario_id === id).slice(-TREND_RUNS)
    const scores = last.map((row) => row.drift_score)
    const half = Math.floor(scores.length / 2)
    const step = mean(scores.slice(-half)) - mean(scores.slice(0, half))
    const trend =
      scores.length < TREND_RUNS_MIN
        ? 'too_few_runs'
        : step > TREND_STEP
          ? 'degrading'
          : step < -TREND_STEP
            ? 'improving'
            : 'stable'
    return {
      scenario_id: id,
      runs: rows.filter((row) => row.scenario_id === id).length,
      trend,
      statuses: last.map((row) => row.status),
      drift_scores: scores,
    }
  })
}

function mean(values: readonly number[]): number {
  let sum = 0
  for (const value of values) sum += value
  return values.length === 0 ? 0 : sum / values.length
}
