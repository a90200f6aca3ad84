import t from 'tap'
import {
  advance,
  type ConditionState,
  createCondition,
  isKnown,
  kOfN,
  memberNow,
  observe,
  PERSISTENCE_SLIDES_MAX,
} from '../../../../agent/core/safety/condition.ts'
import type { Seen } from '../../../../agent/core/safety/seen.ts'
import type { Comparison, Condition, Look } from '../../../../shared/model/actions-policy.ts'
import { METRIC_VERDICTS, OVERALL_VERDICTS } from '../../../../shared/model/verdict.ts'
import { FRESH_US, over, type Reading, SLIDE_US, seenAt, T0, WINDOW_US } from '../../../support/safety-rig.ts'

const LETTERS = ['T', 'F', 'S', 'I'] as const
const NAMES = { T: 'TRUE', F: 'FALSE', S: 'STALE', I: 'INVALID', N: 'INSUFFICIENT' } as const

/** Every way in which what is unknown could have been. */
function completions(history: string): string[] {
  if (history === '') return ['']
  const heads = history[0] === 'T' || history[0] === 'F' ? [history[0]] : ['T', 'F']
  return completions(history.slice(1)).flatMap((rest) => heads.map((head) => head + rest))
}

// verifies SE-05
t.test('k of n is known when every completion of the unknowns agrees, and unknown otherwise', async (t) => {
  let cases = 0
  for (const a of LETTERS)
    for (const b of LETTERS)
      for (const c of LETTERS)
        for (const k of [1, 2, 3]) {
          const history = a + b + c
          const answers = new Set(completions(history).map((one) => one.split('T').length - 1 >= k))
          const open = history.includes('I') ? 'INVALID' : 'STALE'
          const expected = answers.size === 2 ? open : answers.has(true) ? 'TRUE' : 'FALSE'
          t.equal(kOfN(history, k, 3), expected, `${k} of ${history}`)
          cases += 1
        }
  t.equal(cases, 192)
})

// verifies SE-05
t.test('slides that were not there yet are unknown, and only the newest n count', async (t) => {
  const table: [string, number, number, string][] = [
    ['', 1, 1, 'INSUFFICIENT'],
    ['T', 2, 3, 'INSUFFICIENT'],
    ['F', 2, 3, 'INSUFFICIENT'],
    ['FF', 2, 3, 'FALSE'],
    ['TT', 2, 3, 'TRUE'],
    ['NT', 2, 2, 'INSUFFICIENT'],
    ['NS', 1, 2, 'STALE'],
    ['SI', 1, 2, 'INVALID'],
    ['TTF', 1, 1, 'FALSE'],
    ['TTFF', 2, 3, 'FALSE'],
    ['FTTF', 2, 3, 'TRUE'],
    ['T', 0, 1, 'INVALID'],
    ['T', 2, 1, 'INVALID'],
    ['T', Number.NaN, 1, 'INVALID'],
    ['T', 1, Number.NaN, 'INVALID'],
    ['T', 1, PERSISTENCE_SLIDES_MAX, 'TRUE'],
    ['T', 1, PERSISTENCE_SLIDES_MAX + 1, 'INVALID'],
  ]
  for (const [history, k, n, value] of table) t.equal(kOfN(history, k, n), value, `${k} of ${n} of ${history}`)
  t.same(Object.values(NAMES).map(isKnown), [true, true, false, false, false])
})

const at = (reading: Reading | null, change: Partial<Seen> = {}): Seen => seenAt(T0, { p_a: reading }, change)

