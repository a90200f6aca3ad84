import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { killAll, type LogLine, runHb } from '../../scripts/demo/processes.ts'
import { hbEnded } from '../support/hb-ended.ts'
import { type RigActuator, startRigActuator } from '../support/pressure-actuators.ts'
import { createPressureRig, type PressureRig } from '../support/pressure-rig.ts'
import { type Stall, stallingProgram } from '../support/stalling-program.ts'

/** The time that a permit holds here. */
const HOLD_MS = 1000
const PROOF_H = 24

type Bench = Readonly<{ rig: PressureRig; pump: RigActuator; valve: RigActuator }>

async function bench(t: Test): Promise<Bench> {
  const rig = await createPressureRig()
  t.teardown(async () => {
    killAll()
    await rig.stop()
  })
  const [pump, valve] = await Promise.all([startRigActuator(rig, 'pump'), startRigActuator(rig, 'inlet-valve')])
  return { rig, pump, valve }
}

const endpointsOf = ({ pump, valve }: Bench) => ({ pump: pump.endpoint, 'inlet-valve': valve.endpoint })
const permits = ({ lines }: RigActuator): readonly LogLine[] => lines.filter(({ event }) => event === 'permit')
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let k = 0; k < 1500 && !holds(); k += 1) await pause(10)
  if (!holds()) throw new Error(`${what} did not come`)
}

// verifies SE-33, SE-34, SE-37, SE-38, SE-42
t.test(
  'an agent that is stopped loses its permit by the clock of the actuator, and only arming gives it back',
  async (t) => {
    const on = await bench(t)
    const { rig, pump } = on
    rig.configure({ targets: { pump: { proof_every_h: PROOF_H } }, endpoints: endpointsOf(on) })
    // It answers no proof until the test says so, not even the one that the agent makes by itself.
    await pump.order({ fault: 'no_ack', ms: 0, times: 1_000_000 })
    const { program: agent, lines: said, line } = await rig.agent('state')
    const proof = (target: string) => runHb(['actions', 'proof', target, '--state', 'state'], rig.path)
    await t.rejects(rig.arm('state'), { message: /ORDER_NOT_FOLLOWED.*PROOF_OVERDUE:pump/s }, 'the pump is not proved')
    await t.rejects(proof('horn'), { message: /TARGET_UNKNOWN/ })
    await t.rejects(proof('pump'), { message: /PROOF_FAILED/ })
    await line('the alarm', (one) => one['event'] === 'safety_alarm' && one['alarm'] === 'proof_overdue:pump')
    await pump.order({ fault: null })
    t.match(await proof('pump'), /is proved, the next one is due/)
    t.equal(permits(pump).length, 0, 'an agent that nobody armed holds nothing')
    await rig.arm('state')
    await until('the permit', () => permits(pump).length === 1)
    t.match(permits(pump)[0], { held: true })
    await pause(2 * HOLD_MS)
    t.equal(permits(pump).length, 1, 'it is held for twice as long as one stroke holds')

    process.kill(agent.pid, 'SIGSTOP')
    await until('the loss', () => permits(pump).length === 2)
    t.match(permits(pump)[1], { held: false, effect: 'de_energise' }, 'nobody told the actuator')
    process.kill(agent.pid, 'SIGCONT')
    await line('the loss', ({ event, target }) => event === 'permit_lost' && target === 'pump')
    t.ok(said.some(({ event, tokens }) => event === 'dead_man' && tokens === 'failed'))
    await line('the alarm of it', isPermitAlarm(true))
    t.match(await runHb(['arm', 'show', '--state', 'state'], rig.path), /IS ARMED, AND NOT.*PERMIT_LOST:pump/)
    t.match(await rig.json(['arm', 'show', '--state', 'state']), {
      rigs: [{ arm: { state: 'ARMED' }, against: ['PERMIT_LOST:pump'] }],
    })
    const looked = await hbEnded(['doctor', '--state', 'state'], rig.path)
    t.equal(looked.code, 69)
    t.match(looked.stdout, /FAIL +permits .*armed without it: pressure-loop PERMIT_LOST:pump/)
    t.match(looked.stdout, /FAIL +critical alarms of actions .*CRITICAL permit_lost:pump/)
    t.notMatch(looked.stdout, /all well/)
    await pause(HOLD_MS)
    t.equal(permits(pump).length, 2, 'the agent is well again, and takes nothing back by itself')
    await rig.arm('state')
    await until('the permit again', () => permits(pump).length === 3)
    t.match(permits(pump)[2], { held: true })
    await line('the end of the alarm', isPermitAlarm(false))
    t.match(await rig.json(['arm', 'show', '--state', 'state']), { rigs: [{ against: [], arm: { alarms: [] } }] })

    t.equal(await agent.stop(), 0)
    await until('the end of it', () => permits(pump).length === 4)
    t.match(permits(pump)[3], { held: false, effect: 'de_energise' }, 'an orderly stop drops it as declared')
    const order = said.map(({ event, reason }) => (event === 'arm' ? `arm ${String(reason)}` : event))
    t.ok(order.lastIndexOf('arm agent_stop') < order.lastIndexOf('permit_lost'), 'disarmed first')
    t.ok(order.lastIndexOf('permit_lost') < order.lastIndexOf('agent_stopped'))
    t.match(await runHb(['replay', '--state', 'state'], rig.path), /^equal: /, 'and what it did last is signed')
  },
)

