import type { Micros, Millis } from '../../shared/units.ts'
import type { Fault } from './fault.ts'
import type { ToldEvent } from './run-record.ts'

/**
 * One row of a scenario file: everything its run needs, with the rig's own file underneath and its parameters filled in.
 * Times count from the start of the run. Plain JSON: it is kept in the folder of the run as it is.
 */
export type ScenarioRow = Readonly<{
  id: string
  title: string
  /** File, as somebody in the folder of the bench writes it, and which row of its matrix, with its parameters by name. */
  file: string
  row: number
  params: Readonly<Record<string, number | string>>
  verifies: readonly string[]
  tags: readonly string[]
  /** Named reasons not to run it, or to expect that it fails; '' for none. */
  skip: string
  xfail: string
  rig: RigSpec
  seed: number
  clock: ClockSpec
  setup: readonly Step[]
  steps: readonly TimedStep[]
  expect: readonly Expectation[]
  teardown: readonly Step[]
}>

/** Faults that the steps of a row inject, in order. */
export function faultsOf({ steps }: Pick<ScenarioRow, 'steps'>): readonly Fault[] {
  return steps.flatMap((timed) => timed.steps.flatMap((step) => (step.do === 'inject' ? [step.fault] : [])))
}

export type ClockSpec = Readonly<{
  mode: 'lockstep' | 'free_run'
  quantumUs: Micros
  durationUs: Micros
  /** Event time of the start of a run in lock-step; null for that of every bench. */
  beginUs: Micros | null
}>

/** A rig as its file and the scenario together say. */
export type RigSpec = Readonly<{
  name: string
  /** Folder of the rig's files. */
  folder: string
  plant: PlantSpec
  sensors: readonly SensorSpec[]
  actuators: readonly ActuatorSpec[]
  /** Peer that speaks the contract; null for none. */
  peer: Readonly<{ name: string; link: 'zeromq' | 'http' }> | null
  /** Plant and sensors as the rig's own file has them: what its baseline is made of. */
  nominal: Readonly<{ plant: PlantSpec; sensors: readonly SensorSpec[] }>
  registryFile: string
  policyFile: string | null
  baseline: BaselineSpec
  /** Keys of the rig and of the agent in runtime.yaml, as they are written there. */
  rigKeys: Readonly<Record<string, unknown>>
  agentKeys: Readonly<Record<string, unknown>>
  /** Whether a collector takes part, with the faults of its link. */
  collector: boolean
  /** Transport of the telemetry. */
  telemetry: 'zeromq' | 'mqtt'
  operators: readonly string[]
  /** Place that it needs for itself, such as the rack of an external plant; '' for none. */
  reserve: string
}>

/** A built-in model by name, an external one that is told where to connect, or what was recorded of a rig. */
export type PlantSpec = Readonly<{
  model: string
  params: Readonly<Record<string, number>>
  init: Readonly<Record<string, number>>
  /** Program and arguments of an external plant; null for a built-in one. `{endpoint}` in them is filled in. */
  command: readonly string[] | null
  /** Recording (core/recording.ts) that is played instead of a plant; null for none. */
  file: string | null
  /** Step of an external plant. */
  stepUs: Micros
  hazard: string
}>

export type SensorSpec = Readonly<{
  channel: string
  /** Signal of the plant. */
  of: string
  /** Acquisition it is on: its own publisher. */
  source: string
  rateHz: number
  noiseSd: number
  /** Smallest step of what it says; 0 for none. */
  resolution: number
  /** First-order lag; 0 for none. */
  lagUs: Micros
  /** Reading = gain · truth + offset. */
  gain: number
  offset: number
  ccg: readonly string[]
}>

export type ActuatorSpec = Readonly<{
  target: string
  /** What an effect sets on the plant, by input. */
  effect: Readonly<Record<string, number>>
  /** From the effect of the actuator to that of the plant. */
  latencyUs: Micros
  ack: Readonly<{ acceptUs: Micros; startUs: Micros; completeUs: Micros }>
  lossEffect: 'de_energise' | 'hold_last' | 'none'
  idempotent: boolean
}>

