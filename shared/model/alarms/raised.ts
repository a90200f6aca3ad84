import { ALARM_TEXT_MAX, RAISED_MAX, severityOf } from '../alarm.ts'
import { announceAgain, type Step } from './announce.ts'
import { type Outcome, settle } from './occurrence.ts'
import { type AlarmEntry, type AlarmState, createEntry, isMasked, stateOf } from './state.ts'

/**
 * A word of the agent itself on one of its alarms: it is active, or no longer. Without a word nothing changes; that one is active
 * which was so already, and no worse, says that what it tells of happened once more.
 */
export type RaisedAlarm = Readonly<{ id: string; severity: string; active: boolean; text: string }>

const PREFIX = 'safety:'
/** Has a place of its own beside the {@link RAISED_MAX} others. */
const FULL = `${PREFIX}alarms-full`

/** Takes in what the agent says of its own alarms. One that finds no room is told by `safety:alarms-full`, CRITICAL, each time. */
export function takeRaised(step: Step, raised: readonly RaisedAlarm[]): void {
  for (const { id, severity, active, text } of raised) {
    const known = entryOf(step.state, `${PREFIX}${id}`)
    if (known === undefined && !active) continue
    const entry = known ?? addEntry(step.state, `${PREFIX}${id}`)
    if (entry === undefined) overflow(step, `no room for ${id} (${severity}): ${text}`)
    else take(step, entry, outcomeOf(active ? severity : null, text))
  }
  const full = entryOf(step.state, FULL)
  if (full !== undefined && hasRoom(step.state)) settle(step, full, outcomeOf(null, ''))
}

/** Brings an alarm to what was said of it; what happened once more is told once more (AL-4). */
function take(step: Step, entry: AlarmEntry, outcome: Outcome): void {
  const before = entry.level
  settle(step, entry, outcome)
  if (before === null || outcome.level !== before) return
  entry.text = outcome.text
  announceAgain(step, entry)
}

function outcomeOf(severity: string | null, text: string): Outcome {
  const level = severity === null ? null : severityOf(severity)
  const suppress = (): void => {}
  return { level, text: text.slice(0, ALARM_TEXT_MAX), latching: false, context: null, suppress }
}

function overflow(step: Step, text: string): void {
  const full = entryOf(step.state, FULL)
  const entry = full ?? createEntry(FULL, 'raised', 0)
  if (full === undefined) step.state.raised.push(entry)
  take(step, entry, outcomeOf('CRITICAL', text))
}

function entryOf({ raised }: AlarmState, id: string): AlarmEntry | undefined {
  return raised.find((entry) => entry.id === id)
}

function addEntry(state: AlarmState, id: string): AlarmEntry | undefined {
  const { raised } = state
  const others = raised.filter((one) => one.id !== FULL)
  if (others.length >= RAISED_MAX) {
    const free = others.find(isFree)
    if (free === undefined) return undefined
    raised.splice(raised.indexOf(free), 1)
    state.forgotten = Math.max(state.forgotten, free.occurrence)
  }
  const entry = { ...createEntry(id, 'raised', 0), occurrence: state.forgotten }
  raised.push(entry)
  return entry
}

function hasRoom({ raised }: AlarmState): boolean {
  const others = raised.filter((one) => one.id !== FULL)
  return others.length < RAISED_MAX || others.some(isFree)
}

/** Nothing would be lost with it. */
function isFree(entry: AlarmEntry): boolean {
  return stateOf(entry) === 'NORMAL' && !isMasked(entry)
}
