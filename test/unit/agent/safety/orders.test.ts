import t from 'tap'
import type { SafetyInput } from '../../../../agent/core/safety/changes.ts'
import type { Seen } from '../../../../agent/core/safety/seen.ts'
import { INHIBITS_MAX } from '../../../../agent/core/safety/state.ts'
import type { Hazard, Rule } from '../../../../shared/model/actions-policy.ts'
import { ARM_SPAN_MAX_US, CONFIRM_WITHIN_US, INHIBIT_SPAN_MAX_US } from '../../../../shared/model/order.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  HIGH,
  hazard,
  over,
  policy,
  type Readings,
  refusalsIn,
  rule,
  SafetyRig,
  statesIn,
  T0,
} from '../../../support/safety-rig.ts'

type Arm = Extract<SafetyInput, { kind: 'arm' }>

// verifies SE-22
t.test('a rig is armed by two people, for what is in force, for a bounded time', async (t) => {
  const table: [string, (nowUs: number) => Partial<Arm>, Partial<Seen>, string[]][] = [
    ['two', () => ({}), {}, []],
    ['one', () => ({ by: ['ada'] }), {}, ['TWO_PERSON 1/2']],
    ['one twice', () => ({ by: ['ada', 'ada'] }), {}, ['TWO_PERSON 1/2']],
    ['nobody', () => ({ by: [] }), {}, ['TWO_PERSON 1/2']],
    ['something else', () => ({ config: 'other' }), {}, ['CONFIG_CHANGED']],
    ['clock', () => ({}), { clockStepped: true }, ['CLOCK_STEP']],
    ['now', (nowUs) => ({ untilUs: nowUs }), {}, ['ARM_PAST']],
    ['a moment', (nowUs) => ({ untilUs: nowUs + 1 }), {}, []],
    ['longest', (nowUs) => ({ untilUs: nowUs + ARM_SPAN_MAX_US }), {}, []],
    ['longer', (nowUs) => ({ untilUs: nowUs + ARM_SPAN_MAX_US + 1 }), {}, ['ARM_TOO_LONG']],
    ['no time', () => ({ untilUs: Number.NaN }), {}, ['ARM_PAST', 'ARM_TOO_LONG']],
  ]
  for (const [name, change, seen, reasons] of table) {
    const rig = new SafetyRig()
    rig.slides(3)
    const { nowUs, config } = rig.seen()
    const order: Arm = { kind: 'arm', config, untilUs: nowUs + 1_000_000, by: ['ada', 'bob'], ...change(nowUs) }
    const said = rig.input(order, seen)
    t.same(refusalsIn(said), reasons, name)
    const isArmed = reasons.length === 0
    t.equal(rig.state.arm.state, isArmed ? 'ARMED' : 'PASSIVE', name)
    if (isArmed) {
      t.same(said, [{ kind: 'arm', state: 'ARMED', reason: 'ordered', untilUs: order.untilUs, by: ['ada', 'bob'] }])
      t.same(rig.state.arm, { state: 'ARMED', untilUs: order.untilUs, config, by: ['ada', 'bob'] })
    } else t.match(said, [{ kind: 'refused', input: 'arm', subject: 'loop' }])
  }
})

/** One of two in the pump's way, so that two dead transmitters are a lost protection and one is not. */
const BLIND: Readings = { p_a: null, p_b: null }

