import type { Action, ActionState, ArmState, ConditionValue } from '../../../shared/model/action.ts'
import type { ActionAck, ActionParams, ActionStep, PolicyOrder } from '../../../shared/model/action-input.ts'
import type { Micros } from '../../../shared/units.ts'

/** What the safety kernel is told: what the shell did and saw, what peers acknowledged, what people ordered. */
export type SafetyInput = ActionStep | ActionAck | PolicyOrder

/** An action is in another state, or something was noted beside the one it is in (then `from` equals `state`). */
export type ActionChange = Readonly<{
  kind: 'action'
  /** Idempotency key (SE-14). */
  key: string
  rig: string
  rule: string
  episode: number
  action: Action
  target: string
  params: ActionParams
  state: ActionState
  /** Machine-readable grounds (SE-07). */
  reasons: readonly string[]
  /** Event time of the slide that it is about, time of the agent at which it was said, and until when it is of use. */
  endUs: Micros
  nowUs: Micros
  deadlineUs: Micros
  /** Counts from 1. */
  attempt: number
  /** State before; null for a new action. */
  from: ActionState | null
  note: string
  conditions: readonly Readonly<{ id: string; value: ConditionValue }>[]
}>

export type AlarmSeverity = 'WARNING' | 'CRITICAL'

export type SafetyChange =
  | ActionChange
  | Readonly<{ kind: 'arm'; state: ArmState; reason: string; untilUs: Micros; by: readonly string[] }>
  | Readonly<{ kind: 'alarm'; id: string; severity: AlarmSeverity; active: boolean; text: string }>
  /** An input was not followed, and nothing else came of it. `subject` is the key, the rule or the item it named. */
  | Readonly<{ kind: 'refused'; input: SafetyInput['kind']; subject: string; reasons: readonly string[] }>
  /** A rule may fire again, or never again under this policy. */
  | Readonly<{ kind: 'rule'; rule: string; is: 'rearmed' | 'perm_off'; by: readonly string[]; reason: string }>
  /** A bypass begins or ends (SE-27). `subject` is `rule:ID` or `action:NAME`; `count` counts the bypasses of this rig. */
  | Readonly<{
      kind: 'inhibit'
      subject: string
      active: boolean
      untilUs: Micros
      by: readonly string[]
      reason: string
      count: number
    }>
  /** A break-glass begins or ends (SE-26); `why` is in one word why it ended, '' when it begins. `count` counts those of this rig. */
  | Readonly<{
      kind: 'break_glass'
      active: boolean
      untilUs: Micros
      by: readonly string[]
      reason: string
      why: string
      count: number
    }>
