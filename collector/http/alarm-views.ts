import { severityOf, severityRank } from '../../shared/model/alarm.ts'
import { type AlarmShown, alarmShown } from '../../shared/model/alarms/shown.ts'
import { entriesOf, stateOf } from '../../shared/model/alarms/state.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import type { Micros } from '../../shared/units.ts'
import type { AlarmOrdered, CollectorAlarms } from '../alarms.ts'
import { partsOf } from '../core/alarms/definitions.ts'
import type { SiteAlarms } from '../core/alarms/site.ts'
import type { Heartbeat } from '../heartbeat.ts'
import type { AlarmLine } from '../store/alarms.ts'
import type { Stores } from '../store/open.ts'
import type { SafetyRecord } from '../store/safety.ts'
import { decisionId } from './views.ts'

export type AlarmContext = Readonly<{ alarms: CollectorAlarms; heartbeat: Heartbeat | null }>

/** Alarms of one site that are listed; of more the worst. */
export const ALARMS_SHOWN_MAX = 500

type Json = Record<string, unknown>
type Shown = AlarmShown & Readonly<{ kind: string | null; agent: string; acked_by: string | null }>

/** Everything about alarms: those of the collector by site, those of agents, who is autonomous, and whether people can be told. */
export async function alarmsJson(
  { alarms, heartbeat }: AlarmContext,
  { safety }: Pick<Stores, 'safety'>,
  nowUs: Micros,
): Promise<Json> {
  const { deployment, boot, trust } = alarms.options
  const standing = await safety.standing()
  const sites = alarms.sites.map((site) => siteJson(alarms, site))
  const open = sites.flatMap((site) => site.all)
  return {
    ...{ now_us: nowUs, boot, deployment, operators: trust.operators.map(({ name }) => name) },
    counts: {
      open: open.length,
      unacked: open.filter(({ state }) => state === 'UNACK' || state === 'RTN_UNACK').length,
      critical: open.filter(({ level }) => level === 'CRITICAL').length,
    },
    sites: sites.map(({ json }) => json),
    of_agents: ofAgentsJson(alarms, standing).slice(0, ALARMS_SHOWN_MAX),
    autonomous: autonomousJson(alarms, standing, nowUs),
    targets: alarms.notices.targets,
    heartbeat: heartbeat === null ? null : heartbeatJson(heartbeat),
    waiting: alarms.pending().map(({ order, by, untilUs }) => ({
      ...{ order: order.id, kind: order.kind, site: order.rig, alarm: order.subject, by },
      ...{ until_us: untilUs, reason: order.reason },
    })),
    note: PERSONS_NOTE,
  }
}

function siteJson(alarms: CollectorAlarms, { site, state, definitions, group }: SiteAlarms) {
  const all = entriesOf(state)
    .filter((entry) => stateOf(entry) !== 'NORMAL')
    .map((entry): Shown => {
      const ackedBy = entry.acked ? (alarms.ackedBy.get(`${site.site}\n${entry.id}`) ?? null) : null
      return { ...alarmShown(state, definitions, entry), ...partsOf(entry.id), acked_by: ackedBy }
    })
    .sort(worstFirst)
  const shown = all.slice(0, ALARMS_SHOWN_MAX)
  const more = all.length - shown.length
  return {
    all,
    json: { site: site.site, agents: site.agents.length, silent: group.members, alarms: shown, alarms_more: more },
  }
}

function worstFirst(a: Shown, b: Shown): number {
  const hidden = (one: Shown): number => Number(['SUPPRESSED', 'SHELVED', 'OUT_OF_SERVICE'].includes(one.state))
  return hidden(a) - hidden(b) || severityRank(b.severity) - severityRank(a.severity) || b.announced_us - a.announced_us
}

/** Alarms that agents raised about themselves (signed), and those of their rigs as they last said them (unsigned, id null). */
function ofAgentsJson(alarms: CollectorAlarms, standing: readonly SafetyRecord[]): Json[] {
  const signed = standing.filter(({ about }) => about.startsWith('alarm:'))
  const said = alarms.ofAgents.all().flatMap((of) => of.alarms.map((alarm) => ({ of, alarm })))
  const saidOf = ({ agent, rig, about }: SafetyRecord) =>
    said.find((one) => one.of.agent === agent && one.of.rig === rig && one.alarm.id === `safety:${about.slice(6)}`)
      ?.alarm
  const isSigned = ({ of, alarm }: (typeof said)[number]): boolean =>
    signed.some((one) => one.agent === of.agent && one.rig === of.rig && alarm.id === `safety:${one.about.slice(6)}`)
  return [
    ...signed.map((record) => {
      const { agent, program, rig, seq, timeUs, body } = record
      const { state = null, occurrence = null } = saidOf(record) ?? {}
      const alarm = {
        alarm: body.says['id'],
        severity: body.says['severity'],
        text: body.text ?? '',
        state,
        occurrence,
      }
      return { agent, program, rig, ...alarm, since_us: timeUs, id: decisionId(agent, seq) }
    }),
    ...said
      .filter((one) => !isSigned(one))
      .map(({ of: { agent, program, rig }, alarm: { id, title, state, severity, occurrence, text, raisedUs } }) => ({
        ...{
          agent,
          program,
          rig,
          alarm: id,
          severity: severityOf(severity),
          text: text === '' ? title : `${title}: ${text}`,
        },
        ...{ state, occurrence, since_us: raisedUs, id: null },
      })),
  ].sort((a, b) => severityRank(severityOf(String(b.severity))) - severityRank(severityOf(String(a.severity))))
}

/**
 * Agents that were armed when they were last heard and are not heard now (SE-35). They act by themselves as they were armed;
 * nothing here says so any more, so somebody has to know.
 */
function autonomousJson({ facts, options }: CollectorAlarms, standing: readonly SafetyRecord[], nowUs: Micros): Json[] {
  const byAgent = new Map<string, { rigs: string[]; untilUs: Micros }>()
  for (const { agent, rig, about, state, body } of standing) {
    if (about !== 'arm' || state !== 'ARMED') continue
    const at = byAgent.get(agent) ?? { rigs: [] as string[], untilUs: 0 }
    at.rigs.push(rig)
    at.untilUs = Math.max(at.untilUs, Number(body.says['until_us']))
    byAgent.set(agent, at)
  }
  return [...byAgent].flatMap(([agent, { rigs, untilUs }]) => {
    const known = facts.get(agent)
    const isHeard = known?.connected === true && known.heard && known.quietUs < options.limits.silentUs
    if (isHeard) return []
    return [{ agent, rigs: rigs.sort(), last_us: known?.lastUs ?? null, until_us: untilUs, over: !(nowUs < untilUs) }]
  })
}

function heartbeatJson({ outcome, problem, sentUs, counts }: Heartbeat): Json {
  return { outcome, problem, sent_us: sentUs, ...counts }
}

export function alarmLineJson({ timeUs, site, id, kind, occurrence, severity, text, statement }: AlarmLine): Json {
  return { time_us: timeUs, site, alarm: id, kind, occurrence, severity, text, signed: statement !== null }
}

export function orderedJson({ untilUs, ...ordered }: AlarmOrdered): Json {
  return { ...ordered, until_us: untilUs, note: PERSONS_NOTE }
}
