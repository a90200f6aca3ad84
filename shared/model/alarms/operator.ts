import { unreachable } from '../../lib/assert.ts'
import {
  ALARM_TEXT_MAX,
  type AlarmChange,
  type AlarmDefinitions,
  type AlarmInput,
  type AlarmRefusal,
  type AlarmSeverity,
  SHELVE_MAX_US,
} from '../alarm.ts'
import { announceAgain, note, passTime, remember, type Step, sumUpFlood } from './announce.ts'
import { endShelf, endShelves } from './shelf.ts'
import { type AlarmEntry, type AlarmState, bareStateOf, definitionOf, entriesOf, stateOf } from './state.ts'
import { releaseGroups } from './suppression.ts'

/**
 * Does what an operator asks for, or refuses it: the change of kind `refused` then says why and nothing has changed.
 *
 * What is asked for names the occurrence and the severity that the operator saw, and is refused if either has moved on (AL-5):
 * nobody acknowledges or hides what they have not seen.
 */
export function alarmsInput(state: AlarmState, definitions: AlarmDefinitions, input: AlarmInput): AlarmChange[] {
  const step: Step = { state, definitions, changes: [] }
  passTime(step, input.nowUs)
  endShelves(step, false)
  const entry = entriesOf(state).find(({ id }) => id === input.id)
  if (entry === undefined) refuseUnknown(step, input)
  else {
    const refused = refusalOf(step, entry, input)
    if (refused === null) carryOut(step, entry, input)
    else note(step, entry, 'refused', { from: stateOf(entry), text: `${input.kind} by ${input.by}`, refused })
  }
  releaseGroups(step)
  sumUpFlood(step)
  remember(step)
  return step.changes
}

function refuseUnknown({ state: { nowUs, endUs }, changes }: Step, { id, kind, by }: AlarmInput): void {
  const bare = { occurrence: 0, severity: null, from: 'NORMAL', to: 'NORMAL', announce: false } as const
  const text = `${kind} by ${by}`
  changes.push({ ...bare, kind: 'refused', id, nowUs, endUs, text, refused: 'unknown_alarm' })
}

function refusalOf(step: Step, entry: AlarmEntry, input: AlarmInput): AlarmRefusal | null {
  switch (input.kind) {
    case 'ack':
      return movedOn(entry, input) ?? (entry.acked ? 'nothing_to_ack' : null)
    case 'confirm':
      return confirmRefusal(entry, input.occurrence)
    case 'shelve':
      return movedOn(entry, input) ?? shelveRefusal(step, entry, input)
    case 'unshelve':
      return entry.shelf === null ? 'not_shelved' : null
    case 'out_of_service':
      return reasonRefusal(input.reason) ?? (entry.outOfService === null ? null : 'already_out_of_service')
    case 'in_service':
      return entry.outOfService === null ? 'already_in_service' : null
    default:
      return unreachable(input)
  }
}

type Seen = Readonly<{ occurrence: number; severity: string | null }>

function movedOn(entry: AlarmEntry, { occurrence, severity }: Seen): AlarmRefusal | null {
  if (occurrence !== entry.occurrence) return 'occurrence_moved_on'
  return severity === entry.severity ? null : 'severity_moved_on'
}

function confirmRefusal(entry: AlarmEntry, occurrence: number): AlarmRefusal | null {
  if (occurrence !== entry.occurrence) return 'occurrence_moved_on'
  if (entry.confirmed) return 'nothing_to_confirm'
  if (entry.level !== null) return 'still_active'
  return entry.acked ? null : 'not_acked'
}

type Shelve = Extract<AlarmInput, { kind: 'shelve' }>

function shelveRefusal({ state, definitions }: Step, entry: AlarmEntry, input: Shelve): AlarmRefusal | null {
  const mostUs = definitionOf(state, definitions, entry)?.maxShelveUs ?? SHELVE_MAX_US
  const reason = reasonRefusal(input.reason)
  if (reason !== null) return reason
  if (entry.shelf !== null) return 'already_shelved'
  return input.forUs > 0 && input.forUs <= mostUs ? null : 'shelf_too_long'
}

function reasonRefusal(reason: string): AlarmRefusal | null {
  if (reason.trim() === '') return 'reason_missing'
  return reason.length <= ALARM_TEXT_MAX ? null : 'reason_too_long'
}

function carryOut(step: Step, entry: AlarmEntry, input: AlarmInput): void {
  const from = stateOf(entry)
  const by = `by ${input.by}`
  switch (input.kind) {
    case 'ack': {
      const { severity } = entry
      acknowledge(entry)
      note(step, entry, 'acked', { from, text: by, severity })
      return
    }
    case 'confirm': {
      const { severity } = entry
      entry.confirmed = true
      entry.latched = false
      entry.severity = null
      note(step, entry, 'confirmed', { from, text: by, severity })
      return
    }
    case 'shelve':
      shelve(step, entry, input)
      return
    case 'unshelve':
      // Whoever takes it from the shelf has seen it, if what they name is what it is.
      if (movedOn(entry, input) === null) acknowledge(entry)
      endShelf(step, entry, 'operator', by)
      if (!entry.acked) announceAgain(step, entry)
      return
    case 'out_of_service':
      entry.outOfService = input.reason
      note(step, entry, 'out_of_service', { from, text: `${by}: ${input.reason}` })
      return
    case 'in_service':
      entry.outOfService = null
      note(step, entry, 'in_service', { from, text: by })
      announceAgain(step, entry)
      return
    default:
      unreachable(input)
  }
}

function acknowledge(entry: AlarmEntry): void {
  entry.acked = true
  entry.count = 0
  if (entry.level !== null) entry.severity = entry.level
  else if (bareStateOf(entry) === 'NORMAL') entry.severity = null
}

function shelve(step: Step, entry: AlarmEntry, { by, reason, forUs, oneShot }: Shelve): void {
  const { state } = step
  const from = stateOf(entry)
  // In NORMAL nothing was seen yet, so it covers the least that may come.
  const severity = entry.severity ?? leastOf(step, entry)
  entry.shelf = { by, reason, untilUs: state.nowUs + forUs, oneShot, severity }
  note(step, entry, 'shelved', {
    from,
    text: `by ${by} for ${forUs / 1_000_000} s: ${reason}`,
    severity: entry.severity,
  })
}

function leastOf({ state, definitions }: Step, entry: AlarmEntry): AlarmSeverity {
  const definition = definitionOf(state, definitions, entry)
  if (entry.source === 'unknown') return 'UNKNOWN'
  return definition?.levels[0]?.severity ?? 'WARNING'
}
