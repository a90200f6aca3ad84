import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { type WebSocket as Socket, WebSocket, WebSocketServer } from 'ws'
import { REFUSALS_WAITING_MAX, refuser } from '../../../collector/compose.ts'
import { createFleet, RIGS_MAX } from '../../../collector/fleet.ts'
import { buildApp, OPERATOR_CONNECTIONS_MAX } from '../../../collector/http/operators.ts'
import { openStores } from '../../../collector/store/open.ts'
import { createRefusalStore, REFUSALS_MAX } from '../../../collector/store/refusals.ts'
import { COLLECTOR_MIGRATIONS } from '../../../collector/store/schema.ts'
import { createSliceStore, SLICES_MAX } from '../../../collector/store/slices.ts'
import { createVerifyPool, QUEUE_MAX } from '../../../collector/verify/pool.ts'
import { KEYS_MAX, keysRemembered, verifyBatch } from '../../../collector/verify/worker.ts'
import { OUT_BYTES_MAX, socketOf } from '../../../collector/ws/agents.ts'
import { createIngest, GROUP_MAX } from '../../../collector/ws/ingest.ts'
import { generateSigner } from '../../../shared/crypto/sign.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { signReceipt } from '../../../shared/protocol/receipt.ts'
import { type Database, openDatabase } from '../../../shared/sqlite/database.ts'
import { createBatchMaker } from '../../support/agent-double.ts'

let driven = 0
const clock = createVirtualClock(1_000_000)
const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))
const until = async (holds: () => boolean): Promise<boolean> => {
  for (let k = 0; k < 400 && !holds(); k += 1) await wait(25)
  return holds()
}

function folderFor(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'hb-caps-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function database(t: Test): Promise<Database> {
  const db = await openDatabase({ path: join(folderFor(t), 'x.sqlite'), migrations: COLLECTOR_MIGRATIONS, clock })
  t.teardown(() => db.close())
  return db
}

t.test('bytes going out to an agent: one that does not read is let go and counted, another is served', async (t) => {
  const http = createServer()
  const server = new WebSocketServer({ server: http, perMessageDeflate: false })
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done))
  const { port } = http.address() as { port: number }
  t.teardown(() => http.close())
  const connected = (): Promise<Socket> => new Promise((done) => server.once('connection', done))
  const pair = async (): Promise<{ near: Socket; far: Socket }> => {
    const coming = connected()
    const far = new WebSocket(`ws://127.0.0.1:${port}`)
    far.on('error', () => undefined)
    await new Promise((done) => far.once('open', done))
    return { near: await coming, far }
  }
  const { near, far } = await pair()
  far.pause()
  let cuts = 0
  const session = socketOf(near, () => {
    cuts += 1
  })
  const piece = new Uint8Array(1024 * 1024)
  let sent = 0
  for (; near.readyState === WebSocket.OPEN && sent < 200; sent += 1) session.send(piece)
  t.ok(sent * piece.length > OUT_BYTES_MAX && sent * piece.length <= OUT_BYTES_MAX + 16 * piece.length, `${sent} MiB`)
  session.send(piece)
  session.send(piece)
  t.equal(cuts, 1, 'told once')
  far.resume()
  far.terminate()
  const other = await pair()
  const heard = new Promise((done) => other.far.once('message', done))
  socketOf(other.near, () => t.fail('cut')).send(new Uint8Array([7]))
  t.ok(await heard)
  other.far.terminate()
  server.close()
  driven += 1
})

