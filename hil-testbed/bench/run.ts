import { mkdirSync } from 'node:fs'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { utc } from '../../shared/lib/command-output.ts'
import { askControl } from '../../shared/lib/control-socket.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { Plant } from '../core/plant.ts'
import type { RunFacts } from '../core/run-record.ts'
import type { ScenarioRow } from '../core/scenario.ts'
import type { AgentFolder } from './agent-folder.ts'
import type { AgentLife } from './agent-life.ts'
import { type Hb, runHb } from './agent-process.ts'
import type { Collected } from './collector-side.ts'
import { baselineOf } from './config-carriers.ts'
import { openPlant } from './rig-plant.ts'
import { type Broken, brokenBy, faultFacts, hashesOf, NOTHING, overrunOf, refusalIn } from './run-facts.ts'
import { RunFiles } from './run-files.ts'
import { assemble, type Parts } from './run-parts.ts'
import { within } from './stubs.ts'
import type { Workshop } from './workshop.ts'

/** A run in lock-step begins here, whatever day it is: 2026-06-01 UTC. */
export const LOCKSTEP_BEGIN_US: Micros = 1_780_272_000_000_000
/** One in free run begins so long after this: until then collector, broker and agent have started. */
const FREE_RUN_LEAD_US: Micros = 4_000_000

/** What a run shows of itself while it goes. */
export type RunView = Readonly<{
  row: ScenarioRow
  atUs: Micros
  truth: (signal: string) => number
  /** Newest value that was sent of a channel, as text. */
  telemetry: (channel: string) => string
  signals: readonly string[]
  agentSaid: readonly Readonly<Record<string, unknown>>[]
}>

export type RunOptions = Readonly<{
  row: ScenarioRow
  /** Folder of this run; made. */
  folder: string
  hb: Hb
  /** Time of this machine. */
  host: Clock
  workshop: Workshop
  signal: AbortSignal
  /** Time in lock-step goes on no faster than on the wall. */
  real: boolean
  watch?: (view: RunView) => void
}>

/**
 * Runs one scenario with the real agent and leaves its folder (run-record.ts). Never throws for what the run is about: what
 * broke it stands in `run.json`. Whatever happens, plant and stubs go back to safe and nothing is left running.
 */
export async function runScenario(options: RunOptions): Promise<void> {
  const { row, folder, host } = options
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const [startedUs, fromUs] = [host.nowUs(), host.monotonicUs()]
  const { plant, signals, stop: stopPlant, broken: noPlant } = await openPlant(row, { folder, host, hb: options.hb })
  const files = new RunFiles(folder, row, signals)
  const facts = { started_utc: utc(startedUs) }
  if (plant === null) {
    files.close({ ...facts, ...NOTHING, begin_us: 0, simulated_us: 0, host_ms: 0, broken: noPlant })
    return
  }
  const run = new Run(options, plant, files, signals)
  const rest = await run.go()
  const unsafe = await stopPlant()
  files.close({ ...facts, ...rest, broken: rest.broken ?? unsafe, host_ms: millisSince(fromUs, host) })
}

/** Whole milliseconds since a time of `monotonicUs`. */
export function millisSince(fromUs: Micros, host: Clock): Millis {
  return Math.round((host.monotonicUs() - fromUs) / 1000)
}

/** An agent that refuses its configuration ends by itself. */
const ENDS_WITHIN_MS: Millis = 5_000
/** Longest wait for receipts at the end, in time of this machine: a link that was cut is tried again with growing pauses. */
const RECEIPTS_WITHIN_MS: Millis = 30_000
const LOOK_MS: Millis = 100

/** What is put together for one run, and taken apart again in any case. */
class Run {
  private readonly options: RunOptions
  private readonly plant: Plant
  private readonly files: RunFiles
  private readonly signals: readonly string[]
  private readonly ends: (() => Promise<void> | void)[] = []
  private broken: Broken | null = null

  constructor(options: RunOptions, plant: Plant, files: RunFiles, signals: readonly string[]) {
    this.options = options
    this.plant = plant
    this.files = files
    this.signals = signals
  }

