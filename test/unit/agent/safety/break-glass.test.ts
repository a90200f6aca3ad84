import t from 'tap'
import type { SafetyChange, SafetyInput } from '../../../../agent/core/safety/changes.ts'
import type { Seen } from '../../../../agent/core/safety/seen.ts'
import type { Interlock } from '../../../../shared/model/actions-policy.ts'
import { ACTION_GLASS_SPAN_MAX_US, CONFIRM_WITHIN_US } from '../../../../shared/model/order.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  budget,
  HIGH,
  hazard,
  over,
  policy,
  refusalsIn,
  SafetyRig,
  statesIn,
} from '../../../support/safety-rig.ts'

type Glass = Extract<SafetyInput, { kind: 'break_glass' }>
type Manual = Extract<SafetyInput, { kind: 'manual' | 'dry_run' }>

const POLICY = policy({ hazards: [hazard('shutdown', 'pump'), hazard('failover', 'pump'), hazard('degrade', 'pump')] })
const manual = (change: Partial<Manual> = {}): Manual => ({
  ...{ kind: 'manual', action: 'shutdown', target: 'pump', params: {}, by: ['ada'], reason: 'nobody else is here' },
  ...change,
})

/** An order about the break-glass of a rig, for ten minutes. */
const glassOn = (rig: SafetyRig, step: Glass['step'], change: Partial<Glass> = {}): Glass => ({
  ...{ kind: 'break_glass', step, typed: 'loop', config: 'c0ffee', untilUs: rig.seen().nowUs + 600_000_000 },
  ...{ by: 'ada', reason: 'night shift' },
  ...change,
})

const opened = (rig = armedRig(POLICY)): SafetyRig => {
  rig.input(glassOn(rig, 'ask'))
  rig.input(glassOn(rig, 'confirm'))
  if (rig.state.glass === null) throw new Error(refusalsIn(rig.said).join())
  return rig
}
const glassesIn = (said: readonly SafetyChange[]) => said.filter((one) => one.kind === 'break_glass')

// verifies SE-26
t.test(
  'two acts of one person open it, it is said, counted, an alarm while it lasts and another when it is over',
  async (t) => {
    const rig = armedRig(POLICY)
    t.same(rig.input(glassOn(rig, 'ask')), [], 'one act opens nothing')
    t.equal(rig.state.glass, null)
    const said = rig.input(glassOn(rig, 'confirm', { reason: 'yes' }))
    const { untilUs } = glassOn(rig, 'ask')
    const about = { kind: 'break_glass', untilUs, by: ['ada'], reason: 'night shift', count: 1 }
    t.same(glassesIn(said), [{ ...about, active: true, why: '' }])
    t.same(alarmsIn(said), ['+break_glass WARNING'])
    t.same(rig.slides(3), [], 'it stands')
    const closed = rig.input(glassOn(rig, 'close', { by: 'bob' }))
    t.same(glassesIn(closed), [{ ...about, active: false, why: 'CLOSED' }], 'anybody closes it')
    t.same(alarmsIn(closed), ['-break_glass', '+break_glass_over WARNING'])
    t.same(refusalsIn(rig.input(glassOn(rig, 'close'))), ['NOT_OPEN'])
    t.same(alarmsIn(rig.arm()), ['-break_glass_over'], 'two people have looked')
    opened(rig)
    t.equal(rig.state.glasses, 2)
    rig.input(glassOn(rig, 'close'))
    opened(rig)
    t.same(
      rig.state.alarms.map(({ id }) => id),
      ['break_glass'],
    )
  },
)

