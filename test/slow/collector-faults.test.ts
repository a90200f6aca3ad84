import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BUNDLE, type Hb, killAll, type Program, startHb } from '../../scripts/demo/processes.ts'
import { createPrng } from '../../shared/lib/prng.ts'
import { createBenchFolder, recordedLoop, runtimeYaml } from '../support/bench-folder.ts'
import { flipIn } from '../support/flip.ts'
import { makeRecording } from '../support/kill-run.ts'

t.setTimeout(0)

/** What SQLite asks of the system when it writes, and which calls of the kind the fault hits: those of the start, and those of batches. */
const CALLS = { pwrite64: [1, 2, 3, 5, 8, 12, 20, 30], fsync: [1, 2, 3], ftruncate: [1] } as const
/** One refusal, a disk that refuses from then on, and an end at the call itself. */
const FAULTS = ['error=EIO:when=HIT', 'error=ENOSPC:when=HIT+', 'signal=KILL:when=HIT'] as const
/** How long the disturbed collector is left to itself, and how long the sound one may take. */
const DISTURBED_MS = 1_500
const DRAINED_MS = 60_000
const POLL_MS = 50
/** Positions flipped with the real process (decisions 29), and how soon it must be up or have said why not. */
const FLIPS = 60
const READY_MS = 2000
const STRACE_LOG = 'strace.log'

const folder = await createBenchFolder()
t.teardown(() => {
  killAll()
  folder.remove()
})
await makeRecording(folder)
const rigs = recordedLoop({ more: ', rows_to: 3000' })
folder.write('uplink.yaml', runtimeYaml({ clock: 'recording', rigs, ports: folder.ports }))
const at = (name: string): string => join(folder.path, name)

// What waits for a collector when the link comes back; every run sends it anew.
const waiting = startHb('waiting', ['runtime', '--config', 'uplink.yaml', '--state', 'waiting', '--stay'], {
  folder: folder.path,
})
await waiting.event('source_ended')
await waiting.stop()
// An empty database that is there already, so that the batches are hit too and not only the schema.
const first = startCollector(BUNDLE)
await first.event('collector_started')
await first.stop()
cpSync(at('collector-data'), at('begun'), { recursive: true })

type Outcome = Readonly<{
  ended: boolean
  hit: boolean
  batches: number
  decisions: number
  status: number | null
  findings: unknown
}>

t.test('a collector whose disk refuses, or that is killed at the call itself, by strace', async (t) => {
  const whole = await disturbed(null)
  t.match(whole, { status: 0, ended: false })
  t.ok(whole.batches > 3 && whole.decisions > 10, `${whole.batches} batches, ${whole.decisions} decisions`)
  let runs = 0
  let ended = 0
  let hits = 0
  for (const [call, calls] of Object.entries(CALLS))
    for (const fault of FAULTS)
      for (const hit of calls) {
        const outcome = await disturbed(`${call}:${fault.replace('HIT', String(hit))}`)
        const { status, batches, decisions } = outcome
        if (!(status === 0 && batches === whole.batches && decisions === whole.decisions))
          t.fail(`${call} ${fault} ${hit}: ${JSON.stringify(outcome)}`)
        runs += 1
        if (outcome.ended) ended += 1
        if (outcome.hit) hits += 1
      }
  t.equal(hits, runs, 'every fault hit')
  t.ok(ended >= 12 && ended < runs, `${ended} of ${runs} ended the collector, the others it survived`)
  t.comment(`counted: disk faults and kills by strace, collector | ${hits} | fsck 0, nothing receipted is lost`)
})

