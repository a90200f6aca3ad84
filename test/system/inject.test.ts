import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { usualHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'
import { RUN_REGISTRY, writeRun } from '../support/run-directories.ts'

const REGISTRY = `version: "1.0"
metrics:
  flow: { unit: "1", nominal_rate_hz: 10, fail_min: 10, fail_max: 200, baseline_required: false }
  level: { unit: "1", nominal_rate_hz: 10, fail_min: 0, fail_max: 9, baseline_required: false }
`
const RIG = (file: string): string => `  - rig: stand
    program: demo
    testbed: true
    registry_file: stand.registry.yaml
    slide_ms: 100
    windows_ms: [500]
    sources:
      - { name: file, type: csv, file: ${file}, time_column: t_us, speed: max }
`
const START_US = 1_750_000_000_000_000

/** Twenty seconds, in which nothing is wrong. */
function recording(): string {
  const rows = Array.from(
    { length: 200 },
    (_, k) => `${START_US + k * 100_000},${100 + (k % 7) / 4},${5 + (k % 3) / 4}`,
  )
  return `${['t_us,flow,level', ...rows].join('\n')}\n`
}

type Ended = Readonly<{ code: number | null; out: string; err: string }>

async function bench(t: Test) {
  // What was injected counts in a testbed alone.
  const folder = await createBenchFolder({ realm: 'testbed' })
  t.teardown(folder.remove)
  const hb = (...args: string[]): Ended => {
    const { command, before } = usualHb()
    const ended = spawnSync(command, [...before, ...args], { cwd: folder.path, encoding: 'utf8' })
    return { code: ended.status, out: ended.stdout, err: ended.stderr }
  }
  folder.write('clean.csv', recording())
  const at = (...names: string[]): string => join(folder.path, ...names)
  return { folder, hb, at, read: (...names: string[]) => readFileSync(at(...names), 'utf8') }
}

t.test('an agent sees a fault that hb inject wrote into a recording, where it was written', async (t) => {
  const { folder, hb, read } = await bench(t)
  folder.write('stand.registry.yaml', REGISTRY)
  const what = [
    '--fault',
    'sensor.bias',
    '--channel',
    'level',
    '--param',
    'offset=20',
    '--onset-s',
    '8',
    '--duration-s',
    '4',
  ]
  const done = hb('inject', ...what, '--input', 'clean.csv', '--output', 'bias.csv', '--json')
  t.equal(done.code, 0, done.err)
  t.match(JSON.parse(done.out), {
    fault: 'sensor.bias',
    files: [{ rows_in: 200, rows_out: 200, rows_marked: 40, first_row: 81, last_row: 120, cells: { level: 40 } }],
  })
  t.equal(hb('inject', ...what, '--input', 'clean.csv', '--output', 'again.csv').code, 0)
  t.equal(read('again.csv'), read('bias.csv'), 'the same seed, the same bytes')

  const failures = (file: string): { from: number; of: string[] }[] => {
    folder.write('runtime.yaml', runtimeYaml({ clock: 'recording', rigs: RIG(file), extra: 'realm: testbed\n' }))
    const state = `state-${file}`
    t.equal(hb('runtime', '--config', 'runtime.yaml', '--state', state).code, 0)
    const listed = JSON.parse(hb('decisions', 'list', '--state', state, '--verdict', 'FAIL', '--json').out)
    return (listed.decisions as { time_us: number; findings: { channel: string }[] }[]).map(
      ({ time_us, findings }) => ({ from: time_us - START_US, of: findings.map(({ channel }) => channel) }),
    )
  }
  t.same(failures('clean.csv'), [])
  const found = failures('bias.csv')
  t.ok(found.length > 10)
  t.ok(found.every(({ from, of }) => from > 8_000_000 && from < 13_000_000 && of.every((one) => one === 'level')))
})

t.test('a comparison and a plan see a fault that hb inject wrote into a run', async (t) => {
  const { folder, hb, at, read } = await bench(t)
  writeRun(at('good'), 'run-good', { latency_ms: [10, 'ms'], reset_count: [0, 'count'] })
  folder.write('registry.yaml', RUN_REGISTRY)
  const inject = (output: string, ...args: string[]): Ended =>
    hb('inject', '--input', 'good', '--output', output, ...args)
  const slow = inject('slow', '--fault', 'sensor.bias', '--metric', 'latency_ms', '--param', 'offset=3')
  t.equal(slow.code, 0, slow.err)
  t.match(JSON.parse(read('slow', 'run_meta.json')), {
    run_id: 'run-good.sensor.bias',
    injected: { fault: 'sensor.bias', seed: 1 },
  })
  const compare = (run: string): number | null =>
    hb('compare', '--baseline', 'good', '--run', run, '--registry', 'registry.yaml').code
  t.equal(compare('good'), 30, 'no run is its own baseline')
  t.equal(compare('slow'), 10)
  t.equal(inject('reset', '--fault', 'stuck_at', '--metric', 'reset_count', '--value', '2').code, 0)
  t.equal(compare('reset'), 20)
  folder.write(
    'plan.yaml',
    'plan_id: p\nscenarios:\n  - { id: s, run_artifact_dir: slow, baseline_artifact_dir: good, baseline_key: k }\n',
  )
  t.equal(hb('plan', 'run', 'plan.yaml', '--registry', 'registry.yaml', '--out', 'out').code, 10)
})

t.test('hb inject --fault all: a file for each fault, and what was changed where', async (t) => {
  const { hb, at, read } = await bench(t)
  const all = hb(
    'inject',
    '--fault',
    'all',
    '--input',
    'clean.csv',
    '--output',
    'all',
    '--onset-s',
    '5',
    '--param',
    'low=4',
  )
  t.equal(all.code, 0, all.err)
  const index = JSON.parse(read('all', 'index.json')) as {
    faults: { fault: string; output: string; files: { rows_marked: number; first_row: number }[] }[]
    left_out: { fault: string; reason: string }[]
  }
  const written = ['index.json', ...index.faults.map(({ output }) => output)]
  t.same(readdirSync(at('all')).sort(), written.sort())
  t.ok(index.faults.length > 35, `${index.faults.length} faults`)
  t.ok(index.faults.every(({ files }) => files[0]!.rows_marked > 0))
  t.same(
    index.left_out.map(({ fault }) => fault),
    ['sensor.saturation', 'sensor.plausible'],
  )
  t.match(index.left_out[0]?.reason, /params\.high: found nothing/)
})

t.test('hb inject refuses what it cannot do, all mistakes at once, and leaves nothing behind', async (t) => {
  const { hb, at } = await bench(t)
  const refused = (...args: string[]): Ended => hb('inject', '--input', 'clean.csv', '--output', 'x.csv', ...args)
  const wrong = refused('--fault', 'sensor.bais', '--channel', 'flwo', '--seed', 'q', '--scale', '2')
  t.equal(wrong.code, 64)
  for (const told of [/--seed/, /--scale/, /did you mean `flow`/, /did you mean `sensor.bias`/])
    t.match(wrong.err, told)
  t.match(refused('--fault', 'sensor.bias', '--param', 'offset=0'), { code: 65, err: /INJECT_NOTHING/ })
  t.equal(existsSync(at('x.csv')), false, 'nothing is left that looks like a result')
  t.match(refused('--fault', 'compute.kill'), { code: 64, err: /a bench/ })
  t.match(refused('--fault', 'sensor.bias', '--input', 'none.csv'), { code: 66, err: /INJECT_INPUT/ })
  t.match(refused('--fault', 'sensor.bias', '--output', 'clean.csv'), { code: 64, err: /exists/ })
})
