import t from 'tap'
import type { SafetyInput } from '../../../../agent/core/safety/changes.ts'
import { LATE_NOTED_MAX, PROGRESS_NOTED_MAX } from '../../../../agent/core/safety/state.ts'
import type { RigPolicy } from '../../../../shared/model/actions-policy.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  FTTI_US,
  HIGH,
  hazard,
  policy,
  refusalsIn,
  rigIn,
  rule,
  type SafetyRig,
  SLIDE_US,
  statesIn,
  target,
} from '../../../support/safety-rig.ts'

const ON_WAY = ['GATE_PASSED', 'RELEASED', 'SENT', 'ACCEPTED', 'STARTED', 'COMPLETED', 'UNKNOWN_OUTCOME']

// verifies SE-16
t.test('what a peer says moves an action forwards, leaves stages out, and never goes back', async (t) => {
  const order = ['RELEASED', 'SENT', 'ACCEPTED', 'STARTED', 'COMPLETED']
  const becomes = { accepted: 'ACCEPTED', started: 'STARTED', progress: 'STARTED', completed: 'COMPLETED' } as const
  for (const state of ON_WAY)
    for (const [status, next] of Object.entries(becomes) as [keyof typeof becomes, string][]) {
      const rig = rigIn(state)
      const said = rig.ack(status)
      const isNoted = status === 'progress' && state === 'STARTED'
      const isForward =
        state === 'UNKNOWN_OUTCOME' || (order.includes(state) && order.indexOf(next) > order.indexOf(state))
      if (state === 'GATE_PASSED') t.same(refusalsIn(said), [`NOT_RELEASED:${status} in ${state}`])
      else if (isForward || isNoted) t.same(statesIn(said), [next], `${state} ${status}`)
      else t.same(refusalsIn(said), [`BACKWARD:${status} in ${state}`], `${state} ${status}`)
    }
})

// verifies SE-16
t.test('a rejection or a failure ends it, and a must-work action that failed is an alarm', async (t) => {
  const ends: Record<string, [string | null, string | null]> = {
    RELEASED: ['REJECTED', 'FAILED'],
    SENT: ['REJECTED', 'FAILED'],
    ACCEPTED: ['FAILED', 'FAILED'],
    STARTED: ['FAILED', 'FAILED'],
    COMPLETED: [null, null],
    UNKNOWN_OUTCOME: ['REJECTED', 'FAILED'],
  }
  for (const [state, [rejected, failed]] of Object.entries(ends))
    for (const [status, end] of [
      ['rejected', rejected],
      ['failed', failed],
    ] as const) {
      const rig = rigIn(state)
      const said = rig.ack(status)
      if (end === null) {
        t.same(refusalsIn(said), [`BACKWARD:${status} in ${state}`])
        continue
      }
      t.same(statesIn(said), [end], `${state} ${status}`)
      t.ok(alarmsIn(said).includes('+action_failed:over_pressure CRITICAL'), `${state} ${status}`)
      t.same(rig.state.open, [])
      t.match(rig.state.done.at(-1), { state: end, lates: 0 })
    }
  const mild = policy({ hazards: [hazard('shutdown', 'pump', { omission: 'marginal' })] })
  t.same(alarmsIn(rigIn('SENT', mild).ack('failed')), ['+action_failed:over_pressure WARNING'])
})

// verifies SE-16
t.test('what comes after the end is noted beside it, rewrites nothing, and is bounded', async (t) => {
  const rig = rigIn('STARTED')
  const key = rig.key()
  rig.ack('failed')
  const late = (input: SafetyInput) => rig.input(input)
  const ack = (status: 'completed' | 'progress'): SafetyInput => ({
    kind: 'ack',
    key,
    status,
    from: 'pump',
    message: '',
  })
  const [noted] = actionsIn(late(ack('completed')))
  t.match(noted, {
    key,
    state: 'FAILED',
    from: 'FAILED',
    reasons: ['LATE:completed'],
    attempt: 1,
    rule: 'over_pressure',
  })
  t.same(actionsIn(late({ kind: 'sent', key }))[0]?.reasons, ['LATE:sent'])
  t.same(actionsIn(late({ kind: 'unknown', key }))[0]?.reasons, ['LATE:unknown'])
  t.same(actionsIn(late({ kind: 'answer', key, status: 'completed' }))[0]?.reasons, ['LATE:answer completed'])
  t.equal(rig.state.done.at(-1)?.lates, LATE_NOTED_MAX)
  t.same(refusalsIn(late(ack('completed'))), ['LATE_DROPPED'])
  t.same(refusalsIn(late(ack('progress'))), ['LATE_DROPPED'])
  t.equal(rig.state.latesDropped, 2)
  t.same(refusalsIn(late({ kind: 'release', key })), ['STATE:FAILED'])
  t.same(refusalsIn(late({ kind: 'timeout', key, stage: 'accept' })), ['STATE:FAILED'])
  t.equal(rig.state.done.at(-1)?.state, 'FAILED')
  for (const kind of ['release', 'sent', 'unknown'] as const)
    t.same(refusalsIn(late({ kind, key: 'nobody' })), ['UNKNOWN_KEY'], kind)
  t.same(refusalsIn(late({ kind: 'ack', key: 'nobody', status: 'accepted', from: 'pump', message: '' })), [
    'UNKNOWN_KEY',
  ])
})

