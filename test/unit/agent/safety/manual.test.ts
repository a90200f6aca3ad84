import t from 'tap'
import type { SafetyInput } from '../../../../agent/core/safety/changes.ts'
import type { Seen } from '../../../../agent/core/safety/seen.ts'
import { MANUAL_OPEN_MAX } from '../../../../agent/core/safety/state.ts'
import type { RigPolicy } from '../../../../shared/model/actions-policy.ts'
import { CONFIRM_WITHIN_US } from '../../../../shared/model/order.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  FTTI_US,
  HIGH,
  hazard,
  policy,
  refusalsIn,
  rule,
  SafetyRig,
  statesIn,
  target,
} from '../../../support/safety-rig.ts'

const MANUAL: RigPolicy = policy({
  hazards: [
    hazard('shutdown', 'pump'),
    hazard('degrade', 'pump', { inadvertent: 'none', omission: 'marginal' }),
    hazard('failover', 'pump', { inadvertent: 'none' }),
  ],
})
type Manual = Extract<SafetyInput, { kind: 'manual' | 'dry_run' }>
const manual = (change: Partial<Manual> = {}): Manual => ({
  ...{ kind: 'manual', action: 'shutdown', target: 'pump', params: { ramp_ms: 3 }, by: ['ada'], reason: 'smoke' },
  ...change,
})

// verifies SE-04, SE-23
t.test('what people order waits for a second person where it is hard, for a while, and counts once', async (t) => {
  const early = armedRig(MANUAL)
  early.input(manual())
  const atLast = { nowUs: early.state.open[0]!.deadlineUs }
  const inTime = early.input({ kind: 'approve', key: early.key(), by: ['bob'] }, atLast)
  t.same(statesIn(inTime), ['PENDING_APPROVAL', 'RELEASED'], 'at its deadline')
  const rig = armedRig(MANUAL)
  const said = rig.input(manual())
  t.same(statesIn(said), ['PROPOSED', 'GATE_PASSED', 'PENDING_APPROVAL'])
  t.same(actionsIn(said)[2]?.reasons, ['TWO_PERSON 1/2'])
  t.match(actionsIn(said)[0], { rule: '', episode: 1, action: 'shutdown', note: 'smoke', params: { ramp_ms: 3 } })
  t.equal(actionsIn(said)[0]!.deadlineUs, rig.seen().nowUs + CONFIRM_WITHIN_US)
  const key = rig.key()
  t.same(refusalsIn(rig.input({ kind: 'release', key })), ['TWO_PERSON 1/2'])
  t.same(refusalsIn(rig.input({ kind: 'approve', key: 'x', by: ['bob'] })), ['UNKNOWN_KEY'])
  t.same(refusalsIn(rig.input({ kind: 'approve', key, by: ['ada'] })), ['TWO_PERSON 1/2'], 'nobody approves oneself')
  t.same(refusalsIn(rig.input({ kind: 'approve', key, by: [] })), ['TWO_PERSON 1/2'])
  const late = { nowUs: actionsIn(said)[0]!.deadlineUs + 1 }
  t.same(refusalsIn(rig.input({ kind: 'approve', key, by: ['bob'] }, late)), ['APPROVAL_LATE'])
  rig.slides(1)
  const approved = rig.input({ kind: 'approve', key, by: ['bob'] })
  t.same(statesIn(approved), ['PENDING_APPROVAL', 'RELEASED'])
  t.match(actionsIn(approved)[0], { note: 'approved', reasons: ['BY:ada,bob'] })
  t.match(actionsIn(approved)[1], { note: 'persons', deadlineUs: rig.seen().nowUs + FTTI_US })
  t.same(refusalsIn(rig.input({ kind: 'approve', key, by: ['cy'] })), ['STATE:RELEASED'])
  rig.input({ kind: 'sent', key })
  rig.ack('started')
  t.same(statesIn(rig.slides(6, { flow: 0 })), ['VERIFIED'])
})

// verifies SE-23
t.test('two people at once, or one for what is gentle, need no approval', async (t) => {
  for (const [order, note] of [
    [manual({ by: ['ada', 'bob'] }), 'persons'],
    [manual({ action: 'degrade' }), 'gentle'],
  ] as const) {
    const rig = armedRig(MANUAL)
    t.same(statesIn(rig.input(order)), ['PROPOSED', 'GATE_PASSED'])
    t.match(actionsIn(rig.input({ kind: 'release', key: rig.key() })), [{ state: 'RELEASED', note }])
  }
})

