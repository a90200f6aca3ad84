import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { checkAssertions, worstOf } from '../../../../agent/core/offline/assertions.ts'
import { compareRuns } from '../../../../agent/core/offline/compare-runs.ts'
import { chooseKnownGood, PASSES_KEPT_MAX, withPass } from '../../../../agent/core/offline/known-good.ts'
import { trendsOf } from '../../../../agent/core/offline/plan-outcome.ts'
import { buildReport } from '../../../../agent/offline/drift-report.ts'
import { type Judge, runPlan } from '../../../../agent/offline/plan-run.ts'
import { PLAN_STATE_BYTES_MAX } from '../../../../agent/offline/plan-state.ts'
import { parsePlan } from '../../../../shared/config/plan.ts'
import { HbError } from '../../../../shared/errors/hb-error.ts'
import { verdictExit } from '../../../../shared/report/verdict-exit.ts'
import { bytesOf } from '../../../support/config-texts.ts'
import { metric } from '../../../support/shown-report.ts'

const PLAN = `plan_id: nightly
requirements:
  - { id: REQ-1, scenarios: [soak, cold] }
  - { id: REQ-2, scenarios: [soak] }
scenarios:
  - { id: soak, run_artifact_dir: soak, baseline_artifact_dir: good, baseline_key: soak, set_golden: true }
  - { id: cold, run_artifact_dir: cold, baseline_mode: last_known_good, baseline_key: soak }
`
const RULES = new Map([['latency_ms', { drift_threshold: 1 }]])

/** Judges folders by the values that a test gives them. A folder without one cannot be read. */
function judgeOf(values: Readonly<Record<string, number>>): Judge {
  return ({ runDir, baselineDir, assertions }) => {
    const nameOf = (dir: string) => dir.split('/').at(-1)!
    const value = values[nameOf(runDir)]
    if (value === undefined) throw new HbError('RUNS_MISSING', { path: nameOf(runDir) })
    const current = new Map([['latency_ms', metric(value)]])
    const before = new Map(baselineDir === null ? [] : [['latency_ms', metric(values[nameOf(baselineDir)]!)] as const])
    const comparison = compareRuns(current, before, { rules: RULES, distribution: true })
    const asserts = assertions === null ? [] : checkAssertions(current, assertions)
    return buildReport({
      comparison,
      status: worstOf([comparison.status, ...asserts.map(({ status }) => status)]),
      run: { runId: nameOf(runDir), correlationId: null, sourceType: 'test', program: 'demo', startUtc: null },
      baseline: {
        baseline_run_id: baselineDir === null ? null : nameOf(baselineDir),
        baseline_reason: 'judge',
        baseline_warning: null,
        baseline_match_level: 'NONE',
        baseline_match_fields: [],
        baseline_match_score: 0,
        baseline_match_possible: 0,
      },
      current,
      before,
      rules: RULES,
      coverage: { coverage: 1, isReduced: false },
      warnings: [],
      conversions: [],
      registryHash: 'h1',
      version: 'test',
      top: 5,
      ...(assertions === null ? {} : { asserts }),
    })
  }
}

function planFolder(t: { teardown(run: () => void): void }) {
  const out = mkdtempSync(join(tmpdir(), 'hb-plan-'))
  t.teardown(() => rmSync(out, { recursive: true, force: true }))
  const read = (name: string): string => readFileSync(join(out, name), 'utf8')
  const run = (values: Readonly<Record<string, number>>, { plan = PLAN, registryHash = 'h1', assert = 100 } = {}) =>
    runPlan(parsePlan('plan.yaml', bytesOf(plan)), {
      from: join(out, 'in'),
      out,
      judge: judgeOf(values),
      registryHash,
      assertions: new Map([
        ['a.yaml', [{ id: 'A', metric: 'latency_ms', op: '<' as const, value: assert, severity: 'error' }]],
      ]),
      tsUtc: '2026-03-01T00:00:00.000Z',
      version: 'test',
    })
  return { out, read, run }
}