// verifies SE-37
t.test('a rig is not armed while a rule that must work sees nothing, unless people took that rule out', async (t) => {
  const grave = { omission: 'catastrophic', inadvertent: 'critical' } as const
  const mild = { omission: 'marginal', inadvertent: 'critical' } as const
  const lost = ['PROTECTION_LOST:over_pressure']
  const inhibit = { kind: 'inhibit', by: ['ada', 'bob'], reason: 'bench' } as const
  const untilUs = T0 + 3_000_000_000
  const table: readonly [
    string,
    Partial<Hazard>,
    Partial<Rule>,
    Readings | null,
    (rig: SafetyRig) => void,
    string[],
  ][] = [
    ['all is seen', grave, {}, {}, () => {}, []],
    ['one of three is not', grave, {}, { p_a: null }, () => {}, []],
    ['two of three are not', grave, {}, BLIND, () => {}, lost],
    ['whatever is done about the unknown', { ...grave, onUnknown: 'safe_state' }, {}, BLIND, () => {}, lost],
    ['nothing was judged yet', grave, {}, null, () => {}, lost],
    ['windows are not full', grave, {}, { p_a: { filled: false }, p_b: { filled: false } }, () => {}, lost],
    ['it must not work', { ...mild }, { vote: '2oo2', conditions: [over('p_a'), over('p_b')] }, BLIND, () => {}, []],
    ['its omission is marginal', { omission: 'marginal', inadvertent: 'none' }, {}, BLIND, () => {}, []],
    ['it is dry', grave, { dryRun: true }, BLIND, () => {}, []],
    [
      'the rule is inhibited',
      ...([grave, {}, BLIND] as const),
      (rig) => void rig.input({ ...inhibit, rule: 'over_pressure', action: null, untilUs }),
      [],
    ],
    [
      'its action is inhibited',
      ...([grave, {}, BLIND] as const),
      (rig) => void rig.input({ ...inhibit, rule: null, action: 'shutdown', untilUs }),
      [],
    ],
    [
      'another action is inhibited',
      ...([grave, {}, BLIND] as const),
      (rig) => void rig.input({ ...inhibit, rule: null, action: 'abort', untilUs }),
      lost,
    ],
    ['it is off for good', grave, {}, BLIND, ({ state }) => void Object.assign(state.rules[0]!, { permOff: true }), []],
  ]
  for (const [name, harm, of, readings, prepare, reasons] of table) {
    const rig = new SafetyRig(policy({ rules: [rule(of)], hazards: [hazard('shutdown', 'pump', harm)] }))
    if (readings !== null) rig.slides(20, readings)
    prepare(rig)
    t.same(refusalsIn(rig.arm()), reasons, name)
    t.equal(rig.state.arm.state, reasons.length === 0 ? 'ARMED' : 'PASSIVE', name)
  }
})

// verifies SE-42
t.test('an overdue proof test is an alarm of the rig, once, until it was good', async (t) => {
  const rig = new SafetyRig()
  const proof = (overdue: boolean, target = 'pump') => rig.input({ kind: 'proof', target, overdue })
  t.same(alarmsIn(proof(false)), [], 'nothing stands')
  t.same(alarmsIn(proof(true)), ['+proof_overdue:pump WARNING'])
  t.same(proof(true), [])
  rig.slides(3)
  t.same(alarmsIn(proof(false)), ['-proof_overdue:pump'])
  t.same(refusalsIn(proof(true, 'horn')), ['UNKNOWN_TARGET'])
})

// verifies SE-33
t.test('a permit that is lost is a critical alarm of the rig, once, until it is held', async (t) => {
  const rig = armedRig()
  const permit = (lost: boolean, target = 'pump') => rig.input({ kind: 'permit', target, lost })
  t.same(permit(false), [], 'nothing stands')
  t.same(alarmsIn(permit(true)), ['+permit_lost:pump CRITICAL'])
  t.same(permit(true), [])
  rig.slides(3)
  t.equal(rig.state.arm.state, 'ARMED', 'what is armed stays so: to act is still better than not to')
  t.same(alarmsIn(permit(false)), ['-permit_lost:pump'])
  t.same(refusalsIn(permit(true, 'horn')), ['UNKNOWN_TARGET'])
  t.same(permit(false, 'horn'), [], 'one that the policy knows no more may end')
})

// verifies SE-40
t.test('only the agent itself, and only for its memory, raises the alarm of an arming that was dropped', async (t) => {
  for (const [by, reason, alarms] of [
    ['agent', 'INTEGRITY:policy', ['+arm_dropped CRITICAL']],
    ['agent', 'agent_stop', []],
    ['ada', 'INTEGRITY:policy', []],
  ] as const) {
    const rig = armedRig()
    t.same(alarmsIn(rig.input({ kind: 'disarm', by, reason })), alarms, `${by} ${reason}`)
    t.equal(rig.state.arm.state, 'PASSIVE')
  }
})

