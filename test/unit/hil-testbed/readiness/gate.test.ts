import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { closeEvidence } from '../../../../hil-testbed/bench/evidence.ts'
import { caseProblem, evidenceProblem } from '../../../../hil-testbed/bench/evidence-check.ts'
import { type CriterionOutcome, evaluateCriterion, type GateInput } from '../../../../hil-testbed/readiness/criteria.ts'
import { evaluateGate } from '../../../../hil-testbed/readiness/gate.ts'
import {
  CRITERION_PARAMS,
  type Criterion,
  criteriaOf,
  DEFAULT_GATES,
  isCriterionType,
  parseGates,
} from '../../../../hil-testbed/readiness/gates.ts'
import { readReports } from '../../../../hil-testbed/readiness/reports.ts'
import { ConfigError, type Problem } from '../../../../shared/config/problems.ts'
import { campaignOf, caseOf } from '../../../support/campaigns.ts'

const ANALYSIS = {
  schema_version: '1.0',
  run_id: 'run-1',
  status: 'PASS',
  drift_metrics: [] as { metric: string }[],
  distribution_drifts: [] as { metric: string }[],
  fail_metrics: [] as string[],
  no_test_metrics: [] as string[],
  no_baseline_metrics: [] as string[],
  program: 'demo' as string | null,
  run_start_utc: '2026-01-01T00:00:00Z' as string | null,
  critical_metrics: ['reset_count'],
}
const BASELINE = {
  digest: 'ab'.repeat(32),
  program: 'demo',
  rig: 'vessel',
  kind: 'golden',
  tags: [] as string[],
  in_force: true,
}
const REQUEST = { request: 'cd'.repeat(32), digest: BASELINE.digest, status: 'proposed' }
const TRACE = { problems: [] as unknown[], requirements: [{ id: 'REQ-ACT-001', shown: true }] }

const analysis = (change: Partial<typeof ANALYSIS> = {}) => ({ ...ANALYSIS, ...change })
const baselines = (...change: Partial<typeof BASELINE>[]) => ({
  baselines: change.map((one) => ({ ...BASELINE, ...one })),
})
const requests = (...change: Partial<typeof REQUEST>[]) => ({ requests: change.map((one) => ({ ...REQUEST, ...one })) })

type Change = Partial<Omit<GateInput, 'reports'>>

/** Reports through files, as a command reads them. */
function inputOf(t: Test, reports: readonly unknown[], change: Change = {}): GateInput {
  const folder = t.testdir({})
  const paths = reports.map((report, k) => {
    const path = join(folder, `r${k}.json`)
    writeFileSync(path, JSON.stringify(report))
    return path
  })
  const evidenceOf = { campaign: () => null, analysis: () => null }
  return { reports: readReports(paths), program: null, rigs: null, base: null, evidenceOf, ...change }
}

function outcome(
  t: Test,
  criterion: Partial<Criterion>,
  reports: readonly unknown[],
  change: Change = {},
): CriterionOutcome['is'] {
  const { is, reason } = evaluateCriterion({ id: 'c', type: '', ...criterion }, inputOf(t, reports, change))
  t.ok(reason.length > 5, reason)
  return is
}

const bad = campaignOf([caseOf({ verdict: 'FAIL', reason: 'missed' })])

