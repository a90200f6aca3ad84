import t from 'tap'
import type { SafetyInput } from '../../../../agent/core/safety/changes.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  HIGH,
  over,
  policy,
  refusalsIn,
  rigIn,
  rule,
  SafetyRig,
  statesIn,
} from '../../../support/safety-rig.ts'

const off = (by = 'ada', reason = 'in the workshop'): SafetyInput => ({ kind: 'off', by, reason })
const passive = (by = 'ada', reason = 'back'): SafetyInput => ({ kind: 'passive', by, reason })
const arm = (rig: SafetyRig): SafetyInput => ({
  ...{ kind: 'arm', config: 'c0ffee', untilUs: rig.seen().nowUs + 3_600_000_000, by: ['ada', 'bob'] },
})

// verifies SE-21
t.test(
  'OFF is one act: nothing is judged, said or done, what was not sent is revoked, and an alarm stands',
  async (t) => {
    const rig = rigIn('GATE_PASSED')
    const said = rig.input(off())
    t.match(said[0], { kind: 'arm', state: 'OFF', by: ['ada'], reason: 'in the workshop', untilUs: 0 })
    t.same(statesIn(said), ['REVOKED'])
    t.same(actionsIn(said)[0]?.reasons, ['OFF'])
    t.same(alarmsIn(said), ['+off WARNING'])
    t.same(rig.slides(20, HIGH), [], 'no demand is looked at')
    t.same(rig.said.slice(said.length), [])
    t.same(rig.arrive([HIGH, HIGH]), [])
    const sent = rigIn('STARTED')
    sent.input(off())
    t.same(statesIn(sent.said), [], 'what is with a peer goes on')
    sent.slides(7, { flow: 0 })
    t.same(statesIn(sent.said), ['VERIFIED'], 'and is looked for')
  },
)

// verifies SE-21, SE-22, SE-25
t.test('OFF is left to PASSIVE by one person, and armed from there by two', async (t) => {
  const rig = armedRig()
  t.same(refusalsIn(rig.input(off(''))), ['NO_PERSON'])
  t.same(refusalsIn(rig.input(off('ada', ''))), ['NO_REASON'])
  t.equal(rig.state.arm.state, 'ARMED')
  rig.input(off())
  t.same(refusalsIn(rig.input(off())), ['OFF'])
  t.same(rig.input({ kind: 'disarm', by: 'bob', reason: '' }), [], 'what is off stays off')
  t.same(refusalsIn(rig.input(arm(rig))), ['OFF'])
  t.same(
    statesIn(
      rig.input({ kind: 'manual', action: 'shutdown', target: 'pump', params: {}, by: ['ada', 'bob'], reason: '' }),
    ),
    ['PROPOSED', 'WOULD_HAVE_DONE'],
  )
  t.same(refusalsIn(rig.input(passive(''))), ['NO_PERSON'])
  const said = rig.input(passive())
  t.match(said[0], { kind: 'arm', state: 'PASSIVE', by: ['ada'], reason: 'back' })
  t.same(alarmsIn(said), ['-off'])
  t.same(refusalsIn(rig.input(passive())), ['NOT_OFF:PASSIVE'])
  t.same(refusalsIn(rig.input(arm(rig))), [])
  t.same(refusalsIn(rig.input(passive())), ['NOT_OFF:ARMED'], 'that is disarming')
})

t.test('it looks on while it is off, so that it knows how things are when it is not', async (t) => {
  const rig = new SafetyRig()
  rig.slides(5)
  rig.input(off())
  rig.slides(3, HIGH)
  rig.input(passive())
  t.same(statesIn(rig.slides(1, HIGH)), ['PROPOSED', 'WOULD_HAVE_DONE'])
})