t.test(
  'batches waiting to be verified: one more is answered at once as unavailable, and then there is room',
  async (t) => {
    const pool = createVerifyPool({
      realm: 'production',
      workers: 1,
      file: resolve('collector', 'verify', 'worker.ts'),
      failed: (cause) => t.fail(String(cause)),
    })
    t.teardown(() => pool.close())
    const task = { cose: new Uint8Array([1]), records: new Uint8Array(1), spki: generateSigner().signer.spki }
    const surplus = 100
    const results = await Promise.all(Array.from({ length: QUEUE_MAX + surplus }, () => pool.verify(task)))
    const codes = new Map<string, number>()
    for (const result of results) {
      const code = result.ok ? 'ok' : result.code
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    const turned = codes.get('VERIFY_FAILED') ?? 0
    // Some are with the worker and not in the queue.
    t.ok(turned > 0 && turned <= surplus, `${turned} turned away`)
    t.equal(codes.get('COSE_SHAPE'), QUEUE_MAX + surplus - turned, 'and every other one was looked at')
    t.match(await pool.verify(task), { ok: false, code: 'COSE_SHAPE' })
    driven += 1
  },
)

t.test('batches of one transaction: more wait for the next one, and all are receipted', async (t) => {
  const stores = await openStores(folderFor(t), clock)
  t.teardown(() => stores.close())
  const { signer } = generateSigner()
  const agent = { agent: 'bench-1', deployment: 'demo', spki: signer.spki, programs: ['demo'] }
  await stores.agents.enrol([agent], 1)
  await stores.agents.declare('bench-1', {
    version: '0',
    bootId: 'b',
    rigs: [{ rig: 'water-loop', program: 'demo' }],
    nowUs: 1,
  })
  const groups: number[] = []
  const { append } = stores.batches
  const watched = {
    ...stores,
    batches: {
      ...stores.batches,
      append: async (group: Parameters<typeof append>[0]) => {
        groups.push(group.length)
        await append(group)
      },
    },
  }
  let open = (): void => undefined
  const gate = new Promise<void>((done) => {
    open = done
  })
  const ingest = createIngest({
    stores: watched,
    pool: {
      verify: async (task) => {
        await gate
        return verifyBatch({ ...task, realm: 'production' })
      },
      close: async () => undefined,
    },
    clock,
    signReceipt: (facts) => signReceipt(facts, signer),
    stored: () => undefined,
    refused: async () => undefined,
  })
  const make = createBatchMaker({ signer, deployment: 'demo', agent: 'bench-1' })
  const from = { agent, open: true }
  const offers = Array.from({ length: GROUP_MAX * 2 + 50 }, () => ingest.offer(from, make()))
  open()
  const outcomes = await Promise.all(offers)
  t.ok(outcomes.every(({ result }) => result === 'receipt'))
  t.ok(Math.max(...groups) <= GROUP_MAX && groups.length >= 3, `groups of ${groups.join(', ')}`)
  t.ok(
    groups.some((n) => n > 1),
    'and they do go together',
  )
  t.match(await ingest.offer(from, make()), { result: 'receipt' })
  driven += 1
})

t.test('refusals kept: the one not seen for longest goes', async (t) => {
  const db = await database(t)
  const columns = ['code', 'agent', 'detail', 'epoch', 'batch_seq', 'first_us', 'time_us', 'count']
  const rows = Array.from({ length: REFUSALS_MAX }, (_, k) => ['CHAIN_GAP', 'a', `kind ${k}`, null, null, k, k, 1])
  await db.write((tx) => tx.insert({ table: 'refusals', columns }, rows))
  const store = createRefusalStore(db)
  const refusal = { code: 'CHAIN_GAP', agent: 'a', epoch: null, batchSeq: null }
  await store.record({ ...refusal, detail: 'kind 0', timeUs: 1_000_000 })
  for (let k = 0; k < 5; k += 1) await store.record({ ...refusal, detail: `new ${k}`, timeUs: 2_000_000 + k })
  t.same(await db.get('SELECT count(*) AS n FROM refusals'), { n: REFUSALS_MAX })
  const has = async (detail: string): Promise<boolean> =>
    (await db.get('SELECT 1 AS one FROM refusals WHERE detail = ?', [detail])) !== undefined
  t.ok(await has('kind 0'), 'seen again lately')
  for (let k = 1; k <= 5; k += 1) t.notOk(await has(`kind ${k}`))
  t.ok((await has('kind 6')) && (await has('new 4')))
  driven += 1
})

t.test('refusals waiting to be written: more are said in the log and on the page only', async (t) => {
  const release: (() => void)[] = []
  let recorded = 0
  const said: unknown[] = []
  const shown: unknown[] = []
  const refuse = refuser({
    stores: {
      refusals: {
        record: () => {
          recorded += 1
          return new Promise((done) => release.push(done))
        },
        list: async () => [],
      },
    },
    feed: { publish: (message) => void shown.push(message) },
    events: { refused: (facts) => void said.push(facts), broken: (_where, cause) => t.fail(String(cause)) },
    clock,
  })
  const refusal = { code: 'CHAIN_GAP' as const, agent: 'a', detail: 'x', epoch: null, batchSeq: null }
  const all = Array.from({ length: 500 }, () => refuse(refusal))
  t.equal(recorded, REFUSALS_WAITING_MAX)
  t.same([said.length, shown.length], [500, 500])
  for (const done of release.splice(0)) done()
  await Promise.all(all)
  void refuse(refusal)
  t.equal(recorded, REFUSALS_WAITING_MAX + 1, 'and then they are written again')
  driven += 1
})

t.test('slices kept: the one asked for longest ago goes, and can be asked for again', async (t) => {
  const db = await database(t)
  const columns = ['agent', 'seq', 'rig', 'from_us', 'to_us', 'state', 'asked_us']
  const rows = Array.from({ length: SLICES_MAX }, (_, k) => ['a', k + 1, 'r', 0, 1, 'there', k])
  await db.write((tx) => tx.insert({ table: 'slices', columns }, rows))
  const store = createSliceStore(db)
  const ask = (seq: number, askedUs: number): Promise<void> =>
    store.ask({ agent: 'a', seq, rig: 'r', fromUs: 0, toUs: 1, askedUs })
  for (let k = 0; k < 3; k += 1) await ask(SLICES_MAX + 1 + k, SLICES_MAX + k)
  t.same(await db.get('SELECT count(*) AS n FROM slices'), { n: SLICES_MAX })
  t.equal(await store.get('a', 3), undefined)
  t.match(await store.get('a', 4), { state: 'there' })
  t.equal(await store.answer('a', 3, { body: '[]', reason: null, nowUs: 1 }), false, 'what nobody asks for is not kept')
  await ask(3, SLICES_MAX + 10)
  t.equal(await store.answer('a', 3, { body: '[]', reason: null, nowUs: 1 }), true)
  driven += 1
})

t.test('rigs of the fleet: the one not heard for longest goes', async (t) => {
  const fleet = createFleet(clock)
  const hear = (k: number): void => fleet.heard({ agent: 'a', rig: `r${k}`, program: 'demo' })
  for (let k = 0; k < RIGS_MAX; k += 1) hear(k)
  hear(0)
  for (let k = RIGS_MAX; k < RIGS_MAX + 10; k += 1) hear(k)
  const rigs = new Set(fleet.vitals().map(({ rig }) => rig))
  t.equal(rigs.size, RIGS_MAX)
  t.ok(rigs.has('r0') && rigs.has('r11') && rigs.has(`r${RIGS_MAX + 9}`))
  for (let k = 1; k <= 10; k += 1) t.notOk(rigs.has(`r${k}`))
  hear(1)
  t.ok(
    fleet.vitals().some(({ rig }) => rig === 'r1'),
    'and comes back when it is heard',
  )
  driven += 1
})

t.test('keys a verify worker remembers: the oldest goes, and its batches are verified all the same', async (t) => {
  const signers = Array.from({ length: KEYS_MAX + 20 }, () => generateSigner().signer)
  const made = (k: number) => {
    const { cose, records } = createBatchMaker({ signer: signers[k]!, deployment: 'demo', agent: 'a' })()
    return { cose, records, spki: signers[k]!.spki, realm: 'production' as const }
  }
  for (let k = 0; k < signers.length; k += 1) if (!verifyBatch(made(k)).ok) t.fail(`key ${k}`)
  t.equal(keysRemembered(), KEYS_MAX)
  t.ok(verifyBatch(made(0)).ok)
  t.match(verifyBatch({ ...made(1), spki: signers[2]!.spki }), { ok: false, code: 'BATCH_SIGNATURE' })
  t.equal(keysRemembered(), KEYS_MAX)
  driven += 1
})

t.test('connections of people: one more is closed, and there is room when others go', async (t) => {
  const app = await buildApp({
    context: {} as never,
    feed: {} as never,
    events: {} as never,
    listen: { host: '127.0.0.1', port: 0 },
    metrics: [],
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const { port } = app.server.address() as { port: number }
  const { connect } = await import('node:net')
  const open = () => connect(port, '127.0.0.1').on('error', () => undefined)
  const inside = Array.from({ length: OPERATOR_CONNECTIONS_MAX }, open)
  t.ok(await until(() => inside.every((socket) => !socket.connecting)))
  let dropped = 0
  app.server.on('drop', () => {
    dropped += 1
  })
  const surplus = Array.from({ length: 5 }, open)
  t.ok(await until(() => dropped === 5), `${dropped} closed`)
  t.ok(inside.every((socket) => !socket.destroyed))
  for (const socket of [...surplus, ...inside.slice(0, 3)]) socket.destroy()
  await wait(100)
  t.equal((await fetch(`http://127.0.0.1:${port}/openapi.json`)).status, 200)
  for (const socket of inside) socket.destroy()
  driven += 1
})

t.test('all of them were driven', async (t) => {
  t.equal(driven, 9)
  t.comment(`counted: caps of the collector driven | ${driven} | declared behaviour, counted, room again afterwards`)
})
