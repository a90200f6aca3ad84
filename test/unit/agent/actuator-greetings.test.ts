import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Dealer, Router } from 'zeromq'
import { createActuator } from '../../../hil-testbed/actuator.ts'
import { openActuatorBook } from '../../../hil-testbed/actuator-book.ts'
import { createVirtualClock, type VirtualClock } from '../../../shared/lib/clock.ts'
import type { FromActuator, ToActuator } from '../../../shared/protocol/actuator.ts'
import { createLinkSession, type LinkSession, sealGreeting, takeFrame } from '../../../shared/protocol/actuator-link.ts'
import { actionRequest, type NotingExecutor, startExecutor } from '../../support/actuator-process.ts'

const KEY = new Uint8Array(32).fill(6)
const ACTUATOR = { side: 'actuator', self: 'actuator', peer: 'agent', key: KEY } as const
const AGENT = { side: 'agent', self: 'agent', peer: 'actuator', key: KEY } as const
const SESSION = new Uint8Array(16).fill(8)
const GOOD = { session: SESSION, deadlineUs: 2_000_000 }
const NOTHING = new Uint8Array(0)

type Heard = ToActuator & Readonly<{ seq: number }>
type Peer = Readonly<{
  link: NotingExecutor
  clock: VirtualClock
  session: LinkSession
  /** The next message of a type that comes. */
  next(type: string): Promise<Heard>
  greet(nonce: Uint8Array, testbed?: boolean): Promise<void>
  say(message: FromActuator): Promise<void>
}>

/** An executor, and at the other end a test that says what an actuator should not. */
async function peer(t: Test): Promise<Peer> {
  const clock = createVirtualClock(0)
  const router = new Router({ linger: 0 })
  await router.bind('tcp://127.0.0.1:0')
  const link = await startExecutor({ endpoint: router.lastEndpoint!, key: KEY, clock, pingMs: 60_000 })
  t.teardown(async () => {
    await link.executor.stop()
    router.close()
  })
  const session = createLinkSession(ACTUATOR, { id: SESSION, zeroUs: 0, peerZeroUs: 0 })
  let route: Uint8Array = NOTHING
  const next = async (type: string): Promise<Heard> => {
    for (;;) {
      const [from, frame] = await router.receive()
      route = from!
      const taken = takeFrame(ACTUATOR, [session], { frame: new Uint8Array(frame!), nowUs: 0 })
      if (taken.ok && taken.message.t === type) return { ...taken.message, seq: taken.head.seq }
    }
  }
  const send = async (frame: Uint8Array): Promise<void> => router.send([route, frame])
  const hello = { t: 'hello_ack', idempotent: true, loss_effect: 'none', version: '' } as const
  return {
    link,
    clock,
    session,
    next,
    greet: (nonce, testbed = true) => send(sealGreeting(ACTUATOR, { ...hello, nonce, testbed }, GOOD)),
    say: (message) => send(session.seal(message, { nowUs: clock.monotonicUs(), deadlineUs: 2_000_000 })),
  }
}

const nonceOf = (message: Heard): Uint8Array => (message.t === 'hello' ? message.nonce : NOTHING)

// verifies SE-41
t.test('an answer to another greeting begins no session', async (t) => {
  const { link, next, greet, say } = await peer(t)
  const hello = await next('hello')
  await greet(new Uint8Array(16).fill(1), false)
  await link.until('something', () => link.executor.linkErrors.insert + link.downs.length > 0)
  if (!t.same(link.downs, [], 'what it says is not even looked at')) return
  await greet(nonceOf(hello))
  await say({ t: 'pong', of: (await next('ping')).seq, heard: 1 })
  await link.until('up', () => link.ups.length === 1)
  t.equal(link.executor.linkErrors.insert, 1)
})

// verifies SE-41
t.test('a greeting that took long is said again: ages would seem greater than they are', async (t) => {
  const { link, clock, next, greet, say } = await peer(t)
  const first = await next('hello')
  await clock.advance(250_001)
  await greet(nonceOf(first))
  const second = await next('hello')
  t.notSame(nonceOf(second), nonceOf(first))
  await clock.advance(250_000)
  await greet(nonceOf(second))
  await say({ t: 'pong', of: (await next('ping')).seq, heard: 1 })
  await link.until('up', () => link.ups.length === 1)
  t.equal(link.executor.linkErrors.delay, 1)
})

t.test('greetings that always take long are no link', async (t) => {
  const { link, clock, next, greet } = await peer(t)
  for (let k = 0; k < 5; k += 1) {
    const hello = await next('hello')
    await clock.advance(300_000)
    await greet(nonceOf(hello))
  }
  await link.until('down', () => link.downs.length > 0)
  t.match(link.downs[0], /takes too long/)
})

t.test(
  'too late means rejected for a first attempt, and nothing for a later one: the first may have been done',
  async (t) => {
    const { link, next, greet, say } = await peer(t)
    await greet(nonceOf(await next('hello')))
    await say({ t: 'pong', of: (await next('ping')).seq, heard: 1 })
    await link.until('up', () => link.ups.length === 1)
    for (const attempt of [2, 1]) {
      await link.executor.send(actionRequest({ key: `key-000${attempt}`, attempt }))
      const { seq } = await next('request')
      await say({ t: 'refused', of: seq, kind: 'delay', detail: '' })
    }
    await say({ t: 'refused', of: 77, kind: 'delay', detail: '' })
    await link.until('a refusal', () => link.acks.length > 0)
    t.match(link.acks, [{ key: 'key-0001', status: 'rejected', from: 'actuator' }])
  },
)

t.test(
  'an actuator answers where the newest message came from, and an old greeting takes no session away',
  async (t) => {
    const clock = createVirtualClock(0)
    const book = openActuatorBook(join(t.testdir(), 'actuator.jsonl'), 'actuator')
    const actuator = createActuator({
      ...{ id: 'actuator', agent: 'agent', endpoint: 'tcp://127.0.0.1:0', key: KEY, book, clock, say: () => undefined },
      ...{ testbed: true, idempotent: true, lossEffect: 'none' },
    })
    const endpoint = await actuator.start()
    const [first, second] = [new Dealer({ linger: 0 }), new Dealer({ linger: 0 })]
    for (const socket of [first, second]) socket.connect(endpoint)
    t.teardown(async () => {
      first.close()
      second.close()
      await actuator.stop()
      book.close()
    })
    const hello = sealGreeting(AGENT, { t: 'hello', nonce: SESSION }, { session: NOTHING, deadlineUs: 1_000_000 })
    await first.send(hello)
    const greeted = takeFrame(AGENT, [], { frame: new Uint8Array((await first.receive())[0]!), nowUs: 0 })
    const id = greeted.head!.session
    const session = createLinkSession(AGENT, { id, zeroUs: 0, peerZeroUs: 0 })
    const ask = async (socket: Dealer): Promise<unknown> => {
      await socket.send(session.seal({ t: 'ping' }, { nowUs: 0, deadlineUs: 1_000_000 }))
      const taken = takeFrame(AGENT, [session], { frame: new Uint8Array((await socket.receive())[0]!), nowUs: 0 })
      return taken.ok ? taken.message : taken.kind
    }
    t.match(await ask(first), { t: 'pong', heard: 1 })
    await second.send(hello)
    t.equal((await second.receive()).length, 1, 'it is greeted, as anybody with the bytes is')
    t.match(await ask(first), { t: 'pong', heard: 2 }, 'and the session stands')
    t.match(await ask(second), { t: 'pong', heard: 3 }, 'a connection that was made anew')
  },
)
