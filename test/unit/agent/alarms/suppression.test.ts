import { readFileSync } from 'node:fs'
import t from 'tap'
import { listFiles } from '../../../../scripts/sources.ts'
import { adoptAlarms } from '../../../../shared/model/alarms/adopt.ts'
import { alarmsAt } from '../../../../shared/model/alarms/alarms.ts'
import { createAlarms, stateOf } from '../../../../shared/model/alarms/state.ts'
import {
  type AlarmLine,
  AlarmRig,
  conditionsFrom,
  definitionsFrom,
  lineOf,
  SECOND_US,
} from '../../../support/alarm-rig.ts'

const warning: AlarmLine = { levels: [{ severity: 'WARNING', op: '>=', value: 60 }], max_hold_s: 1e6 }
const both: AlarmLine = {
  levels: [
    { severity: 'WARNING', op: '>=', value: 60 },
    { severity: 'CRITICAL', op: '>=', value: 80 },
  ],
  max_hold_s: 1e6,
}

// verifies AL-7
t.test('in a mode it is not meant for an alarm is recorded and not announced, and back it is new', (t) => {
  const rig = new AlarmRig(definitionsFrom({ p: { ...warning, modes: ['nominal'] } }))
  rig.at(1, { v: { p: 50 } })
  t.same(rig.at(2, { v: { p: 65 }, mode: 'maintenance' }).map(lineOf), [
    '2 suppressed p #0 none NORMAL>SUPPRESSED',
    '2 suppressed p:unknown #0 none NORMAL>SUPPRESSED',
    '2 raised p #1 WARNING SUPPRESSED>SUPPRESSED',
  ])
  t.same(
    rig.at(3, { mode: 'test' }).map(({ kind }) => kind),
    ['context'],
    'another mode it is not meant for',
  )
  t.same(rig.at(4, { mode: 'nominal' }).map(lineOf).slice(0, 3), [
    '4 unsuppressed p #1 WARNING SUPPRESSED>UNACK',
    '4 re_alarmed p #2 WARNING UNACK>UNACK !',
    '4 unsuppressed p:unknown #0 none SUPPRESSED>NORMAL',
  ])
  t.end()
})

// verifies AL-7
t.test('of a first-out group the first is announced, and another one only when it is worse', (t) => {
  const rig = new AlarmRig(definitionsFrom({ a: { ...both, group: 'pump' }, b: { ...both, group: 'pump' }, c: both }))
  t.same(rig.at(1, { v: { a: 50, b: 65, c: 50 } }).map(lineOf), ['1 raised b #1 WARNING NORMAL>UNACK !'])
  t.same(
    rig.at(2, { v: { a: 65, b: 65, c: 65 } }).map(lineOf),
    ['2 raised a #1 WARNING NORMAL>SUPPRESSED', '2 raised c #1 WARNING NORMAL>UNACK !'],
    'others are not touched',
  )
  t.same(rig.at(3, { v: { a: 85, b: 65, c: 65 } }).map(lineOf), ['3 severity_rise a #2 CRITICAL SUPPRESSED>UNACK !'])
  t.end()
})

