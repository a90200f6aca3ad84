import t from 'tap'
import { changed, inLoop, LOOP_ACTIONS, LOOP_REGISTRY, parsedLoop } from '../../support/policy-texts.ts'

/** Mistakes of the policy of the loop with one part of it changed. */
const broken = (from: string, to: string) => inLoop({ actions: changed(LOOP_ACTIONS, from, to) })
const rule = LOOP_ACTIONS.slice(
  LOOP_ACTIONS.indexOf('  - id: over-pressure'),
  LOOP_ACTIONS.indexOf('  - id: high-pressure'),
)
const hazard = LOOP_ACTIONS.slice(
  LOOP_ACTIONS.indexOf('  - action: shutdown'),
  LOOP_ACTIONS.indexOf('  - action: isolate'),
)
const conditionC = rule.split('\n').find((line) => line.includes('id: c,'))!

// verifies SE-01
t.test('an action that nobody weighed refuses the file, and so does each part of weighing that is left out', (t) => {
  t.match(broken(hazard, ''), [
    { key: 'rules[0].action', found: 'no hazard of shutdown on `pump`', hint: /how bad it is/ },
  ])
  for (const key of ['inadvertent', 'omission', 'reason', 'ftti_ms', 'safe_state'])
    t.match(
      broken(hazard, hazard.replace(new RegExp(`^    ${key}:.*\\n`, 'm'), '')),
      [{ key: `hazards[0].${key}`, found: 'nothing' }],
      key,
    )
  const isolate = LOOP_ACTIONS.slice(
    LOOP_ACTIONS.indexOf('  - action: isolate'),
    LOOP_ACTIONS.indexOf('  - action: notify'),
  )
  t.match(broken(isolate, ''), [{ key: 'rules[0].escalation.action', found: 'no hazard of isolate inlet-valve' }])
  t.match(broken(hazard, hazard.replace(/^ {4}verify:.*\n/m, '')), [{ key: 'hazards[0].verify', found: 'nothing' }])
  t.same(inLoop({}), [], 'notify alone needs no channel that shows it')
  t.end()
})

// verifies SE-02
t.test(
  'the vote is the one the hazard asks for, with as many conditions, and says what follows when nobody can tell',
  (t) => {
    t.match(broken('vote: 2oo3', 'vote: 2oo2'), [
      { key: 'rules[0].vote', expected: '2oo3' },
      { key: 'rules[0].conditions', expected: '2, for 2oo2' },
    ])
    t.match(broken('vote: 2oo3', 'vote: 1ooN'), [{ key: 'rules[0].vote', hint: /^both are bad/ }])
    t.match(broken(hazard, hazard.replace('inadvertent: critical', 'inadvertent: none')), [
      {
        key: 'rules[0].vote',
        expected: '1ooN',
        found: '2oo3, with an action that is none unasked and critical when it does not come',
      },
    ])
    t.match(broken(hazard, hazard.replace('omission: critical', 'omission: marginal')), [{ expected: '2oo2' }])
    t.match(broken(`${conditionC}\n`, ''), [
      { key: 'rules[0].conditions', found: '2 conditions', expected: '3, for 2oo3' },
    ])
    t.match(broken('    on_unknown: safe_state\n', ''), [{ key: 'hazards[0].on_unknown', hint: /shutdown must work/ }])
    t.end()
  },
)

// verifies SE-04
t.test('no hard action hangs on one condition, and no switch turns that off', (t) => {
  const oneOnly = rule
    .replace('vote: 2oo3', 'vote: 1ooN')
    .split('\n')
    .filter((line) => !/id: [bc],/.test(line))
    .join('\n')
  const mustWork = hazard.replace('inadvertent: critical', 'inadvertent: marginal')
  const actions = changed(changed(LOOP_ACTIONS, rule, oneOnly), hazard, mustWork)
  t.match(inLoop({ actions }), [
    { key: 'rules[0].conditions', found: 'one condition', expected: 'at least two, for shutdown' },
  ])
  t.match(broken('targets:\n', 'safety_gate: { require_two_conditions: false }\ntargets:\n'), [
    { key: 'safety_gate.require_two_conditions', found: 'false' },
  ])
  t.end()
})

// verifies SE-17
t.test('a verify condition that the target has a hand in, or of which nobody knows that, refuses the file', (t) => {
  const flow = (from: string, to: string) => inLoop({ registry: changed(LOOP_REGISTRY, from, to) })
  t.match(flow('publisher: daq-3', 'publisher: plc-1'), [
    { key: 'hazards[0].verify.metric', found: '`flow`, which `pump` has a hand in' },
  ])
  t.match(flow('power: psu-3', 'power: PSU-5'), [{ key: 'hazards[0].verify.metric' }], 'in whatever case it is written')
  const unknown = { key: 'hazards[0].verify.metric', found: '`flow`, which does not say where it comes from' }
  t.match(flow('    source: FT-201\n', ''), [unknown, { key: 'hazards[1].verify.metric' }])
  t.match(flow('    publisher: daq-3\n', ''), [unknown, {}])
  for (const kind of [
    'sensor: pipe-3, ',
    'daq: daq-3, ',
    'bus: link-3, ',
    'power: psu-3, ',
    'clock: clock-3, ',
    ', host: edge-3',
  ])
    t.match(flow(kind, ''), [unknown, {}], `without ${kind}`)
  const speed =
    '  pump_speed: { unit: rpm, nominal_rate_hz: 200, required: false, baseline_required: false, invariant_max: 4000, derived_from: [flow], publisher: plc-1 }\n'
  const actions = changed(
    LOOP_ACTIONS,
    'metric: flow, window_ms: 250, op: "<", value: 1, within_ms: 1500',
    'metric: pump_speed, window_ms: 250, op: "<", value: 1, within_ms: 1500',
  )
  t.match(
    inLoop({ actions, registry: LOOP_REGISTRY + speed }),
    [{ found: '`pump_speed`, which `pump` has a hand in' }],
    'who computes it has a hand in it',
  )
  t.match(
    broken(
      'verify: { metric: flow, window_ms: 250, op: "<", value: 1, within_ms: 1500 }',
      'verify: { overall: [PASS], within_ms: 1500 }',
    ),
    [{ key: 'hazards[0].verify' }],
  )
  t.end()
})

