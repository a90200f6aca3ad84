import t from 'tap'
import type { RigPolicy } from '../../../../shared/model/actions-policy.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  FTTI_US,
  flowGone,
  HIGH,
  hazard,
  policy,
  type Readings,
  rigIn,
  rule,
  type SafetyRig,
  SLIDE_US,
  statesIn,
  T0,
  target,
} from '../../../support/safety-rig.ts'

const NOTIFY = (): RigPolicy =>
  policy({
    rules: [rule({ action: 'notify', target: 'desk' })],
    hazards: [hazard('notify', 'desk', { verify: null, omission: 'marginal' })],
  })

const blindAfter = (readings: Readings): Readings => ({ ...HIGH, ...readings })

t.test('what no channel shows is done when its peer says so, and forgotten when nobody does', async (t) => {
  const told = armedRig(NOTIFY())
  told.slides(2, HIGH)
  told.input({ kind: 'release', key: told.key() })
  told.input({ kind: 'sent', key: told.key() })
  t.same(statesIn(told.ack('completed', 'desk')), ['COMPLETED', 'VERIFIED'])
  const lost = armedRig(NOTIFY())
  lost.slides(2, HIGH)
  const key = lost.key()
  lost.input({ kind: 'release', key })
  lost.input({ kind: 'sent', key })
  lost.input({ kind: 'unknown', key })
  lost.said.length = 0
  lost.slides(30, HIGH)
  t.same(statesIn(lost.said), [])
  t.same(statesIn(lost.input({ kind: 'timeout', key, stage: 'accept' })), ['TIMED_OUT'])
})

// verifies SE-17
t.test('its effect is looked for from its start, by windows that lie behind it', async (t) => {
  const rig = rigIn('ACCEPTED')
  rig.slides(5, blindAfter({ flow: 0 }))
  t.same(statesIn(rig.said), [], 'the window of 250 ms holds what was before')
  rig.slides(1)
  t.same(statesIn(rig.said), ['VERIFIED'], 'it need not have said that it started')
  const started = rigIn('ACCEPTED')
  started.slides(5, blindAfter({ flow: 0 }))
  started.ack('started')
  started.said.length = 0
  started.slides(5)
  t.same(statesIn(started.said), [], 'and its start begins that anew')
  started.slides(1)
  t.same(statesIn(started.said), ['VERIFIED'])
  const sent = rigIn('SENT')
  sent.slides(20, blindAfter({ flow: 0 }))
  t.same(statesIn(sent.said), [], 'before anybody took it nothing is its effect')
})

// verifies SE-17
t.test('an effect that is not seen in time is told apart from one that cannot be seen, and escalates', async (t) => {
  const table: [string, Readings, Partial<RigPolicy>, string][] = [
    ['false', { flow: 5 }, {}, 'VERIFY:FALSE'],
    ['never seen', { flow: null }, {}, 'VERIFY:STALE'],
    ['not stated', { flow: { value: 0, publisher: '' } }, {}, 'VERIFY:NOT_INDEPENDENT:undeclared'],
    ['old', { flow: { value: 0, ageUs: 600_000 } }, {}, 'VERIFY:STALE'],
    ['invalid', { flow: Number.NaN }, {}, 'VERIFY:INVALID'],
    ['not filled', { flow: { value: 0, filled: false } }, {}, 'VERIFY:INSUFFICIENT'],
    ['replayed', { flow: { value: 0, provenance: 'replay' } }, {}, 'VERIFY:PROVENANCE:replay flow'],
    [
      'by the peer',
      { flow: { value: 0, trail: { metric: 'flow', leaves: ['f'], groups: ['peer:pump'], declared: true } } },
      {},
      'VERIFY:NOT_INDEPENDENT:peer:pump',
    ],
    ['published by it', { flow: { value: 0, publisher: 'Pump' } }, {}, 'VERIFY:NOT_INDEPENDENT:publisher:pump'],
  ]
  for (const [name, readings, change, reason] of table) {
    const rules = [rule({ escalation: { action: 'isolate', target: 'valve' } })]
    const rig = rigIn('STARTED', policy({ rules, ...change }))
    rig.slides(20, blindAfter(readings))
    t.same(statesIn(rig.said), [], name)
    rig.slides(1)
    t.same(statesIn(rig.said), ['VERIFY_FAILED', 'PROPOSED', 'GATE_PASSED'], name)
    const [failed, proposed] = actionsIn(rig.said)
    t.same(failed?.reasons, [reason], name)
    t.match(proposed, { action: 'isolate', target: 'valve', rule: 'over_pressure', episode: 1 })
    t.same(alarmsIn(rig.said)[0], '+verify_failed:over_pressure CRITICAL')
    t.equal(rig.state.rules[0]!.needsPerson, true)
  }
  const verdict = { ...flowGone, look: { kind: 'verdict', metric: 'flow', verdicts: ['FAIL'] } } as const
  const byVerdict = { hazards: [hazard('shutdown', 'pump', { verify: { condition: verdict, withinUs: 1_000_000 } })] }
  const unseen = rigIn('STARTED', policy(byVerdict))
  unseen.slides(21, blindAfter({ flow: null }))
  t.same(actionsIn(unseen.said)[0]?.reasons, ['VERIFY:STALE'])
  const judged = rigIn('STARTED', policy(byVerdict))
  judged.slides(7, blindAfter({ flow: { verdict: 'FAIL' } }))
  t.same(statesIn(judged.said), ['VERIFIED'])
  const live = rigIn('STARTED', policy({ testbed: true }))
  live.slides(7, blindAfter({ flow: { value: 0, provenance: 'simulated' } }))
  t.same(statesIn(live.said), ['VERIFIED'], 'a testbed sees what it simulates')
})

