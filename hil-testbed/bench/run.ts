import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { configDigest } from '../../shared/codec/config-digest.ts'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import type { Micros } from '../../shared/units.ts'
import { createInstrumentation } from '../core/instrumentation.ts'
import type { Plant } from '../core/plant.ts'
import { plantNamed } from '../core/plants/models.ts'
import type { BenchEvent, RunFacts } from '../core/run-record.ts'
import type { ScenarioRow } from '../core/scenario.ts'
import { type AgentFolder, LOCKSTEP_SOCKET, makeAgentFolder } from './agent-folder.ts'
import { AgentLife } from './agent-life.ts'
import { type Hb, type LogLine, runHb } from './agent-process.ts'
import { CarriedFaults } from './carried-faults.ts'
import { type Collected, CollectorSide } from './collector-side.ts'
import { Conductor } from './conductor.ts'
import { baselineOf, configChanges } from './config-carriers.ts'
import { createExternalPlant } from './external-plant.ts'
import { injectorMark } from './injector.ts'
import { benchKey } from './keys.ts'
import { People } from './orders.ts'
import { FreePace, LockstepPace, type Pace } from './pace.ts'
import { PeerStub } from './peer-stub.ts'
import { RunFiles } from './run-files.ts'
import { ActuatorStub, openFolder, type PlantEffect } from './stubs.ts'
import { Transmitter } from './transmitter.ts'
import type { Workshop } from './workshop.ts'

/** Quanta that may be late in free run before nothing that came of it counts. */
const OVERRUNS_MAX = 5
/** A run in lock-step begins here, whatever day it is: 2026-06-01 UTC. */
export const LOCKSTEP_BEGIN_US: Micros = 1_780_272_000_000_000

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
  const { row, folder } = options
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { plant, signals, stop: stopPlant, broken: noPlant } = await openPlant(row, folder)
  const files = new RunFiles(folder, row, signals)
  const startedMs = Date.now()
  const facts = { started_utc: new Date(startedMs).toISOString() }
  if (plant === null) {
    files.close({ ...facts, ...NOTHING, begin_us: 0, simulated_us: 0, host_ms: 0, broken: noPlant })
    return
  }
  const run = new Run(options, plant, files, signals)
  const rest = await run.go()
  const unsafe = await stopPlant()
  files.close({ ...facts, ...rest, broken: rest.broken ?? unsafe, host_ms: Date.now() - startedMs })
}

const NOTHING = {
  faults: [],
  hashes: { config: '', policy: '', baseline: '', software: '' },
  replay: null,
  collected: null,
  log_tail: [],
} as const

type Broken = NonNullable<RunFacts['broken']>
type OpenPlant = Readonly<{
  plant: Plant | null
  signals: readonly string[]
  /** @returns what was wrong with its end */
  stop: () => Promise<Broken | null>
  broken: Broken | null
}>

async function openPlant({ rig, steps, setup, teardown }: ScenarioRow, folder: string): Promise<OpenPlant> {
  const { plant: spec, sensors, actuators } = rig
  if (spec.command === null) {
    const model = plantNamed(spec.model)!
    const plant = model.create({ params: spec.params, init: spec.init })
    return { plant, signals: Object.keys(model.signals), stop: async () => null, broken: null }
  }
  const acts = [...setup, ...teardown, ...steps.flatMap((step) => step.steps)]
  const set = acts.flatMap((step) =>
    step.do === 'stimulate' || step.do === 'actuator' ? Object.keys(step.inputs) : [],
  )
  const needs = {
    stepUs: spec.stepUs,
    signals: [...new Set(sensors.map(({ of }) => of))],
    inputs: [...new Set([...set, ...actuators.flatMap(({ effect }) => Object.keys(effect))])],
  }
  const external = createExternalPlant({ command: spec.command, cwd: rig.folder, folder, needs, clock: systemClock() })
  try {
    const { signals } = await external.start()
    const stop = async (): Promise<Broken | null> => {
      const { safe, how } = await external.stop('the run is over')
      return safe ? null : { verdict: 'ERROR', code: 'PLANT_NOT_SAFE', detail: how }
    }
    return { plant: external.plant, signals: Object.keys(signals), stop, broken: null }
  } catch (error) {
    await external.stop('the run cannot begin')
    return { plant: null, signals: [], stop: async () => null, broken: brokenBy(error) }
  }
}

