import { HbError } from '../../shared/errors/hb-error.ts'
import { table, utc } from '../../shared/lib/command-output.ts'
import type { AlarmShown } from '../../shared/model/alarms/shown.ts'
import { COLLECTOR } from '../../shared/model/order.ts'
import { askerOf } from '../adapters/collector-client.ts'
import type { Desktop } from './order-client.ts'

/** What a collector says of its alarms, as far as commands look at it. */
export type CollectorAlarmsShown = Readonly<{
  boot: string
  deployment: string
  operators: readonly string[]
  sites: readonly Readonly<{
    site: string
    agents: number
    alarms: readonly (AlarmShown & Readonly<{ acked_by: string | null }>)[]
    alarms_more: number
  }>[]
  of_agents: readonly Readonly<{
    agent: string
    rig: string
    alarm: string
    severity: string
    text: string
    state: string | null
    since_us: number
    id: string | null
  }>[]
  autonomous: readonly Readonly<{ agent: string; rigs: readonly string[]; last_us: number | null; until_us: number }>[]
  targets: readonly Readonly<{ target: string; waiting: number; failing: string | null }>[]
  heartbeat: Readonly<{ outcome: string | null; problem: string }> | null
  waiting: readonly Readonly<{
    order: string
    kind: string
    site: string
    alarm: string
    by: string
    until_us: number
    reason: string
  }>[]
}>

/** @throws HbError COLLECTOR_UNREACHABLE, and what it refused with */
export async function fetchAlarms(url: string): Promise<CollectorAlarmsShown> {
  return (await (await askerOf(url)('/api/alarms')).json()) as CollectorAlarmsShown
}

/** A collector as a place that takes orders. */
export function deskOf(alarms: CollectorAlarmsShown): Pick<Desktop, 'deployment' | 'agent' | 'boot' | 'waiting'> {
  const { deployment, boot, waiting } = alarms
  return {
    ...{ deployment, agent: COLLECTOR, boot },
    waiting: waiting.map(({ order, kind, site, alarm, by, until_us, reason }) => ({
      ...{ order, kind: kind as Desktop['waiting'][number]['kind'], rig: site, subject: alarm, value: '', config: '' },
      ...{ reason, by, until_us, holds_until_us: 0 },
    })),
  }
}

/** Site that is meant: the one named, or the only one with such an alarm. @throws HbError USAGE */
export function siteMeant({ sites }: CollectorAlarmsShown, alarm: string, site: string | undefined): string {
  if (site !== undefined) return site
  const found = sites.filter(({ alarms }) => alarms.some(({ id }) => id === alarm))
  if (found.length === 1) return found[0]!.site
  const names = (found.length === 0 ? sites : found).map((one) => one.site || "''")
  throw new HbError('USAGE', {
    option: '--site',
    found: `${found.length} sites with \`${alarm}\``,
    expected: names.join(', '),
  })
}

/** What people read of the alarms of a collector. */
export function collectorLines(alarms: CollectorAlarmsShown, site: string | undefined): string[] {
  const sites = alarms.sites.filter((one) => (site === undefined || one.site === site) && one.alarms.length > 0)
  const { autonomous, of_agents: ofAgents, targets, heartbeat } = alarms
  return [
    ...autonomous.map(
      ({ agent, rigs, last_us: lastUs }) =>
        `AUTONOMOUS: ${agent}, last contact ${lastUs === null ? 'never' : utc(lastUs)}; armed, acts by itself on ${rigs.join(', ')}`,
    ),
    ...targets.flatMap(({ target, waiting, failing }) =>
      failing === null ? [] : [`${target} cannot be told, ${waiting} wait: ${failing}`],
    ),
    ...(heartbeat === null || heartbeat.outcome === 'sent' || heartbeat.outcome === null
      ? []
      : [`no heartbeat goes out: ${heartbeat.outcome}, ${heartbeat.problem}`]),
    ...(sites.length === 0 ? ['no open alarm'] : table([HEAD, ...sites.flatMap(rowsOf)])),
    ...(ofAgents.length === 0
      ? []
      : table([
          ['AGENT', 'RIG', 'ALARM OF IT', 'SEVERITY', 'STATE', 'SIGNED', 'SINCE (UTC)', 'WHAT'],
          ...ofAgents.map((a) => [
            ...[
              a.agent,
              a.rig,
              a.alarm,
              a.severity,
              a.state ?? '-',
              a.id === null ? 'no' : a.id,
              utc(a.since_us),
              a.text,
            ],
          ]),
        ])),
  ]
}

const HEAD = ['SITE', 'ALARM', 'SEEN', 'STATE', 'RAISED (UTC)', 'WHAT', 'RESPONSE']

function rowsOf({ site, alarms, alarms_more: more }: CollectorAlarmsShown['sites'][number]): string[][] {
  const rows = alarms.map((a) => [
    ...[site || '-', a.id, a.seen, a.acked_by === null ? a.state : `${a.state} by ${a.acked_by}`, utc(a.raised_us)],
    ...[`${a.title}: ${a.text}`, a.response ?? '-'],
  ])
  return more === 0 ? rows : [...rows, [site, `and ${more} more`, '', '', '', '', '']]
}
