import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeJson } from '../../hil-testbed/report/campaign-file.ts'
import { usualHb } from '../../scripts/demo/processes.ts'
import { campaignOf, caseOf } from '../support/campaigns.ts'
import { RUN_REGISTRY, writeRun } from '../support/run-directories.ts'
import { LATEST, WHOLE_PROJECT, writeIn, writeProject } from '../support/trace-project.ts'

const RIG = 'hil-testbed/rigs/vessel/policy.yaml'

/** A run that says when it began: without it nobody knows which run is the newest. */
function run(root: string, id: string, resets: number): void {
  writeRun(join(root, id), id, { latency_ms: [10, 'ms'], reset_count: [resets, 'count'] })
  const start_utc = `2026-01-0${id.slice(-1)}T00:00:00Z`
  const meta = {
    schema_version: '1.0',
    run_id: id,
    program: 'demo',
    operating_mode: 'nominal',
    timestamps: { start_utc },
  }
  writeFileSync(join(root, id, 'run_meta.json'), JSON.stringify(meta))
  hb(root, ['analyze', '--run', id, '--baseline', 'golden', '--registry', 'metric_registry.yaml', '--out', `out-${id}`])
}

function hb(cwd: string, args: readonly string[], env: Record<string, string> = {}) {
  const { command, before } = usualHb()
  const { status, stdout, stderr } = spawnSync(command, [...before, ...args], {
    ...{ cwd, encoding: 'utf8' as const },
    env: { ...process.env, HB_PROGRAM: '', HB_READINESS_GATES: '', HB_GATE_FAIL_EXIT: '', ...env },
  })
  return { status, stdout, stderr }
}

t.test('hb hil trace fails while something is open, and takes the verdicts of a campaign', (t) => {
  const root = t.testdir({})
  writeProject(root)
  t.match(hb(root, ['hil', 'trace']), { status: 0, stdout: /^2 of 2 requirements are shown by 1 scenarios/ })
  writeIn(root, RIG, `${WHOLE_PROJECT[RIG]}# another limit\n`)
  const stale = hb(root, ['hil', 'trace', '--json'])
  t.match(stale, { status: 65, stderr: /TRACE_BROKEN/ })
  t.match(JSON.parse(stale.stdout), { problems: [{ reason: 'requirement_not_passed' }, { reason: 'verdict_stale' }] })
  writeJson(campaignOf([caseOf()]), join(root, 'report.json'))
  t.match(hb(root, ['hil', 'trace', '--record', 'report.json']), { status: 0 })
  writeJson(campaignOf([caseOf({ verdict: 'FAIL' })]), join(root, 'report.json'))
  t.match(hb(root, ['hil', 'trace', '--record', 'report.json', '--results', LATEST]), {
    status: 65,
    stdout: /SCN-ACT-001 failed/,
  })
  t.match(hb(root, ['hil', 'trace', '--root', 'nowhere']), { status: 66, stderr: /CONFIG_MISSING/ })
  t.end()
})

t.test('hb readiness gate opens on what was really analysed, and on nothing else', (t) => {
  const root = t.testdir({})
  writeFileSync(join(root, 'metric_registry.yaml'), RUN_REGISTRY)
  writeRun(join(root, 'golden'), 'golden-1', { latency_ms: [10, 'ms'], reset_count: [0, 'count'] })
  run(root, 'run-3', 0)
  const last = JSON.parse(readFileSync(join(root, 'out-run-3', 'drift_report.json'), 'utf8'))
  const reports = ['out-run-3/drift_report.json']
  for (const id of ['run-1', 'run-2']) {
    writeFileSync(
      join(root, `${id}.json`),
      JSON.stringify({ ...last, run_id: id, run_start_utc: '2026-01-01T00:00:00Z' }),
    )
    reports.push(`${id}.json`)
  }
  const digest = 'ab'.repeat(32)
  const row = { digest, program: 'demo', rig: 'loop', kind: 'golden', tags: [], in_force: true }
  writeFileSync(join(root, 'baselines.json'), JSON.stringify({ baselines: [row] }))
  const gate = (more: readonly string[], env = {}) =>
    hb(root, ['readiness', 'gate', 'Pre-Flight', '--report', ...reports, ...more], env)
  t.match(gate(['baselines.json']), { status: 0, stdout: /^Ready: Pre-Flight\nCRITERION/ })
  const open = gate(['--json'])
  t.equal(open.status, 30)
  t.match(JSON.parse(open.stdout), {
    verdict: 'At Risk',
    criteria: [{ is: 'met' }, { id: 'baseline-set', is: 'unknown' }],
  })
  run(root, 'run-3', 1)
  const closed = gate(['baselines.json'])
  t.match(closed, { status: 20, stdout: /critical-steady +missed +drifted or failed: reset_count in run-3/ })
  t.match(closed.stdout, /failures-kept +met +1 failures have their evidence/)
  rmSync(join(root, 'out-run-3', 'decision_record.json'))
  t.match(gate(['baselines.json']).stdout, /failures-kept +missed/)
  t.equal(gate(['baselines.json'], { HB_GATE_FAIL_EXIT: '1' }).status, 2)
  t.match(hb(root, ['readiness', 'gate', 'Post-Flight', '--report', 'baselines.json']), {
    status: 64,
    stderr: /Pre-CDR/,
  })
  writeFileSync(
    join(root, 'gates.yaml'),
    'version: "1.0"\ngates: { G: { criteria: [{ id: a, type: moon_is_full }] } }\n',
  )
  t.match(hb(root, ['readiness', 'gate', 'G', '--gates', 'gates.yaml', '--report', 'baselines.json']), {
    status: 30,
    stdout: /At Risk: G[\s\S]*not known here/,
  })
  t.end()
})