t.test(`${FLIPS} seeded bytes flipped in the store under the real program`, async (t) => {
  await disturbed(null)
  cpSync(at('collector-data'), at('worn'), { recursive: true })
  const prng = createPrng(30)
  let [worstMs, refused, served] = [0, 0, 0]
  for (let k = 0; k < FLIPS; k += 1) {
    for (const name of ['collector-data', 'state']) rmSync(at(name), { recursive: true, force: true })
    cpSync(at('worn'), at('collector-data'), { recursive: true })
    cpSync(at('waiting'), at('state'), { recursive: true })
    const where = flipIn(at('collector-data/collector.sqlite'), prng)
    const startedMs = performance.now()
    const collector = startCollector(BUNDLE)
    const failure = await collector.event('collector_started').then(
      () => null,
      (error: Error) => error.message,
    )
    worstMs = Math.max(worstMs, performance.now() - startedMs)
    if (failure !== null) {
      refused += 1
      // Before there is a log the code stands at the front of the text, on the line after the exit code.
      if (!/(?:"code":"|ended with 65\s)(?:DATABASE|EVIDENCE)_[A-Z]+\b/.test(failure))
        t.fail(`byte ${where}: ${failure}`)
      continue
    }
    served += 1
    const url = `http://127.0.0.1:${folder.ports.operators}/api/decisions?limit=500`
    const { status } = await fetch(url)
    if (status !== 200 && status !== 500) t.fail(`byte ${where}: answers ${status}`)
    const exit = await collector.stop()
    if (exit !== 0) t.fail(`byte ${where}: stopped with ${String(exit)}`)
  }
  t.ok(worstMs < READY_MS, `up or refused after ${worstMs.toFixed(0)} ms at most`)
  t.comment(`counted: bytes flipped under the collector | ${FLIPS} | ${served} served, ${refused} refused to start`)
})

/** One collector with a fault and an agent that sends to it, then a sound collector over the same files. */
async function disturbed(inject: string | null): Promise<Outcome> {
  for (const name of ['collector-data', 'state']) rmSync(at(name), { recursive: true, force: true })
  cpSync(at('waiting'), at('state'), { recursive: true })
  cpSync(at('begun'), at('collector-data'), { recursive: true })
  const faulty = startCollector(inject === null ? BUNDLE : underStrace(inject))
  const up = await faulty.event('collector_started').then(
    () => true,
    () => false,
  )
  const agent = startHb('agent', ['runtime', '--config', 'uplink.yaml', '--state', 'state', '--stay'], {
    folder: folder.path,
  })
  await agent.event('agent_started')
  if (up) await Promise.race([faulty.exited, drained(DISTURBED_MS)])
  const ended = !up || (await Promise.race([faulty.exited.then(() => true), sleep(0).then(() => false)]))
  if (!ended) await faulty.stop()
  const hit = ended || (inject !== null && readFileSync(at(STRACE_LOG), 'utf8').includes('(INJECTED)'))
  const sound = startCollector(BUNDLE)
  await sound.event('collector_started')
  if (!(await drained(DRAINED_MS))) throw new Error(`${inject}: the outbox does not empty`)
  await agent.stop()
  await sound.stop()
  const hb = [...BUNDLE.before, 'collector', 'fsck', '--config', 'collector.yaml', '--json']
  const { status, stdout } = spawnSync(process.execPath, hb, { cwd: folder.path, encoding: 'utf8' })
  const { batches, decisions, findings } = JSON.parse(stdout) as {
    batches: number
    decisions: number
    findings: unknown
  }
  return { ended, hit, batches, decisions, status, findings }
}

/** The collector is the child and strace a grandchild (-D), so that signals reach the collector. */
function underStrace(inject: string): Hb {
  const call = inject.split(':')[0]!
  const trace = ['-D', '-f', '-qq', '-o', STRACE_LOG, '-e', `trace=${call}`, '-e', `inject=${inject}`]
  return { command: 'strace', before: [...trace, BUNDLE.command, ...BUNDLE.before] }
}

function startCollector(hb: Hb): Program {
  return startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path, hb })
}

/** @returns whether the agent has nothing left to send in time */
async function drained(withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += POLL_MS) {
    const ready = (await (await fetch(`http://127.0.0.1:${folder.ports.health}/ready`)).json()) as {
      outbox: { batches: number }
    }
    if (ready.outbox.batches === 0) return true
    await sleep(POLL_MS)
  }
  return false
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
