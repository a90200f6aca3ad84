import t from 'tap'
import { BUDGET_SPENDS_MAX, budgetReasons, createBudgets, spend } from '../../../../agent/core/safety/budget.ts'
import type { Action } from '../../../../shared/model/action.ts'
import type { Budget, Rule } from '../../../../shared/model/actions-policy.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  budget,
  CLEAR,
  carryOut,
  HIGH,
  policy,
  rule,
  SafetyRig,
  statesIn,
  T0,
} from '../../../support/safety-rig.ts'

const rearms = (rig: SafetyRig): string[] =>
  rig.said.flatMap((one) => (one.kind === 'rule' ? [`${one.is} ${one.by}`] : []))

// verifies SE-19
t.test('a budget counts what was released inside its window, keeps its spacing and latches', async (t) => {
  const after = (
    of: Budget,
    spentUs: number[],
    nowUs: number,
    onto = 'pump',
    action: Action = 'failover',
  ): string[] => {
    const states = createBudgets([of])
    for (const at of spentUs) spend([of], states, { action: 'failover', target: 'pump', nowUs: T0 + at })
    return budgetReasons([of], states, { action, target: onto, nowUs: T0 + nowUs })
  }
  t.same(after(budget(), [], 0), [])
  t.same(after(budget(), [0], 500), [])
  t.same(after(budget(), [0, 1], 999), ['BUDGET:failover:pump 2/2 in 1ms'])
  t.same(after(budget(), [0, 1], 1_000), [])
  t.same(after(budget(), [0, 500, 1_000], 1_001), ['BUDGET:failover:pump 2/2 in 1ms'])
  t.same(after(budget(), [0, 1], -5)[0], 'BUDGET:failover:pump 2/2 in 1ms', 'a clock that went back')
  t.same(after(budget(), [0, 1], 999, 'fan'), [], 'another target')
  t.same(after(budget(), [0, 1], 999, 'pump', 'abort'), [], 'another action')
  t.same(after(budget({ target: '' }), [0, 1], 999, 'fan'), ['BUDGET:failover:* 2/2 in 1ms'], 'one for all targets')
  t.same(after(budget({ most: 0 }), [], 0), ['BUDGET:failover:pump 0/0 in 1ms'])
  t.same(after(budget({ most: Number.NaN }), [], 0).length, 1)
  const spaced = budget({ spacingUs: 7_000_000 })
  t.same(after(spaced, [0], 6_999_999), ['BUDGET:failover:pump spacing 6999ms<7000'], 'also beyond its window')
  t.same(after(spaced, [0], 7_000_000), [])
  t.same(after(spaced, [0], -1)[0], 'BUDGET:failover:pump spacing -1ms<7000')
  const latched = budget({ target: 'fan', latchUs: 9_000_000 })
  t.same(after(latched, [0], 8_999_999, 'fan'), ['BUDGET:failover:fan latch 8999ms<9000'], 'after any failover')
  t.same(after(latched, [0], 9_000_000, 'fan'), [])
  t.same(after(latched, [0], 5, 'pump'), [])
  const wide = budget({ most: 5_000, windowUs: 1e12 })
  const times = Array.from({ length: BUDGET_SPENDS_MAX + 5 }, (_, k) => k)
  t.same(after(wide, times.slice(0, BUDGET_SPENDS_MAX - 1), 2_000), [])
  t.same(after(wide, times, 2_000), [`BUDGET:failover:pump ${BUDGET_SPENDS_MAX}/${BUDGET_SPENDS_MAX} in 1000000000ms`])
  const states = createBudgets([wide, budget({ action: 'abort' })])
  for (const at of times)
    spend([wide, budget({ action: 'abort' })], states, { action: 'failover', target: 'pump', nowUs: at })
  t.equal(states[0]!.spentUs.length, BUDGET_SPENDS_MAX)
  t.same(states[1], { spentUs: [], latchedUs: null })
  const narrow = createBudgets([budget()])
  for (const at of [0, 100, 5_000]) spend([budget()], narrow, { action: 'failover', target: 'pump', nowUs: at })
  t.same(narrow[0]!.spentUs, [5_000], 'what is past its window is forgotten')
  spend([budget()], narrow, { action: 'failover', target: 'pump', nowUs: 5_999 })
  spend([budget()], narrow, { action: 'failover', target: 'pump', nowUs: 6_000 })
  t.same(narrow[0]!.spentUs, [5_999, 6_000])
})

