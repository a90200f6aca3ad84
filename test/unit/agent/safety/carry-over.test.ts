import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { carryOver } from '../../../../agent/core/safety/carry-over.ts'
import { createSafety } from '../../../../agent/core/safety/state.ts'
import { listFiles, ROOT } from '../../../../scripts/sources.ts'
import type { RigPolicy } from '../../../../shared/model/actions-policy.ts'
import {
  alarmsIn,
  armedRig,
  budget,
  CLEAR,
  HIGH,
  hazard,
  over,
  policy,
  refusalsIn,
  rigIn,
  rule,
  SafetyRig,
  statesIn,
} from '../../../support/safety-rig.ts'

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
  t.same(kernel.rules, [rig.state.rules[1], fresh.rules[1], fresh.rules[2]], 'one that is edited sees anew')
  t.equal(kernel.rules[0]!.shot, 'spent', 'a shot that was fired is not there again')
  t.same(kernel.budgets, [rig.state.budgets[1], fresh.budgets[1]])
  t.equal(kernel.budgets[0]!.spentUs.length, 1)
  t.same(kernel.arm, fresh.arm)
  t.same(kernel.open, [])
  t.match(kernel, { latesDropped: 3, manuals: 4, inhibited: 5, alarms: rig.state.alarms })
  const [open] = rig.state.open
  t.match(
    kernel.done,
    [{ key: open!.key, state: 'REVOKED', rule: 'kept', lates: 0 }],
    'what its peer says now finds it',
  )
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

