import t from 'tap'
import { CONDITION_VALUES, type ConditionValue } from '../../../../shared/model/action.ts'
import { ALARM_SEVERITIES, severityOf, severityRank } from '../../../../shared/model/alarm.ts'
import { builtInConditions, withBuiltIn } from '../../../../shared/model/alarm-built-in.ts'
import { alarmsAt } from '../../../../shared/model/alarms/alarms.ts'
import { createAlarms, stateOf } from '../../../../shared/model/alarms/state.ts'
import { OVERALL_VERDICTS, type OverallVerdict } from '../../../../shared/model/verdict.ts'
import { type AlarmLine, AlarmRig, definitionsFrom, lineOf, SECOND_US } from '../../../support/alarm-rig.ts'

const warning: AlarmLine = { levels: [{ severity: 'WARNING', op: '>=', value: 60 }] }
const critical: AlarmLine = { levels: [{ severity: 'CRITICAL', op: '>=', value: 60 }] }

// verifies AL-11, SE-36
t.test('an active alarm is cleared by FALSE alone', (t) => {
  for (const value of CONDITION_VALUES) {
    const definitions = definitionsFrom({ p: { ...critical, max_hold_s: 1e6 } })
    const state = createAlarms(definitions)
    const look = (s: number, value: ConditionValue, measured: number | null) =>
      alarmsAt(state, definitions, {
        nowUs: s * SECOND_US,
        endUs: s * SECOND_US,
        mode: 'nominal',
        armed: false,
        conditions: [{ alarm: 'p', severity: 'CRITICAL', value, measured }],
        raised: [],
      })
    look(1, 'TRUE', 65)
    for (let s = 2; s < 50; s += 1) look(s, value, null)
    t.equal(state.defined[0]!.level, value === 'FALSE' ? null : 'CRITICAL', value)
    look(50, 'FALSE', Number.NaN)
    t.equal(state.defined[0]!.level, value === 'FALSE' ? null : 'CRITICAL', `${value}, then FALSE of a NaN`)
  }
  t.end()
})

// verifies AL-11, SE-36, AL-12
t.test('data that are lost raise an alarm at least as severe as the worst that is watched', (t) => {
  const ways = {
    'a condition that is STALE': (rig: AlarmRig, s: number) => rig.at(s, { v: { p: null, q: 50 } }),
    'a value that is NaN': (rig: AlarmRig, s: number) => rig.at(s, { v: { p: Number.NaN, q: 50 } }),
    'a condition that is no longer there': (rig: AlarmRig, s: number) => rig.at(s, { v: { q: 50 } }),
  }
  for (const [what, lose] of Object.entries(ways))
    for (const [line, severity] of [
      [warning, 'UNKNOWN'],
      [critical, 'CRITICAL'],
    ] as const) {
      const rig = new AlarmRig(definitionsFrom({ p: { ...line, max_hold_s: 3 }, q: warning }))
      rig.at(1, { v: { p: 50, q: 50 } })
      for (let s = 2; s <= 5; s += 1) t.same(lose(rig, s), [], `${what}: not before it lasted for longer than 3 s`)
      t.same(lose(rig, 6).map(lineOf), [`6 raised p:unknown #1 ${severity} NORMAL>UNACK !`], what)
      t.same(rig.at(7, { v: { p: 50, q: 50 } }).map(lineOf), [`7 returned p:unknown #1 ${severity} UNACK>RTN_UNACK`])
    }
  t.end()
})

// verifies AL-11, SE-36
t.test('a stream that ends raises, though no slide is closed any more', (t) => {
  const rig = new AlarmRig(definitionsFrom({ p: { ...critical, max_hold_s: 3 } }))
  rig.at(1, { v: { p: 65 } })
  t.same(rig.at(2), [], 'a tick between two slides')
  t.same(rig.at(4), [])
  t.same(rig.at(4.5).map(lineOf), ['4.5 raised p:unknown #1 CRITICAL NORMAL>UNACK !'])
  t.equal(rig.entry('p').level, 'CRITICAL', 'and what was active is so still')
  const never = new AlarmRig(definitionsFrom({ p: { ...critical, max_hold_s: 3 } }))
  never.at(1)
  t.same(never.at(4), [])
  t.same(never.at(4.5).map(lineOf), ['4.5 raised p:unknown #1 CRITICAL NORMAL>UNACK !'], 'one that never began too')
  const builtIn = new AlarmRig(withBuiltIn([], 1.5 * SECOND_US))
  builtIn.at(1)
  t.same(
    builtIn.at(11.5).map(lineOf),
    ['11.5 raised rig-no-test:unknown #1 CRITICAL NORMAL>UNACK !'],
    'and one without alarms of its own',
  )
  t.end()
})

