import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Pull } from 'zeromq'
import { createInjector } from '../../../../hil-testbed/bench/injector.ts'
import { benchKey } from '../../../../hil-testbed/bench/keys.ts'
import { LinkProxy } from '../../../../hil-testbed/bench/link-proxy.ts'
import { Transmitter } from '../../../../hil-testbed/bench/transmitter.ts'
import type { OutFrame } from '../../../../hil-testbed/core/out-frame.ts'
import { isMarkSigned } from '../../../../shared/codec/injected-mark.ts'
import { decodeTelemetry } from '../../../../shared/codec/telemetry.ts'
import { readPublicKey } from '../../../../shared/crypto/sign.ts'
import { createVirtualClock } from '../../../../shared/lib/clock.ts'
import type { Frame } from '../../../../shared/model/telemetry.ts'

/** A server that says everything back, a proxy in front of it, and what comes out at the near end. */
async function link(t: Test) {
  const clock = createVirtualClock(0)
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = new LinkProxy(() => (server.address() as AddressInfo).port, clock)
  await proxy.start(0)
  t.teardown(async () => {
    await proxy.stop()
    await new Promise((resolve) => server.close(resolve))
  })
  return { clock, proxy, join: () => joined(proxy.port) }
}

async function joined(port: number) {
  const socket: Socket = connect(port, '127.0.0.1')
  let text = ''
  let wake = (): void => {}
  let over = false
  const closed = new Promise<void>((resolve) =>
    socket
      .on('error', () => {})
      .on('close', () => {
        over = true
        wake()
        resolve()
      }),
  )
  socket.setEncoding('utf8').on('data', (piece) => {
    text += String(piece)
    wake()
  })
  await new Promise<void>((resolve) => socket.once('connect', resolve).once('close', () => resolve()))
  return {
    say: (words: string) => void socket.write(words),
    /** Settles with everything that came back, once it is as much as this or no more can come. */
    async heard(length: number): Promise<string> {
      while (text.length < length && !over) await new Promise<void>((resolve) => (wake = resolve))
      return text
    },
    closed,
  }
}

t.test('a link that nothing is wrong with lets everything through', async (t) => {
  const { proxy, join: begin } = await link(t)
  const near = await begin()
  near.say('a word')
  t.same([await near.heard(6), proxy.hits], ['a word', 0])
})

t.test('a link listens where it is wanted, and elsewhere when somebody else does', async (t) => {
  const { clock, proxy } = await link(t)
  const second = new LinkProxy(() => 0, clock)
  await second.start(proxy.port)
  t.not(second.port, proxy.port)
  const { port } = second
  await second.stop()
  const third = new LinkProxy(() => 0, clock)
  await third.start(port)
  t.equal(third.port, port)
  await third.stop()
})

t.test('a link that is cut ends what there is and refuses what is new, until it is mended', async (t) => {
  const { proxy, join: begin } = await link(t)
  const near = await begin()
  near.say('a')
  await near.heard(1)
  proxy.cut()
  await near.closed
  await (await begin()).closed
  t.ok(proxy.hits > 0, 'it counts whom it refused')
  proxy.mend()
  const again = await begin()
  again.say('b')
  t.equal(await again.heard(1), 'b')
})

t.test(
  'a link that is half open swallows, and what lost a part of its stream is ended when it is mended',
  async (t) => {
    const { proxy, join: begin } = await link(t)
    const near = await begin()
    near.say('a')
    await near.heard(1)
    proxy.deafen()
    near.say('lost')
    while (proxy.hits === 0) await new Promise((resolve) => setImmediate(resolve))
    proxy.mend()
    await near.closed
    t.equal(await near.heard(99), 'a')
  },
)