/**
 * Where the baseline of the rig comes from: a nominal run of its own plant through the gate and three keys, or a file
 * whose record the people of the bench certify again.
 */
export type BaselineSpec = Readonly<{
  kind: 'golden' | 'file' | 'none'
  file: string | null
  seconds: number
  rateHz: number
  seed: number
}>

/** What a person or the bench does. */
export type Step =
  | Readonly<{ do: 'inject'; fault: Fault }>
  | Readonly<{ do: 'clear'; id: string }>
  | Readonly<{ do: 'stimulate'; inputs: Readonly<Record<string, number>> }>
  | Readonly<{ do: 'mark'; name: string }>
  | Readonly<{ do: 'arm'; by: readonly string[]; forUs: Micros }>
  | Readonly<{ do: 'disarm'; by: string }>
  | Readonly<{ do: 'order'; kind: string; by: readonly string[]; fields: Readonly<Record<string, string | number>> }>
  | Readonly<{ do: 'actuator'; target: string; inputs: Readonly<Record<string, number>> }>
  /** Waits in event time until an expression over plant truth holds. */
  | Readonly<{ do: 'await'; condition: string; withinUs: Micros }>
  | Readonly<{ do: 'wait'; forUs: Micros }>

export type TimedStep = Readonly<{
  /** When: a time, or as soon as an expression over plant truth holds, from `atUs` on and within `withinUs`. */
  atUs: Micros
  when: string | null
  withinUs: Micros | null
  steps: readonly Step[]
  note: string
}>

/** When something must have come: within a span after an anchor (`start`, the id of a fault, a mark). */
export type Within = Readonly<{ us: Micros; of: string }>
export type Span = Readonly<{ fromUs: Micros; toUs: Micros | null }>

/** What must come of it. Judged by plant truth, by what the bench did, and by signed records. */
export type Expectation =
  | Readonly<{
      kind: 'verdict'
      is: readonly string[]
      metric: string | null
      ground: string | null
      within: Within | null
      optional: boolean
    }>
  | Readonly<{
      kind: 'alarm'
      name: string
      severity: string | null
      active: boolean
      within: Within | null
      optional: boolean
    }>
  | Readonly<{
      kind: 'action'
      action: string
      target: string | null
      reaches: string
      reason: string | null
      within: Within | null
      optional: boolean
    }>
  | Readonly<{ kind: 'arm'; state: string; within: Within | null; optional: boolean }>
  /** Orders of people that were refused, by reason. */
  | Readonly<{ kind: 'refused'; reason: string; within: Within | null; optional: boolean }>
  /** What the agent told of those it is connected to (`TOLD_EVENTS` of run-record.ts); `why` null: whatever the reason. */
  | Readonly<{ kind: 'told'; event: ToldEvent; why: string | null; within: Within | null; optional: boolean }>
  | Readonly<{ kind: 'gap'; reason: string; optional: boolean }>
  | Readonly<{ kind: 'never'; what: Never; span: Span }>
  | Readonly<{ kind: 'always'; verdict: readonly string[]; span: Span }>
  | Readonly<{ kind: 'stl'; formula: string }>
  | Readonly<{ kind: 'count'; of: Counted; least: number; most: number | null }>
  | Readonly<{ kind: 'counter'; counter: string; least: number; most: number | null }>
  | Readonly<{ kind: 'fhti'; from: string; maxUs: Micros; fttiUs: Micros }>
  | Readonly<{ kind: 'start_refused'; code: string }>
  | Readonly<{ kind: 'replay'; equal: true }>
  /** The collector has every decision of the outbox exactly once, and the agent its receipt for each. */
  | Readonly<{ kind: 'collected'; all: true }>

export type Never =
  | Readonly<{ plant: string }>
  | Readonly<{ verdict: readonly string[] }>
  | Readonly<{ alarm: string }>
  | Readonly<{ action: string; target: string | null; state: string }>

export type Counted =
  | Readonly<{ action: string; target: string | null; state: string }>
  /** What the actuator really did. */
  | Readonly<{ effect: string }>
  | Readonly<{ alarm: string }>

/** Host time that any single wait of a run may take. */
export const HOST_WAIT_MS: Millis = 30_000
