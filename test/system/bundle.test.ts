import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { onceArmable } from '../../scripts/demo/operators.ts'
import { killAll, type LogLine, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { type BenchFolder, createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'
import { privatePem, type TestPerson } from '../support/certified-baselines.ts'
import { signedBundle } from '../support/config-bundles.ts'
import { bytesOf } from '../support/config-texts.ts'
import { hbEnded } from '../support/hb-ended.ts'
import { OPERATOR_LINES, PEOPLE, publicPem } from '../support/operator-keys.ts'

const RIG = `  - rig: this-host
    program: demo
    registry_file: load.registry.yaml
    slide_ms: 200
    windows_ms: [2000]
    sources:
      - { name: proc, type: host, every_ms: 200 }
`
const registry = (failMax: number, more = ''): string =>
  `version: "1.0"\nmetrics:\n  load_1m: { unit: "1", nominal_rate_hz: 5, baseline_required: false, fail_max: ${failMax}${more} }\n`

type Json = Record<string, unknown>
type Said = Readonly<{ code: number | null; json: Json; text: string }>

async function bench(t: Test): Promise<BenchFolder> {
  const folder = await createBenchFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  for (const name of PEOPLE) folder.write(`${name}.pub`, publicPem(name))
  for (const name of [...PEOPLE, 'mallory'] as TestPerson[]) folder.write(`${name}.key`, privatePem(name))
  folder.write('load.registry.yaml', registry(100_000))
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: RIG, extra: OPERATOR_LINES }))
  return folder
}

/** The same configuration beside it, to be changed and signed. */
function desk(folder: BenchFolder, change: (text: string) => string = (text) => text): void {
  const at = (name: string): string => join(folder.path, name)
  const more = existsSync(at('load.actions.yaml')) ? ['load.actions.yaml'] : []
  for (const name of ['load.registry.yaml', 'sign.pem', ...more, ...PEOPLE.map((one) => `${one}.pub`)])
    copyFileSync(at(name), at(`desk/${name}`))
  folder.write('desk/runtime.yaml', change(readFileSync(at('runtime.yaml'), 'utf8')))
}

const hb =
  (folder: BenchFolder) =>
  async (...args: string[]): Promise<Said> => {
    const { code, stdout, stderr } = await hbEnded([...args, '--json'], folder.path)
    const text = stdout === '' ? stderr : stdout
    return { code, text, json: JSON.parse(text.trim().split('\n').at(-1)!) as Json }
  }

const startAgent = (folder: BenchFolder, line?: (line: LogLine) => void): Program =>
  startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], {
    folder: folder.path,
    ...(line === undefined ? {} : { line }),
  })

