import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { usualHb } from '../../scripts/demo/processes.ts'
import { RUN_REGISTRY, writeRun } from '../support/run-directories.ts'

const PLAN = `plan_id: nightly
requirements:
  - { id: REQ-1, scenarios: [soak] }
  - { id: REQ-2, scenarios: [soak, cold] }
scenarios:
  - { id: soak, run_artifact_dir: soak, baseline_artifact_dir: good, baseline_key: k, set_golden: true, asserts: asserts.yaml }
  - { id: cold, run_artifact_dir: cold, baseline_mode: last_known_good, baseline_key: k }
`
const ASSERTS = 'asserts: [{ id: FAST, metric: latency_ms, op: "<", value: 11 }]\n'

function plansFolder(t: { teardown(run: () => void): void }) {
  const path = mkdtempSync(join(tmpdir(), 'hb-plan-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  writeFileSync(join(path, 'plan.yaml'), PLAN)
  writeFileSync(join(path, 'asserts.yaml'), ASSERTS)
  writeFileSync(join(path, 'registry.yaml'), RUN_REGISTRY)
  const run = (latency: Readonly<Record<string, number>>) => {
    for (const [name, value] of Object.entries(latency))
      writeRun(join(path, name), name, { latency_ms: [value, 'ms'], reset_count: [0, 'count'] })
  }
  const hb = (env: Record<string, string> = {}, ...more: string[]) => {
    const { command, before } = usualHb()
    const args = [...before, 'plan', 'run', 'plan.yaml', '--registry', 'registry.yaml', '--out', 'out', ...more]
    return spawnSync(command, args, { cwd: path, encoding: 'utf8', env: { ...process.env, ...env } })
  }
  const read = (name: string): string => readFileSync(join(path, 'out', name), 'utf8')
  return { path, run, hb, read }
}

t.test('hb plan run judges scenarios, traces requirements, and ends with the worst verdict', (t) => {
  const { run, hb, read } = plansFolder(t)
  run({ good: 10, soak: 10.2, cold: 10.4 })
  const first = hb({}, '--json')
  t.equal(first.status, 0, first.stderr)
  t.match(JSON.parse(first.stdout), {
    status: 'PASS',
    scenarios: [
      { scenario_id: 'soak', baseline_reason: 'explicit', assert_results: [{ id: 'FAST', status: 'PASS' }] },
      { scenario_id: 'cold', baseline_reason: 'golden', baseline_run_id: 'soak' },
    ],
  })
  t.equal(read('trace_matrix.csv').split('\n')[1], 'REQ-1,soak,PASS')
  t.match(JSON.parse(read('results/soak/drift_report.json')), { run_id: 'soak', status: 'PASS' })
  t.match(read('plan_report.html'), 'Content-Security-Policy')

  run({ cold: 12 })
  t.match(hb(), { status: 10, stdout: /PASS_WITH_DRIFT: plan nightly[\s\S]*requirement REQ-2: PASS_WITH_DRIFT/ })
  run({ soak: 11.5 })
  t.equal(hb().status, 20, 'the assertion fails')
  t.equal(hb({ HB_GATE_FAIL_EXIT: '1' }).status, 2)
  t.equal(read('plan_history.jsonl').trim().split('\n').length, 8)
  t.end()
})

t.test('a plan of which a run is missing is NO_TEST, and the rest is judged', (t) => {
  const { run, hb } = plansFolder(t)
  run({ good: 10, soak: 10 })
  t.match(hb(), { status: 30, stdout: /soak +PASS[\s\S]*cold +NO_TEST[\s\S]*RUN_MISSING/ })
  t.end()
})

t.test('mistakes of a plan and of its assertions stop it before anything is judged', (t) => {
  const { path, hb } = plansFolder(t)
  writeFileSync(join(path, 'asserts.yaml'), 'asserts: [{ id: A, metric: m, op: "=<", value: 1 }]')
  t.match(hb(), { status: 78, stderr: /asserts.yaml:1/ })
  writeFileSync(join(path, 'plan.yaml'), PLAN.replace('[soak, cold]', '[soak, clod]'))
  t.match(hb(), { status: 78, stderr: /did you mean `cold`/ })
  t.equal(hb({}, '--policy', 'nowhere.yaml').status, 78)
  t.end()
})
