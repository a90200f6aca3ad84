import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type AgentFolder, makeAgentFolder } from '../../../../hil-testbed/bench/agent-folder.ts'
import { CarriedFaults } from '../../../../hil-testbed/bench/carried-faults.ts'
import type { Reach } from '../../../../hil-testbed/bench/carrier.ts'
import { benchKey, benchSecret } from '../../../../hil-testbed/bench/keys.ts'
import { People } from '../../../../hil-testbed/bench/orders.ts'
import type { Fault } from '../../../../hil-testbed/core/fault.ts'
import type { ScenarioRow } from '../../../../hil-testbed/core/scenario.ts'
import { loadScenarios } from '../../../../hil-testbed/scenario/load.ts'
import { openOrder } from '../../../../shared/codec/order.ts'
import { readPublicKey, signerFromPem } from '../../../../shared/crypto/sign.ts'
import { CONTROL_SOCKET } from '../../../../shared/lib/control-socket.ts'
import type { Order } from '../../../../shared/model/order.ts'
import { SOUND, scenarioFolder } from '../../../support/scenario-folder.ts'

function soundRow(t: Test): ScenarioRow {
  const folder = scenarioFolder(t)
  return loadScenarios([folder.put('scenarios/try.scenario.yaml', SOUND)]).rows[0]!
}

function made(t: Test, name: string, row: ScenarioRow): AgentFolder {
  const path = join(t.testdir({ [name]: {} }), name)
  return makeAgentFolder(path, { row, baseline: null, collectorKeys: null, brokerUrl: null, changes: {}, missing: [] })
}

t.test('a working folder has the same bytes wherever it is made', (t) => {
  const row = soundRow(t)
  const bytes = (name: string): Record<string, string> => {
    const { path } = made(t, name, row)
    return Object.fromEntries(readdirSync(path).map((file) => [file, readFileSync(join(path, file), 'latin1')]))
  }
  const [one, other] = [bytes('one'), bytes('another-place')]
  t.same(one, other)
  t.match(Object.keys(one).sort(), [/./, 'alice.pub.pem', 'bob.pub.pem', 'carol.pub.pem'])
  t.match(one['runtime.yaml'], /^realm: testbed$/m)
  t.match(one['runtime.yaml'], /endpoint: ipc:\/\/lockstep\.sock/)
  for (const text of Object.values(one)) t.notMatch(text, t.testdirName)
  t.end()
})

t.test('a fault of the configuration changes the one file that it is about', (t) => {
  const row = soundRow(t)
  const { path } = made(t, 'as it is', row)
  const other = join(path, 'changed')
  mkdirSync(other)
  const options = { row, baseline: null, collectorKeys: null, brokerUrl: null, missing: [] }
  makeAgentFolder(other, { ...options, changes: { 'registry.yaml': (text) => text.replaceAll('p_a', 'p_z') } })
  const differs = readdirSync(other).filter(
    (name) => readFileSync(join(path, name), 'latin1') !== readFileSync(join(other, name), 'latin1'),
  )
  t.same(differs, ['registry.yaml'])
  const half = join(path, 'half')
  mkdirSync(half)
  makeAgentFolder(half, { ...options, changes: {}, missing: ['registry.yaml'] })
  t.same(
    readdirSync(path).filter((name) => !readdirSync(half).includes(name)),
    ['changed', 'half', 'registry.yaml'],
    'one that is missing is the only one',
  )
  t.end()
})

t.test('keys of the bench are made from words, and are of a testbed alone', (t) => {
  const [alice, again, bob] = [benchKey('person', 'alice'), benchKey('person', 'alice'), benchKey('person', 'bob')]
  t.same(alice, again)
  t.not(alice.privatePem, bob.privatePem)
  t.notSame(benchSecret('link', 'a-b', 'c'), benchSecret('link', 'a', 'b-c'), 'words do not run into each other')
  t.equal(signerFromPem(alice.privatePem).realm, 'testbed')
  const key = readPublicKey(alice.publicPem)
  t.equal(key.realm, 'testbed')
  const words = new TextEncoder().encode('words')
  t.ok(key.verify(words, signerFromPem(alice.privatePem).sign(words)))
  t.end()
})

