import { mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { BASELINES_WAITING_MAX, BUNDLES_WAITING_MAX, SLICES_AT_ONCE_MAX } from '../../agent/adapters/downlinks.ts'
import { FileOutbox } from '../../agent/adapters/file-outbox.ts'
import { systemFiles } from '../../agent/adapters/files.ts'
import { createUplink, type Uplink, VITALS_BUFFER_MAX } from '../../agent/adapters/ws-uplink.ts'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { signDownlink } from '../../shared/protocol/downlink.ts'
import {
  type AgentMessage,
  type CollectorMessage,
  CREDIT_MAX,
  readAgentMessage,
  writeMessage,
} from '../../shared/protocol/messages.ts'
import { createBatchMaker, noBaseline, noBundles } from '../support/agent-double.ts'
import { createCollectorFolder } from '../support/collector-folder.ts'
import { serverCertificate } from '../support/server-certificate.ts'

/** A far end that does what a collector of ours never would, to see the agent at its bounds. */
const clock = systemClock()
const { folder, ca, bench, receipts, certificateOf } = createCollectorFolder()
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

async function until(holds: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 400 && !holds(); tries += 1) await clock.sleep(25)
  return holds()
}

const HELLO = {
  t: 'hello',
  v: 1,
  agent: 'bench-1',
  deployment: 'demo',
  epoch: 1,
  spki: bench.signer.spki,
  boot_id: 'b',
  version: '0',
  programs: ['demo'],
  rigs: [{ rig: 'water-loop', program: 'demo' }],
} as const

type FarEnd = Readonly<{
  heard: AgentMessage[]
  send(message: CollectorMessage): void
  /** Stops and goes on reading what the agent sends. */
  read(on: boolean): void
  uplink: Uplink
  outbox: FileOutbox
  slices: (() => void)[]
  baselines: (() => void)[]
  bundles: (() => void)[]
}>

/** A collector's listener that answers a hello and nothing else. */
async function listener(credit: number) {
  const { certPem, keyPem } = serverCertificate(ca)
  const https = createServer({ ca: ca.certPem, cert: certPem, key: keyPem, requestCert: true, minVersion: 'TLSv1.3' })
  const server = new WebSocketServer({ server: https, perMessageDeflate: false })
  await new Promise<void>((done) => https.listen(0, '127.0.0.1', done))
  const { port } = https.address() as { port: number }
  const heard: AgentMessage[] = []
  const link: { far: WebSocket | null; wire: Socket | null } = { far: null, wire: null }
  server.on('connection', (socket, request) => {
    Object.assign(link, { far: socket, wire: request.socket })
    socket.on('error', () => undefined)
    socket.on('message', (data: Buffer) => {
      const read = readAgentMessage(new Uint8Array(data))
      if (!read.ok) throw new Error(read.reason)
      heard.push(read.message)
      if (read.message.t === 'hello') socket.send(writeMessage({ t: 'resume', epoch: 1, batch_seq: 0, credit }))
    })
  })
  const close = (): void => {
    link.far?.terminate()
    server.close()
    https.close()
  }
  return { port, heard, link, close }
}

async function outboxWith(name: string, batches: number): Promise<FileOutbox> {
  mkdirSync(join(folder, name))
  const options = { folder: join(folder, name), epoch: 1, keyEpoch: 1, owner: new Uint8Array(16), bytesMax: 1e9 }
  const outbox = new FileOutbox(systemFiles, options)
  const make = createBatchMaker({ signer: bench.signer, deployment: 'demo', agent: 'bench-1' })
  for (let k = 0; k < batches; k += 1) await outbox.append({ ...make(), madeUs: 1, seed: new Uint8Array(32) })
  return outbox
}

