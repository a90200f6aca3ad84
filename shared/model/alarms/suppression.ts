import { type AlarmDefinition, type AlarmSeverity, severityRank } from '../alarm.ts'
import type { Mode } from '../verdict.ts'
import { announceAgain, note, type Step } from './announce.ts'
import { type AlarmEntry, type AlarmState, isMasked, stateOf } from './state.ts'

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
 * What a first-out group makes of an alarm that is raised or rises (AL-7): the first one leads and is announced; another one
 * is suppressed unless it is worse. A leader that is itself hidden leads nobody: else nothing of the group would be seen.
 */
export function suppressInGroup(
  { state }: Step,
  { group: name }: AlarmDefinition,
  entry: AlarmEntry,
  level: AlarmSeverity,
): void {
  const group = state.groups.find(({ group }) => group === name)
  if (group === undefined || entry.suppressedBy?.startsWith(MODE) === true) return
  const leader = leaderOf(state, group.leader)
  if (leader === entry) return
  const isWorse = leader === null || severityRank(level) > severityRank(leader.severity)
  entry.suppressedBy = isWorse ? null : `${FIRST_OUT}${leader.id}`
  if (leader === null && !isMasked(entry)) group.leader = entry.id
}

/** Brings back what a leader no longer suppresses; the first of them that is active leads from then on. */
export function releaseGroups(step: Step): void {
  const { state, definitions } = step
  state.defined.forEach((entry, k) => {
    if (entry.suppressedBy?.startsWith(FIRST_OUT) !== true) return
    const leader = leaderOf(state, state.groups.find(({ group }) => group === definitions.alarms[k]!.group)?.leader)
    if (leader !== null && entry.suppressedBy === `${FIRST_OUT}${leader.id}`) return
    const from = stateOf(entry)
    entry.suppressedBy = null
    if (entry.level !== null) suppressInGroup(step, definitions.alarms[k]!, entry, entry.level)
    if (entry.suppressedBy !== null) return
    note(step, entry, 'unsuppressed', { from, text: 'the first of its group is over' })
    announceAgain(step, entry)
  })
}

function leaderOf({ defined }: AlarmState, id: string | null | undefined): AlarmEntry | null {
  const leader = defined.find((entry) => entry.id === id)
  return leader !== undefined && leader.level !== null && !isMasked(leader) ? leader : null
}
