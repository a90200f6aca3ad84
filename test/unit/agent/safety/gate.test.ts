import t from 'tap'
import { armReasons } from '../../../../agent/core/safety/arming.ts'
import { basisReasons, preempts, priorityOf } from '../../../../agent/core/safety/gate.ts'
import type { Seen } from '../../../../agent/core/safety/seen.ts'
import { ACTIONS, type Action } from '../../../../shared/model/action.ts'
import type { Interlock, RigPolicy, Rule } from '../../../../shared/model/actions-policy.ts'
import { PROVENANCES } from '../../../../shared/model/telemetry.ts'
import { MODES } from '../../../../shared/model/verdict.ts'
import {
  actionsIn,
  armedRig,
  FRESH_US,
  hazard,
  over,
  policy,
  type Reading,
  type Readings,
  refusalsIn,
  rule,
  type SafetyRig,
  seenAt,
  statesIn,
  T0,
  target,
} from '../../../support/safety-rig.ts'

/** Two of three are high: every gate of the rule lets this pass. Each case changes one thing. */
const HIGH: Record<string, Reading> = { p_a: { value: 9 }, p_b: { value: 9 }, p_c: { value: 5 } }

type Case = {
  name: string
  reasons: string[]
  rule?: Partial<Rule>
  policy?: Partial<RigPolicy>
  readings?: Readings
  seen?: Partial<Seen>
  /** Done to the armed rig before the demand. */
  before?: (rig: SafetyRig) => void
  /** It stands between proposal and release only. */
  release?: string[] | null
}

const onCard = (metric: string, card: string, value = 9): Reading => ({
  value,
  trail: { metric, leaves: [`T-${metric}`], groups: [`daq:${card}`], declared: true },
})

const interlock = (change: Partial<Interlock> = {}): Interlock => ({
  id: 'relief',
  assume: over('p_c', { id: 'assume', persistence: { k: 1, n: 1 } }),
  guarantee: over('flow', { id: 'guarantee', persistence: { k: 1, n: 1 } }),
  blocks: [{ action: 'shutdown', target: 'pump' }],
  ...change,
})
const inhibit = (rig: SafetyRig, of: { rule?: string; action?: Action }): void => {
  const { nowUs } = rig.seen()
  rig.input({
    kind: 'inhibit',
    rule: of.rule ?? null,
    action: of.action ?? null,
    untilUs: nowUs + 3_600_000_000,
    by: ['ada', 'bob'],
    reason: 'proof test',
  })
}

const CASES: Case[] = [
  {
    name: 'one card',
    readings: { ...HIGH, p_a: onCard('p_a', '7'), p_b: onCard('p_b', '7') },
    reasons: ['NOT_INDEPENDENT:daq:7'],
  },
  {
    name: 'not stated',
    readings: { ...HIGH, p_a: { value: 9, trail: { metric: 'p_a', leaves: ['x'], groups: [], declared: false } } },
    reasons: ['NOT_INDEPENDENT:undeclared'],
  },
  {
    name: 'one publisher',
    readings: { ...HIGH, p_a: { value: 9, publisher: 'box' }, p_b: { value: 9, publisher: 'box' } },
    reasons: ['NOT_INDEPENDENT:publisher:box'],
  },
  { name: 'far apart', readings: { ...HIGH, p_a: { value: 9, ageUs: 210_001 } }, reasons: ['COINCIDENCE 200ms>200'] },
  {
    name: 'far apart the other way',
    readings: { ...HIGH, p_b: { value: 9, ageUs: 400_000 } },
    reasons: ['COINCIDENCE 390ms>200'],
  },
  ...PROVENANCES.filter((one) => one !== 'live').map((provenance) => ({
    name: `provenance ${provenance}`,
    readings: { ...HIGH, p_a: { value: 9, provenance } },
    reasons: [`PROVENANCE:${provenance} p_a`],
  })),
  ...(['late', 'replay', 'overridden'] as const).map((provenance) => ({
    name: `provenance ${provenance} on a testbed`,
    policy: { testbed: true },
    readings: { ...HIGH, p_b: { value: 9, provenance } },
    reasons: [`PROVENANCE:${provenance} p_b`],
  })),
  ...MODES.filter((mode) => !['nominal', 'degraded', 'emergency'].includes(mode)).map((mode) => ({
    name: `mode ${mode}`,
    seen: { mode },
    reasons: [`MODE:${mode}`],
    release: [`MODE_CHANGED:nominal>${mode}`, `MODE:${mode}`],
  })),
  { name: 'confidence', seen: { baseline: { kind: 'golden', confidence: 0.4 } }, reasons: ['CONF 0.4<0.9'] },
  {
    name: 'confidence NaN',
    seen: { baseline: { kind: 'golden', confidence: Number.NaN } },
    reasons: ['CONF NaN<0.9', 'BASELINE:no_confidence'],
  },
  {
    name: 'decayed',
    rule: { minConfidence: 0 },
    seen: { baseline: { kind: 'golden', confidence: 0 } },
    reasons: ['BASELINE:no_confidence'],
  },
  {
    name: 'draft',
    seen: { baseline: { kind: 'draft', confidence: 0.95 } },
    reasons: ['BASELINE:draft'],
    release: ['BASELINE_CHANGED:golden>draft', 'BASELINE:draft'],
  },
  {
    name: 'rolling',
    seen: { baseline: { kind: 'rolling', confidence: 0.95 } },
    reasons: ['BASELINE:rolling'],
    release: ['BASELINE_CHANGED:golden>rolling', 'BASELINE:rolling'],
  },
  {
    name: 'none',
    seen: { baseline: null },
    reasons: ['BASELINE:none', 'CONF 0<0.9'],
    release: ['BASELINE_CHANGED:golden>none', 'BASELINE:none', 'CONF 0<0.9'],
  },
  {
    name: 'no hazard',
    policy: { hazards: [hazard('shutdown', 'other'), hazard('abort', 'pump')] },
    reasons: ['UNDECLARED:shutdown:pump'],
    release: null,
  },
  { name: 'no target', policy: { targets: [target('other')] }, reasons: ['NO_TARGET:pump'], release: null },
  {
    name: 'rule inhibited',
    before: (rig) => inhibit(rig, { rule: 'over_pressure' }),
    reasons: ['INHIBITED:rule:over_pressure'],
    release: null,
  },
  {
    name: 'action inhibited',
    before: (rig) => inhibit(rig, { action: 'shutdown' }),
    reasons: ['INHIBITED:action:shutdown'],
    release: null,
  },
  {
    name: 'interlock violated',
    policy: { interlocks: [interlock()] },
    readings: { ...HIGH, p_a: { value: 9 }, p_b: { value: 9 }, p_c: { value: 9 }, flow: { value: 5 } },
    reasons: ['INTERLOCK:relief flow FALSE'],
    release: null,
  },
  {
    name: 'budget',
    policy: {
      budgets: [{ action: 'shutdown', target: 'pump', most: 0, windowUs: 3_600_000_000, spacingUs: 0, latchUs: 0 }],
    },
    reasons: ['BUDGET:shutdown:pump 0/0 in 3600000ms'],
    release: null,
  },
]