async function farEnd(
  t: Test,
  name: string,
  { credit, batches = 0 }: { credit: number; batches?: number },
): Promise<FarEnd> {
  const { port, heard, link, close } = await listener(credit)
  const outbox = await outboxWith(name, batches)
  const slices: (() => void)[] = []
  const baselines: (() => void)[] = []
  const bundles: (() => void)[] = []
  const nothing = (): void => undefined
  const uplink = createUplink({
    url: `wss://127.0.0.1:${port}/agent`,
    tls: certificateOf('bench-1') as { ca: string; cert: string; key: string },
    realm: 'production',
    collectorKey: readPublicKey(receipts.publicPem),
    hello: () => HELLO,
    renewChain: async () => false,
    outbox,
    clock,
    random: Math.random,
    ...noBundles,
    bundle: (downlink) => new Promise((done) => bundles.push(() => void noBundles.bundle(downlink).then(done))),
    baseline: (downlink) => new Promise((done) => baselines.push(() => void noBaseline(downlink).then(done))),
    slice: ({ id, rig }) =>
      new Promise((done) => slices.push(() => done({ t: 'slice', id, ok: true, rig, channels: [] }))),
    events: {
      connected: nothing,
      lost: nothing,
      refused: nothing,
      downlinkRefused: ({ code }) => t.fail(code),
      badReceipt: nothing,
      receipted: nothing,
      failed: (error) => t.fail(String(error)),
    },
  })
  uplink.start()
  t.ok(await until(() => uplink.state === 'open'))
  t.teardown(async () => {
    link.far?.terminate()
    await uplink.stop()
    await outbox.close()
    close()
  })
  return {
    heard,
    send: (message) => link.far!.send(writeMessage(message)),
    read: (on) => void (on ? link.wire!.resume() : link.wire!.pause()),
    uplink,
    outbox,
    slices,
    baselines,
    bundles,
  }
}

const of = <T extends AgentMessage['t']>(heard: readonly AgentMessage[], type: T): Extract<AgentMessage, { t: T }>[] =>
  heard.filter((message): message is Extract<AgentMessage, { t: T }> => message.t === type)

t.test('vitals on a link that does not carry them are dropped and counted, and go again when it does', async (t) => {
  const { heard, read, uplink } = await farEnd(t, 'vitals', { credit: 0 })
  const vitals = JSON.stringify({ rig: 'water-loop', padding: 'x'.repeat(100_000) })
  uplink.sendVitals(vitals)
  t.ok(await until(() => of(heard, 'vitals').length === 1))
  read(false)
  const before = process.memoryUsage().arrayBuffers
  let sent = 0
  for (; sent < 500 && uplink.vitalsDropped === 0; sent += 1) {
    uplink.sendVitals(vitals)
    await clock.sleep(1)
  }
  t.ok(uplink.vitalsDropped > 0, `dropped after ${sent}`)
  const socket = Reflect.get(uplink, 'socket') as { bufferedAmount: number }
  t.ok(socket.bufferedAmount <= VITALS_BUFFER_MAX + 2 * vitals.length, `${socket.bufferedAmount} bytes wait`)
  for (let k = 0; k < 100; k += 1) uplink.sendVitals(vitals)
  t.ok(uplink.vitalsDropped > 100, 'counted')
  t.ok(socket.bufferedAmount <= VITALS_BUFFER_MAX + 2 * vitals.length)
  t.ok(process.memoryUsage().arrayBuffers - before < 64_000_000)
  read(true)
  t.ok(await until(() => of(heard, 'vitals').length === sent), 'what was not dropped arrives')
  const dropped = uplink.vitalsDropped
  uplink.sendVitals(vitals)
  t.ok(await until(() => of(heard, 'vitals').length === sent + 1), 'and so does the next')
  t.equal(uplink.vitalsDropped, dropped)
})

