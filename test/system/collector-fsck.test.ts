import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createCollector } from '../../collector/compose.ts'
import { CHECK_AFTER_MS } from '../../collector/store-watch.ts'
import { killAll, startHb } from '../../scripts/demo/processes.ts'
import { ROOT } from '../../scripts/sources.ts'
import { loadCollectorConfig } from '../../shared/config/load.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { createPrng } from '../../shared/lib/prng.ts'
import { createLogger } from '../../shared/log/logger.ts'
import { openToRead } from '../../shared/sqlite/database.ts'
import { createBenchFolder, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'
import { makeRecording } from '../support/kill-run.ts'

const FLIPS = 24
const DATABASE = 'collector-data/collector.sqlite'
const API_WAIT_MS = 10_000

const folder = await createBenchFolder()
t.teardown(() => {
  killAll()
  folder.remove()
})
await makeRecording(folder)
const lines = (rows: number): string =>
  runtimeYaml({ clock: 'recording', rigs: recordedLoop({ more: `, rows_to: ${rows}` }), ports: folder.ports })
folder.write('uplink.yaml', lines(3000))
folder.write('more.yaml', lines(4000))
const at = (name: string): string => join(folder.path, name)

type Fsck = { ok: boolean; batches: number; decisions: number; found: number; findings: { what: string }[] }

function fsck(): { status: number | null; result: Fsck } {
  const args = [join(ROOT, 'dist', 'hb.cjs'), 'collector', 'fsck', '--config', 'collector.yaml', '--json']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder.path, encoding: 'utf8' })
  if (stdout === '') throw new Error(stderr)
  return { status, result: JSON.parse(stdout) as Fsck }
}

async function withCollector(run: () => Promise<void>): Promise<void> {
  const collector = startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
  await collector.event('collector_started')
  await run()
  if ((await collector.stop()) !== 0) throw new Error('the collector did not stop in order')
}

async function agentLife(config: string, state: string, done: () => Promise<void> = drained): Promise<void> {
  const args = ['runtime', '--config', config, '--state', state, '--stay']
  const agent = startHb('agent', args, { folder: folder.path })
  await agent.event('source_ended')
  await done()
  if ((await agent.stop()) !== 0) throw new Error('the agent did not stop in order')
}

async function drained(): Promise<void> {
  for (let waitedMs = 0; waitedMs < API_WAIT_MS; waitedMs += 100) {
    const ready = await fetch(`http://127.0.0.1:${folder.ports.health}/ready`).then((r) => r.json())
    const { batches, to_sign: toSign } = (ready as { outbox: { batches: number; to_sign: number } }).outbox
    if (batches === 0 && toSign === 0) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('the outbox does not empty')
}

async function isTold(code: string): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < API_WAIT_MS; waitedMs += 100) {
    if ((await refusalCodes()).includes(code)) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}

async function refusalCodes(): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${folder.ports.operators}/api/refusals`)
  const { refusals } = (await answer.json()) as { refusals: { code: string }[] }
  return [...new Set(refusals.map(({ code }) => code))].sort()
}

t.test('a store that nobody touched is whole', async (t) => {
  await withCollector(() => agentLife('uplink.yaml', 'state'))
  const whole = fsck()
  t.equal(whole.status, 0)
  t.match(whole.result, { ok: true, found: 0 })
  t.ok(whole.result.batches > 5 && whole.result.decisions > 10)
})

t.test('bytes flipped in what is stored are found and named', async (t) => {
  const bytes = readFileSync(at(DATABASE))
  const evidence = await evidenceIn(at(DATABASE))
  const prng = createPrng(66)
  let named = 0
  let harmless = 0
  for (let k = 0; k < FLIPS; k += 1) {
    const changed = Buffer.from(bytes)
    const where = prng.int(bytes.length)
    changed[where] = changed[where]! ^ (1 << prng.int(8))
    writeFileSync(at(DATABASE), changed)
    const { status, result } = fsck()
    if (status === 65 && result.found > 0) named += 1
    else if ((await evidenceIn(at(DATABASE))) === evidence) harmless += 1
    else t.fail(`byte ${where}: exit ${String(status)}, ${JSON.stringify(result)}`)
  }
  writeFileSync(at(DATABASE), bytes)
  t.equal(fsck().status, 0, 'and it is whole again with its own bytes')
  t.comment(
    `counted: bytes flipped in the collector's store | ${FLIPS} | ${named} named, ${harmless} outside of what is proved`,
  )
  // The tables and indexes that hold nothing here have pages too, and a flip in them hits nothing.
  t.ok(named >= FLIPS / 3, `${named} of ${FLIPS} named`)
})

t.test('a column that a flipped bit renamed proves nothing, and that is a finding', async (t) => {
  const bytes = readFileSync(at(DATABASE))
  for (const column of ['prev', 'receipt', 'cose', 'records']) {
    const changed = Buffer.from(bytes)
    // Pages keep texts that are not in use any more: every copy is changed.
    let copies = 0
    for (let from = 0; ; copies += 1) {
      const table = changed.indexOf('CREATE TABLE batches', from)
      if (table < 0) break
      const where = changed.indexOf(` ${column} BLOB`, table) + 1
      changed[where] = changed[where]! ^ 1
      from = table + 1
    }
    t.ok(copies > 0, `${column} is where it is looked for`)
    writeFileSync(at(DATABASE), changed)
    const { status, result } = fsck()
    t.equal(status, 65, column)
    t.ok(result.found > 0, JSON.stringify(result.findings[0]))
  }
  writeFileSync(at(DATABASE), bytes)
  t.equal(fsck().status, 0)
})

