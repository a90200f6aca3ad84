import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { Static } from 'typebox'
import type { CampaignResult } from '../../../../hil-testbed/core/result.ts'
import { readCampaign, writeJson } from '../../../../hil-testbed/report/campaign-file.ts'
import type { CampaignSchema } from '../../../../hil-testbed/report/campaign-schema.ts'
import { compareCampaigns, comparisonLines } from '../../../../hil-testbed/report/compare-campaigns.ts'
import { measuresCsv } from '../../../../hil-testbed/report/measures-csv.ts'
import {
  campaignExit,
  parseQuarantine,
  QUARANTINE_FILE,
  readQuarantine,
  standingLines,
} from '../../../../hil-testbed/report/quarantine.ts'
import { coverageOf, quantile, reactionsOf, wilson } from '../../../../hil-testbed/report/statistics.ts'
import { ROOT } from '../../../../scripts/sources.ts'
import { ConfigError, type Problem } from '../../../../shared/config/problems.ts'
import { campaignOf, caseOf, faultOf, measuresOf } from '../../../support/campaigns.ts'

type Mutable<T> = T extends number
  ? T
  : T extends readonly (infer U)[]
    ? Mutable<U>[]
    : T extends object
      ? { -readonly [K in keyof T]: Mutable<T[K]> }
      : T
/** Schema and type say the same, or this does not compile. */
const asWritten = (result: Mutable<CampaignResult>): Static<typeof CampaignSchema> => result
const asRead = (result: Static<typeof CampaignSchema>): CampaignResult => result

t.test('a campaign is read as it was written, and nothing else is read', (t) => {
  const lanes = { verdicts: [{ from_us: 0, to_us: null, name: '', is: 'PASS' }], alarms: [], actions: [], thinned: 2 }
  const campaign = campaignOf([caseOf({ lanes, params: { seed: 3, 'F1.value': 'rail' } })])
  const file = join(t.testdir({}), 'report.json')
  writeJson(campaign, file)
  t.same(readCampaign(file), campaign)
  writeJson(campaign, file, join(dirname(file), 'runs'))
  t.equal(readCampaign(file).cases[0]!.folder, `runs/${campaign.cases[0]!.folder}`, 'from where the report lies')
  writeJson(campaign, file)
  t.same(asRead(asWritten(structuredClone(campaign) as Mutable<CampaignResult>)), campaign)
  const text = readFileSync(file, 'utf8')
  for (const [from, to, at] of [
    ['"v": 1', '"v": 2', '/v'],
    ['"verdict": "PASS"', '"verdict": "GOOD"', '/cases/0/verdict'],
    ['"complete": true', '"complete": true, "more": 1', '/more'],
  ] as const) {
    writeFileSync(file, text.replace(from, to))
    t.throws(() => readCampaign(file), { code: 'HIL_REPORT_SHAPE', context: { at } }, to)
  }
  writeFileSync(file, text.slice(0, 100))
  t.throws(() => readCampaign(file), { code: 'HIL_REPORT_SHAPE' })
  t.throws(() => readCampaign(`${file}.gone`), { code: 'HIL_REPORT_MISSING' })
  t.end()
})

t.test('measures are a table that a spreadsheet takes for what it is', (t) => {
  const one = caseOf({ id: '=1+1', file: 'a,"b"\nc', measures: measuresOf({ fhti_us: null }) })
  const [head, row] = measuresCsv(campaignOf([one])).split(/\r\n/)
  t.equal(
    head,
    'scenario,file,row,rig,seed,verdict,fdti_us,frti_us,fhti_us,ftti_us,margin,faults,faults_seen,faults_detected,decisions,alarms,actions,simulated_us,host_ms,digest',
  )
  t.equal(row, `'=1+1,"a,""b""\nc",0,vessel,7,PASS,150000,262000,,2500000,0.54,1,1,1,800,1,1,40000000,1234,d0`)
  t.end()
})

