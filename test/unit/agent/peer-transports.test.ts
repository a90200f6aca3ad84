import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Router } from 'zeromq'
import { createPeerExecutor } from '../../../agent/adapters/peer-executor.ts'
import { PeerSender, type PeerTransport } from '../../../agent/adapters/peer-sender.ts'
import { createPeerWebhook } from '../../../agent/adapters/peer-webhook.ts'
import { createPeerZmq } from '../../../agent/adapters/peer-zmq.ts'
import { PeerAcks } from '../../../agent/pipeline/peer-acks.ts'
import { PeerInbound } from '../../../agent/pipeline/peer-inbound.ts'
import { driftEvent } from '../../../agent/pipeline/peer-messages.ts'
import type { ExecutorAck } from '../../../agent/ports.ts'
import { type HilAcks, HilPeer } from '../../../hil-testbed/peer.ts'
import { systemClock } from '../../../shared/lib/clock.ts'
import { PEER_MESSAGE_BYTES_MAX } from '../../../shared/protocol/peer-contract.ts'
import { sealPeerFrame } from '../../../shared/protocol/peer-frame.ts'
import { actionRequest } from '../../support/actuator-process.ts'
import { decisionOf } from '../../support/peer-decisions.ts'

const KEY = new Uint8Array(32).fill(7)
const clock = systemClock()
const sender = () => ({ systemId: 'bench-1', messageId: `m-${Math.random()}`, nowUs: clock.nowUs() })
const drift = () => driftEvent(decisionOf('FAIL', ['p']), sender(), false)!
const ACKS: HilAcks = { stages: ['accepted', 'completed'], afterMs: 0, times: 1, actionId: null, from: null }

type Said = Readonly<{ event: string; [key: string]: unknown }>

/** Both ends over one transport, as an agent and `hb hil peer` put them together. */
async function link(t: Test, kind: 'zmq' | 'webhook', change: { acks?: Partial<HilAcks>; peerKey?: Uint8Array } = {}) {
  const said: Said[] = []
  const refused: string[] = []
  const told: [string, ExecutorAck][] = []
  const acks = new PeerAcks()
  const inbound = new PeerInbound({
    ...{ identity: 'waveos', acks, nowUs: clock.nowUs, wallUs: clock.nowUs, monotonicUs: clock.monotonicUs },
    state: () => ({ rigs: [] }),
    take: () => true,
    ack: (target, ack) => told.push([target, ack]),
    modeChanged: () => undefined,
    policyApplied: () => undefined,
    refused: (refusal) => refused.push(refusal),
  })
  const agentPort = await freePort()
  const made = new HilPeer({
    ...{ id: 'waveos', agent: 'bench-1', clock, acks: () => ({ ...ACKS, ...change.acks }) },
    key: () => change.peerKey ?? KEY,
    endpoint: kind === 'zmq' ? 'tcp://127.0.0.1:*' : 'http://127.0.0.1:0',
    agentUrl: kind === 'zmq' ? null : `http://127.0.0.1:${agentPort}/peer`,
    say: (event, facts) => said.push({ ...facts, event }),
  })
  const endpoint = await made.start()
  const transport: PeerTransport =
    kind === 'zmq'
      ? createPeerZmq({ endpoint, agent: 'bench-1', key: KEY })
      : createPeerWebhook({
          url: endpoint,
          secret: KEY,
          ca: null,
          clock,
          listen: { host: '127.0.0.1', port: agentPort },
        })
  await transport.start({ take: (bytes) => inbound.take(bytes), refuse: (why) => inbound.refuse(why) })
  const out = new PeerSender({
    transport,
    clock,
    timeoutMs: 2000,
    random: () => 0,
    up: () => undefined,
    down: () => undefined,
  })
  out.start()
  t.teardown(async () => {
    await out.stop()
    await transport.stop()
    await made.stop()
  })
  const executor = createPeerExecutor({ target: 'valve-1', sender: out, acks, sinks: new Map(), from: sender })
  return { said, refused, told, inbound, made, out, executor, agentPort, endpoint }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await clock.sleep(5)
}

