import t from 'tap'
import { AlarmsSchema } from '../../../shared/config/alarm-schema.ts'
import { readAlarms } from '../../../shared/config/alarms.ts'
import { checkYaml } from '../../../shared/config/document.ts'
import { closed } from '../../../shared/config/schema-parts.ts'
import type { Schema } from '../../../shared/config/schema-terms.ts'
import { comparedWith, DEFINITIONS_MAX, lookIn } from '../../../shared/model/alarm.ts'
import { BUILT_IN_ALARMS } from '../../../shared/model/alarm-built-in.ts'

const FILE = closed({ alarms: AlarmsSchema }) as unknown as Schema
const ABOUT = {
  slideMs: 50,
  metrics: [
    { metric: 'p_a', windowsMs: [250, 1000] },
    { metric: 'flow', windowsMs: [1000] },
  ],
}

function read(text: string) {
  const file = checkYaml('actions_policy.yaml', new TextEncoder().encode(text), FILE)
  const { definitions, problems } = readAlarms(file, ABOUT)
  return { definitions, problems: [...file.problems, ...problems] }
}

const LEVEL = "{ severity: WARNING, metric: p_a, window_ms: 250, op: '>=', value: 60 }"
/** One alarm that is well, with keys of it replaced (`null`: left out). */
function alarm(change: Readonly<Record<string, string | null>> = {}): string {
  const keys: Record<string, string | null> = {
    id: 'pressure-high',
    title: 'pressure is high',
    levels: `[${LEVEL}]`,
    consequence: 'the seal of the pump leaks',
    response: 'close valve V3',
    time_to_respond_ms: '60000',
    guidance: 'docs/pressure.md',
    ...change,
  }
  const lines = Object.entries(keys).filter(([, value]) => value !== null)
  return `  - ${lines.map(([key, value]) => `${key}: ${value}`).join('\n    ')}\n`
}

const problemsOf = (...alarms: string[]) => read(`alarms:\n${alarms.join('')}`).problems

t.test('alarms are compiled after the built-in ones, with their defaults', (t) => {
  const second = alarm({
    id: 'flow-low',
    levels: `
      - { severity: CRITICAL, metric: flow, window_ms: 1000, of: min, op: '<', value: -0.5, value_by_mode: { test: -1 }, persistence: 2, persistence_of: 3 }
      - { severity: WARNING, metric: flow, window_ms: 1000, of: min, op: '<', value: 0, deadband: 0.1, held_ms: 500 }`,
    on_unknown: 'reset',
    max_hold_ms: '0',
    clear_slides: '5',
    clear_ms: '0',
    latching: 'true',
    re_alarm_ms: '600000',
    max_shelve_ms: '60000',
    modes: '[nominal, test]',
    first_out_group: 'pump',
  })
  const { definitions, problems } = read(`alarms:\n${alarm({ first_out_group: 'pump' })}${second}`)
  t.same(problems, [])
  t.same(
    definitions.alarms.map(({ id }) => id),
    ['rig-fail', 'rig-no-test', 'rig-no-baseline', 'pressure-high', 'flow-low'],
  )
  t.equal(definitions.gapUs, 100_000)
  t.match(definitions.alarms[3], {
    levels: [
      {
        severity: 'WARNING',
        look: { kind: 'window', metric: 'p_a', windowUs: 250_000, of: 'mean', op: '>=', value: 60 },
        deadband: 0,
        persistence: { k: 1, n: 1 },
        heldUs: 0,
      },
    ],
    onUnknown: 'hold',
    maxHoldUs: 5_000_000,
    clear: { slides: 1, us: 1_000_000 },
    latching: false,
    reAlarmUs: 0,
    maxShelveUs: 8 * 3_600_000_000,
    group: 'pump',
  })
  t.equal(definitions.alarms[3]?.modes, null)
  const flow = definitions.alarms[4]!
  t.match(flow, {
    levels: [
      { severity: 'WARNING', deadband: 0.1, persistence: { k: 1, n: 1 }, heldUs: 500_000 },
      { severity: 'CRITICAL', persistence: { k: 2, n: 3 }, valueByMode: { test: -1 } },
    ],
    onUnknown: 'reset',
    maxHoldUs: 0,
    clear: { slides: 5, us: 0 },
    latching: true,
    reAlarmUs: 600_000_000,
    maxShelveUs: 60_000_000,
    modes: ['nominal', 'test'],
  })
  t.match(lookIn(flow.levels[1]!, 'test'), { value: -1 })
  t.match(lookIn(flow.levels[1]!, 'nominal'), { value: -0.5 })
  t.end()
})

