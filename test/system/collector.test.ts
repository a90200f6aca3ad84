import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { Writable } from 'node:stream'
import t from 'tap'
import { WebSocket } from 'ws'
import { type Collector, createCollector } from '../../collector/compose.ts'
import { readPublicKey } from '../../shared/crypto/sign.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { createLogger } from '../../shared/log/logger.ts'
import { openDownlink } from '../../shared/protocol/downlink.ts'
import type { AgentMessage } from '../../shared/protocol/messages.ts'
import { openReceipt } from '../../shared/protocol/receipt.ts'
import {
  type AgentDouble,
  connectAgent,
  createBatchMaker,
  handshake,
  type LinkTls,
  type MadeBatch,
} from '../support/agent-double.ts'
import { createCollectorFolder } from '../support/collector-folder.ts'

const { folder, ca, otherCa, receipts, bench, rack, config, certificateOf } = createCollectorFolder()
const logged: string[] = []
const destination = new Writable({
  write: (chunk, _encoding, done) => {
    logged.push(String(chunk))
    done()
  },
})
const logger = createLogger({ name: 'collector', level: 'info', destination })
const options = { logger, workerFile: resolve('collector', 'verify', 'worker.ts'), page: join(folder, 'page') }
let collector: Collector

async function startCollector(change: Partial<typeof config> = {}): Promise<Collector> {
  const made = createCollector({ config: { ...config, ...change }, folder }, systemClock(), options)
  await made.start()
  return made
}

t.before(async () => {
  collector = await startCollector()
})
t.teardown(async () => {
  await collector.stop()
  rmSync(folder, { recursive: true, force: true })
})

function helloOf(
  agent: string,
  spki: Uint8Array,
  change: Partial<Extract<AgentMessage, { t: 'hello' }>> = {},
): AgentMessage {
  return {
    t: 'hello',
    v: 1,
    agent,
    deployment: 'demo',
    epoch: 1,
    spki,
    boot_id: 'boot',
    version: '0.1.0',
    programs: ['demo'],
    rigs: [{ rig: 'water-loop', program: 'demo' }],
    ...change,
  }
}

async function openBench(): Promise<AgentDouble> {
  const agent = await connectAgent(collector.agentsPort, certificateOf('bench-1'))
  agent.send(helloOf('bench-1', bench.signer.spki))
  return agent
}

const get = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(`http://127.0.0.1:${collector.operatorsPort}${path}`, init)
type Fields = Record<string, unknown>
const getJson = async (path: string): Promise<Fields> => (await get(path)).json() as Promise<Fields>
const decisionCount = async (): Promise<number> => ((await getJson('/api/decisions'))['decisions'] as unknown[]).length
async function refusedCodes(): Promise<string[]> {
  const { refusals } = await getJson('/api/refusals')
  return (refusals as { code: string }[]).map((r) => r.code)
}

const make = createBatchMaker({ signer: bench.signer, deployment: 'demo', agent: 'bench-1' })
const sent: MadeBatch[] = []

t.test('a batch is verified, stored and receipted, and a page can find and prove it', async (t) => {
  const agent = await openBench()
  t.match(await agent.next('resume'), { epoch: 1, batch_seq: 0 })
  for (let n = 0; n < 5; n += 1) sent.push(make({ verdict: n === 3 ? 'FAIL' : 'PASS' }))
  for (const batch of sent) agent.sendBatch(batch)
  for (const batch of sent) {
    const message = await agent.next('receipt')
    const receipt = openReceipt(message.receipt, readPublicKey(receipts.publicPem))
    t.match(receipt, { agent: 'bench-1', epoch: 1, batchSeq: batch.batchSeq })
    t.same(Buffer.from(receipt.identity), Buffer.from(batch.identity))
  }
  const { decisions } = await getJson('/api/decisions?verdict=FAIL&rig=water-loop')
  t.match(decisions, [
    {
      id: 'bench-1:31',
      program: 'demo',
      batch: { epoch: 1, batch_seq: 4 },
      findings: [{ metric: 'flow', channel: 'Volume Flow RateRMS', baseline_mean: 32.1 }],
    },
  ])
  t.match(await getJson('/api/decisions/bench-1:31'), { kind: 'record', verdict: 'FAIL', values: [{ seq: 31 }] })
  t.match(await getJson('/api/decisions/bench-1:35'), { kind: 'range', first_seq: 32, last_seq: 40 })
  const batch = await getJson('/api/batches/bench-1/1/4')
  t.equal(batch['cose'], Buffer.from(sent[3]!.cose).toString('base64'), 'the very bytes that were signed')
  t.match(batch, { first_seq: 31, count: 10, header: { agent: 'bench-1', batchSeq: 4 } })
  agent.close()
  await agent.closed
})