// verifies SE-23
t.test('an order goes through the gates of what is armed and what stands against it', async (t) => {
  const passive = new SafetyRig(MANUAL)
  passive.slides(1)
  t.same(statesIn(passive.input(manual())), ['PROPOSED', 'WOULD_HAVE_DONE'])
  t.same(statesIn(passive.input(manual({ by: ['ada', 'bob'] }))), ['PROPOSED', 'WOULD_HAVE_DONE'])
  const table: [string, Partial<Manual>, Partial<Seen>, string[]][] = [
    ['nobody', { by: [''] }, {}, ['NO_PERSON']],
    ['no hazard', { action: 'abort' }, {}, ['UNDECLARED:abort:pump']],
    ['no target', { target: 'fan' }, {}, ['UNDECLARED:shutdown:fan', 'NO_TARGET:fan']],
    ['clock', {}, { clockStepped: true }, ['CLOCK_STEP']],
  ]
  for (const [name, change, seen, reasons] of table) {
    const rig = armedRig(MANUAL)
    const said = rig.input(manual(change), seen)
    t.same(actionsIn(said)[1]?.reasons ?? refusalsIn(said), reasons, name)
    t.same(rig.state.open, [], name)
  }
  t.match(armedRig(MANUAL).input(manual({ by: [] })), [{ kind: 'refused', input: 'manual', subject: 'shutdown:pump' }])
  const safed = armedRig(MANUAL)
  safed.start(HIGH)
  t.same(actionsIn(safed.input(manual({ action: 'degrade' })))[1]?.reasons, ['PREEMPTED:shutdown:pump'])
  t.same(actionsIn(safed.input(manual()))[1]?.reasons, ['EXCLUSION:shutdown:pump'])
})

// verifies SE-18
t.test('a dry run goes through the gates of an order, says what would have been done, and does nothing', async (t) => {
  const table: [string, Partial<Manual>, string[], string[]][] = [
    ['two people', { by: ['ada', 'bob'] }, ['PROPOSED', 'WOULD_HAVE_DONE'], ['DRY_RUN']],
    ['one', {}, ['PROPOSED', 'WOULD_HAVE_DONE'], ['TWO_PERSON 1/2', 'DRY_RUN']],
    ['gentle', { action: 'degrade' }, ['PROPOSED', 'WOULD_HAVE_DONE'], ['DRY_RUN']],
    ['undeclared', { action: 'abort' }, ['PROPOSED', 'GATE_DENIED'], ['UNDECLARED:abort:pump']],
  ]
  for (const [name, change, states, reasons] of table) {
    const rig = armedRig(MANUAL)
    const said = rig.input(manual({ kind: 'dry_run', ...change }))
    t.same(statesIn(said), states, name)
    t.same(actionsIn(said)[1]?.reasons, reasons, name)
    t.same(rig.state.open, [], name)
    t.same(statesIn(rig.slides(3)), [], `${name}: nothing follows`)
  }
  const passive = new SafetyRig(MANUAL)
  passive.slides(1)
  t.same(actionsIn(passive.input(manual({ kind: 'dry_run' })))[1]?.reasons, [
    ...['NOT_ARMED:PASSIVE', 'TWO_PERSON 1/2', 'DRY_RUN'],
  ])
  const nobody = armedRig(MANUAL).input(manual({ kind: 'dry_run', by: [] }))
  t.match(nobody, [{ kind: 'refused', input: 'dry_run', subject: 'shutdown:pump', reasons: ['NO_PERSON'] }])
  const underWay = armedRig(MANUAL)
  underWay.start(HIGH)
  t.same(statesIn(underWay.input(manual({ kind: 'dry_run', action: 'degrade' }))), ['PROPOSED', 'GATE_DENIED'])
  t.equal(underWay.state.open.length, 1, 'what is under way goes on')
})

// verifies SE-23
t.test('what is not hard waits for a second person too where it is grave', async (t) => {
  const rig = armedRig(MANUAL)
  t.same(statesIn(rig.input(manual({ action: 'failover' }))), ['PROPOSED', 'GATE_PASSED', 'PENDING_APPROVAL'])
  const approved = rig.input({ kind: 'approve', key: rig.key(), by: ['bob'] })
  t.match(actionsIn(approved)[1], { state: 'RELEASED', note: 'persons' })
})

// verifies SE-09, SE-23
t.test('the gates are evaluated again when the second person has approved', async (t) => {
  const rig = armedRig(MANUAL)
  rig.input(manual())
  const said = rig.input({ kind: 'approve', key: rig.key(), by: ['bob'] }, { mode: 'test' })
  t.same(statesIn(said), ['PENDING_APPROVAL', 'CANCELLED'])
  t.same(actionsIn(said)[1]?.reasons, ['MODE_CHANGED:nominal>test'])
  for (const by of ['cy', 'agent']) {
    const cancelled = armedRig(MANUAL)
    cancelled.input(manual())
    t.same(statesIn(cancelled.input({ kind: 'cancel', key: cancelled.key(), by, reason: '' })), ['CANCELLED'])
  }
  const dropped = armedRig(MANUAL)
  dropped.input(manual())
  t.same(statesIn(dropped.input({ kind: 'disarm', by: 'cy', reason: '' })), ['REVOKED'])
})