for (const kind of ['zmq', 'webhook'] as const) {
  t.test(`${kind}: events arrive whole, actions are acknowledged, and what a peer says is taken`, async (t) => {
    const { said, told, made, out, executor, inbound } = await link(t, kind)
    const event = drift()
    out.offer(event)
    await until(() => said.some(({ event }) => event === 'received'))
    t.same(said[0], { event: 'received', message: JSON.parse(JSON.stringify(event)) })
    const request = { ...actionRequest(), budgetMs: 5000 }
    await until(() => out.counts.taken === 1)
    await executor.send(request)
    await until(() => told.length === 2)
    t.match(told, [
      ['valve-1', { key: request.key, status: 'accepted', from: 'waveos' }],
      ['valve-1', { key: request.key, status: 'completed', from: 'waveos' }],
    ])
    t.match(await executor.query(request.key, 100), { status: 'completed' })
    t.equal(await executor.query('another', 100), 'no_answer')
    t.equal(await executor.proof(100), false)
    made.send({ type: 'POLICY_APPLIED', policy_id: 'p', version: '1', digest: 'ab'.repeat(32), by: 'ada', reason: 'r' })
    await until(() => inbound.policies.length === 1)
    t.equal(inbound.refusals.size, 0)
  })

  // verifies SE-41
  t.test(`${kind}: acks twice, of unknown actions and under another name count for nothing, by name`, async (t) => {
    const twice = await link(t, kind, { acks: { times: 2 } })
    await until(() => twice.out.queue.waiting.events === 0)
    const send = async ({ executor }: typeof twice): Promise<void> => {
      for (;;)
        try {
          return await executor.send({ ...actionRequest(), budgetMs: 5000 })
        } catch {
          // Not connected yet; certainly not sent.
          await clock.sleep(5)
        }
    }
    await send(twice)
    await until(() => twice.refused.length === 2)
    t.same(
      twice.told.map(([, { status }]) => status),
      ['accepted', 'completed'],
    )
    t.same([...twice.inbound.refusals], [['repeated_ack', 2]])
    const unknown = await link(t, kind, { acks: { actionId: 'nobody-asked' } })
    await send(unknown)
    await until(() => unknown.refused.length === 2)
    t.same([...unknown.inbound.refusals], [['unknown_action', 2]])
    const other = await link(t, kind, { acks: { from: 'mallory' } })
    await send(other)
    await until(() => other.refused.length === 2)
    t.same([...other.inbound.refusals], [['wrong_identity', 2]])
    t.same([unknown.told, other.told], [[], []])
  })

  // verifies SE-41
  t.test(`${kind}: without the key nothing is believed, either way`, async (t) => {
    const { said, refused, made, out, inbound } = await link(t, kind, { peerKey: new Uint8Array(32).fill(8) })
    out.offer(drift())
    await until(() => said.some(({ event }) => event === 'not_authentic'))
    made.send({ type: 'MODE_CHANGED', from_mode: 'nominal', to_mode: 'degraded', reason: 'r' })
    await until(() => refused.length > 0)
    t.equal(refused[0], 'not_authentic')
    t.same(inbound.taken, { ACTION_ACK: 0, MODE_CHANGED: 0, POLICY_APPLIED: 0 })
    t.notOk(said.some(({ event }) => event === 'received'))
  })
}