// verifies SE-19
t.test('a failover has a budget with a latch, or the file is refused', (t) => {
  const failover = changed(LOOP_ACTIONS, rule, rule.replace('action: shutdown', 'action: failover')).replace(
    '  - action: shutdown\n    target: pump\n    inadvertent',
    '  - action: failover\n    target: pump\n    inadvertent',
  )
  const budget = '  - { action: shutdown, target: pump, most: 2, window_ms: 3600000, spacing_ms: 60000 }'
  const with_ = (text: string) =>
    inLoop({
      actions: changed(
        failover.replace('      - { action: shutdown, target: pump }', '      - { action: failover, target: pump }'),
        budget,
        text,
      ),
    })
  t.match(with_(budget), [{ key: 'rules[0].action', found: 'failover on `pump` without a budget' }])
  t.match(with_(budget.replace('shutdown', 'failover')), [{ key: 'budgets[0].latch_ms', found: '0' }])
  t.same(with_(budget.replace('shutdown', 'failover').replace('spacing_ms', 'latch_ms: 600000, spacing_ms')), [])
  t.end()
})

t.test('an escalation that comes back to where it began is refused, however long its way', (t) => {
  const back = `${rule.replace('over-pressure', 'back').replace('action: shutdown\n    target: pump', 'action: isolate\n    target: inlet-valve').replace('vote: 2oo3', 'vote: 1ooN').replace('{ action: isolate, target: inlet-valve }', '{ action: shutdown, target: pump }')}`
  t.match(inLoop({ actions: changed(LOOP_ACTIONS, rule, rule + back) }), [
    { key: 'rules[0].escalation', found: 'a cycle: shutdown pump → isolate inlet-valve → shutdown pump' },
    { key: 'rules[1].escalation', found: 'a cycle: isolate inlet-valve → shutdown pump → isolate inlet-valve' },
  ])
  t.end()
})

// verifies SE-34
t.test('a permit is held by an actuator alone, and for no longer than there is until harm', (t) => {
  const pump = LOOP_ACTIONS.slice(LOOP_ACTIONS.indexOf('  - name: pump'), LOOP_ACTIONS.indexOf('  - name: inlet-valve'))
  const holding = (ms: number) => broken(pump, `${pump}    permit_hold_ms: ${ms}\n`)
  t.same(holding(2600), [], 'as long as its fault tolerant time')
  t.match(holding(2601), [{ key: 'targets[0].permit_hold_ms', found: '2601 ms, with an ftti_ms of 2600' }])
  t.same(holding(400), [], 'eight slides')
  t.match(holding(399), [{ key: 'targets[0].permit_hold_ms', expected: '400 ms or more' }])
  t.match(holding(49), [{ key: 'targets[0].permit_hold_ms' }], 'not shorter than anybody can stroke')
  t.match(
    broken('ftti_ms: 2600', 'ftti_ms: 399').filter(({ found }) => found.includes('de_energise')),
    [{ key: 'hazards[0].ftti_ms', found: '399 ms, with de_energise' }],
    'nor is one that nobody wrote down',
  )
  t.match(
    inLoop({ actions: LOOP_ACTIONS.replace('executor: actuator', 'executor: webhook') }).filter(({ key }) =>
      key.endsWith('loss_of_permit'),
    ),
    [
      {
        key: 'hazards[0].loss_of_permit',
        found: 'de_energise on `pump`, a webhook',
        expected: '`none`, or an actuator',
      },
    ],
  )
  const isolate = 'executor: webhook\n    groups: [publisher:plc-2'
  t.match(
    inLoop({ actions: changed(LOOP_ACTIONS, 'executor: actuator\n    groups: [publisher:plc-2', isolate) }).filter(
      ({ key }) => key.endsWith('loss_of_permit'),
    ),
    [{ key: 'hazards[1].loss_of_permit' }],
    'also where de_energise is what is left out',
  )
  const holds = (actions: string) =>
    parsedLoop({ actions })
      .policies.get('pressure-loop')
      ?.targets.map(({ permitHoldUs }) => permitHoldUs ?? null)
  t.same(holds(LOOP_ACTIONS), [1_000_000, 1_000_000, null], 'a second, where a hazard asks for it')
  t.same(holds(changed(LOOP_ACTIONS, pump, `${pump}    permit_hold_ms: 450\n`)), [450_000, 1_000_000, null])
  t.end()
})

// verifies SE-42
t.test('what cannot be rehearsed has no date for it', (t) => {
  const peer = 'executor: peer\n    proof_every_h: 24'
  t.match(
    inLoop({ actions: LOOP_ACTIONS.replace('executor: actuator', peer) }).filter(({ key }) =>
      key.endsWith('proof_every_h'),
    ),
    [{ key: 'targets[0].proof_every_h', found: 'a proof test of a peer' }],
  )
  t.end()
})
