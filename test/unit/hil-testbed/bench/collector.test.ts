import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { batchesSent } from '../../../../hil-testbed/bench/batch-replay.ts'
import { CarriedFaults } from '../../../../hil-testbed/bench/carried-faults.ts'
import type { Reach } from '../../../../hil-testbed/bench/carrier.ts'
import { hostTime } from '../../../../hil-testbed/bench/host-time.ts'
import { benchKey } from '../../../../hil-testbed/bench/keys.ts'
import { portOf } from '../../../../hil-testbed/bench/ports.ts'
import { type Papers, RogueCollector } from '../../../../hil-testbed/bench/rogue-collector.ts'
import { decodeTransport } from '../../../../shared/codec/transport.ts'
import { createDevCa, issueCertificate } from '../../../../shared/crypto/certificates.ts'
import { readPublicKey } from '../../../../shared/crypto/sign.ts'
import { openDownlink } from '../../../../shared/protocol/downlink.ts'
import { type AgentMessage, writeMessage } from '../../../../shared/protocol/messages.ts'
import { fault } from '../../../support/instrumented-rig.ts'
import { SignedOutbox } from '../../../support/signed-outbox.ts'

const RECEIPTS = benchKey('receipts')
const PAPERS = papers()

function papers(): Papers {
  const ca = createDevCa()
  const names = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], days: 1 }
  const issue = (name: string, use: 'server' | 'client') =>
    issueCertificate({ ca, subjectUri: `spiffe://testbed.hil/${name}`, use, ...names })
  const [server, client] = [issue('collector', 'server'), issue('agent/bench', 'client')]
  return { ca, server, client, receiptsPem: RECEIPTS.privatePem }
}

/** Says hello as an agent does. @returns what it is told, as it comes */
function agentAt(t: Test, port: number) {
  const { ca, client } = PAPERS
  const socket = new WebSocket(`wss://127.0.0.1:${port}/agent`, {
    ...{ ca: ca.certPem, cert: client.certPem, key: client.keyPem, perMessageDeflate: false },
  })
  t.teardown(() => socket.terminate())
  const told: Record<string, unknown>[] = []
  const about = { v: 1, agent: 'bench', deployment: 'hil', epoch: 3, boot_id: 'b', version: '1' } as const
  socket.on('open', () =>
    socket.send(writeMessage({ t: 'hello', ...about, spki: new Uint8Array(1), programs: ['hil'], rigs: [] })),
  )
  socket.on('message', (data: Buffer) => told.push(decodeTransport(new Uint8Array(data)) as Record<string, unknown>))
  return { socket, told }
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5))
}

t.test('a rogue collector says what it came for, and knows who stayed for it and who left', async (t) => {
  const heard: AgentMessage[] = []
  const rogue = new RogueCollector(
    PAPERS,
    ({ epoch }) => [{ t: 'resume', epoch, batch_seq: 0, credit: 0 }, { t: 'nonsense' }],
    (message) => heard.push(message),
  )
  await rogue.start()
  const { socket, told } = agentAt(t, rogue.port)
  await until(() => rogue.stayed === 1)
  t.same(told, [{ t: 'resume', epoch: 3, batch_seq: 0, credit: 0 }, { t: 'nonsense' }])
  socket.send(writeMessage({ t: 'vitals', vitals: '{}' }))
  await until(() => heard.length === 1)
  t.same([heard[0]!.t, rogue.left], ['vitals', 0])
  socket.close()
  await until(() => rogue.left === 1)
  const halfWay = connect(rogue.port, '127.0.0.1').on('error', () => undefined)
  await once(halfWay, 'connect')
  agentAt(t, rogue.port).socket.on('error', () => undefined)
  await rogue.stop()
  t.pass('it ends, whoever is about to come in')
})

