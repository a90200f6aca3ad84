import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LogLine, type Program, runHb, startHb } from '../../scripts/demo/processes.ts'
import { createPrng } from '../../shared/lib/prng.ts'
import { ACTION_ENDS, type ActionState } from '../../shared/model/action.ts'
import { type BenchFolder, createBenchFolder, freePort, runtimeYaml } from './bench-folder.ts'
import { armTrip, hornArgs, type TripPorts, TripTelemetry, tripRig } from './trip-rig.ts'

/** Arrows at which the agent is killed: as soon as it says that an action is in this state. */
export const ARROWS: readonly ActionState[] = [
  'PROPOSED',
  'GATE_PASSED',
  'RELEASED',
  'SENT',
  'ACCEPTED',
  'STARTED',
  'COMPLETED',
]

export type KillsReport = Readonly<{
  kills: number
  /** Of all actions after the last life: how many ended how. */
  ends: Readonly<Record<string, number>>
  /** Keys with an effect more than once, or once although the ledger says that it was never sent. */
  wrong: readonly string[]
  effects: number
  replay: string
}>

type Listed = Readonly<{ key: string; state: ActionState }>
type Counted = Readonly<{ effects: number; by_key: Readonly<Record<string, { effects: number }>> }>

/** How long after its word the agent is killed, so that what follows has sometimes begun and sometimes not. */
const AFTER_WORD_MS_MAX = 12
const RESUMED_MS = 6_000

/**
 * Kills a real agent at every arrow of an action, `rounds` times each, with a real actuator beside it that counts what it
 * does on its own disk.
 */
export async function killAtArrows(rounds: number, seed: number): Promise<KillsReport> {
  const folder = await createBenchFolder()
  const ports = { telemetry: await freePort(), seen: await freePort(), link: await freePort() }
  const { top, rigs, files } = tripRig(ports, `${randomBytes(32).toString('hex')}\n`)
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder.path, name), content, { mode: 0o600 })
  folder.write('runtime.yaml', runtimeYaml({ clock: 'system', extra: top, rigs }))
  const horn = startHb('horn', hornArgs(ports.link), { folder: folder.path })
  await horn.event('listening')
  const prng = createPrng(seed)
  let kills = 0
  try {
    for (let round = 0; round < rounds; round += 1)
      for (const arrow of ARROWS) {
        await oneLife(folder, { ports, arrow, afterMs: prng.int(AFTER_WORD_MS_MAX) })
        kills += 1
      }
    return { kills, ...(await reported(folder)) }
  } finally {
    await horn.stop()
    rmSync(folder.path, { recursive: true, force: true })
  }
}

type Life = Readonly<{ ports: TripPorts; arrow: ActionState; afterMs: number }>

/** Starts the agent, arms it, lets it trip, and kills it at an arrow; what a kill before left open is taken up meanwhile. */
async function oneLife(folder: BenchFolder, { ports, arrow, afterMs }: Life): Promise<void> {
  let agent: Program | null = null
  let kill: () => void = () => undefined
  const killed = new Promise<void>((resolve) => {
    kill = resolve
  })
  const line = (entry: LogLine): void => {
    if (entry['event'] !== 'action' || entry['state'] !== arrow || entry['episode'] === undefined) return
    setTimeout(() => {
      try {
        process.kill(agent!.pid, 'SIGKILL')
      } catch {
        // Dead already: it said the word twice.
      }
      kill()
    }, afterMs)
  }
  agent = startHb('agent', runtimeArgs, { folder: folder.path, line })
  await agent.event('agent_started')
  await armTrip(folder.path)
  const telemetry = new TripTelemetry(ports, join(folder.path, 'horn.state'))
  const over = telemetry.trips(20)
  await Promise.race([killed, over])
  telemetry.stop()
  process.kill(agent.pid, 'SIGKILL')
  await agent.exited
}

const runtimeArgs = ['runtime', '--config', 'runtime.yaml', '--state', 'state', '--stay']

/** One more life in peace, in which everything that is open comes to its end; then what both disks say. */
async function reported(folder: BenchFolder): Promise<Omit<KillsReport, 'kills'>> {
  const agent = startHb('agent', runtimeArgs, { folder: folder.path })
  await agent.event('agent_started')
  await new Promise((done) => setTimeout(done, RESUMED_MS))
  await agent.stop()
  const hb = async (...args: string[]): Promise<unknown> => JSON.parse(await runHb([...args, '--json'], folder.path))
  const { actions } = (await hb('actions', 'list', '--state', 'state', '--limit', '1000')) as { actions: Listed[] }
  const counted = (await hb('hil', 'actuator-count', '--state', 'horn.state')) as Counted
  const ends: Record<string, number> = {}
  for (const { state } of actions) ends[state] = (ends[state] ?? 0) + 1
  const wrong = [...actions.flatMap((action) => wrongIn(action, counted)), ...unknownKeys(actions, counted)]
  const replay = await runHb(['replay', '--state', 'state'], folder.path)
  return { ends, wrong, effects: counted.effects, replay: replay.split('\n')[0]! }
}

/** States that say that the effect was there. */
const DONE: readonly ActionState[] = ['COMPLETED', 'VERIFIED', 'VERIFY_FAILED']
/** States that say that nothing was ever sent. */
const NOT_SENT: readonly ActionState[] = ['GATE_DENIED', 'WOULD_HAVE_DONE', 'CANCELLED', 'SUPERSEDED']

function wrongIn({ key, state }: Listed, { by_key: byKey }: Counted): string[] {
  const effects = byKey[key]?.effects ?? 0
  const isEnded = (ACTION_ENDS as readonly ActionState[]).includes(state)
  if (effects > 1) return [`${key}: ${effects} effects`]
  if (!isEnded) return [`${key}: still ${state}`]
  if (DONE.includes(state) && effects !== 1) return [`${key}: ${state} without an effect`]
  return NOT_SENT.includes(state) && effects > 0 ? [`${key}: ${state} with an effect`] : []
}

function unknownKeys(actions: readonly Listed[], { by_key: byKey }: Counted): string[] {
  const known = new Set(actions.map(({ key }) => key))
  return Object.keys(byKey).flatMap((key) => (known.has(key) ? [] : [`${key}: done and not in the ledger`]))
}
