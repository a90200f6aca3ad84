import type { Clock } from '../shared/lib/clock.ts'
import type { Downlink } from '../shared/protocol/downlink.ts'
import type { Micros } from '../shared/units.ts'
import type { SliceQuestion } from './store/slices.ts'

/** A connected agent, as the rest of the collector may use it. */
export type AgentLink = Readonly<{
  session: string
  version: string
  epoch: number
  /** Rigs it has declared. */
  rigs: readonly string[]
  /** When its certificate ends, wall time; null: not known. */
  certificateUntilUs: Micros | null
  /** Asks for raw samples. What comes back is stored by the session. */
  askSlice(question: SliceQuestion): void
  /** Signs a request and sends it. */
  ask(request: Exclude<Downlink, { kind: 'slice_request' }>): void
}>

/** Vitals as they came, with what the collector knows better: who sent them and which program the rig runs in. */
export type RigVitals = Readonly<Record<string, unknown> & { agent: string; rig: string; program: string }>

/** Who is connected and what was last heard of each rig. Nothing of it is proved and nothing outlives the process. */
export interface Fleet {
  /** The newest session of an agent counts; the one before is forgotten. */
  connected(agent: string, link: AgentLink): void
  /** @returns false when another session has taken its place already. */
  left(agent: string, session: string): boolean
  link(agent: string): AgentLink | undefined
  heard(vitals: RigVitals): void
  /** Last vitals of every rig, with their age. */
  vitals(): readonly Readonly<Record<string, unknown>>[]
}

/** Rigs remembered; of more, the one not heard of for longest is forgotten. */
export const RIGS_MAX = 2_000

export function createFleet(clock: Pick<Clock, 'monotonicUs'>): Fleet {
  const links = new Map<string, AgentLink>()
  /** In order of the last time each was heard. */
  const rigs = new Map<string, { vitals: RigVitals; heardUs: Micros }>()

  return {
    connected(agent, link) {
      links.set(agent, link)
    },
    left(agent, session) {
      if (links.get(agent)?.session !== session) return false
      return links.delete(agent)
    },
    link: (agent) => links.get(agent),
    heard(vitals) {
      const key = `${vitals.agent}/${vitals.rig}`
      rigs.delete(key)
      rigs.set(key, { vitals, heardUs: clock.monotonicUs() })
      const quietest = rigs.keys().next()
      if (rigs.size > RIGS_MAX && quietest.done !== true) rigs.delete(quietest.value)
    },
    vitals() {
      const nowUs = clock.monotonicUs()
      return [...rigs.values()].map(({ vitals, heardUs }) => ({ ...vitals, heard_age_ms: (nowUs - heardUs) / 1000 }))
    },
  }
}