// verifies SE-06, SE-07, SE-08, SE-10, SE-11, SE-12, SE-19
t.test('each gate alone denies a demand that all others let pass, and says so', async (t) => {
  const well = armedRig()
  well.slides(3, HIGH)
  t.same(statesIn(well.said), ['PROPOSED', 'GATE_PASSED'], 'all well')
  for (const one of CASES) {
    const rig = armedRig(policy({ rules: [rule(one.rule)], ...one.policy }))
    one.before?.(rig)
    rig.said.length = 0
    rig.slides(3, one.readings ?? HIGH, one.seen ?? {})
    const said = actionsIn(rig.said)
    t.same(
      said.map(({ state }) => state),
      ['PROPOSED', 'GATE_DENIED'],
      one.name,
    )
    t.same(said[1]?.reasons, one.reasons, one.name)
    t.same(rig.state.rules[0]!.shot, 'ready', `${one.name} spends no shot`)
    t.same(rig.state.open, [], one.name)
  }
})

// verifies SE-08
t.test('members that are as far apart as may be coincide', async (t) => {
  const rig = armedRig()
  rig.slides(2, { p_a: { value: 9, ageUs: 10_000 }, p_b: { value: 9, ageUs: 210_000 } })
  t.same(statesIn(rig.said), ['PROPOSED', 'GATE_PASSED'])
})

// verifies SE-22
t.test('an arm holds until its time, for what it was given for', async (t) => {
  const arm = { state: 'ARMED', untilUs: T0, config: 'c0ffee', by: ['ada', 'bob'] } as const
  const of = (change: object, nowUs = T0 - 1): string[] => {
    const state = { ...armedRig().state, arm: { ...arm, by: [...arm.by], ...change } }
    return armReasons(state, seenAt(T0, {}, { nowUs }))
  }
  t.same(of({}), [])
  t.same(of({}, T0), ['NOT_ARMED:EXPIRED'])
  t.same(of({}, Number.NaN), ['NOT_ARMED:EXPIRED'])
  t.same(of({ config: 'x' }), ['NOT_ARMED:CONFIG_CHANGED'])
  t.same(of({ state: 'PASSIVE' }), ['NOT_ARMED:PASSIVE'])
  t.same(of({ state: 'OFF' }), ['NOT_ARMED:OFF'])
})