t.test('no_fail_in_runs: the newest runs are there, were tested, and did not fail', (t) => {
  const is = (runs: number, reports: readonly unknown[], change: Change = {}) =>
    outcome(t, { type: 'no_fail_in_runs', params: { runs } }, reports, change)
  t.equal(is(1, [campaignOf([caseOf()])]), 'met')
  t.equal(is(1, [bad]), 'missed')
  t.equal(is(1, [campaignOf([caseOf({ verdict: 'INCONCLUSIVE' })])]), 'unknown')
  t.equal(is(1, [campaignOf([caseOf()], { complete: false })]), 'unknown')
  t.equal(is(1, [campaignOf([])]), 'unknown', 'nothing was shown')
  t.equal(is(1, [campaignOf([caseOf({ verdict: 'SKIPPED' })])]), 'unknown', 'nothing was run')
  t.equal(is(1, [campaignOf([caseOf({ verdict: 'SKIPPED' }), caseOf()])]), 'met')
  t.equal(is(2, [campaignOf([caseOf()])]), 'unknown', 'one of two')
  t.equal(is(2, [campaignOf([caseOf()]), campaignOf([caseOf()])]), 'unknown', 'a copy is no second run')
  t.equal(is(1, []), 'unknown')
  for (const [status, expected] of [
    ['PASS', 'met'],
    ['PASS_WITH_DRIFT', 'met'],
    ['FAIL', 'missed'],
    ['NO_TEST', 'unknown'],
    ['NO_BASELINE', 'unknown'],
    ['NO_METRICS', 'unknown'],
  ] as const)
    t.equal(is(1, [analysis({ status })]), expected, status)
  const old = { ...bad, started_utc: '2025-01-01T00:00:00Z' }
  t.equal(is(1, [old, campaignOf([caseOf()])]), 'met', 'only the newest')
  t.equal(is(2, [old, campaignOf([caseOf()])]), 'missed')
  t.equal(is(1, [analysis({ run_start_utc: null }), analysis({ run_id: 'run-2' })]), 'unknown', 'which is the newest?')
  t.equal(is(1, [analysis({ program: 'other', status: 'FAIL' }), analysis()], { program: 'demo' }), 'met')
  t.equal(
    is(1, [analysis({ program: null, status: 'FAIL' })], { program: 'demo' }),
    'missed',
    'of nobody known: of all',
  )
  t.equal(is(1, [bad], { rigs: ['pump'] }), 'unknown', 'no case of its rigs')
  const two = campaignOf([caseOf(), caseOf({ rig: 'pump', verdict: 'FAIL' })])
  t.equal(is(1, [two], { rigs: ['vessel'] }), 'met')
  t.end()
})

t.test('baseline_tag_set: a baseline of the programme is in force under the tag', (t) => {
  const is = (reports: readonly unknown[], tag?: string, program = 'demo') =>
    outcome(t, { type: 'baseline_tag_set', ...(tag === undefined ? {} : { params: { tag } }) }, reports, { program })
  t.equal(is([baselines({})]), 'met')
  t.equal(is([baselines({ in_force: false })]), 'missed')
  t.equal(is([baselines({ program: 'other' })]), 'missed')
  t.equal(is([baselines({ kind: 'rolling' })]), 'missed')
  t.equal(is([baselines({ kind: 'rolling', tags: ['flight'] })], 'flight'), 'met')
  t.equal(is([baselines()]), 'missed')
  t.equal(is([]), 'unknown')
  t.end()
})

t.test('no_critical_metric_drift: critical metrics were judged and stay where they were', (t) => {
  const is = (reports: readonly unknown[], params: Criterion['params'] = { runs: 1 }) =>
    outcome(t, { type: 'no_critical_metric_drift', params }, reports)
  const at = [{ metric: 'reset_count' }]
  t.equal(is([analysis()]), 'met')
  t.equal(is([analysis({ drift_metrics: [{ metric: 'latency' }], status: 'PASS_WITH_DRIFT' })]), 'met', 'not critical')
  t.equal(is([analysis({ drift_metrics: [{ metric: 'latency' }] })], { runs: 1, metrics: ['latency'] }), 'missed')
  t.equal(is([analysis({ drift_metrics: at })]), 'missed')
  t.equal(is([analysis({ distribution_drifts: at })]), 'missed')
  t.equal(is([analysis({ fail_metrics: ['reset_count'] })]), 'missed')
  t.equal(is([analysis({ no_test_metrics: ['reset_count'] })]), 'unknown')
  t.equal(is([analysis({ no_baseline_metrics: ['reset_count'] })]), 'unknown')
  t.equal(is([analysis({ status: 'NO_METRICS' })]), 'unknown')
  const { critical_metrics: _, ...before } = analysis()
  t.equal(is([before]), 'unknown', 'a report from before does not say what is critical')
  t.equal(is([campaignOf([caseOf()])]), 'unknown', 'a campaign says nothing of it: its faults are wanted')
  t.equal(is([analysis()], { runs: 2 }), 'unknown')
  t.end()
})

