import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createBookClient } from '../../agent/adapters/book-client.ts'
import { killAll, type LogLine, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { encodeBaseline } from '../../shared/codec/baseline-record.ts'
import { defaultQualityPolicy } from '../../shared/config/quality-policy.ts'
import type { BaselineRecord } from '../../shared/model/baseline.ts'
import { type BenchFolder, createBenchFolder, runtimeYaml } from '../support/bench-folder.ts'
import {
  baselineMetric,
  baselineRecord,
  createStatementMaker,
  digestHex,
  privatePem,
  type TestPerson,
} from '../support/certified-baselines.ts'
import { OPERATOR_LINES, PEOPLE, publicPem } from '../support/operator-keys.ts'

const REGISTRY = `version: "1.0"
metrics:
  load_1m: { unit: "1", nominal_rate_hz: 5, fail_max: 100000 }
`
const RIG = `  - rig: this-host
    program: demo
    registry_file: load.registry.yaml
    baseline_file: load.hbb
    slide_ms: 200
    windows_ms: [2000]
    sources:
      - { name: proc, type: host, every_ms: 200 }
`
/** A rig whose load may be anything: it is about who says so, not about what. */
function loadRecord(change: Partial<BaselineRecord> = {}): BaselineRecord {
  const windows = [{ widthUs: 2_000_000, windows: 900, mean: 5, spread: 50, min: 0, max: 10, limit: 3 }]
  const metrics = [baselineMetric({ metric: 'load_1m', unit: '1', windows })]
  return baselineRecord({ program: 'demo', rig: 'this-host', metrics, ...change })
}

const POLICY = defaultQualityPolicy().bytes
const DRAFT = loadRecord({ kind: 'draft', madeUs: 1 })
const GOLDEN = loadRecord()

async function bench(t: Test, rigs = RIG): Promise<BenchFolder> {
  const folder = await createBenchFolder({ operators: OPERATOR_LINES })
  t.teardown(() => {
    killAll()
    folder.remove()
  })
  for (const name of PEOPLE) folder.write(`${name}.pub`, publicPem(name))
  folder.write('load.registry.yaml', REGISTRY)
  writeFileSync(join(folder.path, 'load.hbb'), encodeBaseline(DRAFT))
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs, ports: folder.ports, extra: OPERATOR_LINES }))
  return folder
}

type Heard = Program & Readonly<{ lines: LogLine[] }>

function start(folder: BenchFolder, name: string, ...args: string[]): Heard {
  const lines: LogLine[] = []
  const program = startHb(name, args, { folder: folder.path, line: (line) => lines.push(line) })
  return Object.assign(program, { lines })
}
const startAgent = (folder: BenchFolder): Heard =>
  start(folder, 'agent', 'runtime', '--config', 'runtime.yaml', '--state', 'state')
const startCollector = (folder: BenchFolder): Heard =>
  start(folder, 'collector', 'collector', '--config', 'collector.yaml')

async function until<T>(what: string, look: () => Promise<T | null>, withinMs = 30_000): Promise<T> {
  for (let waited = 0; waited < withinMs; waited += 100) {
    const found = await look().catch(() => null)
    if (found !== null) return found
    await new Promise((done) => setTimeout(done, 100))
  }
  throw new Error(`${what} did not come in time`)
}

const url = ({ ports }: BenchFolder, path = ''): string => `http://127.0.0.1:${ports.operators}${path}`
async function get(folder: BenchFolder, path: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url(folder, path))).json()) as Record<string, unknown>
}

/** What the newest vitals of the rig say that it is compared with. */
async function compared(folder: BenchFolder): Promise<{ digest: string; kind: string } | null> {
  const { vitals } = (await get(folder, '/api/fleet')) as { vitals: { baselines: { golden: never } }[] }
  return vitals[0]?.baselines.golden ?? null
}

/** Number of the newest receipted batch, when its signed header names a baseline. */
async function batchNaming(folder: BenchFolder, digest: string): Promise<number | null> {
  const { agents } = (await get(folder, '/api/agents')) as { agents: { head: { batch_seq: number } | null }[] }
  const seq = agents[0]?.head?.batch_seq ?? 0
  if (seq === 0) return null
  const { header } = (await get(folder, `/api/batches/bench-1/1/${seq}`)) as { header: { baselines?: string[] } }
  return header.baselines?.includes(digest) === true ? seq : null
}

function sayer(folder: BenchFolder, record: BaselineRecord, book: string) {
  const client = createBookClient(url(folder))
  const maker = createStatementMaker(record, book)
  return {
    client,
    async say(person: TestPerson, kind: 'propose' | 'review' | 'approve' | 'expire') {
      maker.say(person, kind)
      const signed = maker.said.at(-1)!
      if (kind === 'propose') await client.submitRecord(encodeBaseline(record), POLICY, signed)
      else await client.submitStatement(signed)
    },
  }
}