  async go(): Promise<Omit<RunFacts, 'started_utc' | 'host_ms'>> {
    const { row, host } = this.options
    const { mode, beginUs: ownUs } = row.clock
    // It is made once; the run on the wall must not wait for it.
    if (mode === 'free_run') await baselineOf(row, this.options.workshop, 0).catch(() => null)
    const beginUs = mode === 'lockstep' ? (ownUs ?? LOCKSTEP_BEGIN_US) : host.nowUs() + FREE_RUN_LEAD_US
    let parts: Parts | null = null
    try {
      parts = await this.assemble(beginUs)
      await this.play(parts)
    } catch (error) {
      this.broken = brokenBy(error)
    }
    const after = parts === null ? null : await this.after(parts)
    for (const end of this.ends.reverse())
      try {
        await end()
      } catch (error) {
        this.broken ??= brokenBy(error)
      }
    return {
      begin_us: beginUs,
      simulated_us: parts?.conductor.atUs ?? 0,
      faults: parts === null ? [] : faultFacts(row, parts.conductor.seen()),
      hashes: parts === null ? NOTHING.hashes : hashesOf(row, parts.folder),
      replay: after?.replay ?? null,
      collected: after?.collected ?? null,
      broken: this.broken ?? overrunOf(parts?.pace ?? null),
      log_tail: [...(parts?.agent.tail ?? [])],
    }
  }

  private assemble(beginUs: Micros): Promise<Parts> {
    const { watch: _, ...rest } = this.options
    return assemble({
      ...{ ...rest, plant: this.plant, files: this.files, beginUs },
      moved: (atUs, agent) => this.show(atUs, agent),
      ends: (end) => void this.ends.push(end),
    })
  }

  private show(atUs: Micros, agent: AgentLife): void {
    this.options.watch?.({
      row: this.options.row,
      atUs,
      truth: (signal) => this.plant.read(signal),
      telemetry: (channel) => this.files.newest(channel),
      signals: this.signals,
      agentSaid: agent.running ? agent.now.said : [],
    })
  }

  private async play({ conductor, agent }: Parts): Promise<void> {
    const { row } = this.options
    try {
      await agent.start(0)
    } catch (error) {
      // An agent that refuses its configuration may be what the scenario is about.
      const said = isHbError(error) && typeof error.context['detail'] === 'string' ? [error.context['detail']] : []
      // It says why before it ends.
      const { host } = this.options
      await within('the end of an agent that refused', agent.now.ended, ENDS_WITHIN_MS, host).catch(() => null)
      const code = refusalIn([...agent.tail, ...said])
      this.files.event({ t_us: 0, kind: 'agent', is: 'exited', code: agent.now.code, refused: code })
      if (code !== '' && row.expect.some(({ kind }) => kind === 'start_refused')) return
      throw error
    }
    await conductor.play()
    if (!agent.running && !agent.killed)
      throw new HbError('AGENT_SILENT', {
        found: `it ended by itself with ${agent.now.code}`,
        expected: 'that it goes on',
      })
  }

  /** Back to safe, the agent ended in order, its record replayed: also after a run that broke off. */
  private async after({
    conductor,
    agent,
    collector,
    folder,
  }: Parts): Promise<{ replay: RunFacts['replay']; collected: Collected | null }> {
    const { row, hb, host } = this.options
    const { broken } = this
    if (broken === null && agent.running)
      try {
        await conductor.teardown()
      } catch (error) {
        this.broken = brokenBy(error)
      }
    if (collector !== null && this.broken === null) await settled(folder.state, host)
    await agent.stop(conductor.atUs)
    const wants = row.expect.some(({ kind }) => kind === 'replay')
    const replay = wants && this.broken === null ? await replayed(folder, hb) : null
    const collected =
      collector === null || this.broken !== null ? null : await collector.collected(await decisionsIn(folder, hb))
    return { replay, collected }
  }
}

/** What is signed is receipted, or nobody comes for it: an agent that has ended sends nothing any more. */
async function settled(state: string, host: Clock): Promise<void> {
  for (let waitedMs = 0; waitedMs < RECEIPTS_WITHIN_MS; waitedMs += LOOK_MS) {
    const { outbox } = (await askControl(state, { path: '/top', withinMs: ENDS_WITHIN_MS })) as Waiting
    if (outbox.batches === 0) return
    await host.sleep(LOOK_MS)
  }
}

type Waiting = Readonly<{ outbox: Readonly<{ batches: number }> }>

async function replayed({ path }: AgentFolder, hb: Hb): Promise<RunFacts['replay']> {
  const text = await runHb(['replay', '--state', 'state', '--json'], { cwd: path, hb, codes: [0, 65, 70] })
  const { equal, ...rest } = JSON.parse(text) as { equal: boolean }
  return { equal, detail: JSON.stringify(rest).slice(0, 1000) }
}

async function decisionsIn({ path }: AgentFolder, hb: Hb): Promise<number> {
  const text = await runHb(['decisions', 'digest', '--state', 'state', '--json'], { cwd: path, hb })
  return (JSON.parse(text) as { decisions: number }).decisions
}
