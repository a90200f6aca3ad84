import { readFileSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { acceptancePlan } from '../../../../hil-testbed/report/acceptance-plan.ts'
import { latestAfter, readLatest } from '../../../../hil-testbed/report/latest-results.ts'
import { TRACE_REASONS, type TraceReason, traceProblems } from '../../../../hil-testbed/report/trace.ts'
import { digestsOf, readTrace } from '../../../../hil-testbed/report/trace-files.ts'
import { ROOT } from '../../../../scripts/sources.ts'
import { campaignOf, caseOf } from '../../../support/campaigns.ts'
import { LATEST, TODAY, WHOLE_PROJECT, writeIn, writeProject } from '../../../support/trace-project.ts'

const SCENARIO = 'hil-testbed/scenarios/act/over-pressure.scenario.yaml'
const REQUIREMENTS = 'hil-testbed/requirements.yaml'
const POLICY = 'hil-testbed/rigs/vessel/policy.yaml'

function project(t: Test, verdict: 'PASS' | 'FAIL' = 'PASS'): string {
  const root = t.testdir({})
  writeProject(root, verdict)
  return root
}

const problemsIn = (root: string) => traceProblems(readTrace(root, { today: TODAY }))
/** Replaces a part of a file, which must be there. */
function edit(root: string, path: string, from: string, to: string): void {
  const text = readFileSync(join(root, path), 'utf8')
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`)
  writeIn(root, path, text.replace(from, to))
}
/** Ran again after the change, so that only what was broken is broken. */
function runAgain(root: string): void {
  const input = readTrace(root, { today: TODAY })
  const cases = input.scenarios.map(({ id }) => caseOf({ id }))
  writeIn(root, LATEST, JSON.stringify(latestAfter({ v: 1, results: [] }, campaignOf(cases), digestsOf(input))))
}

type Broken = Readonly<{ reason: TraceReason; what: string; how: string; break(root: string): void }>
const BROKEN: readonly Broken[] = [
  {
    ...{ reason: 'requirement_without_scenario', what: 'REQ-ACT-001', how: 'no scenario names it' },
    break(root) {
      edit(root, SCENARIO, '[REQ-ACT-001, HAZ-001]', '[HAZ-001]')
      runAgain(root)
    },
  },
  {
    ...{ reason: 'requirement_not_passed', what: 'REQ-ACT-001', how: 'its scenario failed in one row' },
    break: (root) => edit(root, LATEST, '"PASS"', '"FAIL"'),
  },
  {
    ...{ reason: 'scenario_unreadable', what: 'hil-testbed/scenarios/broken.scenario.yaml', how: 'it is no YAML' },
    break: (root) => writeIn(root, 'hil-testbed/scenarios/broken.scenario.yaml', 'id: [\n'),
  },
  {
    ...{ reason: 'scenario_twice', what: 'SCN-ACT-001', how: 'a copy kept its id' },
    break: (root) => writeIn(root, 'hil-testbed/scenarios/copy.scenario.yaml', WHOLE_PROJECT[SCENARIO]!),
  },
  {
    ...{ reason: 'scenario_verifies_nothing', what: 'SCN-ACT-002', how: 'it names nothing' },
    break(root) {
      writeIn(root, 'hil-testbed/scenarios/idle.scenario.yaml', 'id: SCN-ACT-002\nrig: vessel\nverifies: []\n')
      runAgain(root)
    },
  },
  {
    ...{ reason: 'unknown_id', what: 'SCN-ACT-001', how: 'a slip of the pen' },
    break(root) {
      edit(root, SCENARIO, 'HAZ-001', 'HAZ-010')
      runAgain(root)
    },
  },
  {
    ...{ reason: 'unknown_rule', what: 'REQ-ACT-001', how: 'the rule was renamed' },
    break(root) {
      edit(root, POLICY, 'over-pressure', 'over-pressure-2')
      runAgain(root)
    },
  },
  {
    ...{ reason: 'not_run', what: 'SCN-ACT-002', how: 'a new one' },
    break: (root) =>
      writeIn(
        root,
        'hil-testbed/scenarios/new.scenario.yaml',
        'id: SCN-ACT-002\nrig: vessel\nverifies: [REQ-ACT-001]\n',
      ),
  },
  {
    ...{ reason: 'verdict_without_scenario', what: 'SCN-ACT-009 row 0', how: 'it was removed' },
    break: (root) =>
      edit(
        root,
        LATEST,
        '"results":[',
        '"results":[{"scenario":"SCN-ACT-009","row":0,"verdict":"PASS","commit":"","digest":"","at":""},',
      ),
  },
  ...[
    '{}',
    '{"by":"alice","why":"seen"}',
    '{"on":"2026-02-01","why":"seen"}',
    '{"by":"alice","on":"2026-03-02","why":"seen"}',
    '{"by":"alice","on":"2026-02-01"}',
    '{"by":" ","on":"2026-02-01","why":"seen"}',
  ].map(
    (manual): Broken => ({
      ...{ reason: 'manual_unsigned', what: 'SCN-ACT-001 row 0', how: manual },
      break: (root) => edit(root, LATEST, '"verdict"', `"manual":${manual},"verdict"`),
    }),
  ),
  ...['must: work, ', 'why: it bursts, '].map(
    (part): Broken => ({
      ...{ reason: 'hazard_undecided', what: 'HAZ-001', how: `without ${part}` },
      break: (root) => edit(root, REQUIREMENTS, part, ''),
    }),
  ),
  {
    ...{ reason: 'hazard_uncontrolled', what: 'HAZ-001', how: 'nothing controls it' },
    break: (root) => edit(root, REQUIREMENTS, ', controlled_by: [REQ-ACT-001]', ''),
  },
  {
    ...{ reason: 'source_without_requirement', what: 'AC-S4', how: 'it is not left out any more' },
    break: (root) => edit(root, REQUIREMENTS, ', left_out: nothing is released yet', ''),
  },
  {
    ...{ reason: 'shown_by_missing', what: 'REQ-SEC-001', how: 'the test was moved' },
    break: (root) => rmSync(join(root, 'test/secret.test.ts')),
  },
  {
    ...{ reason: 'shown_by_missing', what: 'REQ-SEC-001', how: 'a file that is not of the project' },
    break: (root) => edit(root, REQUIREMENTS, 'test/secret.test.ts', '../../../../etc/passwd'),
  },
  {
    ...{ reason: 'shown_by_silent', what: 'REQ-SEC-001', how: 'the test does not claim it' },
    break: (root) => edit(root, 'test/secret.test.ts', 'REQ-SEC-001', 'SE-01'),
  },
  ...([SCENARIO, POLICY, 'hil-testbed/rigs/vessel/rig.yaml', 'hil-testbed/rigs/shared.registry.yaml'] as const).map(
    (path): Broken => ({
      ...{ reason: 'verdict_stale', what: 'SCN-ACT-001', how: `${path} has changed` },
      break: (root) => writeIn(root, path, `${WHOLE_PROJECT[path]}# one more line\n`),
    }),
  ),
]

