import t from 'tap'
import { seriesChart } from '../../../../agent/offline/report-chart.ts'
import { reportHtml } from '../../../../agent/offline/report-html.ts'
import { html } from '../../../../shared/report/html-text.ts'
import { failedReport, HOSTILE_METRIC } from '../../../support/shown-report.ts'

t.test('a page says what is wrong, why, where to look, and what it rests on', (t) => {
  const page = reportHtml(failedReport())
  for (const said of [
    '<p class="verdict FAIL">FAIL</p>',
    'up by 1.5 ms, 14.7059 %',
    '11.7 against 10.2 ms; limits: ±1 ms or ±10 %',
    'Kolmogorov–Smirnov',
    '2, and it must be exactly 0',
    'first past the limit at sample',
    'it has no usable value, so nothing is known of it',
    'run-3 <span class="soft">(last_pass, match MED: scenario_id)</span>',
    'context mismatch: matched 1/2',
    '880 is not &gt;= 900',
    'none: it went through no quality gate',
    '83 % of the metrics that were expected',
  ])
    t.ok(page.includes(said), said)
  t.equal(page.match(/<svg /g)?.length, 2, 'bars of all metrics, and the samples of the one that has some')
  t.end()
})

t.test('every metric is listed, and every evidence link leads to its place', (t) => {
  const report = failedReport()
  const page = reportHtml(report)
  for (const [k, { metric }] of report.metric_details.entries())
    t.equal(page.split(` id="metric-${k + 1}"`).length, 2, `one place for ${metric}`)
  t.ok(report.evidence_links.length > 2)
  for (const { report_ref: ref } of report.evidence_links) {
    t.match(page, `href="${ref}"`)
    t.match(page, ` id="${ref.split('#')[1]}"`)
  }
  t.end()
})

t.test(
  'nothing in a run is more than text: no script, no picture, no style of its own, nothing from elsewhere',
  (t) => {
    const page = reportHtml({ ...failedReport(), run_id: HOSTILE_METRIC, primary_issue: HOSTILE_METRIC })
    t.notMatch(page, /<script|<img|<link|<iframe|<object|javascript:|https?:|\sstyle=|<[^>]*\son\w+=(?!x onerror)/i)
    t.notMatch(page, /<b>nope/)
    t.match(page, '&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;')
    t.match(page, /http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-[\w+/=]{44}'/)
    t.equal(html`${'a\u202eb'}`.text, 'a\\u202eb', 'and nothing turns the order of a line around')
    t.end()
  },
)

t.test('a chart of a constant channel has room, and one without a band draws none', (t) => {
  const flat = seriesChart({
    metric: 'm',
    unit: 'V',
    verdict: 'PASS',
    current: 5,
    samples_current: [5, 5, 5],
    samples_baseline: [],
    baseline: 5,
    low: null,
    high: null,
  }).text
  t.notMatch(flat, /NaN|Infinity|class="band"|class="before"/)
  t.match(flat, 'class="run"')
  t.end()
})