const NOW_US = 1_780_272_000_000_000
const DESK = {
  ...{ deployment: 'hil', agent: 'bench', boot: 'b1', waiting: [{ order: 'o1', kind: 'arm', config: 'waits' }] },
  rigs: [{ rig: 'vessel', config: 'in force', against: [], arm: null }],
}

/** An agent's control socket that answers orders as it is told to, and what it was handed. */
async function desk(t: Test, answer: (order: Order) => Readonly<{ status: number; body: unknown }>, boot = DESK.boot) {
  // A socket's path must be short.
  const state = mkdtempSync(join(tmpdir(), 'hb-desk-'))
  const alice = benchKey('person', 'alice')
  const taken: Order[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      if (request.method === 'GET') {
        response.end(JSON.stringify({ ...DESK, boot }))
        return
      }
      const { order } = JSON.parse(Buffer.concat(parts).toString()) as { order: string }
      const opened = openOrder(new Uint8Array(Buffer.from(order, 'base64')), readPublicKey(alice.publicPem))
      taken.push(opened)
      const { status, body } = answer(opened)
      response.writeHead(status).end(JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(join(state, CONTROL_SOCKET), resolve))
  t.teardown(async () => {
    await new Promise((resolve) => server.close(resolve))
    rmSync(state, { recursive: true })
  })
  return { people: new People(state, new Map([['alice', alice.privatePem]]), () => NOW_US), taken, state }
}

t.test('people sign for the agent, the rig and the configuration that they are asked about', async (t) => {
  const { people, taken } = await desk(t, ({ kind }) => ({ status: 200, body: { state: `${kind}ed`, order: 'o2' } }))
  const given = await people.give('alice', { kind: 'arm', untilUs: NOW_US + 5 })
  t.match(given, { state: 'armed', order: 'o2', refused: '' })
  await people.give('alice', { kind: 'confirm', subject: 'o1' })
  await people.give('alice', { kind: 'confirm', subject: 'o1', config: 'another' })
  await people.give('alice', { kind: 'disarm', reason: 'enough', atUs: 7 })
  const about = { deployment: 'hil', agent: 'bench', boot: 'b1', rig: 'vessel' }
  t.match(taken, [
    { ...about, kind: 'arm', config: 'in force', atUs: NOW_US, untilUs: NOW_US + 5, reason: 'a scenario' },
    { kind: 'confirm', subject: 'o1', config: 'waits' },
    { kind: 'confirm', subject: 'o1', config: 'another' },
    { kind: 'disarm', config: '', reason: 'enough', atUs: 7 },
  ])
  const again = await people.handIn(given.bytes)
  t.equal(again.state, 'armed')
  t.same(taken.at(-1), taken[0], 'the same bytes a second time')
  await t.rejects(people.give('mallory', { kind: 'arm' }), { code: 'USAGE' })
})

t.test('a refusal is an answer with its grounds; an agent that is not there is not', async (t) => {
  const body = { code: 'ORDER_REFUSED', context: { reason: 'not_yet', found: 'x'.repeat(600), tries: 3 } }
  const { people } = await desk(t, () => ({ status: 409, body }))
  const { state, refused } = await people.give('alice', { kind: 'arm' })
  t.equal(state, 'refused')
  t.match(refused, /^ORDER_REFUSED not_yet x+$/)
  t.equal(refused.length, 400)
  const alone = new People(t.testdir({}), new Map([['alice', benchKey('person', 'alice').privatePem]]), () => NOW_US)
  await t.rejects(alone.give('alice', { kind: 'arm' }), { code: 'AGENT_NOT_RUNNING' })
})

t.test('people of several runs at once reach each their own agent', async (t) => {
  const accepted = () => ({ status: 200, body: { state: 'armed' } })
  const [one, other] = [await desk(t, accepted, 'one'), await desk(t, accepted, 'other')]
  for (const { people, taken, boot } of [
    { ...one, boot: 'one' },
    { ...other, boot: 'other' },
    { ...one, boot: 'one' },
  ]) {
    await people.give('alice', { kind: 'arm' })
    t.equal(taken.at(-1)?.boot, boot)
  }
  t.same([one.taken.length, other.taken.length], [2, 1])
})

function fault(of: string, change: Partial<Fault> = {}): Fault {
  return {
    ...{ id: 'F1', class: of, target: 'agent', onsetUs: 100, durationUs: 200, shape: 'step' },
    ...{ periodUs: 0, pulseUs: 0, params: {} },
    ...change,
  }
}

/** What the agent and the link to the collector were told, in order. */
function reached() {
  const told: string[] = []
  const said: Readonly<Record<string, unknown>>[] = []
  const proxy = { hits: 0, slow: () => told.push('slow'), mend: () => told.push('mend') }
  const agent = {
    now: { said },
    kill: async (atUs: number) => void told.push(`kill@${atUs}`),
    start: async (atUs: number) => void told.push(`start@${atUs}`),
    pause: (atUs: number, on: boolean) => void told.push(`${on ? 'pause' : 'resume'}@${atUs}`),
  }
  return { told, said, proxy, faults: new CarriedFaults({ agent, collector: { proxy } } as unknown as Reach) }
}

t.test('a carried fault begins and ends once, at the first quantum that is not before its time', async (t) => {
  const { told, faults } = reached()
  faults.inject(fault('compute.pause'))
  await faults.move(50)
  t.same([told, faults.acting, faults.seen()], [[], [], [{ id: 'F1', count: 0, firstUs: null, lastUs: null }]])
  await faults.move(100)
  t.same([told, faults.acting], [['pause@100'], ['F1']])
  await faults.move(250)
  await faults.move(300)
  await faults.move(350)
  await faults.endAll(400)
  t.same(told, ['pause@100', 'resume@300'])
  t.same(faults.seen(), [{ id: 'F1', count: 1, firstUs: 100, lastUs: 100 }])
})

t.test('one that is cleared ends at once, and one that has not begun never does', async (t) => {
  const { told, faults } = reached()
  faults.inject(fault('compute.pause', { durationUs: null }))
  faults.inject(fault('compute.pause', { id: 'F2', onsetUs: 9000 }))
  await faults.move(100)
  await faults.clear('F1', 150)
  await faults.clear('F2', 150)
  await faults.move(9000)
  await faults.endAll(9000)
  t.same(told, ['pause@100', 'resume@150'])
  t.match(faults.seen(), [{ count: 1 }, { count: 0, firstUs: null }])
})

t.test('a kill at a point of an action waits for it, and the agent comes back after its time', async (t) => {
  const { told, said, faults } = reached()
  said.push({ event: 'action', state: 'SENT', action: 'shutdown' })
  faults.inject(fault('compute.kill', { durationUs: null, params: { at: 'SENT', restart_ms: 1 } }))
  await faults.move(100)
  said.push({ event: 'action', state: 'SENT', action: 'notify' })
  await faults.move(200)
  t.same(told, [], 'what was said before, and what nobody executes, is not it')
  said.push({ event: 'action', state: 'SENT', action: 'shutdown' })
  await faults.move(300)
  await faults.move(1200)
  await faults.move(1300)
  await faults.endAll(2000)
  t.same(told, ['kill@300', 'start@1300'])
  t.match(faults.seen(), [{ count: 1, firstUs: 300, lastUs: 300 }])
})

t.test('a fault is seen when it changed something, not when it began', async (t) => {
  const { told, proxy, faults } = reached()
  proxy.hits = 5
  faults.inject(fault('collector.slow', { target: 'collector', durationUs: null }))
  await faults.move(100)
  t.match(faults.seen(), [{ count: 0, firstUs: null }], 'what was there before it does not count')
  proxy.hits = 7
  await faults.move(200)
  proxy.hits = 8
  await faults.endAll(300)
  t.same(faults.seen(), [{ id: 'F1', count: 3, firstUs: 200, lastUs: 300 }])
  t.same(told, ['slow', 'mend'])
})