// verifies SE-05, SE-08
t.test('what cannot be seen is unknown and says why', async (t) => {
  const table: [string, Reading | null, string, string, Partial<Seen>?][] = [
    ['well', { value: 9 }, 'TRUE', ''],
    ['low', { value: 8 }, 'FALSE', ''],
    ['never', null, 'STALE', 'STALE:p_a never seen'],
    ['no age', { ageUs: null }, 'STALE', 'STALE:p_a never seen'],
    ['no arrival', { arrivalAgeUs: null }, 'STALE', 'STALE:p_a never seen'],
    ['as old as may be', { value: 9, ageUs: FRESH_US, arrivalAgeUs: FRESH_US }, 'TRUE', ''],
    ['old', { value: 9, ageUs: 812_400 }, 'STALE', 'STALE:p_a 812ms>500'],
    ['just old', { value: 9, ageUs: FRESH_US + 1 }, 'STALE', 'STALE:p_a 500ms>500'],
    ['old by arrival', { value: 9, arrivalAgeUs: 812_400 }, 'STALE', 'STALE:p_a arrival 812ms>500'],
    ['just old by arrival', { value: 9, arrivalAgeUs: FRESH_US + 1 }, 'STALE', 'STALE:p_a arrival 500ms>500'],
    ['age not a number', { value: 9, ageUs: Number.NaN }, 'STALE', 'STALE:p_a NaNms>500'],
    ['arrival not a number', { value: 9, arrivalAgeUs: Number.NaN }, 'STALE', 'STALE:p_a arrival NaNms>500'],
    ['invalid', { value: 9, verdict: 'INVALID' }, 'INVALID', 'INVALID:p_a'],
    ['stale', { value: 9, verdict: 'STALE' }, 'STALE', 'STALE:p_a'],
    ['another window fills', { value: 9, verdict: 'INSUFFICIENT' }, 'TRUE', ''],
    ['not filled', { value: 9, filled: false }, 'INSUFFICIENT', 'INSUFFICIENT:p_a'],
    ['not a number', { value: Number.NaN }, 'INVALID', 'INVALID:p_a not a number'],
    ['infinite', { value: Number.POSITIVE_INFINITY }, 'INVALID', 'INVALID:p_a not a number'],
    ['no such window', { windows: [] }, 'INVALID', 'INVALID:p_a no window of 250000us'],
    ['clock', { value: 9 }, 'STALE', 'CLOCK_STEP', { clockStepped: true }],
  ]
  for (const [name, reading, value, why, change] of table)
    t.match(observe(over('p_a'), at(reading, change)), { value, why }, name)
  const nan = over('p_a', {
    look: { kind: 'window', metric: 'p_a', windowUs: WINDOW_US, of: 'mean', op: '<', value: Number.NaN },
  })
  t.equal(observe(nan, at({ value: 9 })).value, 'INVALID', 'a limit that is no number')
  t.equal(observe(over('p_a'), at({ value: 9, ageUs: 12 })).ageUs, 12)
})

// verifies G8
t.test('limits are as they are written, at the limit too, and zero has no sign', async (t) => {
  const holds: Record<Comparison, [boolean, boolean, boolean]> = {
    '>': [false, false, true],
    '>=': [false, true, true],
    '<': [true, false, false],
    '<=': [true, true, false],
  }
  for (const [op, expected] of Object.entries(holds) as [Comparison, boolean[]][])
    for (const [limit, values] of [
      [8, [7, 8, 9]],
      [0, [-1, -0, 1]],
    ] as const)
      values.forEach((value, k) => {
        const look: Look = { kind: 'window', metric: 'p_a', windowUs: WINDOW_US, of: 'mean', op, value: limit }
        const found = observe(over('p_a', { look }), at({ value })).value
        t.equal(found, expected[k] ? 'TRUE' : 'FALSE', `${value} ${op} ${limit}`)
      })
})

t.test('a look takes the statistic and the window that it names', async (t) => {
  const windows = [
    { windowUs: 1_000_000, filled: true, mean: 1, min: 2, max: 3 },
    { windowUs: WINDOW_US, filled: true, mean: 11, min: 10, max: 12 },
  ]
  for (const [of, value] of [
    ['min', 10],
    ['mean', 11],
    ['max', 12],
  ] as const) {
    const look = (limit: number): Look => ({
      kind: 'window',
      metric: 'p_a',
      windowUs: WINDOW_US,
      of,
      op: '>=',
      value: limit,
    })
    t.equal(observe(over('p_a', { look: look(value) }), at({ windows })).value, 'TRUE', of)
    t.equal(observe(over('p_a', { look: look(value + 0.5) }), at({ windows })).value, 'FALSE', of)
  }
})

