import type { AlarmChange, AlarmSeverity, AlarmStateWord, RigAlarms } from '../../shared/model/alarm.ts'
import { alarmKpis } from '../../shared/model/alarms/alarms.ts'
import type { AlarmKpis, Rate } from '../../shared/model/alarms/kpi.ts'
import { type AlarmEntry, type AlarmState, definitionOf, entriesOf, stateOf } from '../../shared/model/alarms/state.ts'
import type { Micros } from '../../shared/units.ts'
import type { RigState } from '../core/state.ts'

/** Newest changes that are shown of a rig. */
const CHANGES_SHOWN = 100

/** One alarm as people are shown it. `seen` is what an order about it has to name (AL-5). Times are of the agent, −1 for never. */
export type AlarmShown = Readonly<{
  id: string
  title: string
  state: AlarmStateWord
  severity: AlarmSeverity | null
  level: AlarmSeverity | null
  occurrence: number
  seen: string
  count: number
  text: string
  raised_us: Micros
  announced_us: Micros
  suppressed_by: string | null
  shelf: Readonly<{ by: string; reason: string; until_us: Micros; one_shot: boolean }> | null
  out_of_service: string | null
  consequence: string | null
  response: string | null
  time_to_respond_us: Micros | null
  guidance: string | null
}>

export type RateShown = Readonly<{ now: number; mean: number | null; peak: number; above: number | null }>
export type RigAlarmsShown = Readonly<{
  rig: string
  alarms: readonly AlarmShown[]
  /** Null: none; `folded` are the warnings of it that were not told one by one. */
  flood: Readonly<{ since_us: Micros; folded: number }> | null
  kpis: Readonly<{
    per_ten_minutes: RateShown
    per_hour: RateShown
    standing: number
    stale: number
    chattering: readonly string[]
    flood_share: number | null
    shares: Readonly<Record<AlarmSeverity, number | null>>
  }>
  /** Newest last. */
  changes: readonly Readonly<Record<string, unknown>>[]
}>

/** The alarms of a rig as plain data; null for one without a policy, which has none. */
export function alarmsView({ settings, safety }: RigState, nowUs: Micros): RigAlarmsShown | null {
  if (safety === null || settings.safety === undefined) return null
  const { alarms: state } = safety
  return {
    rig: settings.rig,
    alarms: entriesOf(state).map((entry) => alarmShown(state, settings.safety!.alarms, entry)),
    flood: state.flood === null ? null : { since_us: state.flood.sinceUs, folded: state.flood.foldedTotal },
    kpis: kpisShown(alarmKpis(state, Math.max(nowUs, state.nowUs))),
    changes: state.history.slice(-CHANGES_SHOWN).map(changeShown),
  }
}

function alarmShown(state: AlarmState, { definitions }: RigAlarms, entry: AlarmEntry): AlarmShown {
  const { id, severity, level, occurrence, count, text, raisedUs, announcedUs, suppressedBy, shelf } = entry
  const about = definitionOf(state, definitions, entry)
  return {
    ...{ id, title: titleOf(entry, about?.title), state: stateOf(entry), severity, level, occurrence },
    ...{ seen: `${occurrence}/${severity ?? '-'}`, count, text, raised_us: raisedUs, announced_us: announcedUs },
    suppressed_by: suppressedBy,
    shelf:
      shelf === null ? null : { by: shelf.by, reason: shelf.reason, until_us: shelf.untilUs, one_shot: shelf.oneShot },
    out_of_service: entry.outOfService,
    consequence: about?.consequence ?? null,
    response: about?.response ?? null,
    time_to_respond_us: about?.timeToRespondUs ?? null,
    guidance: about?.guidance ?? null,
  }
}

function titleOf({ id, source }: AlarmEntry, title: string | undefined): string {
  if (title === undefined) return id
  return source === 'unknown' ? `not known: ${title}` : title
}

function kpisShown(kpis: AlarmKpis): RigAlarmsShown['kpis'] {
  const { perTenMinutes, perHour, standing, stale, chattering, floodShare, shares } = kpis
  const rate = ({ now, mean, peak, above }: Rate): RateShown => ({ now, mean, peak, above })
  return {
    ...{ per_ten_minutes: rate(perTenMinutes), per_hour: rate(perHour) },
    ...{ standing, stale, chattering, flood_share: floodShare, shares },
  }
}

function changeShown(change: AlarmChange): Readonly<Record<string, unknown>> {
  const { kind, id, occurrence, severity, from, to, announce, nowUs, endUs, text, refused } = change
  return { kind, id, occurrence, severity, from, to, announce, at_us: nowUs, t_us: endUs, text, refused }
}