// verifies SE-19
t.test('a budget that is used up is an alarm and leads to the next safe option', async (t) => {
  const hour = 3_600_000_000
  const budgets = [budget({ most: 1, windowUs: hour })]
  const failing = (escalation: Rule['escalation']) => rule({ action: 'failover', rearm: 'auto', escalation })
  const rig = armedRig(policy({ rules: [failing({ action: 'isolate', target: 'valve' })], budgets }))
  rig.slides(2, HIGH)
  carryOut(rig)
  rig.slides(CLEAR, {})
  t.same(rearms(rig), ['rearmed '])
  rig.said.length = 0
  rig.slides(2, HIGH)
  t.same(
    actionsIn(rig.said).map((one) => `${one.action} ${one.state}`),
    ['failover PROPOSED', 'failover GATE_DENIED', 'isolate PROPOSED', 'isolate GATE_PASSED'],
  )
  t.same(alarmsIn(rig.said), ['+denied:over_pressure CRITICAL', '+budget:over_pressure CRITICAL'])
  const said = rig.input({ kind: 'release', key: rig.key() })
  t.match(actionsIn(said)[0], { action: 'isolate', state: 'RELEASED', note: 'two_proofs' })
  rig.said.length = 0
  rig.slides(CLEAR, {})
  t.same(alarmsIn(rig.said).slice(0, 2), ['-denied:over_pressure', '-budget:over_pressure'])
  const spaced = [budget({ most: 9, windowUs: hour, spacingUs: 500_000 })]
  const waits = armedRig(policy({ rules: [failing(null)], budgets: spaced }))
  waits.input({ kind: 'manual', action: 'failover', target: 'pump', params: {}, by: ['ada', 'bob'], reason: '' })
  waits.input({ kind: 'release', key: waits.key() })
  waits.input({ kind: 'cancel', key: waits.key(), by: 'ada', reason: '' })
  waits.said.length = 0
  waits.slides(12, HIGH)
  t.same(alarmsIn(waits.said), [
    ...['+denied:over_pressure CRITICAL', '+budget:over_pressure CRITICAL'],
    ...['-denied:over_pressure', '-budget:over_pressure'],
  ])
  t.equal(statesIn(waits.said).at(-1), 'GATE_PASSED')
  const alone = armedRig(policy({ rules: [failing(null)], budgets: [budget({ most: 0 })] }))
  alone.slides(2, HIGH)
  t.same(statesIn(alone.said), ['PROPOSED', 'GATE_DENIED'])
  const passive = new SafetyRig(
    policy({ rules: [failing({ action: 'isolate', target: 'valve' })], budgets: [budget({ most: 0 })] }),
  )
  passive.slides(5, HIGH)
  t.same(statesIn(passive.said), ['PROPOSED', 'GATE_DENIED'], 'nothing follows where nobody armed')
  t.ok(alarmsIn(passive.said).includes('+budget:over_pressure WARNING'))
})

// verifies SE-19
t.test('what is not released costs no budget', async (t) => {
  const budgets = [budget({ action: 'shutdown', most: 1, windowUs: 1e12 })]
  const rig = new SafetyRig(policy({ budgets }))
  rig.slides(10, HIGH)
  t.same(statesIn(rig.said), ['PROPOSED', 'WOULD_HAVE_DONE'])
  rig.arm()
  rig.slides(1, HIGH)
  rig.input({ kind: 'disarm', by: 'ada', reason: '' })
  t.same(rig.state.budgets, createBudgets(budgets))
  rig.arm()
  rig.slides(1, HIGH)
  rig.input({ kind: 'release', key: rig.key() })
  t.equal(rig.state.budgets[0]!.spentUs.length, 1)
})