// verifies SE-05
t.test('a verdict that says that nothing is known makes nothing TRUE, though the policy names it', async (t) => {
  const all: Condition = over('p_a', { look: { kind: 'verdict', metric: 'p_a', verdicts: METRIC_VERDICTS } })
  const none: Condition = over('p_a', { look: { kind: 'verdict', metric: 'p_a', verdicts: [] } })
  const expected = {
    FAIL: ['TRUE', 'FALSE', ''],
    INVALID: ['INVALID', 'INVALID', 'INVALID:p_a'],
    STALE: ['STALE', 'STALE', 'STALE:p_a'],
    INSUFFICIENT: ['INSUFFICIENT', 'INSUFFICIENT', 'INSUFFICIENT:p_a'],
    NO_BASELINE: ['INVALID', 'INVALID', 'NO_BASELINE:p_a'],
    DRIFT: ['TRUE', 'FALSE', ''],
    PASS: ['TRUE', 'FALSE', ''],
  }
  for (const verdict of METRIC_VERDICTS) {
    const [named, unnamed, why] = expected[verdict]
    t.match(observe(all, at({ verdict })), { value: named, why }, verdict)
    t.equal(observe(none, at({ verdict })).value, unnamed, `${verdict} not named`)
  }
  const overall = { FAIL: 'TRUE', NO_TEST: 'STALE', NO_BASELINE: 'INVALID', PASS_WITH_DRIFT: 'TRUE', PASS: 'TRUE' }
  const whys = { FAIL: '', NO_TEST: 'STALE:overall NO_TEST', NO_BASELINE: 'INVALID:overall NO_BASELINE' }
  for (const verdict of OVERALL_VERDICTS) {
    const look: Look = { kind: 'overall', verdicts: OVERALL_VERDICTS }
    const found = observe(over('x', { look }), at({}, { verdict }))
    t.match(
      found,
      { value: overall[verdict], why: verdict in whys ? whys[verdict as 'FAIL'] : '', ageUs: null },
      verdict,
    )
  }
  const fail: Look = { kind: 'overall', verdicts: ['FAIL'] }
  t.equal(observe(over('x', { look: fail }), at({}, { verdict: 'PASS' })).value, 'FALSE')
})

t.test('event streams that warm up or are not there are unknown', async (t) => {
  const found = (event: Seen['event']) => {
    const { value, why } = observe(over('x', { look: { kind: 'event' } }), at({}, { event }))
    return [value, why]
  }
  t.same(found('alarm'), ['TRUE', ''])
  t.same(found('nominal'), ['FALSE', ''])
  t.same(found('warming_up'), ['INSUFFICIENT', 'INSUFFICIENT:event warming up'])
  t.same(found(null), ['INVALID', 'INVALID:event no streams'])
})

const LIMIT60 = (n: number): Condition =>
  over('p_a', {
    look: { kind: 'window', metric: 'p_a', windowUs: WINDOW_US, of: 'mean', op: '>=', value: 60 },
    persistence: { k: n, n },
  })

/** Values of a condition slide by slide; null: nothing came; a gap is longer than what is fresh. */
function run(
  condition: Condition,
  steps: readonly (number | null | 'gap')[],
): { values: string[]; state: ConditionState } {
  const state = createCondition(condition)
  let endUs = T0
  let gapUs: number | null = null
  const values: string[] = []
  for (const step of steps) {
    endUs += SLIDE_US
    if (step === 'gap') {
      endUs += 2_500_000
      gapUs = 2_550_000
      continue
    }
    const seen = seenAt(endUs, { p_a: step })
    advance(state, condition, seen, gapUs)
    gapUs = SLIDE_US
    values.push(memberNow(state, condition, seen).value)
  }
  return { values, state }
}

t.test('a NaN is INVALID and no FALSE, and holds nothing TRUE that is not', async (t) => {
  const { values } = run(LIMIT60(3), [65, Number.NaN, 65, 65, 65, 50])
  t.same(values, ['INSUFFICIENT', 'INVALID', 'INVALID', 'INVALID', 'TRUE', 'FALSE'])
})

// verifies G6
t.test('a silence breaks what lasts, and satisfies nothing', async (t) => {
  t.same(run(LIMIT60(3), [65, 65, 65]).values[2], 'TRUE')
  t.same(run(LIMIT60(3), [65, 65, 'gap', 65]).values, ['INSUFFICIENT', 'INSUFFICIENT', 'STALE'])
  t.same(run(LIMIT60(3), [65, 65, 'gap', 65, 65, 65]).values[4], 'TRUE')
  t.same(run(LIMIT60(3), [65, 65, 65, null]).values[3], 'STALE', 'what was TRUE and is not seen is not TRUE')
})

t.test('what was TRUE often enough is unknown while it is not seen', async (t) => {
  const condition = over('p_a', { persistence: { k: 1, n: 3 } })
  t.same(run(condition, [9, null]).values, ['TRUE', 'STALE'])
  t.same(run(condition, [9, Number.NaN]).values, ['TRUE', 'INVALID'])
  t.same(run(condition, [9, 5, 5, 5]).values, ['TRUE', 'TRUE', 'TRUE', 'FALSE'])
  const settled = over('p_a', { persistence: { k: 2, n: 3 } })
  t.same(run(settled, [5, 5, null]).values[2], 'FALSE', 'whatever is not seen would not make it two of three')
  const state = createCondition(condition)
  advance(state, condition, seenAt(T0, { p_a: 9 }), null)
  const filling = seenAt(T0, { p_a: { value: 9, filled: false } })
  t.equal(memberNow(state, condition, filling).value, 'INSUFFICIENT')
  t.equal(state.history, 'T', 'to look changes nothing')
})

