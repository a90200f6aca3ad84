import { type Html, html, shownNumber } from '../../shared/report/html-text.ts'
import { pageHtml } from '../../shared/report/page-html.ts'
import type { RunVerdict } from '../core/offline/compare-runs.ts'
import type { RequirementOutcome, ScenarioOutcome, ScenarioTrend, TraceRow } from '../core/offline/plan-outcome.ts'
import { VERDICT_WORDS } from './report-html.ts'

/** What came of a plan, as `plan_result.json` has it. */
export type PlanResult = Readonly<{
  plan_id: string
  status: RunVerdict
  ts_utc: string
  hb_version: string
  scenarios: readonly ScenarioOutcome[]
  requirements: readonly RequirementOutcome[]
  trace_matrix: readonly TraceRow[]
}>

/** `plan_report.html`: which requirement is shown by which scenario, with links to the report of each. */
export function planHtml(result: PlanResult, trends: readonly ScenarioTrend[]): string {
  return pageHtml(
    `${result.plan_id}: ${result.status}`,
    html`<h1>Plan ${result.plan_id}</h1>
<p class="verdict ${result.status}">${result.status}</p>
<p>${VERDICT_WORDS[result.status]}</p>
<p class="soft">${result.ts_utc}</p>
${requirements(result)}
<h2>Scenarios</h2>
<table><tr><th>Scenario</th><th>Status</th><th>Assertions</th><th>Run</th><th>Baseline</th><th class="n">Distance</th><th>Trend</th></tr>
${result.scenarios.map((one) => scenarioRow(one, trends))}</table>
<footer>Harmony Bridge ${result.hb_version}. The same as data: <code>plan_result.json</code>, <code>trace_matrix.csv</code>.</footer>`,
  )
}

function requirements({ requirements: all, trace_matrix: matrix }: PlanResult): Html | null {
  if (all.length === 0) return null
  return html`<h2>Requirements</h2><table><tr><th>Requirement</th><th>Status</th><th>Shown by</th></tr>
${all.map(
  ({ requirement_id: id, status }) =>
    html`<tr><td>${id}</td><td class="${status}">${status}</td><td>${matrix
      .filter((row) => row.requirement_id === id)
      .map(
        (row, k) => html`${k === 0 ? '' : ', '}${row.scenario_id} <span class="${row.status}">${row.status}</span>`,
      )}</td></tr>`,
)}</table>`
}

function scenarioRow(one: ScenarioOutcome, trends: readonly ScenarioTrend[]): Html {
  const held = one.assert_results.filter(({ status }) => status === 'PASS').length
  const trend = trends.find(({ scenario_id: id }) => id === one.scenario_id)
  const asserted = one.assert_results.length === 0 ? 'none' : `${held} of ${one.assert_results.length} hold`
  return html`<tr><td>${one.error === null ? html`<a href="results/${one.scenario_id}/drift_report.html">${one.scenario_id}</a>` : one.scenario_id}</td><td class="${one.status}">${one.status}</td><td>${asserted}</td><td>${one.error ?? one.run_id}</td><td>${one.baseline_run_id ?? 'none'} <span class="soft">(${one.baseline_reason})</span></td><td class="n">${shownNumber(Number(one.drift_score.toPrecision(3)))}</td><td>${trend === undefined ? '' : `${trend.trend.replaceAll('_', ' ')} (${trend.runs} runs)`}</td></tr>`
}