// verifies SE-09
t.test('each gate is evaluated again at the release', async (t) => {
  for (const one of CASES) {
    if (one.release === null) continue
    const rig = armedRig(policy({ rules: [rule(one.rule)], ...one.policy }))
    rig.slides(2, HIGH)
    const key = rig.key()
    rig.readings = one.readings ?? HIGH
    const said = actionsIn(rig.input({ kind: 'release', key }, one.seen ?? {}))
    t.same(
      said.map(({ state }) => state),
      ['CANCELLED'],
      one.name,
    )
    t.same(said[0]?.reasons, one.release ?? one.reasons, one.name)
    t.equal(rig.state.rules[0]!.shot, 'ready', one.name)
    rig.readings = HIGH
    t.same(statesIn(rig.slides(1)), ['PROPOSED', 'GATE_PASSED'], `${one.name}: proposed anew`)
    t.not(rig.key(), key, `${one.name}: under another key`)
    const again = rig.input({ kind: 'release', key: rig.key() })
    t.same(statesIn(again), ['RELEASED'], one.name)
  }
})

// verifies SE-09
t.test('a demand that is gone, not seen or under another configuration is not released', async (t) => {
  const table: [string, Readings, Partial<Seen>, string[]][] = [
    ['gone', { p_a: 5, p_b: 9 }, {}, ['NO_DEMAND', 'FALSE:p_a_high', 'FALSE:p_c_high']],
    ['silent', { p_a: null, p_b: 9 }, {}, ['NO_DEMAND', 'STALE:p_a never seen', 'FALSE:p_c_high']],
    [
      'old',
      { p_a: { value: 9, ageUs: FRESH_US + 312_000 }, p_b: { value: 9, ageUs: FRESH_US + 312_000 } },
      {},
      ['NO_DEMAND', 'STALE:p_a 812ms>500', 'STALE:p_b 812ms>500', 'FALSE:p_c_high'],
    ],
    ['clock', HIGH, { clockStepped: true }, ['NO_DEMAND', 'CLOCK_STEP', 'CLOCK_STEP', 'CLOCK_STEP', 'CLOCK_STEP']],
  ]
  for (const [name, readings, change, reasons] of table) {
    const rig = armedRig()
    rig.slides(2, HIGH)
    rig.readings = readings
    const [said] = actionsIn(rig.input({ kind: 'release', key: rig.key() }, change))
    t.equal(said?.state, 'CANCELLED', name)
    t.same(said?.reasons, reasons, name)
  }
  const rig = armedRig()
  rig.slides(2, HIGH)
  const said = rig.input({ kind: 'release', key: rig.key() }, { config: 'another' })
  t.same(statesIn(said), ['REVOKED'])
  t.same(refusalsIn(said), ['STATE:REVOKED'])
})

// verifies SE-09
t.test('everything that a proposal rests on must be as it was', async (t) => {
  const basis = { config: 'a', mode: 'nominal', baseline: 'golden', arm: 'ARMED 1' }
  t.same(basisReasons(basis, { ...basis }), [])
  t.same(basisReasons(basis, { ...basis, config: 'b' }), ['CONFIG_CHANGED'])
  t.same(basisReasons(basis, { ...basis, mode: 'test' }), ['MODE_CHANGED:nominal>test'])
  t.same(basisReasons(basis, { ...basis, baseline: 'none' }), ['BASELINE_CHANGED:golden>none'])
  t.same(basisReasons(basis, { ...basis, arm: 'ARMED 2' }), ['ARM_CHANGED'])
  const rig = armedRig()
  rig.slides(2, HIGH)
  rig.endUs += 1
  rig.arm()
  const [said] = actionsIn(rig.input({ kind: 'release', key: rig.key() }))
  t.same(said?.reasons, ['ARM_CHANGED'], 'armed anew between proposal and release')
})

// verifies SE-20
t.test('priority is the order of the policy; what it does not name comes last', async (t) => {
  const of = policy({ priority: ['abort', 'shutdown', 'notify'] })
  t.same(
    ACTIONS.map((action) => priorityOf(of, action)),
    [2, 3, 3, 3, 3, 0, 1],
  )
  const usual = policy()
  const on = (action: Action, name = 'pump') => ({ action, target: name })
  const table: [ReturnType<typeof on>, ReturnType<typeof on>, boolean][] = [
    [on('shutdown'), on('abort'), true],
    [on('abort'), on('shutdown'), false],
    [on('abort'), on('abort'), false],
    [on('failover'), on('degrade'), true],
    [on('failover'), on('degrade', 'fan'), false],
    [on('shutdown'), on('degrade', 'fan'), true],
    [on('shutdown'), on('abort', 'fan'), false],
    [on('isolate'), on('failover', 'fan'), true],
    [on('shutdown'), on('notify'), false],
    [on('degrade'), on('rate_limit'), true],
  ]
  for (const [higher, lower, expected] of table)
    t.equal(
      preempts(usual, higher, lower),
      expected,
      `${higher.action} ${higher.target} over ${lower.action} ${lower.target}`,
    )
})