// verifies AL-7
t.test('when the first is over or hidden, the next one that is active leads', (t) => {
  const trio = { a: { ...both, group: 'g' }, b: { ...both, group: 'g' }, c: { ...both, group: 'g' } }
  const started = () => {
    const rig = new AlarmRig(definitionsFrom(trio))
    rig.at(1, { v: { a: 65, b: 65, c: 65 } })
    t.same(
      ['a', 'b', 'c'].map((id) => rig.entry(id).suppressedBy),
      [null, 'first_out:a', 'first_out:a'],
    )
    return rig
  }
  const next = ['unsuppressed b #1 WARNING SUPPRESSED>UNACK', 're_alarmed b #2 WARNING UNACK>UNACK !']
  const over = started()
  t.same(over.at(2, { v: { a: 50, b: 65, c: 65 } }).map(lineOf), [
    '2 returned a #1 WARNING UNACK>RTN_UNACK',
    ...next.map((line) => `2 ${line}`),
  ])
  t.equal(over.entry('c').suppressedBy, 'first_out:b')
  t.same(over.at(3, { v: { a: 50, b: 50, c: 50 } }).map(lineOf), [
    '3 returned b #2 WARNING UNACK>RTN_UNACK',
    '3 returned c #1 WARNING SUPPRESSED>SUPPRESSED',
    '3 unsuppressed c #1 WARNING SUPPRESSED>RTN_UNACK',
  ])
  const shelved = started()
  const shelve = { kind: 'shelve', id: 'a', occurrence: 1, severity: 'WARNING' } as const
  t.same(
    shelved.input(2, shelve).map(lineOf).slice(1),
    next.map((line) => `2 ${line}`),
    'a hidden leader hides nobody',
  )
  const out = started()
  t.same(
    out.input(2, { kind: 'out_of_service', id: 'a' }).map(lineOf).slice(1),
    next.map((line) => `2 ${line}`),
  )
  t.end()
})

// verifies SE-27
t.test(
  'nothing an operator does to an alarm changes what the engine is shown, or what else there is to decide on',
  (t) => {
    const definitions = definitionsFrom({ p: both })
    const frozen = (value: object): object => {
      for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) frozen(part)
      return Object.freeze(value)
    }
    for (const input of ['shelve', 'out_of_service'] as const) {
      const rig = new AlarmRig(definitions)
      rig.input(0, { kind: input, id: 'p' })
      const look = { nowUs: SECOND_US, endUs: SECOND_US, mode: 'nominal', armed: true } as const
      const seen = { ...look, conditions: conditionsFrom(definitions, { p: 85 }, 'nominal'), raised: [] }
      frozen(seen)
      const changes = alarmsAt(rig.state, definitions, seen)
      t.ok(
        changes.some(({ kind }) => kind === 'raised'),
        `${input}: the condition is judged all the same`,
      )
      t.equal(rig.entry('p').level, 'CRITICAL')
      for (const change of changes)
        t.same(
          Object.keys(change).sort(),
          ['announce', 'endUs', 'from', 'id', 'kind', 'nowUs', 'occurrence', 'refused', 'severity', 'text', 'to'],
          'a change holds words for people and nothing to be carried out',
        )
    }
    t.end()
  },
)

// verifies AL-7
t.test(
  'an alarm under a cover is not told while the cover is active, and comes back when it is over before it',
  (t) => {
    const rig = new AlarmRig(
      definitionsFrom({ cover: both, a: { ...both, under: 'cover' }, b: { ...both, under: 'cover' } }),
    )
    const told = (s: number, v: Record<string, number>) =>
      rig.at(s, { v }).flatMap(({ kind, id, announce }) => (announce ? [`${kind} ${id}`] : []))
    t.same(told(1, { cover: 65, a: 65, b: 50 }), ['raised cover'], 'the cover is judged first')
    t.equal(rig.entry('a').suppressedBy, 'under:cover')
    t.same(told(2, { cover: 65, a: 85, b: 50 }), ['severity_rise a'], 'what is worse than its cover is told')
    t.same(told(3, { cover: 85, a: 85, b: 85 }), ['severity_rise cover'])
    t.equal(stateOf(rig.entry('b')), 'SUPPRESSED')
    t.same(told(4, { cover: 85, a: 85, b: 50 }), [])
    t.match(rig.entry('b'), { acked: true, severity: null }, 'nobody was told of b, so nobody has to acknowledge it')
    t.same(told(5, { cover: 85, a: 85, b: 85 }), [])
    t.same(told(6, { cover: 50, a: 85, b: 85 }), ['re_alarmed b'], 'the cover is over and b is not')
    t.equal(stateOf(rig.entry('a')), 'UNACK', 'a was told before')
    t.end()
  },
)