t.test('evidence_pack_if_fail: what failed left its evidence', (t) => {
  const is = (reports: readonly unknown[], problem: string | null = null) => {
    const evidenceOf = { campaign: () => problem, analysis: () => problem }
    return outcome(t, { type: 'evidence_pack_if_fail' }, reports, { evidenceOf })
  }
  t.equal(is([campaignOf([caseOf()])], 'gone'), 'met', 'nothing failed')
  t.equal(is([bad]), 'met')
  t.equal(is([bad], 'gone'), 'missed')
  t.equal(is([campaignOf([caseOf({ verdict: 'ERROR', folder: '' })])]), 'missed')
  t.equal(is([analysis({ status: 'FAIL' })]), 'met')
  t.equal(is([analysis({ status: 'FAIL' })], 'gone'), 'missed')
  t.equal(is([]), 'unknown')
  t.end()
})

t.test('no_open_baseline_requests: nobody waits for a decision about a baseline of the programme', (t) => {
  const is = (reports: readonly unknown[]) =>
    outcome(t, { type: 'no_open_baseline_requests' }, reports, { program: 'demo' })
  t.equal(is([requests()]), 'met')
  t.equal(is([requests({ status: 'approved' }, { status: 'rejected' })]), 'met')
  t.equal(is([requests({ status: 'proposed' })]), 'missed', 'of nobody known: of all')
  t.equal(is([requests({ status: 'reviewed' }), baselines({})]), 'missed')
  t.equal(is([requests({ status: 'reviewed' }), baselines({ program: 'other' })]), 'met')
  t.equal(is([baselines({})]), 'unknown')
  t.end()
})

t.test('requirements_shown and no_regression', (t) => {
  const shown = (...traces: unknown[]) => outcome(t, { type: 'requirements_shown' }, traces)
  t.equal(shown(TRACE), 'met')
  t.equal(shown({ ...TRACE, problems: [{ reason: 'not_run', what: 'SCN-A-001', found: 'x' }] }), 'missed')
  t.equal(shown({ ...TRACE, requirements: [{ id: 'REQ-ACT-001', shown: false }] }), 'missed')
  t.equal(shown({ ...TRACE, requirements: [] }), 'unknown')
  t.equal(shown(), 'unknown')
  const good = campaignOf([caseOf()])
  const worse = (now: unknown[], base: GateInput['base']) => outcome(t, { type: 'no_regression' }, now, { base })
  t.equal(worse([good], good), 'met')
  t.equal(worse([bad], good), 'missed')
  t.equal(worse([campaignOf([caseOf({ id: 'SCN-B-001' })])], good), 'missed', 'what is gone is no better')
  t.equal(worse([good], bad), 'met')
  t.equal(worse([campaignOf([caseOf()], { complete: false })], good), 'unknown')
  t.equal(worse([good], null), 'unknown')
  t.equal(worse([], good), 'unknown')
  t.end()
})

t.test('what nobody knows how to look at is never met, and every built-in criterion is looked at', (t) => {
  t.equal(outcome(t, { type: 'moon_is_full' }, [campaignOf([caseOf()])]), 'unknown')
  for (const type of ['constructor', '__proto__', 'toString', ''])
    t.equal(outcome(t, { type }, [campaignOf([caseOf()])]), 'unknown', type)
  for (const type of Object.keys(CRITERION_PARAMS)) t.equal(outcome(t, { type }, []), 'unknown', `${type} of nothing`)
  for (const name of Object.keys(DEFAULT_GATES.gates)) {
    const criteria = criteriaOf(DEFAULT_GATES, name)
    t.ok(criteria.length >= 2 && criteria.every(({ type }) => isCriterionType(type)), name)
    t.equal(evaluateGate(DEFAULT_GATES, name, inputOf(t, [])).verdict, 'At Risk', `${name} of nothing`)
  }
  t.same(
    criteriaOf(DEFAULT_GATES, 'Pre-Delivery').map(({ type }) => type),
    [
      'no_fail_in_runs',
      'baseline_tag_set',
      'no_fail_in_runs',
      'no_critical_metric_drift',
      'evidence_pack_if_fail',
      'no_open_baseline_requests',
    ],
  )
  t.end()
})

