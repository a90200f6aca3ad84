import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { usualHb } from '../../scripts/demo/processes.ts'
import { RUN_REGISTRY, writeRun } from '../support/run-directories.ts'

/** A folder with runs to analyse one after the other. */
function analyses(t: { teardown(run: () => void): void }) {
  const path = mkdtempSync(join(tmpdir(), 'hb-analyze-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  writeFileSync(join(path, 'registry.yaml'), RUN_REGISTRY)
  const run = (id: string, latency: number) =>
    writeRun(join(path, 'runs', id), id, { latency_ms: [latency, 'ms'], reset_count: [0, 'count'] })
  const analyze = (id: string, ...more: string[]) => {
    const { command, before } = usualHb()
    const args = [
      'analyze',
      '--run',
      join('runs', id),
      '--runs',
      'runs',
      '--registry',
      'registry.yaml',
      '--json',
      ...more,
    ]
    const done = spawnSync(command, [...before, ...args], { cwd: path, encoding: 'utf8' })
    return {
      exit: done.status,
      stderr: done.stderr,
      report: JSON.parse(done.stdout || '{}') as Record<string, unknown>,
    }
  }
  return { path, run, analyze }
}

t.test('hb analyze --runs chooses the baseline by the policy, and a drifted run is never the next one', (t) => {
  const { path, run, analyze } = analyses(t)
  run('r1', 10)
  t.match(analyze('r1'), { exit: 30, report: { status: 'NO_BASELINE', baseline_reason: 'no_runs' } })
  run('r2', 10.1)
  t.match(analyze('r2'), { exit: 30, report: { baseline_reason: 'no_pass' } }, 'NO_BASELINE is no pass to begin with')
  t.match(analyze('r2', '--baseline', 'r1'), {
    exit: 0,
    report: { baseline_reason: 'explicit', baseline_run_id: 'r1' },
  })
  run('r3', 12)
  t.match(analyze('r3'), { exit: 10, report: { baseline_run_id: 'r2', baseline_reason: 'last_pass' } })
  run('r4', 12.1)
  t.match(analyze('r4'), { exit: 10, report: { baseline_run_id: 'r2' } }, 'r3 only drifted')
  t.match(
    analyze('r2'),
    { exit: 30, report: { baseline_run_id: null } },
    'never itself, though it is the only one that passed',
  )

  writeFileSync(
    join(path, 'runs', 'baseline_tags.json'),
    JSON.stringify({ tags: [{ tag: 'golden', run_id: 'r1', program: 'demo' }] }),
  )
  writeFileSync(join(path, 'policy.yaml'), 'baseline_policy: { strategy: golden }\n')
  t.match(analyze('r4', '--policy', 'policy.yaml'), {
    exit: 10,
    report: { baseline_run_id: 'r1', baseline_reason: 'tag', baseline_match_level: 'TAG' },
  })
  const lines = readFileSync(join(path, 'runs', 'lineage.jsonl'), 'utf8')
    .trim()
    .split('\n')
  t.equal(lines.length, 7)
  t.match(JSON.parse(lines.at(-1)!), { run_id: 'r4', status: 'PASS_WITH_DRIFT', policy_hash: /^[0-9a-f]{12}$/ })
  writeFileSync(join(path, 'runs', 'lineage.jsonl'), 'nothing\n')
  t.match(analyze('r4'), { exit: 65, stderr: /RUN_META_SHAPE/ })
  t.end()
})
