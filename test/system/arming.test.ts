import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { killAll, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder } from '../support/bench-folder.ts'
import { privatePem } from '../support/certified-baselines.ts'
import { hbEnded } from '../support/hb-ended.ts'
import { PEOPLE } from '../support/operator-keys.ts'
import { changed, LOOP_ACTIONS, LOOP_RUNTIME } from '../support/policy-texts.ts'
import { startPressurePlant } from '../support/pressure-plant.ts'
import { writeLoop } from '../support/recorded-loop.ts'

type Json = Record<string, unknown>

/** A folder of an agent of the pressure loop whose collector is not there; its plant and its actuators are. */
async function loopAlone(t: Test): Promise<string> {
  const folder = await createBenchFolder({ realm: 'testbed' })
  const plant = await startPressurePlant('pressure-loop')
  t.teardown(() => {
    killAll()
    plant.stop()
    folder.remove()
  })
  writeLoop(folder.path)
  const endpoints = await Promise.all(
    (['pump', 'inlet-valve'] as const).map(async (id) => {
      const key = id === 'pump' ? 'pump.key' : 'valve.key'
      const args = ['--id', id, '--endpoint', 'tcp://127.0.0.1:0', '--key', key, '--state', id, '--agent', 'bench-1']
      const { endpoint } = await startHb(id, ['hil', 'actuator', ...args], { folder: folder.path }).event('listening')
      return String(endpoint)
    }),
  )
  const sources = Object.entries(plant.endpoints).map(
    ([name, endpoint]) =>
      `      - { name: ${name}, type: zmq, pattern: sub, endpoint: "${endpoint}", provenance: simulated }\n`,
  )
  const text = LOOP_RUNTIME.replace('tcp://127.0.0.1:5611', endpoints[0]!)
    .replace('tcp://127.0.0.1:5612', endpoints[1]!)
    .replace(/ {6}- \{ name: daq-1.*\n/, sources.join(''))
    .replace(
      'signing_key_file: sign.pem\n',
      `signing_key_file: sign.pem
collector: { url: "wss://127.0.0.1:${folder.ports.agents}/agent", ca_file: ca.pem, cert_file: agent.pem, key_file: agent.key, collector_key_file: receipts.pub.pem }
`,
    )
  writeLoop(folder.path, LOOP_ACTIONS, text)
  for (const name of PEOPLE) folder.write(`${name}.pem`, privatePem(name, 'testbed'))
  return folder.path
}

type Hb = (line: string, ...more: string[]) => Promise<Json & { code: number | null }>
const by = (who: string): string[] => ['--key', `${who}.pem`, '--reason', 'run 12']
const confirm = (asked: Json): string => `orders confirm ${String(asked['order'])}`
const standing = async (hb: Hb): Promise<Json> => ((await hb('arm show'))['rigs'] as { arm: Json }[])[0]!.arm

// verifies SE-21, SE-22, SE-25, SE-26, SE-27, SE-35
t.test(
  'arm, confirm, list, show, inhibit, execute, rearm, break-glass, disarm: as the page says, and without a collector',
  async (t) => {
    const folder = await loopAlone(t)
    const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state', '--stay'], { folder })
    await agent.event('agent_started')
    const hb: Hb = async (line, ...more) => {
      const { code, stdout, stderr } = await hbEnded(
        [...line.split(' '), '--state', 'state', '--json', ...more],
        folder,
      )
      return { code, ...(JSON.parse(code === 0 ? stdout : stderr) as Json) }
    }
    await armable(hb)
    await armByTwo(t, hb)
    await inhibitByTwo(t, hb)
    await actByHand(t, hb)
    await breakGlass(t, hb, folder)

    const told = await hbEnded(['doctor', '--config', 'runtime.yaml', '--state', 'state'], folder)
    t.equal(told.code, 69)
    t.match(told.stdout, /^FAIL +collector/m)
    t.match(told.stdout, /^ok +armed +pressure-loop ARMED until .* by ada and grace$/m)
    t.match(told.stdout, /^warn +inhibited +will not be done: pressure-loop rule:high-pressure until/m)
    t.match(told.stdout, /^warn +break-glass +one person orders alone: pressure-loop by kay until/m)
    t.match(told.stdout, /^ok +ledger of actions +can be read/m)
    t.match(told.stdout, 'not an E-stop, not a certified safety function')

    const ended = await hb('uninhibit rule:high-pressure', ...by('kay'))
    t.match(ended, { code: 0, state: 'waits' }, 'a bypass is ended by two')
    t.equal((await hb(confirm(ended), ...by('grace'))).code, 0)
    t.equal((await hb('disarm', ...by('kay'))).code, 0, 'one person, one act')
    t.match(await standing(hb), { state: 'PASSIVE', inhibits: [], break_glass: null })
    t.equal((await hb('arm off', ...by('kay'))).code, 0)
    t.match(await standing(hb), { state: 'OFF' })
    t.equal((await hb('arm passive', ...by('ada'))).code, 0)
    t.match(await standing(hb), { state: 'PASSIVE' })
    const idle = await hb('actions execute notify --target control-room --confirm-rig pressure-loop', ...by('kay'))
    t.match(idle, { code: 77, error: { code: 'ORDER_NOT_FOLLOWED' } }, 'what nobody armed is not called done')
    t.match(JSON.stringify(idle), /WOULD_HAVE_DONE, NOT_ARMED:PASSIVE/)
    t.equal(await agent.stop(), 0)
    const after = await hbEnded(['doctor', '--state', 'state'], folder)
    t.equal(after.code, 0, after.stdout)
    t.match(after.stdout, /^ok +armed +nothing: no agent runs here$/m)
    t.match(await hb('replay'), { code: 0, equal: true, unsigned: 0 }, 'all of it is signed, and replayed')
  },
)

/** Until actuators answer and windows are full: before, nobody can arm (SE-37). */
async function armable(hb: Hb): Promise<void> {
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    const asked = await hb('arm --for 1h', ...by('ada'))
    if ((await hb(confirm(asked), ...by('grace'))).code === 0) break
  }
  await hb('disarm', ...by('kay'))
}