// verifies SE-22
t.test(
  'an arm ends by itself at its time and with any change, says so, and takes what is not sent with it',
  async (t) => {
    for (const [name, change, reason] of [
      ['time', { nowUs: 0 }, 'ARM_EXPIRED'],
      ['config', { config: 'other' }, 'CONFIG_CHANGED'],
    ] as const)
      for (const by of ['slide', 'input'] as const) {
        const rig = armedRig()
        rig.slides(2, HIGH)
        const { untilUs } = rig.state.arm
        const seen = name === 'time' ? { nowUs: untilUs } : change
        rig.said.length = 0
        if (by === 'slide') rig.slides(1, HIGH, seen)
        else rig.input({ kind: 'unknown', key: 'x' }, seen)
        t.same(rig.said[0], { kind: 'arm', state: 'PASSIVE', reason, untilUs: 0, by: [] })
        t.same(alarmsIn(rig.said)[0], '+arm_dropped CRITICAL')
        const [revoked] = actionsIn(rig.said)
        t.match(revoked, { state: 'REVOKED', reasons: [reason] }, `${name} at ${by}`)
        t.same(rig.state.arm, { state: 'PASSIVE', untilUs: 0, config: '', by: [] })
        t.equal(rig.state.rules[0]!.shot, 'ready')
      }
    const held = armedRig()
    held.said.length = 0
    held.slides(1, {}, { nowUs: held.state.arm.untilUs - 1 })
    t.same(held.said, [], 'a moment before it stands')
    held.slides(1, {}, { nowUs: held.state.arm.untilUs })
    held.said.length = 0
    held.slides(2, {}, {})
    t.same(held.said, [], 'it is said once')
    held.arm()
    t.same(alarmsIn(held.said), ['-arm_dropped'])
  },
)

// verifies SE-25
t.test('one person disarms at once; what is with a peer goes on to its end', async (t) => {
  for (const state of ['GATE_PASSED', 'RELEASED', 'SENT', 'STARTED']) {
    const rig = armedRig()
    rig.slides(2, HIGH)
    const key = rig.key()
    if (state !== 'GATE_PASSED') rig.input({ kind: 'release', key })
    if (state === 'SENT' || state === 'STARTED') rig.input({ kind: 'sent', key })
    if (state === 'STARTED') rig.ack('started')
    const said = rig.input({ kind: 'disarm', by: 'ada', reason: 'lunch' })
    t.same(said[0], { kind: 'arm', state: 'PASSIVE', reason: 'lunch', untilUs: 0, by: ['ada'] })
    t.same(alarmsIn(said), [])
    if (state === 'SENT' || state === 'STARTED') t.equal(rig.state.open[0]?.state, state)
    else t.match(actionsIn(said), [{ state: 'REVOKED', reasons: ['DISARMED'] }], state)
    if (state === 'STARTED')
      t.same(statesIn(rig.slides(6, { ...HIGH, flow: 0 })), ['VERIFIED'], 'and is still verified')
  }
})

// verifies SE-25
t.test('any operator cancels before it is sent, and nobody after', async (t) => {
  const rig = armedRig()
  rig.slides(2, HIGH)
  const key = rig.key()
  t.same(refusalsIn(rig.input({ kind: 'cancel', key: 'other', by: 'ada', reason: '' })), ['UNKNOWN_KEY'])
  t.same(refusalsIn(rig.input({ kind: 'cancel', key, by: '', reason: '' })), ['NO_PERSON'])
  rig.input({ kind: 'release', key })
  const said = rig.input({ kind: 'cancel', key, by: 'ada', reason: 'a drill' })
  t.match(actionsIn(said), [{ state: 'CANCELLED', from: 'RELEASED', reasons: ['BY:ada'], note: 'a drill' }])
  t.equal(rig.state.rules[0]!.shot, 'spent')
  const sent = armedRig()
  sent.slides(2, HIGH)
  sent.input({ kind: 'release', key: sent.key() })
  sent.input({ kind: 'sent', key: sent.key() })
  const late = sent.input({ kind: 'cancel', key: sent.key(), by: 'ada', reason: '' })
  t.same(refusalsIn(late), ['AFTER_SENT:SENT'])
  t.match(late, [{ kind: 'refused', input: 'cancel', subject: sent.key() }])
})

// verifies SE-18
t.test('what the shell could not carry out keeps its shot', async (t) => {
  const rig = armedRig()
  rig.slides(2, HIGH)
  const key = rig.key()
  rig.input({ kind: 'release', key })
  t.match(rig.state.rules[0], { shot: 'spent', acted: true })
  rig.input({ kind: 'cancel', key, by: 'agent', reason: 'DISK_STALLED' })
  t.match(rig.state.rules[0], { shot: 'ready', acted: false })
  t.same(statesIn(rig.slides(1, HIGH)), ['PROPOSED', 'GATE_PASSED'])
  rig.input({ kind: 'cancel', key: rig.key(), by: 'agent', reason: 'RELEASE_NOT_REACHED' })
  t.match(rig.state.rules[0], { shot: 'ready', acted: false })
})

