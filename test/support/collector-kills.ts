import { type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createPrng } from '../../shared/lib/prng.ts'
import { type BenchFolder, recordedLoop, runtimeYaml } from './bench-folder.ts'

/** Speed of the recording: two minutes in six seconds, so that a killed collector is missed while it is away. */
const SPEED = 20
const DRAINED_WITHIN_MS = 60_000
const PAUSE_MS = { min: 50, max: 900 }
const POLL_MS = 100

export type Custody = Readonly<{
  batches: number
  receipted: number
  decisions: number
  covered: number
  firstGap: string | null
  refusals: number
}>

/** Runs an agent against a collector that is killed `kills` times, the agent too when asked, and says what custody came to. */
export async function custodyUnderKills(
  folder: BenchFolder,
  { kills, seed, agentToo }: { kills: number; seed: number; agentToo: boolean },
): Promise<Custody> {
  const prng = createPrng(seed)
  const pause = (): Promise<void> => sleep(PAUSE_MS.min + prng.next() * (PAUSE_MS.max - PAUSE_MS.min))
  folder.write(
    'uplink.yaml',
    runtimeYaml({
      clock: 'recording',
      rigs: recordedLoop().replace('speed: max', `speed: ${SPEED}`),
      ports: folder.ports,
    }),
  )
  let agent = startAgent(folder)
  let collector = startCollector(folder)
  for (let k = 0; k < kills; k += 1) {
    await pause()
    const victim = agentToo && prng.next() < 0.5 ? agent : collector
    process.kill(victim.pid, 'SIGKILL')
    await victim.exited
    await pause()
    if (victim === agent) agent = startAgent(folder)
    else collector = startCollector(folder)
  }
  const done = await agent.exited
  if (done !== 0) throw new Error(`the agent ended with ${String(done)}`)
  const result = await drained(folder)
  await collector.stop()
  return result
}

function startAgent(folder: BenchFolder): Program {
  return startHb('agent', ['runtime', '--config', 'uplink.yaml', '--state', 'custody'], { folder: folder.path })
}

function startCollector(folder: BenchFolder): Program {
  return startHb('collector', ['collector', '--config', 'collector.yaml'], { folder: folder.path })
}

/** One more life of the agent sends what is left; then every batch is looked up at the collector. */
async function drained(folder: BenchFolder): Promise<Custody> {
  const agent = startHb('agent', ['runtime', '--config', 'uplink.yaml', '--state', 'custody', '--stay'], {
    folder: folder.path,
  })
  await agent.event('agent_started')
  for (let waited = 0; waited < DRAINED_WITHIN_MS; waited += POLL_MS) {
    const status = (await (await fetch(`http://127.0.0.1:${folder.ports.health}/ready`)).json()) as {
      outbox: { batches: number }
    }
    if (status.outbox.batches === 0) break
    await sleep(POLL_MS)
  }
  await agent.stop()
  const verified = JSON.parse(await runHb(['journal', 'verify', '--state', 'custody', '--json'], folder.path)) as {
    batches: number
  }
  const replayed = JSON.parse(await runHb(['replay', '--state', 'custody', '--json'], folder.path)) as {
    decisions: number
  }
  let [next, receipted, firstGap]: [number, number, string | null] = [1, 0, null]
  for (let seq = 1; seq <= verified.batches; seq += 1) {
    const answer = await fetch(`http://127.0.0.1:${folder.ports.operators}/api/batches/bench-1/1/${seq}`)
    if (answer.status !== 200) {
      firstGap ??= `batch ${seq}: ${answer.status}`
      continue
    }
    const batch = (await answer.json()) as { first_seq: number; count: number }
    receipted += 1
    if (batch.first_seq !== next) firstGap ??= `batch ${seq} begins at ${batch.first_seq}, not at ${next}`
    next = batch.first_seq + batch.count
  }
  const refusals = (await (await fetch(`http://127.0.0.1:${folder.ports.operators}/api/refusals`)).json()) as {
    refusals: { code: string }[]
  }
  return {
    batches: verified.batches,
    receipted,
    decisions: replayed.decisions,
    covered: next - 1,
    firstGap,
    refusals: refusals.refusals.length,
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
