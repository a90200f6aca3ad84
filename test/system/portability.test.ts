import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BUNDLE, killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import { type BenchFolder, createBenchFolder, hostRig, runtimeYaml } from '../support/bench-folder.ts'

type Json = Record<string, unknown>

const json = async (folder: BenchFolder, ...args: string[]): Promise<Json> =>
  JSON.parse(await runHb([...args, '--json'], folder.path)) as Json
const failure = async (folder: BenchFolder, ...args: string[]): Promise<string> => {
  try {
    await runHb([...args, '--json'], folder.path)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

t.test('a sensor is replaced while the agent runs, survives its death, and its calibration is watched', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: hostRig(200) }))
  const start = () =>
    startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder: folder.path })
  const sensor = ['--serial', 'S-2', '--cal-date', '2020-01-01', '--due', '2021-01-01', '--operator', 'Ada']
  const replace = (channel: string, ...more: string[]) =>
    ['channel', 'replace', channel, '--state', 'state', ...sensor, ...more] as const
  const agent = start()
  await agent.event('agent_started')

  t.match(await failure(folder, ...replace('load_1n')), /CHANNEL_UNKNOWN.*did you mean `load_1m`/s)
  t.match(await failure(folder, ...replace('load_1m', '--rig', 'nowhere')), /RIG_UNKNOWN/)
  t.match(await failure(folder, ...replace('load_1m', '--due', '2021-02-30')), /a date of the calendar/)
  t.match(await json(folder, ...replace('load_1m', '--reason', 'drifted')), {
    rig: 'this-host',
    metric: 'load_1m',
    cal_due: '2021-01-01',
  })
  t.match(await agent.event('sensor_replaced'), { metric: 'load_1m', serial: 'S-2' })
  t.match(await agent.event('calibration_overdue'), { code: 'CALIBRATION_OVERDUE', source: 'sensor S-2' })
  process.kill(agent.pid, 'SIGKILL')
  await agent.exited

  const next = start()
  t.match(await next.event('calibration_overdue'), { metric: 'load_1m', due: '2021-01-01' }, 'after a restart too')
  t.equal(await next.stop(), 0)
  t.match(await json(folder, 'channel', 'list', '--state', 'state'), {
    replaced: [{ rig: 'this-host', channel: 'load_1m', serial: 'S-2', operator: 'Ada', reason: 'drifted' }],
  })
  const doctor = await json(folder, 'doctor', '--config', 'runtime.yaml', '--state', 'state')
  t.equal(doctor['ok'], true, 'a warning is no failure')
  t.match(
    (doctor['findings'] as Json[]).find(({ check }) => check === 'calibration'),
    { ok: true, warns: true, detail: /this-host\/load_1m was due 2021-01-01/, remedy: /hb channel replace/ },
  )
  t.match(await runHb(['replay', '--state', 'state'], folder.path), /^equal: /)
})

t.test('a channel is explained, a registry is looked through, and an overdue calibration is said', async (t) => {
  const folder = await createBenchFolder()
  t.teardown(() => folder.remove())
  const registry = readFileSync(join(folder.path, 'host.registry.yaml'), 'utf8')
  const calibrated = registry.replace(
    'fail_max: 1000 }',
    'fail_max: 1000, calibration: { offset: -0.5, source: Lab 7, date: 2020-01-01, due: 2021-01-01 } }',
  )
  folder.write('host.registry.yaml', calibrated)
  folder.write('eq.yaml', 'version: "7"\nmappings: [{ source_name: LAST, target_name: load_1m, scale: 0.01 }]\n')
  const rig = hostRig(200).replace('    slide_ms', '    equivalence_file: eq.yaml\n    slide_ms')
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: rig }))
  t.match(await json(folder, 'registry', 'explain', 'LAST', '--config', 'runtime.yaml'), {
    rigs: [
      {
        rig: 'this-host',
        metric: 'load_1m',
        steps: [
          { kind: 'equivalence', from: 'LAST', factor: 0.01, source: 'eq.yaml', version: '7' },
          { kind: 'calibration', offset: -0.5, source: 'Lab 7', version: '2020-01-01' },
        ],
        total: { factor: 0.01, offset: -0.5 },
      },
    ],
  })
  t.match(await runHb(['registry', 'explain', 'LAST', '--config', 'runtime.yaml'], folder.path), /value × 0.01 − 0.5/)
  t.match(
    await runHb(['registry', 'explain', 'load_1m', '--config', 'runtime.yaml'], folder.path),
    /mapped from `LAST`/,
  )
  const checked = await json(folder, 'config', 'check', 'runtime.yaml')
  t.match(checked['warnings'], [{ code: 'CALIBRATION_OVERDUE', metric: 'load_1m', due: '2021-01-01' }])
  t.match(await json(folder, 'lint', 'registry', 'host.registry.yaml'), { ok: true, findings: [] })
  folder.write('trap.yaml', registry.replace('fail_max: 1000', 'fail_threshold: 1000'))
  const linted = spawnSync(BUNDLE.command, [...BUNDLE.before, 'lint', 'registry', 'trap.yaml', '--json'], {
    cwd: folder.path,
    encoding: 'utf8',
  })
  t.equal(linted.status, 78)
  t.match(JSON.parse(linted.stdout), {
    ok: false,
    mistakes: 0,
    findings: [{ rule: 'fail_threshold_without_critical', file: 'trap.yaml', line: 6 }],
  })
  t.match(await failure(folder, 'lint', 'registry', 'absent.yaml'), /CONFIG_MISSING/)
})