t.test('a condition remembers since when it holds and when it was last known', async (t) => {
  const condition = over('p_a', { persistence: { k: 2, n: 3 } })
  const state = createCondition(condition)
  t.equal(state.knownUs, -1)
  const steps: [number | null, number | null, number, number | null][] = [
    [null, null, 0, null],
    [5, SLIDE_US, 1, null],
    [9, SLIDE_US, 2, null],
    [9, SLIDE_US, 3, 3],
    [9, SLIDE_US, 4, 3],
    [null, SLIDE_US, 4, null],
    [9, SLIDE_US, 6, 6],
    [9, FRESH_US, 7, 6],
    [9, FRESH_US + 1, 8, 8],
    [9, -1, 9, 9],
    [9, 0, 10, 10],
    [9, 1, 11, 10],
  ]
  steps.forEach(([value, gapUs, knownSlide, heldSlide], k) => {
    const age = { ageUs: 0, arrivalAgeUs: 0 }
    const seen = seenAt(T0 + k * SLIDE_US, { p_a: value === null ? null : { value, ...age } })
    advance(state, condition, seen, gapUs)
    t.equal(state.knownUs, T0 + knownSlide * SLIDE_US, `known at step ${k}`)
    t.equal(state.heldFromUs, heldSlide === null ? null : T0 + heldSlide * SLIDE_US, `held at step ${k}`)
    t.ok(state.history.length <= 3)
  })
  const event = over('x', { look: { kind: 'event' } })
  const alarm = createCondition(event)
  advance(alarm, event, seenAt(T0), null)
  t.equal(alarm.knownUs, T0, 'what has no age is as old as its slide')
  advance(state, condition, seenAt(T0 + 99 * SLIDE_US, { p_a: { value: 9, ageUs: 7 } }), SLIDE_US)
  t.equal(state.knownUs, T0 + 99 * SLIDE_US - 7)
  advance(state, condition, seenAt(T0 + 100 * SLIDE_US, { p_a: { value: 9, ageUs: -7 } }), SLIDE_US)
  t.equal(state.knownUs, T0 + 100 * SLIDE_US, 'a sample newer than the slide')
})

// verifies SE-07
t.test('a condition says why it does not count', async (t) => {
  const condition = over('p_a', { persistence: { k: 3, n: 4 } })
  const whyAfter = (steps: (number | null)[]): string => {
    const { state } = run(condition, steps)
    const last = steps[steps.length - 1]!
    return memberNow(state, condition, seenAt(T0, { p_a: last })).why
  }
  t.equal(whyAfter([5, 5, 5, 9, 9]), 'NOT_PERSISTED:p_a_high 2/3')
  t.equal(whyAfter([9, 9, 9, 5, 5, 5, 9]), 'NOT_PERSISTED:p_a_high 1/3')
  t.equal(whyAfter([9, 9, 9]), '')
  t.equal(whyAfter([5, 5, 5, 5]), 'FALSE:p_a_high')
  t.equal(whyAfter([null, null, null, 5]), 'STALE:p_a_high within 4 slides')
  t.equal(memberNow(run(condition, [9, 9, 9]).state, condition, at({ value: 9, ageUs: 33 })).ageUs, 33)
})

t.test('a history is no longer than what its condition asks for', async (t) => {
  for (const n of [1, 3, 7]) {
    const { state } = run(over('p_a', { persistence: { k: 1, n } }), [9, 9, 'gap', 9, 9, 9, 9, 9, 9, 9, 9])
    t.equal(state.history, 'T'.repeat(n))
  }
  const wild = over('p_a', { persistence: { k: 1, n: 0 } })
  t.equal(run(wild, [9, 9]).state.history, 'T')
  const wide = over('p_a', { persistence: { k: 1, n: PERSISTENCE_SLIDES_MAX * 2 } })
  t.equal(run(wide, new Array(PERSISTENCE_SLIDES_MAX + 5).fill(9)).state.history.length, PERSISTENCE_SLIDES_MAX)
})
