import type { Canonical, DecisionValues } from '../../shared/model/decision.ts'
import type { Mode } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import type { RigChange } from './rig-change.ts'
import type { SafetyChange } from './safety/changes.ts'
import { EVALUATOR_VERSION } from './settings.ts'

/** What the safety kernel said about a rig, and when and in which mode. */
export type SafetyPlace = Readonly<{ seq: number; rig: string; nowUs: Micros; mode: Mode; config: Uint8Array }>

/** Inputs that come from people: that one of them was not followed is evidence. */
const ORDERS: readonly string[] = [
  ...['cancel', 'approve', 'rearm', 'arm', 'disarm', 'perm_off', 'inhibit', 'manual', 'dry_run', 'action_ack'],
  ...['uninhibit', 'off', 'passive'],
  'break_glass',
]

/**
 * Whether a change is evidence. What a peer or the shell repeats and the kernel does not follow is journaled and logged
 * alone: a peer that talks without end must not fill the sequence of decisions.
 */
export function isEvidence(change: RigChange): change is SafetyChange {
  // What an alarm is for people follows from the kernel's words and the decisions, and is replayed with them.
  if (change.kind === 'alarm_state') return false
  return change.kind !== 'refused' || ORDERS.includes(change.input)
}

/**
 * The six class values of what the safety kernel said: core of version 5, nothing measured, nothing that identifies, the
 * parameters of an action, persons (names of keys, in their order), and free text.
 */
export function safetyValues({ seq, rig, nowUs, mode, config }: SafetyPlace, change: SafetyChange): DecisionValues {
  const { core, params, persons, text } = classesOf(change)
  const place = { v: 5, kind: change.kind, seq, rig, t_us: nowUs, mode, code: EVALUATOR_VERSION, config }
  return [{ ...place, ...core }, null, null, params, persons.length === 0 ? null : persons, text === '' ? null : text]
}

type Classes = Readonly<{
  core: Readonly<Record<string, Canonical>>
  params: Canonical
  persons: readonly string[]
  text: string
}>

function classesOf(change: SafetyChange): Classes {
  switch (change.kind) {
    case 'action': {
      const { key, rule, episode, action, target, state, from, attempt, endUs, deadlineUs } = change
      const { grounds, persons } = parted(change.reasons)
      const conditions = change.conditions.map(({ id, value }) => [id, value])
      const times = { end_us: endUs, deadline_us: deadlineUs }
      const core = { key, rule, episode, action, target, state, from, attempt, ...times, reasons: grounds, conditions }
      return {
        core,
        params: Object.keys(change.params).length === 0 ? null : change.params,
        persons,
        text: change.note,
      }
    }
    case 'arm': {
      const { state, untilUs, by, reason } = change
      return { core: { state, until_us: untilUs }, params: null, persons: by, text: reason }
    }
    case 'alarm': {
      const { id, severity, active, text } = change
      return { core: { id, severity, active }, params: null, persons: [], text }
    }
    case 'inhibit': {
      const { subject, active, untilUs, by, reason, count } = change
      return { core: { subject, active, until_us: untilUs, count }, params: null, persons: by, text: reason }
    }
    case 'break_glass': {
      const { active, untilUs, by, reason, why, count } = change
      return { core: { active, until_us: untilUs, why, count }, params: null, persons: by, text: reason }
    }
    case 'rule': {
      const { rule, is, by, reason } = change
      return { core: { rule, is }, params: null, persons: by, text: reason }
    }
    case 'refused': {
      const { input, subject } = change
      const { grounds, persons } = parted(change.reasons)
      return { core: { input, subject, reasons: grounds }, params: null, persons, text: '' }
    }
  }
}

const NAMED = 'BY:'

/** Names of people are not in the core, which everybody sees: a ground that names them is `BY` there. */
function parted(reasons: readonly string[]): Readonly<{ grounds: string[]; persons: string[] }> {
  const named = reasons.filter((reason) => reason.startsWith(NAMED))
  return {
    grounds: reasons.map((reason) => (reason.startsWith(NAMED) ? 'BY' : reason)),
    persons: named.flatMap((reason) => reason.slice(NAMED.length).split(',')),
  }
}
