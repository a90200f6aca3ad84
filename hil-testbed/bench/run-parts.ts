import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../shared/lib/clock.ts'
import { PEER_PREFIX } from '../../shared/protocol/lockstep.ts'
import type { Micros } from '../../shared/units.ts'
import type { Plant } from '../core/plant.ts'
import { plantNamed } from '../core/plants/models.ts'
import { type BenchEvent, TOLD_EVENTS, type ToldEvent } from '../core/run-record.ts'
import { faultsOf, type ScenarioRow } from '../core/scenario.ts'
import { type AgentFolder, LOCKSTEP_SOCKET, makeAgentFolder } from './agent-folder.ts'
import { AgentLife } from './agent-life.ts'
import type { Hb, LogLine } from './agent-process.ts'
import { Broker } from './broker.ts'
import { CarriedFaults } from './carried-faults.ts'
import { turnable } from './clock-spoof.ts'
import { CollectorSide } from './collector-side.ts'
import { Conductor } from './conductor.ts'
import { baselineOf, configChanges, filesMissing } from './config-carriers.ts'
import type { HostTime } from './host-time.ts'
import { createInjector } from './injector.ts'
import { benchKey } from './keys.ts'
import { People } from './orders.ts'
import { FreePace, LockstepPace, type Pace } from './pace.ts'
import { PeerStub } from './peer-stub.ts'
import { portOf, takenNote } from './ports.ts'
import { instrumentsOf } from './recorded-plant.ts'
import type { RunFiles } from './run-files.ts'
import { ActuatorStub, openFolder, type PlantEffect } from './stubs.ts'
import { INSPECTABLE } from './thread-crash.ts'
import { Transmitter } from './transmitter.ts'
import type { Workshop } from './workshop.ts'

/** What a run is put together from. */
export type Wanted = Readonly<{
  row: ScenarioRow
  /** Folder of the run; there is one. */
  folder: string
  hb: Hb
  /** Time of this machine. */
  host: HostTime
  workshop: Workshop
  signal: AbortSignal
  /** Time in lock-step goes on no faster than on the wall. */
  real: boolean
  plant: Plant
  files: RunFiles
  /** Time of the first instant, µs since 1970. */
  beginUs: Micros
  /** Told after each quantum. */
  moved(atUs: Micros, agent: AgentLife): void
  /** Told how something ends before it begins; the last that began ends first, whatever comes between. */
  ends(end: () => Promise<void> | void): void
}>

/** What a run is made of. */
export type Parts = Readonly<{
  folder: AgentFolder
  pace: Pace
  agent: AgentLife
  transmitter: Transmitter
  collector: CollectorSide | null
  conductor: Conductor
}>

/** Makes everything of a run, and starts all of it but the agent. */
export async function assemble(wanted: Wanted): Promise<Parts> {
  const { row, folder: at, hb, host, workshop, beginUs, files } = wanted
  const { rig } = row
  const path = join(at, 'agent')
  wanted.signal.throwIfAborted()
  mkdirSync(path, { mode: 0o700 })
  const event = (one: BenchEvent): void => files.event(one)
  const { collector, collectorKeys, broker } = await beside(wanted, path)
  const baseline = await baselineOf(row, workshop, row.clock.mode === 'free_run' ? beginUs - workshop.beginUs : 0)
  const folder = makeAgentFolder(path, {
    row,
    baseline,
    collectorKeys,
    brokerUrl: broker?.url ?? null,
    changes: configChanges(row),
    missing: filesMissing(row),
  })
  wanted.signal.throwIfAborted()
  const open = openFolder(path)
  wanted.ends(() => open.close())
  const effects: PlantEffect[] = []
  const { pace, stubs } = paced(wanted, { folder, open: open.in, effects })
  for (const stub of stubs) await begun(wanted, stub)
  const peer =
    rig.peer === null
      ? null
      : new PeerStub({ name: rig.peer.name, folder, path: open.in, clock: pace.clock }, () => undefined)
  if (peer !== null) await begun(wanted, peer)
  if (peer !== null && pace instanceof LockstepPace) pace.join(`${PEER_PREFIX}${peer.name}`, peer)
  const transmitter = transmitterOf(wanted, { folder, open: open.in, broker })
  const agent = new AgentLife({
    ...{ folder, log: join(at, 'agent.log'), hb, host, pace, transmitter, event },
    said: (line) => {
      tellAlarm(line, beginUs, event)
      tellOfOthers(line, pace.clock.nowUs() - beginUs, event)
    },
    wrapped: wrappersOf(row, path),
    atUs: () => pace.clock.nowUs() - beginUs,
  })
  const nowUs = (): Micros => pace.clock.nowUs()
  const people = new People(folder.state, folder.pems, nowUs)
  const carried = new CarriedFaults({
    ...{ row, folder, agent, stubs, peer, collector, people, transmitter, host, nowUs },
    inputs: plantNamed(rig.plant.model)?.inputs ?? {},
    ordered: (order, by, { state, refused }) =>
      event({ t_us: nowUs() - beginUs, kind: 'order', order, by, answer: refused === '' ? state : refused }),
  })
  const instruments = instrumentsOf(wanted.plant, { rig: rig.name, seed: row.seed, sensors: rig.sensors, beginUs })
  const conductor = new Conductor({
    ...{ row, plant: wanted.plant, instruments, transmitter, pace, people, files, agent, carried, effects },
    signal: wanted.signal,
    moved: (atUs) => wanted.moved(atUs, agent),
  })
  return { folder, pace, agent, transmitter, collector, conductor }
}

