import { mkdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Plan, PlanAssertion, PlanScenario } from '../../shared/config/plan.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { worstOf } from '../core/offline/assertions.ts'
import { type Baselines, chooseKnownGood, withPass } from '../core/offline/known-good.ts'
import {
  type HistoryRow,
  requirementOutcomes,
  type ScenarioOutcome,
  traceMatrix,
  trendsOf,
} from '../core/offline/plan-outcome.ts'
import type { DriftReport } from './drift-report.ts'
import { type PlanResult, planHtml } from './plan-html.ts'
import { json, readBaselines, readHistory, writeState, writeText } from './plan-state.ts'
import { reportHtml } from './report-html.ts'

/** Judges one run against one baseline; with null for none. Whatever keeps a run from being read is thrown as HbError. */
export type Judge = (
  asked: Readonly<{ runDir: string; baselineDir: string | null; assertions: readonly PlanAssertion[] | null }>,
) => DriftReport

export type PlanRunning = Readonly<{
  /** Folder from which the paths of the plan start. */
  from: string
  /** Folder of the results; what it remembers of earlier plans is used. */
  out: string
  judge: Judge
  registryHash: string
  /** Assertions of each file that the plan names, by its path in the plan. */
  assertions: ReadonlyMap<string, readonly PlanAssertion[]>
  tsUtc: string
  version: string
}>

/**
 * Judges every scenario and writes all results. A run that cannot be read is NO_TEST and the others are judged all the
 * same; the plan is as good as its worst scenario.
 *
 * @throws HbError PLAN_STATE_SHAPE, DISK_…
 */
export function runPlan(plan: Plan, running: PlanRunning): PlanResult {
  const { out, tsUtc } = running
  mkdirSync(out, { recursive: true })
  let baselines = readBaselines(out)
  const history = readHistory(out)
  const outcomes: ScenarioOutcome[] = []
  for (const scenario of plan.scenarios) {
    const judged = judgeScenario(scenario, baselines, running)
    outcomes.push(judged.outcome)
    baselines = judged.baselines
  }
  const rows = outcomes.map(
    ({ scenario_id, status, drift_score }): HistoryRow => ({
      ts_utc: tsUtc,
      plan_id: plan.plan_id,
      scenario_id,
      status,
      drift_score,
    }),
  )
  const matrix = traceMatrix(plan.requirements, outcomes)
  const result: PlanResult = {
    plan_id: plan.plan_id,
    status: worstOf(outcomes.map(({ status }) => status)),
    ts_utc: tsUtc,
    hb_version: running.version,
    scenarios: outcomes,
    requirements: requirementOutcomes(plan.requirements, matrix),
    trace_matrix: matrix,
  }
  writeResults(out, result, [...history, ...rows])
  writeState(out, baselines, [...history, ...rows])
  return result
}

type Judged = Readonly<{ outcome: ScenarioOutcome; baselines: Baselines }>

function judgeScenario(scenario: PlanScenario, baselines: Baselines, running: PlanRunning): Judged {
  const { from, out, registryHash, tsUtc } = running
  const runDir = resolve(from, scenario.run_artifact_dir)
  const dir = relative(resolve(out), runDir)
  const { baselineDir, reason } = baselineOf(scenario, { baselines, dir, running })
  const assertions = scenario.asserts === undefined ? null : (running.assertions.get(scenario.asserts) ?? null)
  let report: DriftReport
  try {
    const judged = running.judge({ runDir, baselineDir, assertions })
    report = judged.baseline_run_id === null && baselineDir !== null ? judged : { ...judged, baseline_reason: reason }
  } catch (error) {
    if (!isHbError(error)) throw error
    return { outcome: untested(scenario, reason, error.message), baselines }
  }
  const folder = join(out, 'results', scenario.id)
  mkdirSync(folder, { recursive: true })
  writeText(folder, 'drift_report.json', json(report))
  writeText(folder, 'drift_report.html', reportHtml(report))
  const outcome = outcomeOf(scenario, report)
  const { baseline_key: key } = scenario
  if (key === undefined || outcome.status !== 'PASS') return { outcome, baselines }
  const good = { run_id: report.run_id, dir, registry_hash: registryHash, ts_utc: tsUtc }
  return { outcome, baselines: withPass(baselines, key, { good, asGolden: scenario.set_golden }) }
}

type Choosing = Readonly<{ baselines: Baselines; dir: string; running: PlanRunning }>

function baselineOf(
  scenario: PlanScenario,
  { baselines, dir, running }: Choosing,
): Readonly<{ baselineDir: string | null; reason: string }> {
  const { baseline_mode: mode, baseline_key: key = '', baseline_artifact_dir: explicit } = scenario
  if (mode === 'explicit') return { baselineDir: resolve(running.from, explicit!), reason: 'explicit' }
  const { good, reason } = chooseKnownGood(baselines, { key, mode, dir, registryHash: running.registryHash })
  return { baselineDir: good === null ? null : resolve(running.out, good.dir), reason }
}

function outcomeOf({ id }: PlanScenario, report: DriftReport): ScenarioOutcome {
  const [first] = report.drift_attribution.top_drivers
  const scores = report.drift_attribution.top_drivers.map(({ drift_score: score }) => score)
  return {
    scenario_id: id,
    status: report.status,
    assert_results: report.assert_results ?? [],
    drift_score: first === undefined ? 0 : Math.max(...scores),
    run_id: report.run_id,
    baseline_run_id: report.baseline_run_id,
    baseline_reason: report.baseline_reason,
    error: null,
  }
}

function untested({ id }: PlanScenario, reason: string, error: string): ScenarioOutcome {
  const nothing = { assert_results: [], drift_score: 0, run_id: '', baseline_run_id: null }
  return { scenario_id: id, status: 'NO_TEST', ...nothing, baseline_reason: reason, error }
}

function writeResults(out: string, result: PlanResult, history: readonly HistoryRow[]): void {
  const trends = trendsOf(history, result.plan_id)
  writeText(out, 'plan_result.json', json(result))
  writeText(out, 'plan_report.html', planHtml(result, trends))
  writeText(out, 'trace_matrix.json', json(result.trace_matrix))
  const rows = result.trace_matrix.map((row) => `${row.requirement_id},${row.scenario_id},${row.status}\n`)
  writeText(out, 'trace_matrix.csv', `requirement_id,scenario_id,status\n${rows.join('')}`)
  writeText(out, 'trend.json', json({ plan_id: result.plan_id, scenarios: trends }))
}
