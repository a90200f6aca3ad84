/** What may be done to a rig, gentlest first; names and tiers are the predecessor's (1.11). */
export const ACTIONS = ['notify', 'degrade', 'failover', 'rate_limit', 'isolate', 'abort', 'shutdown'] as const
export type Action = (typeof ACTIONS)[number]

/** Actions that stop what is under test (decisions 12). */
export const HARD_ACTIONS: readonly Action[] = ['isolate', 'abort', 'shutdown']

/** Which of two actions goes first unless a policy says otherwise, highest first (SE-20). */
export const ACTION_PRIORITY: readonly Action[] = [
  'shutdown',
  'abort',
  'isolate',
  'failover',
  'degrade',
  'rate_limit',
  'notify',
]

/** How bad it is when an action comes unasked, or does not come (SE-01). */
export const SEVERITIES = ['none', 'marginal', 'critical', 'catastrophic'] as const
export type Severity = (typeof SEVERITIES)[number]

/** What a condition is at one moment. Only the first two are known (SE-05). */
export const CONDITION_VALUES = ['TRUE', 'FALSE', 'STALE', 'INVALID', 'INSUFFICIENT'] as const
export type ConditionValue = (typeof CONDITION_VALUES)[number]

/** States of an action on its way (safety-engine.md 6.3), in the order they come. Stages may be left out, never gone back. */
export const ACTION_STAGES = [
  'PROPOSED',
  'GATE_HELD',
  'GATE_PASSED',
  'PENDING_APPROVAL',
  'RELEASED',
  'SENT',
  'ACCEPTED',
  'STARTED',
  'COMPLETED',
] as const
/** States in which it ends. Nothing follows them; what comes late is noted beside them. */
export const ACTION_ENDS = [
  'GATE_DENIED',
  'WOULD_HAVE_DONE',
  'VERIFIED',
  'VERIFY_FAILED',
  'REJECTED',
  'FAILED',
  'TIMED_OUT',
  'CANCELLED',
  'REVOKED',
  'EXPIRED',
  'SUPERSEDED',
] as const
/** After a crash nobody knows whether it was done: the peer and the verify channel are asked, then it goes on or ends. */
export const UNKNOWN_OUTCOME = 'UNKNOWN_OUTCOME'
export type ActionStage = (typeof ACTION_STAGES)[number]
export type ActionEnd = (typeof ACTION_ENDS)[number]
export type ActionState = ActionStage | ActionEnd | typeof UNKNOWN_OUTCOME

/** Whether a policy item may act (SE-21). `PERM_OFF` is left by a new signed policy alone. */
export const ARM_STATES = ['OFF', 'PASSIVE', 'ARMED', 'PERM_OFF'] as const
export type ArmState = (typeof ARM_STATES)[number]

/** Whether an action has ended: nothing follows, and what comes late is noted beside it. */
export function hasEnded(state: ActionState): state is ActionEnd {
  return (ACTION_ENDS as readonly ActionState[]).includes(state)
}