t.test(
  'an agent that comes back goes on after its last receipt, and what it sends again gets the same receipt',
  async (t) => {
    const agent = await openBench()
    t.match(await agent.next('resume'), { epoch: 1, batch_seq: 5 })
    agent.sendBatch(sent[1]!)
    const again = (await agent.next('receipt')).receipt
    t.equal(Buffer.from(again).toString('base64'), (await getJson('/api/batches/bench-1/1/2'))['receipt'])
    const count = await decisionCount()
    sent.push(make())
    agent.sendBatch(sent[5]!)
    t.match(await agent.next('receipt'), { batch_seq: 6 })
    t.equal(await decisionCount(), count + 1)
    t.same(await refusedCodes(), [])
    const other = await openBench()
    t.equal(await agent.closed, 4001, 'a second session of the agent takes the place of the first')
    other.close()
  },
)

t.test('what breaks the chain is refused with a code, recorded, and leaves no trace in the store', async (t) => {
  const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))
  const good = make({ keep: false })
  const forger = createBatchMaker({ signer: rack.signer, deployment: 'demo', agent: 'bench-1' })
  const table: [string, MadeBatch, string][] = [
    [
      'another batch with a number that is taken',
      make({ keep: false, batchSeq: 6, firstSeq: 51 }),
      'CHAIN_EQUIVOCATION',
    ],
    ['a number too far', make({ keep: false, batchSeq: 9 }), 'CHAIN_GAP'],
    ['decisions left out', make({ keep: false, firstSeq: 99 }), 'CHAIN_GAP'],
    ['another predecessor', make({ keep: false, prev: new Uint8Array(32) }), 'CHAIN_WRONG_PREV'],
    ['decisions told again', make({ keep: false, firstSeq: 11 }), 'CHAIN_REPLAY'],
    ['a rig that was never declared', make({ keep: false, rig: 'other-rig' }), 'AGENT_WRONG_PROGRAM'],
    ['a batch of another deployment', make({ keep: false, deployment: 'other' }), 'CHAIN_REPLAY'],
    ['a batch signed by another key', forger(), 'BATCH_SIGNATURE'],
    [
      'a flipped bit in what was signed',
      { ...good, cose: flipped(good.cose, good.cose.length - 100) },
      'BATCH_SIGNATURE',
    ],
    ['a number outside that is not the one inside', { ...good, batchSeq: 8 }, 'SESSION_PROTOCOL'],
  ]
  for (const [name, batch, code] of table) {
    const agent = await openBench()
    agent.sendBatch(batch)
    t.match(await agent.next('refusal'), { code }, name)
    t.equal(await agent.closed, 1008, `${name}: the session ends`)
    t.ok((await refusedCodes()).includes(code), `${name}: operators see it`)
  }
  const agent = await openBench()
  agent.sendBatch({ ...good, records: flipped(good.records, good.records.length - 20) })
  t.match((await agent.next('refusal')).code, /^(BATCH_ROOT|CBOR_REFUSED|BATCH_SHAPE)$/, 'a flipped bit in the records')
  const nonsense = await openBench()
  await nonsense.next('resume')
  nonsense.sendBytes(new Uint8Array([0xff, 0xff]))
  t.match(await nonsense.next('refusal'), { code: 'SESSION_PROTOCOL' })
  const after = await openBench()
  t.match(await after.next('resume'), { batch_seq: 6 }, 'the chain is where it was')
  sent.push(make())
  after.sendBatch(sent[6]!)
  t.match(await after.next('receipt'), { batch_seq: 7 }, 'and goes on')
  after.close()
})