async function armByTwo(t: Test, hb: Hb): Promise<void> {
  t.match(await standing(hb), { state: 'PASSIVE', inhibits: [] })
  for (const line of ['arm --for 13h', 'arm --rig nope', 'inhibit foo', 'inhibit rule:nope'])
    t.not((await hb(line, ...by('ada'))).code, 0, `${line} is refused at the first act`)
  t.match(await hb('inhibit rule:high-pressure', '--key', 'ada.pem', '--reason', 'two\nlines'), { code: 77 })
  t.match(await hb('orders list'), { waiting: [] })
  const asked = await hb('arm --for 1h', ...by('ada'))
  t.equal(asked.code, 0)
  const { waiting } = (await hb('orders list')) as unknown as { waiting: Json[] }
  t.match(waiting, [{ order: asked['order'], kind: 'arm', rig: 'pressure-loop', by: 'ada' }])
  t.equal((await hb(confirm(asked), ...by('ada'))).code, 77, 'nobody confirms their own')
  t.match(await standing(hb), { state: 'PASSIVE' })
  t.equal((await hb(confirm(asked), ...by('grace'))).code, 0)
  t.match(await standing(hb), { state: 'ARMED', by: ['ada', 'grace'] })
}

async function inhibitByTwo(t: Test, hb: Hb): Promise<void> {
  const asked = await hb('inhibit rule:high-pressure --for 10m', ...by('kay'))
  t.match(await standing(hb), { inhibits: [] }, 'one person inhibits nothing')
  t.equal((await hb(confirm(asked), ...by('ada'))).code, 0)
  const inhibited = await standing(hb)
  t.match(inhibited, { inhibits: [{ subject: 'rule:high-pressure' }] })
  t.ok((inhibited['alarms'] as Json[]).some(({ id }) => id === 'inhibited:rule:high-pressure'))
}

/** What can be ordered in a second or so; each look at the list takes as long as a process does. */
const LOOKS_MAX = 50

async function actByHand(t: Test, hb: Hb): Promise<void> {
  const execute = 'actions execute notify --target control-room --confirm-rig'
  t.equal((await hb(`${execute} pump-loop`, ...by('kay'))).code, 64, 'the rig is typed out')
  t.equal((await hb(`${execute} pressure-loop`, ...by('kay'))).code, 0)
  const actions = async () => (await hb('actions list'))['actions'] as { key: string; action: string; state: string }[]
  let [done] = await actions()
  for (let looks = 0; done?.state !== 'VERIFIED' && looks < LOOKS_MAX; looks += 1) [done] = await actions()
  t.match(done, { action: 'notify', state: 'VERIFIED' })
  const { transitions } = (await hb(`actions show ${done!.key.slice(0, 12)}`)) as unknown as { transitions: Json[] }
  t.equal(transitions[0]?.['state'], 'PROPOSED')
  const asked = await hb(`actions ack ${done!.key} --outcome failed`, ...by('kay'))
  t.match(asked, { code: 0, state: 'waits' }, 'what came of an action takes two people')
  t.match(
    await hb(confirm(asked), ...by('ada')),
    { code: 77, error: { code: 'ORDER_NOT_FOLLOWED' } },
    'what has ended stays as it is',
  )
  const rehearsed = await hb(`${execute} pressure-loop --dry-run`, ...by('kay'))
  t.match(rehearsed, { code: 0, actions: [{ action: 'notify', state: 'WOULD_HAVE_DONE', reasons: ['DRY_RUN'] }] })
  t.match((await actions())[0], { action: 'notify', state: 'WOULD_HAVE_DONE' })
  t.match(await hb(`actions cancel ${done!.key}`, ...by('kay')), { code: 77 }, 'what has ended is not cancelled')
  const again = await hb('rearm over-pressure', ...by('kay'))
  t.match(again, { code: 0, state: 'waits' })
  t.match(
    await hb(confirm(again), ...by('ada')),
    { code: 77, error: { code: 'ORDER_NOT_FOLLOWED' } },
    'what is not spent is not armed again',
  )
}

