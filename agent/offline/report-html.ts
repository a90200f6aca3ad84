import { type Html, html, shownNumber } from '../../shared/report/html-text.ts'
import { pageHtml } from '../../shared/report/page-html.ts'
import type { Attribution } from '../core/offline/attribution.ts'
import type { DriftReport, MetricDetail } from './drift-report.ts'
import { barChart, seriesChart } from './report-chart.ts'

/** What a verdict means, for somebody who has not read the manual. */
export const VERDICT_WORDS: Readonly<Record<DriftReport['status'], string>> = {
  PASS: 'Within every limit and like its baseline.',
  PASS_WITH_DRIFT: 'Within every limit, but not like its baseline.',
  FAIL: 'A limit does not hold.',
  NO_TEST: 'Something that had to be measured was not: nothing is known, and nothing is passed.',
  NO_BASELINE: 'There is nothing to compare it with: that is no pass.',
  NO_METRICS: 'Nothing was measured.',
}

/** `drift_report.html`: the report as a page that is one file, with charts and without scripts. */
export function reportHtml(report: DriftReport): string {
  const drivers = report.drift_attribution.top_drivers
  return pageHtml(
    `${report.run_id}: ${report.status}`,
    html`${head(report)}
${drivers.length === 0 ? null : html`<h2>Distance from baseline</h2><p class="soft">In limits of each metric; the dashed line is the limit.</p>${barChart(drivers.map(barOf))}`}
${why(report)}
${asserted(report)}
${warned(report)}
${hints(report)}
${links(report)}
${everyMetric(report)}
<footer>Harmony Bridge ${report.hb_version}. The same as data: <code>drift_report.json</code>.</footer>`,
  )
}

function head(report: DriftReport): Html {
  const { baseline_match_fields: fields } = report
  return html`<h1>Run ${report.run_id}</h1>
<p class="verdict ${report.status}">${report.status}</p>
<p>${VERDICT_WORDS[report.status]}${report.primary_issue === null ? null : html` <strong>${report.primary_issue}</strong>`}</p>
<p>${report.what_to_do_next}</p>
<table>
<tr><th>Baseline</th><td>${report.baseline_run_id ?? 'none'} <span class="soft">(${report.baseline_reason}, match ${report.baseline_match_level}${fields.length === 0 ? '' : `: ${fields.join(', ')}`})</span></td></tr>
${report.baseline_warning === null ? null : html`<tr><th>Warning</th><td>${report.baseline_warning}</td></tr>`}
<tr><th>Confidence in it</th><td>${report.baseline_confidence === null ? 'none: it went through no quality gate' : shownNumber(report.baseline_confidence)}</td></tr>
<tr><th>Data</th><td>${Math.floor(report.data_coverage * 100)} % of the metrics that were expected</td></tr>
</table>`
}

function barOf({ metric_name, drift_score, failed }: Attribution): Parameters<typeof barChart>[0][number] {
  const times = `${shownNumber(Number(drift_score.toPrecision(3)))}×`
  const text = !failed ? times : drift_score === 0 ? 'a limit does not hold' : `${times}, and a limit does not hold`
  return { name: metric_name, value: drift_score, mark: failed ? 'FAIL' : 'DRIFT', text }
}

function why(report: DriftReport): Html | null {
  const explained = new Map(report.drift_attribution.top_drivers.map((driver) => [driver.metric_name, driver]))
  const alone = [...report.fail_metrics, ...report.no_test_metrics, ...report.no_baseline_metrics].filter(
    (metric) => !explained.has(metric),
  )
  if (explained.size + alone.length === 0) return null
  return html`<h2>Why flagged</h2>
${[...explained.values()].map((driver) => whyOne(driver, report))}
${[...new Set(alone)].map((metric) => html`${headOf(metric, report)}<ul>${violationOf(metric, report)}${unknownOf(metric, report)}</ul>`)}`
}

/** The heading of a metric, at the anchor that evidence links point to. */
function headOf(metric: string, { metric_details: details }: DriftReport): Html {
  const at = details.findIndex((one) => one.metric === metric)
  const verdict = details[at]?.verdict ?? 'FAIL'
  return html`<h3 id="metric-${at + 1}">${metric} <span class="${verdict === 'DRIFT' ? 'PASS_WITH_DRIFT' : verdict}">${verdict}</span></h3>`
}

function unknownOf(metric: string, report: DriftReport): Html | null {
  if (report.no_test_metrics.includes(metric)) return html`<li>it has no usable value, so nothing is known of it</li>`
  return report.no_baseline_metrics.includes(metric) ? html`<li>its baseline has no value for it</li>` : null
}