function brokenBy(error: unknown): Broken {
  if (error instanceof DOMException && error.name === 'AbortError')
    return { verdict: 'ABORTED', code: 'ABORTED', detail: 'the campaign was ended' }
  const code = isHbError(error) ? error.code : 'INTERNAL'
  return { verdict: 'ERROR', code, detail: (error as Error).message.slice(0, 2000) }
}

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
    const { row } = this.options
    const beginUs = row.clock.mode === 'lockstep' ? LOCKSTEP_BEGIN_US : systemClock().nowUs() + 1_000_000
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
      faults: parts === null ? [] : factsOf(row, parts.conductor),
      hashes: parts === null ? NOTHING.hashes : hashesOf(row, parts.folder),
      replay: after?.replay ?? null,
      collected: after?.collected ?? null,
      broken: this.broken ?? overrunOf(parts?.pace ?? null),
      log_tail: [...(parts?.agent.tail ?? [])],
    }
  }

  private async assemble(beginUs: Micros): Promise<Parts> {
    const { row, folder: at, hb, workshop } = this.options
    const { rig } = row
    const collector = rig.collector
      ? new CollectorSide({ path: join(at, 'collector'), log: join(at, 'collector.log'), hb })
      : null
    const path = join(at, 'agent')
    mkdirSync(path, { mode: 0o700 })
    const collectorKeys =
      collector === null ? null : await this.ended(collector.start(path, rig.name), () => collector.stop())
    const baseline = await baselineOf(row, workshop)
    const folder = makeAgentFolder(path, { row, baseline, collectorKeys, brokerUrl: null, changes: configChanges(row) })
    const open = openFolder(path)
    this.ends.push(() => open.close())
    const effects: PlantEffect[] = []
    const stubsOn = (clock: Pace['clock']): ActuatorStub[] =>
      rig.actuators.map((spec) =>
        this.stub({ spec, folder, path: open.in, clock }, effects, () => clock.nowUs() - beginUs),
      )
    let stubs: ActuatorStub[] = []
    const endpoint = `ipc://${open.in(LOCKSTEP_SOCKET)}`
    const pace: Pace =
      row.clock.mode === 'lockstep'
        ? new LockstepPace({ beginUs, endpoint, real: this.options.real, stubs: (clock) => (stubs = stubsOn(clock)) })
        : new FreePace(beginUs)
    if (row.clock.mode === 'free_run') stubs = stubsOn(pace.clock)
    for (const stub of stubs) await this.ended(stub.start(), () => stub.stop())
    const peer =
      rig.peer === null
        ? null
        : new PeerStub({ name: rig.peer.name, folder, path: open.in, clock: pace.clock }, () => undefined)
    if (peer !== null) await this.ended(peer.start(), () => peer.stop())
    const transmitter = new Transmitter({
      sources: [...new Set(rig.sensors.map(({ source }) => source))],
      ...{
        path: open.in,
        beginUs,
        mark: injectorMark(folder.injector),
        badMark: injectorMark(benchKey('somebody else').privatePem),
        sent: (channel, atUs, value) => this.files.sent(channel, atUs, value),
      },
    })
    const event = (one: BenchEvent): void => this.files.event(one)
    const agent = new AgentLife({
      folder,
      log: join(at, 'agent.log'),
      hb,
      pace,
      transmitter,
      event,
      said: (line) => tellAlarm(line, beginUs, event),
    })
    const nowUs = (): Micros => pace.clock.nowUs()
    const people = new People(folder.state, folder.pems, nowUs)
    const inputs = Object.fromEntries(
      Object.entries(plantNamed(rig.plant.model)?.inputs ?? {}).map(([name, { initial }]) => [name, initial]),
    )
    const carried = new CarriedFaults({
      ...{ row, folder, agent, stubs, inputs, peer, collector, people, transmitter, nowUs },
      ordered: (order, by, { state, refused }) =>
        event({ t_us: nowUs() - beginUs, kind: 'order', order, by, answer: refused === '' ? state : refused }),
    })
    const instruments = createInstrumentation({ rig: rig.name, seed: row.seed, sensors: rig.sensors, beginUs })
    const conductor = new Conductor({
      ...{ row, plant: this.plant, instruments, transmitter, pace, people, files: this.files, carried, effects },
      signal: this.options.signal,
      moved: (atUs) =>
        this.options.watch?.({
          row,
          atUs,
          truth: (signal) => this.plant.read(signal),
          telemetry: (channel) => this.files.newest(channel),
          signals: this.signals,
          agentSaid: agent.running ? agent.now.said : [],
        }),
    })
    return { beginUs, folder, pace, agent, collector, conductor }
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
    const { row, hb } = this.options
    const { broken } = this
    if (broken === null && agent.running)
      try {
        await conductor.teardown()
      } catch (error) {
        this.broken = brokenBy(error)
      }
    await agent.stop(conductor.atUs)
    const wants = row.expect.some(({ kind }) => kind === 'replay')
    const replay = wants && this.broken === null ? await replayed(folder, hb) : null
    const collected =
      collector === null || this.broken !== null ? null : await collector.collected(await decisionsIn(folder, hb))
    return { replay, collected }
  }

  private stub(
    about: Pick<ConstructorParameters<typeof ActuatorStub>[0], 'spec' | 'folder' | 'path' | 'clock'>,
    effects: PlantEffect[],
    atUs: () => Micros,
  ): ActuatorStub {
    return new ActuatorStub({
      ...about,
      request: (actuator, key) => this.files.event({ t_us: atUs(), kind: 'request', actuator, key }),
      effect: (target, key, inputs) => {
        this.files.event({ t_us: atUs(), kind: key === 'permit' ? 'permit_lost' : 'effect', actuator: target, key })
        effects.push({ atUs: atUs() + about.spec.latencyUs, target, key, inputs })
      },
    })
  }

  /** What has begun is ended, also when something after it goes wrong. */
  private async ended<T>(begun: Promise<T>, end: () => Promise<void>): Promise<T> {
    this.ends.push(end)
    return begun
  }
}

