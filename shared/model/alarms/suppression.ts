import { type AlarmDefinition, type AlarmSeverity, severityRank } from '../alarm.ts'
import type { Mode } from '../verdict.ts'
import { announceAgain, note, type Step } from './announce.ts'
import { type AlarmEntry, type AlarmState, isCovered, isMasked, stateOf, UNDER } from './state.ts'

const FIRST_OUT = 'first_out:'
const MODE = 'mode:'

/** Suppresses alarms that are not meant for a mode, and their companions; in a mode they are meant for they are back (AL-7). */
export function suppressByMode(step: Step, mode: Mode): void {
  step.definitions.alarms.forEach(({ modes }, k) => {
    const isMeant = modes === null || modes.includes(mode)
    for (const entry of [step.state.defined[k]!, step.state.unknown[k]!]) {
      const from = stateOf(entry)
      const isByMode = entry.suppressedBy?.startsWith(MODE) === true
      if (isMeant && isByMode) {
        entry.suppressedBy = null
        note(step, entry, 'unsuppressed', { from, text: `${MODE}${mode}` })
        announceAgain(step, entry)
      } else if (!isMeant && entry.suppressedBy !== `${MODE}${mode}`) {
        entry.suppressedBy = `${MODE}${mode}`
        if (!isByMode) note(step, entry, 'suppressed', { from, text: entry.suppressedBy })
      }
    }
  })
}

/**
 * What a cover and a first-out group make of an alarm that is raised or rises (AL-7). Under a cover that is active it is suppressed
 * unless it is worse. In a group the first one leads and is announced; another one is suppressed unless it is worse. A cover or
 * a leader that is itself hidden hides nobody: else nothing of it would be seen.
 */
export function suppressByDesign(
  { state }: Step,
  { under, group: name }: AlarmDefinition,
  entry: AlarmEntry,
  level: AlarmSeverity,
): void {
  if (entry.suppressedBy?.startsWith(MODE) === true) return
  const cover = leaderOf(state, under)
  if (cover !== null && !isWorse(level, cover)) {
    entry.suppressedBy = `${UNDER}${cover.id}`
    return
  }
  const group = state.groups.find(({ group }) => group === name)
  if (group === undefined) {
    entry.suppressedBy = null
    return
  }
  const leader = leaderOf(state, group.leader)
  if (leader === entry) return
  const leads = leader === null || isWorse(level, leader)
  entry.suppressedBy = leads ? null : `${FIRST_OUT}${leader.id}`
  if (leader === null && !isMasked(entry)) group.leader = entry.id
}

function isWorse(level: AlarmSeverity, { severity }: AlarmEntry): boolean {
  return severityRank(level) > severityRank(severity)
}

/** Brings back what a cover or a leader no longer suppresses; the first of a group that is active leads from then on. */
export function releaseGroups(step: Step): void {
  const { state, definitions } = step
  state.defined.forEach((entry, k) => {
    const { suppressedBy } = entry
    if (suppressedBy === null || suppressedBy.startsWith(MODE)) return
    const { under, group: name } = definitions.alarms[k]!
    const cover = leaderOf(state, under)
    if (cover !== null && suppressedBy === `${UNDER}${cover.id}`) return
    const leader = leaderOf(state, state.groups.find(({ group }) => group === name)?.leader)
    if (leader !== null && suppressedBy === `${FIRST_OUT}${leader.id}`) return
    const from = stateOf(entry)
    const wasCovered = isCovered(entry)
    entry.suppressedBy = null
    if (entry.level !== null) suppressByDesign(step, definitions.alarms[k]!, entry, entry.level)
    if (entry.suppressedBy !== null) return
    const text = wasCovered ? 'what covered it is over' : 'the first of its group is over'
    note(step, entry, 'unsuppressed', { from, text })
    announceAgain(step, entry)
  })
}

function leaderOf({ defined }: AlarmState, id: string | null | undefined): AlarmEntry | null {
  if (id === null || id === undefined) return null
  const leader = defined.find((entry) => entry.id === id)
  return leader !== undefined && leader.level !== null && !isMasked(leader) ? leader : null
}
