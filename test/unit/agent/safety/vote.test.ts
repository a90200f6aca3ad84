import t from 'tap'
import { dependenceReasons } from '../../../../agent/core/safety/independence.ts'
import { DEGRADATION, isOmissionGrave, tally } from '../../../../agent/core/safety/vote.ts'
import { needsSecond, orderedWarrant, proofOf, twoPersons, warrantOf } from '../../../../agent/core/safety/warrant.ts'
import {
  ACTIONS,
  CONDITION_VALUES,
  type ConditionValue,
  HARD_ACTIONS,
  SEVERITIES,
} from '../../../../shared/model/action.ts'
import { VOTES } from '../../../../shared/model/actions-policy.ts'
import { dominanceOf } from '../../../../shared/model/hazard-vote.ts'
import { over, type Reading, type Readings, seenAt, T0 } from '../../../support/safety-rig.ts'

/** `T` TRUE, `F` FALSE, `?` unknown; then demand, TRUE members it takes, degraded, lost, gone, and the vote in words. */
type Row = [
  members: string,
  demand: boolean,
  needed: number,
  degraded: boolean,
  lost: boolean,
  gone: boolean,
  is: string,
]

const BOTH_2OO3: Row[] = [
  ['TTT', true, 2, false, false, false, '2oo3'],
  ['TTF', true, 2, false, false, false, '2oo3'],
  ['TFF', false, 2, false, false, true, '2oo3'],
  ['FFF', false, 2, false, false, true, '2oo3'],
  ['T??', false, 0, false, true, false, 'lost'],
  ['F??', false, 0, false, true, false, 'lost'],
  ['???', false, 0, false, true, false, 'lost'],
]
const BOTH_2OO2: Row[] = [
  ['TT', true, 2, false, false, false, '2oo2'],
  ['TF', false, 2, false, false, true, '2oo2'],
  ['FF', false, 2, false, false, true, '2oo2'],
  ['T?', false, 0, false, true, false, 'lost'],
  ['F?', false, 0, false, true, true, 'lost'],
  ['??', false, 0, false, true, false, 'lost'],
]
const BOTH_1OON: Row[] = [
  ['T', true, 1, false, false, false, '1ooN'],
  ['F', false, 1, false, false, true, '1ooN'],
  ['?', false, 0, false, true, false, 'lost'],
  ['TF', true, 1, false, false, false, '1ooN'],
  ['T?', true, 1, true, false, false, '1oo1'],
  ['F?', false, 1, true, false, false, '1oo1'],
  ['??', false, 0, false, true, false, 'lost'],
  ['TF?', true, 1, true, false, false, '1oo2'],
  ['FF?', false, 1, true, false, false, '1oo2'],
  ['T??', true, 1, true, false, false, '1oo1'],
  ['F??', false, 0, false, true, false, 'lost'],
  ['FF??', false, 0, false, true, false, 'lost'],
  ['F???', false, 0, false, true, false, 'lost'],
  ['T???', true, 1, true, false, false, '1oo1'],
  ['FFFF', false, 1, false, false, true, '1ooN'],
]
const TABLE = {
  '2oo3': {
    must_work: [
      ...BOTH_2OO3,
      ['TT?', true, 1, true, false, false, '1oo2'],
      ['TF?', true, 1, true, false, false, '1oo2'],
      ['FF?', false, 1, true, false, true, '1oo2'],
    ] as Row[],
    must_not_work: [
      ...BOTH_2OO3,
      ['TT?', true, 2, true, false, false, '2oo2'],
      ['TF?', false, 2, true, false, false, '2oo2'],
      ['FF?', false, 2, true, false, true, '2oo2'],
    ] as Row[],
  },
  '2oo2': { must_work: BOTH_2OO2, must_not_work: BOTH_2OO2 },
  '1ooN': { must_work: BOTH_1OON, must_not_work: BOTH_1OON },
}

/** All orders of a few members. */
function orders(members: string): string[] {
  if (members.length < 2) return [members]
  return [...members].flatMap((one, k) => orders(members.slice(0, k) + members.slice(k + 1)).map((rest) => one + rest))
}

