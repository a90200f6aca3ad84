import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Check, Errors } from 'typebox/schema'
import { BaselineBook, UPLOAD_BYTES_MAX } from '../../../collector/baselines.ts'
import { BASELINE_ANSWERS } from '../../../collector/http/baseline-answers.ts'
import { UPLOADS_MAX } from '../../../collector/http/baseline-routes.ts'
import { BASELINES_TOLD_MAX, baselinesJson, STATEMENTS_TOLD_MAX } from '../../../collector/http/baseline-views.ts'
import { buildApp, listenOn, type OperatorsOptions } from '../../../collector/http/operators.ts'
import { openStores } from '../../../collector/store/open.ts'
import { encodeBundle } from '../../../shared/codec/baseline-bundle.ts'
import { encodeBaseline } from '../../../shared/codec/baseline-record.ts'
import { STATEMENT_BYTES_MAX } from '../../../shared/codec/baseline-statement.ts'
import { defaultQualityPolicy } from '../../../shared/config/quality-policy.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import type { BaselineRecord } from '../../../shared/model/baseline.ts'
import {
  baselineMetric,
  baselineRecord,
  createStatementMaker,
  digestHex,
  TRUST,
} from '../../support/certified-baselines.ts'

const GOLDEN = baselineRecord()
const DIGEST = digestHex(GOLDEN)
const clock = createVirtualClock(1_800_000_000_000_000)
const OCTETS = { host: 'localhost', 'content-type': 'application/octet-stream' }