/** What the agent of a row is started by, so that its faults can reach it. */
function wrappersOf(row: ScenarioRow, path: string): readonly string[] {
  const classes = new Set(faultsOf(row).map((fault) => fault.class))
  return [
    ...(classes.has('compute.worker_crash') ? INSPECTABLE : []),
    ...(classes.has('security.clock_spoof') ? turnable(path) : []),
  ]
}

type Beside = Readonly<{
  collector: CollectorSide | null
  /** How the agent reaches it, as its configuration says that. */
  collectorKeys: Readonly<Record<string, unknown>> | null
  broker: Broker | null
}>

/** What the agent connects to over ports, which stand in its configuration: begun before that is written. */
async function beside(wanted: Wanted, agentPath: string): Promise<Beside> {
  const { row, folder: at, hb, host, files } = wanted
  const noteOther = (part: 'collector' | 'broker', port: number): void => {
    if (port !== portOf(row, part)) files.event({ t_us: 0, kind: 'note', text: takenNote(part, portOf(row, part)) })
  }
  let collectorKeys: Beside['collectorKeys'] = null
  const options = { path: join(at, 'collector'), log: join(at, 'collector.log'), hb, host }
  const collector = row.rig.collector ? new CollectorSide({ ...options, port: portOf(row, 'collector') }) : null
  if (collector !== null) {
    wanted.ends(() => collector.stop())
    collectorKeys = await collector.start(agentPath, row.rig.name)
    noteOther('collector', collector.proxy.port)
  }
  const broker = row.rig.telemetry === 'mqtt' ? new Broker(at, portOf(row, 'broker'), host) : null
  if (broker !== null) {
    await begun(wanted, broker)
    noteOther('broker', broker.port)
  }
  return { collector, collectorKeys, broker }
}

type Link = Readonly<{ folder: AgentFolder; open: (name: string) => string; effects: PlantEffect[] }>

/** How time goes on, and the actuators that live in it. */
function paced(wanted: Wanted, link: Link): Readonly<{ pace: Pace; stubs: readonly ActuatorStub[] }> {
  const { row, beginUs, real, host } = wanted
  const stubsOn = (clock: Clock): ActuatorStub[] =>
    row.rig.actuators.map((spec) => stubOf(wanted, { spec, clock }, link))
  if (row.clock.mode === 'free_run') {
    const pace = new FreePace(beginUs, host)
    return { pace, stubs: stubsOn(pace.clock) }
  }
  const endpoint = `ipc://${link.open(LOCKSTEP_SOCKET)}`
  const pace = new LockstepPace({ beginUs, endpoint, real, host, stubs: stubsOn })
  return { pace, stubs: pace.stubs }
}

type Stubbed = Pick<ConstructorParameters<typeof ActuatorStub>[0], 'spec' | 'clock'>

/** An actuator whose effects reach the plant after the latency of its hardware. */
function stubOf({ files, beginUs }: Wanted, { spec, clock }: Stubbed, { folder, open, effects }: Link): ActuatorStub {
  const atUs = (): Micros => clock.nowUs() - beginUs
  return new ActuatorStub({
    ...{ spec, clock, folder, path: open },
    request: (actuator, key) => files.event({ t_us: atUs(), kind: 'request', actuator, key }),
    effect: (target, key, inputs) => {
      files.event({ t_us: atUs(), kind: key === 'permit' ? 'permit_lost' : 'effect', actuator: target, key })
      effects.push({ atUs: atUs() + spec.latencyUs, target, key, inputs })
    },
  })
}

/** What has begun is ended, also when its beginning goes wrong. */
async function begun(
  { ends }: Wanted,
  part: Readonly<{ start(): Promise<unknown>; stop(): Promise<void> }>,
): Promise<void> {
  ends(() => part.stop())
  await part.start()
}

type Sending = Pick<Link, 'folder' | 'open'> & Readonly<{ broker: Broker | null }>

function transmitterOf({ row, beginUs, files }: Wanted, { folder, open, broker }: Sending): Transmitter {
  return new Transmitter({
    sources: [...new Set(row.rig.sensors.map(({ source }) => source))],
    ...{ path: open, beginUs },
    publish: broker === null ? null : (channel, message) => broker.publish(channel, message),
    injector: createInjector(folder.injector),
    stranger: createInjector(benchKey('somebody else').privatePem),
    sent: (channel, atUs, value) => files.sent(channel, atUs, value),
  })
}

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

/** What the agent tells of those it is connected to has no time of its own: it has that at which the bench hears it. */
function tellOfOthers(line: LogLine, atUs: Micros, event: (one: BenchEvent) => void): void {
  const name = String(line['event'])
  if (!Object.hasOwn(TOLD_EVENTS, name)) return
  const why = line[TOLD_EVENTS[name as ToldEvent]]
  const words = Array.isArray(why) ? why.join('; ') : String(why ?? '')
  event({ t_us: Math.max(0, atUs), kind: 'told', event: name as ToldEvent, why: words.slice(0, WHY_CHARS_MAX) })
}

const WHY_CHARS_MAX = 400
