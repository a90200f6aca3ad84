import { type AlarmSeverity, severityRank } from '../../../shared/model/alarm.ts'
import { type AlarmEntry, isMasked } from '../../../shared/model/alarms/state.ts'
import type { CollectorAlarmKind } from '../../../shared/model/collector-alarm.ts'
import type { Micros } from '../../../shared/units.ts'
import { partsOf } from './definitions.ts'
import type { AlarmRoute } from './settings.ts'

/** One notice that is to go to one target. */
export type DueNotice = Readonly<{
  key: string
  site: string
  id: string
  occurrence: number
  severity: AlarmSeverity
  /** Place of the step in its route, from 0. */
  step: number
  target: string
  dueUs: Micros
}>

/** Alarms of one site, as far as notices follow from them. */
export type NoticeSource = Readonly<{ site: string; entries: readonly AlarmEntry[] }>

/** Names a notice for ever: whoever got it twice knows it again. */
export function noticeKey({
  site,
  id,
  occurrence,
  step,
  target,
}: Omit<DueNotice, 'key' | 'severity' | 'dueUs'>): string {
  return `alarm:${site}/${id}/${occurrence}/${step}/${target}`
}

type Alarm = Readonly<{ severity: AlarmSeverity; site: string; kind: CollectorAlarmKind | null }>

/** The first route that fits; null: nobody is told. */
export function routeOf(routes: readonly AlarmRoute[], { severity, site, kind }: Alarm): AlarmRoute | null {
  const fits = <T>(list: readonly T[] | null, value: T | null): boolean =>
    list === null || (value !== null && list.includes(value))
  const found = routes.find(
    (route) => fits(route.severities, severity) && fits(route.sites, site) && fits(route.kinds, kind),
  )
  return found ?? null
}

/**
 * What people are to be told now and have not been, the gravest first and of those the oldest. It follows from the alarms alone:
 * what could not be told stays due, and nothing has to be queued. Nothing is due of what is acknowledged or hidden; of what is
 * over by itself the first step is, and no later one.
 *
 * @param told keys of notices that were taken.
 */
export function dueNotices(
  sources: readonly NoticeSource[],
  routes: readonly AlarmRoute[],
  told: ReadonlySet<string>,
  nowUs: Micros,
): DueNotice[] {
  const due = sources.flatMap(({ site, entries }) => entries.flatMap((entry) => dueOf(site, entry, routes, nowUs)))
  return due
    .filter(({ key }) => !told.has(key))
    .sort(
      (a, b) => severityRank(b.severity) - severityRank(a.severity) || a.dueUs - b.dueUs || (a.key < b.key ? -1 : 1),
    )
}

function dueOf(site: string, entry: AlarmEntry, routes: readonly AlarmRoute[], nowUs: Micros): DueNotice[] {
  const { id, occurrence, severity, announcedUs, acked, level } = entry
  if (acked || severity === null || isMasked(entry)) return []
  const { steps = [] } = routeOf(routes, { severity, site, kind: partsOf(id).kind }) ?? {}
  return steps.flatMap(({ afterUs, to }, step) => {
    const dueUs = announcedUs + afterUs
    if (!(nowUs >= dueUs) || (step > 0 && level === null)) return []
    return to.map((target) => {
      const place = { site, id, occurrence, step, target }
      return { ...place, key: noticeKey(place), severity, dueUs }
    })
  })
}
