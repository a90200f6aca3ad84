import t, { type Test } from 'tap'
import type { LedgerTransition } from '../../agent/pipeline/action-ledger.ts'
import { killAll } from '../../scripts/demo/processes.ts'
import type { ActionRequest } from '../../shared/protocol/actuator.ts'
import { type LyingActuator, startLyingActuator } from '../support/lying-actuator.ts'
import { type RigActuator, startRigActuator } from '../support/pressure-actuators.ts'
import { OVER_PRESSURE } from '../support/pressure-plant.ts'
import { FTTI_MS, type TargetLines } from '../support/pressure-policy.ts'
import {
  calm,
  createPressureRig,
  historyOf,
  type PressureRig,
  type StartedAgent,
  type TargetName,
  type Told,
  untilTold,
} from '../support/pressure-rig.ts'

t.setTimeout(0)

let rig: PressureRig
let pump: RigActuator
let valve: RigActuator
let tests = 0

t.before(async () => {
  rig = await createPressureRig()
  pump = await startRigActuator(rig, 'pump')
  valve = await startRigActuator(rig, 'inlet-valve')
})
t.teardown(async () => {
  killAll()
  await rig.stop()
})

type Bench = Readonly<{
  /** Where the targets are, when not at the simulated actuators. */
  endpoints?: Partial<Record<TargetName, string>>
  targets?: TargetLines
  /** What happens between the arming and the fault. */
  before?: (agent: StartedAgent) => Promise<void>
}>
type Outcome = Readonly<{ agent: StartedAgent; state: string; shutdown: Told; isolate: Told | undefined }>

/** An armed agent, an over-pressure, and what had come of it when everything had ended. */
async function overPressure(
  t: Test,
  { endpoints = {}, targets = {}, before }: Bench,
  ended: (told: readonly Told[]) => boolean,
): Promise<Outcome> {
  tests += 1
  const state = `case-${tests}`
  calm(rig)
  rig.configure({ targets, endpoints: { pump: pump.endpoint, 'inlet-valve': valve.endpoint, ...endpoints } })
  const agent = await rig.agent(state)
  t.teardown(() => agent.program.stop())
  await rig.arm(state)
  await before?.(agent)
  rig.plant.readings.bar = OVER_PRESSURE
  const told = await untilTold(rig, { state, what: 'the end' }, ended)
  const shutdown = told.find(({ action }) => action.action === 'shutdown')
  if (shutdown === undefined) throw new Error('no shutdown')
  return { agent, state, shutdown, isolate: told.find(({ action }) => action.action === 'isolate') }
}

const isIn =
  (action: string, state: string) =>
  (told: readonly Told[]): boolean =>
    told.some((one) => one.action.action === action && one.action.state === state)
const isolated = isIn('isolate', 'VERIFIED')

const reasonsOf = (steps: readonly LedgerTransition[]): string[] => steps.flatMap(({ reasons }) => reasons)
const count = ({ steps }: Told, state: string): number =>
  steps.filter((step) => step.state === state && step.from !== state).length
const refused = (agent: StartedAgent, reason: RegExp): number =>
  agent.lines.filter(({ event, reasons }) => event === 'safety_refused' && reason.test(String(reasons))).length
const alarm = (agent: StartedAgent, id: string): unknown =>
  agent.lines.find(({ event, alarm: name, active }) => event === 'safety_alarm' && name === id && active === true)?.[
    'severity'
  ]

/** A pump that says what a test wants; when it does what it is asked, the flow stops. */
async function lyingPump(
  t: Test,
  asked: (request: ActionRequest, self: Pick<LyingActuator, 'ack' | 'requests'>) => void,
): Promise<LyingActuator> {
  const lying = await startLyingActuator({ target: 'pump', key: rig.keys.pump }, asked)
  t.teardown(() => lying.stop())
  return lying
}
const stopFlow = (): void => {
  rig.plant.readings.flow = 0
}