// verifies SE-23
t.test('an order that nobody approves expires, and orders are bounded', async (t) => {
  const targets = Array.from({ length: MANUAL_OPEN_MAX + 1 }, (_, k) => `t${k}`)
  const rig = armedRig(
    policy({
      rules: [rule({ action: 'notify', target: 'tape' })],
      hazards: [...targets.map((one) => hazard('shutdown', one)), hazard('notify', 'tape')],
      targets: [...targets, 'tape'].map((one) => target(one)),
    }),
  )
  rig.slides(2, HIGH)
  targets.slice(0, MANUAL_OPEN_MAX).forEach((one) => {
    t.same(statesIn(rig.input(manual({ target: one }))).at(-1), 'PENDING_APPROVAL')
  })
  const last = manual({ target: targets.at(-1)! })
  t.same(refusalsIn(rig.input(last)), ['MANUAL_FULL'])
  t.equal(rig.state.manuals, MANUAL_OPEN_MAX)
  rig.said.length = 0
  rig.slides(1, {}, { nowUs: rig.seen().nowUs + CONFIRM_WITHIN_US + 1 })
  const ended = actionsIn(rig.said).filter((one) => one.rule === '')
  t.same(
    ended.map(({ state }) => state),
    new Array(MANUAL_OPEN_MAX).fill('EXPIRED'),
  )
  t.same(
    alarmsIn(rig.said).filter((one) => one.includes('failed:manual')),
    [],
  )
  rig.change = {}
  t.equal(statesIn(rig.input(last)).at(-1), 'PENDING_APPROVAL')
})

t.test('what people ordered and saw fail is closed when they see it work', async (t) => {
  const rig = armedRig(MANUAL)
  const go = (flow: number): string[] => {
    rig.input(manual({ by: ['ada', 'bob'] }))
    const key = rig.key()
    rig.input({ kind: 'release', key })
    rig.input({ kind: 'sent', key })
    rig.ack('started')
    rig.said.length = 0
    rig.slides(25, { flow })
    return alarmsIn(rig.said)
  }
  t.same(go(5), ['+verify_failed:manual:shutdown:pump CRITICAL'])
  t.same(go(0), ['-verify_failed:manual:shutdown:pump'])
})

const UNSEEN = policy({ hazards: [hazard('shutdown', 'pump', { verify: null })] })
const FAILED = 'action_failed:manual:shutdown:pump'

/** Orders it by two people. @returns its key */
function ordered(rig: SafetyRig, end: 'completed' | 'failed' | null): string {
  rig.input(manual({ by: ['ada', 'bob'] }))
  const key = rig.key()
  rig.input({ kind: 'release', key })
  rig.input({ kind: 'sent', key })
  if (end !== null) rig.ack(end)
  return key
}

// verifies SE-16, SE-23
t.test('what stands against an order by hand is over when the same order works', async (t) => {
  const rig = armedRig(UNSEEN)
  ordered(rig, 'failed')
  rig.said.length = 0
  ordered(rig, 'completed')
  t.equal(statesIn(rig.said).at(-1), 'VERIFIED', 'no channel shows it, its peer says so')
  t.same(alarmsIn(rig.said), [`-${FAILED}`])
  t.same(rig.state.alarms, [])
  const seen = armedRig(MANUAL)
  ordered(seen, 'failed')
  ordered(seen, 'completed')
  t.match(seen.state.alarms, [{ id: FAILED }], 'where a channel shows it that decides')
  seen.slides(6, { flow: 0 })
  t.same(seen.state.alarms, [])
})

// verifies SE-16, SE-23
t.test('two people say what came of an order by hand that has ended, of the last one, and once', async (t) => {
  const found = (key: string, by: string[]) =>
    ({ kind: 'action_ack', key, outcome: 'failed', by, reason: 'the breaker was out' }) as const
  const rig = armedRig(UNSEEN)
  const first = ordered(rig, 'failed')
  const last = ordered(rig, 'failed')
  rig.input(manual({ kind: 'dry_run', by: ['ada', 'bob'] }))
  t.same(refusalsIn(rig.input(found(first, ['ada', 'bob']))), ['ENDED:FAILED'], 'what came of the last one is open')
  t.same(refusalsIn(rig.input(found(last, ['ada']))), ['TWO_PERSON 1/2'])
  t.match(rig.state.alarms, [{ id: FAILED }])
  const said = rig.input(found(last, ['ada', 'bob']))
  t.match(actionsIn(said), [
    { key: last, state: 'FAILED', from: 'FAILED', reasons: ['BY:ada,bob'], note: 'failed: the breaker was out' },
  ])
  t.same(alarmsIn(said), [`-${FAILED}`])
  t.same(rig.state.alarms, [])
  t.same(refusalsIn(rig.input(found(last, ['ada', 'bob']))), ['ENDED:FAILED'])
})
