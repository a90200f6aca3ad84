import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Dealer, Push } from 'zeromq'
import { fetchDesktop, giveOrder } from '../../agent/cli/order-client.ts'
import { onceArmable } from '../../scripts/demo/operators.ts'
import { killAll, runHb, startHb } from '../../scripts/demo/processes.ts'
import {
  decodeLockstep,
  encodeLockstep,
  type FromLockstepAgent,
  type LockstepMessage,
} from '../../shared/protocol/lockstep.ts'
import {
  BEGIN_US,
  type ExternalBench,
  externalFolder,
  QUANTUM_US,
  removeFolder,
  startExternalBench,
} from '../support/external-bench.ts'
import { OVER_PRESSURE } from '../support/pressure-plant.ts'
import { RIG } from '../support/pressure-rig.ts'

const HOUR_US = 3_600_000_000

type Action = Readonly<{ key: string; action: string; target: string; state: string; first_us: number }>

async function arm({ folder, nowUs }: ExternalBench): Promise<void> {
  const state = join(folder, 'state')
  const by = (name: string) => ({ state, key: join(folder, `${name}.pem`), reason: 'a test' })
  const config = (await fetchDesktop(state)).rigs[0]!.config ?? ''
  await onceArmable(async () => {
    const asked = await giveOrder(by('ada'), { kind: 'arm', rig: RIG, config, untilUs: nowUs() + HOUR_US })
    await giveOrder(by('grace'), { kind: 'confirm', rig: RIG, subject: String(asked['order']), config })
  })
}

/** The loop is armed, bursts nearly, and is shut down. @returns what the agent did, and the digest of all it decided */
async function run(folder: string): Promise<{ actions: readonly Action[]; digest: string; untilUs: number }> {
  const bench = await startExternalBench(folder)
  const json = async (...args: string[]) =>
    JSON.parse(await runHb([...args, '--state', 'state', '--json'], folder)) as Record<string, unknown>
  const actions = async (): Promise<readonly Action[]> =>
    (await json('actions', 'list'))['actions'] as readonly Action[]
  for (let k = 0; k < 40; k += 1) await bench.step()
  await arm(bench)
  for (let k = 0; k < 10; k += 1) await bench.step()
  bench.readings.bar = OVER_PRESSURE
  await bench.stepUntil('an effect', () => bench.effects('pump') > 0)
  bench.readings.bar = 5
  for (let k = 0; k < 40; k += 1) await bench.step()
  const untilUs = bench.nowUs()
  const done = await actions()
  if ((await bench.stop()) !== 0)
    throw new Error(`the agent did not end in order: ${JSON.stringify(bench.lines.at(-1))}`)
  if (!bench.lines.some(({ event }) => event === 'permit_held')) throw new Error('no permit was held')
  const { digest } = await json('decisions', 'digest')
  const replayed = await json('replay')
  if (replayed['equal'] !== true) throw new Error(JSON.stringify(replayed))
  return { actions: done, digest: String(digest), untilUs }
}

t.teardown(() => killAll())

t.test('the same grants give the same decisions and actions, byte for byte', async (t) => {
  const first = externalFolder()
  const second = externalFolder(first)
  t.teardown(() => [first, second].forEach(removeFolder))
  const startMs = performance.now()
  const [one, two] = [await run(first), await run(second)]
  t.comment(`two runs: ${Math.round(performance.now() - startMs)} ms`)
  t.match(one.actions, [{ action: 'shutdown', target: 'pump', state: 'VERIFIED' }])
  t.equal(two.digest, one.digest)
  t.same(two.actions, one.actions)
  t.equal(two.untilUs, one.untilUs)
  t.same(readFileSync(join(second, 'runtime.yaml')), readFileSync(join(first, 'runtime.yaml')))
})

