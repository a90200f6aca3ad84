import { invariant } from '../../../shared/lib/assert.ts'
import type { ActionState } from '../../../shared/model/action.ts'
import { hasEnded } from '../../../shared/model/action.ts'
import type { Hazard, RigPolicy, Rule, Target } from '../../../shared/model/actions-policy.ts'
import type { ActionChange, AlarmSeverity, SafetyChange, SafetyInput } from './changes.ts'
import type { Member } from './condition.ts'
import { type ActionEvent, nextState } from './lifecycle.ts'
import type { KeyOf, Seen } from './seen.ts'
import { DONE_MAX, type OpenAction, type RuleState, type SafetyState } from './state.ts'

/** One call of the kernel: what it works on and what it has to say so far. */
export type Run = Readonly<{
  state: SafetyState
  policy: RigPolicy
  seen: Seen
  keyOf: KeyOf
  out: SafetyChange[]
}>

export function hazardOf(policy: RigPolicy, action: string, target: string): Hazard | null {
  return policy.hazards.find((one) => one.action === action && one.target === target) ?? null
}

export function targetOf(policy: RigPolicy, name: string): Target | null {
  return policy.targets.find((one) => one.name === name) ?? null
}

export function ruleOf({ state, policy }: Run, id: string): Readonly<{ rule: Rule; memory: RuleState }> | null {
  const index = policy.rules.findIndex((one) => one.id === id)
  return index < 0 ? null : { rule: policy.rules[index]!, memory: state.rules[index]! }
}

export function findOpen({ state }: Run, key: string): OpenAction | null {
  return state.open.find((one) => one.key === key) ?? null
}

type Said = Readonly<{ reasons?: readonly string[]; note?: string; members?: readonly Member[] }>

/**
 * Moves an action and says so. An action that has ended leaves the open ones.
 *
 * @returns false when the table has no such change; nothing has happened then.
 */
export function move(run: Run, open: OpenAction, event: ActionEvent, said: Said = {}): boolean {
  const next = nextState(open.state, event)
  if (next === null) return false
  const from = open.state
  open.state = next
  say(run, open, from, said)
  if (hasEnded(next)) finish(run.state, open)
  return true
}

/** Says the state an action is in; with `from` the same, something is noted beside it. */
export function say(run: Run, open: OpenAction, from: ActionState | null, said: Said): void {
  run.out.push(changeOf(run, open, { state: open.state, from, ...said }))
}

type About = Pick<
  OpenAction,
  'key' | 'rule' | 'episode' | 'action' | 'target' | 'params' | 'attempt' | 'endUs' | 'deadlineUs'
>

export function changeOf(
  { policy, seen }: Run,
  about: About,
  { state, from, reasons = [], note = '', members = [] }: Said & { state: ActionState; from: ActionState | null },
): ActionChange {
  const { key, rule, episode, action, target, params, attempt, endUs, deadlineUs } = about
  const conditions = members.map(({ condition, value }) => ({ id: condition.id, value }))
  const named = { key, rig: policy.rig, rule, episode, action, target, params }
  const times = { endUs, nowUs: seen.nowUs, deadlineUs, attempt }
  return { kind: 'action', ...named, state, reasons, ...times, from, note, conditions }
}

function finish(state: SafetyState, open: OpenAction): void {
  const { key, rule, episode, action, target, params, attempt, endUs, deadlineUs } = open
  const index = state.open.indexOf(open)
  invariant(index >= 0, `the action ${key} ended twice`)
  state.open.splice(index, 1)
  const about = { key, rule, episode, action, target, params, attempt, endUs, deadlineUs }
  state.done.push({ ...about, state: open.state, lates: 0 })
  if (state.done.length > DONE_MAX) state.done.shift()
}

/** Raises an alarm for how things are: one that does not stand yet, or stands with less severity. */
export function raise(
  { state, out }: Pick<Run, 'state' | 'out'>,
  id: string,
  severity: AlarmSeverity,
  text: string,
): void {
  const standing = state.alarms.find((one) => one.id === id)
  if (standing !== undefined && (standing.severity === severity || severity === 'WARNING')) return
  if (standing === undefined) state.alarms.push({ id, severity })
  else standing.severity = severity
  out.push({ kind: 'alarm', id, severity, active: true, text })
}

/**
 * Raises an alarm for something that happened, as often as it happens (AL-4): whoever acknowledged the time before is told of this
 * one too. One that stands stays as severe as it was at its worst.
 */
export function raiseAnew(run: Pick<Run, 'state' | 'out'>, id: string, severity: AlarmSeverity, text: string): void {
  const standing = run.state.alarms.find((one) => one.id === id)
  if (standing === undefined || (severity === 'CRITICAL' && standing.severity === 'WARNING'))
    raise(run, id, severity, text)
  else run.out.push({ kind: 'alarm', id, severity: standing.severity, active: true, text })
}

/** Ends an alarm that stands. */
export function lower({ state, out }: Pick<Run, 'state' | 'out'>, id: string, text: string): void {
  const index = state.alarms.findIndex((one) => one.id === id)
  if (index < 0) return
  const [{ severity }] = state.alarms.splice(index, 1) as [{ id: string; severity: AlarmSeverity }]
  out.push({ kind: 'alarm', id, severity, active: false, text })
}

/** Says that an input is not followed, and everything that stands against it. */
export function refuse({ out }: Run, input: SafetyInput['kind'], subject: string, reasons: readonly string[]): void {
  out.push({ kind: 'refused', input, subject, reasons })
}