// verifies SE-17, AL-4
t.test(
  'every effect that was not seen is told, whatever stands already; what merely stands is told once',
  async (t) => {
    const order = {
      kind: 'manual',
      action: 'shutdown',
      target: 'pump',
      params: {},
      by: ['ada', 'bob'],
      reason: '',
    } as const
    const rig = armedRig()
    for (const time of ['the first', 'the second', 'the third']) {
      rig.said.length = 0
      rig.input(order)
      rig.input({ kind: 'release', key: rig.key() })
      rig.input({ kind: 'sent', key: rig.key() })
      rig.ack('started')
      rig.slides(21, { flow: 5 })
      t.equal(statesIn(rig.said).at(-1), 'VERIFY_FAILED', time)
      t.same(alarmsIn(rig.said), ['+verify_failed:manual:shutdown:pump CRITICAL'], time)
      t.same(
        rig.state.alarms,
        [{ id: 'verify_failed:manual:shutdown:pump', severity: 'CRITICAL' }],
        `${time} stands once`,
      )
    }
    const lost = armedRig()
    lost.said.length = 0
    lost.slides(50, { p_a: null, p_b: null })
    t.equal(alarmsIn(lost.said).filter((one) => one.startsWith('+protection_lost')).length, 1)
  },
)

// verifies SE-17, AL-4
t.test('what is less grave and happens again does not make what stands less grave', async (t) => {
  const mild = hazard('degrade', 'pump', { inadvertent: 'none', omission: 'none', verify: null })
  const rig = armedRig(policy({ rules: [], hazards: [mild], targets: [target('pump')] }))
  const fail = (): string[] => {
    rig.said.length = 0
    rig.input({ kind: 'manual', action: 'degrade', target: 'pump', params: {}, by: ['ada'], reason: '' })
    rig.input({ kind: 'release', key: rig.key() })
    rig.input({ kind: 'sent', key: rig.key() })
    rig.ack('failed')
    return alarmsIn(rig.said)
  }
  const id = 'action_failed:manual:degrade:pump'
  t.same(fail(), [`+${id} WARNING`])
  t.same(fail(), [`+${id} WARNING`])
  rig.state.alarms[0]!.severity = 'CRITICAL'
  t.same(fail(), [`+${id} CRITICAL`])
})

// verifies SE-17
t.test('its effect is looked for in COMPLETED too, and once it was seen nothing fails it', async (t) => {
  const rig = rigIn('COMPLETED')
  rig.slides(20, blindAfter({ flow: 5 }))
  t.same(statesIn(rig.said), [])
  rig.slides(1)
  t.same(statesIn(rig.said), ['VERIFY_FAILED'])
  const accepted = rigIn('ACCEPTED')
  accepted.slides(40, blindAfter({ flow: 5 }))
  t.same(statesIn(accepted.said), [], 'what did not say that it started has a time limit of its own')
})

