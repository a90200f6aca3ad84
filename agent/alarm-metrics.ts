import type { MetricSource } from '../shared/lib/metrics.ts'
import { ALARM_SEVERITIES } from '../shared/model/alarm.ts'
import { alarmKpis } from '../shared/model/alarms/alarms.ts'
import { type AlarmState, entriesOf, isMasked } from '../shared/model/alarms/state.ts'
import type { AgentLoop } from './loop.ts'

/** Alarms of the rigs with a policy, and what they ask of people (AL-9). */
export function alarmMetrics(loop: AgentLoop): MetricSource[] {
  const rigs = (): { rig: string; alarms: AlarmState }[] =>
    loop.evaluation.state.rigs.flatMap(({ settings: { rig }, safety }) =>
      safety === null ? [] : [{ rig, alarms: safety.alarms }],
    )
  const kpis = (alarms: AlarmState) => alarmKpis(alarms, Math.max(loop.evaluation.state.nowUs, alarms.nowUs))
  const gauge = (name: MetricSource['name'], help: string, of: (alarms: AlarmState) => number): MetricSource => ({
    ...{ name, help, kind: 'gauge', labels: ['rig'] },
    read: () => rigs().map(({ rig, alarms }) => ({ value: of(alarms), labels: { rig } })),
  })
  return [
    {
      name: 'hb_alarms_unacked',
      help: 'Alarms that nobody has acknowledged and nothing hides, by rig and severity.',
      kind: 'gauge',
      labels: ['rig', 'severity'],
      read: () =>
        rigs().flatMap(({ rig, alarms }) =>
          ALARM_SEVERITIES.map((severity) => ({ value: unackedOf(alarms, severity), labels: { rig, severity } })),
        ),
    },
    gauge('hb_alarms_standing', 'Alarms that are active and not hidden, by rig.', (a) => kpis(a).standing),
    gauge('hb_alarms_hidden', 'Alarms that are shelved, suppressed or out of service, by rig.', hiddenOf),
    gauge('hb_alarms_stale', 'Alarms that have stood for more than a day, by rig.', (a) => kpis(a).stale),
    gauge(
      'hb_alarms_chattering',
      'Alarms that came three times in a minute, by rig.',
      (a) => kpis(a).chattering.length,
    ),
    gauge('hb_alarms_ten_minutes', 'Announcements in these ten minutes, by rig.', (a) => kpis(a).perTenMinutes.now),
    gauge('hb_alarms_hour', 'Announcements in this hour, by rig.', (a) => kpis(a).perHour.now),
    gauge('hb_alarm_flood', '1 while warnings are summed up, by rig.', ({ flood }) => (flood === null ? 0 : 1)),
    gauge(
      'hb_alarm_flood_ratio',
      'Share of the time in flood since counting began, by rig; NaN before.',
      (a) => kpis(a).floodShare ?? Number.NaN,
    ),
  ]
}

function unackedOf(alarms: AlarmState, severity: string): number {
  return entriesOf(alarms).filter((one) => !one.acked && one.severity === severity && !isMasked(one)).length
}

function hiddenOf(alarms: AlarmState): number {
  return entriesOf(alarms).filter(isMasked).length
}