// verifies SE-33, SE-36
t.test(
  'an agent that was killed armed says at its next start that the permit is lost; one that ended in order does not',
  async (t) => {
    const on = await bench(t)
    const { rig, pump } = on
    rig.configure({ endpoints: endpointsOf(on) })
    const armOf = async () => (await rig.json(['arm', 'show', '--state', 'state']))['rigs']
    const ordered = await rig.agent('state')
    await rig.arm('state')
    await until('the permit', () => permits(pump).length === 1)
    t.equal(await ordered.program.stop(), 0)
    const killed = await rig.agent('state')
    t.match(await armOf(), [{ arm: { state: 'PASSIVE', alarms: [] } }], 'who stops it knows what that does')
    await rig.arm('state')
    await until('the permit again', () => permits(pump).length === 3)
    t.equal(killed.lines.filter(isPermitAlarm(true)).length, 0)
    process.kill(killed.program.pid, 'SIGKILL')
    await killed.program.exited
    const { program, line, lines } = await rig.agent('state')
    t.match(await line('the alarm of it', isPermitAlarm(true)), { severity: 'CRITICAL' })
    const [stands] = (await armOf()) as { arm: { state: string; alarms: { id: string; severity: string }[] } }[]
    t.equal(stands!.arm.state, 'PASSIVE')
    t.match(
      stands!.arm.alarms.find(({ id }) => id === 'permit_lost:pump'),
      { severity: 'CRITICAL' },
    )
    await until('the loss', () => permits(pump).at(-1)?.['held'] === false)
    await rig.arm('state')
    await line('the end of the alarm', isPermitAlarm(false))
    t.equal(lines.filter(isPermitAlarm(true)).length, 1)
    t.match(permits(pump).at(-1), { held: true })
    t.equal(await program.stop(), 0)
    t.match(await runHb(['replay', '--state', 'state'], rig.path), /^equal: /)
  },
)

const isPermitAlarm =
  (isActive: boolean) =>
  ({ event, alarm, active }: LogLine): boolean =>
    event === 'safety_alarm' && alarm === 'permit_lost:pump' && active === isActive

/** What is said to stall, and by how many threads the rig is evaluated. */
const STAGES: readonly Readonly<{ stall: Stall; stage: string; threads: number }>[] = [
  { stall: 'worker', stage: 'worker 0', threads: 1 },
  { stall: 'gate', stage: 'the gates of pressure-loop', threads: 0 },
  { stall: 'ledger', stage: 'the ledger of actions', threads: 0 },
  { stall: 'disk', stage: 'the disk of the journal', threads: 0 },
]

// verifies SE-33, SE-34
t.test('each stage that stalls alone in a running agent drops the permit, and is named', async (t) => {
  const stalling = stallingProgram()
  t.teardown(() => stalling.remove())
  await Promise.all(
    [STAGES.slice(0, 2), STAGES.slice(2)].map(async (stages) => {
      const on = await bench(t)
      for (const one of stages) await stallsAt(t, on, { ...one, hb: stalling.hb })
    }),
  )
})

type Stalled = (typeof STAGES)[number] & Pick<ReturnType<typeof stallingProgram>, 'hb'>

async function stallsAt(t: Test, on: Bench, { stall, stage, threads, hb }: Stalled): Promise<void> {
  const { rig, pump, valve } = on
  const file = join(rig.path, `stall.${stall}`)
  rig.configure({ endpoints: endpointsOf(on), threads })
  const before = permits(pump).length
  const agent = await rig.agent(`state-${stall}`, { hb })
  // Where threads evaluate, nobody hears at once that an order was not followed: windows may not be full yet.
  for (let k = 0; k < 30 && permits(pump).length === before; k += 1) {
    await rig.arm(`state-${stall}`)
    await pause(300)
  }
  await pause(HOLD_MS)
  t.equal(permits(pump).length, before + 1, `${stall}: it is held`)
  t.notOk(existsSync(file))
  writeFileSync(file, '')
  const failed = await agent.line(`${stall}: found`, ({ event, tokens }) => event === 'dead_man' && tokens === 'failed')
  t.equal(failed['stage'], stage)
  for (const actuator of [pump, valve]) {
    await until(`${stall}: the loss`, () => permits(actuator).at(-1)?.['held'] === false)
    t.match(permits(actuator).at(-1), { held: false, effect: 'de_energise' }, `${stall}: the hardware is on its own`)
  }
  rmSync(file)
  process.kill(agent.program.pid, 'SIGKILL')
  await agent.program.exited
}