t.test('only the target may speak of its action', async (t) => {
  const rig = rigIn('SENT')
  const said = rig.ack('completed', 'mallory')
  t.same(refusalsIn(said), ['IDENTITY:mallory'])
  t.same(alarmsIn(said), ['+stranger:pump WARNING'])
  t.equal(rig.state.open[0]?.state, 'SENT')
  t.same(alarmsIn(rig.ack('accepted')), ['-stranger:pump'])
  const key = rig.key()
  rig.ack('failed')
  const late = rig.input({ kind: 'ack', key, status: 'completed', from: 'mallory', message: '' })
  t.same(refusalsIn(late), ['IDENTITY:mallory'], 'nor of one that has ended')
})

t.test('reports of progress are noted up to a bound', async (t) => {
  const rig = rigIn('STARTED')
  for (let k = 0; k < PROGRESS_NOTED_MAX; k += 1) t.same(statesIn(rig.ack('progress')), ['STARTED'])
  t.same(refusalsIn(rig.ack('progress')), ['PROGRESS_FULL'])
  t.same(statesIn(rig.ack('completed')), ['COMPLETED'])
})

t.test('the steps of the shell are taken in the states that they belong to', async (t) => {
  const taken: Record<string, string[]> = {
    release: ['GATE_PASSED'],
    sent: ['RELEASED'],
    unknown: ['SENT', 'ACCEPTED', 'STARTED'],
  }
  for (const state of ON_WAY)
    for (const kind of ['release', 'sent', 'unknown'] as const) {
      const rig = rigIn(state)
      const said = rig.input({ kind, key: rig.key() })
      if (taken[kind]!.includes(state)) t.same(refusalsIn(said), [], `${kind} in ${state}`)
      else t.same(refusalsIn(said), [`STATE:${state}`], `${kind} in ${state}`)
    }
})

// verifies SE-16
t.test('each stage has its own time limit, and one that was overtaken changes nothing', async (t) => {
  const runs: Record<string, string[]> = {
    send: ['RELEASED', 'SENT'],
    accept: ['SENT'],
    start: ['ACCEPTED'],
    complete: ['STARTED'],
  }
  const once = policy({ targets: [target('pump', { retries: 0 })] })
  for (const state of ON_WAY)
    for (const stage of ['send', 'accept', 'start', 'complete'] as const) {
      const rig = rigIn(state, once)
      const said = rig.input({ kind: 'timeout', key: rig.key(), stage })
      if (runs[stage]!.includes(state)) {
        t.same(statesIn(said), ['TIMED_OUT'], `${stage} in ${state}`)
        t.same(actionsIn(said)[0]?.reasons, [`TIMEOUT:${stage}`])
        t.same(alarmsIn(said).at(-1), '+action_failed:over_pressure CRITICAL')
      } else t.same(refusalsIn(said), [`STAGE_PASSED:${stage} ${state}`], `${stage} in ${state}`)
    }
})

// verifies SE-16
t.test('what was not heard of is sent again under the same key, within its tries and its time', async (t) => {
  const again = (of: RigPolicy, change: (rig: SafetyRig) => void = () => undefined, state = 'SENT') => {
    const rig = rigIn(state, of)
    change(rig)
    return {
      rig,
      said: actionsIn(rig.input({ kind: 'timeout', key: rig.key(), stage: state === 'SENT' ? 'accept' : 'send' })),
    }
  }
  const { rig, said } = again(policy())
  const key = rig.key()
  t.match(said[0], { key, state: 'SENT', from: 'SENT', attempt: 2, reasons: ['TIMEOUT:accept'] })
  t.match(actionsIn(rig.input({ kind: 'timeout', key, stage: 'accept' }))[0], { key, state: 'SENT', attempt: 3 })
  t.match(actionsIn(rig.input({ kind: 'timeout', key, stage: 'accept' }))[0], { key, state: 'TIMED_OUT', attempt: 3 })
  t.match(again(policy(), undefined, 'RELEASED').said[0], { state: 'RELEASED', from: 'RELEASED', attempt: 2 })
  const stubborn = policy({ targets: [target('pump', { nonIdempotent: true })] })
  t.equal(again(stubborn).said[0]?.state, 'TIMED_OUT', 'a peer that does everything twice is never asked twice')
  const disarmed = again(policy(), (one) => one.input({ kind: 'disarm', by: 'ada', reason: '' }))
  t.equal(disarmed.said[0]?.state, 'TIMED_OUT', 'nor is anything when nobody permits it any more')
  t.equal(again(policy({ targets: [target('pump', { retries: 1 })] })).said[0]?.state, 'SENT')
})