t.test('every kind of look', (t) => {
  const look = (level: string) =>
    read(`alarms:\n${alarm({ levels: `[{ severity: WARNING, ${level} }]` })}`).definitions.alarms[3]?.levels[0]?.look
  t.same(look('metric: p_a, verdict: [FAIL, STALE]'), { kind: 'verdict', metric: 'p_a', verdicts: ['FAIL', 'STALE'] })
  t.same(look('overall: [PASS_WITH_DRIFT]'), { kind: 'overall', verdicts: ['PASS_WITH_DRIFT'] })
  t.same(look('event: true'), { kind: 'event' })
  t.end()
})

// verifies AL-8
t.test('an alarm says what happens, what to do, how soon and where that is written, or it is refused', (t) => {
  for (const key of ['consequence', 'response', 'time_to_respond_ms', 'guidance']) {
    t.match(problemsOf(alarm({ [key]: null })), [{ key: `alarms[0].${key}`, found: 'nothing' }], `without ${key}`)
    if (key === 'time_to_respond_ms') continue
    for (const said of [
      'n/a',
      'none',
      '"  -- nothing -- "',
      '"no response required"',
      '"No action"',
      'TBD',
      'ignore',
      'xxxxxxxx',
    ])
      t.match(
        problemsOf(alarm({ [key]: said })).map((one) => one.key),
        [`alarms[0].${key}`],
        `${key}: ${said}`,
      )
  }
  t.match(problemsOf(alarm({ guidance: '"see the binder"' })), [{ key: 'alarms[0].guidance' }])
  t.match(problemsOf(alarm({ time_to_respond_ms: '0' })), [{ key: 'alarms[0].time_to_respond_ms' }])
  for (const { consequence, response, timeToRespondUs, guidance } of BUILT_IN_ALARMS)
    t.ok(
      consequence.length > 8 && response.length > 8 && timeToRespondUs > 0 && guidance.length > 3,
      'the built-in ones too',
    )
  t.end()
})

// verifies AL-6
t.test('no alarm may be shelved without an end', (t) => {
  t.match(problemsOf(alarm({ max_shelve_ms: '86400001' })), [{ key: 'alarms[0].max_shelve_ms' }])
  t.match(problemsOf(alarm({ max_shelve_ms: '0' })), [{ key: 'alarms[0].max_shelve_ms' }])
  t.same(problemsOf(alarm({ max_shelve_ms: '86400000' })), [])
  t.end()
})

t.test('every mistake is told at once, where it is', (t) => {
  const level = (text: string) => alarm({ levels: `[{ severity: WARNING, ${text} }]` })
  const window = "metric: p_a, window_ms: 250, op: '>', value: 1"
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [alarm({ id: 'rig-fail' }), ['alarms[0].id']],
    [alarm({ id: 'safety' }), ['alarms[0].id']],
    [alarm({ id: 'a:unknown' }), ['alarms[0].id']],
    [alarm() + alarm(), ['alarms[1].id']],
    [alarm({ first_out_group: 'alone' }), ['alarms[0].first_out_group']],
    [alarm({ modes: '[test, test]' }), ['alarms[0].modes[1]']],
    [alarm({ levels: `[${LEVEL}, ${LEVEL}]` }), ['alarms[0].levels[1].severity']],
    [level('persistence: 1'), ['alarms[0].levels[0]']],
    [level(`event: true, ${window}`), ['alarms[0].levels[0]']],
    [level('event: true, deadband: 1'), ['alarms[0].levels[0].deadband']],
    [level('metric: p_a, verdict: [FAIL], value: 1'), ['alarms[0].levels[0].value']],
    [level('overall: [FAIL], verdict: [FAIL]'), ['alarms[0].levels[0].verdict']],
    [level(`${window}, metric_: x`), ['alarms[0].levels[0].metric_']],
    [level(window.replace('p_a', 'p_b')), ['alarms[0].levels[0].metric']],
    [level(window.replace('250', '500')), ['alarms[0].levels[0].window_ms']],
    [level('metric: p_a'), ['alarms[0].levels[0].window_ms', 'alarms[0].levels[0].op', 'alarms[0].levels[0].value']],
    [level(`${window}, persistence: 3, persistence_of: 2`), ['alarms[0].levels[0].persistence_of']],
    [level(`${window}, persistence: 31`), ['alarms[0].levels[0].persistence']],
    [level(`${window}, held_ms: 60000`), ['alarms[0].levels[0].held_ms']],
    [
      alarm({ time_to_respond_ms: '1000', levels: `[{ severity: WARNING, ${window}, persistence: 20 }]` }),
      ['alarms[0].levels[0].persistence'],
    ],
    [
      alarm({ modes: '[nominal]', levels: `[{ severity: WARNING, ${window}, value_by_mode: { test: 2 } }]` }),
      ['alarms[0].levels[0].value_by_mode.test'],
    ],
  ]
  for (const [text, keys] of cases) {
    const { problems, definitions } = read(`alarms:\n${text}`)
    t.same(
      problems.map(({ key }) => key),
      keys,
      text,
    )
    t.equal(definitions.alarms.length, 3, 'none of them is taken')
  }
  const all = problemsOf(alarm({ id: 'safety' }), alarm({ response: 'none' }), alarm({ id: 'c', modes: '[tst]' }))
  t.match(all.map(({ key }) => key).sort(), ['alarms[0].id', 'alarms[1].response', 'alarms[2].modes[0]'])
  t.match(problemsOf(level(window.replace('p_a', 'p_aa'))), [{ hint: /p_a/ }])
  t.end()
})

