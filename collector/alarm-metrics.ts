import type { MetricSource } from '../shared/lib/metrics.ts'
import { ALARM_SEVERITIES } from '../shared/model/alarm.ts'
import { entriesOf, isMasked } from '../shared/model/alarms/state.ts'
import type { CollectorAlarms } from './alarms.ts'
import { BEAT_OUTCOMES } from './heartbeat.ts'
import type { AlarmContext } from './http/alarm-views.ts'

/** What `/metrics` shows of alarms. Labels are names of the configuration. */
export function alarmMetrics({ alarms, heartbeat }: AlarmContext): MetricSource[] {
  return [
    {
      name: 'hb_collector_alarms',
      help: 'Alarms of the collector that are active, by site and severity; hidden ones have a label of their own.',
      kind: 'gauge',
      labels: ['site', 'severity', 'hidden'],
      read: () => alarms.sites.flatMap((site) => activeOf(site)),
    },
    {
      name: 'hb_collector_agent_quiet_seconds',
      help: 'Since a batch of the agent was verified, or since the collector began to wait for one.',
      kind: 'gauge',
      labels: ['agent'],
      read: () => [...alarms.facts.values()].map(({ agent, quietUs }) => ({ value: quietUs / 1e6, labels: { agent } })),
    },
    {
      name: 'hb_collector_alarm_rounds_total',
      help: 'Looks at everything that alarms depend on.',
      kind: 'counter',
      read: () => [{ value: alarms.rounds }],
    },
    {
      name: 'hb_collector_alarm_notices_total',
      help: 'Notices that were taken, and tries that failed, by target.',
      kind: 'counter',
      labels: ['target', 'outcome'],
      read: () =>
        alarms.notices.targets.flatMap(({ target, told, failed }) => [
          { value: told, labels: { target, outcome: 'told' } },
          { value: failed, labels: { target, outcome: 'failed' } },
        ]),
    },
    {
      name: 'hb_collector_alarm_notices_waiting',
      help: 'Notices that are due and not taken yet, by target.',
      kind: 'gauge',
      labels: ['target'],
      read: () => alarms.notices.targets.map(({ target, waiting }) => ({ value: waiting, labels: { target } })),
    },
    {
      name: 'hb_collector_heartbeats_total',
      help: 'Beats to the outside: sent, failed on the way, or withheld because something is wrong here.',
      kind: 'counter',
      labels: ['outcome'],
      read: () =>
        heartbeat === null
          ? []
          : BEAT_OUTCOMES.map((outcome) => ({ value: heartbeat.counts[outcome], labels: { outcome } })),
    },
  ]
}

function activeOf({ site, state }: CollectorAlarms['sites'][number]) {
  const active = entriesOf(state).filter(({ level }) => level !== null)
  return ALARM_SEVERITIES.flatMap((severity) =>
    [true, false].map((hidden) => ({
      value: active.filter((entry) => entry.level === severity && isMasked(entry) === hidden).length,
      labels: { site: site.site, severity, hidden: String(hidden) },
    })),
  )
}