// verifies SE-41
t.test('an acknowledgement of a key that nobody asked for counts for nothing, and is told', async (t) => {
  const lying = await lyingPump(t, ({ key }, self) => {
    self.ack('nobody-asked-for-this', 'completed')
    for (const stage of ['accepted', 'started', 'completed'] as const) self.ack(key, stage)
    stopFlow()
  })
  const { agent, shutdown, state } = await overPressure(
    t,
    { endpoints: { pump: lying.endpoint } },
    isIn('shutdown', 'VERIFIED'),
  )
  const told = await agent.line('it is told', ({ event }) => event === 'ack_ignored')
  t.match(told, { reason: 'unknown key', action_key: 'nobody-asked-for-this' })
  t.equal(shutdown.action.state, 'VERIFIED', historyOf(shutdown))
  t.equal((await rig.told(state)).length, 1, 'there is no action that nobody proposed')
})

// verifies SE-16
t.test('an acknowledgement that is said again moves nothing', async (t) => {
  const lying = await lyingPump(t, ({ key }, self) => {
    for (let k = 0; k < 4; k += 1) self.ack(key, 'accepted')
    self.ack(key, 'started')
    self.ack(key, 'accepted')
    self.ack(key, 'completed')
    self.ack(key, 'started')
    stopFlow()
  })
  const { agent, shutdown } = await overPressure(
    t,
    { endpoints: { pump: lying.endpoint } },
    isIn('shutdown', 'VERIFIED'),
  )
  const stages = ['ACCEPTED', 'STARTED', 'COMPLETED', 'VERIFIED']
  t.same(
    stages.map((stage) => count(shutdown, stage)),
    [1, 1, 1, 1],
    historyOf(shutdown),
  )
  t.equal(refused(agent, /BACKWARD:accepted in ACCEPTED/), 3)
  t.equal(refused(agent, /BACKWARD:accepted in STARTED/), 1)
  t.equal(refused(agent, /BACKWARD:started in COMPLETED/), 1)
})

// verifies SE-16
t.test('what is acknowledged after a failure is noted beside it: FAILED stands, and the inlet is shut', async (t) => {
  const lying = await lyingPump(t, ({ key }, self) => {
    for (const stage of ['accepted', 'failed', 'started', 'completed'] as const) self.ack(key, stage)
  })
  const { agent, shutdown, isolate } = await overPressure(t, { endpoints: { pump: lying.endpoint } }, isolated)
  t.equal(shutdown.action.state, 'FAILED', historyOf(shutdown))
  t.ok(reasonsOf(shutdown.steps).includes('LATE:completed'), 'the late success is in the ledger')
  t.equal(count(shutdown, 'COMPLETED'), 0)
  t.equal(alarm(agent, 'action_failed:over-pressure'), 'CRITICAL')
  t.equal(valve.effects().get(isolate!.action.key), 1)
})

// verifies SE-41
t.test('what another actuator says of an action is not believed, and it is named', async (t) => {
  const lying = await lyingPump(t, ({ key }, self) => {
    stranger.ack(key, 'failed')
    self.ack(key, 'failed', 'pump-2')
    setTimeout(() => {
      for (const stage of ['accepted', 'started', 'completed'] as const) self.ack(key, stage)
      stopFlow()
    }, 200)
  })
  const stranger = await startLyingActuator({ target: 'inlet-valve', key: rig.keys['inlet-valve'] }, () => undefined)
  t.teardown(() => stranger.stop())
  const endpoints = { pump: lying.endpoint, 'inlet-valve': stranger.endpoint }
  const { agent, shutdown } = await overPressure(t, { endpoints }, isIn('shutdown', 'VERIFIED'))
  t.equal(shutdown.action.state, 'VERIFIED', historyOf(shutdown))
  t.equal(refused(agent, /^IDENTITY:inlet-valve$/), 1)
  t.equal(alarm(agent, 'stranger:pump'), 'WARNING')
  t.equal(refused(agent, /pump-2/), 0, 'a name that the key does not vouch for does not come past the link')
})