// verifies SE-26
t.test('what does not open it', async (t) => {
  const nowUs = armedRig(POLICY).seen().nowUs
  const table: [string, Partial<Glass>, Partial<Seen>, string[]][] = [
    ['nobody', { by: '' }, {}, ['NO_PERSON']],
    ['no reason', { reason: '' }, {}, ['NO_REASON']],
    ['another rig typed', { typed: 'Loop' }, {}, ['RIG:Loop']],
    ['another configuration', { config: 'decaf' }, {}, ['CONFIG_CHANGED']],
    ['a stepped clock', {}, { clockStepped: true }, ['CLOCK_STEP']],
    ['an end that is now', { untilUs: nowUs }, {}, ['GLASS_PAST']],
    ['no end', { untilUs: Number.NaN }, {}, ['GLASS_PAST', 'GLASS_TOO_LONG']],
    [
      'a quarter of an hour and a microsecond',
      { untilUs: nowUs + ACTION_GLASS_SPAN_MAX_US + 1 },
      {},
      ['GLASS_TOO_LONG'],
    ],
    ['a quarter of an hour', { untilUs: nowUs + ACTION_GLASS_SPAN_MAX_US }, {}, []],
    ['a microsecond', { untilUs: nowUs + 1 }, {}, []],
  ]
  for (const [what, change, seen, reasons] of table) {
    const rig = armedRig(POLICY)
    t.same(refusalsIn(rig.input(glassOn(rig, 'ask', change), seen)), reasons, what)
    t.equal(rig.state.glassAsked === null, reasons.length > 0, what)
    const both = armedRig(POLICY)
    both.input(glassOn(both, 'ask'))
    const confirm = refusalsIn(both.input(glassOn(both, 'confirm', change), seen))
    if (reasons.length > 0) t.same(confirm, reasons, `${what}, at the second act`)
    t.equal(both.state.glass, null)
  }
  const passive = new SafetyRig(POLICY)
  passive.slides(1)
  t.same(refusalsIn(passive.input(glassOn(passive, 'ask'))), ['NOT_ARMED:PASSIVE'], 'what two people have not armed')
  const open = opened()
  t.same(refusalsIn(open.input(glassOn(open, 'ask'))), ['ALREADY_OPEN'], 'it is not prolonged')
})

// verifies SE-26
t.test('the second act is of the same person, about the same, and soon', async (t) => {
  const table: [string, Partial<Glass>, number, string[]][] = [
    ['of another', { by: 'bob' }, 0, ['ASKED_BY_ANOTHER']],
    ['until another time', { untilUs: 1 + armedRig(POLICY).seen().nowUs }, 0, ['UNTIL_DIFFERS']],
    ['at the last moment', {}, CONFIRM_WITHIN_US, []],
    ['too late', {}, CONFIRM_WITHIN_US + 1, ['ASKED_TOO_LONG_AGO']],
  ]
  for (const [what, change, laterUs, reasons] of table) {
    const rig = armedRig(POLICY)
    rig.input(glassOn(rig, 'ask'))
    const { nowUs } = rig.seen()
    t.same(refusalsIn(rig.input(glassOn(rig, 'confirm', change), { nowUs: nowUs + laterUs })), reasons, what)
    t.equal(rig.state.glass === null, reasons.length > 0, what)
  }
  const rig = armedRig(POLICY)
  t.same(refusalsIn(rig.input(glassOn(rig, 'confirm'))), ['NOT_ASKED'])
  rig.input(glassOn(rig, 'ask'))
  rig.input(glassOn(rig, 'confirm', { by: 'bob' }))
  t.same(refusalsIn(rig.input(glassOn(rig, 'confirm'))), [], 'who did not ask ends nothing')
  const again = opened()
  again.input({ kind: 'disarm', by: 'bob', reason: '' })
  again.arm()
  t.same(refusalsIn(again.input(glassOn(again, 'confirm'))), ['NOT_ASKED'], 'one asking opens one')
  const forgotten = armedRig(POLICY)
  forgotten.input(glassOn(forgotten, 'ask'))
  forgotten.input(glassOn(forgotten, 'close'))
  t.same(refusalsIn(forgotten.input(glassOn(forgotten, 'confirm'))), ['NOT_ASKED'])
})

t.test('an act under another configuration than the first is none', async (t) => {
  const rig = armedRig(POLICY)
  rig.input(glassOn(rig, 'ask'))
  rig.state.arm = { ...rig.state.arm, config: 'decaf' }
  const changed = glassOn(rig, 'confirm', { config: 'decaf' })
  t.same(refusalsIn(rig.input(changed, { config: 'decaf' })), ['CONFIG_CHANGED'])
})