async function served(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'hb-routes-'))
  const stores = await openStores(folder, clock)
  const book = await BaselineBook.open({
    ...{ store: stores.baselines, trust: TRUST, clock },
    changed: () => undefined,
  })
  const found = new Map([[DIGEST, { factor: 0.5, reasons: ['age_sec 9 of 10'], terms: [], checkedUs: 7 }]])
  const baselines = { book, decay: { found } }
  const events = { broken: (where: string, error: unknown) => t.fail(`${where}: ${String(error)}`) }
  const app = await buildApp({
    context: { stores, fleet: { link: () => undefined, vitals: () => [] }, baselines, clock, deployment: 'demo' },
    ...{ feed: {}, events, metrics: [], listen: { host: '127.0.0.1', port: 0 } },
    page: join(folder, 'no-page'),
  } as unknown as OperatorsOptions)
  t.teardown(async () => {
    await app.close()
    await stores.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const post = async (url: string, payload: Uint8Array, headers: Record<string, string> = OCTETS) => {
    const answer = await app.inject({ method: 'POST', url, payload: Buffer.from(payload), headers })
    return { status: answer.statusCode, body: answer.json() as Record<string, unknown> }
  }
  const get = (url: string) => app.inject({ url, headers: { host: 'localhost' } })
  return { app, book, baselines, post, get }
}

const bundleOf = (record: BaselineRecord, ...statements: Uint8Array[]): Uint8Array =>
  encodeBundle({ record: encodeBaseline(record), policy: defaultQualityPolicy().bytes, statements })

/** Everything about one record, by the routes. */
async function approved({ book, post }: Awaited<ReturnType<typeof served>>, record = GOLDEN) {
  const maker = createStatementMaker(record, book.log.state.book)
  maker.say('ada', 'propose')
  const answers = [await post('/api/baselines', bundleOf(record, maker.said[0]!))]
  for (const [person, kind] of [
    ['grace', 'review'],
    ['kay', 'approve'],
  ] as const) {
    maker.say(person, kind)
    answers.push(await post('/api/baseline-statements', maker.said.at(-1)!))
  }
  return { answers, maker }
}

t.test('what is served says what it describes, and tells who said what and how far it is to be believed', async (t) => {
  const at = await served(t)
  const { answers } = await approved(at)
  const holds = (schema: object, body: unknown, what: string): void =>
    void (Check(schema, body) ? t.pass(what) : t.fail(`${what}: ${JSON.stringify(Errors(schema, body)).slice(0, 500)}`))
  for (const { status, body } of answers) {
    t.equal(status, 201)
    holds(BASELINE_ANSWERS.taken[201], body, 'taken')
  }
  const list = (await at.get('/api/baselines')).json() as { baselines: Record<string, unknown>[] }
  holds(BASELINE_ANSWERS.list[200], list, 'list')
  t.match(list, { seq: 3, note: 'keys distinct, persons unproven', damage: null })
  t.match(list.baselines[0], {
    ...{ digest: DIGEST, counts_as: 'golden', in_force: ['golden'], confidence: GOLDEN.gate.confidence / 2 },
    decay: { factor: 0.5, reasons: ['age_sec 9 of 10'], checked_us: 7 },
    request: { proposer: { name: 'ada' }, reviewer: { name: 'grace' }, approvers: [{ name: 'kay' }], waits_for: null },
  })
  const detail = (await at.get(`/api/baselines/${DIGEST}`)).json() as { statements: { name: string }[] }
  holds(BASELINE_ANSWERS.detail[200], detail, 'detail')
  t.same(
    detail.statements.map(({ name }) => name),
    ['ada', 'grace', 'kay'],
  )
  const bundle = await at.get(`/api/baselines/${DIGEST}/bundle`)
  t.same(new Uint8Array(bundle.rawPayload), await at.book.bundle(DIGEST))
  holds(BASELINE_ANSWERS.requests[200], (await at.get('/api/baseline-requests')).json(), 'requests')
  const statements = (await at.get('/api/baseline-statements?after=1')).json() as { statements: { seq: number }[] }
  holds(BASELINE_ANSWERS.statements[200], statements, 'statements')
  t.same(
    statements.statements.map(({ seq }) => seq),
    [2, 3],
  )
  t.equal((await at.get(`/api/baselines/${'0'.repeat(64)}`)).statusCode, 404)
  t.equal((await at.get('/api/baselines/../x')).statusCode, 404)
})

t.test('signed words are all that can be written, and only as bytes from this machine', async (t) => {
  const at = await served(t)
  const { answers, maker } = await approved(at)
  t.equal(answers.length, 3)
  const routes = at.app.printRoutes({ commonPrefix: false })
  t.same(routes.match(/\((?:[A-Z, ]*)(?:POST)[A-Z, ]*\)/g)?.length, 4, routes)
  t.notMatch(routes, /PUT|PATCH|DELETE/)
  for (const url of ['/api/decisions', '/api/fleet', `/api/baselines/${DIGEST}`, '/api/refusals', '/'])
    t.equal((await at.post(url, new Uint8Array(1))).status, 404, `POST ${url}`)
  const stranger = { ...OCTETS, host: 'evil.example' }
  t.equal((await at.post('/api/baseline-statements', maker.said[0]!, stranger)).status, 403)
  const elsewhere = { ...OCTETS, origin: 'https://evil.example' }
  t.equal((await at.post('/api/baseline-statements', maker.said[0]!, elsewhere)).status, 403)
  const form = { host: 'localhost', 'content-type': 'text/plain' }
  t.equal(
    (await at.post('/api/baseline-statements', maker.said[0]!, form)).status,
    422,
    'a page elsewhere could send text',
  )
  t.match(await at.post('/api/baseline-statements', maker.said[0]!), {
    status: 409,
    body: { code: 'BASELINE_REFUSED' },
  })
  t.equal((await at.post('/api/baseline-statements', new Uint8Array(3))).status, 422)
  t.equal((await at.post('/api/baseline-statements', new Uint8Array(STATEMENT_BYTES_MAX + 1))).status, 413)
  t.equal((await at.post('/api/baselines', new Uint8Array(UPLOAD_BYTES_MAX + 1))).status, 413)
  t.equal(at.book.log.entries.length, 3)
})

t.test('a rolling baseline that crept away from golden is not approved here either', async (t) => {
  const at = await served(t)
  await approved(at)
  const level = (mean: number, afterS: number): BaselineRecord =>
    baselineRecord({
      ...{ kind: 'rolling', madeUs: GOLDEN.madeUs + afterS * 1_000_000 },
      metrics: [baselineMetric({ mean }), baselineMetric({ metric: 'pressure', unit: 'bar' })],
    })
  const say = async (record: BaselineRecord) => {
    const { book } = at
    const { seq, prev } = book.log.state
    const maker = createStatementMaker(record, book.log.state.book)
    const place = (k: number, before: string) => ({ seq: seq + k, prev: before })
    const proposed = maker.say('ada', 'propose', place(1, prev))
    await at.post('/api/baselines', bundleOf(record, maker.said[0]!))
    const reviewed = maker.say('grace', 'review', place(2, proposed.id))
    await at.post('/api/baseline-statements', maker.said[1]!)
    maker.say('kay', 'approve', place(3, reviewed.id))
    return at.post('/api/baseline-statements', maker.said[2]!)
  }
  t.match(await say(level(32.1, 10)), { status: 201 }, 'one that is near is')
  t.match(await say(level(32.5, 20)), {
    status: 409,
    body: { code: 'BASELINE_CREEP', context: { found: /flow is 2\.00 spreads/ } },
  })
  t.same(
    at.book.inForce(clock.nowUs()).map(({ role }) => role),
    ['golden', 'rolling'],
  )
  const seen = baselinesJson(at.baselines, { nowUs: clock.nowUs() })['baselines'] as { in_force: string[] }[]
  t.same(
    seen.map(({ in_force }) => in_force.length),
    [1, 1, 0],
    'what is in force comes first',
  )
})

t.test('of very many baselines the first ones are told, and how many there are', async (t) => {
  const at = await served(t)
  await approved(at)
  const known = at.book.records.get(DIGEST)!
  for (let k = 0; k < BASELINES_TOLD_MAX; k += 1)
    at.book.records.set(k.toString(16).padStart(64, '0'), { ...known, storedUs: k })
  const { count, baselines } = (await at.get('/api/baselines')).json() as {
    count: number
    baselines: { digest: string }[]
  }
  t.same([count, baselines.length], [BASELINES_TOLD_MAX + 1, BASELINES_TOLD_MAX])
  t.equal(baselines[0]!.digest, DIGEST, 'what is in force is not left out')
})

t.test('statements are told in pages', async (t) => {
  const at = await served(t)
  const { maker } = await approved(at)
  while (maker.said.length < STATEMENTS_TOLD_MAX + 5) {
    maker.say('ada', 'decay', { factor: 0.9 })
    await at.book.submitStatement(maker.said.at(-1)!)
  }
  const page = async (after: number) =>
    ((await at.get(`/api/baseline-statements?after=${after}`)).json() as { statements: unknown[] }).statements.length
  t.same([await page(0), await page(STATEMENTS_TOLD_MAX)], [STATEMENTS_TOLD_MAX, 5])
})

t.test('so many bodies are taken in at once, and one that never ends makes room when it is cut', async (t) => {
  const { app } = await served(t)
  const port = await listenOn(app, { host: '127.0.0.1', port: 0 })
  const head = `POST /api/baselines HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000\r\n\r\n`
  const open = (): Promise<import('node:net').Socket> =>
    new Promise((done) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(`${head}abc`, () => done(socket)))
      socket.on('error', () => undefined)
    })
  const held = []
  for (let k = 0; k < UPLOADS_MAX; k += 1) held.push(await open())
  const ask = () =>
    fetch(`http://127.0.0.1:${port}/api/baseline-statements`, {
      ...{ method: 'POST', body: 'x', headers: { 'content-type': 'application/octet-stream' } },
    }).then(({ status }) => status)
  const until = async (wanted: number): Promise<number> => {
    let status = 0
    for (let k = 0; k < 100 && status !== wanted; k += 1) {
      status = await ask()
      if (status !== wanted) await new Promise((done) => setTimeout(done, 20))
    }
    return status
  }
  t.equal(await until(503), 503)
  for (const socket of held) socket.destroy()
  t.equal(await until(422), 422, 'there is room again')
})
