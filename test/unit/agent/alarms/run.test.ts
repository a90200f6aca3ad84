import t from 'tap'
import type { ConditionValue } from '../../../../shared/model/action.ts'
import { ALARM_SLIDES_MAX } from '../../../../shared/model/alarm.ts'
import { createRun, forgetRun, isPending, type Run, stepRun } from '../../../../shared/model/alarms/run.ts'
import { type AlarmLine, definitionFrom, SECOND_US } from '../../../support/alarm-rig.ts'

type Level = AlarmLine['levels'][number]

function runOf(level: Partial<Level>, line: Omit<AlarmLine, 'levels'> = {}) {
  const definition = definitionFrom('p', { ...line, levels: [{ severity: 'WARNING', op: '>=', value: 60, ...level }] })
  const [compiled] = definition.levels
  const run = createRun()
  const look = compiled!.look
  const limit = look.kind === 'window' ? look : null
  const show = (
    s: number,
    value: ConditionValue,
    { measured = null as number | null, isGap = false } = {},
  ): boolean => {
    stepRun(run, compiled!, definition, { value, measured, limit, endUs: s * SECOND_US, isGap })
    return run.active
  }
  return { run, show, level: compiled! }
}

/** Every sequence of so many values. */
function sequences(values: readonly ConditionValue[], length: number): ConditionValue[][] {
  if (length === 0) return [[]]
  return sequences(values, length - 1).flatMap((head) => values.map((value) => [...head, value]))
}

// verifies AL-2
t.test('k of n, for every sequence of six slides, with unknown ones passed over or beginning anew', (t) => {
  let count = 0
  for (const onUnknown of ['hold', 'reset'] as const)
    for (let n = 1; n <= 4; n += 1)
      for (let k = 1; k <= n; k += 1)
        for (const values of sequences(['TRUE', 'FALSE', 'STALE'], 6)) {
          const { show } = runOf({ k, n }, { on_unknown: onUnknown })
          let known: ConditionValue[] = []
          for (const [at, value] of values.entries()) {
            const isUnknown = value === 'STALE'
            if (!isUnknown) known.push(value)
            else if (onUnknown === 'reset') known = []
            const expected = !isUnknown && known.slice(-n).filter((one) => one === 'TRUE').length >= k
            const active = show(at + 1, value)
            if (active !== expected)
              t.fail(`${k} of ${n}, ${onUnknown}: ${values.slice(0, at + 1).join(' ')} gave ${active}`)
            count += 1
            if (active) break
          }
        }
  t.equal(count > 50_000, true, `${count} slides`)
  t.end()
})

// verifies AL-2
t.test('the longest run there may be', (t) => {
  const { show, run } = runOf({ k: ALARM_SLIDES_MAX })
  for (let s = 1; s < ALARM_SLIDES_MAX; s += 1) show(s, 'TRUE')
  t.equal(run.active, false)
  t.equal(show(ALARM_SLIDES_MAX, 'TRUE'), true)
  const sparse = runOf({ k: 2, n: ALARM_SLIDES_MAX })
  sparse.show(1, 'TRUE')
  for (let s = 2; s < ALARM_SLIDES_MAX; s += 1) sparse.show(s, 'FALSE')
  t.equal(sparse.show(ALARM_SLIDES_MAX, 'TRUE'), true, 'the oldest slide counts')
  const over = runOf({ k: 2, n: ALARM_SLIDES_MAX })
  over.show(1, 'TRUE')
  for (let s = 2; s <= ALARM_SLIDES_MAX; s += 1) over.show(s, 'FALSE')
  t.equal(over.show(ALARM_SLIDES_MAX + 1, 'TRUE'), false, 'and the one before it does not')
  t.end()
})

t.test('pending is: fewer slides would do than from the beginning', (t) => {
  /** TRUE slides that raise a run that is not active. */
  const needed = (run: Run, level: Partial<Level>): number => {
    const rest = runOf(level)
    Object.assign(rest.run, run)
    let more = 1
    while (!rest.show(100 + more, 'TRUE')) more += 1
    return more
  }
  for (let n = 1; n <= 4; n += 1)
    for (let k = 1; k <= n; k += 1)
      for (const values of sequences(['TRUE', 'FALSE'], 5)) {
        const { run, show, level } = runOf({ k, n })
        for (const [at, value] of values.entries()) {
          if (show(at + 1, value)) break
          const wanted = needed(run, { k, n }) < k
          if (isPending(run, level) !== wanted) t.fail(`${k} of ${n}: ${values.slice(0, at + 1).join(' ')}`)
        }
        if (run.active) t.equal(isPending(run, level), false)
      }
  t.end()
})

