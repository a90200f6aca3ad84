import t from 'tap'
import { carryOver } from '../../../../agent/core/safety/carry-over.ts'
import { createSafety } from '../../../../agent/core/safety/state.ts'
import type { RigPolicy } from '../../../../shared/model/actions-policy.ts'
import { armedRig, budget, HIGH, over, policy, rigIn, rule } from '../../../support/safety-rig.ts'

const kept = rule({ id: 'kept' })
const other = rule({
  id: 'other',
  action: 'notify',
  target: 'desk',
  conditions: [over('q_a'), over('q_b'), over('q_c')],
})
const budgets = [budget(), budget({ action: 'shutdown', most: 5 })]
const BEFORE = policy({ rules: [other, kept], budgets })

// verifies SE-39
t.test('under the same policy everything stays, the very same', async (t) => {
  const rig = armedRig(BEFORE)
  rig.slides(2, HIGH)
  const now = policy({ rules: [other, kept], budgets })
  const { kernel, changes } = carryOver(rig.state, { before: BEFORE, now, nowUs: 7 })
  t.equal(kernel, rig.state)
  t.same(changes, [])
})

// verifies SE-39
t.test('under another policy what stayed the same keeps its counters, and nothing is armed', async (t) => {
  const rig = armedRig(BEFORE)
  rig.start(HIGH)
  rig.state.latesDropped = 3
  rig.state.manuals = 4
  rig.state.inhibited = 5
  const changed: RigPolicy = policy({
    rules: [kept, { ...other, clearUs: 1 }, rule({ id: 'new', action: 'degrade' })],
    budgets: [budgets[1]!, budget({ most: 9 })],
  })
  const { kernel } = carryOver(rig.state, { before: BEFORE, now: changed, nowUs: 7 })
  const fresh = createSafety(changed)
  t.same(kernel.rules, [rig.state.rules[1], fresh.rules[1], fresh.rules[2]])
  t.equal(kernel.rules[0]!.shot, 'spent', 'a shot that was fired is not there again')
  t.same(kernel.budgets, [rig.state.budgets[1], fresh.budgets[1]])
  t.equal(kernel.budgets[0]!.spentUs.length, 1)
  t.same(kernel.arm, fresh.arm)
  t.same(kernel.open, [])
  t.match(kernel, { latesDropped: 3, manuals: 4, inhibited: 5, done: rig.state.done, alarms: rig.state.alarms })
})

// verifies SE-21, SE-39
t.test('what people took off is off under another policy too, and nothing is said of it', async (t) => {
  const rig = armedRig(BEFORE)
  rig.input({ kind: 'off', by: 'ada', reason: 'rebuilt' })
  const { kernel, changes } = carryOver(rig.state, { before: BEFORE, now: policy({ rules: [kept] }), nowUs: 7 })
  t.same(kernel.arm, rig.state.arm)
  t.equal(kernel.arm.state, 'OFF')
  t.match(kernel.alarms, [{ id: 'off' }], 'its alarm stands for it')
  t.same(changes, [])
})

// verifies SE-22, SE-39
t.test(
  'an action that was not sent is cancelled, one that was is revoked, and the end of the arm is said',
  async (t) => {
    const ends = { GATE_PASSED: 'CANCELLED', RELEASED: 'CANCELLED', SENT: 'REVOKED', STARTED: 'REVOKED' }
    for (const [state, end] of Object.entries(ends)) {
      const rig = rigIn(state)
      const open = rig.state.open[0]!
      const { changes } = carryOver(rig.state, { before: rig.policy, now: BEFORE, nowUs: 7 })
      t.match(changes, [
        { kind: 'action', key: open.key, rig: 'loop', from: state, state: end, reasons: ['CONFIG_CHANGED'], nowUs: 7 },
        { kind: 'arm', state: 'PASSIVE', reason: 'CONFIG_CHANGED', untilUs: 0, by: [] },
      ])
      rig.input({ kind: 'disarm', by: 'ada', reason: '' })
      const quiet = carryOver(rig.state, { before: rig.policy, now: BEFORE, nowUs: 7 }).changes
      t.same(
        quiet.filter(({ kind }) => kind === 'arm'),
        [],
        'what was not armed does not end',
      )
    }
  },
)