t.test('intervals of Wilson are those of the books, and never say what nothing shows', (t) => {
  // Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
  for (const [count, of, low, high] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const) {
    const share = wilson(count, of)
    t.ok(Math.abs(share.low - low) < 5e-5 && Math.abs(share.high - high) < 5e-5, `${count} of ${of}`)
  }
  t.match(wilson(0, 0), { low: 0, high: 1, share: Number.NaN })
  t.same(
    [0, 0.5, 0.95, 1].map((p) => quantile([30, 10, 20], p)),
    [10, 20, 30, 30],
  )
  t.equal(quantile([], 0.5), null)
  t.end()
})

t.test('coverage counts what was injected, and a fault that was not seen is on neither side', (t) => {
  const faults = [
    faultOf(),
    faultOf({ detected_us: null }),
    faultOf({ seen: 0, detected_us: null }),
    faultOf({ class: 'comms.lose' }),
  ]
  t.match(coverageOf([caseOf({ faults })]), [
    { class: 'comms.lose', wanted: 1, detected: { count: 1, of: 1 } },
    { class: 'sensor.stuck_at', wanted: 3, detected: { count: 1, of: 2, share: 0.5 } },
  ])
  const rows = [100, 300, 200].map((fdti_us) =>
    caseOf({ measures: measuresOf({ fdti_us, fhti_us: null, frti_us: null }) }),
  )
  t.match(reactionsOf(rows), [
    { id: 'SCN-ACT-001', fdti: { count: 3, p50: 200, p95: 300, max: 300 }, fhti: null, fttiUs: 2_500_000 },
  ])
  t.same(reactionsOf([caseOf({ measures: measuresOf({ fdti_us: null, fhti_us: null }) })]), [])
  t.end()
})

t.test('what got worse, is gone, decides otherwise, is new or got better since a campaign before', (t) => {
  const at = (id: string, verdict: 'PASS' | 'FAIL' | 'MARGINAL', digest = 'd0') =>
    caseOf({ id, verdict, reason: verdict === 'FAIL' ? 'missed' : '', measures: measuresOf({ digest }) })
  const base = campaignOf([
    at('A', 'PASS'),
    at('B', 'FAIL'),
    at('C', 'PASS'),
    at('D', 'PASS'),
    at('E', 'PASS'),
    at('F', 'PASS'),
  ])
  const now = campaignOf(
    [
      at('A', 'FAIL', 'd1'),
      at('B', 'PASS'),
      at('C', 'PASS', 'd2'),
      at('E', 'MARGINAL'),
      at('F', 'PASS'),
      at('G', 'PASS'),
    ],
    { commit: 'def5678' },
  )
  const found = compareCampaigns(base, now)
  t.match(found, { same: 1, base: { commit: 'abc1234' }, now: { commit: 'def5678' } })
  t.same(
    found.changes.map(({ key, is, digestChanged }) => [key, is, digestChanged]),
    [
      ['A', 'worse', true],
      ['E', 'worse', false],
      ['D', 'gone', false],
      ['C', 'digest_changed', true],
      ['G', 'new', false],
      ['B', 'better', false],
    ],
  )
  t.match(comparisonLines(found), [
    /2 worse, 1 gone, 1 decides otherwise, 1 new, 1 better, 1 the same$/,
    'worse: A: PASS -> FAIL, decides otherwise: missed',
  ])
  const rows = [1, 2].map((seed) => caseOf({ params: { seed }, row: seed }))
  t.same(compareCampaigns(campaignOf(rows), campaignOf([...rows].reverse())).changes, [], 'rows go by their parameters')
  const twice = [caseOf(), caseOf({ file: 'other.yaml' })]
  t.match(compareCampaigns(campaignOf(twice), campaignOf(twice.slice(1))), { changes: [{ is: 'gone' }], same: 1 })
  t.end()
})