/** One person, two acts; then that person alone orders what takes two, nobody else does, and every list says so. */
async function breakGlass(t: Test, hb: Hb, folder: string): Promise<void> {
  const shutdown = 'actions execute shutdown --target pump --confirm-rig pressure-loop'
  const typed = '--confirm-rig pressure-loop'
  t.match(await hb(`break-glass confirm ${typed}`, ...by('kay')), { code: 77 }, 'nothing was asked for')
  t.equal((await hb('break-glass ask --confirm-rig pump-loop', ...by('kay'))).code, 64, 'the rig is typed out')
  const tooLong = await hb(`break-glass ask ${typed} --for 16m`, ...by('kay'))
  t.match(JSON.stringify(tooLong), /ORDER_NOT_FOLLOWED.*GLASS_TOO_LONG/)
  t.equal((await hb(`break-glass ask ${typed} --for 15m`, ...by('kay'))).code, 0)
  t.match(await standing(hb), { break_glass: null, break_glass_asked: { by: 'kay', reason: 'run 12' } })
  t.match(JSON.stringify(await hb(`break-glass confirm ${typed}`, ...by('ada'))), 'ASKED_BY_ANOTHER')
  t.equal((await hb(`break-glass confirm ${typed}`, ...by('kay'))).code, 0)
  t.match(await standing(hb), { break_glass: { by: 'kay', reason: 'run 12' } })
  const lists = ['arm show', 'orders list', 'actions list', 'alarms list', 'top --once --every 0.1']
  const shown = await Promise.all(lists.map((list) => hbEnded([...list.split(' '), '--state', 'state'], folder)))
  shown.forEach(({ stdout }, k) => {
    t.match(stdout, /^! BREAK-GLASS on pressure-loop by kay until .*: run 12$/m, lists[k]!)
  })
  t.match(await hb(shutdown, ...by('ada')), { code: 0, state: 'waits' }, 'another person orders nothing alone')
  t.match(await hb(shutdown, ...by('kay')), { code: 0, state: 'done', by: ['kay'] })
  const { actions } = (await hb('actions list')) as unknown as { actions: { key: string; action: string }[] }
  t.match(actions[0], { action: 'shutdown' })
  const { transitions } = (await hb(`actions show ${actions[0]!.key}`)) as unknown as { transitions: Json[] }
  t.match(
    transitions.find(({ state }) => state === 'RELEASED'),
    { reasons: ['BREAK_GLASS:SECOND_PERSON'], note: 'break_glass' },
  )
}

// verifies SE-44
t.test(
  'doctor fails where a missing action is catastrophic and there is no second layer, or an executor has no key',
  async (t) => {
    const folder = t.testdir({})
    const layer = '    second_layer: pressure relief valve PRV-1, set to 9.5 bar\n'
    // One of two may then have to do, and must last its window: that takes longer.
    const grave = changed(
      changed(
        LOOP_ACTIONS,
        'inadvertent: critical\n    omission: critical',
        'inadvertent: critical\n    omission: catastrophic',
      ),
      'ftti_ms: 2600',
      'ftti_ms: 4000',
    )
    writeLoop(folder, grave.replace(layer, ''))
    const look = () => hbEnded(['doctor', '--config', 'runtime.yaml'], folder)
    const bare = await look()
    t.equal(bare.code, 69)
    t.match(
      bare.stdout,
      /^FAIL +second layer +catastrophic when it does not come, and nothing beyond us: pressure-loop: shutdown of pump$/m,
    )
    writeLoop(folder, grave)
    const sound = await look()
    t.equal(sound.code, 0, sound.stdout)
    t.match(
      sound.stdout,
      /^ok +second layer +pressure-loop: shutdown of pump: pressure relief valve PRV-1, set to 9.5 bar$/m,
    )
    t.match(sound.stdout, /^ok +keys of executors +2 can be read$/m)
    writeFileSync(join(folder, 'pump.key'), 'not a key\n', { mode: 0o600 })
    const wrong = await look()
    t.equal(wrong.code, 69)
    t.match(wrong.stdout, /^FAIL +key of pump +/m)
    rmSync(join(folder, 'pump.key'))
    t.equal((await look()).code, 69)
  },
)

t.test('doctor says that a ledger cannot be read', async (t) => {
  const folder = t.testdir({ state: { 'actions.sqlite': 'this is no database, whatever its name says '.repeat(40) } })
  const { code, stdout } = await hbEnded(['doctor', '--state', 'state'], folder)
  t.equal(code, 69)
  t.match(stdout, /^FAIL +ledger of actions/m)
})