t.test('only enrolled agents of this deployment with a certificate over TLS 1.3 get in', async (t) => {
  await t.rejects(handshake(collector.agentsPort, { ca: ca.certPem }), 'no certificate')
  await t.rejects(
    handshake(collector.agentsPort, certificateOf('bench-1', otherCa)),
    'a certificate of another authority',
  )
  await t.rejects(
    handshake(collector.agentsPort, { ...certificateOf('bench-1'), maxVersion: 'TLSv1.2' }),
    'an older protocol',
  )
  t.equal(await handshake(collector.agentsPort, certificateOf('bench-1')), 'TLSv1.3')
  await t.rejects(
    connectAgent(collector.agentsPort, certificateOf('bench-1', ca, 'elsewhere')),
    /403/,
    'a certificate of another deployment',
  )
  const table: [string, LinkTls, AgentMessage, string][] = [
    ['an agent nobody enrolled', certificateOf('bench-9'), helloOf('bench-9', bench.signer.spki), 'AGENT_UNKNOWN'],
    [
      'an agent that says it is another',
      certificateOf('rack-2'),
      helloOf('bench-1', bench.signer.spki),
      'AGENT_UNKNOWN',
    ],
    [
      'another deployment',
      certificateOf('bench-1'),
      helloOf('bench-1', bench.signer.spki, { deployment: 'other' }),
      'AGENT_WRONG_DEPLOYMENT',
    ],
    ['another key', certificateOf('bench-1'), helloOf('bench-1', rack.signer.spki), 'AGENT_WRONG_KEY'],
    [
      'a program of somebody else',
      certificateOf('bench-1'),
      helloOf('bench-1', bench.signer.spki, { rigs: [{ rig: 'water-loop', program: 'secret' }] }),
      'AGENT_WRONG_PROGRAM',
    ],
  ]
  for (const [name, tls, hello, code] of table) {
    const agent = await connectAgent(collector.agentsPort, tls)
    agent.send(hello)
    t.match(await agent.next('refusal'), { code }, name)
    t.equal(await agent.closed, 1008, name)
    t.ok((await refusedCodes()).includes(code), `${name}: operators see it`)
  }
  t.ok((await refusedCodes()).includes('AGENT_CERTIFICATE'))
})

t.test('an open page is told of everything as it happens', async (t) => {
  const page = new WebSocket(`ws://127.0.0.1:${collector.operatorsPort}/live`)
  const heard: Fields[] = []
  const wake: (() => void)[] = []
  page.on('message', (data) => {
    heard.push(JSON.parse(String(data)))
    for (const up of wake.splice(0)) up()
  })
  const until = async (type: string): Promise<Fields> => {
    for (;;) {
      const found = heard.find((m) => m['type'] === type)
      if (found !== undefined) return found
      await new Promise<void>((up) => wake.push(up))
    }
  }
  const fleet = await until('fleet')
  t.equal(heard[0], fleet, 'the fleet comes first')
  t.match(fleet, { label: 'demo', agents: [{ agent: 'bench-1' }, { agent: 'rack-2' }], decisions: Array })
  const agent = await openBench()
  t.match(await until('agent'), { agent: { agent: 'bench-1', connected: true, program: 'demo' } })
  agent.send({ t: 'vitals', vitals: JSON.stringify({ v: 1, type: 'vitals', rig: 'not-mine', verdict: 'FAIL' }) })
  agent.send({ t: 'vitals', vitals: 'not json' })
  agent.send({
    t: 'vitals',
    vitals: JSON.stringify({ v: 1, type: 'vitals', rig: 'water-loop', verdict: 'PASS', program: 'lies' }),
  })
  t.match(
    await until('vitals'),
    { vitals: { rig: 'water-loop', agent: 'bench-1', program: 'demo' } },
    'what it may not say is put right or left out',
  )
  sent.push(make({ verdict: 'FAIL' }))
  agent.sendBatch(sent[7]!)
  t.match(await until('decision'), { decision: { id: 'bench-1:71', verdict: 'FAIL', receipt_us: Number } })
  t.match(await until('batch'), { batch: { agent: 'bench-1', batch_seq: 8, first_seq: 71, count: 10 } })
  t.match(await until('receipt'), { receipt: { batch_seq: 8, receipt_us: Number } })
  t.match(await until('heartbeat'), { dropped: 0, now_us: Number })
  t.match(await getJson('/api/fleet'), { vitals: [{ rig: 'water-loop', heard_age_ms: Number }] })
  await agent.next('receipt')
  agent.close()
  page.close()
})

