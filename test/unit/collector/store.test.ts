import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { decisionRow } from '../../../collector/core/decision-view.ts'
import { createFleet } from '../../../collector/fleet.ts'
import { createLiveFeed, LIVE_CLIENTS_MAX, LIVE_QUEUE_MAX } from '../../../collector/http/live-feed.ts'
import { parseDecisionId } from '../../../collector/http/views.ts'
import { sliceFor } from '../../../collector/slices.ts'
import { DATABASE_FILE, openStores, type Stores } from '../../../collector/store/open.ts'
import { COLLECTOR_MIGRATIONS } from '../../../collector/store/schema.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import type { Canonical, DecisionItem } from '../../../shared/model/decision.ts'
import { openDatabase } from '../../../shared/sqlite/database.ts'

const clock = createVirtualClock(1_000_000)
const folder = mkdtempSync(join(tmpdir(), 'hb-store-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const bytes = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const AGENT = { agent: 'bench-1', deployment: 'demo', spki: bytes(1), programs: ['demo'] }

function record(seq: number, verdict: string, timeUs: number): DecisionItem {
  const core = new Map<string, Canonical>([
    ['v', 1],
    ['seq', seq],
    ['rig', 'water-loop'],
    ['t_us', timeUs],
    ['verdict', verdict],
    ['run', null],
    ['mode', 'nominal'],
    ['limits_only', false],
    ['drivers', [['flow', 'FAIL', 'deviation', 1_000_000]]],
    ['more', 0],
    ['action', null],
  ])
  const identifiers = new Map<string, Canonical>([['channels', ['Volume Flow RateRMS']]])
  const measurements: Canonical = [['flow', 50, 28.5, 28, 29, 1_000]]
  const limits: Canonical = [['flow', 'l/min', null, 32.1, 0.2, -18, 3]]
  return { kind: 'record', seq, values: [core, measurements, identifiers, limits, null, null], chain: bytes(seq % 250) }
}

function range(first: number, last: number): DecisionItem {
  const core = new Map<string, Canonical>([
    ['v', 1],
    ['unchanged', [['water-loop', first - 1, 'PASS']]],
    ['t_first_us', first * 50_000],
    ['t_last_us', last * 50_000],
  ])
  return {
    kind: 'range',
    first,
    last,
    count: last - first + 1,
    values: [core, null, null, null, null, null],
    chain: bytes(9),
  }
}

function group(batchSeq: number, items: readonly DecisionItem[], firstSeq: number) {
  const decisions = items.map((item) => ({ ...decisionRow(item)!, program: 'demo' }))
  const batch = {
    agent: 'bench-1',
    epoch: 1,
    batchSeq,
    identity: bytes(batchSeq),
    prev: bytes(batchSeq - 1),
    firstSeq,
    count: 10,
    run: '',
    header: '{}',
    recvUs: clock.nowUs(),
    cose: bytes(1),
    records: bytes(2),
    receipt: bytes(3),
  }
  return { batch, decisions }
}

async function withStores(name: string): Promise<Stores> {
  const stores = await openStores(join(folder, name), clock)
  await stores.agents.enrol([AGENT], clock.nowUs())
  return stores
}

t.test('changes are the records that say another verdict than the one before', async (t) => {
  const stores = await withStores('changes')
  t.teardown(() => stores.close())
  await stores.batches.append([
    group(1, [record(1, 'PASS', 1), record(2, 'PASS', 2), record(3, 'FAIL', 3)], 1),
    group(2, [record(4, 'FAIL', 4), record(5, 'PASS', 5), record(6, 'PASS', 6)], 4),
  ])
  const seqs = async (query: { verdict?: string; limit: number }): Promise<number[]> =>
    (await stores.decisions.list({ changes: true, ...query })).map((d) => d.seq)
  t.same(await seqs({ limit: 10 }), [5, 3, 1])
  t.same(await seqs({ limit: 2 }), [5, 3])
  t.same(await seqs({ limit: 10, verdict: 'FAIL' }), [3])
})

t.test('what was stored in one group is found again after the database was opened anew', async (t) => {
  let stores = await withStores('again')
  t.equal(await stores.agents.head('bench-1'), null)
  await stores.batches.append([
    group(1, [record(1, 'PASS', 50_000), range(2, 10)], 1),
    group(2, [record(11, 'FAIL', 550_000), range(12, 20)], 11),
  ])
  await stores.close()
  stores = await openStores(join(folder, 'again'), clock)
  t.teardown(() => stores.close())
  t.match(await stores.agents.head('bench-1'), { epoch: 1, batchSeq: 2, nextSeq: 21 })
  t.same(
    (await stores.decisions.list({ limit: 10 })).map((d) => d.seq),
    [11, 1],
    'records only, newest first',
  )
  t.same(
    (await stores.decisions.list({ limit: 10, verdict: 'FAIL' })).map((d) => d.seq),
    [11],
  )
  t.same(
    (await stores.decisions.list({ limit: 10, beforeUs: 550_000 })).map((d) => d.seq),
    [1],
  )
  t.same((await stores.decisions.list({ limit: 10, rig: 'other' })).length, 0)
  const [fail] = await stores.decisions.list({ limit: 1 })
  t.match(fail?.body, {
    findings: [
      {
        metric: 'flow',
        channel: 'Volume Flow RateRMS',
        mean: 28.5,
        baseline_mean: 32.1,
        deviation: -18,
        window_us: 1_000_000,
      },
    ],
  })
  t.match(
    await stores.decisions.get('bench-1', 15),
    { kind: 'range', seq: 12, lastSeq: 20 },
    'an unchanged decision is found in its range',
  )
  t.equal(await stores.decisions.get('bench-1', 21), undefined)
  t.match(await stores.batches.receipt({ agent: 'bench-1', epoch: 1, batchSeq: 2 }), { receipt: Buffer.from(bytes(3)) })
  t.equal(statSync(join(folder, 'again')).mode & 0o077, 0, 'nobody else may look')
})

t.test('a group is stored wholly or not at all', async (t) => {
  const stores = await withStores('whole')
  t.teardown(() => stores.close())
  const good = group(1, [record(1, 'PASS', 50_000)], 1)
  await t.rejects(stores.batches.append([good, group(1, [record(2, 'PASS', 60_000)], 2)]), { code: 'DATABASE_FAILED' })
  t.equal(await stores.agents.head('bench-1'), null)
  t.same(await stores.decisions.list({ limit: 10 }), [])
  await stores.batches.append([good])
  t.match(await stores.agents.head('bench-1'), { batchSeq: 1 }, 'and the writer goes on after it')
})

t.test('transactions asked for at once run one after the other', async (t) => {
  const db = await openDatabase({
    path: join(folder, 'queue.sqlite'),
    clock,
    migrations: [
      { number: 1, name: 'n', sql: 'CREATE TABLE n (value INTEGER NOT NULL) STRICT; INSERT INTO n VALUES (0)' },
    ],
  })
  t.teardown(() => db.close())
  const add = () =>
    db.write(async (tx) => {
      const row = await tx.get('SELECT value FROM n')
      await tx.run('UPDATE n SET value = ?', [(row?.['value'] as number) + 1])
    })
  const failing = db.write(async (tx) => {
    await tx.run('UPDATE n SET value = 1000')
    throw new Error('no')
  })
  await Promise.all([...Array.from({ length: 50 }, add), t.rejects(failing, /no/), add()])
  t.same(await db.get('SELECT value FROM n'), { value: 51 })
  await t.rejects(
    db.write((tx) => tx.run('UPDATE n SET value = ?', [2 ** 53])),
    /cannot be bound/,
  )
  await t.rejects(
    db.write((tx) => tx.run('UPDATE n SET value = ?', [1n as unknown as number])),
    /cannot be bound/,
  )
  await db.write((tx) =>
    tx.insert(
      { table: 'n', columns: ['value'] },
      Array.from({ length: 1_234 }, (_, i) => [i]),
    ),
  )
  t.same(
    await db.get('SELECT count(*) AS n, max(value) AS max FROM n'),
    { n: 1_235, max: 1_233 },
    'rows beyond one statement are inserted too',
  )
  const tooMany = await Promise.allSettled(Array.from({ length: 1_100 }, () => db.write((tx) => tx.run('SELECT 1'))))
  t.equal(
    tooMany.filter((one) => one.status === 'rejected').length,
    1_100 - 1_024,
    'and a writer with too much to do says so',
  )
})

t.test('a database of another version is refused and left as it is', async (t) => {
  const path = join(folder, 'version.sqlite')
  const one = { number: 1, name: 'one', sql: 'CREATE TABLE a (x INTEGER) STRICT' }
  const two = { number: 2, name: 'two', sql: 'CREATE TABLE b (x INTEGER) STRICT' }
  await (await openDatabase({ path, migrations: [one], clock })).close()
  await (await openDatabase({ path, migrations: [one, two], clock })).close()
  await t.rejects(
    openDatabase({ path, migrations: [one], clock }),
    { code: 'DATABASE_VERSION', context: { migration: 2 } },
    'written by a newer program',
  )
  const changed = { ...one, sql: 'CREATE TABLE a (x TEXT) STRICT' }
  await t.rejects(
    openDatabase({ path, migrations: [changed, two], clock }),
    { code: 'DATABASE_VERSION', context: { migration: 1 } },
    'history was changed',
  )
  const broken = { number: 3, name: 'broken', sql: 'CREATE TABLE c (x INTEGER) STRICT; NONSENSE' }
  await t.rejects(openDatabase({ path, migrations: [one, two, broken], clock }), { code: 'DATABASE_FAILED' })
  const db = await openDatabase({ path, migrations: [one, two], clock })
  t.teardown(() => db.close())
  t.equal(await db.get(`SELECT 1 FROM sqlite_master WHERE name = 'c'`), undefined, 'half a step is no step')
})

t.test('the same refusal again is counted, not written again', async (t) => {
  const stores = await withStores('refusals')
  t.teardown(() => stores.close())
  const refusal = {
    code: 'CHAIN_GAP',
    agent: 'bench-1',
    detail: 'x'.repeat(2_000),
    epoch: null,
    batchSeq: 9,
    timeUs: 5,
  }
  await stores.refusals.record(refusal)
  await stores.refusals.record({ ...refusal, timeUs: 9 })
  await stores.refusals.record({ ...refusal, batchSeq: 10, timeUs: 7 })
  t.match(await stores.refusals.list(10), [
    { batchSeq: 9, count: 2, firstUs: 5, timeUs: 9, detail: 'x'.repeat(512) },
    { batchSeq: 10, count: 1 },
  ])
})

t.test('a slice is asked for once, again when due, and when the agent comes back', async (t) => {
  const stores = await withStores('slices')
  t.teardown(() => stores.close())
  await stores.batches.append([group(1, [record(1, 'FAIL', 50_000_000)], 1)])
  const decision = { ...(await stores.decisions.get('bench-1', 1))!, rig: 'water-loop' }
  const fleet = createFleet(clock)
  const context = { slices: stores.slices, fleet, clock }
  t.same(await sliceFor(context, decision), { state: 'asked', connected: false })
  t.match(await stores.slices.open('bench-1', 5), [{ seq: 1, fromUs: 30_000_000, toUs: 55_000_000 }])
  let asked = 0
  fleet.connected('bench-1', {
    session: 's',
    version: '',
    epoch: 1,
    rigs: [],
    certificateUntilUs: null,
    ask: () => undefined,
    askSlice: () => {
      asked += 1
    },
  })
  t.same(await sliceFor(context, decision), { state: 'asked', connected: true })
  t.equal(asked, 0, 'not due yet')
  await clock.advance(11_000_000)
  await sliceFor(context, decision)
  t.equal(asked, 1)
  t.equal(await stores.slices.answer('bench-1', 1, { body: null, reason: 'gone', nowUs: clock.nowUs() }), true)
  await t.rejects(sliceFor(context, decision), { code: 'SLICE_UNAVAILABLE', context: { reason: 'gone' } })
  await stores.slices.answer('bench-1', 1, { body: '[]', reason: null, nowUs: clock.nowUs() })
  t.match(await sliceFor(context, decision), { state: 'there', slice: { body: '[]' } })
  t.equal(
    await stores.slices.answer('bench-1', 99, { body: '[]', reason: null, nowUs: 1 }),
    false,
    'nobody asked for that',
  )
})

t.test('a page that does not keep up loses the oldest messages and is told how many', async (t) => {
  const feed = createLiveFeed(clock)
  t.teardown(() => feed.stop())
  const sent: string[] = []
  const done: (() => void)[] = []
  const member = feed.join({
    send: (text, then) => {
      sent.push(text)
      done.push(then)
    },
  })!
  feed.publish({ type: 'early' })
  t.same(sent, [], 'nothing before the first message')
  member.open('first')
  t.equal(sent[0], 'first')
  t.match(sent[1], /early/)
  for (let n = 0; n < LIVE_QUEUE_MAX + 30; n += 1) feed.publish({ type: 'n', n })
  t.equal(sent.length, 16, 'only some are on the way at once')
  await clock.advance(1_000_000)
  while (done.length > 0) done.shift()!()
  const heartbeat = JSON.parse(sent.at(-1)!) as { type: string; dropped: number }
  t.equal(heartbeat.type, 'heartbeat')
  t.equal(heartbeat.dropped, LIVE_QUEUE_MAX + 30 - 14 - LIVE_QUEUE_MAX, 'as many as had no room before it')
  t.match(sent.at(-2), new RegExp(`"n":${LIVE_QUEUE_MAX + 29},`), 'the newest came through')
  for (let n = 1; n < LIVE_CLIENTS_MAX; n += 1) feed.join({ send: () => {} })
  t.equal(feed.join({ send: () => {} }), null)
  member.leave()
  t.not(feed.join({ send: () => {} }), null)
})

t.test('a revision stands beside what was decided: found by itself, and from the decision it corrects', async (t) => {
  const revision = (seq: number, revises: Canonical, v: Canonical = 2): DecisionItem => {
    const made = record(seq, 'FAIL', 100_000) as Extract<DecisionItem, { kind: 'record' }>
    const core = new Map(made.values[0] as Map<string, Canonical>).set('v', v)
    if (revises !== null) core.set('revises', revises)
    return { ...made, values: [core, ...made.values.slice(1)] as unknown as typeof made.values }
  }
  t.match(decisionRow(revision(7, 3)), { kind: 'revision', revises: 3, verdict: 'FAIL' })
  for (const [revises, v] of [
    [null, 2],
    [3, 1],
    [7, 2],
    [8, 2],
    [0, 2],
    [1.5, 2],
    ['3', 2],
  ] as const)
    t.equal(decisionRow(revision(7, revises, v)), null, `revises ${revises} in version ${v}`)

  const stores = await withStores('revisions')
  t.teardown(() => stores.close())
  const items = [record(1, 'PASS', 50_000), range(2, 6), revision(7, 3), revision(8, 1), range(9, 10)]
  await stores.batches.append([group(1, items, 1)])
  t.same(
    (await stores.decisions.list({ limit: 9 })).map((d) => d.seq),
    [1],
    'no list names it as a decision',
  )
  t.same(
    (await stores.decisions.list({ changes: true, limit: 9 })).map((d) => d.seq),
    [1],
  )
  t.same(
    (await stores.decisions.list({ revisions: true, limit: 9 })).map((d) => [d.seq, d.revises]),
    [
      [8, 1],
      [7, 3],
    ],
  )
  t.match(await stores.decisions.get('bench-1', 1), { revisedBy: { seq: 8, verdict: 'FAIL' } })
  t.match(await stores.decisions.get('bench-1', 3), { kind: 'range', revisedBy: { seq: 7, verdict: 'FAIL' } })
  t.equal((await stores.decisions.get('bench-1', 4))?.revisedBy, null, 'of a range, the one that was asked for')
  t.match(await stores.decisions.get('bench-1', 7), { kind: 'revision', revises: 3, revisedBy: null })
})

t.test('a database from before there were revisions is taken on as it is', async (t) => {
  const path = join(folder, 'before')
  mkdirSync(path)
  const old = await openDatabase({
    path: join(path, DATABASE_FILE),
    migrations: COLLECTOR_MIGRATIONS.slice(0, 1),
    clock,
  })
  await old.close()
  const stores = await withStores('before')
  t.teardown(() => stores.close())
  await stores.batches.append([group(1, [record(1, 'PASS', 50_000)], 1)])
  t.match(await stores.decisions.get('bench-1', 1), { kind: 'record', revises: null, revisedBy: null })
})

t.test('a decision of a shape nobody knows makes no row, and an id is read strictly', async (t) => {
  const odd: DecisionItem = {
    kind: 'record',
    seq: 5,
    values: [new Map([['seq', 6]]), null, null, null, null, null],
    chain: bytes(0),
  }
  t.equal(decisionRow(odd), null)
  t.same(parseDecisionId('bench-1:12'), { agent: 'bench-1', seq: 12 })
  for (const id of ['', 'bench-1', 'bench-1:0', 'bench-1:1.5', 'a:b:1', 'BENCH:1', 'bench-1:99999999999999999999'])
    t.equal(parseDecisionId(id), null, id)
})
