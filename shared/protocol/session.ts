/**
 * The session as an agent lives it. Whatever is not in the table is not legal: the connection is closed and tried again.
 *
 * | state      | event → next                                                                  |
 * |------------|-------------------------------------------------------------------------------|
 * | closed     | connect → connecting                                                          |
 * | connecting | opened → greeting (hello is sent), lost → closed                              |
 * | greeting   | resume → open, refusal → refused, lost → closed                               |
 * | open       | receipt, credit, downlink → open, refusal → refused, lost → closed       |
 * | refused    | lost → closed                                                                 |
 */
const TABLE = {
  closed: { connect: 'connecting' },
  connecting: { opened: 'greeting', lost: 'closed' },
  greeting: { resume: 'open', refusal: 'refused', lost: 'closed' },
  open: { receipt: 'open', credit: 'open', downlink: 'open', refusal: 'refused', lost: 'closed' },
  refused: { lost: 'closed' },
} as const satisfies Record<string, Partial<Record<string, SessionStateName>>>

type SessionStateName = 'closed' | 'connecting' | 'greeting' | 'open' | 'refused'
export type SessionState = keyof typeof TABLE
export type SessionEvent = 'connect' | 'opened' | 'resume' | 'receipt' | 'credit' | 'downlink' | 'refusal' | 'lost'

/** The state after an event, or null when it may not happen there. */
export function nextSessionState(state: SessionState, event: SessionEvent): SessionState | null {
  return (TABLE[state] as Partial<Record<SessionEvent, SessionState>>)[event] ?? null
}

export const SESSION_STATES = Object.keys(TABLE) as SessionState[]