// verifies SE-16
t.test('a storm of refusals is one REJECTED, a bounded number of notes, and no more', async (t) => {
  const STORM = 2000
  const lying = await lyingPump(t, ({ key }, self) => {
    for (let k = 0; k < STORM; k += 1) self.ack(key, 'rejected')
  })
  const { agent, shutdown, isolate, state } = await overPressure(t, { endpoints: { pump: lying.endpoint } }, isolated)
  t.equal(shutdown.action.state, 'REJECTED', historyOf(shutdown))
  t.equal(count(shutdown, 'REJECTED'), 1)
  const [now] = (await rig.told(state)).filter(({ action }) => action.action === 'shutdown')
  t.ok(now!.steps.length <= 12, `${now!.steps.length} steps of ${STORM} refusals`)
  await agent.line('the rest is told', ({ event, reason }) => event === 'ack_ignored' && reason === 'too many')
  t.equal(lying.requests.length, 1, 'a refusal is an answer: it is not asked again')
  t.equal(valve.effects().get(isolate!.action.key), 1, 'and it does not keep the agent from acting elsewhere')
})

// verifies SE-17
t.test('an actuator that says it did it and did not: VERIFY_FAILED, CRITICAL, and the inlet is shut', async (t) => {
  await pump.order({ fault: 'ack_without_effect', times: 1 })
  const { agent, shutdown, isolate } = await overPressure(t, {}, isolated)
  t.equal(shutdown.action.state, 'VERIFY_FAILED', historyOf(shutdown))
  t.equal(count(shutdown, 'COMPLETED'), 1, 'its word was taken down')
  t.equal(pump.effects().get(shutdown.action.key), 0)
  t.equal(alarm(agent, 'verify_failed:over-pressure'), 'CRITICAL')
  t.equal(valve.effects().get(isolate!.action.key), 1)
})

// verifies SE-14
t.test(
  'an actuator that does it once more when it is asked again: its count is two, and the agent says so',
  async (t) => {
    await pump.order({ fault: 'late_ack', ms: 700, times: 1 })
    const before = pump.lines.length
    const forget = setInterval(() => {
      if (!pump.lines.slice(before).some(({ event }) => event === 'request')) return
      clearInterval(forget)
      void pump.order({ fault: 'forget_keys', times: 1 })
    }, 5)
    t.teardown(() => clearInterval(forget))
    const { agent, shutdown, state } = await overPressure(
      t,
      { targets: { pump: { accept_timeout_ms: 400 } } },
      isIn('shutdown', 'VERIFIED'),
    )
    t.equal(pump.effects().get(shutdown.action.key), 2, 'it does not know a key again, though it said that it does')
    t.equal(shutdown.action.attempt, 2)
    await agent.line('it is named', ({ event, reasons, state: is, from }) => {
      const says = (word: RegExp): boolean => word.test(String(reasons))
      return (event === 'safety_refused' && says(/BACKWARD:/)) || (event === 'action' && is === from && says(/LATE:/))
    })
    t.equal((await rig.told(state))[0]!.action.state, 'VERIFIED')
  },
)

// verifies SE-14, SE-16
t.test(
  'no acknowledgement at all: asked again under the same key, TIMED_OUT inside the FTTI, the inlet is shut',
  async (t) => {
    await pump.order({ fault: 'no_ack', times: 10 })
    const { agent, shutdown, isolate } = await overPressure(t, {}, isolated)
    await pump.order({ fault: null })
    t.equal(shutdown.action.state, 'TIMED_OUT', historyOf(shutdown))
    t.ok(reasonsOf(shutdown.steps).includes('TIMEOUT:accept'))
    const asked = pump.lines.filter(({ event, key }) => event === 'request' && key === shutdown.action.key)
    t.same(
      asked.map(({ attempt }) => attempt),
      [1, 2],
    )
    const spentUs = shutdown.action.lastUs - shutdown.action.firstUs
    t.ok(spentUs < FTTI_MS * 1000, `${spentUs} µs`)
    t.equal(alarm(agent, 'action_failed:over-pressure'), 'CRITICAL')
    t.equal(valve.effects().get(isolate!.action.key), 1)
  },
)