// verifies SE-39, REQ-CFG-001
t.test('a bundle is activated, holds over a kill, is refused whole when broken, and replays equal', async (t) => {
  const folder = await bench(t)
  const said = hb(folder)
  mkdirSync(join(folder.path, 'desk'))
  let agent = startAgent(folder)
  await agent.event('agent_started')
  await agent.event('verdict')

  desk(folder)
  folder.write('desk/load.registry.yaml', registry(0))
  const sign = ['bundle', 'sign', '--config', 'desk/runtime.yaml', '--key']
  t.match(
    (await said(...sign, 'ada.key', '--out', 'one.bundle', '--number', '7', '--reason', 'load must be none')).json,
    {
      number: 7,
      agent: 'bench-1',
      signers_needed: 1,
      note: 'keys distinct, persons unproven',
    },
  )
  t.match((await said('bundle', 'verify', 'one.bundle', '--config', 'runtime.yaml')).json, {
    ok: true,
    signers: ['ada'],
  })
  const change = { what: 'limit', key: 'metrics.load_1m.fail_max', from: '100000', to: '0' }
  t.match((await said('bundle', 'diff', 'one.bundle', '--state', 'state')).json, {
    files: [{ file: 'load.registry.yaml', role: 'registry', changes: [change] }],
  })
  const activated = await said('bundle', 'activate', 'one.bundle', '--state', 'state')
  t.equal(activated.code, 0)
  t.match(activated.json, { activated: true, number: 7, signers: ['ada'], changes: { files: [{ changes: [change] }] } })
  t.match(await agent.event('bundle_activated'), { number: 7, signers: ['ada'], digest: activated.json['digest'] })

  const broken = await refuseEach(t, folder)
  t.comment(`counted: bundles that a running agent refused | ${broken} | whole, the one before stays`)

  process.kill(agent.pid, 'SIGKILL')
  await agent.exited
  const failed = new Promise<LogLine>((resolve) => {
    agent = startAgent(folder, (line) => {
      if (line['event'] === 'verdict' && line['verdict'] === 'FAIL') resolve(line)
    })
  })
  t.match(await agent.event('bundle_in_force'), { number: 7, config: activated.json['config'] })
  t.match(await failed, { driver: /load_1m/ }, 'any load is above the limit of the bundle')
  const again = await said('bundle', 'activate', 'one.bundle', '--state', 'state')
  t.match(problemCodes(again), ['number_not_above'], 'it is not played back')
  const looked = await said('doctor', '--config', 'runtime.yaml', '--state', 'state')
  const findings = looked.json['findings'] as { check: string; detail: string }[]
  t.match(
    findings.find(({ check }) => check === 'bundle')?.detail,
    new RegExp(`number 7, digest ${String(activated.json['digest'])}, signed by ada`),
  )
  t.equal(await agent.stop(), 0)
  t.match(await runHb(['replay', '--state', 'state'], folder.path), /^equal: /)
  t.match((await said('bundle', 'diff', 'one.bundle', '--state', 'state')).json, { files: [] }, 'without the agent too')
})

function problemCodes({ json }: Said): string[] {
  const { problems } = json['error'] as { problems: { code: string }[] }
  return problems.map(({ code }) => code)
}

/** Hands in what must not be taken. @returns how many */
async function refuseEach(t: Test, folder: BenchFolder): Promise<number> {
  const said = hb(folder)
  const sign = (key: string, out: string, number: number) =>
    said('bundle', 'sign', '--config', 'desk/runtime.yaml', '--key', key, '--out', out, '--number', String(number))
  const give = (file: string) => said('bundle', 'activate', file, '--state', 'state')
  await sign('mallory.key', 'stranger.bundle', 8)
  desk(folder, (text) =>
    text.replace('decisions: { batch_ms: 100 }', 'decisions: { batch_ms: 500 }\nhealth: { port: 9999 }'),
  )
  await sign('ada.key', 'ports.bundle', 9)
  t.match(await sign('ada.key', 'ports.bundle', 9), { code: 64 }, 'nothing is written over')
  const bytes = readFileSync(join(folder.path, 'one.bundle'))
  bytes[bytes.length >> 1]! ^= 4
  writeFileSync(join(folder.path, 'flipped.bundle'), bytes)
  folder.write('desk/load.registry.yaml', registry(1, ', fail_min: 2'))
  t.match(await sign('ada.key', 'inverted.bundle', 10), { code: 78 }, 'nobody signs what is no configuration')
  const cases: readonly [string, readonly string[]][] = [
    ['stranger.bundle', ['unknown_key']],
    ['ports.bundle', ['needs_restart', 'needs_restart', 'needs_restart']],
    ['one.bundle', ['number_not_above']],
  ]
  for (const [file, codes] of cases) {
    const answer = await give(file)
    t.equal(answer.code, 77, file)
    t.same(problemCodes(answer), codes, file)
  }
  t.not((await give('flipped.bundle')).code, 0)
  writeFileSync(join(folder.path, 'inverted.bundle'), invertedBundle(folder))
  const inverted = await give('inverted.bundle')
  t.same(problemCodes(inverted), ['unknown_key', 'mistake', 'number_not_above'], 'every problem at once')
  t.match(inverted.text, /load\.registry\.yaml.*fail_m/s)
  t.match(JSON.stringify((await give('ports.bundle')).json), /decisions\.batch_ms.*health\.host.*health\.port/s)
  return cases.length + 2
}