t.test('any two campaigns: every case is told once, and the same campaign has no changes', (t) => {
  const verdict = fc.constantFrom('PASS', 'FAIL', 'SKIPPED', 'ERROR')
  const campaign = fc
    .array(fc.tuple(fc.constantFrom('A', 'B', 'C'), verdict, fc.constantFrom('d0', 'd1')), { maxLength: 8 })
    .map((all) =>
      campaignOf(all.map(([id, is, digest]) => caseOf({ id, verdict: is, measures: measuresOf({ digest }) }))),
    )
  fc.assert(
    fc.property(campaign, campaign, (base, now) => {
      t.same(compareCampaigns(now, now).changes, [])
      const { changes, same } = compareCampaigns(base, now)
      t.equal(new Set(changes.map(({ key }) => key)).size, changes.length)
      t.ok(changes.length + same >= Math.max(base.cases.length, now.cases.length))
    }),
    { seed: 1, numRuns: 100 },
  )
  t.end()
})

t.test('a campaign is good when all of it is, and what is borne is borne until its day', (t) => {
  const bad = caseOf({ id: 'SCN-VER-002', verdict: 'FAIL', reason: 'missed' })
  const open = caseOf({ id: 'SCN-VER-003', verdict: 'INCONCLUSIVE', reason: 'not injected' })
  const good = (['PASS', 'MARGINAL', 'XFAIL', 'SKIPPED'] as const).map((verdict) => caseOf({ verdict }))
  const entry = { scenario: bad.id, reason: 'issue 9', owner: 'alice', expires: '2026-02-01' }
  const exit = (
    cases: Parameters<typeof campaignOf>[0],
    list = [entry].slice(1),
    today = '2026-02-01',
    complete = true,
  ) => campaignExit(campaignOf(cases, { complete }), list, today).exit
  t.equal(exit(good), 0)
  t.equal(exit([...good, bad]), 20)
  t.equal(exit([...good, open]), 30)
  t.equal(exit([open, bad]), 20)
  for (const verdict of ['ERROR', 'ABORTED'] as const) t.equal(exit([caseOf({ verdict })]), 30)
  t.equal(exit([]), 30, 'nothing was shown')
  t.equal(exit(good, [], '2026-02-01', false), 30, 'broken off')
  t.equal(exit([...good, bad], [entry]), 0)
  t.equal(exit([...good, bad], [entry], '2026-02-02'), 20)
  t.equal(exit(good, [entry], '2026-02-02'), 20, 'an entry past its day is an error by itself')
  t.equal(exit([open, bad], [entry]), 30, 'it bears its own scenario only')
  const standing = campaignExit(campaignOf([...good, bad, open]), [entry], '2026-01-31')
  t.same(standingLines(standing, campaignOf([], { complete: false })), [
    'INCONCLUSIVE: SCN-VER-003: not injected',
    'quarantined until 2026-02-01 (alice): FAIL: SCN-VER-002: issue 9',
    'the campaign was broken off: cases are missing',
  ])
  t.match(campaignExit(campaignOf(good), [{ ...entry, scenario: good[0]!.id }], '2026-01-31'), {
    exit: 0,
    notes: [/did not fail/],
  })
  t.end()
})

t.test('a quarantine without owner, reason or day is refused', (t) => {
  const problems = (text: string): readonly Problem[] => {
    try {
      parseQuarantine('quarantine.yaml', new TextEncoder().encode(`quarantine:\n${text}`))
    } catch (error) {
      if (error instanceof ConfigError) return error.problems
      throw error
    }
    return []
  }
  const whole = '  - { scenario: SCN-A-001, reason: issue 9, owner: alice, expires: "2026-02-01" }\n'
  t.same(problems(whole), [])
  for (const [from, to, key] of [
    ['owner: alice, ', '', 'quarantine[0].owner'],
    ['alice', '" "', 'quarantine[0].owner'],
    ['reason: issue 9, ', '', 'quarantine[0].reason'],
    [', expires: "2026-02-01"', '', 'quarantine[0].expires'],
    ['2026-02-01', '2026-02-30', 'quarantine[0].expires'],
    ['"2026-02-01"', 'never', 'quarantine[0].expires'],
  ] as const)
    t.match(problems(whole.replace(from, to)), [{ line: 2, key }], `${from} -> ${to}`)
  t.match(problems(whole + whole), [{ line: 3, found: '`SCN-A-001` a second time' }])
  t.ok(Array.isArray(readQuarantine(join(ROOT, QUARANTINE_FILE))))
  t.end()
})
