import type { ConditionValue } from '../../../shared/model/action.ts'
import type { AlarmCondition } from '../../../shared/model/alarm.ts'
import type { Micros } from '../../../shared/units.ts'
import { named } from './conditions.ts'
import type { AlarmLimits } from './settings.ts'

/**
 * Agents of one site that fell silent together. `fell`: when each agent that is silent now fell silent, by the monotonic clock of
 * this process. `members`: those that the alarm of the site stands for; none while it does not.
 */
export type SiteGroup = { fell: Record<string, Micros>; members: string[] }

export function createGroup(): SiteGroup {
  return { fell: {}, members: [] }
}

/** What is known of one agent: whether it is silent, and whether its own alarm is active still. */
export type Member = Readonly<{ agent: string; silent: ConditionValue; isActive: boolean }>

/**
 * Follows who is silent. As soon as enough agents fell silent within the window they are members, and from then on every other
 * one that does. A member leaves when it is known to be heard and its own alarm is over; what is not known stays.
 */
export function followGroup(group: SiteGroup, all: readonly Member[], monoUs: Micros, limits: AlarmLimits): void {
  const before = group.fell
  group.fell = {}
  for (const { agent, silent } of all) if (silent === 'TRUE') group.fell[agent] = before[agent] ?? monoUs
  const known = new Map(all.map((one) => [one.agent, one]))
  group.members = group.members.filter((agent) => {
    const one = known.get(agent)
    return one !== undefined && (one.silent !== 'FALSE' || one.isActive)
  })
  const silent = Object.keys(group.fell)
  // In the window, and so not told by itself yet.
  const together = silent.filter((agent) => monoUs - group.fell[agent]! < limits.groupWindowUs)
  const joins = group.members.length > 0 || together.length >= limits.groupAgentsMin ? together : []
  group.members = [...new Set([...group.members, ...joins])].sort()
}

/** Conditions of the two alarms of a site. */
export function siteConditions(group: SiteGroup, all: readonly Member[], limits: AlarmLimits): AlarmCondition[] {
  const isSilent = (agent: string): boolean => group.fell[agent] !== undefined
  // Members of whom nothing is known yet keep the alarm as it is.
  const silent: ConditionValue = group.members.length === 0 ? 'FALSE' : group.members.some(isSilent) ? 'TRUE' : 'STALE'
  const lost = all.filter((one) => one.silent === 'TRUE').map(({ agent }) => agent)
  const mayBe = all.filter((one) => one.silent !== 'FALSE').length
  const isLost = (count: number): boolean => !(count / all.length < limits.siteLostShare)
  const quorum: ConditionValue = isLost(lost.length) ? 'TRUE' : isLost(mayBe) ? 'STALE' : 'FALSE'
  const of = (names: readonly string[]): string => `${names.length} of ${all.length} agents: ${named(names)}`
  return [
    { alarm: 'silent', severity: 'CRITICAL', value: silent, measured: null, text: of(group.members) },
    { alarm: 'quorum', severity: 'CRITICAL', value: quorum, measured: null, text: of(lost) },
  ]
}