// verifies SE-02, SE-03, SE-05
t.test('every vote degrades as the table says, whichever member it is and however it is unknown', async (t) => {
  for (const vote of VOTES)
    for (const dominance of ['must_work', 'must_not_work'] as const)
      for (const [members, demand, needed, degraded, lost, gone, architecture] of TABLE[vote][dominance])
        for (const order of new Set(orders(members)))
          for (const unknown of ['STALE', 'INVALID', 'INSUFFICIENT'] as const) {
            const values = [...order].map((one) => (one === 'T' ? 'TRUE' : one === 'F' ? 'FALSE' : unknown))
            const expected = { needed, degraded, lost, architecture, demand, gone }
            t.same(tally(vote, values, dominance), expected, `${vote} ${dominance} ${order} ${unknown}`)
          }
  t.same(DEGRADATION['2oo3'], { must_work: [2, 1, 'lost', 'lost'], must_not_work: [2, 2, 'lost', 'lost'] })
})

// verifies SE-05
t.test('what is unknown never makes a demand of what must not work, and never clears what must', async (t) => {
  const all = (n: number): ConditionValue[][] =>
    n === 0 ? [[]] : all(n - 1).flatMap((rest) => CONDITION_VALUES.map((one) => [one, ...rest]))
  const weaker = (values: ConditionValue[], to: ConditionValue): ConditionValue[] =>
    values.map((one) => (one === 'TRUE' || one === 'FALSE' ? one : to))
  let cases = 0
  for (const [vote, n] of [
    ['2oo3', 3],
    ['2oo2', 2],
    ['1ooN', 3],
  ] as const)
    for (const values of all(n)) {
      const found = tally(vote, values, 'must_not_work')
      const worst = tally(vote, weaker(values, 'FALSE'), 'must_not_work')
      if (found.demand) t.ok(worst.demand, `${vote} ${values}`)
      const might = tally(vote, weaker(values, 'TRUE'), 'must_work')
      t.equal(found.gone, !might.demand, `gone ${vote} ${values}`)
      cases += 1
    }
  t.equal(cases, 125 + 25 + 125)
})

t.test('a wrong number of members is no vote', async (t) => {
  for (const [vote, n] of [
    ['2oo3', 2],
    ['2oo3', 4],
    ['2oo2', 1],
    ['2oo2', 3],
    ['1ooN', 0],
  ] as const) {
    const found = tally(vote, new Array<ConditionValue>(n).fill('TRUE'), 'must_work')
    t.same(found, { demand: false, needed: 0, degraded: false, lost: true, gone: false, architecture: 'malformed' })
  }
})

// verifies SE-02
t.test('a vote falls towards what is worse, and on a tie towards doing less', async (t) => {
  SEVERITIES.forEach((omission, o) => {
    SEVERITIES.forEach((inadvertent, i) => {
      t.equal(dominanceOf({ omission, inadvertent }), o > i ? 'must_work' : 'must_not_work')
    })
    t.equal(isOmissionGrave({ omission }), o >= 2)
  })
})

const trail = (metric: string, leaf: string, groups: string[], declared = true): Reading => ({
  trail: { metric, leaves: leaf === '' ? [] : [leaf], groups, declared },
})

// verifies SE-06
t.test('what two conditions share is named, and what is not stated is never independent', async (t) => {
  const a = over('p_a')
  const b = over('p_b')
  const table: [string, Readings, string[]][] = [
    ['apart', {}, []],
    ['card', { p_a: trail('p_a', 'x', ['daq:2']), p_b: trail('p_b', 'y', ['daq:2']) }, ['NOT_INDEPENDENT:daq:2']],
    ['source', { p_a: trail('p_a', 'x', []), p_b: trail('p_b', 'x', []) }, ['NOT_INDEPENDENT:leaf:x']],
    ['silent a', { p_a: trail('p_a', 'x', [], false) }, ['NOT_INDEPENDENT:undeclared']],
    ['silent b', { p_b: trail('p_b', 'x', [], false) }, ['NOT_INDEPENDENT:undeclared']],
    ['no leaf', { p_b: trail('p_b', '', []) }, ['NOT_INDEPENDENT:undeclared']],
    ['publisher', { p_a: { publisher: 'Card' }, p_b: { publisher: 'card' } }, ['NOT_INDEPENDENT:publisher:card']],
    ['many', { p_a: { publisher: '' } }, ['NOT_INDEPENDENT:undeclared']],
    ['unseen', { p_b: null }, ['NOT_INDEPENDENT:undeclared']],
  ]
  for (const [name, readings, expected] of table) t.same(dependenceReasons(a, b, seenAt(T0, readings)), expected, name)
  const wide = over('p_a', { id: 'wide' })
  t.ok(dependenceReasons(a, wide, seenAt(T0)).includes('NOT_INDEPENDENT:leaf:T-p_a'), 'one channel, two windows')
})

