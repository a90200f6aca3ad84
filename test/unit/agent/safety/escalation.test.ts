import t from 'tap'
import type { RigPolicy, Rule } from '../../../../shared/model/actions-policy.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  budget,
  CLEAR,
  carryOut,
  HIGH,
  hazard,
  over,
  policy,
  rule,
  type SafetyRig,
  SLIDE_US,
  statesIn,
  T0,
  target,
} from '../../../support/safety-rig.ts'

// verifies SE-04, SE-06
t.test('a hard action that follows a gentle one rests on what a hard one may rest on', async (t) => {
  const of = (conditions: Rule['conditions'], readings: Parameters<SafetyRig['slides']>[1]) => {
    const escalation = { action: 'isolate', target: 'valve' } as const
    const rig = armedRig(
      policy({
        rules: [rule({ action: 'failover', vote: '1ooN', conditions, escalation })],
        budgets: [budget({ most: 0 })],
      }),
    )
    rig.slides(3, readings)
    return actionsIn(rig.said).filter(({ action }) => action === 'isolate')
  }
  const both = [over('p_a'), over('p_b')]
  t.equal(of(both, HIGH).at(-1)?.state, 'GATE_PASSED')
  t.same(
    of(both, { p_a: { value: 9, provenance: 'replay' }, p_b: { value: 9, provenance: 'replay' } }).at(-1)?.reasons,
    ['NO_WARRANT'],
  )
  t.same(of([over('p_a')], HIGH).at(-1)?.reasons, ['NO_WARRANT'], 'one sample starts nothing this way either')
})

// verifies SE-17
t.test('what follows a failure goes through gates of its own, once an episode', async (t) => {
  const escalation = { action: 'isolate', target: 'valve' } as const
  const failed = (
    change: Partial<Rule>,
    more: Partial<RigPolicy>,
    before: (rig: SafetyRig) => void = () => undefined,
  ) => {
    const rig = armedRig(policy({ rules: [rule({ escalation, ...change })], ...more }))
    rig.start(HIGH)
    before(rig)
    rig.said.length = 0
    rig.ack('failed')
    return rig
  }
  const passed = failed({}, {})
  t.same(statesIn(passed.said), ['FAILED', 'PROPOSED', 'GATE_PASSED'])
  t.match(actionsIn(passed.said)[1], { action: 'isolate', target: 'valve', note: /^FAILED of / })
  const key = passed.key()
  t.match(actionsIn(passed.input({ kind: 'release', key }))[0], { state: 'RELEASED', note: 'two_proofs' })
  passed.input({ kind: 'sent', key })
  passed.said.length = 0
  passed.ack('failed', 'valve')
  t.same(statesIn(passed.said), ['FAILED'], 'nothing follows what followed')
  t.same(alarmsIn(passed.said), ['+action_failed:over_pressure/escalation CRITICAL'])
  passed.slides(CLEAR, {})
  passed.input({ kind: 'rearm', rule: 'over_pressure', by: ['ada'] })
  t.same(passed.state.alarms, [])
  const hazards = [hazard('shutdown', 'pump')]
  const denied = failed({}, { hazards })
  t.same(statesIn(denied.said), ['FAILED', 'PROPOSED', 'GATE_DENIED'])
  t.same(alarmsIn(denied.said), ['+action_failed:over_pressure CRITICAL', '+denied:over_pressure/escalation CRITICAL'])
  const disarmed = failed({}, {}, (rig) => rig.input({ kind: 'disarm', by: 'ada', reason: '' }))
  t.same(statesIn(disarmed.said), ['FAILED', 'PROPOSED', 'WOULD_HAVE_DONE'])
  const poor = failed({}, {}, (rig) => {
    rig.change = { baseline: { kind: 'rolling', confidence: 0.95 } }
  })
  t.same(actionsIn(poor.said)[2]?.reasons, ['BASELINE:rolling'])
  const bypassed = failed({}, {}, (rig) => {
    const untilUs = rig.seen().nowUs + 1_000_000
    rig.input({ kind: 'inhibit', rule: 'over_pressure', action: null, untilUs, by: ['ada', 'bob'], reason: 'test' })
  })
  t.same(actionsIn(bypassed.said)[2]?.reasons, ['INHIBITED:rule:over_pressure'])
  const gone = failed({}, { targets: [target('pump')] })
  t.same(actionsIn(gone.said)[2]?.reasons, ['NO_TARGET:valve'])
})

