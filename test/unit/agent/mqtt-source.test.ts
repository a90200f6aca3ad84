import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type BrokerNews, createMqttSource } from '../../../agent/adapters/mqtt-source.ts'
import type { RawTelemetry, TelemetrySource } from '../../../agent/ports.ts'
import type { MqttSourceConfig } from '../../../shared/config/types.ts'
import { systemClock } from '../../../shared/lib/clock.ts'
import { NO_CREDENTIALS } from '../../../shared/mqtt/broker.ts'
import {
  type BrokerDouble,
  type BrokerSide,
  CONNECT,
  lengthBytes,
  PUBACK,
  PUBCOMP,
  PUBREC,
  publishBytes,
  startBrokerDouble,
} from '../../support/broker-double.ts'

type Told = { what: BrokerNews } & Readonly<Record<string, unknown>>
type World = {
  broker: BrokerDouble
  source: TelemetrySource
  told: Told[]
  taken: string[]
  sink: { hold: Promise<void> | null }
  disk: { sync(): Promise<void>; doubt: boolean }
}

const CONFIG: MqttSourceConfig = {
  ...{ name: 'bus', type: 'mqtt', url: '', topics: ['hb/#'], qos: 1, protocol: 'mqtt311', encoding: 'json' },
  ...{ time_unit: 's', time: 'source', provenance: 'live', message_bytes_max: 1000 },
}

async function createWorld(t: Test, change: Partial<MqttSourceConfig> = {}, double = {}): Promise<World> {
  const broker = await startBrokerDouble(double)
  const told: Told[] = []
  const taken: string[] = []
  const sink = { hold: null as Promise<void> | null }
  const disk = { sync: async (): Promise<void> => undefined, doubt: false }
  const source = createMqttSource({
    ...{ agent: 'bench-1', rig: 'bench', credentials: NO_CREDENTIALS, clock: systemClock(), random: () => 0.5 },
    config: { ...CONFIG, url: broker.url, ...change },
    durable: () => disk.sync(),
    doubt: () => disk.doubt,
    news: (what, facts) => told.push({ what, ...facts }),
  })
  t.teardown(async () => {
    await source.stop()
    await broker.close()
  })
  await source.start({
    async deliver({ messages }: RawTelemetry) {
      await sink.hold
      for (const message of messages) taken.push(new TextDecoder().decode(message))
    },
    tick: async () => undefined,
    ended: () => undefined,
  })
  return { broker, source, told, taken, sink, disk }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let k = 0; !holds(); k += 1) {
    if (k > 1000) throw new Error(`not in time: ${what}`)
    await wait(5)
  }
}

const sample = (k: number): string => `{"channel":"flow","t_us":${k},"value":1}`
const sent = (side: BrokerSide, type: number): number[] =>
  side.packets.filter((p) => p.type === type).map(({ body }) => body[0]! * 256 + body[1]!)

async function connected({ told, broker }: World): Promise<BrokerSide> {
  await until('connected', () => told.some(({ what }) => what === 'connected'))
  return broker.sides.at(-1)!
}

t.test('a message is acknowledged when it is safe on the disk, and many with one sync', async (t) => {
  const world = await createWorld(t)
  const side = await connected(world)
  let synced = (): void => undefined
  let syncs = 0
  world.disk.sync = () => {
    syncs += 1
    return new Promise((resolve) => {
      synced = resolve
    })
  }
  side.send(Buffer.concat([1, 2, 3].map((id) => publishBytes({ topic: 'hb/x', text: sample(id), qos: 1, id }))))
  await until('taken', () => world.taken.length === 3)
  await until('a sync', () => syncs === 1)
  await wait(30)
  t.same(sent(side, PUBACK), [], 'nothing is acknowledged yet')
  synced()
  await until('the others', () => syncs === 2 || sent(side, PUBACK).length === 3)
  synced()
  await until('acknowledged', () => sent(side, PUBACK).length === 3)
  t.same(sent(side, PUBACK), [1, 2, 3])
  t.ok(syncs <= 2, `${syncs} syncs`)
})