t.test('raw samples around a decision are fetched from the agent when somebody asks', async (t) => {
  const agent = await openBench()
  await agent.next('resume')
  const opened = { key: readPublicKey(receipts.publicPem), agent: 'bench-1' }
  t.match(openDownlink((await agent.next('downlink')).cose, opened), { kind: 'config_watch' }, 'asked of every agent')
  const first = await get('/api/slices/bench-1:71')
  t.equal(first.status, 202)
  const { cose } = await agent.next('downlink')
  const question = openDownlink(cose, opened)
  t.match(question, { id: 'bench-1:71', rig: 'water-loop', fromUs: 0, toUs: 71 * 50_000 + 5_000_000 })
  t.throws(() => openDownlink(cose, { key: readPublicKey(receipts.publicPem), agent: 'rack-2' }), {
    code: 'COSE_SHAPE',
  })
  const channels = [
    {
      channel: 'Volume Flow RateRMS',
      unit: 'l/min',
      time_us: Float64Array.of(1, 2),
      value: Float64Array.of(32, Number.NaN),
    },
  ]
  agent.send({ t: 'slice', id: question.id, ok: true, rig: 'water-loop', channels })
  let answer = await get('/api/slices/bench-1:71')
  for (let n = 0; answer.status === 202 && n < 100; n += 1) {
    await systemClock().sleep(20)
    answer = await get('/api/slices/bench-1:71')
  }
  t.match(await answer.json(), {
    decision: 'bench-1:71',
    channels: [{ metric: 'flow', channel: 'Volume Flow RateRMS', t_us: [1, 2], value: [32, null] }],
  })
  t.equal((await get('/api/slices/bench-1:75')).status, 404, 'an unchanged decision has none of its own')
  agent.close()
})

t.test('the page comes under a strict policy, and strangers and nonsense get nothing', async (t) => {
  const page = await get('/')
  t.match(await page.text(), /fleet/)
  t.match(page.headers.get('content-security-policy'), /default-src 'self'.*frame-ancestors 'none'/)
  const { statusCode } = await rawGet('evil.example')
  t.equal(statusCode, 403, 'a name that is not ours')
  t.equal((await get('/api/fleet', { headers: { origin: 'http://evil.example' } })).status, 403)
  for (const path of [
    '/api/decisions?limit=0',
    '/api/decisions?limit=1e3',
    '/api/decisions?verdict=GOOD',
    '/api/decisions?colour=red',
    '/api/decisions?before=-1',
    '/api/decisions/x',
    '/api/batches/bench-1/1/x',
  ]) {
    t.equal((await get(path)).status, 400, path)
  }
  for (const path of [
    '/api/decisions/bench-1:9999',
    '/api/batches/bench-1/1/99',
    '/api/nothing',
    '/../data/collector.sqlite',
  ])
    t.equal((await get(path)).status, 404, path)
  t.equal((await get('/api/decisions', { method: 'POST', body: '{}' })).status, 404, 'there is nothing to write')
})

t.test('a collector that stops says so, and a new one goes on where it ended', async (t) => {
  const agent = await openBench()
  await agent.next('resume')
  sent.push(make())
  agent.sendBatch(sent[8]!)
  await agent.next('receipt')
  const before = await getJson('/api/decisions')
  t.same(await collector.stop(), { overdue: [], failed: [] })
  t.equal(await agent.closed, 1001)
  collector = await startCollector()
  t.same(await getJson('/api/decisions'), before)
  const again = await openBench()
  t.match(await again.next('resume'), { epoch: 1, batch_seq: 9 })
  again.close()
  t.ok(
    logged.some((line) => line.includes('"event":"collector_started"') && line.includes('"agents":"wss://127.0.0.1:')),
    'addresses are in the log',
  )
})

t.test('what an operator must put right has a code', async (t) => {
  const taken = createServer()
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done))
  const { port } = taken.address() as { port: number }
  await t.rejects(startCollector({ data_dir: 'other', agents_listen: { host: '127.0.0.1', port } }), {
    code: 'PORT_TAKEN',
  })
  await t.rejects(startCollector({ data_dir: 'other', operators_listen: { host: '0.0.0.0', port: 0 } }), {
    code: 'OPERATORS_NOT_LOOPBACK',
  })
  writeFileSync(join(folder, 'open.pem'), receipts.privatePem, { mode: 0o644 })
  await t.rejects(startCollector({ data_dir: 'other', signing_key_file: 'open.pem' }), { code: 'KEY_FILE_OPEN' })
  await t.rejects(startCollector({ data_dir: 'other', tls: { ...config.tls, ca_file: 'missing.pem' } }), {
    code: 'CONFIG_MISSING',
  })
  taken.close()
})

/** fetch will not send another Host than the one it connects to. */
async function rawGet(host: string): Promise<{ statusCode: number | undefined }> {
  const { request } = await import('node:http')
  return new Promise((done, fail) => {
    const asked = request(
      { host: '127.0.0.1', port: collector.operatorsPort, path: '/api/fleet', headers: { host } },
      (response) => {
        response.resume()
        done({ statusCode: response.statusCode })
      },
    )
    asked.on('error', fail)
    asked.end()
  })
}