t.test('what was told early and never settled because it was switched off is told to be unseen', async (t) => {
  const look = (metric: string) =>
    ({ kind: 'window', metric, windowUs: 250_000, of: 'max', op: '>', value: 8 }) as const
  const conditions = ['p_a', 'p_b', 'p_c'].map((metric) => over(metric, { look: look(metric) }))
  const of = policy({ rules: [rule({ fastPath: true, conditions })] })
  const unasked = armedRig(of)
  unasked.input(off())
  t.same(unasked.arrive([HIGH, HIGH]), [], 'nor is anything told early')
  const rig = armedRig(of)
  rig.arrive([HIGH, HIGH])
  rig.input(off())
  rig.slides(4, {})
  rig.input(passive())
  t.same(actionsIn(rig.slides(1, {}))[0]?.reasons, ['CLOSED:unseen'])
})

// verifies SE-27
t.test('a bypass is ended before its time by two people, who say why', async (t) => {
  const rig = armedRig()
  const untilUs = rig.seen().nowUs + 60_000_000
  const subject = { rule: 'over_pressure', action: null }
  const end = (by: string[], reason = 'the valve is back'): SafetyInput => ({
    kind: 'uninhibit',
    ...subject,
    by,
    reason,
  })
  t.same(refusalsIn(rig.input(end(['ada', 'bob']))), ['NOT_INHIBITED'])
  rig.input({ kind: 'inhibit', ...subject, untilUs, by: ['ada', 'bob'], reason: 'valve' })
  t.same(refusalsIn(rig.input(end(['ada']))), ['TWO_PERSON 1/2'])
  t.same(refusalsIn(rig.input(end(['ada', 'bob'], ''))), ['NO_REASON'])
  t.same(
    refusalsIn(rig.input({ kind: 'uninhibit', rule: null, action: 'shutdown', by: ['ada', 'bob'], reason: 'r' })),
    ['NOT_INHIBITED'],
  )
  t.equal(rig.state.inhibits.length, 1)
  const said = rig.input(end(['bob', 'cy']))
  t.same(said[0], {
    ...{ kind: 'inhibit', subject: 'rule:over_pressure', active: false, untilUs },
    ...{ by: ['bob', 'cy'], reason: 'the valve is back', count: 1 },
  })
  t.same(alarmsIn(said), ['-inhibited:rule:over_pressure'], 'and no alarm that it ended')
  t.same(rig.state.inhibits, [])
  t.same(statesIn([...rig.slides(2, HIGH)]), ['PROPOSED', 'GATE_PASSED'])
})

// verifies SE-17
t.test(
  'when the time for an effect passed while nobody could look it is looked for again, once, and has not failed',
  async (t) => {
    const gapUs = 10_000_000
    for (const [what, flow, state] of [
      ['it shows', 0, 'VERIFIED'],
      ['it does not', 5, 'VERIFY_FAILED'],
    ] as const) {
      const rig = rigIn('STARTED')
      rig.endUs += gapUs
      const said = rig.slides(1, { flow: 5 })
      t.match(actionsIn(said), [{ state: 'STARTED', from: 'STARTED', reasons: ['VERIFY:UNSEEN'] }], what)
      t.equal(actionsIn(said)[0]?.note, 'nobody looked for 10050 ms; its effect is looked for again')
      t.notOk(
        alarmsIn(said).some((one) => one.includes('verify_failed')),
        what,
      )
      t.same(statesIn([...rig.slides(1, { flow: 5 }), ...rig.slides(1, { flow: 5 })]), [], 'all of its time')
      rig.said.length = 0
      rig.slides(22, { flow })
      t.equal(statesIn(rig.said)[0], state, what)
    }
    const seen = rigIn('STARTED')
    seen.endUs += gapUs
    t.same(statesIn(seen.slides(1, { flow: 0 })), ['VERIFIED'], 'what can be seen is seen')
    const short = rigIn('STARTED')
    short.slides(20, { flow: 5 })
    short.endUs += 450_000
    t.same(statesIn(short.slides(1)), ['VERIFY_FAILED'], 'what is fresh still was looked at')
  },
)
