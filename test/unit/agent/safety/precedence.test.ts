import t from 'tap'
import type { Action } from '../../../../shared/model/action.ts'
import type { RigPolicy } from '../../../../shared/model/actions-policy.ts'
import {
  actionsIn,
  armedRig,
  CLEAR,
  carryOut,
  DONE,
  HIGH,
  over,
  policy,
  rule,
  statesIn,
} from '../../../support/safety-rig.ts'

const two = (a: Action, b: Action, more: Partial<RigPolicy> = {}, onto = 'pump'): RigPolicy => {
  const first = rule({ id: 'first', action: a, conditions: [over('p_a'), over('p_b'), over('p_c')] })
  const second = rule({
    id: 'second',
    action: b,
    target: onto,
    conditions: [over('q_a'), over('q_b'), over('q_c')],
  })
  return policy({ rules: [first, second], ...more })
}
const SECOND = { q_a: 9, q_b: 9 }

// verifies SE-20
t.test('a higher action cancels the lower one that is open, and nothing resumes', async (t) => {
  for (const state of ['GATE_PASSED', 'RELEASED', 'SENT', 'ACCEPTED', 'STARTED']) {
    const rig = armedRig(two('degrade', 'shutdown'))
    rig.slides(2, HIGH)
    const key = rig.key()
    const steps = {
      RELEASED: () => rig.input({ kind: 'release', key }),
      SENT: () => rig.input({ kind: 'sent', key }),
      ACCEPTED: () => rig.ack('accepted'),
      STARTED: () => rig.ack('started'),
    }
    for (const [name, step] of Object.entries(steps)) {
      if (rig.state.open[0]!.state === state) break
      t.equal(statesIn(step()).at(-1), name)
    }
    rig.said.length = 0
    rig.slides(2, { ...HIGH, ...SECOND })
    t.same(statesIn(rig.said), ['PROPOSED', 'SUPERSEDED', 'GATE_PASSED'], state)
    t.same(actionsIn(rig.said)[1]?.reasons, ['PREEMPTED:shutdown:pump'])
    t.equal(rig.state.rules[0]!.shot, 'spent')
    rig.input({ kind: 'release', key: rig.key() })
    rig.said.length = 0
    rig.input({ kind: 'sent', key: rig.key() })
    rig.ack('started')
    rig.slides(30, { ...HIGH, ...SECOND, flow: 0 })
    t.same(statesIn(rig.said), ['SENT', 'STARTED', 'VERIFIED'], 'and the lower one does not come back')
  }
})

// verifies SE-20
t.test('a gentle action does not come beside a hard one, nor after it before that is armed again', async (t) => {
  const rig = armedRig(two('shutdown', 'degrade', {}, 'fan'))
  rig.slides(2, HIGH)
  rig.said.length = 0
  rig.slides(3, { ...HIGH, ...SECOND })
  t.same(actionsIn(rig.said)[1]?.reasons, ['PREEMPTED:shutdown:pump'], 'beside it')
  rig.slides(CLEAR, HIGH)
  carryOut(rig)
  rig.slides(CLEAR, {})
  rig.said.length = 0
  rig.slides(3, SECOND)
  t.same(actionsIn(rig.said)[1]?.reasons, ['PREEMPTED:shutdown:pump'], 'after it')
  rig.input({ kind: 'rearm', rule: 'first', by: ['ada'] })
  t.same(statesIn(rig.slides(1, SECOND)), ['PROPOSED', 'GATE_PASSED'], 'when it is armed again')
  for (const [b, onto] of [
    ['notify', 'desk'],
    ['abort', 'fan'],
  ] as const) {
    const beside = armedRig(two('shutdown', b, {}, onto))
    beside.slides(2, HIGH)
    beside.slides(3, { ...HIGH, ...SECOND })
    t.same(statesIn(beside.said).slice(2), ['PROPOSED', 'GATE_PASSED'], `${b} of ${onto} comes beside it`)
  }
  const same = armedRig(two('shutdown', 'abort'))
  same.slides(2, HIGH)
  same.slides(3, { ...HIGH, ...SECOND })
  t.same(actionsIn(same.said)[3]?.reasons, ['PREEMPTED:shutdown:pump'], 'a lower hard one of the same target does not')
  const vetoed = armedRig(two('shutdown', 'degrade'))
  vetoed.slides(2, HIGH)
  vetoed.input({ kind: 'cancel', key: vetoed.key(), by: 'ada', reason: '' })
  vetoed.said.length = 0
  vetoed.slides(2, { ...HIGH, ...SECOND })
  t.same(statesIn(vetoed.said), ['PROPOSED', 'GATE_PASSED'], 'one that was cancelled has not acted')
})