// verifies SE-06
t.test('two verdicts rest on one baseline, a verdict and a window do not', async (t) => {
  const fails = (metric: string) => over(metric, { look: { kind: 'verdict', metric, verdicts: ['FAIL'] } })
  t.same(dependenceReasons(fails('p_a'), fails('p_b'), seenAt(T0)), ['NOT_INDEPENDENT:baseline:in_force'])
  t.same(dependenceReasons(fails('p_a'), over('p_b'), seenAt(T0)), [])
  for (const look of [{ kind: 'event' }, { kind: 'overall', verdicts: ['FAIL'] }] as const)
    t.same(dependenceReasons(over('x', { look }), over('p_b'), seenAt(T0)), ['NOT_INDEPENDENT:undeclared'])
})

// verifies SE-04
t.test('a hard action takes two distinct proofs, or one and two people who are not the same', async (t) => {
  const a = proofOf('a', 'TRUE')
  const b = proofOf('b', 'TRUE')
  const two = twoPersons(['ada', 'bob'])
  t.same(two, ['ada', 'bob'])
  for (const by of [[], ['ada'], ['ada', 'ada'], ['ada', ''], ['', '']]) t.equal(twoPersons(by), null, `${by}`)
  t.same(twoPersons(['ada', 'ada', 'bob', 'cy']), ['ada', 'bob'])
  for (const action of ACTIONS) {
    const isHard = HARD_ACTIONS.includes(action)
    const kind = (warrant: ReturnType<typeof warrantOf>): string | null => warrant?.kind ?? null
    t.equal(kind(warrantOf(action, [], two)), isHard ? null : 'gentle', `${action} no proof`)
    t.equal(kind(warrantOf(action, [a], null)), isHard ? null : 'gentle', `${action} one proof`)
    t.equal(kind(warrantOf(action, [a, a], null)), isHard ? null : 'gentle', `${action} one proof twice`)
    t.equal(kind(warrantOf(action, [a, a], two)), isHard ? 'proof_and_persons' : 'gentle', `${action} and two people`)
    t.equal(kind(warrantOf(action, [a, b], null)), isHard ? 'two_proofs' : 'gentle', `${action} two proofs`)
    t.equal(kind(warrantOf(action, [a, a, b], two)), isHard ? 'two_proofs' : 'gentle', `${action} three`)
  }
  t.match(warrantOf('abort', [a, b], two), { first: a, second: b })
  t.match(warrantOf('abort', [a], two), { proof: a, persons: ['ada', 'bob'] })

  // verifies SE-04, SE-23, SE-26
  t.test('what an ordered action is released on, by who ordered it and how grave it is', async (t) => {
    const glass = { person: 'ada', armed: twoPersons(['bob', 'cy'])! }
    for (const action of ACTIONS)
      for (const inadvertent of SEVERITIES)
        for (const omission of SEVERITIES) {
          const isGrave = [inadvertent, omission].some((one) => one === 'critical' || one === 'catastrophic')
          const takesTwo = isGrave || HARD_ACTIONS.includes(action)
          const of = { action, hazard: { inadvertent, omission } }
          const what = `${action} ${inadvertent} ${omission}`
          t.equal(needsSecond(action, of.hazard), takesTwo, what)
          const kind = (by: string[], under: typeof glass | null) => orderedWarrant(of, by, under)?.kind ?? null
          t.same([kind([], null), kind([''], null)], [null, null], `${what}: nobody`)
          t.equal(kind(['ada'], null), takesTwo ? null : 'gentle', `${what}: one`)
          t.equal(kind(['ada', 'ada'], null), takesTwo ? null : 'gentle', `${what}: one twice`)
          t.equal(kind(['ada', 'bob'], null), takesTwo ? 'persons' : 'gentle', `${what}: two`)
          t.equal(kind(['ada'], glass), takesTwo ? 'break_glass' : 'gentle', `${what}: one under break-glass`)
          t.equal(kind(['ada', 'bob'], glass), takesTwo ? 'persons' : 'gentle', `${what}: two need none`)
        }
    t.equal(orderedWarrant({ action: 'notify', hazard: null }, ['ada'], null), null, 'what nobody weighed')
    t.match(orderedWarrant({ action: 'abort', hazard: null }, ['ada'], glass), { person: 'ada', armed: ['bob', 'cy'] })
  })
})
