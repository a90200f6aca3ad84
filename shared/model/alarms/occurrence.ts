import { type AlarmSeverity, EPISODES_MAX, severityRank, worseOf } from '../alarm.ts'
import type { Mode } from '../verdict.ts'
import { announce, note, type Step } from './announce.ts'
import { CHATTER_RAISES } from './kpi.ts'
import { endShelf } from './shelf.ts'
import { type AlarmEntry, bareStateOf, isCovered, stateOf } from './state.ts'

/** What the condition of an alarm came to in this call. `level` null: it is not active. */
export type Outcome = Readonly<{
  level: AlarmSeverity | null
  text: string
  latching: boolean
  context: Readonly<{ mode: Mode; limit: string }> | null
  /** Suppresses it by design, or no longer; asked before anybody is told. */
  suppress(entry: AlarmEntry, level: AlarmSeverity): void
}>

/** Brings an alarm to what its condition came to: raised, risen, fallen or returned (AL-4). */
export function settle(step: Step, entry: AlarmEntry, outcome: Outcome): void {
  const { level } = outcome
  if (level === null) {
    if (entry.level !== null) returnToNormal(step, entry)
    return
  }
  if (entry.level === null) raise(step, entry, { ...outcome, level })
  else if (severityRank(level) > severityRank(entry.severity)) rise(step, entry, { ...outcome, level })
  else if (level !== entry.level) fall(step, entry, level)
}

type Active = Outcome & Readonly<{ level: AlarmSeverity }>

function raise(step: Step, entry: AlarmEntry, { level, text, latching, context, suppress }: Active): void {
  breakShelf(step, entry, level)
  const from = stateOf(entry)
  const isNew = bareStateOf(entry) === 'NORMAL'
  entry.level = level
  // Whoever has not acknowledged the worse one before must not find a lesser one in its place.
  entry.severity = worseOf(level, entry.acked ? null : entry.severity)
  entry.text = text
  entry.context = context
  entry.latched ||= latching
  entry.confirmed = !entry.latched
  entry.raisedUs = step.state.nowUs
  entry.recentUs.push(step.state.nowUs)
  if (entry.recentUs.length > CHATTER_RAISES) entry.recentUs.shift()
  suppress(entry, level)
  announce(step, entry, isNew ? 'raised' : 're_alarmed', from)
}

function rise(step: Step, entry: AlarmEntry, { level, text, context, suppress }: Active): void {
  breakShelf(step, entry, level)
  const from = stateOf(entry)
  entry.level = level
  entry.severity = level
  entry.text = text
  entry.context = context
  suppress(entry, level)
  announce(step, entry, 'severity_rise', from)
}

/** What is not acknowledged keeps the severity it had: an acknowledgement names it. */
function fall(step: Step, entry: AlarmEntry, level: AlarmSeverity): void {
  const from = stateOf(entry)
  entry.level = level
  if (!entry.acked) return
  entry.severity = level
  note(step, entry, 'severity_fall', { from })
}

function returnToNormal(step: Step, entry: AlarmEntry): void {
  const from = stateOf(entry)
  const { severity } = entry
  entry.level = null
  // Nobody was told of it by itself: what covered it was told, and is acknowledged, in its place.
  if (isCovered(entry) && entry.count === 1) {
    entry.acked = true
    entry.count = 0
  }
  if (bareStateOf(entry) === 'NORMAL') entry.severity = null
  note(step, entry, 'returned', { from, severity })
  if (entry.shelf?.oneShot === true) endShelf(step, entry, 'one_shot')
}

/** A shelf hides what was seen when it was asked for, and nothing worse (AL-6). */
function breakShelf(step: Step, entry: AlarmEntry, level: AlarmSeverity): void {
  if (entry.shelf !== null && severityRank(level) > severityRank(entry.shelf.severity))
    endShelf(step, entry, 'severity_rise')
}

/** Keeps track of how near an alarm came (G2). `isNear`: some level needs no more than further slides or time. */
export function followPending(step: Step, entry: AlarmEntry, isNear: boolean): void {
  const { endUs } = step.state
  const from = stateOf(entry)
  const isActive = entry.level !== null
  if (entry.pending === null) {
    if (!isNear || isActive) return
    entry.pending = { fromUs: endUs, toUs: endUs, worst: entry.worst, raised: false }
    note(step, entry, 'pending', { from, text: 'near its limit' })
    return
  }
  entry.pending.worst = entry.worst
  if (isNear || isActive) entry.pending.toUs = endUs
  if (isNear && !isActive) return
  entry.pending.raised = isActive
  entry.episodes.push(entry.pending)
  if (entry.episodes.length > EPISODES_MAX) entry.episodes.shift()
  entry.pending = null
  if (!isActive) note(step, entry, 'pending_over', { from, text: 'passed without an alarm' })
}