t.test(
  'slices that are asked for at once: beyond the bound the answer is busy, and then they are read again',
  async (t) => {
    const { heard, send, slices } = await farEnd(t, 'slices', { credit: 0 })
    const ask = (seq: number): void => {
      const request = { kind: 'slice_request', agent: 'bench-1', id: `bench-1:${seq}`, rig: 'water-loop' } as const
      send({ t: 'downlink', cose: signDownlink({ ...request, fromUs: 0, toUs: 9 }, receipts.signer) })
    }
    for (let seq = 1; seq <= 50; seq += 1) ask(seq)
    t.ok(await until(() => of(heard, 'slice').length === 50 - SLICES_AT_ONCE_MAX))
    t.equal(slices.length, SLICES_AT_ONCE_MAX)
    t.ok(of(heard, 'slice').every(({ ok, reason }) => !ok && reason === 'busy'))
    for (const done of slices.splice(0)) done()
    t.ok(await until(() => of(heard, 'slice').filter(({ ok }) => ok).length === SLICES_AT_ONCE_MAX))
    ask(51)
    t.ok(await until(() => slices.length === 1), 'there is room again')
    slices[0]!()
  },
)

t.test('baselines are put in force one after the other, and of more than may wait the answer is busy', async (t) => {
  const { heard, send, baselines } = await farEnd(t, 'baselines', { credit: 0 })
  const ask = (number: number): void => {
    const bundle = new Uint8Array(9)
    const downlink = {
      kind: 'baseline',
      agent: 'bench-1',
      id: `b-${number}`,
      rig: 'water-loop',
      role: 'golden',
    } as const
    send({ t: 'downlink', cose: signDownlink({ ...downlink, number, bundle }, receipts.signer) })
  }
  for (let number = 1; number <= 20; number += 1) ask(number)
  t.ok(await until(() => of(heard, 'baseline_answer').length === 20 - BASELINES_WAITING_MAX))
  t.ok(of(heard, 'baseline_answer').every(({ taken, reason }) => !taken && reason === 'busy'))
  for (let k = 1; k <= BASELINES_WAITING_MAX; k += 1) {
    t.ok(await until(() => baselines.length === 1), 'one at a time')
    baselines.pop()!()
  }
  t.ok(await until(() => of(heard, 'baseline_answer').length === 20))
  ask(21)
  t.ok(await until(() => baselines.length === 1), 'there is room again')
  baselines[0]!()
})

t.test(
  'bundles are looked at one after the other; more than may wait are passed over, and asked for again',
  async (t) => {
    const { heard, send, bundles } = await farEnd(t, 'bundles', { credit: 0 })
    const digest = 'ab'.repeat(32)
    const back = { kind: 'bundle_back', agent: 'bench-1', rig: '', digest, reason: '' } as const
    const ask = (id: string): void => send({ t: 'downlink', cose: signDownlink({ ...back, id }, receipts.signer) })
    for (let k = 0; k < 20; k += 1) ask(`r-${k}`)
    for (let k = 1; k <= BUNDLES_WAITING_MAX; k += 1) {
      t.ok(await until(() => bundles.length === 1), 'one at a time')
      bundles.pop()!()
      t.ok(await until(() => of(heard, 'bundle_answer').length === k))
    }
    ask('r-20')
    t.ok(await until(() => bundles.length === 1), 'there is room again')
    bundles.pop()!()
    t.ok(await until(() => of(heard, 'bundle_answer').length === BUNDLES_WAITING_MAX + 1))
    t.same(
      of(heard, 'bundle_answer').map(({ id }) => id),
      ['r-0', 'r-1', 'r-20'],
    )
  },
)

t.test('credit that a collector gives without end is taken up to its bound', async (t) => {
  const batches = 40
  const { heard, send, uplink } = await farEnd(t, 'credit', { credit: 10, batches })
  t.ok(await until(() => of(heard, 'batch').length === 10))
  await clock.sleep(100)
  t.equal(of(heard, 'batch').length, 10, 'no more than it may')
  for (let k = 0; k < 20; k += 1) send({ t: 'credit', batches: CREDIT_MAX })
  t.ok(await until(() => of(heard, 'batch').length === batches))
  await clock.sleep(100)
  t.ok((Reflect.get(uplink, 'credit') as number) <= CREDIT_MAX)
  t.equal((Reflect.get(uplink, 'inFlight') as Map<number, unknown>).size, batches)
})