// verifies SE-16
t.test('a retry with its back-off must still be in time', async (t) => {
  const backOffUs = 100_000
  for (const [attempt, backOff] of [
    [1, backOffUs],
    [2, 2 * backOffUs],
    [3, 4 * backOffUs],
  ] as const)
    for (const early of [0, 1]) {
      const rig = rigIn('SENT', policy({ targets: [target('pump', { retries: 5, backOffUs })] }))
      const open = rig.state.open[0]!
      open.attempt = attempt
      const nowUs = open.deadlineUs - backOff - early
      const said = actionsIn(rig.input({ kind: 'timeout', key: rig.key(), stage: 'accept' }, { nowUs }))
      t.equal(said[0]?.state, early === 1 ? 'SENT' : 'TIMED_OUT', `attempt ${attempt}, ${early} µs to spare`)
    }
})

// verifies SE-15
t.test('after a restart nobody knows the outcome of what was sent: an alarm, the peer, then the effect', async (t) => {
  const rig = rigIn('SENT')
  const key = rig.key()
  const said = rig.input({ kind: 'unknown', key })
  t.same(statesIn(said), ['UNKNOWN_OUTCOME'])
  t.same(alarmsIn(said), ['+unknown_outcome:over_pressure CRITICAL'])
  const done = rig.input({ kind: 'answer', key, status: 'completed' })
  t.same(statesIn(done), ['COMPLETED'])
  t.same(alarmsIn(done), ['-unknown_outcome:over_pressure'])
  const mild = rigIn('SENT', policy({ hazards: [hazard('shutdown', 'pump', { omission: 'marginal' })] }))
  t.same(alarmsIn(mild.input({ kind: 'unknown', key: mild.key() })), ['+unknown_outcome:over_pressure WARNING'])
})

// verifies SE-15, G12
t.test('a peer that never had it gets it again only if that cannot do it twice', async (t) => {
  const rig = rigIn('UNKNOWN_OUTCOME')
  const key = rig.key()
  const said = rig.input({ kind: 'answer', key, status: 'unknown_key' })
  t.match(actionsIn(said)[0], { key, state: 'SENT', from: 'UNKNOWN_OUTCOME', attempt: 2, reasons: ['UNKNOWN_KEY'] })
  t.same(alarmsIn(said), ['-unknown_outcome:over_pressure'])
  const stubborn = rigIn('UNKNOWN_OUTCOME', policy({ targets: [target('pump', { nonIdempotent: true })] }))
  const kept = stubborn.input({ kind: 'answer', key: stubborn.key(), status: 'unknown_key' })
  t.match(actionsIn(kept), [
    { state: 'UNKNOWN_OUTCOME', from: 'UNKNOWN_OUTCOME', reasons: ['UNKNOWN_KEY'], attempt: 1 },
  ])
  t.same(alarmsIn(kept), [])
  stubborn.slides(40, HIGH)
  t.same(statesIn(stubborn.said).at(-1), 'VERIFY_FAILED', 'its effect was not seen')
  t.ok(alarmsIn(stubborn.said).includes('-unknown_outcome:over_pressure'))
  const worked = rigIn('UNKNOWN_OUTCOME', policy({ targets: [target('pump', { nonIdempotent: true })] }))
  worked.input({ kind: 'answer', key: worked.key(), status: 'unknown_key' })
  worked.slides(8, { ...HIGH, flow: 0 })
  t.same(statesIn(worked.said).at(-1), 'VERIFIED', 'or was')
  t.ok(alarmsIn(worked.said).includes('-unknown_outcome:over_pressure'))
})

// verifies SE-15
t.test('a peer that forgot what it had taken leaves the outcome unknown', async (t) => {
  for (const state of ON_WAY) {
    const rig = rigIn(state)
    const said = rig.input({ kind: 'answer', key: rig.key(), status: 'unknown_key' })
    if (state === 'ACCEPTED' || state === 'STARTED') {
      t.match(actionsIn(said), [{ state: 'UNKNOWN_OUTCOME', from: state, reasons: ['UNKNOWN_KEY'] }])
      t.same(alarmsIn(said), ['+unknown_outcome:over_pressure CRITICAL'])
    } else if (state === 'UNKNOWN_OUTCOME') t.same(statesIn(said), ['SENT'])
    else t.same(refusalsIn(said), [`STATE:${state}`], state)
  }
})

