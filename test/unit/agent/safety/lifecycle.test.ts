import t from 'tap'
import { ACTION_EVENTS, isBeforeSent, isCommitted, nextState } from '../../../../agent/core/safety/lifecycle.ts'
import {
  ACTION_ENDS,
  ACTION_STAGES,
  type ActionState,
  hasEnded,
  UNKNOWN_OUTCOME,
} from '../../../../shared/model/action.ts'

const STATES: ActionState[] = [...ACTION_STAGES, ...ACTION_ENDS, UNKNOWN_OUTCOME]

/** What every state makes of every event; what is not here changes nothing. Written down apart from the table it checks. */
const EXPECTED = `
PROPOSED         hold>GATE_HELD pass>GATE_PASSED deny>GATE_DENIED would>WOULD_HAVE_DONE
GATE_HELD        pass>GATE_PASSED cancel>CANCELLED revoke>REVOKED expire>EXPIRED supersede>SUPERSEDED
GATE_PASSED      ask>PENDING_APPROVAL release>RELEASED cancel>CANCELLED revoke>REVOKED expire>EXPIRED supersede>SUPERSEDED
PENDING_APPROVAL release>RELEASED cancel>CANCELLED revoke>REVOKED expire>EXPIRED supersede>SUPERSEDED
RELEASED         sent>SENT accepted>ACCEPTED rejected>REJECTED started>STARTED progress>STARTED completed>COMPLETED failed>FAILED
RELEASED         cancel>CANCELLED revoke>REVOKED expire>EXPIRED supersede>SUPERSEDED resend>RELEASED timeout>TIMED_OUT
SENT             accepted>ACCEPTED rejected>REJECTED started>STARTED progress>STARTED completed>COMPLETED failed>FAILED
SENT             timeout>TIMED_OUT unknown>UNKNOWN_OUTCOME supersede>SUPERSEDED resend>SENT
ACCEPTED         rejected>FAILED started>STARTED progress>STARTED completed>COMPLETED failed>FAILED
ACCEPTED         timeout>TIMED_OUT unknown>UNKNOWN_OUTCOME supersede>SUPERSEDED verified>VERIFIED
STARTED          rejected>FAILED progress>STARTED completed>COMPLETED failed>FAILED
STARTED          timeout>TIMED_OUT unknown>UNKNOWN_OUTCOME supersede>SUPERSEDED verified>VERIFIED verify_failed>VERIFY_FAILED
COMPLETED        verified>VERIFIED verify_failed>VERIFY_FAILED
UNKNOWN_OUTCOME  accepted>ACCEPTED rejected>REJECTED started>STARTED progress>STARTED completed>COMPLETED failed>FAILED
UNKNOWN_OUTCOME  resend>SENT timeout>TIMED_OUT verified>VERIFIED verify_failed>VERIFY_FAILED
`

// verifies SE-16
t.test('every state makes of every event what is written down', async (t) => {
  const expected = new Map<string, string>()
  for (const line of EXPECTED.trim().split('\n')) {
    const [state, ...changes] = line.split(/ +/)
    for (const change of changes) {
      const [event, next] = change.split('>')
      expected.set(`${state} ${event}`, next!)
    }
  }
  const found = new Map<string, string>()
  for (const state of STATES)
    for (const event of ACTION_EVENTS) {
      const next = nextState(state, event)
      if (next !== null) found.set(`${state} ${event}`, next)
    }
  t.same(Object.fromEntries([...found].sort()), Object.fromEntries([...expected].sort()))
  t.equal(STATES.length * ACTION_EVENTS.length, 21 * 22)
})

// verifies SE-16
t.test('stages come in order or are left out, and nothing leaves an end', async (t) => {
  const order: ActionState[] = [...ACTION_STAGES]
  for (const state of STATES)
    for (const event of ACTION_EVENTS) {
      const next = nextState(state, event)
      if (hasEnded(state)) t.equal(next, null, `${state} ${event}`)
      if (next === null || !order.includes(next) || !order.includes(state)) continue
      const isAgain = next === state && (event === 'resend' || event === 'progress')
      t.ok(isAgain || order.indexOf(next) > order.indexOf(state), `${state} ${event} ${next}`)
    }
})

// verifies SE-25
t.test('anybody may stop what is not yet with the peer, and nobody what is', async (t) => {
  const before = ['GATE_HELD', 'GATE_PASSED', 'PENDING_APPROVAL', 'RELEASED']
  for (const state of STATES) {
    t.equal(isBeforeSent(state), before.includes(state), state)
    t.equal(nextState(state, 'cancel') !== null, before.includes(state), `cancel ${state}`)
    t.equal(isCommitted(state), !hasEnded(state) && state !== 'PROPOSED' && state !== 'GATE_HELD', `committed ${state}`)
  }
})
