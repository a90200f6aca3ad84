import type { AlarmChange, AlarmDefinitions, AlarmInput, AlarmLevel } from '../../../shared/model/alarm.ts'
import { alarmsAt } from '../../../shared/model/alarms/alarms.ts'
import { alarmsInput } from '../../../shared/model/alarms/operator.ts'
import { createRun } from '../../../shared/model/alarms/run.ts'
import { type AlarmEntry, type AlarmState, createAlarms, entriesOf } from '../../../shared/model/alarms/state.ts'
import { agentConditions, isSilent, storeCondition } from './conditions.ts'
import { alarmId, isGrouped, siteDefinitions } from './definitions.ts'
import type { AgentFacts, Look } from './facts.ts'
import { createGroup, followGroup, type Member, type SiteGroup, siteConditions } from './group.ts'
import type { AlarmLimits, Site } from './settings.ts'

/** The alarms of one site. The engine is that of the agents (`shared/model/alarms`), with a site in the place of a rig. */
export type SiteAlarms = {
  readonly site: Site
  readonly definitions: AlarmDefinitions
  readonly limits: AlarmLimits
  state: AlarmState
  group: SiteGroup
}

/** What is kept of a site over a restart. */
export type KeptSite = Readonly<{ forgotten: number; members: readonly string[]; entries: readonly AlarmEntry[] }>

export function createSite(site: Site, limits: AlarmLimits): SiteAlarms {
  const definitions = siteDefinitions(site, limits)
  return { site, definitions, limits, state: createAlarms(definitions), group: createGroup() }
}

/**
 * Goes on from what was kept. Alarms are as they were, what was active is active until it is known to be over, and how near
 * others had come is forgotten: nobody looked in the meantime.
 *
 * @returns what was kept of alarms that are no longer defined.
 */
export function restoreSite(alarms: SiteAlarms, kept: KeptSite): readonly AlarmEntry[] {
  const { state, definitions } = alarms
  const known = new Map(kept.entries.map((entry) => [entry.id, entry]))
  state.forgotten = kept.forgotten
  state.defined = state.defined.map((fresh, at) => {
    const { levels } = definitions.alarms[at]!
    const entry = known.get(fresh.id)
    known.delete(fresh.id)
    if (entry === undefined) return { ...fresh, occurrence: kept.forgotten }
    return {
      ...entry,
      runs: fresh.runs.map((_, k) => ({ ...createRun(), active: isActive(levels, entry, k) })),
      pending: null,
    }
  })
  alarms.group.members = kept.members.filter((agent) => alarms.site.agents.includes(agent))
  const gone = [...known.values()]
  for (const { occurrence } of gone) state.forgotten = Math.max(state.forgotten, occurrence)
  return gone
}

/** Whether the level `k` of an alarm was active; of one that is not defined any more, the least is. */
function isActive(levels: readonly AlarmLevel[], { level, runs }: AlarmEntry, k: number): boolean {
  if (level === null) return false
  const isLevel = levels.some(({ severity }) => severity === level)
  return isLevel ? runs[k]?.active === true || levels[k]!.severity === level : k === 0
}

/** Takes in one look at a site and changes it. @returns what changed, in order. */
export function siteAt(alarms: SiteAlarms, look: Look): AlarmChange[] {
  const { site, definitions, limits, state, group } = alarms
  const facts = site.agents.map((agent) => look.agents.get(agent)!)
  const conditions = facts.flatMap((one) => agentConditions(one, look, limits))
  if (site.site === '') conditions.push(storeCondition(look.own))
  if (isGrouped(site, limits)) {
    const members = membersOf(alarms, facts)
    followGroup(group, members, look.monoUs, limits)
    conditions.push(...siteConditions(group, members, limits))
  }
  const seen = { nowUs: look.nowUs, endUs: look.monoUs, mode: 'nominal', armed: false, conditions, raised: [] } as const
  return alarmsAt(state, definitions, seen)
}

function membersOf({ state, limits }: SiteAlarms, facts: readonly AgentFacts[]): Member[] {
  const active = new Set(state.defined.filter(({ level }) => level !== null).map(({ id }) => id))
  return facts.map((one) => ({
    agent: one.agent,
    silent: isSilent(one, limits),
    isActive: active.has(alarmId(one.agent, 'silent')),
  }))
}

/** Does what an operator asks for, or refuses it. @returns what changed, or why nothing did. */
export function siteInput({ state, definitions }: SiteAlarms, input: AlarmInput): AlarmChange[] {
  return alarmsInput(state, definitions, input)
}

/** What has to be kept of a site after changes: whatever is not as it was made. */
export function keptOf({ state, group }: SiteAlarms): KeptSite {
  const entries = entriesOf(state).filter(({ occurrence, shelf, outOfService }) => {
    return occurrence > state.forgotten || shelf !== null || outOfService !== null
  })
  return { forgotten: state.forgotten, members: group.members, entries }
}