t.test('a slow link holds back each way, in order, and loses nothing', async (t) => {
  const { proxy, clock, join: begin } = await link(t)
  const near = await begin()
  proxy.slow(1000)
  near.say('one,')
  while (proxy.hits === 0) await new Promise((resolve) => setImmediate(resolve))
  proxy.slow(0)
  near.say('two')
  t.equal(await Promise.race([near.heard(1), clock.advance(999_000).then(() => 'nothing')]), 'nothing')
  await clock.advance(1000)
  t.equal(await near.heard(7), 'one,two')
})

t.test('a reconnect ends what there is and lets new ones begin at once', async (t) => {
  const { proxy, join: begin } = await link(t)
  const near = await begin()
  near.say('a')
  await near.heard(1)
  proxy.reconnect()
  await near.closed
  const again = await begin()
  again.say('b')
  t.same([await again.heard(1), proxy.hits], ['b', 1])
})

const INJECTOR = benchKey('injector', 'rig')
const SOURCE = 'daq-1'

/** A transmitter, and the agent that it sends to; without `listen` nobody is there. */
async function sending(t: Test, { listen }: { listen: boolean }) {
  const folder = mkdtempSync(join(tmpdir(), 'hb-links-'))
  const path = (name: string): string => join(folder, name)
  const pull = new Pull({ linger: 0, receiveTimeout: 5000 })
  if (listen) await pull.bind(`ipc://${path(`${SOURCE}.sock`)}`)
  const told: unknown[] = []
  const transmitter = new Transmitter({
    ...{ sources: [SOURCE], path, beginUs: 1_000_000, publish: null },
    injector: createInjector(INJECTOR.privatePem),
    stranger: createInjector(benchKey('somebody else').privatePem),
    sent: (...about) => told.push(about),
  })
  t.teardown(() => {
    transmitter.close()
    pull.close()
    rmSync(folder, { recursive: true })
  })
  const receive = async (): Promise<Frame> => {
    const [message] = await pull.receive()
    const about = { rig: 'rig', origin: SOURCE, encoding: 'cbor', provenance: 'live', nowUs: 0 } as const
    const result = decodeTelemetry({ ...about, message: new Uint8Array(message!) })
    if (!result.ok) throw new Error(JSON.stringify(result))
    return result.frame
  }
  return { transmitter, told, receive }
}

function frame(seq: number, change: Partial<OutFrame> = {}): OutFrame {
  return {
    ...{ rig: 'rig', source: SOURCE, epoch: 'e1', seq, line: SOURCE, channels: ['p_a', 'p_b'] },
    ...{ timeUs: Float64Array.of(1_001_000, 1_002_000), value: Float64Array.of(1, 2, 3, 4) },
    ...{ quality: null, injected: [], mutate: null, dueUs: 2000 },
    ...change,
  }
}

t.test('frames go out as they are, counted, and the newest sample of each channel is told', async (t) => {
  const { transmitter, told, receive } = await sending(t, { listen: true })
  transmitter.open()
  await transmitter.send([frame(1), frame(2, { quality: Uint8Array.of(0, 0, 2, 0) })])
  t.match(await receive(), { rig: 'rig', source: SOURCE, seq: 1, channels: ['p_a', 'p_b'] })
  t.same([...(await receive()).quality!], [0, 0, 2, 0])
  t.same([transmitter.sent, transmitter.lost], [{ [SOURCE]: 2 }, 0])
  t.same(told.slice(0, 2), [
    ['p_a', 2000, 2],
    ['p_b', 2000, 4],
  ])
  transmitter.open()
  t.same(transmitter.sent, {}, 'the next life of the agent counts from nothing')
})

