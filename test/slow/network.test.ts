import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { askAgent } from '../../agent/adapters/control-server.ts'
import { BUNDLE, killAll, type LogLine, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createBenchFolder, hostRig, runtimeYaml } from '../support/bench-folder.ts'
import { type Cable, createCable } from '../support/namespaces.ts'

t.setTimeout(0)

/** Slides a second of the rig in {@link hostRig}. */
const SLIDES_PER_S = 4
const DRAINED_MS = 45_000
const POLL_MS = 200
/** Three pings of five seconds without an answer, and the ping after them; the collector asks every ten. */
const NOTICED_MS = 25_000

type Trouble = Readonly<{
  name: string
  seconds: number
  begin(cable: Cable): void
  /** Called every second while it lasts. */
  during?(cable: Cable, second: number): void
  /** The link is so dead that the agent must notice. */
  noticed?: boolean
  /** The collector dies meanwhile, and nobody hears of it. */
  kill?: boolean
}>

const TROUBLES: readonly Trouble[] = [
  { name: 'nothing wrong', seconds: 4, begin: () => undefined },
  { name: 'one packet in ten lost', seconds: 10, begin: (cable) => cable.lose(10) },
  { name: 'one packet in three lost', seconds: 10, begin: (cable) => cable.lose(33) },
  { name: 'a slow link, packets wait up to a second', seconds: 12, begin: (cable) => cable.slow(48, 1000) },
  { name: 'a cable out for eight seconds', seconds: 8, begin: (cable) => cable.plug(false) },
  {
    name: 'a cable with a bad contact',
    seconds: 16,
    begin: (cable) => cable.plug(false),
    during: (cable, second) => cable.plug(second % 4 >= 2),
  },
  { name: 'a link that is silent and not closed', seconds: 32, begin: (cable) => cable.lose(100), noticed: true },
  { name: 'a collector that dies behind a dead link', seconds: 6, begin: (cable) => cable.lose(100), kill: true },
]

type Tap = Pick<typeof t, 'ok' | 'comment'>
type Status = { decision_seq: number; uplink: string; outbox: { batches: number }; gaps: number }

const cable = createCable()
const folder = await createBenchFolder({ address: cable.address })
t.teardown(() => {
  killAll()
  cable.remove()
  folder.remove()
})
const yaml = runtimeYaml({ clock: 'system', rigs: hostRig(250), ports: folder.ports })
// Every decision a record, and so a batch or two a second that somebody has to carry.
const talkative = yaml.replace(
  'batch_ms: 100',
  'batch_ms: 100, pass_record_every_ms: 250, not_pass_record_every_ms: 250',
)
folder.write('runtime.yaml', talkative.replace('wss://127.0.0.1:', `wss://${cable.address}:`))
const state = join(folder.path, 'state')
const status = async (): Promise<Status> => (await askAgent(state, '/status')) as Status
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))
const left: LogLine[] = []

function startCollector(): Program {
  return startHb('collector', ['collector', '--config', 'collector.yaml'], {
    folder: folder.path,
    hb: cable.collector,
    line: (line) => void (line['event'] === 'agent_left' && left.push(line)),
  })
}

/** Milliseconds until nothing waits to be sent; null when that takes too long. */
async function drained(): Promise<number | null> {
  const startMs = performance.now()
  while (performance.now() - startMs < DRAINED_MS) {
    const { outbox, uplink } = await status()
    if (uplink === 'open' && outbox.batches <= 1) return performance.now() - startMs
    await sleep(POLL_MS)
  }
  return null
}

/** Lives through a trouble and until all is drained. @returns the collector that serves afterwards */
async function live(t: Tap, trouble: Trouble, collector: Program): Promise<Program> {
  let serving = collector
  const before = await status()
  const startMs = performance.now()
  trouble.begin(cable)
  if (trouble.kill === true) process.kill(collector.pid, 'SIGKILL')
  let noticedMs: number | null = null
  let waiting = 0
  for (let second = 0; performance.now() - startMs < trouble.seconds * 1000; second += 1) {
    await sleep(1000)
    trouble.during?.(cable, second)
    const { uplink, outbox } = await status()
    waiting = Math.max(waiting, outbox.batches)
    if (uplink !== 'open') noticedMs ??= performance.now() - startMs
  }
  const after = await status()
  const seconds = (performance.now() - startMs) / 1000
  cable.mend()
  if (trouble.kill === true) {
    await collector.exited
    serving = startCollector()
  }
  const drainedMs = await drained()
  const decided = after.decision_seq - before.decision_seq
  const expected = seconds * SLIDES_PER_S
  t.ok(Math.abs(decided - expected) <= 3, `${trouble.name}: ${decided} decisions in ${seconds.toFixed(1)} s`)
  t.ok(drainedMs !== null, `${trouble.name}: drained after ${drainedMs?.toFixed(0)} ms, ${waiting} batches had waited`)
  if (trouble.noticed === true) {
    t.ok(noticedMs !== null && noticedMs <= NOTICED_MS, `noticed after ${noticedMs?.toFixed(0)} ms`)
    t.ok(left.length > 0, 'the collector noticed, too')
  }
  t.comment(
    `counted: network, ${trouble.name} | ${seconds.toFixed(0)} s | ${decided} decisions, at most ${waiting} batches waited, drained ${((drainedMs ?? 0) / 1000).toFixed(1)} s after`,
  )
  return serving
}

t.test('whatever the link does, every slide is decided in time, and all of it arrives once', async (t) => {
  let collector = startCollector()
  await collector.event('collector_started')
  const agent = startHb('agent', ['runtime', '--config', 'runtime.yaml', '--state', 'state'], {
    folder: folder.path,
    hb: cable.agent,
  })
  await agent.event('agent_started')
  t.ok((await drained()) !== null, 'both know each other')
  for (const trouble of TROUBLES) collector = await live(t, trouble, collector)
  t.equal((await status()).gaps, 0, 'no slide was left out')
  t.equal(await agent.stop(), 0)
  t.equal(await collector.stop(), 0)
  const replayed = JSON.parse(await runHb(['replay', '--state', 'state', '--json'], folder.path)) as Record<
    string,
    unknown
  >
  t.match(replayed, { equal: true })
  const hb = [...BUNDLE.before, 'collector', 'fsck', '--config', 'collector.yaml', '--json']
  const { stdout } = spawnSync(process.execPath, hb, { cwd: folder.path, encoding: 'utf8' })
  t.match(JSON.parse(stdout), { ok: true, found: 0 })
  const verified = JSON.parse(await runHb(['journal', 'verify', '--state', 'state', '--json'], folder.path)) as {
    batches: number
  }
  t.equal((JSON.parse(stdout) as { batches: number }).batches, verified.batches, 'every batch is there, once')
})