t.test('a plan leaves every result it promises, and requirements are as good as their worst scenario', async (t) => {
  const { out, read, run } = planFolder(t)
  const result = run({ good: 10, soak: 10.2, cold: 13 })
  t.match(result, {
    status: 'PASS_WITH_DRIFT',
    scenarios: [
      { scenario_id: 'soak', status: 'PASS', baseline_reason: 'explicit', baseline_run_id: 'good' },
      { scenario_id: 'cold', status: 'PASS_WITH_DRIFT', baseline_reason: 'golden', baseline_run_id: 'soak' },
    ],
    requirements: [
      { requirement_id: 'REQ-1', status: 'PASS_WITH_DRIFT' },
      { requirement_id: 'REQ-2', status: 'PASS' },
    ],
  })
  t.equal(
    read('trace_matrix.csv'),
    'requirement_id,scenario_id,status\nREQ-1,soak,PASS\nREQ-1,cold,PASS_WITH_DRIFT\nREQ-2,soak,PASS\n',
  )
  t.same(JSON.parse(read('trace_matrix.json')), result.trace_matrix)
  t.match(JSON.parse(read('plan_result.json')), { plan_id: 'nightly', status: 'PASS_WITH_DRIFT' })
  t.match(read('plan_report.html'), '<a href="results/cold/drift_report.html">cold</a>')
  t.match(JSON.parse(read('results/cold/drift_report.json')), { status: 'PASS_WITH_DRIFT', baseline_reason: 'golden' })
  t.ok(existsSync(join(out, 'results/soak/drift_report.html')))
  t.equal(read('plan_history.jsonl').trim().split('\n').length, 2)
  t.match(JSON.parse(read('trend.json')), { scenarios: [{ scenario_id: 'cold', trend: 'too_few_runs' }, {}] })
  t.match(JSON.parse(read('baselines.json')), { baselines: { soak: { golden: { run_id: 'soak', dir: 'in/soak' } } } })
})

t.test('a run that cannot be read is NO_TEST, and the others are judged all the same', async (t) => {
  const { run, read } = planFolder(t)
  const result = run({ good: 10, soak: 10 })
  t.match(result, { status: 'NO_TEST', scenarios: [{ status: 'PASS' }, { status: 'NO_TEST', error: /RUNS_MISSING/ }] })
  t.match(read('plan_report.html'), /RUNS_MISSING/)
})

t.test('without any run that was good a scenario has no baseline, and does not become its own', async (t) => {
  const { run, read } = planFolder(t)
  const plan = PLAN.replace('baseline_artifact_dir: good', 'baseline_mode: rolling')
  for (let again = 0; again < 2; again += 1)
    t.match(run({ soak: 10, cold: 10 }, { plan }), {
      status: 'NO_BASELINE',
      scenarios: [{ status: 'NO_BASELINE', baseline_reason: 'no_pass' }, { status: 'NO_BASELINE' }],
    })
  t.same(JSON.parse(read('baselines.json')), { version: 1, baselines: {} })
})