// verifies SE-21
t.test(
  'a rule is taken out for good in two steps, one at a time, and then only says what it would have done',
  async (t) => {
    const rules = [rule(), rule({ id: 'other', action: 'notify', conditions: [over('q_a'), over('q_b'), over('q_c')] })]
    const rig = armedRig(policy({ rules }))
    const order = (id: string, step: 'ask' | 'confirm', by = 'ada', laterUs = 0) => {
      const said = rig.input(
        { kind: 'perm_off', rule: id, step, by, reason: 'worn' },
        { nowUs: rig.seen().nowUs + laterUs },
      )
      return refusalsIn(said)
    }
    t.same(order('nobody', 'ask'), ['UNKNOWN_RULE'])
    t.match(rig.said.at(-1), { kind: 'refused', input: 'perm_off', subject: 'nobody' })
    t.same(order('over_pressure', 'ask', ''), ['NO_PERSON'])
    t.same(order('over_pressure', 'confirm'), ['NOT_ASKED'])
    t.same(order('over_pressure', 'ask'), [])
    t.same(order('over_pressure', 'confirm', 'ada', CONFIRM_WITHIN_US + 1), ['ASKED_TOO_LONG_AGO'])
    t.same(order('over_pressure', 'confirm'), ['NOT_ASKED'], 'once')
    order('over_pressure', 'ask')
    order('other', 'ask')
    t.same(order('over_pressure', 'confirm'), ['NOT_ASKED'], 'asking for another forgets the first')
    rig.slides(2, HIGH)
    order('over_pressure', 'ask')
    rig.said.length = 0
    t.same(order('over_pressure', 'confirm', 'bob', CONFIRM_WITHIN_US), [])
    t.match(rig.said, [
      { kind: 'rule', rule: 'over_pressure', is: 'perm_off', by: ['bob'], reason: 'worn' },
      { kind: 'action', state: 'REVOKED', reasons: ['PERM_OFF'] },
    ])
    t.same(order('over_pressure', 'ask'), ['PERM_OFF'])
    rig.said.length = 0
    rig.slides(2, HIGH)
    t.same(statesIn(rig.said), ['PROPOSED', 'WOULD_HAVE_DONE'])
    t.same(actionsIn(rig.said)[1]?.reasons, ['NOT_ARMED:PERM_OFF'])
    rig.said.length = 0
    rig.slides(2, { q_a: 9, q_b: 9 })
    t.same(statesIn(rig.said), ['PROPOSED', 'GATE_PASSED'], 'the other one acts')
  },
)

t.test('a bypass ends with its time when anything comes in', async (t) => {
  const rig = armedRig()
  const untilUs = rig.seen().nowUs + 1_000
  rig.input({ kind: 'inhibit', rule: 'over_pressure', action: null, untilUs, by: ['ada', 'bob'], reason: 'test' })
  rig.input({ kind: 'unknown', key: 'x' }, { nowUs: untilUs })
  t.same(rig.state.inhibits, [])
})

t.test('what is with a peer is not called back by taking its rule out', async (t) => {
  const rules = [rule(), rule({ id: 'b', action: 'notify', target: 'desk' })]
  const rig = armedRig(policy({ rules }))
  rig.slides(2, HIGH)
  const [first] = rig.state.open
  rig.input({ kind: 'release', key: first!.key })
  rig.input({ kind: 'sent', key: first!.key })
  for (const step of ['ask', 'confirm'] as const)
    rig.input({ kind: 'perm_off', rule: 'over_pressure', step, by: 'ada', reason: '' })
  t.same(
    rig.state.open.map(({ rule: id, state }) => `${id} ${state}`),
    ['over_pressure SENT', 'b GATE_PASSED'],
  )
})

type InhibitOrder = Extract<SafetyInput, { kind: 'inhibit' }>

