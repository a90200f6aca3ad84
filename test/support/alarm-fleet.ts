import { alarmLimits } from '../../collector/alarm-settings.ts'
import type { AgentFacts, Look, RigFacts } from '../../collector/core/alarms/facts.ts'
import type { AlarmLimits } from '../../collector/core/alarms/settings.ts'
import {
  createSite,
  keptOf,
  restoreSite,
  type SiteAlarms,
  siteAt,
  siteInput,
} from '../../collector/core/alarms/site.ts'
import type { AlarmChange, AlarmInput } from '../../shared/model/alarm.ts'
import { entriesOf, stateOf } from '../../shared/model/alarms/state.ts'
import { defaultAlarms } from './collector-folder.ts'

export const SECOND_US = 1_000_000
export const FLEET_T0 = 1_700_000_000_000_000
const YEAR_US = 365 * 86_400 * SECOND_US

export const LIMITS: AlarmLimits = alarmLimits({
  ...defaultAlarms(),
  ...{ silent_ms: 30_000, clear_ms: 3000, group_agents_min: 3, group_window_ms: 5000 },
})

export const WELL: RigFacts = { rig: 'loop', data: { channels: 4, lost: 0 }, decay: 1 }

/** An agent of which nothing is wrong. */
export function wellAgent(agent: string, change: Partial<AgentFacts> = {}): AgentFacts {
  return {
    ...{ agent, heard: true, quietUs: 0, connected: true, lastUs: FLEET_T0, rigs: [WELL] },
    ...{ reported: { batches: 0, ageUs: 0, skewUs: 0 }, certificateUntilUs: FLEET_T0 + YEAR_US },
    ...change,
  }
}

/** Agents of one site, looked at once a second. */
export class AlarmFleet {
  alarms: SiteAlarms
  s = 0
  readonly facts = new Map<string, AgentFacts>()
  storeFailed: string | null = ''
  /** Time of the process before this one. */
  private startS = 0

  constructor(site: string, agents: readonly string[], limits: AlarmLimits = LIMITS) {
    this.alarms = createSite({ site, agents }, limits)
    for (const agent of agents) this.facts.set(agent, wellAgent(agent))
  }

  set(agents: readonly string[], change: Partial<AgentFacts>): void {
    for (const agent of agents) this.facts.set(agent, { ...this.facts.get(agent)!, ...change })
  }

  /** Nothing is heard of these from now on. */
  cut(...agents: readonly string[]): void {
    this.set(agents, { quietUs: LIMITS.silentUs, connected: false, reported: null, rigs: [] })
  }

  heal(...agents: readonly string[]): void {
    for (const agent of agents) this.facts.set(agent, wellAgent(agent))
  }

  /** Lets seconds pass. @returns what changed meanwhile. */
  run(seconds: number): AlarmChange[] {
    const changes: AlarmChange[] = []
    for (let k = 0; k < seconds; k += 1) {
      this.s += 1
      changes.push(...siteAt(this.alarms, this.look()))
    }
    return changes
  }

  input(input: Readonly<{ kind: AlarmInput['kind']; id: string; [key: string]: unknown }>): AlarmChange[] {
    const common = { by: 'ada', reason: 'known', occurrence: 0, severity: null, nowUs: FLEET_T0 + this.s * SECOND_US }
    return siteInput(this.alarms, { forUs: 60 * SECOND_US, oneShot: false, ...common, ...input } as AlarmInput)
  }

  /** Another process, which knows what was written and has heard of nobody yet. */
  restart(downS = 10): void {
    const kept = JSON.parse(JSON.stringify(keptOf(this.alarms))) as ReturnType<typeof keptOf>
    const { site, limits } = this.alarms
    this.alarms = createSite(site, limits)
    restoreSite(this.alarms, kept)
    this.s += downS
    this.startS = this.s
    for (const agent of site.agents)
      this.set([agent], { heard: false, quietUs: 0, connected: false, reported: null, rigs: [] })
  }

  entry(id: string) {
    const entry = entriesOf(this.alarms.state).find((one) => one.id === id)
    if (entry === undefined) throw new Error(`no alarm ${id}`)
    return entry
  }

  /** Alarms that are not normal, as `ID STATE`. */
  open(): string[] {
    return entriesOf(this.alarms.state).flatMap((one) =>
      stateOf(one) === 'NORMAL' ? [] : [`${one.id} ${stateOf(one)}`],
    )
  }

  private look(): Look {
    const { s, startS, facts: agents, storeFailed } = this
    return { nowUs: FLEET_T0 + s * SECOND_US, monoUs: (s - startS) * SECOND_US, own: { storeFailed }, agents }
  }
}

/** What people are told, as `KIND ID #OCCURRENCE SEVERITY`. */
export function toldOf(changes: readonly AlarmChange[]): string[] {
  return changes.flatMap(({ kind, id, occurrence, severity, announce }) =>
    announce ? [`${kind} ${id} #${occurrence} ${severity}`] : [],
  )
}