function whyOne(driver: Attribution, report: DriftReport): Html {
  const { metric_name: metric, onset, effect_size: effect } = driver
  const own = report.metric_details.find((one) => one.metric === metric)
  const drift = report.drift_metrics.find((one) => one.metric === metric)
  const ks = report.distribution_drifts.find((one) => one.metric === metric)
  const unit = own?.unit ?? drift?.unit ?? ''
  const spreads = effect.zscore === null ? '' : `, ${shownNumber(effect.zscore)} spreads`
  const percent = effect.percent === null ? '' : `, ${shownNumber(effect.percent)} %`
  return html`${headOf(metric, report)}
${own === undefined ? null : chartOf(own)}
<ul>
<li>${driver.direction} by ${shownNumber(Math.abs(effect.delta))} ${unit}${percent}${spreads}</li>
${drift === undefined ? null : html`<li>${shownNumber(drift.current)} against ${shownNumber(drift.baseline)} ${unit}; limits: ${limitsOf(driver, unit)}</li>`}
${ks === undefined ? null : html`<li>its samples are distributed otherwise: Kolmogorov–Smirnov ${shownNumber(ks.statistic)}, limit ${shownNumber(ks.threshold)}, by chance at most ${shownNumber(ks.critical_value)} (${ks.sample_count_current} and ${ks.sample_count_baseline} samples)</li>`}
${violationOf(metric, report)}
${onset === null || onset.first_exceed_index === null ? null : html`<li>first past the limit at sample ${onset.first_exceed_index}${onset.sustained_index === null ? ', never for long' : `, lasting from sample ${onset.sustained_index}`}</li>`}
<li class="soft">rules: ${driver.decision_basis.join(', ')}; confidence by number of samples: ${driver.confidence}</li>
${correlations(driver)}
</ul>`
}

/** Of the run and its baseline where samples were kept; a single value is said and not drawn. */
function chartOf(detail: MetricDetail): Html | null {
  return detail.samples_current.length < 2 ? null : seriesChart(detail)
}

function limitsOf({ drift_threshold: absolute, drift_percent: share }: Attribution, unit: string): string {
  const limits = [
    ...(absolute === null ? [] : [`±${shownNumber(absolute)} ${unit}`.trim()]),
    ...(share === null ? [] : [`±${shownNumber(share)} %`]),
  ]
  return limits.length === 0 ? 'none' : limits.join(' or ')
}

function violationOf(metric: string, report: DriftReport): Html[] {
  const broken = report.invariant_violations.filter((one) => one.metric === metric)
  if (broken.length === 0)
    return report.fail_metrics.includes(metric) ? [html`<li>its fail limit does not hold, or it is missing</li>`] : []
  return broken.map(({ current, invariant_eq: eq, invariant_min: min, invariant_max: max }) => {
    const wanted = [
      ...(eq === null ? [] : [`exactly ${shownNumber(eq)}`]),
      ...(min === null ? [] : [`at least ${shownNumber(min)}`]),
      ...(max === null ? [] : [`at most ${shownNumber(max)}`]),
    ]
    return html`<li>${shownNumber(current)}, and it must be ${wanted.join(' and ')}</li>`
  })
}

function correlations(driver: Attribution): Html | null {
  const found = driver.raw_feature_correlations
  if (found === null || found.length === 0) return null
  return html`<li>moves with ${found.map(({ feature, corr }) => `${feature} (${shownNumber(Number(corr.toFixed(2)))})`).join(', ')}; that one causes the other is not said</li>`
}

function asserted({ assert_results: results = [] }: DriftReport): Html | null {
  if (results.length === 0) return null
  return html`<h2>Assertions</h2><table><tr><th>Assertion</th><th>Metric</th><th>Result</th><th>Why</th></tr>
${results.map((r) => html`<tr><td>${r.id}</td><td>${r.metric}</td><td class="${r.status}">${r.status}</td><td>${r.reason}</td></tr>`)}</table>`
}

function warned({ warnings }: DriftReport): Html | null {
  if (warnings.length === 0) return null
  return html`<h2>What to know</h2><ul>${warnings.map((warning) => html`<li>${warning}</li>`)}</ul>`
}

function hints({ investigation_hints: all }: DriftReport): Html | null {
  if (all.length === 0) return null
  return html`<h2>Where to look</h2>${all.map(
    (hint) =>
      html`<h3>${hint.metric}</h3><p>${hint.pinpoint} <span class="soft">(${hint.root_cause_label})</span></p><ul>${hint.suggested_actions.map((action) => html`<li>${action}</li>`)}</ul>`,
  )}`
}

function links({ evidence_links: all }: DriftReport): Html | null {
  if (all.length === 0) return null
  return html`<h2>Evidence</h2><table><tr><th>Metric</th><th>Data</th><th>Report</th><th>What is there</th></tr>
${all.map((link) => html`<tr><td>${link.metric_name}</td><td><code>${link.artifact_ref}</code></td><td><a href="${link.report_ref}">${link.report_ref}</a></td><td>${link.hint}</td></tr>`)}</table>`
}

function everyMetric({ metric_details: details }: DriftReport): Html | null {
  if (details.length === 0) return null
  return html`<h2>Every metric</h2><table><tr><th>Metric</th><th>Verdict</th><th class="n">Run</th><th class="n">Baseline</th><th class="n">From</th><th class="n">To</th><th>Unit</th></tr>
${details.map(
  (one, k) =>
    html`<tr><td>${one.verdict === 'PASS' ? html`<span id="metric-${k + 1}">${one.metric}</span>` : html`<a href="#metric-${k + 1}">${one.metric}</a>`}</td><td class="${one.verdict === 'DRIFT' ? 'PASS_WITH_DRIFT' : one.verdict}">${one.verdict}</td><td class="n">${shownNumber(one.current)}</td><td class="n">${shownNumber(one.baseline)}</td><td class="n">${shownNumber(one.low)}</td><td class="n">${shownNumber(one.high)}</td><td>${one.unit}</td></tr>`,
)}</table>`
}