type Parts = Readonly<{
  beginUs: Micros
  folder: AgentFolder
  pace: Pace
  agent: AgentLife
  collector: CollectorSide | null
  conductor: Conductor
}>

/** States of an alarm in which its condition holds (AL-2). */
const ACTIVE_STATES: ReadonlySet<string> = new Set(['UNACK', 'ACKED'])

/** Alarms of the alarm engine are told to people and stand in no signed record: what was told is an event of the bench. */
function tellAlarm(line: LogLine, beginUs: Micros, event: (one: BenchEvent) => void): void {
  if (line['event'] !== 'alarm' || typeof line['t_us'] !== 'number') return
  const to = String(line['to'])
  event({
    t_us: line['t_us'] - beginUs,
    kind: 'alarm',
    id: String(line['alarm']),
    severity: typeof line['severity'] === 'string' ? line['severity'] : null,
    change: String(line['change']),
    active: ACTIVE_STATES.has(to),
  })
}

/** Code of the error that an agent ended with, from the last thing it said. */
function refusalIn(tail: readonly string[]): string {
  for (const text of [...tail].reverse()) {
    const code = /\b([A-Z][A-Z]+(?:_[A-Z]+)+)\b/.exec(text)?.[1]
    if (code !== undefined) return code
  }
  return ''
}

async function replayed({ path }: AgentFolder, hb: Hb): Promise<RunFacts['replay']> {
  const text = await runHb(['replay', '--state', 'state', '--json'], { cwd: path, hb, codes: [0, 65, 70] })
  const { equal, ...rest } = JSON.parse(text) as { equal: boolean }
  return { equal, detail: JSON.stringify(rest).slice(0, 1000) }
}

async function decisionsIn({ path }: AgentFolder, hb: Hb): Promise<number> {
  const text = await runHb(['decisions', 'digest', '--state', 'state', '--json'], { cwd: path, hb })
  return (JSON.parse(text) as { decisions: number }).decisions
}

function factsOf(row: ScenarioRow, conductor: Conductor): RunFacts['faults'] {
  const wanted = row.steps.flatMap(({ steps }) => steps.flatMap((step) => (step.do === 'inject' ? [step.fault] : [])))
  const seen = conductor.seen()
  return wanted.map(({ id, class: of, target }) => {
    const one = seen.find((found) => found.id === id)
    return {
      id,
      class: of,
      target,
      count: one?.count ?? 0,
      first_us: one?.firstUs ?? null,
      last_us: one?.lastUs ?? null,
    }
  })
}

function hashesOf({ rig }: ScenarioRow, { path }: AgentFolder): RunFacts['hashes'] {
  const digest = (name: string): string => {
    try {
      return createHash('sha256')
        .update(readFileSync(join(path, name)))
        .digest('hex')
    } catch {
      return ''
    }
  }
  const names = [
    'runtime.yaml',
    basename(rig.registryFile),
    ...(rig.policyFile === null ? [] : [basename(rig.policyFile)]),
  ]
  const files = names.map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(path, name))) }))
  return {
    config: Buffer.from(configDigest(files)).toString('hex'),
    policy: rig.policyFile === null ? '' : digest(basename(rig.policyFile)),
    baseline: digest('baseline.hbb'),
    software: createHash('sha256')
      .update(readFileSync(process.argv[1] ?? process.execPath))
      .digest('hex'),
  }
}

function overrunOf(pace: Pace | null): Broken | null {
  if (pace === null || pace.overruns <= OVERRUNS_MAX) return null
  const detail = `${pace.overruns} quanta were late by more than 100 ms`
  return { verdict: 'INCONCLUSIVE', code: 'HOST_OVERRUN', detail }
}
