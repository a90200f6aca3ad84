import type { AlarmChange, AlarmSeverity } from '../../shared/model/alarm.ts'
import { alarmKpis } from '../../shared/model/alarms/alarms.ts'
import type { AlarmKpis, Rate } from '../../shared/model/alarms/kpi.ts'
import { type AlarmShown, alarmShown } from '../../shared/model/alarms/shown.ts'
import { entriesOf } from '../../shared/model/alarms/state.ts'
import type { Micros } from '../../shared/units.ts'
import type { RigState } from '../core/state.ts'

/** Newest changes that are shown of a rig. */
const CHANGES_SHOWN = 100

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
    alarms: entriesOf(state).map((entry) => alarmShown(state, settings.safety!.alarms.definitions, entry)),
    flood: state.flood === null ? null : { since_us: state.flood.sinceUs, folded: state.flood.foldedTotal },
    kpis: kpisShown(alarmKpis(state, Math.max(nowUs, state.nowUs))),
    changes: state.history.slice(-CHANGES_SHOWN).map(changeShown),
  }
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
