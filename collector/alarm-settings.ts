import type { AlarmRouteConfig, CollectorAlarmsConfig } from '../shared/config/collector-alarm-schema.ts'
import type { CollectorConfig } from '../shared/config/types.ts'
import { microsFromMillis } from '../shared/units.ts'
import type { AlarmLimits, AlarmRoute, Site } from './core/alarms/settings.ts'

const DAY_US = 86_400_000_000

/** Limits of `alarms` in the words of the core. */
export function alarmLimits(config: CollectorAlarmsConfig): AlarmLimits {
  const us = microsFromMillis
  return {
    checkUs: us(config.check_ms),
    silentUs: us(config.silent_ms),
    clearUs: us(config.clear_ms),
    reAlarmUs: us(config.re_alarm_ms ?? 0),
    maxShelveUs: us(config.max_shelve_ms),
    groupAgentsMin: config.group_agents_min,
    groupWindowUs: us(config.group_window_ms),
    backlogBatches: config.backlog_batches,
    backlogAgeUs: us(config.backlog_age_ms),
    backlogCriticalAgeUs: us(config.backlog_critical_age_ms),
    clockWarnUs: us(config.clock_warn_ms),
    clockCriticalUs: us(config.clock_critical_ms),
    certificateWarnUs: config.certificate_warn_days * DAY_US,
    certificateCriticalUs: config.certificate_critical_days * DAY_US,
    baselineDecayMin: config.baseline_decay_min,
    dataLostShare: config.data_lost_percent / 100,
    siteLostShare: config.site_lost_percent / 100,
  }
}

export function alarmRoutes({ routes }: Pick<CollectorAlarmsConfig, 'routes'>): readonly AlarmRoute[] {
  return routes.map(({ severities, sites, kinds, steps }: AlarmRouteConfig) => ({
    severities: severities ?? null,
    sites: sites ?? null,
    kinds: kinds ?? null,
    steps: steps.map(({ after_ms: afterMs, to }) => ({ afterUs: microsFromMillis(afterMs), to })),
  }))
}

/** Sites by name; the first is '' with the agents that name none, because the collector itself is there too. */
export function sitesOf({ agents }: Pick<CollectorConfig, 'agents'>): readonly Site[] {
  const bySite = new Map<string, string[]>([['', []]])
  for (const { agent, site = '' } of agents) bySite.set(site, [...(bySite.get(site) ?? []), agent])
  const names = [...bySite.keys()].sort()
  return names.map((site) => ({ site, agents: bySite.get(site)!.toSorted() }))
}
