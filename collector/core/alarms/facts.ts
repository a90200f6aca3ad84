import type { Micros } from '../../../shared/units.ts'

/** Data of one rig as its agent last said. `lost`: channels whose value cannot be used; null: nothing was said lately. */
export type RigFacts = Readonly<{
  rig: string
  data: Readonly<{ channels: number; lost: number }> | null
  /** What is left of the golden baseline in force, 0 … 1; null: there is none, or nothing was said. */
  decay: number | null
}>

/** What an agent said of itself lately, unsigned. */
export type Reported = Readonly<{
  batches: number
  /** Age of the oldest batch that waits, by the agent's own clock; 0 for none. */
  ageUs: Micros
  /** Its wall clock less ours, when it spoke. */
  skewUs: Micros
}>

/** What is known of one agent now. Spans are by the monotonic clock of the collector. */
export type AgentFacts = Readonly<{
  agent: string
  /** A batch of it was verified since this process looks. */
  heard: boolean
  /** Since the last such batch; since this process looks when there was none. */
  quietUs: Micros
  connected: boolean
  /** Wall time of the newest batch that is stored; null: never. */
  lastUs: Micros | null
  /** Null: nothing lately. */
  reported: Reported | null
  /** Of the rigs it has declared; empty when it has declared none since this process looks. */
  rigs: readonly RigFacts[]
  /** Wall time at which its certificate ends, as last seen; null: not seen. */
  certificateUntilUs: Micros | null
}>

/** What is known of the collector itself. `storeFailed`: what a write came to; null: none was tried yet, '' it was well. */
export type OwnFacts = Readonly<{ storeFailed: string | null }>

/** One look. `nowUs` never goes back and never stands still; `monoUs` is of this process. */
export type Look = Readonly<{ nowUs: Micros; monoUs: Micros; own: OwnFacts; agents: ReadonlyMap<string, AgentFacts> }>