t.test('a gate is as good as its worst criterion, and of one programme', (t) => {
  const runs = [1, 2, 3].map((k) => analysis({ run_id: `run-${k}` }))
  const all = [...runs, baselines({}), requests()]
  t.match(evaluateGate(DEFAULT_GATES, 'Pre-Delivery', inputOf(t, all)), { verdict: 'Ready' })
  t.match(evaluateGate(DEFAULT_GATES, 'Pre-Delivery', inputOf(t, all.slice(0, -1))), { verdict: 'At Risk' })
  const failed = [...all, analysis({ status: 'FAIL', run_id: 'run-4', run_start_utc: '2026-02-01T00:00:00Z' })]
  t.match(evaluateGate(DEFAULT_GATES, 'Pre-Delivery', inputOf(t, failed)), { verdict: 'Not Ready' })
  const other = [...all, analysis({ program: 'other', status: 'FAIL' })]
  t.throws(() => evaluateGate(DEFAULT_GATES, 'Pre-Delivery', inputOf(t, other)), { code: 'USAGE' })
  t.match(evaluateGate(DEFAULT_GATES, 'Pre-Delivery', inputOf(t, other, { program: 'demo' })), { verdict: 'Ready' })
  t.throws(() => evaluateGate(DEFAULT_GATES, 'Pre-Fligth', inputOf(t, all)), { code: 'USAGE' })
  const ofRigs = { ...DEFAULT_GATES, programs: { demo: { rigs: ['pump'] } } }
  const onRig = [baselines({}), campaignOf([caseOf({ rig: 'pump' }), caseOf({ verdict: 'FAIL' })])]
  t.match(evaluateGate(ofRigs, 'Pre-CDR', inputOf(t, onRig, { program: 'demo' })), { verdict: 'Ready' })
  t.match(evaluateGate(ofRigs, 'Pre-CDR', inputOf(t, onRig)), { verdict: 'Not Ready' })
  t.end()
})

t.test('a file of gates is read whole or refused with every mistake', (t) => {
  const problems = (text: string): readonly Problem[] => {
    try {
      parseGates('readiness_gates.yaml', new TextEncoder().encode(text))
    } catch (error) {
      if (error instanceof ConfigError) return error.problems
      throw error
    }
    return []
  }
  const whole = `version: "1.0"
gates:
  A:
    criteria:
      - { id: a, type: no_fail_in_runs, params: { runs: 5 } }
      - { id: b, type: something_else, params: { runs: 1 } }
  B:
    extends: A
    criteria: []
`
  t.same(problems(whole), [])
  t.match(problems(whole.replace('runs: 5', 'run: 5')), [{ line: 5, found: 'a key that is not known' }])
  t.match(problems(whole.replace('runs: 5', 'tag: x')), [{ line: 5, expected: 'only runs' }])
  t.match(problems(whole.replace('extends: A', 'extends: C')), [{ line: 8, found: '`C`' }])
  t.match(problems(whole.replace('  A:\n', '  A:\n    extends: B\n')), [{ found: /circle/ }, { found: /circle/ }])
  t.match(problems(whole.replace('    extends: A\n', '')), [{ key: 'gates.B', found: 'a gate without criteria' }])
  t.end()
})

t.test('a report of another shape is refused, not passed over', (t) => {
  const folder = t.testdir({
    'other.json': '{"ok":true}',
    'half.json': '{"v":1',
    'campaign.json': '{"v":1,"cases":[{}]}',
  })
  for (const name of ['other.json', 'half.json', 'campaign.json'])
    t.throws(() => readReports([join(folder, name)]), { code: 'HIL_REPORT_SHAPE' }, name)
  t.throws(() => readReports([join(folder, 'gone.json')]), { code: 'HIL_REPORT_MISSING' })
  t.end()
})