t.test('of two limits of one value CRITICAL is the one further out, in every mode', (t) => {
  const levels = (op: string, warning: string, critical: string) =>
    alarm({
      levels: `
      - { severity: WARNING, metric: p_a, window_ms: 250, op: '${op}', ${warning} }
      - { severity: CRITICAL, metric: p_a, window_ms: 250, op: '${op}', ${critical} }`,
    })
  const keys = (text: string) => problemsOf(text).map(({ key }) => key)
  t.same(keys(levels('>=', 'value: 60', 'value: 80')), [])
  t.same(keys(levels('>=', 'value: 80', 'value: 60')), ['alarms[0].levels[1].value'])
  t.same(keys(levels('<', 'value: 10', 'value: 5')), [])
  t.same(keys(levels('<', 'value: 5', 'value: 10')), ['alarms[0].levels[1].value'])
  t.same(keys(levels('>=', 'value: 60, value_by_mode: { test: 90 }', 'value: 80')), ['alarms[0].levels[1].value'])
  t.same(keys(levels('>=', 'value: 60', 'value: 80, value_by_mode: { test: 50 }')), [
    'alarms[0].levels[1].value_by_mode.test',
  ])
  t.end()
})

t.test('there are bounds to how many alarms there are', (t) => {
  const many = (n: number) => Array.from({ length: n }, (_, k) => alarm({ id: `a-${k}` })).join('')
  t.same(problemsOf(many(DEFINITIONS_MAX)), [])
  t.match(problemsOf(many(DEFINITIONS_MAX + 1)), [{ key: 'alarms', found: '257 items' }])
  t.equal(read('{}\n').definitions.alarms.length, 3, 'and none are three')
  t.end()
})

// verifies G8
t.test('a number is compared with a limit as the comparison says; what is not finite is with none', (t) => {
  for (const [op, below, at, above] of [
    ['>', 'FALSE', 'FALSE', 'TRUE'],
    ['>=', 'FALSE', 'TRUE', 'TRUE'],
    ['<', 'TRUE', 'FALSE', 'FALSE'],
    ['<=', 'TRUE', 'TRUE', 'FALSE'],
  ] as const)
    for (const limit of [0, -0, 3]) {
      t.equal(comparedWith(limit - 1, op, limit), below, `${limit - 1} ${op} ${limit}`)
      t.equal(comparedWith(limit, op, limit), at, `${limit} ${op} ${limit}`)
      t.equal(comparedWith(-limit, op, -limit), at, `${-limit} ${op} ${-limit}`)
      t.equal(comparedWith(limit + 1, op, limit), above, `${limit + 1} ${op} ${limit}`)
      for (const odd of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
        t.equal(comparedWith(odd, op, limit), 'INVALID', `${odd}`)
    }
  for (const [a, b] of [
    [0, -0],
    [-0, 0],
  ] as const)
    for (const [op, expected] of [
      ['>', 'FALSE'],
      ['>=', 'TRUE'],
      ['<', 'FALSE'],
      ['<=', 'TRUE'],
    ] as const)
      t.equal(comparedWith(a, op, b), expected, '0 and -0 are equal')
  t.end()
})