/** Rows of what is proved: batches, and the decisions beside them. A flip that leaves them as they were hit unused room or an index. */
async function evidenceIn(path: string): Promise<string> {
  const db = await openToRead(path)
  try {
    const batches = await db.all('SELECT * FROM batches ORDER BY agent, epoch, batch_seq')
    const columns = 'agent, seq, last_seq, kind, rig, run, verdict, revises, time_us, body, epoch, batch_seq'
    const decisions = await db.all(`SELECT ${columns} FROM decisions ORDER BY agent, seq`)
    return JSON.stringify([batches, decisions])
  } finally {
    await db.close()
  }
}

t.test('a collector set back to a copy gets again what the agent still holds', async (t) => {
  cpSync(at('collector-data'), at('copy'), { recursive: true })
  await withCollector(() => agentLife('more.yaml', 'state'))
  const later = fsck().result
  rmSync(at('collector-data'), { recursive: true })
  cpSync(at('copy'), at('collector-data'), { recursive: true })
  t.ok(fsck().result.batches < later.batches, 'it has lost batches that it had receipted')
  // What is sent again has its receipt already: the outbox does not say when that is over.
  const here = async (): Promise<void> => {
    for (let k = 0; k < 50 && fsck().result.batches < later.batches; k += 1) await drained()
  }
  await withCollector(() => agentLife('more.yaml', 'state', here))
  const { status, result } = fsck()
  t.equal(status, 0)
  t.ok(result.batches >= later.batches && result.decisions >= later.decisions, 'they are there again')
})

t.test(
  'an agent whose outbox lost what was sent begins a new epoch, and nothing is there twice or missing',
  async (t) => {
    const outbox = at('state/outbox')
    const [file] = readdirSync(outbox).filter((name) => name.endsWith('.hbo'))
    const bytes = readFileSync(join(outbox, file!))
    copyFileSync(join(outbox, file!), at('outbox.before'))
    writeFileSync(join(outbox, file!), bytes.subarray(0, Math.floor(bytes.length * 0.6)))
    const before = fsck().result
    await withCollector(async () => {
      // What was sent is missed only when the collector says how far it is: until then there is nothing to send.
      await agentLife('more.yaml', 'state', async () => {
        t.ok(await isTold('CHAIN_RENEWED'), 'somebody is told')
        await drained()
      })
    })
    const { status, result } = fsck()
    t.equal(status, 0, 'every batch of both epochs verifies, chains, and no decision is stored twice')
    t.ok(result.batches > before.batches)
  },
)

/**
 * Flips one bit of a stored batch: elsewhere in the file it could hit what a start rewrites, or what nothing is read from.
 * Pages keep bytes that are not in use any more, so every copy is changed.
 */
async function flipInEvidence(): Promise<void> {
  const db = await openToRead(at(DATABASE))
  const [row] = await db.all('SELECT prev FROM batches ORDER BY agent, epoch DESC, batch_seq DESC LIMIT 1')
  await db.close()
  const prev = row!['prev'] as Uint8Array
  const bytes = readFileSync(at(DATABASE))
  let copies = 0
  for (let at = bytes.indexOf(prev); at >= 0; at = bytes.indexOf(prev)) {
    bytes[at] = bytes[at]! ^ 1
    copies += 1
  }
  if (copies === 0) throw new Error('the batch is not where it is looked for')
  writeFileSync(at(DATABASE), bytes)
}

t.test('a running collector proves everything anew by itself, and tells people what it finds', async (t) => {
  const system = systemClock()
  const hastened = {
    ...system,
    after: (ms: number, run: () => void) => system.after(ms === CHECK_AFTER_MS ? 1 : ms, run),
  }
  const run = async (): Promise<{ codes: string[]; found: number }> => {
    const collector = createCollector(loadCollectorConfig(at('collector.yaml')), hastened, {
      logger: createLogger({ name: 'collector', level: 'fatal' }),
      workerFile: join(ROOT, 'collector', 'verify', 'worker.ts'),
    })
    await collector.start()
    try {
      const metric = async (name: string): Promise<number> => {
        const text = await (await fetch(`http://127.0.0.1:${folder.ports.operators}/metrics`)).text()
        return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
      }
      for (let k = 0; k < 100 && (await metric('hb_collector_store_checked_timestamp_seconds')) === 0; k += 1)
        await system.sleep(50)
      // What was found is written after it is counted.
      await system.sleep(200)
      return { codes: await refusalCodes(), found: await metric('hb_collector_store_findings') }
    } finally {
      await collector.stop()
    }
  }
  const whole = await run()
  t.equal(whole.found, 0)
  t.notOk(whole.codes.includes('EVIDENCE_DAMAGED'))
  await flipInEvidence()
  const damaged = await run()
  t.ok(damaged.found > 0)
  t.ok(damaged.codes.includes('EVIDENCE_DAMAGED'))
})