// verifies AL-2, G6
t.test('what is held for a time is broken by anything unknown, and by a gap', (t) => {
  const held = { held_s: 2 } as const
  for (const broken of ['STALE', 'INVALID', 'INSUFFICIENT', 'FALSE'] as const) {
    const { show } = runOf(held)
    show(1, 'TRUE')
    show(2, broken)
    t.equal(show(3, 'TRUE'), false, broken)
    t.equal(show(4.9, 'TRUE'), false, broken)
    t.equal(show(5, 'TRUE'), true, broken)
  }
  const gap = runOf(held)
  gap.show(1, 'TRUE')
  t.equal(gap.show(9, 'TRUE', { isGap: true }), false)
  t.equal(gap.show(10.9, 'TRUE'), false)
  t.equal(gap.show(11, 'TRUE'), true)
  const counted = runOf({ k: 2 })
  counted.show(1, 'TRUE')
  t.equal(counted.show(9, 'TRUE', { isGap: true }), true, 'under hold a gap is passed over by counting')
  const anew = runOf({ k: 2 }, { on_unknown: 'reset' })
  anew.show(1, 'TRUE')
  t.equal(anew.show(9, 'TRUE', { isGap: true }), false, 'under reset it is not')
  t.equal(anew.show(10, 'TRUE'), true)
  const forgotten = runOf({ k: 2, held_s: 1 })
  forgotten.show(1, 'TRUE')
  forgotten.show(2, 'TRUE')
  forgetRun(forgotten.run)
  t.equal(forgotten.show(3, 'TRUE'), false)
  t.equal(forgotten.show(4, 'TRUE'), false)
  t.equal(forgotten.show(5, 'TRUE'), true)
  forgetRun(forgotten.run)
  t.equal(forgotten.run.active, true, 'what is active stays so')
  t.end()
})

// verifies AL-3
t.test('cleared after so many good slides and so long, each of them known and past the deadband', (t) => {
  const raised = () => {
    const one = runOf({ deadband: 5, k: 2, n: 4 }, { clear_slides: 2, clear_s: 3 })
    one.show(1, 'TRUE', { measured: 65 })
    t.equal(one.show(2, 'TRUE', { measured: 65 }), true)
    return one
  }
  const good = { measured: 54 }
  const late = raised()
  t.equal(late.show(3, 'FALSE', good), true)
  t.equal(late.show(4, 'FALSE', good), true, 'two slides and not long enough')
  t.equal(late.show(5.9, 'FALSE', good), true)
  t.equal(late.show(6, 'FALSE', good), false)
  t.equal(late.show(7, 'TRUE', { measured: 65 }), false, 'and what raised it before does not count again')
  const few = raised()
  few.show(3, 'FALSE', good)
  few.show(4, 'TRUE', { measured: 65 })
  few.show(5, 'FALSE', good)
  t.equal(few.show(7.9, 'FALSE', good), true, 'a bad slide begins the time anew')
  t.equal(few.show(8, 'FALSE', good), false)
  for (const [what, value, measured, isGap] of [
    ['unknown', 'STALE', null, false],
    ['within the deadband', 'FALSE', 55, false],
    ['at nothing that was measured', 'FALSE', null, false],
    ['at a NaN', 'FALSE', Number.NaN, false],
  ] as const) {
    const one = raised()
    one.show(3, 'FALSE', good)
    one.show(4, value, { measured, isGap })
    t.equal(one.show(6, 'FALSE', good), true, what)
    t.equal(one.show(9, 'FALSE', good), false, what)
  }
  const gap = raised()
  gap.show(3, 'FALSE', good)
  t.equal(gap.show(9, 'FALSE', { ...good, isGap: true }), true, 'what lies in a gap was not good')
  t.equal(gap.show(12, 'FALSE', good), false)
  t.end()
})

// verifies AL-3
t.test('the deadband lies on the good side of the limit, whichever that is', (t) => {
  for (const [op, within, past] of [
    ['>=', 55, 54.9],
    ['>', 55.1, 55],
    ['<=', 65, 65.1],
    ['<', 64.9, 65],
  ] as const) {
    const { show } = runOf({ op, deadband: 5 })
    show(1, 'TRUE', { measured: 60 })
    t.equal(show(2, 'FALSE', { measured: within }), true, `${op}: ${within}`)
    t.equal(show(3, 'FALSE', { measured: past }), false, `${op}: ${past}`)
  }
  t.end()
})
