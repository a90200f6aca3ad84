import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { CampaignResult } from '../../../../hil-testbed/core/result.ts'
import { campaignHtml, PAGE_CHARS_MAX, writeHtml } from '../../../../hil-testbed/report/campaign-html.ts'
import { campaignExit } from '../../../../hil-testbed/report/quarantine.ts'
import { readRunSeries } from '../../../../hil-testbed/report/run-series.ts'
import { PLOT_COLUMNS, ThinnedSeries } from '../../../../hil-testbed/report/thinned-series.ts'
import { lanesOf } from '../../../../hil-testbed/report/timeline.ts'
import { campaignOf, caseOf, faultOf, measuresOf, outcomeOf } from '../../../support/campaigns.ts'
import { HOSTILE_NAME, RUN_LANES, writeRunFolder } from '../../../support/hil-report-folder.ts'

/** What of a page a browser would load, run or refuse, and what a screen reader would miss. */
function soundPage(t: Test, page: string): void {
  const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!
  const hash = createHash('sha256').update(style).digest('base64')
  t.match(page, `content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'"`)
  t.notMatch(page, /<script|<img|<link|<iframe|\son[a-z]+="|\sstyle="|javascript:|@import|url\(/i)
  const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id)
  t.equal(new Set(ids).size, ids.length, 'ids are unique')
  for (const [, reference] of page.matchAll(/\s(?:href|src)="([^"]*)"/g))
    t.ok(reference!.startsWith('#') && ids.includes(reference!.slice(1)), `${reference} is on the page`)
  const levels = [...page.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level))
  t.equal(levels.filter((level) => level === 1).length, 1)
  t.ok(
    levels.every((level, k) => level <= (levels[k - 1] ?? 0) + 1),
    'no level of headings is left out',
  )
  for (const [heading] of page.matchAll(/<th\b[^>]*>/g)) t.match(heading, / scope="(col|row)"/)
  for (const [picture] of page.matchAll(/<svg\b[^>]*>/g)) t.match(picture, /role="img".* aria-label="[^"]+"/)
  t.match(page, /<html lang="en">/)
}

const FAILED = caseOf({
  ...{ id: 'SCN-ACT-002', title: HOSTILE_NAME, verdict: 'FAIL', reason: HOSTILE_NAME, folder: 'run', lanes: RUN_LANES },
  outcomes: [
    outcomeOf({ text: 'it was met' }),
    outcomeOf({ text: HOSTILE_NAME, is: 'missed', observed: '<b>11.2</b>' }),
  ],
  measures: measuresOf({ fhti_us: 2_900_000 }),
  log_tail: ['</pre><script>last words</script>'],
})

function sample(change: Partial<CampaignResult> = {}): CampaignResult {
  return campaignOf([caseOf(), caseOf({ row: 1, params: { seed: 2 }, verdict: 'MARGINAL' }), FAILED], change)
}

t.test('a page needs nothing from elsewhere, shows any text as text, and can be read by a machine', (t) => {
  const folder = t.testdir({})
  writeRunFolder(folder, 'run')
  const page = campaignHtml(sample(), { folder, against: campaignOf([caseOf({ id: HOSTILE_NAME })]) })
  soundPage(t, page)
  t.match(page, 'p&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;&lt;img src=x onerror=alert(2)&gt;')
  soundPage(t, campaignHtml(campaignOf([]), { folder }))
  soundPage(t, campaignHtml(sample({ complete: false }), { folder: join(folder, 'gone') }))
  const file = join(folder, 'out', 'report.html')
  writeHtml(sample(), { folder, file })
  t.equal(readFileSync(file, 'utf8'), campaignHtml(sample(), { folder }))
  t.end()
})

t.test('what failed is first and open, what was missed before what was met, and the rest is folded', (t) => {
  const page = campaignHtml(sample(), { folder: '' })
  const at = (text: string | RegExp): number => page.search(text)
  t.ok(at(/<section class="case bad" id="case-3"/) < at(/<section class="case" id="case-1"><details>/))
  t.ok(at(/11\.2/) < at(/it was met/))
  t.match(page, /<p class="verdict FAIL">FAIL<\/p>/)
  t.match(page, /hb hil run scenarios\/over-pressure\.yaml --seed 7 --only seed=2/)
  t.match(page, /SCN-ACT-002: |2900 of 2500 ms \(116 %\)/)
  t.match(
    page,
    /<th scope="row">sensor\.stuck_at<\/th><td class="n">3<\/td><td class="n">3<\/td><td class="n">3<\/td><td class="n">100 %<\/td><td class="n">44 % to 100 %/,
  )
  t.match(page, /<th scope="row">REQ-ACT-001<\/th>/)
  const cases = [caseOf({ verdict: 'PASS' }), caseOf({ id: 'SCN-B-001', verdict: 'SKIPPED', reason: 'no broker' })]
  t.match(campaignHtml(campaignOf(cases), { folder: '' }), /<p class="verdict PASS">PASS/)
  t.match(campaignHtml(campaignOf([]), { folder: '' }), /<p class="verdict NO_TEST">NOT SHOWN/)
  const entry = { scenario: FAILED.id, reason: 'issue 9', owner: 'alice', expires: '2026-02-01' }
  const borne = campaignHtml(sample(), { folder: '', standing: campaignExit(sample(), [entry], '2026-01-01') })
  t.match(borne, /<p class="verdict PASS">PASS/)
  t.match(borne, /In quarantine until 2026-02-01, alice sees to it: issue 9/)
  t.end()
})