t.test('an approval reaches the rig, holds over a kill, and a replay sees what was in force', async (t) => {
  const folder = await bench(t)
  const collector = startCollector(folder)
  await collector.event('collector_started')
  let agent = startAgent(folder)
  await agent.event('uplink_connected')
  t.match(await until('vitals', () => compared(folder)), { digest: digestHex(DRAFT), kind: 'draft' })

  const { book } = await createBookClient(url(folder)).fetchBook()
  const { client, say } = sayer(folder, GOLDEN, book)
  await say('ada', 'propose')
  await say('grace', 'review')
  t.same(
    agent.lines.filter(({ event }) => event === 'baseline_activated'),
    [],
    'what is not approved does not reach a rig',
  )
  await say('kay', 'approve')
  t.match(await agent.event('baseline_activated'), {
    rig: 'this-host',
    role: 'golden',
    baseline: digestHex(GOLDEN),
    kind: 'golden',
  })
  process.kill(agent.pid, 'SIGKILL')
  await agent.exited

  agent = startAgent(folder)
  await agent.event('uplink_connected')
  const isGolden = async () => {
    const now = await compared(folder)
    return now?.digest === digestHex(GOLDEN) && now.kind === 'golden' ? now : null
  }
  t.ok(await until('the golden baseline after the kill', isGolden))
  t.same(
    agent.lines.filter(({ event }) => event === 'baseline_activated'),
    [],
    'it was in force already and was not sent again',
  )
  t.ok(await until('a batch that names it', () => batchNaming(folder, digestHex(GOLDEN))))

  await say('ada', 'expire')
  const isDraft = async () => {
    const now = await compared(folder)
    return now?.digest === digestHex(GOLDEN) && now.kind === 'draft' ? now : null
  }
  t.ok(await until('what was taken back counts for nothing on the rig', isDraft))
  t.ok((await client.fetchBundle(digestHex(GOLDEN))).length > 0)
  t.equal(await agent.stop(), 0)
  t.equal(await collector.stop(), 0)
  const json = async (...args: string[]) => JSON.parse(await runHb([...args, '--json'], folder.path)) as never
  t.match(await json('replay', '--state', 'state'), { equal: true }, 'byte for byte')
  t.match(await json('collector', 'fsck', '--config', 'collector.yaml'), {
    ok: true,
    book: { records: 1, statements: 4 },
  })
})

t.test('an agent that trusts nobody keeps what it has, and people see why', async (t) => {
  const folder = await bench(t)
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', rigs: RIG, ports: folder.ports }))
  const collector = startCollector(folder)
  await collector.event('collector_started')
  const agent = startAgent(folder)
  await agent.event('uplink_connected')
  const { say } = sayer(folder, GOLDEN, (await createBookClient(url(folder)).fetchBook()).book)
  await say('ada', 'propose')
  await say('grace', 'review')
  await say('kay', 'approve')
  t.match(await agent.event('baseline_refused'), { code: 'BASELINE_NOT_ACTIVATED', reason: /names no operators/ })
  t.match(await collector.event('baseline_refused'), { agent: 'bench-1', rig: 'this-host', role: 'golden' })
  const refused = async () => {
    const { refusals } = (await get(folder, '/api/refusals')) as { refusals: { code: string; count: number }[] }
    return refusals.find(({ code }) => code === 'BASELINE_NOT_ACTIVATED') ?? null
  }
  t.match(await until('the refusal', refused), { count: 1 }, 'it is not sent again and again')
  t.match(await compared(folder), { digest: digestHex(DRAFT) })
  t.equal(await agent.stop(), 0)
  t.equal(await collector.stop(), 0)
})

t.test('what was made on one rig of a family reaches another of it', async (t) => {
  const folder = await bench(t, RIG.replace('    program: demo\n', '    program: demo\n    family: hosts\n'))
  const collector = startCollector(folder)
  await collector.event('collector_started')
  const agent = startAgent(folder)
  await agent.event('uplink_connected')
  const shared = loadRecord({ rig: 'other-host', family: 'hosts' })
  const { say } = sayer(folder, shared, (await createBookClient(url(folder)).fetchBook()).book)
  await say('ada', 'propose')
  await say('grace', 'review')
  await say('kay', 'approve')
  t.match(await agent.event('baseline_activated'), { rig: 'this-host', baseline: digestHex(shared), kind: 'golden' })
  const now = async () => ((await compared(folder))?.digest === digestHex(shared) ? compared(folder) : null)
  t.match(await until('the golden baseline of the family', now), { kind: 'golden' })
  t.equal(await agent.stop(), 0)
  t.equal(await collector.stop(), 0)
})

t.test('a book of a folder is handed to a collector, and what comes later follows', async (t) => {
  const folder = await bench(t)
  const collector = startCollector(folder)
  await collector.event('collector_started')
  mkdirSync(join(folder.path, 'book'))
  for (const name of PEOPLE) {
    folder.write(`book/${name}.pub`, publicPem(name))
    folder.write(`${name}.key`, privatePem(name))
  }
  folder.write('book/operators.yaml', `version: 1\n${OPERATOR_LINES}`)
  writeFileSync(join(folder.path, 'golden.hbb'), encodeBaseline(GOLDEN))
  const say = (person: TestPerson, ...args: string[]) =>
    runHb(['baseline', ...args, '--book', 'book', '--key', `${person}.key`, '--reason', 'as built'], folder.path)
  const push = async () =>
    JSON.parse(
      await runHb(['baseline', 'push', '--book', 'book', '--collector', url(folder), '--json'], folder.path),
    ) as Record<string, unknown>
  const digest = digestHex(GOLDEN)
  await say('ada', 'propose', 'golden.hbb')
  await say('grace', 'review', digest)
  t.match(await push(), { pushed: 2, statements: 2 })
  await say('kay', 'approve', digest)
  t.match(await push(), { pushed: 1, statements: 3 })
  t.match(await push(), { pushed: 0 }, 'it has all of it')
  const { baselines } = (await get(folder, '/api/baselines')) as { baselines: unknown[] }
  t.match(baselines, [{ digest, counts_as: 'golden', in_force: ['golden'], request: { proposer: { name: 'ada' } } }])
  const { openapi, paths } = (await get(folder, '/openapi.json')) as { openapi: string; paths: Record<string, object> }
  t.equal(openapi, '3.1.0')
  const written = Object.entries(paths).filter(([, methods]) => 'post' in methods)
  t.same(written.map(([path]) => path).sort(), [
    '/api/alarm-orders',
    '/api/baseline-statements',
    '/api/baselines',
    '/api/rollouts',
  ])
  t.equal(await collector.stop(), 0)
})