// verifies SE-16
t.test('an actuator that begins and does not end: TIMED_OUT, its late word noted, the inlet is shut', async (t) => {
  await pump.order({ fault: 'slow', ms: 800, times: 1 })
  const { shutdown, isolate, state } = await overPressure(
    t,
    { targets: { pump: { complete_timeout_ms: 200, start_timeout_ms: 300 } } },
    isolated,
  )
  t.equal(shutdown.action.state, 'TIMED_OUT', historyOf(shutdown))
  t.ok(reasonsOf(shutdown.steps).includes('TIMEOUT:start'))
  const late = (told: readonly Told[]): boolean =>
    told.some(({ action, steps }) => action.action === 'shutdown' && reasonsOf(steps).includes('LATE:completed'))
  const told = await untilTold(rig, { state, what: 'the late word' }, late)
  t.equal(told.find(({ action }) => action.action === 'shutdown')!.action.state, 'TIMED_OUT', 'the end stands')
  t.equal(valve.effects().get(isolate!.action.key), 1)
})

// verifies SE-15, SE-17
t.test('an actuator that begins and says no more: two people find that it failed, and the inlet is shut', async (t) => {
  const lying = await lyingPump(t, ({ key }, self) => {
    for (const stage of ['accepted', 'started'] as const) self.ack(key, stage)
  })
  const { state, agent } = await overPressure(
    t,
    { endpoints: { pump: lying.endpoint }, targets: { pump: { complete_timeout_ms: 3_000 } } },
    isIn('shutdown', 'STARTED'),
  )
  const [{ action }] = (await rig.told(state)) as [Told]
  const asked = await rig.json(['actions', 'ack', action.key, '--outcome', 'failed', ...rig.by(state, 'ada')])
  t.equal(asked['state'], 'waits')
  await rig.json(['orders', 'confirm', String(asked['order']), ...rig.by(state, 'grace')])
  const told = await untilTold(rig, { state, what: 'the end' }, isolated)
  const shutdown = told.find((one) => one.action.action === 'shutdown')!
  t.equal(shutdown.action.state, 'FAILED', historyOf(shutdown))
  t.ok(reasonsOf(shutdown.steps).includes('BY:ada,grace'))
  t.equal(alarm(agent, 'action_failed:over-pressure'), 'CRITICAL')
})

// verifies SE-16
t.test(
  'an actuator that dies: named before anything is asked of it, TIMED_OUT unsent, the inlet is shut',
  async (t) => {
    const dead = await startLyingActuator({ target: 'pump', key: rig.keys.pump }, () => undefined)
    const before = async ({ line }: StartedAgent): Promise<void> => {
      await dead.stop()
      await line('down', ({ event, target }) => event === 'executor_down' && target === 'pump')
    }
    const { agent, shutdown, isolate } = await overPressure(t, { endpoints: { pump: dead.endpoint }, before }, isolated)
    await t.rejects(rig.arm(`case-${tests}`), { message: /PEER_DOWN:pump/ }, 'and nobody arms the rig without it')
    t.equal(shutdown.action.state, 'TIMED_OUT', historyOf(shutdown))
    t.ok(reasonsOf(shutdown.steps).includes('TIMEOUT:send'))
    t.ok(agent.lines.some(({ event, reason }) => event === 'action_not_sent' && reason === 'EXECUTOR_UNREACHABLE'))
    t.equal(alarm(agent, 'action_failed:over-pressure'), 'CRITICAL')
    t.equal(valve.effects().get(isolate!.action.key), 1)
  },
)

t.test('whatever the actuators did, every journal comes to the same again', async (t) => {
  for (let k = 1; k <= tests; k += 1) {
    const { equal, unsigned } = await rig.json(['replay', '--state', `case-${k}`])
    t.same({ equal, unsigned }, { equal: true, unsigned: 0 }, `case ${k}`)
  }
})