// verifies AL-2
t.test('after an outage longer than max_hold counting begins anew', (t) => {
  const line: AlarmLine = { levels: [{ severity: 'CRITICAL', op: '>=', value: 60, k: 3 }], max_hold_s: 3 }
  for (const [outageS, expected] of [
    [3, true],
    [4, false],
  ] as const) {
    const rig = new AlarmRig(definitionsFrom({ p: line }))
    for (const s of [1, 2, 2 + outageS]) rig.at(s, { v: { p: 65 } })
    t.equal(rig.entry('p').level !== null, expected, `${outageS} s`)
  }
  t.end()
})

// verifies AL-12
t.test('a severity that nobody knows sorts above WARNING and below CRITICAL', (t) => {
  t.same(ALARM_SEVERITIES, ['WARNING', 'UNKNOWN', 'CRITICAL'])
  for (const word of ['', 'warning', 'INFO', 'FATAL', 'constructor', 'UNKNOWN']) {
    t.equal(severityOf(word), 'UNKNOWN', word)
    t.ok(severityRank(severityOf(word)) > severityRank('WARNING'), word)
  }
  t.equal(severityOf('WARNING'), 'WARNING')
  t.equal(severityOf('CRITICAL'), 'CRITICAL')
  t.equal(severityRank(null), -1)
  t.end()
})

function builtInRig() {
  const definitions = withBuiltIn([], 1.5 * SECOND_US)
  const state = createAlarms(definitions)
  let s = 0
  const show = (verdict: OverallVerdict | null, slides = 1, allKnown = true) => {
    for (let k = 0; k < slides; k += 1) {
      s += 1
      const conditions = builtInConditions(verdict, allKnown)
      const time = { nowUs: s * SECOND_US, endUs: s * SECOND_US }
      alarmsAt(state, definitions, { ...time, mode: 'nominal', armed: false, conditions, raised: [] })
    }
    return Object.fromEntries(state.defined.map((entry) => [entry.id, stateOf(entry)]))
  }
  return { state, show }
}

// verifies SE-36
t.test('a rig without alarms of its own is not silent: every verdict that is not a pass raises one', (t) => {
  const expected: Record<OverallVerdict, readonly string[]> = {
    FAIL: ['UNACK', 'NORMAL', 'NORMAL'],
    NO_TEST: ['NORMAL', 'UNACK', 'NORMAL'],
    NO_BASELINE: ['NORMAL', 'NORMAL', 'UNACK'],
    PASS_WITH_DRIFT: ['NORMAL', 'NORMAL', 'NORMAL'],
    PASS: ['NORMAL', 'NORMAL', 'NORMAL'],
  }
  for (const verdict of OVERALL_VERDICTS) {
    const states = builtInRig().show(verdict)
    t.same(Object.values(states), expected[verdict], verdict)
    t.same(Object.keys(states), ['rig-fail', 'rig-no-test', 'rig-no-baseline'])
  }
  t.same(Object.values(builtInRig().show(null)), ['NORMAL', 'UNACK', 'NORMAL'], 'no verdict is no test')
  const { state, show } = builtInRig()
  show('FAIL')
  show('NO_TEST')
  show('NO_BASELINE')
  t.same(
    state.defined.map(({ severity }) => severity),
    ['CRITICAL', 'CRITICAL', 'UNKNOWN'],
    'not knowing is as severe as what it may hide',
  )
  t.end()
})

// verifies AL-11
t.test('a FAIL that turns into silence has not recovered, nor NO_TEST that a FAIL hides', (t) => {
  const { show } = builtInRig()
  show('FAIL')
  t.match(show('NO_TEST', 100), { 'rig-fail': 'UNACK', 'rig-no-test': 'UNACK' })
  t.match(show('FAIL', 100, false), { 'rig-no-test': 'UNACK' }, 'NO_TEST may lie behind it')
  t.match(show('PASS', 100, false), { 'rig-fail': 'UNACK', 'rig-no-test': 'RTN_UNACK' }, 'a metric is not known')
  t.match(show('PASS', 100), { 'rig-fail': 'RTN_UNACK', 'rig-no-test': 'RTN_UNACK' })
  t.end()
})
