import t, { type Test } from 'tap'
import type { ExecutorAck } from '../../agent/ports.ts'
import { killAll } from '../../scripts/demo/processes.ts'
import {
  type ActuatorFolder,
  actionRequest,
  createActuatorFolder,
  type NotingExecutor,
  type StartedActuator,
  startExecutor,
} from '../support/actuator-process.ts'

const IS_UP = ({ ups }: NotingExecutor): boolean => ups.length > 0

type Bench = StartedActuator & Readonly<{ folder: ActuatorFolder; link: NotingExecutor }>

/** An actuator in a process of its own, and the executor of an agent that is connected to it. */
async function bench(t: Test, args: readonly string[] = []): Promise<Bench> {
  const folder = createActuatorFolder()
  const started = await folder.start('actuator', args)
  const link = await startExecutor({ endpoint: started.endpoint, key: folder.key })
  t.teardown(async () => {
    await link.executor.stop()
    killAll()
    folder.remove()
  })
  await link.until('up', () => IS_UP(link))
  return { ...started, folder, link }
}

const stagesOf = (acks: readonly ExecutorAck[], key: string): string[] =>
  acks.filter((ack) => ack.key === key).map(({ status }) => status)

// verifies SE-14
t.test('a repeated key is answered with the first outcome and has one effect, over a crash too', async (t) => {
  const { folder, endpoint, link } = await bench(t)
  const { executor, acks, until } = link
  await executor.send(actionRequest())
  await until('completed', () => stagesOf(acks, 'key-0001').includes('completed'))
  t.same(stagesOf(acks, 'key-0001'), ['accepted', 'started', 'completed'])
  t.ok(
    acks.every(({ from }) => from === 'actuator'),
    'under the name that the key of the link proves',
  )
  await executor.send(actionRequest({ attempt: 2 }))
  await until('the first outcome', () => acks.length === 4)
  t.equal(acks[3]!.status, 'completed')
  await executor.send(actionRequest({ key: 'key-0002', action: 'abort' }))
  await until('the other key', () => stagesOf(acks, 'key-0002').includes('completed'))
  await executor.send(actionRequest({ key: 'key-0002', action: 'isolate' }))
  await until('a refusal', () => acks.at(-1)!.status === 'rejected')
  t.match(acks.at(-1)!.message, /used for something else/)

  killAll()
  await until('down', () => link.downs.length > 0)
  t.equal(await executor.query('key-0001', 100), 'no_answer')
  await t.rejects(executor.send(actionRequest()), { code: 'EXECUTOR_UNREACHABLE' })
  await folder.start('again', [], Number(endpoint.split(':').at(-1)))
  await until('up again', () => link.ups.length === 2)
  await executor.send(actionRequest({ attempt: 3 }))
  await until('the first outcome again', () => acks.at(-1)!.key === 'key-0001')
  t.equal(acks.at(-1)!.status, 'completed')
  t.match(await executor.query('key-0002', 2000), { status: 'completed', from: 'actuator' })
  t.equal(await executor.query('key-0003', 2000), 'unknown_key')
  const { effects, by_key } = await folder.count()
  t.equal(effects, 2)
  t.same(by_key, { 'key-0001': { effects: 1, stage: 'completed' }, 'key-0002': { effects: 1, stage: 'completed' } })
})

type Wrong = Readonly<{ fault: string; ms?: number; stages: readonly string[]; effects: number; query: string }>
/** What each fault of an actuator looks like from an agent, and what was really done. */
const FAULTS: readonly Wrong[] = [
  { fault: 'no_ack', stages: [], effects: 0, query: 'unknown_key' },
  { fault: 'nack', stages: ['rejected'], effects: 0, query: 'rejected' },
  { fault: 'late_ack', ms: 150, stages: ['accepted', 'started', 'completed'], effects: 1, query: 'completed' },
  { fault: 'ack_without_effect', stages: ['accepted', 'started', 'completed'], effects: 0, query: 'completed' },
  { fault: 'effect_without_ack', stages: [], effects: 1, query: 'completed' },
  { fault: 'double_execution', stages: ['accepted', 'started', 'completed'], effects: 2, query: 'completed' },
  { fault: 'slow', ms: 50, stages: ['accepted', 'started', 'completed'], effects: 1, query: 'completed' },
]