/** Words of alarms that the kernel raises about something that a policy names. */
const ABOUT = [
  ...new Set(
    listFiles('agent/core/safety').flatMap((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8')
      return [...text.matchAll(/raise(?:Anew)?\(run, `([a-z_]+):|const id = `([a-z_]+):|'([a-z_]+_failed)'/g)].map(
        ([, a, b, c]) => a ?? b ?? c!,
      )
    }),
  ),
].filter((word) => word !== '')

// verifies SE-39
t.test('every alarm about what is gone with a policy is over, and that is said; no other is', async (t) => {
  t.ok(ABOUT.length >= 12, ABOUT.join(', '))
  const withNext = rule({ id: 'kept', escalation: { action: 'isolate', target: 'valve' } })
  const before = policy({ rules: [withNext, other, rule({ id: 'old' })] })
  const now = policy({ rules: [{ ...withNext, escalation: null }], hazards: [hazard('shutdown', 'pump')] })
  const subjects: Record<string, [string[], string[]]> = {
    inhibited: [['rule:kept', 'action:shutdown', 'action:isolate'], ['rule:old']],
    inhibit_expired: [
      ['rule:kept', 'action:shutdown'],
      ['rule:old', 'action:notify'],
    ],
    permit_lost: [['pump'], ['desk']],
    proof_overdue: [['pump'], ['desk']],
    stranger: [['pump'], ['desk']],
  }
  const ofAction: [string[], string[]] = [
    ['kept', 'manual:shutdown:pump'],
    ['old', 'kept/escalation', 'old/escalation', 'manual:notify:desk', 'manual:shutdown:desk'],
  ]
  for (const about of ABOUT) {
    const [there, gone] = subjects[about] ?? ofAction
    const rig = armedRig(before)
    const ids = [...there, ...gone].map((subject) => `${about}:${subject}`)
    rig.state.alarms = ids.map((id) => ({ id, severity: 'WARNING' }))
    rig.state.inhibits = ['rule:kept', 'action:isolate'].map((subject) => ({
      subject,
      untilUs: 9,
      by: ['ada', 'bob'],
      reason: '',
    }))
    const { kernel, changes } = carryOver(rig.state, { before, now, nowUs: 7 })
    t.same(
      kernel.alarms.map(({ id }) => id),
      there.map((subject) => `${about}:${subject}`),
    )
    t.same(
      alarmsIn(changes),
      gone.map((subject) => `-${about}:${subject}`),
    )
    t.equal(rig.state.alarms.length, ids.length, 'what was known before is as it was')
  }
  const rig = armedRig(before)
  rig.state.alarms = ['off', 'arm_dropped', 'break_glass_over'].map((id) => ({ id, severity: 'WARNING' }))
  t.equal(carryOver(rig.state, { before, now, nowUs: 7 }).kernel.alarms.length, 3, 'those about the rig stand')
})

// verifies SE-27, SE-39
t.test('a bypass of a rule that is gone is over with it, and that is said', async (t) => {
  const rig = armedRig(BEFORE)
  const untilUs = rig.seen().nowUs + 1_000_000
  for (const id of ['kept', 'other'])
    rig.input({ kind: 'inhibit', rule: id, action: null, untilUs, by: ['ada', 'bob'], reason: 'test' })
  const { kernel, changes } = carryOver(rig.state, { before: BEFORE, now: policy({ rules: [kept] }), nowUs: 7 })
  t.match(kernel.inhibits, [{ subject: 'rule:kept' }])
  t.same(
    kernel.alarms.map(({ id }) => id),
    ['inhibited:rule:kept'],
  )
  t.match(
    changes.filter(({ kind }) => kind !== 'arm'),
    [
      { kind: 'inhibit', subject: 'rule:other', active: false, by: ['ada', 'bob'], count: 2 },
      { kind: 'alarm', id: 'inhibited:rule:other', active: false },
    ],
  )
})

/** The same rule, for which data are stale sooner. */
const EDITED = rule({
  id: 'kept',
  rearm: 'auto',
  conditions: [over('p_a'), over('p_b'), over('p_c', { freshUs: 400_000 })],
})

/** Puts a policy in force over what a rig knows; two people arm it when its rules have seen something. */
function under(rig: SafetyRig, now: RigPolicy): SafetyRig {
  const next = new SafetyRig(now)
  const { kernel, changes } = carryOver(rig.state, { before: rig.policy, now, nowUs: rig.seen().nowUs })
  Object.assign(next, { state: kernel, endUs: rig.endUs })
  next.said.push(...changes)
  next.slides(5, rig.readings)
  next.arm()
  return next
}

// verifies SE-17, SE-18, SE-39
t.test('a rule that waits for a person waits for one after it was edited, and a person arms it', async (t) => {
  const before = policy({ rules: [rule({ id: 'kept', rearm: 'auto' })] })
  const rig = armedRig(before)
  rig.start(HIGH)
  rig.slides(21, HIGH)
  t.equal(statesIn(rig.said).at(-1), 'VERIFY_FAILED')
  const next = under(rig, policy({ rules: [EDITED] }))
  t.match(next.state.rules[0], { shot: 'spent', needsPerson: true, inEpisode: true, episode: 1 })
  const asked = { kind: 'rearm', rule: 'kept', by: ['ada'] } as const
  t.same(refusalsIn(next.input(asked)), ['NOT_CLEARED'], 'its cause is there')
  next.slides(30, HIGH)
  next.slides(100, { p_a: null, p_b: null })
  t.equal(next.state.rules[0]!.shot, 'spent', 'what is unknown clears nothing')
  next.slides(CLEAR, {})
  t.equal(next.state.rules[0]!.shot, 'cleared')
  next.slides(3, HIGH)
  t.notOk(statesIn(next.said).includes('GATE_PASSED'), 'nothing was done without a person')
  next.slides(CLEAR, {})
  t.same(refusalsIn(next.input(asked)), [])
  t.match(next.state.rules[0], { shot: 'ready', needsPerson: false })
  next.slides(3, HIGH)
  t.equal(statesIn(next.said).at(-1), 'GATE_PASSED')
})

// verifies SE-18, SE-39
t.test('a rule that was edited and had not fired has its shot, and is out of PERM_OFF', async (t) => {
  const rig = armedRig(policy({ rules: [rule({ id: 'kept', rearm: 'auto' })] }))
  const off = { kind: 'perm_off', rule: 'kept', by: 'ada', reason: 'r' } as const
  rig.input({ ...off, step: 'ask' })
  rig.input({ ...off, step: 'confirm' })
  t.equal(rig.state.rules[0]!.permOff, true)
  const next = under(rig, policy({ rules: [EDITED] }))
  t.match(next.state.rules[0], { shot: 'ready', permOff: false })
  next.slides(3, HIGH)
  t.equal(statesIn(next.said).at(-1), 'GATE_PASSED')
})

// verifies SE-20, SE-39
t.test('a rule that did what is gentle and is hard now has not safed the rig', async (t) => {
  const gentle = rule({ id: 'kept', action: 'degrade' })
  const hazards = [hazard('degrade', 'pump', { verify: null }), hazard('shutdown', 'pump')]
  for (const [was, acted] of [
    [gentle, false],
    [rule({ id: 'kept' }), true],
  ] as const) {
    const rig = armedRig(policy({ rules: [was], hazards }))
    rig.start(HIGH)
    t.equal(rig.state.rules[0]!.acted, true)
    const next = under(rig, policy({ rules: [rule({ id: 'kept', clearUs: 1 })], hazards }))
    t.match(next.state.rules[0], { shot: 'spent', acted })
  }
})