/** A bench without manners: says anything, and gives what it is answered. */
function rawBench(folder: string) {
  const socket = new Dealer({ linger: 0, receiveTimeout: 10_000 })
  socket.connect(`ipc://${join(folder, 'lockstep.sock')}`)
  const say = async (...parts: Uint8Array[]): Promise<FromLockstepAgent> => {
    await socket.send(parts)
    const opened = decodeLockstep('agent', new Uint8Array((await socket.receive())[0]!))
    if (!opened.ok) throw new Error(opened.detail)
    return opened.message
  }
  return { say, tell: (message: LockstepMessage) => say(encodeLockstep(message)), close: () => socket.close() }
}

const start = (folder: string) =>
  startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], { folder })
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

t.test('what does not fit is refused by name, and nothing moves', async (t) => {
  const folder = externalFolder()
  const agent = start(folder)
  const [bench, other] = [rawBench(folder), rawBench(folder)]
  const daq = new Push({ linger: 0 })
  t.teardown(() => {
    for (const one of [bench, other, daq]) one.close()
    removeFolder(folder)
  })
  const grant = { t: 'grant', n: 1, until_us: BEGIN_US + QUANTUM_US, frames: {}, heard: {} } as const
  const refused = async (code: string, message: LockstepMessage): Promise<void> => {
    t.match(await bench.tell(message), { t: 'refused', code }, JSON.stringify(message))
  }
  await refused('ORDER', grant)
  await refused('TIME', { t: 'hello', begin_us: 1_000_000 })
  t.match(await bench.tell({ t: 'hello', begin_us: BEGIN_US }), { t: 'ready', now_us: BEGIN_US, rigs: [RIG] })
  t.match(await other.tell({ t: 'hello', begin_us: BEGIN_US }), { t: 'refused', code: 'BENCH_TAKEN' })
  t.match(await other.tell(grant), { t: 'refused', code: 'BENCH_TAKEN' })
  t.match(await bench.say(new Uint8Array([0xff])), { t: 'refused', code: 'MESSAGE' })
  t.match(await bench.say(encodeLockstep(grant), encodeLockstep(grant)), { t: 'refused', code: 'MESSAGE' })
  await refused('ORDER', { t: 'hello', begin_us: BEGIN_US })
  await refused('NUMBER', { ...grant, n: 2 })
  await refused('TIME', { ...grant, until_us: BEGIN_US - 1 })
  await refused('TIME', { ...grant, until_us: BEGIN_US + 601_000_000 })
  await refused('NAME', { ...grant, frames: { 'daq-9': 1 } })
  await refused('NAME', { ...grant, heard: { 'peer:vehicle': 1 } })
  await refused('COUNT', { ...grant, frames: { 'daq-1': 10_001 } })

  const state = join(folder, 'state')
  const before = await fetchDesktop(state)
  daq.connect(`ipc://${join(folder, 'daq-1.sock')}`)
  await daq.send(new Uint8Array([0xff]))
  await pause(300)
  const after = await fetchDesktop(state)
  t.same([after.now_us, before.now_us], [BEGIN_US, BEGIN_US], 'time of the machine is none of the agent')
  t.match(await bench.tell({ ...grant, until_us: BEGIN_US }), { t: 'advanced', n: 1, decisions: 0 })
  t.match(
    await bench.tell({ ...grant, n: 2, frames: { 'daq-1': 1 } }),
    { t: 'advanced', n: 2 },
    'and what came is there',
  )
  await refused('COUNT', { ...grant, n: 3, frames: { 'daq-1': 0 } })
  t.equal(await agent.stop(), 0, 'a stop is in order though nobody grants')

  const again = start(folder)
  const late = rawBench(folder)
  t.teardown(() => late.close())
  const why = await late.tell({ t: 'hello', begin_us: BEGIN_US })
  t.match(why, { t: 'refused', code: 'NOT_READY', detail: /^CLOCK_OFF/ }, 'time that was evaluated does not come again')
  t.equal(await again.exited, 75)
})

t.test('an agent that waits for its bench ends when it is told to', async (t) => {
  const folder = externalFolder()
  t.teardown(() => removeFolder(folder))
  const agent = start(folder)
  await agent.event('awaiting_bench')
  t.equal(await agent.stop(), 0)
})
