import { mkdirSync } from 'node:fs'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { utc } from '../../shared/lib/command-output.ts'
import { askControl } from '../../shared/lib/control-socket.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { Plant } from '../core/plant.ts'
import type { RunFacts } from '../core/run-record.ts'
import type { Expectation, ScenarioRow } from '../core/scenario.ts'
import type { AgentLife } from './agent-life.ts'
import { type Hb, runHb } from './agent-process.ts'
import type { Collected } from './collector-side.ts'
import { baselineOf } from './config-carriers.ts'
import { type HostTime, millisSince } from './host-time.ts'
import { openPlant } from './rig-plant.ts'
import { type Broken, brokenBy, faultFacts, hashesOf, isAbort, NOTHING, overrunOf, refusalIn } from './run-facts.ts'
import { RunFiles } from './run-files.ts'
import { assemble, type Parts } from './run-parts.ts'
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
  host: HostTime
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
  const { plant, signals, stop, broken: noPlant } = await openPlant(row, { folder, host, hb: options.hb })
  let stopped: ReturnType<typeof stop> | null = null
  const stopPlant = (): ReturnType<typeof stop> => {
    stopped ??= stop()
    return stopped
  }
  try {
    const files = new RunFiles(folder, row, signals)
    const nothing = { ...NOTHING, begin_us: 0, simulated_us: 0, broken: noPlant }
    const rest = plant === null ? nothing : await new Run(options, plant, files, signals).go()
    const broken = rest.broken ?? (await stopPlant())
    files.close({ ...rest, broken, started_utc: utc(startedUs), host_ms: millisSince(fromUs, host) })
  } finally {
    await stopPlant()
  }
}

/** Codes of errors that follow from an agent that is gone. */
const SILENCE: ReadonlySet<string> = new Set(['AGENT_SILENT', 'AGENT_NOT_RUNNING', 'BENCH_WAIT'])

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
  private beginUs: Micros = 0

  constructor(options: RunOptions, plant: Plant, files: RunFiles, signals: readonly string[]) {
    this.options = options
    this.plant = plant
    this.files = files
    this.signals = signals
  }

  async go(): Promise<Omit<RunFacts, 'started_utc' | 'host_ms'>> {
    const { row, host, signal } = this.options
    const { mode, beginUs: ownUs } = row.clock
    // It is made once; the run on the wall must not wait for it.
    if (mode === 'free_run') await baselineOf(row, this.options.workshop, 0).catch(() => null)
    // Programs of one machine agree about its time to the millisecond: what is done in one is not seen in the one before.
    const wholeUs = Math.ceil(host.nowUs() / 1000) * 1000
    const beginUs = mode === 'lockstep' ? (ownUs ?? LOCKSTEP_BEGIN_US) : wholeUs + FREE_RUN_LEAD_US
    this.beginUs = beginUs
    let parts: Parts | null = null
    const leave = (): void => parts?.pace.gone()
    signal.addEventListener('abort', leave)
    try {
      parts = await this.assemble(beginUs)
      await this.play(parts)
    } catch (error) {
      this.broken = this.whyOf(error, parts)
    }
    signal.removeEventListener('abort', leave)
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
      alarms_again: after?.alarms_again ?? null,
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
      const code = refusalIn([...agent.tail, ...said])
      this.files.event({ t_us: 0, kind: 'agent', is: 'exited', code: agent.now.code, refused: code })
      if (code !== '' && row.expect.some(({ kind }) => kind === 'start_refused')) return
      throw error
    }
    await conductor.play()
    agent.mustLive()
  }

  /** Somebody ended the campaign, or the agent ended: what else went wrong is only what followed from it. */
  private whyOf(error: unknown, parts: Parts | null): Broken {
    const { signal } = this.options
    if (signal.aborted) return brokenBy(signal.reason)
    const isSilence = isHbError(error) ? SILENCE.has(error.code) : isAbort(error)
    return brokenBy(isSilence ? (parts?.agent.death ?? error) : error)
  }

  /** Back to safe, the agent ended in order, its record replayed: also after a run that broke off. */
  private async after(parts: Parts): Promise<After> {
    const { conductor, agent, transmitter, collector, folder } = parts
    const { host, signal } = this.options
    if (this.broken === null && agent.running) await this.attempt(parts, conductor.teardown())
    if (this.broken === null && collector !== null && agent.running)
      await this.attempt(parts, settled(folder.state, { host, signal }))
    const unfinished = this.broken !== null || !agent.running
    await agent.stop(conductor.atUs)
    if (unfinished) await conductor.makeSafe()
    const { lost } = transmitter
    if (lost > 0) this.files.event({ t_us: conductor.atUs, kind: 'note', text: `frames that nobody took: ${lost}` })
    let after: After = { replay: null, alarms_again: null, collected: null }
    if (this.broken === null)
      await this.attempt(
        parts,
        this.asked(parts).then((asked) => {
          after = asked
        }),
      )
    return after
  }

  /** What goes wrong after a run breaks it like what goes wrong in it. */
  private async attempt(parts: Parts, done: Promise<void>): Promise<void> {
    try {
      await done
    } catch (error) {
      this.broken = this.whyOf(error, parts)
    }
  }

  /** What other programs say of the record that the agent has left. */
  private async asked({ folder, collector }: Parts): Promise<After> {
    const { row, hb, signal } = this.options
    const options = { cwd: folder.path, hb, signal }
    const again = row.expect.some(restsOnReplay) ? await replayed(options, this.beginUs) : NOT_REPLAYED
    const collected = collector === null ? null : await collector.collected(await decisionsIn(options))
    return { ...again, collected }
  }
}