t.test('injected channels carry the mark of the injector, and forged marks are told from it', async (t) => {
  const { transmitter, receive } = await sending(t, { listen: true })
  transmitter.open()
  const key = readPublicKey(INJECTOR.publicPem)
  const forged = async (forgery: typeof transmitter.forgery) => {
    transmitter.forgery = forgery
    const before = transmitter.forged
    await transmitter.send([frame(7, { injected: ['p_b'] })])
    const { injected, ...about } = await receive()
    const isSigned = injected === undefined ? null : isMarkSigned(about, injected, key)
    return { channels: injected?.channels, isSigned, counted: transmitter.forged - before }
  }
  t.same(await forged(null), { channels: ['p_b'], isSigned: true, counted: 0 })
  t.same(await forged('wrong_key'), { channels: ['p_b'], isSigned: false, counted: 1 })
  t.same(await forged('left_out'), { channels: undefined, isSigned: null, counted: 1 })
  t.same(await forged('other_channels'), { channels: ['p_b'], isSigned: false, counted: 1 })
})

t.test('samples for a broker say their quality, their rig and what was injected into them', async (t) => {
  const messages: [string, Uint8Array][] = []
  const transmitter = new Transmitter({
    ...{ sources: [SOURCE], path: () => '', beginUs: 1_000_000, sent: () => {} },
    publish: (...message) => messages.push(message),
    injector: createInjector(INJECTOR.privatePem),
    stranger: createInjector(benchKey('somebody else').privatePem),
  })
  const key = readPublicKey(INJECTOR.publicPem)
  const published = async (one: OutFrame, rig = 'rig') => {
    messages.length = 0
    await transmitter.send([one])
    return messages.map(([channel, message]) => {
      const about = { rig, origin: 'bus', encoding: 'json', provenance: 'live', nowUs: 0 } as const
      const read = decodeTelemetry({ ...about, message })
      if (!read.ok) return [channel, read.reason]
      const { source, timeUs, value, quality, injected } = read.frame
      const mark = injected === undefined ? null : isMarkSigned(read.frame, injected, key)
      return [channel, source, timeUs[0], value[0], quality![0], mark]
    })
  }
  const injected = ['p_b']
  t.same(await published(frame(1, { injected, quality: Uint8Array.of(0, 0, 3, 0) })), [
    ['p_a', 'bus', 1_001_000, 1, 0, null],
    ['p_b', 'bus', 1_001_000, 3, 3, true],
    ['p_a', 'bus', 1_002_000, 2, 0, null],
    ['p_b', 'bus', 1_002_000, 4, 0, true],
  ])
  const marks = (said: Awaited<ReturnType<typeof published>>) => said.map((one) => one.at(-1))
  transmitter.forgery = 'wrong_key'
  t.same(marks(await published(frame(2, { injected }))), [null, false, null, false])
  transmitter.forgery = 'other_channels'
  t.same(marks(await published(frame(3, { injected }))), [null, false, null, false])
  transmitter.forgery = 'left_out'
  t.same(marks(await published(frame(4, { injected }))), [null, null, null, null])
  t.equal(transmitter.forged, 6)
  t.same(marks(await published(frame(5, { rig: 'other' }))), new Array(4).fill('wrong_rig'))
  t.same((await published(frame(6, { source: 'daq-9' })))[0]?.[1], 'daq-9', 'one that pretends to be another')
  t.same(marks(await published(frame(7, { mutate: () => Uint8Array.of(0x7b) }))), new Array(4).fill('malformed_json'))
})

t.test(
  'what is sent while nobody is there is lost and counted, and an agent that does not read holds nobody up',
  async (t) => {
    const { transmitter, told } = await sending(t, { listen: false })
    await transmitter.send([frame(1)])
    t.same([transmitter.lost, told.length], [1, 0], 'before an agent')
    transmitter.open()
    const frames = Array.from({ length: 3000 }, (_, k) => frame(k + 2))
    await transmitter.send(frames)
    const taken = transmitter.sent[SOURCE] ?? 0
    t.equal(taken + transmitter.lost, 3001, 'each is either taken or lost')
    t.ok(taken >= 1000 && taken < 3000, `so many wait for the agent: ${taken}`)
    transmitter.close()
    await transmitter.send([frame(9)])
    t.equal(taken + transmitter.lost, 3002, 'after it')
  },
)
