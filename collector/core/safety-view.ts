import { ACTION_ENDS, ACTION_STAGES, type ActionState, hasEnded, UNKNOWN_OUTCOME } from '../../shared/model/action.ts'
import type { Canonical } from '../../shared/model/decision.ts'

/** What an agent's safety kernel said, as far as it is searched for. */
export type SafetyFacts = Readonly<{
  /** What it is about, of those of which only the newest counts: `action:KEY`, `arm`, `break_glass`, `inhibit:SUBJECT`, `alarm:ID`; else null. */
  about: string | null
  /** Where that is now: a state of an action or an arming, the severity of an alarm, `INHIBITED`, or `OVER` for what ended. */
  state: string
  /** Something is under way, armed, inhibited or in alarm. */
  stands: boolean
}>

type Fields = Readonly<Record<string, Canonical>>

const ACTION_STATES: readonly unknown[] = [...ACTION_STAGES, ...ACTION_ENDS, UNKNOWN_OUTCOME]
const KEY = /^[0-9a-f]{64}$/
/** Kinds of which every one stands for itself. */
const SINGLE: readonly unknown[] = ['rule', 'refused']

/** Whether a core is that of something the safety kernel said. */
export function isSafetyCore({ v, kind }: Fields): boolean {
  return v === 5 && kind !== undefined
}

/** Reads a core of version 5; null when it is of no shape this program knows. */
export function safetyFacts(core: Fields): SafetyFacts | null {
  const { kind } = core
  if (kind === 'action') return actionFacts(core)
  if (kind === 'arm') return armFacts(core)
  if (kind === 'alarm') return alarmFacts(core)
  if (kind === 'inhibit') return inhibitFacts(core)
  if (kind === 'break_glass') return glassFacts(core)
  return SINGLE.includes(kind) ? { about: null, state: '', stands: false } : null
}

function actionFacts({ key, state, action, target }: Fields): SafetyFacts | null {
  const isKnown = typeof key === 'string' && KEY.test(key) && ACTION_STATES.includes(state)
  if (!isKnown || typeof action !== 'string' || typeof target !== 'string') return null
  const at = state as ActionState
  return { about: `action:${key}`, state: at, stands: !hasEnded(at) }
}

function armFacts({ state, until_us: untilUs }: Fields): SafetyFacts | null {
  if ((state !== 'ARMED' && state !== 'PASSIVE' && state !== 'OFF') || typeof untilUs !== 'number') return null
  return { about: 'arm', state, stands: state === 'ARMED' }
}

function alarmFacts({ id, severity, active }: Fields): SafetyFacts | null {
  const isKnown = (severity === 'WARNING' || severity === 'CRITICAL') && typeof active === 'boolean'
  if (typeof id !== 'string' || !isKnown) return null
  return { about: `alarm:${id}`, state: active ? severity : 'OVER', stands: active }
}

function inhibitFacts({ subject, active, until_us: untilUs }: Fields): SafetyFacts | null {
  if (typeof subject !== 'string' || typeof active !== 'boolean' || typeof untilUs !== 'number') return null
  return { about: `inhibit:${subject}`, state: active ? 'INHIBITED' : 'OVER', stands: active }
}

function glassFacts({ active, until_us: untilUs, why }: Fields): SafetyFacts | null {
  if (typeof active !== 'boolean' || typeof untilUs !== 'number' || typeof why !== 'string') return null
  return { about: 'break_glass', state: active ? 'BREAK_GLASS' : 'OVER', stands: active }
}