/** Made by hand: limits the wrong way round, a stranger beside an operator, and a number that is too low. */
function invertedBundle({ path }: BenchFolder): Uint8Array {
  const names = ['runtime.yaml', 'load.registry.yaml', ...PEOPLE.map((one) => `${one}.pub`)]
  const files = names.map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(path, name))) }))
  files[1] = { name: 'load.registry.yaml', bytes: new Uint8Array(bytesOf(registry(1, ', fail_min: 2'))) }
  const draft = { number: 5, rigs: [{ rig: 'this-host', program: 'demo' }] }
  return signedBundle(files, { by: ['ada', 'mallory'], draft })
}

const RULED = RIG.replace('    slide_ms', '    actions_policy_file: load.actions.yaml\n    slide_ms')
const EXECUTORS = 'executors:\n  - { target: control-room, type: notify, channels: [{ type: log }] }\n'
const actions = (above: number): string => `version: 2
targets:
  - { name: control-room, executor: notify, groups: [] }
hazards:
  - action: notify
    target: control-room
    inadvertent: none
    omission: marginal
    reason: somebody should look at a machine that is that busy
    ftti_ms: 600000
    safe_state: somebody knows
rules:
  - id: busy
    action: notify
    target: control-room
    vote: 1ooN
    modes: [nominal]
    conditions:
      - { id: a, metric: load_1m, window_ms: 2000, op: ">", value: ${above}, persistence: 3 }
    rearm: auto
    clear_ms: 60000
budgets:
  - { action: notify, most: 30, window_ms: 3600000 }
`

// verifies SE-22, SE-39
t.test('a policy of actions takes two people, and what was armed under another one is not any more', async (t) => {
  const folder = await bench(t)
  const said = hb(folder)
  mkdirSync(join(folder.path, 'desk'))
  folder.write('load.actions.yaml', actions(90_000))
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: RULED, extra: `${OPERATOR_LINES}${EXECUTORS}` }))
  const agent = startAgent(folder)
  await agent.event('agent_started')
  await agent.event('verdict')
  const by = (who: string) => ['--state', 'state', '--key', `${who}.key`, '--reason', 'for the run', '--json']
  await onceArmable(async () => {
    const { order } = JSON.parse(await runHb(['arm', ...by('ada')], folder.path)) as { order: string }
    await runHb(['orders', 'confirm', order.slice(0, 12), ...by('grace')], folder.path)
  })
  const armed = async () =>
    ((await said('mode', 'show', '--state', 'state')).json['rigs'] as { config: string; arm: { state: string } }[])[0]!
  const before = await armed()
  t.equal(before.arm.state, 'ARMED')

  desk(folder)
  folder.write('desk/load.actions.yaml', actions(80_000))
  await said('bundle', 'sign', '--config', 'desk/runtime.yaml', '--key', 'ada.key', '--out', 'one.bundle')
  const alone = await said('bundle', 'activate', 'one.bundle', '--state', 'state')
  t.same(problemCodes(alone), ['too_few_signers'])
  t.equal((await armed()).arm.state, 'ARMED', 'what is refused disarms nothing')
  t.match(problemCodes(await said('bundle', 'sign', 'one.bundle', '--key', 'ada.key', '--out', 'x.bundle')), [
    'repeated_key',
  ])
  await said('bundle', 'sign', 'one.bundle', '--key', 'grace.key', '--out', 'two.bundle')
  const taken = await said('bundle', 'activate', 'two.bundle', '--state', 'state')
  t.match(taken.json, { activated: true, signers: ['ada', 'grace'] })
  t.match(taken.json['changes'], {
    files: [
      { role: 'policy of actions', changes: [{ what: 'rule', key: 'rules[busy].conditions[a].value', to: '80000' }] },
    ],
  })
  const after = await armed()
  t.equal(after.arm.state, 'PASSIVE')
  t.not(after.config, before.config, 'another digest is to be armed')
  t.equal(await agent.stop(), 0)
  t.match(await runHb(['replay', '--state', 'state'], folder.path), /^equal: /)
})