/** What is signed is receipted, or nobody comes for it: an agent that has ended sends nothing any more. */
async function settled(
  state: string,
  { host, signal }: Readonly<{ host: HostTime; signal: AbortSignal }>,
): Promise<void> {
  for (let waitedMs = 0; waitedMs < RECEIPTS_WITHIN_MS; waitedMs += LOOK_MS) {
    const { outbox } = (await askControl(state, { path: '/top', withinMs: host.waitMs })) as Waiting
    if (outbox.batches === 0) return
    await host.sleep(LOOK_MS, signal)
  }
}

type Waiting = Readonly<{ outbox: Readonly<{ batches: number }> }>
type Again = Pick<RunFacts, 'replay' | 'alarms_again'>
type After = Again & Readonly<{ collected: Collected | null }>
type Asked = Readonly<{ cwd: string; hb: Hb; signal: AbortSignal }>

const NOT_REPLAYED: Again = { replay: null, alarms_again: null }

/** What people were told of alarms counts when a replay says the same. */
function restsOnReplay(expectation: Expectation): boolean {
  if (expectation.kind === 'never') return 'alarm' in expectation.what
  if (expectation.kind === 'count') return 'alarm' in expectation.of
  return expectation.kind === 'replay' || expectation.kind === 'alarm'
}

async function replayed(options: Asked, beginUs: Micros): Promise<Again> {
  const args = ['replay', '--state', 'state', '--alarms', '--json']
  const text = await runHb(args, { ...options, codes: [0, 65, 70] })
  const { equal, alarms, ...rest } = JSON.parse(text) as Replay
  const isWhole = equal === true && alarms !== undefined && alarms.listed.length === alarms.count
  return {
    replay: { equal: equal === true, detail: JSON.stringify(rest).slice(0, 1000) },
    alarms_again: isWhole
      ? alarms.listed.map(({ t_us, alarm: id, severity, change }) => ({ t_us: t_us - beginUs, id, severity, change }))
      : null,
  }
}

type Replay = Readonly<{
  equal?: boolean
  alarms?: Readonly<{
    count: number
    listed: readonly Readonly<{ t_us: Micros; alarm: string; severity: string | null; change: string }>[]
  }>
}>

async function decisionsIn(options: Asked): Promise<number> {
  const text = await runHb(['decisions', 'digest', '--state', 'state', '--json'], options)
  return (JSON.parse(text) as { decisions: number }).decisions
}