t.test('when it is not sure that the journal took a message, it is not acknowledged', async (t) => {
  const world = await createWorld(t)
  const side = await connected(world)
  world.disk.doubt = true
  side.send(publishBytes({ topic: 'hb/x', text: sample(1), qos: 1 }))
  await until('the connection is given up', () => world.told.some(({ what }) => what === 'lost'))
  t.same(sent(side, PUBACK), [])
})

t.test('what was retained is skipped, counted, said once, and acknowledged', async (t) => {
  const world = await createWorld(t)
  const side = await connected(world)
  for (const id of [1, 2]) side.send(publishBytes({ topic: 'hb/x', text: sample(id), qos: 1, id, retain: true }))
  side.send(publishBytes({ topic: 'hb/x', text: sample(3) }))
  await until('the new one', () => world.taken.length === 1)
  t.same(world.taken, [sample(3)])
  t.match(world.source.link!.counts, { retained: 2, messages: 1 })
  t.equal(world.told.filter(({ what }) => what === 'retained').length, 1)
  await until('acknowledged', () => sent(side, PUBACK).length === 2)
})

t.test('of qos 2 a message is taken when it comes, for what only memory knows is lost with the process', async (t) => {
  const world = await createWorld(t, { qos: 2 }, { granted: 2 })
  const side = await connected(world)
  side.send(publishBytes({ topic: 'hb/x', text: sample(1), qos: 2, id: 9 }))
  await until('half of the handshake', () => sent(side, PUBREC).length === 1)
  t.same(world.taken, [sample(1)])
  side.send(Buffer.from([0x62, 2, 0, 9]))
  await until('all of it', () => sent(side, PUBCOMP).length === 1)
  t.same(world.taken, [sample(1)], 'once')
})

t.test('nothing more is read from a broker while the journal does not follow', async (t) => {
  const world = await createWorld(t, { qos: 0 }, { granted: 0 })
  const side = await connected(world)
  let go = (): void => undefined
  world.sink.hold = new Promise((resolve) => {
    go = resolve
  })
  const text = sample(1).padEnd(900)
  for (let k = 0; k < 200; k += 1)
    side.send(Buffer.concat(Array.from({ length: 100 }, () => publishBytes({ topic: 'hb/x', text }))))
  await wait(200)
  const { counts } = world.source.link!
  t.ok(counts.messages <= 600, `${counts.messages} of 20000 are in memory`)
  go()
  world.sink.hold = null
  await until('all of them', () => world.taken.length === 20_000)
})

t.test('a packet that is too long ends the connection and the session that keeps it', async (t) => {
  const world = await createWorld(t)
  const side = await connected(world)
  t.equal(side.packets[0]!.body[7]! & 2, 0, 'the session is to be kept')
  side.send(Buffer.from([0x30, ...lengthBytes(2_000_000)]))
  await until('said', () => world.told.some(({ code }) => code === 'MQTT_PACKET'))
  await until('another connection', () => (world.broker.sides[1]?.packets.length ?? 0) > 0)
  t.equal(world.broker.sides[1]!.packets[0]!.type, CONNECT)
  t.equal(world.broker.sides[1]!.packets[0]!.body[7]! & 2, 2, 'a new session: what it kept would come again')
})

t.test(
  'a broker that turns the agent away, or a filter, is said with a code and not asked again at once',
  async (t) => {
    const away = await createWorld(t, {}, { returnCode: 5 })
    await until('said', () => away.told.length > 0)
    t.match(away.told, [{ what: 'refused', code: 'MQTT_REFUSED', reason: /Not authorized/ }])
    const filter = await createWorld(t, {}, { granted: 0x80 })
    await until('said', () => filter.told.length > 0)
    t.match(filter.told, [{ what: 'refused', code: 'MQTT_SUBSCRIPTION' }])
    t.match(filter.source.link!.trouble, { code: 'MQTT_SUBSCRIPTION' })
    await wait(700)
    t.equal(away.broker.sides.length + filter.broker.sides.length, 2)
  },
)

t.test('a broker that throws every connection out is not asked without a pause', async (t) => {
  const world = await createWorld(t)
  const until_ = Date.now() + 1500
  while (Date.now() < until_) {
    world.broker.sides.at(-1)?.end()
    await wait(5)
  }
  const tries = world.broker.sides.length
  t.ok(tries >= 2 && tries <= 5, `${tries} tries in 1.5 s`)
})
