import type { Micros } from '../../shared/units.ts'
import type { Fault } from '../core/fault.ts'
import { faultKind, paramOf } from '../core/faults/catalogue.ts'
import type { InputSpec } from '../core/plant.ts'
import type { ScenarioRow } from '../core/scenario.ts'
import type { AgentFolder } from './agent-folder.ts'
import type { AgentLife } from './agent-life.ts'
import type { CollectorSide } from './collector-side.ts'
import type { HostTime } from './host-time.ts'
import type { OrderAnswer, People } from './orders.ts'
import type { PeerStub } from './peer-stub.ts'
import type { ActuatorStub } from './stubs.ts'
import type { Transmitter } from './transmitter.ts'

/** What a fault that is carried out on programs, files and people can reach. */
export type Reach = Readonly<{
  row: ScenarioRow
  folder: AgentFolder
  agent: AgentLife
  stubs: readonly ActuatorStub[]
  /** Inputs of the plant; none are known of an external one. */
  inputs: Readonly<Record<string, InputSpec>>
  peer: PeerStub | null
  collector: CollectorSide | null
  people: People
  transmitter: Transmitter
  /** Time of this machine. */
  host: HostTime
  nowUs(): Micros
  /** An order that a fault gave, and what was said to it. */
  ordered(kind: string, by: readonly string[], answer: Pick<OrderAnswer, 'state' | 'refused'>): void
}>

/** One fault while it is carried out. Each returns what it counts: how often it did something. */
export type Carrier = Readonly<{
  begin(atUs: Micros): Promise<void> | void
  /** After each quantum while it acts. */
  move?(atUs: Micros): Promise<void> | void
  end?(atUs: Micros): Promise<void> | void
  /** How often it changed something so far. */
  count(): number
}>

export type MakeCarrier = (fault: Fault, reach: Reach) => Carrier

/** A parameter of a fault as a number. */
export function numberOf({ class: of, params }: Fault, name: string): number {
  return Number(paramOf(faultKind(of)!, params, name))
}

export function textOf({ class: of, params }: Fault, name: string): string {
  return String(paramOf(faultKind(of)!, params, name) ?? '')
}

/** Something that is done once, when it begins. */
export function once(act: (atUs: Micros) => Promise<void> | void): Carrier {
  let done = 0
  return {
    async begin(atUs) {
      await act(atUs)
      done = 1
    },
    count: () => done,
  }
}