// verifies SE-24
t.test('in its veto window an action waits, and anybody may cancel it', async (t) => {
  const of = policy({ rules: [rule({ vetoUs: 300_000 })] })
  const rig = armedRig(of)
  rig.slides(2, HIGH)
  t.same(statesIn(rig.said), ['PROPOSED', 'GATE_HELD'])
  t.same(actionsIn(rig.said)[1]?.reasons, ['VETO 300ms'])
  const key = rig.key()
  t.same(refusalsIn(rig.input({ kind: 'release', key })), ['VETO 300ms'])
  rig.slides(5, HIGH)
  t.same(refusalsIn(rig.input({ kind: 'release', key })), ['VETO 50ms'])
  rig.slides(1, HIGH)
  t.same(statesIn(rig.input({ kind: 'release', key })), ['GATE_PASSED', 'RELEASED'])
  const vetoed = armedRig(of)
  vetoed.slides(2, HIGH)
  const said = vetoed.input({ kind: 'cancel', key: vetoed.key(), by: 'ada', reason: 'I see no flame' })
  t.match(actionsIn(said)[0], { state: 'CANCELLED', reasons: ['BY:ada'], note: 'I see no flame' })
  vetoed.said.length = 0
  vetoed.slides(30, HIGH)
  t.same(statesIn(vetoed.said), [], 'the demand that asked for it does not ask again')
})

// verifies SE-16
t.test(
  'what is not released in time is of no use: it expires, and is proposed anew while the demand lasts',
  async (t) => {
    const rig = armedRig()
    rig.slides(2, HIGH)
    const first = rig.state.open[0]!
    rig.said.length = 0
    rig.slides(FTTI_US / SLIDE_US, HIGH)
    t.same(statesIn(rig.said), [], 'at its deadline it may still be released')
    rig.slides(1, HIGH)
    t.same(statesIn(rig.said), ['EXPIRED', 'PROPOSED', 'GATE_PASSED'])
    t.same(actionsIn(rig.said)[0]?.reasons, ['DEADLINE 50ms late'])
    t.same(alarmsIn(rig.said), ['+action_failed:over_pressure CRITICAL'])
    t.not(rig.key(), first.key)
    const asked = armedRig(policy({ hazards: [hazard('shutdown', 'pump', { omission: 'marginal' })] }))
    asked.slides(2, HIGH)
    const { deadlineUs, key } = asked.state.open[0]!
    const said = asked.input({ kind: 'release', key }, { nowUs: deadlineUs + 1 })
    t.same(statesIn(said), ['EXPIRED'])
    t.same(alarmsIn(said), ['+action_failed:over_pressure WARNING'])
    const sent = rigIn('SENT')
    sent.slides(FTTI_US / SLIDE_US + 5, { ...HIGH, flow: 5 })
    t.notOk(statesIn(sent.said).includes('EXPIRED'), 'what is with the peer does not expire')
    t.same(alarmsIn(sent.said), [])
    const last = armedRig()
    last.slides(2, HIGH)
    const atLast = { nowUs: last.state.open[0]!.deadlineUs }
    t.same(statesIn(last.input({ kind: 'release', key: last.key() }, atLast)), ['RELEASED'], 'at its deadline')
  },
)

// verifies SE-09
t.test('a release rests on what is true then, and keeps the time that was given', async (t) => {
  const rig = armedRig()
  rig.slides(2, HIGH)
  const open = rig.state.open[0]!
  const { deadlineUs } = open
  t.same(open.proofs, ['p_a_high', 'p_b_high'])
  rig.slides(2, { p_b: 9, p_c: 9 })
  rig.input({ kind: 'release', key: open.key })
  t.equal(open.state, 'RELEASED')
  t.same(open.proofs, ['p_b_high', 'p_c_high'])
  t.equal(open.deadlineUs, deadlineUs)
})

t.test('what is followed is not refused', async (t) => {
  const rig = armedRig()
  rig.start(HIGH)
  t.same(
    rig.said.filter(({ kind }) => kind === 'refused'),
    [],
  )
})

t.test('what was released and not handed over in time has failed', async (t) => {
  const rig = rigIn('RELEASED')
  rig.slides(FTTI_US / SLIDE_US + 1, HIGH)
  t.same(statesIn(rig.said), ['EXPIRED'])
  t.same(alarmsIn(rig.said), ['+action_failed:over_pressure CRITICAL'])
  t.equal(rig.state.rules[0]!.shot, 'spent')
})
