import { fieldsOf, listOf, numberOf, textOf } from './wire.ts'

/** An alarm as the collector says it; `origin` is whose: of the collector about an agent or a site, or of an agent itself. */
export type AlarmJson = Readonly<{
  id: string
  origin: 'collector' | 'agent'
  /** Agent it is about; empty for that of a site or of the collector. */
  agent: string
  rig: string
  title: string
  state: string
  severity: string
  occurrence: number | null
  text: string
  sinceUs: number | null
  ackedBy: string
  suppressedBy: string
  shelf: Readonly<{ by: string; reason: string; untilUs: number | null }> | null
  outOfService: string
  response: string
  /** It follows from signed records; of the collector's own that is not asked. */
  signed: boolean
}>
export type AlarmSite = Readonly<{ site: string; agents: number | null; alarms: readonly AlarmJson[]; more: number }>
export type AutonomousJson = Readonly<{
  agent: string
  rigs: readonly string[]
  lastUs: number | null
  untilUs: number | null
  over: boolean
}>

/** What the page shows of alarms. `untold`: targets that took no notice lately. `beat`: what is wrong with the heartbeat. */
export type AlarmsJson = Readonly<{
  sites: readonly AlarmSite[]
  autonomous: readonly AutonomousJson[]
  untold: readonly Readonly<{ target: string; waiting: number | null; problem: string }>[]
  beat: string
  note: string
}>

const SITES_MAX = 256
const ALARMS_MAX = 500
const NAMES_MAX = 64

/** Reads what stands of alarms. A severity and a state that are missing are unknown, never a good one. */
export function parseAlarms(value: unknown): AlarmsJson | null {
  const fields = fieldsOf(value)
  if (fields === undefined) return null
  const ofAgents = listOf(fields['of_agents'], ALARMS_MAX).flatMap(parseOfAgent)
  const sites = listOf(fields['sites'], SITES_MAX).flatMap(parseSite)
  return {
    sites: ofAgents.length === 0 ? sites : [...sites, { site: AGENTS_SITE, agents: null, alarms: ofAgents, more: 0 }],
    autonomous: listOf(fields['autonomous'], NAMES_MAX).flatMap(parseAutonomous),
    untold: listOf(fields['targets'], NAMES_MAX).flatMap(parseUntold),
    beat: parseBeat(fields['heartbeat']),
    note: textOf(fields['note']),
  }
}

/** Heading of alarms that agents have, about themselves and their rigs. */
export const AGENTS_SITE = 'at the agents'

function parseSite(value: unknown): AlarmSite[] {
  const fields = fieldsOf(value)
  if (fields === undefined) return []
  const alarms = listOf(fields['alarms'], ALARMS_MAX).flatMap(parseAlarm)
  const more = numberOf(fields['alarms_more']) ?? 0
  return [{ site: textOf(fields['site']), agents: numberOf(fields['agents']), alarms, more }]
}

function parseAlarm(value: unknown): AlarmJson[] {
  const fields = fieldsOf(value)
  const id = textOf(fields?.['id'])
  if (fields === undefined || id === '') return []
  const text = (name: string): string => textOf(fields[name])
  const shelf = fieldsOf(fields['shelf'])
  return [
    {
      ...{ id, origin: 'collector', agent: text('agent'), rig: '', title: text('title'), text: text('text') },
      ...{ state: text('state') || '?', severity: text('severity') || '?', occurrence: numberOf(fields['occurrence']) },
      ...{ sinceUs: numberOf(fields['raised_us']), ackedBy: text('acked_by'), suppressedBy: text('suppressed_by') },
      shelf:
        shelf === undefined
          ? null
          : { by: textOf(shelf['by']), reason: textOf(shelf['reason']), untilUs: numberOf(shelf['until_us']) },
      ...{ outOfService: text('out_of_service'), response: text('response'), signed: true },
    },
  ]
}

function parseOfAgent(value: unknown): AlarmJson[] {
  const fields = fieldsOf(value)
  const id = textOf(fields?.['alarm'])
  if (fields === undefined || id === '') return []
  const text = (name: string): string => textOf(fields[name])
  return [
    {
      ...{
        id,
        origin: 'agent',
        agent: text('agent'),
        rig: text('rig'),
        title: id,
        text: text('text'),
        state: text('state') || 'RAISED',
        signed: text('id') !== '',
      },
      ...{ severity: text('severity') || '?', occurrence: numberOf(fields['occurrence']) },
      ...{ sinceUs: numberOf(fields['since_us']), ackedBy: '' },
      ...{ suppressedBy: '', shelf: null, outOfService: '', response: '' },
    },
  ]
}

function parseAutonomous(value: unknown): AutonomousJson[] {
  const fields = fieldsOf(value)
  const agent = textOf(fields?.['agent'])
  if (fields === undefined || agent === '') return []
  const rigs = listOf(fields['rigs'], NAMES_MAX).map(textOf)
  const [lastUs, untilUs] = [numberOf(fields['last_us']), numberOf(fields['until_us'])]
  return [{ agent, rigs, lastUs, untilUs, over: fields['over'] !== false }]
}

function parseUntold(value: unknown): AlarmsJson['untold'][number][] {
  const fields = fieldsOf(value)
  const problem = textOf(fields?.['failing'])
  if (fields === undefined || problem === '') return []
  return [{ target: textOf(fields['target']), waiting: numberOf(fields['waiting']), problem }]
}

function parseBeat(value: unknown): string {
  const fields = fieldsOf(value)
  const outcome = textOf(fields?.['outcome'])
  if (fields === undefined || outcome === '' || outcome === 'sent') return ''
  return `${outcome}: ${textOf(fields['problem'])}`
}
