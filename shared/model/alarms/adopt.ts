import type { Micros } from '../../units.ts'
import type { AlarmChange, AlarmDefinition, AlarmDefinitions } from '../alarm.ts'
import { note, passTime, remember, type Step, sumUpFlood } from './announce.ts'
import { createRun } from './run.ts'
import { type AlarmEntry, type AlarmState, createAlarms, isMasked, stateOf } from './state.ts'
import { releaseGroups, suppressByMode } from './suppression.ts'

/**
 * Puts other definitions in force. An alarm keeps what is known of it under its id, its runs too where its levels are the same
 * ones (SE-39). One that is no longer defined is withdrawn, which is announced when anything is left to be done about it.
 *
 * @param before the definitions that `state` was made for.
 */
export function adoptAlarms(
  state: AlarmState,
  before: AlarmDefinitions,
  definitions: AlarmDefinitions,
  nowUs: Micros,
): AlarmChange[] {
  const step: Step = { state, definitions, changes: [] }
  passTime(step, nowUs)
  const fresh = createAlarms(definitions)
  for (const entry of [...state.defined, ...state.unknown]) {
    const isKept = [...fresh.defined, ...fresh.unknown].some(({ id }) => id === entry.id)
    if (isKept) continue
    withdraw(step, entry)
    state.forgotten = Math.max(state.forgotten, entry.occurrence)
  }
  const keep = (one: AlarmEntry, k: number, row: readonly AlarmEntry[]): AlarmEntry => {
    const known = row.find(({ id }) => id === one.id)
    if (known === undefined) return { ...one, occurrence: state.forgotten }
    const old = before.alarms[row.indexOf(known)]!
    if (known.source === 'defined' && !hasSameLevels(old, definitions.alarms[k]!))
      renewRuns(known, old, definitions.alarms[k]!)
    return known
  }
  const { defined, unknown } = state
  state.defined = fresh.defined.map((one, k) => keep(one, k, defined))
  state.unknown = fresh.unknown.map((one, k) => keep(one, k, unknown))
  state.groups = fresh.groups.map(({ group }) => {
    const leader = state.groups.find((one) => one.group === group)?.leader ?? null
    return { group, leader: state.defined.some(({ id }) => id === leader) ? leader : null }
  })
  if (state.mode !== null) suppressByMode(step, state.mode)
  releaseGroups(step)
  sumUpFlood(step)
  remember(step)
  return step.changes
}

/** Runs of changed levels begin anew; an alarm that is active stays so until it is known to be good. */
function renewRuns(entry: AlarmEntry, before: AlarmDefinition, now: AlarmDefinition): void {
  const wasActive = now.levels.map(({ severity }) =>
    before.levels.some((level, k) => level.severity === severity && entry.runs[k]!.active),
  )
  // The level that was active may be gone: another one says when the alarm is over.
  if (entry.level !== null && !wasActive.includes(true)) wasActive[wasActive.length - 1] = true
  entry.runs = wasActive.map((active) => ({ ...createRun(), active }))
}

function hasSameLevels(a: AlarmDefinition, b: AlarmDefinition): boolean {
  return JSON.stringify(a.levels) === JSON.stringify(b.levels)
}

function withdraw(step: Step, entry: AlarmEntry): void {
  const from = stateOf(entry)
  if (from === 'NORMAL') return
  const announce = entry.severity !== null || isMasked(entry)
  note(step, entry, 'withdrawn', { from, announce, text: 'no longer defined' })
}
