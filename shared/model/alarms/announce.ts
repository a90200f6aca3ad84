import type { Micros } from '../../units.ts'
import {
  type AlarmChange,
  type AlarmChangeKind,
  type AlarmDefinitions,
  type AlarmRefusal,
  type AlarmSeverity,
  type AlarmStateWord,
  HISTORY_MAX,
  severityRank,
} from '../alarm.ts'
import { countAnnounced, countFlood, TEN_MINUTES_US } from './kpi.ts'
import { type AlarmEntry, type AlarmState, isMasked, stateOf } from './state.ts'

/** More than so many announcements within ten minutes are a flood, until there are fewer than so many (ISA-18.2). */
export const FLOOD_ABOVE = 10
export const FLOOD_BELOW = 5
/** Announcements remembered for that; past it the oldest goes, which is a flood either way. */
const ANNOUNCED_MAX = 64
/** Time between two summaries of a flood. */
export const SUMMARY_US: Micros = 10_000_000

/** One call of the engine: what it works on and what came of it. */
export type Step = Readonly<{ state: AlarmState; definitions: AlarmDefinitions; changes: AlarmChange[] }>

/** What a change says beyond the alarm it concerns. */
export type Saying = Readonly<{
  from: AlarmStateWord
  text?: string
  announce?: boolean
  refused?: AlarmRefusal
  severity?: AlarmSeverity | null
}>

/** Notes a change of an alarm that is already made. */
export function note({ state, changes }: Step, entry: AlarmEntry, kind: AlarmChangeKind, saying: Saying): void {
  const { id, occurrence } = entry
  const { from, announce = false, text = entry.text, refused = null, severity = entry.severity } = saying
  const { nowUs, endUs } = state
  changes.push({ kind, id, occurrence, severity, from, to: stateOf(entry), announce, nowUs, endUs, text, refused })
}

/**
 * Makes an alarm a new one that nobody has acknowledged, and tells people unless something hides it. In a flood only the
 * individual line of a WARNING is left out, and counted in the summary; whatever is worse is always told (AL-10).
 */
export function announce(step: Step, entry: AlarmEntry, kind: AlarmChangeKind, from: AlarmStateWord): void {
  const { state } = step
  entry.occurrence += 1
  entry.count += 1
  entry.acked = false
  entry.announcedUs = state.nowUs
  const severity = entry.severity!
  if (isMasked(entry)) {
    note(step, entry, kind, { from })
    return
  }
  countAnnounced(state.kpis, severity, state.nowUs)
  state.announcedUs.push(state.nowUs)
  if (state.announcedUs.length > ANNOUNCED_MAX) state.announcedUs.shift()
  if (state.flood === null && state.announcedUs.length > FLOOD_ABOVE) beginFlood(step)
  const isFolded = state.flood !== null && severityRank(severity) <= severityRank('WARNING')
  if (isFolded) {
    state.flood!.folded += 1
    state.flood!.foldedTotal += 1
  }
  note(step, entry, kind, { from, announce: !isFolded })
}

/** Announces anew what is active, because of what hid it or because time has passed. */
export function announceAgain(step: Step, entry: AlarmEntry): void {
  if (entry.level !== null) announce(step, entry, 're_alarmed', stateOf(entry))
}

/** Lets time pass: what is older than ten minutes no longer counts, and a flood may be over. Before anything is announced. */
export function passTime({ state }: Step, nowUs: Micros): void {
  if (state.kpis.sinceUs < 0) state.kpis.sinceUs = nowUs
  const beforeUs = state.nowUs
  state.nowUs = Math.max(state.nowUs, nowUs)
  if (state.flood !== null) countFlood(state.kpis, beforeUs, state.nowUs)
  state.announcedUs = state.announcedUs.filter((us) => state.nowUs - us < TEN_MINUTES_US)
}

function beginFlood(step: Step): void {
  const { state } = step
  state.flood = { sinceUs: state.nowUs, summaryUs: state.nowUs, folded: 0, foldedTotal: 0 }
  noteFlood(step, 'flood_began', `more than ${FLOOD_ABOVE} alarms in 10 min: warnings are summed up, all else is told`)
}

/** Says what was folded, and ends a flood that is over. After everything else of a call. */
export function sumUpFlood(step: Step): void {
  const { state } = step
  const { flood } = state
  if (flood === null) return
  const isOver = state.announcedUs.length < FLOOD_BELOW
  if (flood.folded > 0 && (isOver || state.nowUs - flood.summaryUs >= SUMMARY_US)) {
    noteFlood(step, 'flood_summary', `${flood.folded} more warnings; see the list`)
    flood.folded = 0
    flood.summaryUs = state.nowUs
  }
  if (!isOver) return
  state.flood = null
  noteFlood(step, 'flood_ended', `${flood.foldedTotal} warnings were summed up`)
}

function noteFlood({ state: { nowUs, endUs }, changes }: Step, kind: AlarmChangeKind, text: string): void {
  const bare = { id: '', occurrence: 0, severity: null, from: 'NORMAL', to: 'NORMAL', refused: null } as const
  changes.push({ ...bare, kind, announce: true, nowUs, endUs, text })
}

/** Keeps the newest changes to be shown. */
export function remember({ state, changes }: Step): void {
  state.history.push(...changes)
  state.history.splice(0, Math.max(0, state.history.length - HISTORY_MAX))
}