// verifies SE-17
t.test('an escalation comes again in the next episode, and never after what people ordered', async (t) => {
  const rig = armedRig(policy({ rules: [rule({ escalation: { action: 'isolate', target: 'valve' } })] }))
  for (const episode of [1, 2]) {
    rig.said.length = 0
    rig.start(HIGH)
    rig.ack('failed')
    const found = actionsIn(rig.said).filter(({ action, from }) => action === 'isolate' && from === null)
    t.same(
      found.map((one) => one.episode),
      [episode],
    )
    rig.input({ kind: 'cancel', key: rig.key(), by: 'ada', reason: '' })
    rig.slides(CLEAR, {})
    rig.input({ kind: 'rearm', rule: 'over_pressure', by: ['ada'] })
  }
  const ordered = armedRig(policy({ rules: [rule({ escalation: { action: 'isolate', target: 'valve' } })] }))
  ordered.input({ kind: 'manual', action: 'shutdown', target: 'pump', params: {}, by: ['ada', 'bob'], reason: '' })
  const key = ordered.key()
  ordered.input({ kind: 'release', key })
  ordered.input({ kind: 'sent', key })
  ordered.ack('failed')
  t.same(statesIn(ordered.said).slice(-2), ['SENT', 'FAILED'])
})

// verifies SE-17
t.test('an escalation that fails leads on where a rule of the same action does', async (t) => {
  const last = { action: 'abort', target: 'test' } as const
  const rules = [
    rule({ escalation: { action: 'isolate', target: 'valve' } }),
    rule({
      id: 'valve',
      action: 'isolate',
      target: 'valve',
      escalation: last,
      conditions: [over('q_a'), over('q_b'), over('q_c')],
    }),
  ]
  const rig = armedRig(policy({ rules }))
  rig.start(HIGH)
  rig.ack('failed')
  const key = rig.key()
  rig.input({ kind: 'release', key })
  rig.input({ kind: 'sent', key })
  rig.said.length = 0
  rig.ack('failed', 'valve')
  t.match(actionsIn(rig.said)[1], { action: 'abort', target: 'test', rule: 'valve', state: 'PROPOSED' })
  t.equal(actionsIn(rig.said)[2]?.state, 'GATE_PASSED')
})

// verifies SE-14
t.test('an action has a key of its own, which is the same for equal rigs', async (t) => {
  const keys = (): string[] => {
    const rig = armedRig(policy({ rules: [rule({ rearm: 'auto', params: { ramp_ms: 5 } })] }))
    for (let k = 0; k < 3; k += 1) {
      rig.slides(2, HIGH)
      rig.input({ kind: 'cancel', key: rig.key(), by: 'agent', reason: '' })
      rig.slides(1, HIGH)
      carryOut(rig)
      rig.slides(CLEAR, {})
    }
    return actionsIn(rig.said).flatMap(({ from, key }) => (from === null ? [key] : []))
  }
  const found = keys()
  t.equal(new Set(found).size, 6)
  t.same(found, keys())
  t.same(JSON.parse(found[0]!), {
    rig: 'loop',
    config: 'c0ffee',
    rule: 'over_pressure',
    origin: 'rule',
    episode: 1,
    start_us: T0 + 7 * SLIDE_US,
    proposal: 1,
    action: 'shutdown',
    target: 'pump',
    params: { ramp_ms: 5 },
  })
})
