import type { ActionState } from '../../../shared/model/action.ts'

/** What may happen to an action. The first line comes from the gates, the second from the shell and from peers, the third from people and time. */
export const ACTION_EVENTS = [
  ...['hold', 'pass', 'deny', 'would', 'ask', 'release'],
  ...['sent', 'accepted', 'rejected', 'started', 'progress', 'completed', 'failed', 'timeout', 'unknown', 'resend'],
  ...['cancel', 'revoke', 'expire', 'supersede', 'verified', 'verify_failed'],
] as const
export type ActionEvent =
  | ('hold' | 'pass' | 'deny' | 'would' | 'ask' | 'release')
  | ('sent' | 'accepted' | 'rejected' | 'started' | 'progress' | 'completed' | 'failed')
  | ('timeout' | 'unknown' | 'resend')
  | ('cancel' | 'revoke' | 'expire' | 'supersede' | 'verified' | 'verify_failed')

type Row = Partial<Record<ActionEvent, ActionState>>

/** Until it is with the peer, anybody and anything may stop it. */
const BEFORE_SENT: Row = { cancel: 'CANCELLED', revoke: 'REVOKED', expire: 'EXPIRED', supersede: 'SUPERSEDED' }
/** A peer may leave stages out. */
const ACKS: Row = {
  accepted: 'ACCEPTED',
  rejected: 'REJECTED',
  started: 'STARTED',
  progress: 'STARTED',
  completed: 'COMPLETED',
  failed: 'FAILED',
}
/** It was accepted before: to reject it now is to fail. */
const LATER_ACKS: Row = { rejected: 'FAILED', progress: 'STARTED', completed: 'COMPLETED', failed: 'FAILED' }
const UNDER_WAY: Row = { timeout: 'TIMED_OUT', unknown: 'UNKNOWN_OUTCOME', supersede: 'SUPERSEDED' }
const ENDED: Row = {}

/**
 * Every permitted change (safety-engine.md 6.3); what is absent changes nothing. Stages may be left out, never gone back, and
 * nothing leaves an end (SE-16). After SENT nobody cancels: what is under way is countered by another action (SE-25).
 */
export const LIFECYCLE: Readonly<Record<ActionState, Row>> = {
  PROPOSED: { hold: 'GATE_HELD', pass: 'GATE_PASSED', deny: 'GATE_DENIED', would: 'WOULD_HAVE_DONE' },
  GATE_HELD: { pass: 'GATE_PASSED', ...BEFORE_SENT },
  GATE_PASSED: { ask: 'PENDING_APPROVAL', release: 'RELEASED', ...BEFORE_SENT },
  PENDING_APPROVAL: { release: 'RELEASED', ...BEFORE_SENT },
  RELEASED: { sent: 'SENT', ...ACKS, ...BEFORE_SENT, resend: 'RELEASED', timeout: 'TIMED_OUT' },
  SENT: { ...ACKS, ...UNDER_WAY, resend: 'SENT' },
  ACCEPTED: { ...LATER_ACKS, started: 'STARTED', ...UNDER_WAY, verified: 'VERIFIED' },
  STARTED: { ...LATER_ACKS, ...UNDER_WAY, verified: 'VERIFIED', verify_failed: 'VERIFY_FAILED' },
  COMPLETED: { verified: 'VERIFIED', verify_failed: 'VERIFY_FAILED' },
  UNKNOWN_OUTCOME: {
    ...ACKS,
    resend: 'SENT',
    timeout: 'TIMED_OUT',
    verified: 'VERIFIED',
    verify_failed: 'VERIFY_FAILED',
  },
  GATE_DENIED: ENDED,
  WOULD_HAVE_DONE: ENDED,
  VERIFIED: ENDED,
  VERIFY_FAILED: ENDED,
  REJECTED: ENDED,
  FAILED: ENDED,
  TIMED_OUT: ENDED,
  CANCELLED: ENDED,
  REVOKED: ENDED,
  EXPIRED: ENDED,
  SUPERSEDED: ENDED,
}

/** The state that follows, or null when the event changes nothing in this state. */
export function nextState(state: ActionState, event: ActionEvent): ActionState | null {
  return LIFECYCLE[state][event] ?? null
}

/** Not yet with the peer: it can still be stopped. */
export function isBeforeSent(state: ActionState): boolean {
  return LIFECYCLE[state].cancel !== undefined
}

/** The gates let it pass and it has not ended: it holds its place in exclusion sets. */
export function isCommitted(state: ActionState): boolean {
  return !['PROPOSED', 'GATE_HELD'].includes(state) && LIFECYCLE[state] !== ENDED
}