t.test('a plot has the plant, what was told, and lanes of faults, verdicts, alarms and actions on one axis', (t) => {
  const folder = t.testdir({})
  writeRunFolder(folder, 'run')
  const page = campaignHtml(campaignOf([FAILED]), { folder })
  const plot = /<svg role="img" class="timeline"[^>]*SCN-ACT-002[\s\S]*?<\/svg>/.exec(page)![0]
  for (const name of ['p_bar', 'flow_lps', 'fault F1', 'alarm pressure-high', 'action shutdown relief', 'hazard_onset'])
    t.match(plot, name)
  t.match(plot, /harm: 10</)
  t.match(plot, /reaches 77</, 'one wild reading does not press the plant flat, and is told')
  t.equal([...plot.matchAll(/class="truth"/g)].length, 2)
  t.match(page, /<td>alice, bob<\/td><td>order arm: armed/)
  t.match(page, /<td>oracle<\/td><td>missed: /)
  const series = readRunSeries(join(folder, 'run'), 40_000_000)
  const lanes = lanesOf(FAILED, series.events)
  t.match(
    lanes.map(({ label, spans }) => [label, spans.map(({ fromUs, toUs, text }) => [fromUs, toUs, text])]),
    [
      ['fault F1', [[5_000_000, 9_000_000, 'sensor.stuck_at on p1']]],
      [
        'verdict',
        [
          [0, 8_150_000, 'PASS'],
          [8_150_000, 40_000_000, 'FAIL'],
        ],
      ],
      [`verdict ${HOSTILE_NAME}`, [[5_200_000, 40_000_000, 'DRIFT']]],
      ['alarm pressure-high', [[8_200_000, 15_000_000, 'CRITICAL']]],
      ['action shutdown relief', [[9_200_000, 40_000_000, 'VERIFIED']]],
      ['agent', [[25_000_000, 27_000_000, 'paused']]],
    ],
  )
  t.end()
})

t.test('a plot of any length keeps the one spike there was', (t) => {
  const folder = t.testdir({})
  writeRunFolder(folder, 'run')
  const { telemetry, truth } = readRunSeries(join(folder, 'run'), 40_000_000)
  t.match(telemetry.get(HOSTILE_NAME), { greatest: 77, count: 8001 })
  t.ok([...telemetry.get(HOSTILE_NAME)!.columns()].some((column) => column[3] === 77))
  t.equal([...truth.get('p_bar')!.columns()].length, PLOT_COLUMNS)
  const series = new ThinnedSeries(1000)
  for (const [us, value] of [
    [-5, 1],
    [0, 3],
    [1, 2],
    [999, 8],
    [5000, Number.NaN],
    [5000, 9],
  ] as const)
    series.add(us, value)
  t.same(
    [...series.columns()].map(([, ...values]) => values),
    [
      [1, 1, 3, 2],
      [8, 8, 9, 9],
    ],
  )
  t.match(series, { notFinite: 1, count: 5 })
  t.end()
})

t.test('a run that is damaged or gone is told, and the report is written all the same', (t) => {
  const folder = t.testdir({
    run: {
      'truth.csv': 't_us,p\n0,1\nx,\n5,two\ntruncated\n',
      'events.jsonl': '{"t_us":1,"kind":"mark","name":"m"}\n{broken\n[]\nnull\n',
      'row.json': '{',
    },
  })
  const { notes, truth, events, rig } = readRunSeries(join(folder, 'run'), 10)
  t.same(notes, ['truth.csv ends before the run did', 'telemetry.csv is not there'])
  t.match(truth.get('p'), { count: 1, notFinite: 1 })
  t.equal(events.length, 1)
  t.same(rig, { hazard: '', sensors: [] })
  soundPage(t, campaignHtml(campaignOf([FAILED]), { folder }))
  t.match(campaignHtml(campaignOf([FAILED]), { folder: join(folder, 'gone') }), /the folder of this run was not kept/)
  writeFileSync(
    join(folder, 'run', 'truth.csv'),
    `t_us,${Array.from({ length: 70 }, (_, k) => `s${k}`).join(',')}\n0${',1'.repeat(70)}`,
  )
  t.same(readRunSeries(join(folder, 'run'), 10).notes[1], '6 series of truth are not drawn: at most 64')
  t.end()
})

t.test('a page has its most, and names what it does not show', (t) => {
  const long = 'x'.repeat(8000)
  const outcomes = Array.from({ length: 400 }, () => outcomeOf({ text: long }))
  const cases = Array.from({ length: 10 }, (_, row) =>
    caseOf({ row, params: { seed: row }, outcomes, faults: [faultOf()] }),
  )
  const page = campaignHtml(campaignOf(cases), { folder: '' })
  t.ok(page.length > PAGE_CHARS_MAX && page.length < PAGE_CHARS_MAX + 5_000_000, `${page.length}`)
  t.match(page, /[12] cases are not shown/)
  soundPage(t, page)
  t.end()
})