// verifies SE-41
t.test('webhook: a request that was sent before, is too long or is posted elsewhere', async (t) => {
  const { agentPort, inbound } = await link(t, 'webhook')
  const url = `http://127.0.0.1:${agentPort}/peer`
  const message = (messageId: string) =>
    JSON.stringify({
      ...{ type: 'POLICY_APPLIED', contract_version: 1, timestamp: new Date().toISOString(), system_id: 'waveos' },
      ...{ message_id: messageId, policy_id: 'p', version: '1', digest: 'ab'.repeat(32), by: 'ada', reason: 'r' },
    })
  // Signed here by the words of the standard, not by our own function.
  const post = async (body: string, to = url, ageS = 0): Promise<[number, unknown]> => {
    const timestamp = String(Math.floor(Date.now() / 1000) - ageS)
    const code = createHmac('sha256', KEY).update(`id.${timestamp}.${body}`).digest('base64')
    const headers = { 'webhook-id': 'id', 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${code}` }
    const response = await fetch(to, { method: 'POST', body, headers })
    return [response.status, await response.json()]
  }
  const first = message('m-1')
  t.same(await post(first), [202, { taken: 'POLICY_APPLIED' }])
  t.same(await post(first), [409, { refused: 'repeated_message' }])
  t.same(await post(message('m-2')), [429, { refused: 'rate_limited' }])
  t.same(await post(message('m-3'), url, 200), [401, { refused: 'not_authentic' }])
  t.same(await post('{'), [409, { refused: 'not_json' }])
  t.same(await post(' '.repeat(PEER_MESSAGE_BYTES_MAX + 1)), [413, { refused: 'too_large' }])
  t.equal((await post(message('m-4'), url.replace('/peer', '/')))[0], 404)
  t.equal((await fetch(url)).status, 404)
  t.same([...inbound.refusals.keys()].sort(), [
    'not_authentic',
    'not_json',
    'rate_limited',
    'repeated_message',
    'too_large',
  ])
})

// verifies SE-41
t.test('zmq: frames of another shape, too long, or sent back are refused, and the next one is taken', async (t) => {
  const router = new Router({ linger: 0, mandatory: true })
  t.teardown(() => router.close())
  await router.bind('tcp://127.0.0.1:*')
  const refused: string[] = []
  const taken: Uint8Array[] = []
  const transport = createPeerZmq({ endpoint: router.lastEndpoint!, agent: 'bench-1', key: KEY })
  await transport.start({
    take(bytes) {
      taken.push(bytes)
      return { ok: true, type: 'ACTION_ACK' }
    },
    refuse(why) {
      refused.push(why.refusal)
      return why
    },
  })
  t.teardown(() => transport.stop())
  const hand = async (): Promise<void> => {
    for (;;)
      try {
        return await transport.hand(drift(), 1000).handed
      } catch {
        await clock.sleep(5)
      }
  }
  await hand()
  const [from, frame] = await router.receive()
  t.equal(String(from), 'bench-1')
  const json = new TextEncoder().encode('{}')
  const sealed = sealPeerFrame(KEY, 'to_agent', json)
  await router.send(['bench-1', frame!])
  await router.send(['bench-1', sealed, ''])
  await router.send(['bench-1', ''])
  await router.send(['bench-1', sealed.subarray(1)])
  await router.send(['bench-1', sealed])
  await until(() => taken.length === 1)
  t.same(
    refused,
    Array.from({ length: 4 }, () => 'not_authentic'),
  )
  t.same(new Uint8Array(taken[0]!), json)
})

t.test('zmq: without a connection a request certainly did not go, and nobody waits for one', async (t) => {
  const transport = createPeerZmq({ endpoint: `tcp://127.0.0.1:${await freePort()}`, agent: 'bench-1', key: KEY })
  await t.rejects(transport.hand(drift(), 1000).handed, { code: 'EXECUTOR_UNREACHABLE' }, 'before the start')
  await transport.start({ take: () => ({ ok: true, type: 'ACTION_ACK' }), refuse: (why) => why })
  t.teardown(() => transport.stop())
  const { handed, done } = transport.hand(drift(), 1000)
  await t.rejects(handed, { code: 'EXECUTOR_UNREACHABLE' })
  await t.rejects(done, { code: 'EXECUTOR_UNREACHABLE' })
})
