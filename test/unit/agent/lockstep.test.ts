import t from 'tap'
import { Lockstep, type LockstepAgent } from '../../../agent/pipeline/lockstep.ts'
import { Turnstile } from '../../../agent/pipeline/turnstile.ts'
import type { RawTelemetry } from '../../../agent/ports.ts'
import { createVirtualClock, turnOfLoop } from '../../../shared/lib/clock.ts'
import { GRANT_MESSAGES_MAX, type LockstepGrant } from '../../../shared/protocol/lockstep.ts'

const GRANT: LockstepGrant = { t: 'grant', n: 1, until_us: 0, frames: {}, heard: {} }
const raw = (...messages: number[]): RawTelemetry => ({
  ...{ rig: 'r', origin: 'o', encoding: 'cbor', provenance: 'simulated' },
  messages: messages.map((one) => new Uint8Array([one])),
})

/** An agent that only notes what is let in, with two sources and two links. */
async function made() {
  const host = createVirtualClock(0)
  const turnstile = new Turnstile()
  const clock = createVirtualClock(0, () => turnstile.quiet())
  const said: string[] = []
  const sink = (name: string) => ({
    deliver: async ({ messages }: RawTelemetry) => void said.push(`${name} ${messages.map(([one]) => one).join('+')}`),
    tick: async () => undefined,
    ended: () => undefined,
  })
  const [a, b] = [turnstile.source('a', sink('a')), turnstile.source('b', sink('b'))]
  const [pump, valve] = [turnstile.link('pump'), turnstile.link('valve')]
  const lockstep = new Lockstep({ turnstile, host, against: () => null })
  let ended = false
  const agent: LockstepAgent = {
    ...{ agent: 'one', rigs: ['r'], ended: () => (ended = true) },
    clock: { nowUs: clock.nowUs, moveTo: (us) => clock.advance(us - clock.nowUs()) },
    state: () => ({ rigs: [], decisionSeq: said.length }),
  }
  const hello = lockstep.take({ t: 'hello', begin_us: 0 })
  lockstep.ready(agent)
  await hello
  const heard = (name: 'pump' | 'valve', what: string) =>
    (name === 'pump' ? pump : valve).arrived(() => said.push(`${name} ${what}`))
  return { host, turnstile, clock, said, a, b, pump, heard, lockstep, ended: () => ended }
}

t.test('what races is let in in the order of the configuration, and only what was counted', async (t) => {
  const { said, a, b, heard, lockstep } = await made()
  heard('valve', 'x')
  await b.deliver(raw(1))
  heard('pump', 'y')
  await a.deliver(raw(1, 2))
  await a.deliver(raw(3))
  await turnOfLoop()
  t.same(said, [], 'nothing before a grant')
  await lockstep.take({ ...GRANT, frames: { a: 2, b: 1 }, heard: { pump: 1, valve: 1 } })
  t.same(said.splice(0), ['a 1+2', 'b 1', 'pump y', 'valve x'])
  t.match(await lockstep.take({ ...GRANT, n: 2, frames: { a: 3 } }), { t: 'advanced', n: 2 })
  t.same(said, ['a 3'])
})

t.test('a grant waits for what was sent, and says what did not come', async (t) => {
  const { host, clock, said, a, lockstep } = await made()
  const grant = { ...GRANT, until_us: 1000, frames: { a: 2 }, heard: { pump: 1 } }
  const first = lockstep.take(grant)
  await a.deliver(raw(1))
  await host.advance(5_000_000)
  const lacking = [
    { way: 'frames', name: 'a', wanted: 2, arrived: 1 },
    { way: 'heard', name: 'pump', wanted: 1, arrived: 0 },
  ]
  t.same(await first, { t: 'behind', n: 1, lacking })
  t.same([said, clock.nowUs()], [[], 0], 'nothing was taken or moved')
  const again = lockstep.take({ ...grant, heard: {} })
  await a.deliver(raw(2))
  t.match(await again, { t: 'advanced', n: 1 })
  t.same([said, clock.nowUs()], [['a 1+2'], 1000])
  t.match(await lockstep.take({ ...GRANT, n: 2, until_us: 1000, frames: { a: 1 } }), { code: 'COUNT' })
})

t.test('time does not go on before everything that follows from a moment is done', async (t) => {
  const { clock, turnstile, pump, lockstep } = await made()
  const at: number[] = []
  let sent = (): void => undefined
  clock.after(1, () => {
    const disk = turnstile.hold(turnOfLoop().then(turnOfLoop))
    void disk.then(() => {
      at.push(clock.nowUs())
      pump.handed(new Promise<void>((resolve) => (sent = resolve)))
    })
  })
  clock.after(2, () => at.push(clock.nowUs()))
  const granted = lockstep.take({ ...GRANT, until_us: 5000 })
  for (let k = 0; k < 10; k += 1) await turnOfLoop()
  t.same(at, [1000], 'a frame has not gone yet')
  sent()
  t.match(await granted, { t: 'advanced', sent: { pump: 1, valve: 0 } })
  t.same(at, [1000, 2000])
})

t.test('a way that nobody grants holds its transport back, and a stop lets everybody go', async (t) => {
  const { a, lockstep, ended } = await made()
  await a.deliver(raw(...new Array<number>(GRANT_MESSAGES_MAX - 1).fill(1)))
  let isThere = false
  const held = a.deliver(raw(1)).then(() => {
    isThere = true
  })
  await turnOfLoop()
  t.notOk(isThere)
  const waiting = lockstep.take({ ...GRANT, frames: { b: 1 } })
  lockstep.giveUp()
  t.match(await waiting, { t: 'behind' })
  await held
  t.match(await lockstep.take(GRANT), { t: 'refused', code: 'NOT_READY' })
  t.notOk(ended())
})