t.test('a project in which everything holds together has nothing open', (t) => {
  const root = project(t)
  t.same(problemsIn(root), [])
  utimesSync(join(root, SCENARIO), new Date(), new Date())
  t.same(problemsIn(root), [], 'it is by content, not by the time of a file')
  t.match(acceptancePlan(readTrace(root, { today: TODAY })), /2 of 2 requirements are shown; 0 things are open/)
  t.end()
})

for (const { reason, what, how, break: breakIt } of BROKEN)
  t.test(`${reason}: ${how}`, (t) => {
    const root = project(t)
    breakIt(root)
    const found = problemsIn(root)
    const own = found.filter((problem) => problem.reason === reason)
    t.match(own, [{ what }])
    // A verdict that is old shows nothing any more, and one id in two files has one verdict, which is that of one of them.
    const follows =
      { verdict_stale: ['requirement_not_passed'], scenario_twice: ['verdict_stale'] }[reason as 'scenario_twice'] ?? []
    t.same(
      found.filter((problem) => problem.reason !== reason && !follows.includes(problem.reason)),
      [],
      'and for no other reason',
    )
    t.match(acceptancePlan(readTrace(root, { today: TODAY })), `\`${reason}\``, 'the plan says so')
    t.end()
  })

t.test('every reason has a project that is broken for it', (t) => {
  t.same(
    TRACE_REASONS.filter((reason) => !BROKEN.some((one) => one.reason === reason)),
    [],
  )
  t.end()
})