// verifies SE-17
t.test(
  'its effect counts from the stage that came first when one was left out, and is not put off by another',
  async (t) => {
    const seen = (state: string, said: readonly Parameters<SafetyRig['ack']>[0][]): string[] => {
      const rig = rigIn(state)
      rig.slides(3, { ...HIGH, flow: 0 })
      for (const one of said) rig.ack(one)
      rig.said.length = 0
      rig.slides(3)
      return statesIn(rig.said)
    }
    t.same(seen('STARTED', ['progress']), ['VERIFIED'], 'progress is no new start')
    t.same(seen('STARTED', ['completed']), ['VERIFIED'])
    t.same(seen('ACCEPTED', ['completed']), ['VERIFIED'], 'accepted stands for started')
    t.same(seen('ACCEPTED', ['started']), [])
    t.same(seen('SENT', ['started']), [])
    t.same(seen('SENT', ['completed']), [])
    t.same(seen('RELEASED', ['accepted']), [])
    t.same(seen('RELEASED', ['completed']), [])
    for (const state of ['RELEASED', 'SENT', 'UNKNOWN_OUTCOME'])
      for (const status of ['accepted', 'started', 'completed'] as const) {
        const rig = rigIn(state)
        rig.ack(status)
        rig.slides(6, { ...HIGH, flow: 0 })
        t.equal(statesIn(rig.said).at(-1), 'VERIFIED', `${status} in ${state}`)
      }
  },
)

// verifies SE-15, SE-17
t.test('of what nobody knows the outcome the effect counts from when it was sent', async (t) => {
  const rig = rigIn('SENT')
  rig.slides(5, { ...HIGH, flow: 0 })
  rig.input({ kind: 'unknown', key: rig.key() })
  rig.said.length = 0
  rig.slides(1)
  t.same(statesIn(rig.said), ['VERIFIED'])
  t.same(alarmsIn(rig.said), ['-unknown_outcome:over_pressure'])
  const failed = rigIn('SENT')
  failed.slides(3, HIGH)
  failed.input({ kind: 'unknown', key: failed.key() })
  failed.slides(20, { ...HIGH, flow: 5 })
  t.equal(failed.state.open.length, 1)
  failed.slides(1)
  t.equal(statesIn(failed.said).at(-1), 'VERIFY_FAILED', 'its time counts from when that was known')
})

// verifies SE-17
t.test('a window that begins with the start counts, and so does one that ends with the time', async (t) => {
  const rig = rigIn('ACCEPTED')
  rig.input({ kind: 'ack', key: rig.key(), status: 'started', from: 'pump', message: '' }, { nowUs: rig.endUs })
  rig.slides(4, { ...HIGH, flow: 0 })
  t.equal(statesIn(rig.said).at(-1), 'STARTED')
  rig.slides(1)
  t.equal(statesIn(rig.said).at(-1), 'VERIFIED')
  const last = rigIn('ACCEPTED')
  last.input({ kind: 'ack', key: last.key(), status: 'started', from: 'pump', message: '' }, { nowUs: last.endUs })
  last.slides(19, { ...HIGH, flow: 5 })
  last.slides(1, { ...HIGH, flow: 5 })
  t.equal(statesIn(last.said).at(-1), 'STARTED', 'at its end it has not failed')
  last.slides(1)
  t.equal(statesIn(last.said).at(-1), 'VERIFY_FAILED')
})

t.test('an action that is seen to work ends the alarm of one that failed before', async (t) => {
  const rig = armedRig(policy({ rules: [rule({ rearm: 'operator' })] }))
  rig.slides(2, HIGH)
  rig.slides(FTTI_US / SLIDE_US + 1, HIGH)
  t.ok(alarmsIn(rig.said).includes('+action_failed:over_pressure CRITICAL'))
  rig.input({ kind: 'release', key: rig.key() })
  rig.input({ kind: 'sent', key: rig.key() })
  rig.ack('started')
  rig.said.length = 0
  rig.slides(6, { ...HIGH, flow: 0 })
  t.same(alarmsIn(rig.said), ['-action_failed:over_pressure'])
})

// verifies SE-17
t.test('an effect has to last as its condition asks, without a gap', async (t) => {
  const lasting = hazard('shutdown', 'pump')
  const condition = { ...lasting.verify!.condition, persistence: { k: 2, n: 2 } }
  const of = policy({ hazards: [{ ...lasting, verify: { condition, withinUs: 1_000_000 } }] })
  const rig = rigIn('STARTED', of)
  rig.slides(6, blindAfter({ flow: 0 }))
  t.same(statesIn(rig.said), [])
  rig.slides(1)
  t.same(statesIn(rig.said), ['VERIFIED'])
  const anew = rigIn('ACCEPTED', of)
  anew.input({ kind: 'ack', key: anew.key(), status: 'started', from: 'pump', message: '' }, { nowUs: T0 })
  anew.slides(1, { ...HIGH, flow: 0 })
  t.equal(anew.state.open[0]?.verify?.history, 'T')
  anew.input({ kind: 'unknown', key: anew.key() })
  t.equal(anew.state.open[0]?.verify?.history, '', 'what was seen before no longer counts')
  const gap = rigIn('STARTED', of)
  gap.slides(6, blindAfter({ flow: 0 }))
  gap.endUs += 600_000
  gap.slides(1)
  t.same(statesIn(gap.said), [])
})