t.test('golden stays what it was, so that slow drift is not followed', async (t) => {
  const { run, read } = planFolder(t)
  const at = (k: number) =>
    PLAN.replace('run_artifact_dir: soak', `run_artifact_dir: soak-${k}`)
      .replace(
        'baseline_artifact_dir: good',
        k === 0 ? 'baseline_artifact_dir: good' : 'baseline_mode: last_known_good',
      )
      .replace(/ {2}- \{ id: cold.*\n/, '')
      .replace('[soak, cold]', '[soak]')
  const values = Object.fromEntries([['good', 10], ...Array.from({ length: 5 }, (_, k) => [`soak-${k}`, 10 + k * 0.4])])
  const statuses = [0, 1, 2, 3, 4].map((k) => run(values, { plan: at(k) }).status)
  t.same(
    statuses,
    ['PASS', 'PASS', 'PASS', 'PASS_WITH_DRIFT', 'PASS_WITH_DRIFT'],
    'each step is less than half the limit',
  )
  t.match(JSON.parse(read('baselines.json')), { baselines: { soak: { golden: { run_id: 'soak-0' } } } })
})

t.test('good runs of another registry are not compared with', async (t) => {
  const { run } = planFolder(t)
  run({ good: 10, soak: 10, cold: 10 })
  const plan = PLAN.replace('baseline_artifact_dir: good', 'baseline_mode: rolling').replace(
    'run_artifact_dir: soak',
    'run_artifact_dir: next',
  )
  t.match(run({ good: 10, soak: 10, next: 10, cold: 10 }, { plan, registryHash: 'h2' }), {
    scenarios: [{ status: 'NO_BASELINE', baseline_reason: 'registry_mismatch' }, {}],
  })
})

t.test('a failed assertion fails the scenario however good the comparison is', async (t) => {
  const { run } = planFolder(t)
  const plan = PLAN.replace('run_artifact_dir: cold', 'run_artifact_dir: cold, asserts: a.yaml')
  t.match(run({ good: 10, soak: 10, cold: 10 }, { plan, assert: 5 }), {
    status: 'FAIL',
    scenarios: [{ status: 'PASS' }, { status: 'FAIL', assert_results: [{ id: 'A', status: 'FAIL' }] }],
  })
})

t.test('what a folder remembers and cannot be read stops the plan before anything is written', async (t) => {
  for (const [name, text] of [
    ['baselines.json', '{'],
    ['baselines.json', '{"version":1,"baselines":{"soak":{"golden":1,"passes":[]}}}'],
    ['baselines.json', ' '.repeat(PLAN_STATE_BYTES_MAX + 1)],
    ['plan_history.jsonl', '{"ts_utc":1}\n'],
  ] as const) {
    const { out, run } = planFolder(t)
    writeFileSync(join(out, name), text)
    t.throws(() => run({ good: 10, soak: 10, cold: 10 }), { code: 'PLAN_STATE_SHAPE' })
    t.notOk(existsSync(join(out, 'plan_result.json')))
  }
})

t.test('of runs that passed the newest are remembered', (t) => {
  const good = (k: number) => ({ run_id: `r${k}`, dir: `d${k}`, registry_hash: 'h1', ts_utc: '' })
  let baselines: Parameters<typeof withPass>[0] = new Map()
  for (let k = 0; k < PASSES_KEPT_MAX + 5; k += 1)
    baselines = withPass(baselines, 'k', { good: good(k), asGolden: k === 2 })
  t.equal(baselines.get('k')?.passes.length, PASSES_KEPT_MAX)
  t.equal(baselines.get('k')?.golden?.run_id, 'r2')
  const asked = { key: 'k', mode: 'rolling', dir: 'd24', registryHash: 'h1' } as const
  t.match(chooseKnownGood(baselines, asked), { good: { run_id: 'r23' }, reason: 'rolling' }, 'never the run itself')
  t.end()
})

t.test('a trend is told from four runs on', (t) => {
  const rows = (scores: readonly number[]) =>
    scores.map((drift_score) => ({ ts_utc: '', plan_id: 'p', scenario_id: 's', status: 'PASS', drift_score }))
  const trend = (scores: readonly number[]) => trendsOf(rows(scores), 'p')[0]?.trend
  t.equal(trend([0, 1, 2]), 'too_few_runs')
  t.equal(trend([0, 0.1, 0.6, 0.9]), 'degrading')
  t.equal(trend([0.9, 0.6, 0.1, 0]), 'improving')
  t.equal(trend([0.5, 0.52, 0.5, 0.51]), 'stable')
  t.same(trendsOf(rows([1]), 'other'), [])
  t.end()
})

t.test('exit codes of verdicts, and of a gate', (t) => {
  const all = ['PASS', 'PASS_WITH_DRIFT', 'FAIL', 'NO_TEST', 'NO_BASELINE', 'NO_METRICS'] as const
  t.same(
    all.map((status) => verdictExit(status, {})),
    [0, 10, 20, 30, 30, 30],
  )
  t.same(
    all.map((status) => verdictExit(status, { HB_GATE_FAIL_EXIT: '1' })),
    [0, 0, 2, 2, 2, 2],
  )
  t.same(verdictExit('FAIL', { HB_GATE_FAIL_EXIT: '0' }), 20)
  t.end()
})
