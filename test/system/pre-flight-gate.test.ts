import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { usualHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { RUN_REGISTRY, writeRun } from '../support/run-directories.ts'

type Step = Readonly<{ name?: string; run?: string; uses?: string; if?: string; with?: Record<string, string> }>
type Workflow = Readonly<{ jobs: { gate: { env: Record<string, string>; steps: Step[] } } }>

const WORKFLOW = parse(readFileSync(join(ROOT, 'deploy/ci/pre-flight-gate.yml'), 'utf8')) as Workflow
const GOOD = { latency_ms: [10, 'ms'], reset_count: [0, 'count'] } as const

/** A checkout with runs and `hb` in the path, as a runner would have it. */
function checkout(t: { teardown(run: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'hb-gate-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(ROOT, 'deploy'), join(folder, 'deploy'), { recursive: true })
  mkdirSync(join(folder, 'bin'))
  const { command, before } = usualHb()
  const hb = [command, ...before].map((part) => `'${part}'`).join(' ')
  writeFileSync(join(folder, 'bin', 'hb'), `#!/bin/sh\nexec ${hb} "$@"\n`)
  chmodSync(join(folder, 'bin', 'hb'), 0o755)
  writeFileSync(join(folder, 'metric_registry.yaml'), RUN_REGISTRY)
  writeRun(join(folder, 'runs', 'golden'), 'golden-1', GOOD)
  return folder
}

/** Runs the steps of the workflow as its file has them; stops at the first that fails, as a runner does. */
function runWorkflow(folder: string): { exit: number | null; output: string; kept: boolean } {
  const { env, steps } = WORKFLOW.jobs.gate
  let exit: number | null = 0
  let output = ''
  for (const { run } of steps) {
    if (run === undefined) continue
    const done = spawnSync('sh', ['-e', '-c', run], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, ...env, PATH: `${join(folder, 'bin')}:${process.env['PATH']}` },
    })
    output += done.stdout + done.stderr
    exit = done.status
    if (exit !== 0) break
  }
  return { exit, output, kept: existsSync(join(folder, 'pre-flight', 'drift_report.html')) }
}

t.test('the workflow keeps its reports whatever came of the gate', (t) => {
  const last = WORKFLOW.jobs.gate.steps.at(-1)
  t.match(last, { if: 'always()', with: { path: 'pre-flight' } })
  t.end()
})

t.test('a run like its baseline opens the gate, and so does drift, which is told', (t) => {
  const folder = checkout(t)
  writeRun(join(folder, 'runs', 'latest'), 'run-1', { ...GOOD, latency_ms: [10.4, 'ms'] })
  t.match(runWorkflow(folder), { exit: 0, output: /pre-flight gate: open/, kept: true })
  writeRun(join(folder, 'runs', 'latest'), 'run-2', { ...GOOD, latency_ms: [12, 'ms'] })
  t.match(runWorkflow(folder), { exit: 0, output: /PASS_WITH_DRIFT[\s\S]*gate: open/ })
  t.end()
})

t.test('what failed, was not tested, or has nothing to be compared with closes it', (t) => {
  const folder = checkout(t)
  const latest = join(folder, 'runs', 'latest')
  for (const [what, rows, verdict] of [
    ['a reset', { ...GOOD, reset_count: [1, 'count'] }, 'FAIL'],
    ['no counter of resets', { latency_ms: [10, 'ms'] }, 'FAIL'],
    ['no latency', { reset_count: [0, 'count'] }, 'NO_TEST'],
    ['another quantity', { ...GOOD, latency_ms: [10, 'V'] }, 'NO_TEST'],
  ] as const) {
    rmSync(latest, { recursive: true, force: true })
    writeRun(latest, 'run-3', rows)
    t.match(
      runWorkflow(folder),
      { exit: 2, output: new RegExp(`${verdict}: run-3[\\s\\S]*CLOSED by the verdict`), kept: true },
      what,
    )
  }
  writeRun(latest, 'golden-1', GOOD)
  t.match(runWorkflow(folder), { exit: 2, output: /NO_BASELINE/ }, 'a run is never its own baseline')
  t.end()
})

t.test('where nothing can be judged the gate is closed with the code that says why', (t) => {
  const folder = checkout(t)
  t.match(runWorkflow(folder), { exit: 66, output: /CLOSED because nothing could be judged \(exit 66\)/, kept: false })
  const script = join(folder, 'deploy', 'ci', 'pre-flight-gate.sh')
  t.equal(spawnSync(script, ['only-one']).status, 64)
  t.end()
})