// verifies SE-26
t.test(
  'it ends by itself: in time, with the arming, with what is in force, and with a step of the clock',
  async (t) => {
    const table: [string, (rig: SafetyRig) => SafetyChange[], string][] = [
      ['in time', (rig) => rig.slides(1, {}, { nowUs: rig.state.glass!.untilUs }), 'EXPIRED'],
      [
        'at an input',
        (rig) => rig.input({ kind: 'release', key: 'x' }, { nowUs: rig.state.glass!.untilUs }),
        'EXPIRED',
      ],
      ['disarmed', (rig) => rig.input({ kind: 'disarm', by: 'bob', reason: '' }), 'NOT_ARMED'],
      ['the arming is over', (rig) => rig.slides(1, {}, { nowUs: rig.state.arm.untilUs }), 'NOT_ARMED'],
      ['another configuration', (rig) => rig.slides(1, {}, { config: 'decaf' }), 'NOT_ARMED'],
      ['a step of the clock', (rig) => rig.slides(1, {}, { clockStepped: true }), 'CLOCK_STEP'],
      [
        'armed anew for something else',
        (rig) => {
          rig.state.arm = { ...rig.state.arm, config: 'decaf' }
          return rig.slides(1, {}, { config: 'decaf' })
        },
        'CONFIG_CHANGED',
      ],
    ]
    for (const [what, end, why] of table) {
      const rig = opened()
      t.match(glassesIn(end(rig)), [{ active: false, why }], what)
      t.equal(rig.state.glass, null)
    }
    const rig = opened()
    t.same(rig.slides(1, {}, { nowUs: rig.state.glass!.untilUs - 1 }), [], 'a microsecond before')
  },
)

// verifies SE-04, SE-23, SE-26
t.test(
  'under it that person orders alone what takes two; nobody else does, and at the release it must still hold',
  async (t) => {
    for (const action of ['shutdown', 'failover'] as const) {
      const rig = opened()
      const said = rig.input(manual({ action }))
      t.same(statesIn(said), ['PROPOSED', 'GATE_PASSED'])
      t.same(actionsIn(said)[0]?.reasons, ['BREAK_GLASS:SECOND_PERSON'])
      const released = rig.input({ kind: 'release', key: rig.key() })
      t.match(actionsIn(released), [{ state: 'RELEASED', note: 'break_glass', reasons: ['BREAK_GLASS:SECOND_PERSON'] }])
    }
    const other = opened()
    t.same(statesIn(other.input(manual({ by: ['bob'] }))).at(-1), 'PENDING_APPROVAL')
    const two = opened()
    t.same(actionsIn(two.input(manual({ by: ['ada', 'bob'] })))[0]?.reasons, [], 'two people pass nothing')
    const over = opened()
    over.input(manual())
    over.input(glassOn(over, 'close'))
    t.match(actionsIn(over.input({ kind: 'release', key: over.key() })), [
      { state: 'CANCELLED', reasons: ['NO_WARRANT'] },
    ])
    const late = opened()
    const { untilUs } = late.state.glass!
    t.same(statesIn(late.input(manual(), { nowUs: untilUs })).at(-1), 'PENDING_APPROVAL')
  },
)

// verifies SE-19, SE-26
t.test('a budget that is used up is passed and spent all the same; spacing and latch are not', async (t) => {
  const used = budget({ action: 'shutdown', most: 0, windowUs: 60_000_000 })
  const rig = opened(armedRig({ ...POLICY, budgets: [used] }))
  const said = rig.input(manual())
  t.same(actionsIn(said)[0]?.reasons, ['BREAK_GLASS:SECOND_PERSON', 'BREAK_GLASS:BUDGET:shutdown:pump 0/0 in 60000ms'])
  rig.input({ kind: 'release', key: rig.key() })
  t.equal(rig.state.budgets[0]!.spentUs.length, 1)
  const without = armedRig({ ...POLICY, budgets: [used] })
  t.match(actionsIn(without.input(manual({ by: ['ada', 'bob'] })))[1], { state: 'GATE_DENIED' })
  for (const [more, word] of [
    [{ spacingUs: 60_000_000 }, 'spacing'],
    [{ latchUs: 60_000_000 }, 'latch'],
  ] as const) {
    const spaced = opened(
      armedRig({ ...POLICY, budgets: [budget({ action: 'shutdown', most: 9, windowUs: 1, ...more })] }),
    )
    spaced.input(manual())
    spaced.input({ kind: 'release', key: spaced.key() })
    spaced.input({ kind: 'cancel', key: spaced.key(), by: 'ada', reason: '' })
    const again = spaced.input(manual())
    t.match(actionsIn(again)[1], { state: 'GATE_DENIED' })
    t.ok(actionsIn(again)[1]?.reasons[0]?.includes(` ${word} `), word)
  }
})