// verifies SE-10
t.test('of a set one action is open at a time, and of an action on a target in any case', async (t) => {
  const set = [
    { action: 'failover', target: 'pump' },
    { action: 'failover', target: 'fan' },
  ] as const
  const of = (exclusions: RigPolicy['exclusions'], onto = 'fan') => {
    const rig = armedRig(two('failover', 'failover', { exclusions }, onto))
    rig.slides(2, HIGH)
    rig.said.length = 0
    rig.slides(2, { ...HIGH, ...SECOND })
    return actionsIn(rig.said).at(-1)!
  }
  t.equal(of([]).state, 'GATE_PASSED')
  t.same(of([set]).reasons, ['EXCLUSION:failover:pump'])
  t.equal(of([[set[0]], [set[1]]]).state, 'GATE_PASSED', 'in one set, not in two')
  t.equal(of([[set[1], { action: 'abort', target: 'pump' }]]).state, 'GATE_PASSED')
  t.same(of([], 'pump').reasons, ['EXCLUSION:failover:pump'], 'the same on the same')
  const held = armedRig(
    policy({
      rules: two('failover', 'failover').rules.map((one, k) => ({ ...one, vetoUs: k === 0 ? 1_000_000 : 0 })),
    }),
  )
  held.slides(2, HIGH)
  held.slides(2, { ...HIGH, ...SECOND })
  t.equal(actionsIn(held.said).at(-1)!.state, 'GATE_PASSED', 'one in its veto window holds no place')
  const both = held.state.open[0]!.key
  const said = held.input({ kind: 'release', key: both }, { nowUs: held.endUs + 1_100_000 })
  t.same(actionsIn(said)[0]?.reasons, ['EXCLUSION:failover:pump'], 'and is told so at its release')
  const ended = armedRig(two('failover', 'failover', { exclusions: [set] }, 'fan'))
  ended.slides(2, HIGH)
  carryOut(ended)
  t.same(statesIn(ended.slides(2, { ...DONE, ...SECOND })).at(-1), 'GATE_PASSED', 'one that has ended neither')
})

// verifies SE-20
t.test('an action of a set gives way to a higher one of it', async (t) => {
  const exclusions = [
    [
      { action: 'failover', target: 'pump' },
      { action: 'isolate', target: 'pump' },
    ],
  ] as const
  const rig = armedRig(two('failover', 'isolate', { exclusions }))
  rig.slides(2, HIGH)
  rig.said.length = 0
  rig.slides(2, { ...HIGH, ...SECOND })
  t.same(statesIn(rig.said), ['PROPOSED', 'SUPERSEDED', 'GATE_PASSED'])
})

// verifies SE-20
t.test('rules are judged by the priority of their actions, then as they are written', async (t) => {
  const order = (...actions: Action[]): string[] => {
    const rules = actions.map((action, k) => rule({ id: `${k}`, action, target: `t${k}` }))
    const rig = armedRig(policy({ rules, releasesMax: 9 }))
    rig.slides(2, HIGH)
    return actionsIn(rig.said).flatMap((one) => (one.from === null ? [one.rule] : []))
  }
  t.same(order('notify', 'abort', 'shutdown'), ['2', '1', '0'])
  t.same(order('notify', 'notify', 'notify'), ['0', '1', '2'])
  t.same(order('notify', 'abort', 'abort'), ['1', '2', '0'])
})

// verifies SE-32, REQ-CMP-003
t.test(
  'past the bound of a slide gentle actions wait for the next, notify first, and what is hard never does',
  async (t) => {
    const actions: Action[] = ['notify', 'notify', 'notify', 'shutdown', 'shutdown', 'shutdown']
    const rules = actions.map((action, k) => rule({ id: `${k}`, action, target: `t${k}` }))
    const rig = armedRig(policy({ rules, releasesMax: 4 }))
    rig.slides(2, HIGH)
    const passed = (): string[] => actionsIn(rig.said).flatMap((one) => (one.state === 'GATE_PASSED' ? [one.rule] : []))
    t.same(passed(), ['3', '4', '5', '0'])
    t.same(
      actionsIn(rig.said)
        .filter(({ state }) => state === 'GATE_DENIED')
        .map(({ reasons }) => reasons),
      [['SHED:4'], ['SHED:4']],
    )
    rig.slides(1, HIGH)
    t.same(passed(), ['3', '4', '5', '0', '1', '2'])
    const mixed = rules.map((one) => (one.id === '1' ? { ...one, modes: [] } : one))
    const denied = armedRig(policy({ rules: mixed, releasesMax: 4 }))
    denied.slides(2, HIGH)
    const reasons = actionsIn(denied.said).flatMap((one) => (one.state === 'GATE_DENIED' ? one.reasons : []))
    t.same(reasons, ['MODE:nominal', 'SHED:4'], 'what is denied is not shed, and takes no place')
    const first = armedRig(policy({ rules: mixed.slice(1), releasesMax: 4 }))
    first.slides(2, HIGH)
    t.equal(statesIn(first.said).filter((one) => one === 'GATE_PASSED').length, 4)
    const tight = armedRig(policy({ rules, releasesMax: 0 }))
    tight.slides(5, HIGH)
    t.same(statesIn(tight.said).filter((one) => one === 'GATE_PASSED').length, 3)
  },
)