// verifies SE-27
t.test('a bypass takes two people, a reason and an end; it is counted, shown, and told when it is over', async (t) => {
  const table: [string, (nowUs: number) => Partial<InhibitOrder>, string, string[]][] = [
    ['rule', () => ({}), 'rule:over_pressure', []],
    ['action', () => ({ rule: null, action: 'abort' }), 'action:abort', []],
    ['both', () => ({ action: 'abort' }), 'rule:over_pressure', ['ONE_SUBJECT']],
    ['neither', () => ({ rule: null }), 'action:null', ['ONE_SUBJECT']],
    ['no such rule', () => ({ rule: 'x' }), 'rule:x', ['UNKNOWN_RULE']],
    ['one person', () => ({ by: ['ada'] }), 'rule:over_pressure', ['TWO_PERSON 1/2']],
    ['no reason', () => ({ reason: '' }), 'rule:over_pressure', ['NO_REASON']],
    ['over', (nowUs) => ({ untilUs: nowUs }), 'rule:over_pressure', ['INHIBIT_PAST']],
    ['longest', (nowUs) => ({ untilUs: nowUs + INHIBIT_SPAN_MAX_US }), 'rule:over_pressure', []],
    ['longer', (nowUs) => ({ untilUs: nowUs + INHIBIT_SPAN_MAX_US + 1 }), 'rule:over_pressure', ['INHIBIT_TOO_LONG']],
  ]
  for (const [name, change, subject, reasons] of table) {
    const rig = new SafetyRig()
    rig.slides(3)
    const { nowUs } = rig.seen()
    const order: InhibitOrder = {
      ...{ kind: 'inhibit', rule: 'over_pressure', action: null, untilUs: nowUs + 1_000_000 },
      ...{ by: ['ada', 'bob'], reason: 'test', ...change(nowUs) },
    }
    const said = rig.input(order)
    t.same(refusalsIn(said), reasons, name)
    t.equal(rig.state.inhibits.length, reasons.length === 0 ? 1 : 0)
    if (reasons.length > 0) {
      t.match(said, [{ kind: 'refused', subject }])
      continue
    }
    const { untilUs, reason } = order
    const shown = { kind: 'inhibit', subject, untilUs, by: ['ada', 'bob'], reason, count: 1 }
    t.same(said[0], { ...shown, active: true })
    t.same(alarmsIn(said), [`+inhibited:${subject} WARNING`])
    rig.said.length = 0
    rig.slides(1, {}, { nowUs: untilUs - 1 })
    t.same(rig.said, [])
    rig.slides(1, {}, { nowUs: untilUs })
    t.same(rig.said[0], { ...shown, active: false })
    t.same(alarmsIn(rig.said).slice(0, 2), [`-inhibited:${subject}`, `+inhibit_expired:${subject} WARNING`])
    t.same(rig.state.inhibits, [])
    rig.change = {}
    const again = rig.input({ ...order, untilUs: rig.seen().nowUs + 1_000 })
    t.same(alarmsIn(again), [`-inhibit_expired:${subject}`, `+inhibited:${subject} WARNING`])
    t.equal(rig.state.inhibited, 2)
  }
})

// verifies SE-27
t.test('bypasses are bounded, and one of the same thing takes the place of the other', async (t) => {
  const rules = Array.from({ length: INHIBITS_MAX + 1 }, (_, k) =>
    rule({ id: `${k}`, action: 'notify', target: `t${k}` }),
  )
  const rig = armedRig(policy({ rules }))
  const order = (id: string, spanUs = 1_000_000): SafetyInput => {
    const untilUs = rig.seen().nowUs + spanUs
    return { kind: 'inhibit', rule: id, action: null, untilUs, by: ['ada', 'bob'], reason: 'test' }
  }
  for (let k = 0; k < INHIBITS_MAX; k += 1) t.same(refusalsIn(rig.input(order(`${k}`))), [])
  t.same(refusalsIn(rig.input(order(`${INHIBITS_MAX}`))), ['INHIBITS_FULL'])
  t.same(refusalsIn(rig.input(order('0', 2_000_000))), [])
  t.equal(rig.state.inhibits.length, INHIBITS_MAX)
  const ends = rig.state.inhibits.filter(({ subject }) => subject === 'rule:0').map(({ untilUs }) => untilUs)
  t.same(ends, [rig.seen().nowUs + 2_000_000])
  rig.slides(1, {}, { nowUs: rig.seen().nowUs + 1_000_000 })
  t.same(
    rig.state.inhibits.map(({ subject }) => subject),
    ['rule:0'],
    'each ends at its own time',
  )
})
