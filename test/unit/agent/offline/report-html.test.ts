import t from 'tap'
import { html } from '../../../../agent/offline/html-text.ts'
import { POINTS_MAX, seriesChart } from '../../../../agent/offline/report-chart.ts'
import { reportHtml } from '../../../../agent/offline/report-html.ts'
import { failedReport, HOSTILE_METRIC } from '../../../support/shown-report.ts'

t.test('a page says what is wrong, why, where to look, and what it rests on', (t) => {
  const { report, series } = failedReport()
  const page = reportHtml(report, series)
  for (const said of [
    'reset_count is 2 and must be 0.',
    'Do not go on. Start with reset_count.',
    'up by 1.5 ms, 14.7059 %',
    '11.7 against 10.2 ms; limits: ±1 ms or ±10 %',
    'Kolmogorov–Smirnov',
    '2, and it must be exactly 0',
    'first past the limit at sample',
    'Look at the supply voltage.',
    'run-3 <span class="soft">(last_pass, match MED: scenario_id)</span>',
    'context mismatch: matched 1/2',
    '880 is not &gt;= 900',
    'drift_report.json#/fail_metrics',
  ])
    t.ok(page.includes(said), said)
  t.equal(page.match(/<svg /g)?.length, 2, 'bars of all metrics, and the samples of the one that has some')
  t.end()
})

t.test(
  'nothing in a run is more than text: no script, no picture, no style of its own, nothing from elsewhere',
  (t) => {
    const { report, series } = failedReport()
    const page = reportHtml({ ...report, run_id: HOSTILE_METRIC, primary_issue: HOSTILE_METRIC }, [
      ...series,
      { metric: HOSTILE_METRIC, unit: HOSTILE_METRIC, samples: [1, 2, 3], baseline: 1, low: null, high: null },
    ])
    t.notMatch(page, /<script|<img|<link|<iframe|<object|javascript:|https?:|\sstyle=|\son\w+="/i)
    t.notMatch(page, /<b>nope/)
    t.match(page, '&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;')
    t.match(page, /http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-[\w+/=]{44}'/)
    t.equal(html`${'a\u202eb'}`.text, 'a\\u202eb', 'and nothing turns the order of a line around')
    t.end()
  },
)

t.test('a long recording is thinned, and its one spike is still drawn', (t) => {
  const samples = Array.from({ length: 50_000 }, (_, k) => (k === 31_337 ? 99 : 1))
  const chart = seriesChart({ metric: 'm', unit: null, samples, baseline: 1, low: 0.5, high: 1.5 }).text
  const points = /points="([^"]*)"/.exec(chart)?.[1]?.split(' ') ?? []
  t.ok(points.length > 100 && points.length <= POINTS_MAX + 1, `${points.length} points`)
  const highest = Math.min(...points.map((point) => Number(point.split(',')[1])))
  t.ok(highest < 25, 'the spike is at the top')
  t.end()
})

t.test('a chart of a constant channel has room, and one without a band draws none', (t) => {
  const flat = seriesChart({ metric: 'm', unit: 'V', samples: [5, 5, 5], baseline: 5, low: null, high: null }).text
  t.notMatch(flat, /NaN|Infinity|class="band"/)
  t.end()
})