t.test('evidence of a case is that of its run, and not whole evidence of another one', (t) => {
  const one = caseOf({ id: 'SCN-A-001', row: 2, seed: 7, started_utc: '2026-01-01T00:00:00Z' })
  const row = { id: one.id, row: one.row, seed: one.seed }
  const problem = (of: object, run: object = { started_utc: one.started_utc }): string | null => {
    const folder = t.testdir({ 'row.json': JSON.stringify(of), 'run.json': JSON.stringify(run), 'events.jsonl': '' })
    closeEvidence(folder)
    return caseProblem(folder, one)
  }
  t.equal(problem(row), null)
  t.match(problem({ ...row, id: 'SCN-B-001' }), 'it is of SCN-B-001 row 2')
  t.match(problem({ ...row, row: 3 }), 'row 3')
  t.match(problem({ ...row, seed: 8 }), 'it is of')
  t.match(problem(row, { started_utc: '2026-01-02T00:00:00Z' }), 'begun 2026-01-02')
  t.match(problem(row, []), 'begun undefined')
  t.match(caseProblem(t.testdir({}), one), 'manifest.cose is not there')
  t.end()
})

const FILES = { 'row.json': '{}', 'run.json': '{}', 'events.jsonl': '', 'truth.csv': 't_us\n' }

/** What is wrong with the folder of a run that was closed, and then changed. */
function closedThen(t: Test, change: (folder: string) => void, of: Record<string, string> = FILES): string | null {
  const folder = t.testdir(of)
  closeEvidence(folder)
  change(folder)
  return evidenceProblem(folder)
}

/** What is done to a closed folder, and what is said of it then. */
const CHANGES: readonly (readonly [said: string | RegExp, change: (folder: string) => void])[] = [
  ['truth.csv was changed', (folder) => writeFileSync(join(folder, 'truth.csv'), 't_uS\n')],
  [/truth.csv has 0 bytes, 5 were closed/, (folder) => writeFileSync(join(folder, 'truth.csv'), '')],
  [/^manifest.cose: /, (folder) => writeFileSync(join(folder, 'manifest.cose'), 'x')],
  ['manifest.cose is not there', (folder) => rmSync(join(folder, 'manifest.cose'))],
  ['manifest.cose is no file', (folder) => turnIntoFolder(join(folder, 'manifest.cose'))],
  ['manifest.pub.pem is not there', (folder) => rmSync(join(folder, 'manifest.pub.pem'))],
  ['manifest.pub.pem is no file', (folder) => turnIntoFolder(join(folder, 'manifest.pub.pem'))],
  ['manifest.pub.pem is not the key', (folder) => appendFileSync(join(folder, 'manifest.pub.pem'), '\n')],
  ['more.csv came after it was closed', (folder) => writeFileSync(join(folder, 'more.csv'), '')],
  ['more.csv came after it was closed', (folder) => symlinkSync('/etc/hostname', join(folder, 'more.csv'))],
  [
    'sub/manifest.pub.pem came after it was closed',
    (folder) => {
      mkdirSync(join(folder, 'sub'))
      writeFileSync(join(folder, 'sub', 'manifest.pub.pem'), '')
    },
  ],
  [
    'truth.csv is no file any more',
    (folder) => {
      renameSync(join(folder, 'truth.csv'), join(folder, '..', 'truth.csv'))
      symlinkSync('../truth.csv', join(folder, 'truth.csv'))
    },
  ],
]

function turnIntoFolder(path: string): void {
  rmSync(path)
  mkdirSync(path)
}

t.test('evidence of a run is one that was closed and is whole', (t) => {
  const nothing = () => {}
  t.equal(closedThen(t, nothing), null)
  t.match(evidenceProblem(t.testdir(FILES)), 'manifest.cose is not there')
  for (const [said, change] of CHANGES) t.match(closedThen(t, change), said)
  const linked = t.testdir(FILES)
  symlinkSync('/etc/hostname', join(linked, 'elsewhere'))
  closeEvidence(linked)
  t.notOk(existsSync(join(linked, 'elsewhere')), 'what leads elsewhere is no evidence')
  t.equal(evidenceProblem(linked), null)
  const { 'run.json': _, ...without } = FILES
  t.match(closedThen(t, nothing, without), 'run.json is not in it')
  t.end()
})