t.test('what was skipped or is expected to fail shows no requirement', (t) => {
  for (const verdict of ['SKIPPED', 'XFAIL'] as const) {
    const root = project(t)
    const text = readFileSync(join(root, LATEST), 'utf8').replaceAll('"PASS"', `"${verdict}"`)
    writeIn(root, LATEST, text)
    t.match(problemsIn(root), [{ reason: 'requirement_not_passed', found: 'SCN-ACT-001 open' }])
  }
  t.end()
})

t.test('verdicts of a campaign take the place of those from before, and only of what ran', (t) => {
  const root = project(t)
  const before = readLatest(join(root, LATEST))
  t.equal(before.results.length, 2)
  const cases = [
    caseOf({ verdict: 'FAIL' }),
    caseOf({ id: 'SCN-ACT-003' }),
    caseOf({ id: 'SCN-GONE-001' }),
    caseOf({ id: 'SCN-ACT-004', verdict: 'ABORTED' }),
  ]
  const other = { scenario: 'SCN-ACT-004', row: 0, verdict: 'PASS', commit: '1', digest: 'x', at: '' } as const
  const same = { ...other, scenario: 'SCN-ACT-003', row: 1, digest: 'now-SCN-ACT-003' }
  const old = { ...same, row: 2, digest: 'x' }
  const digests = (id: string) => (id === 'SCN-GONE-001' ? null : `now-${id}`)
  const after = latestAfter(
    { v: 1, results: [...before.results, other, same, old] },
    campaignOf(cases, { complete: false }),
    digests,
  )
  t.same(
    after.results.map(({ scenario, row, verdict, digest }) => [scenario, row, verdict, digest]),
    [
      ['SCN-ACT-001', 0, 'FAIL', 'now-SCN-ACT-001'],
      ['SCN-ACT-003', 0, 'PASS', 'now-SCN-ACT-003'],
      ['SCN-ACT-003', 1, 'PASS', 'now-SCN-ACT-003'],
      ['SCN-ACT-004', 0, 'PASS', 'x'],
    ],
  )
  writeIn(root, LATEST, '{"v":1,"results":[{"scenario":"A"}]}')
  t.throws(() => readLatest(join(root, LATEST)), { code: 'HIL_REPORT_SHAPE', context: { at: '/results/0' } })
  t.end()
})

t.test('a scenario has as many verdicts as its matrix has rows, or it was not run', (t) => {
  const root = project(t)
  const input = readTrace(root, { today: TODAY })
  const of = (rows: number) => traceProblems({ ...input, scenarios: input.scenarios.map((one) => ({ ...one, rows })) })
  t.same(of(2), [])
  t.match(of(5), [
    { reason: 'requirement_not_passed', found: 'SCN-ACT-001 not run' },
    { reason: 'not_run', found: '3 of 5 rows have no verdict' },
  ])
  const own = readTrace(ROOT, { today: TODAY }).scenarios.find(({ id }) => id === 'SCN-ACT-030')
  t.match(own, { rows: 4 }, 'two seeds, two values')
  t.end()
})

t.test('text from elsewhere stays one cell of the plan', (t) => {
  const root = project(t)
  edit(root, SCENARIO, 'over-pressure is shut down', '"a | b\\nc"')
  runAgain(root)
  t.match(acceptancePlan(readTrace(root, { today: TODAY })), '| SCN-ACT-001 | a \\| b c | vessel |')
  t.end()
})