t.test('an actuator is wrong in every way it can be told to, and its count says what was done', async (t) => {
  const { folder, link, order } = await bench(t)
  const { executor, acks, until } = link
  for (const { fault, ms = 0, stages, effects, query } of FAULTS) {
    const key = `key-${fault}`
    await order({ fault, ms, times: 1 })
    await executor.send(actionRequest({ key }))
    await until(fault, () => stagesOf(acks, key).length === stages.length)
    const answer = await executor.query(key, 2000)
    t.equal(typeof answer === 'string' ? answer : answer.status, query, `${fault}: what a query says`)
    await until(fault, () => stagesOf(acks, key).length === stages.length)
    t.same(stagesOf(acks, key), stages, `${fault}: acknowledged`)
    t.equal((await folder.count()).by_key[key]?.effects ?? 0, effects, `${fault}: done`)
  }
  await order({ fault: 'forget_keys' })
  await executor.send(actionRequest({ key: 'key-forgot' }))
  await executor.send(actionRequest({ key: 'key-forgot', attempt: 2 }))
  await until('done twice', () => stagesOf(acks, 'key-forgot').filter((one) => one === 'completed').length === 2)
  t.equal(await executor.query('key-forgot', 2000), 'unknown_key')
  t.equal((await folder.count()).by_key['key-forgot']?.effects, 2)
  t.comment(`counted: faults of an actuator | ${FAULTS.length + 1} | each seen by the agent as it should be`)
})

// verifies SE-42
t.test('a proof test takes the whole path there and back and does nothing', async (t) => {
  const { folder, link, order } = await bench(t)
  t.equal(await link.executor.proof(2000), true)
  await order({ fault: 'nack' })
  t.equal(await link.executor.proof(2000), false, 'the peer says that the path is not well')
  await order({ fault: 'no_ack' })
  t.equal(await link.executor.proof(100), false, 'no answer is no proof')
  killAll()
  await link.until('down', () => link.downs.length > 0)
  t.equal(await link.executor.proof(100), false)
  t.equal((await folder.count()).effects, 0)
})

// verifies SE-34
t.test('when strokes stop the actuator drops by itself, and only a deliberate beginning brings it back', async (t) => {
  const { folder, link } = await bench(t, ['--loss-effect', 'de_energise'])
  const { executor } = link
  const stroke = (token: number, begin: boolean, holdMs: number): Promise<string> =>
    executor.stroke({ token, begin, holdMs, timeoutMs: 2000 })
  t.equal(await stroke(1, false, 60_000), 'lost', 'nothing holds that was not begun')
  t.equal(await stroke(2, true, 60_000), 'held')
  t.equal(await stroke(3, false, 200), 'held')
  let lost = 0
  for (let k = 0; k < 200 && lost === 0; k += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    lost = (await folder.count()).permit_lost
  }
  t.equal(lost, 1, 'nobody told it to: the time of the last stroke was over')
  t.equal(await stroke(4, false, 60_000), 'lost', 'strokes that go on do not bring it back')
  t.equal(await stroke(4, true, 60_000), 'lost', 'nor does a token that was used')
  t.equal(await stroke(5, true, 60_000), 'held')
})

t.test('an actuator that is not the declared one is not driven', async (t) => {
  const wrong: readonly [string[], object, RegExp][] = [
    [['--no-testbed'], {}, /no testbed/],
    [[], { testbed: false }, /of a testbed, the rig is none/],
    [['--no-idempotent'], {}, /does not know keys/],
    [['--loss-effect', 'hold_last'], { lossEffect: 'de_energise' }, /does hold_last/],
  ]
  for (const [args, options, reason] of wrong) {
    const folder = createActuatorFolder()
    const { program, endpoint } = await folder.start('actuator', args)
    const link = await startExecutor({ endpoint, key: folder.key, ...options })
    await link.until('down', () => link.downs.length > 0)
    t.match(link.downs[0], reason)
    t.equal(IS_UP(link), false)
    await t.rejects(link.executor.send(actionRequest()), { code: 'EXECUTOR_UNREACHABLE' })
    await link.executor.stop()
    t.equal(await program.stop(), 0)
    folder.remove()
  }
})

t.test('who has another key, or another name, gets no session', async (t) => {
  const folder = createActuatorFolder()
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  const { program, endpoint } = await folder.start('actuator')
  const stranger = await startExecutor({ endpoint, key: new Uint8Array(32).fill(7) })
  t.match(await program.event('message_refused'), { kind: 'masquerade' })
  await stranger.executor.stop()
  const elsewhere = await startExecutor({ endpoint, key: folder.key, identity: 'pump' })
  await elsewhere.until('down', () => elsewhere.downs.length > 0)
  t.equal(IS_UP(elsewhere), false)
  await elsewhere.executor.stop()
})

t.test('commands that cannot be followed say why', async (t) => {
  const folder = createActuatorFolder()
  t.teardown(() => folder.remove())
  await t.rejects(folder.start('fault', ['--fault', 'explode']), /USAGE[\s\S]*no_ack/)
  await t.rejects(folder.start('name', ['--id', 'Big Valve']), /USAGE/)
  await t.rejects(folder.count(), /ACTUATOR_STATE/)
})