// verifies AL-7
t.test('a cover that is shelved covers nothing', (t) => {
  const rig = new AlarmRig(definitionsFrom({ cover: both, a: { ...both, under: 'cover' } }))
  rig.at(1, { v: { cover: 65, a: 65 } })
  const changes = rig.input(2, { kind: 'shelve', id: 'cover', occurrence: 1, severity: 'WARNING' })
  t.match(changes, [
    { kind: 'shelved' },
    { kind: 'unsuppressed', id: 'a' },
    { kind: 're_alarmed', id: 'a', announce: true },
  ])
  t.end()
})

// verifies SE-27
t.test('the engine imports vocabulary alone, and what decides on actions does not import it', (t) => {
  const importsOf = (file: string) =>
    [...readFileSync(new URL(`../../../../${file}`, import.meta.url), 'utf8').matchAll(/from '([^']+)'/g)].map(
      ([, name]) => name!,
    )
  const engine = listFiles('shared/model/alarms')
  t.ok(engine.length > 5)
  for (const file of engine)
    for (const name of importsOf(file))
      t.match(
        name,
        /^\.\/[a-z-]+\.ts$|^\.\.\/[a-z-]+\.ts$|^\.\.\/\.\.\/(units\.ts$|lib\/assert\.ts$)/,
        `${file}: ${name}`,
      )
  for (const file of listFiles('agent/core').filter((name) => name.startsWith('agent/core/safety/')))
    for (const name of importsOf(file)) t.notMatch(name, /alarm/, `${file}: ${name}`)
  t.end()
})

t.test('other definitions keep what is known of an alarm, and one that is gone is not gone unsaid', (t) => {
  const before = definitionsFrom({ a: both, b: both, c: both })
  const rig = new AlarmRig(before)
  rig.at(1, { v: { a: 65, b: 85, c: 50 } })
  rig.input(1, { kind: 'ack', id: 'a', occurrence: 1, severity: 'WARNING' })
  const kept = JSON.stringify(rig.entry('a'))
  const onlyWarning = { ...both, levels: both.levels.slice(0, 1) }
  const after = definitionsFrom({ d: both, b: onlyWarning, a: both })
  const changes = adoptAlarms(rig.state, before, after, 2 * SECOND_US)
  t.same(changes, [], 'c was in NORMAL')
  t.equal(JSON.stringify(rig.state.defined[2]), kept)
  t.same(
    rig.state.defined.map(({ id }) => id),
    ['d', 'b', 'a'],
  )
  const look = (s: number, v: Record<string, number>) => {
    const conditions = conditionsFrom(after, v, 'nominal')
    const time = { nowUs: s * SECOND_US, endUs: s * SECOND_US }
    return alarmsAt(rig.state, after, { ...time, mode: 'nominal', armed: false, conditions, raised: [] }).map(lineOf)
  }
  t.same(look(3, { a: 65, b: 65, d: 50 }), [], 'b lost the level that was active, and is not over by that')
  t.same(look(4, { a: 65, b: 50, d: 50 }), ['4 returned b #1 CRITICAL UNACK>RTN_UNACK'])
  const gone = adoptAlarms(rig.state, after, definitionsFrom({ d: both }), 5 * SECOND_US)
  t.same(gone.map(lineOf), [
    '5 withdrawn b #1 CRITICAL RTN_UNACK>RTN_UNACK !',
    '5 withdrawn a #1 WARNING ACKED>ACKED !',
  ])
  t.same(
    rig.state.defined.map(({ id }) => id),
    ['d'],
  )
  t.throws(
    () =>
      alarmsAt(createAlarms(before), after, {
        nowUs: 1,
        endUs: 1,
        mode: 'nominal',
        armed: false,
        conditions: [{ alarm: 'c', severity: 'WARNING', value: 'TRUE', measured: 1 }],
        raised: [],
      }),
    /no(t| alarm)|there is not/,
  )
  t.end()
})