// verifies SE-10, SE-12, SE-26
t.test('it passes nothing else', async (t) => {
  const lock: Interlock = {
    id: 'valve',
    assume: over('p_a', { id: 'on', persistence: { k: 1, n: 1 } }),
    guarantee: over('p_b', { id: 'off', persistence: { k: 1, n: 1 } }),
    blocks: [{ action: 'shutdown', target: 'pump' }],
  }
  const both = { by: ['ada', 'bob'], reason: 'r' }
  const table: [string, () => SafetyRig, Partial<Manual>, Partial<Seen>, string[]][] = [
    [
      'a violated interlock',
      () => opened(withHigh(armedRig({ ...POLICY, interlocks: [lock] }))),
      {},
      {},
      ['INTERLOCK:valve p_b FALSE'],
    ],
    ['an inhibit', () => inhibited(opened(), both), {}, {}, ['INHIBITED:action:shutdown']],
    ['no hazard', () => opened(), { action: 'abort' }, {}, ['UNDECLARED:abort:pump']],
    ['no target', () => opened(), { target: 'fan' }, {}, ['UNDECLARED:shutdown:fan', 'NO_TARGET:fan']],
    ['what is under way', () => under(opened()), {}, {}, ['EXCLUSION:shutdown:pump']],
    ['what was pre-empted', () => under(opened()), { action: 'degrade' }, {}, ['PREEMPTED:shutdown:pump']],
  ]
  for (const [what, make, change, seen, reasons] of table) {
    const said = make().input(manual(change), seen)
    t.match(actionsIn(said)[1], { state: 'GATE_DENIED', reasons }, what)
  }
})

function withHigh(rig: SafetyRig): SafetyRig {
  rig.slides(1, { p_a: 9 })
  return rig
}

function inhibited(rig: SafetyRig, order: { by: string[]; reason: string }): SafetyRig {
  const untilUs = rig.seen().nowUs + 1_000_000
  rig.input({ kind: 'inhibit', rule: null, action: 'shutdown', untilUs, ...order })
  return rig
}

function under(rig: SafetyRig): SafetyRig {
  rig.input(manual())
  rig.input({ kind: 'release', key: rig.key() })
  return rig
}

// verifies SE-06, SE-26
t.test('rules know nothing of it: what they deny is denied, and a rearming takes whom it took', async (t) => {
  const shared = { p_a: { value: 9, publisher: 'x' }, p_b: { value: 9, publisher: 'x' } }
  const rig = opened()
  const said = rig.slides(3, shared)
  t.same(said, [])
  t.match(actionsIn(rig.said).at(-1), { state: 'GATE_DENIED', reasons: ['NOT_INDEPENDENT:publisher:x'] })
  const stale = opened()
  stale.slides(3, { p_a: { value: 9, ageUs: 900_000 }, p_b: { value: 9, ageUs: 900_000 } })
  t.same(actionsIn(stale.said), [], 'what is stale asks for nothing')
  const spent = opened(
    armedRig({ ...POLICY, rules: POLICY.rules.map((one) => ({ ...one, rearm: 'two_person' as const })) }),
  )
  spent.start(HIGH)
  spent.ack('failed')
  spent.slides(20, {})
  t.same(refusalsIn(spent.input({ kind: 'rearm', rule: 'over_pressure', by: ['ada'] })), ['TWO_PERSON 1/2'])
  t.same(
    refusalsIn(
      spent.input({
        kind: 'inhibit',
        rule: 'over_pressure',
        action: null,
        untilUs: spent.seen().nowUs + 9,
        by: ['ada'],
        reason: 'r',
      }),
    ),
    ['TWO_PERSON 1/2'],
  )
  t.same(refusalsIn(spent.input({ kind: 'arm', config: 'c0ffee', untilUs: spent.seen().nowUs + 9, by: ['ada'] })), [
    'TWO_PERSON 1/2',
  ])
})