/** A link to a collector that only knows who stands in its place, in a run whose time does not wait. */
function placed() {
  let rogue: RogueCollector | null = null
  const collector = {
    papers: PAPERS,
    giveWay: async (other: RogueCollector) => {
      rogue = other
      await other.start()
    },
    takeBack: async () => rogue?.stop(),
  }
  const reach = { row: { clock: { mode: 'free_run' } }, host: hostTime(), collector } as unknown as Reach
  return { faults: new CarriedFaults(reach), port: () => rogue!.port }
}

t.test(
  'a collector that speaks another version, or asks for what it may not, is seen when an agent hears it',
  async (t) => {
    const key = readPublicKey(RECEIPTS.publicPem)
    for (const [of, params, holds] of [
      ['version_skew', { version: 7 }, ({ v }) => v === 7],
      [
        'conflicting_command',
        { how: 'not_in_force' },
        (said) => openDownlink(said['cose'] as Uint8Array, { key, agent: 'bench' }).kind === 'bundle_back',
      ],
      [
        'conflicting_command',
        { how: 'other_agent' },
        (said) => openDownlink(said['cose'] as Uint8Array, { key, agent: 'another' }).kind === 'bundle_back',
      ],
    ] as readonly (readonly [string, Record<string, number | string>, (said: Record<string, unknown>) => boolean])[]) {
      const { faults, port } = placed()
      faults.inject(fault(`collector.${of}`, 'collector', params, { onsetUs: 100 }))
      await faults.move(100)
      t.match(faults.seen(), [{ count: 0 }], `${of}: nobody has heard it`)
      const { told } = agentAt(t, port())
      await until(() => told.some((said) => said['t'] === (of === 'version_skew' ? 'resume' : 'downlink')))
      t.ok(holds(told.at(-1)!), `${of} ${JSON.stringify(params)}`)
      await until(async () => {
        await faults.move(200)
        return faults.seen()[0]!.count > 0
      })
      await faults.endAll(300)
      t.match(faults.seen(), [{ count: 1 }], of)
    }
  },
)

t.test('what a key that is not the collector’s has signed does not open under its own', async (t) => {
  const { faults, port } = placed()
  faults.inject(fault('collector.conflicting_command', 'collector', { how: 'other_key' }, { onsetUs: 100 }))
  await faults.move(100)
  const { told } = agentAt(t, port())
  await until(() => told.length === 2)
  const cose = told[1]!['cose'] as Uint8Array
  t.throws(() => openDownlink(cose, { key: readPublicKey(RECEIPTS.publicPem), agent: 'bench' }), {
    code: 'BATCH_SIGNATURE',
  })
  await faults.endAll(300)
})

t.test('batches are read from an outbox as they were sent, those without their records left out', (t) => {
  const state = mkdtempSync(join(tmpdir(), 'hb-sent-'))
  t.teardown(() => rmSync(state, { recursive: true }))
  const signed = new SignedOutbox()
  signed.decide(50_000, 'PASS').seal().decide(100_000, 'PASS').seal({ thinned: true }).receipt()
  signed.decide(150_000, 'FAIL').seal()
  signed.write(state)
  const sent = batchesSent(join(state, 'state'))
  t.match(sent, [
    { epoch: 1, batch_seq: 1 },
    { epoch: 1, batch_seq: 3 },
  ])
  t.ok(sent.every(({ cose, records }) => cose.length > 0 && records.length > 0))
  t.end()
})

t.test('a part of a row has one port, below those that are given to anybody', (t) => {
  const port = portOf({ id: 'SCN-TRY-001', row: 0 }, 'collector')
  t.equal(portOf({ id: 'SCN-TRY-001', row: 0 }, 'collector'), port)
  const others = [
    portOf({ id: 'SCN-TRY-001', row: 1 }, 'collector'),
    portOf({ id: 'SCN-TRY-002', row: 0 }, 'collector'),
    portOf({ id: 'SCN-TRY-001', row: 0 }, 'broker'),
  ]
  t.notOk(others.includes(port))
  for (const one of [port, ...others]) t.ok(one >= 20_000 && one < 32_000, String(one))
  t.end()
})
