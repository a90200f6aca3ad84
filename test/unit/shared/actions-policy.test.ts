import t from 'tap'
import {
  CONDITIONS_MAX,
  PERSISTENCE_SLIDES_MAX,
  RULES_MAX,
  TARGETS_MAX,
} from '../../../shared/config/actions-policy-schema.ts'
import { ACTION_PRIORITY } from '../../../shared/model/action.ts'
import { changed, inLoop, LOOP_ACTIONS, LOOP_RUNTIME, parsedLoop } from '../../support/policy-texts.ts'

/** Mistakes of the policy of the loop with one part of it changed. */
const broken = (from: string, to: string) => inLoop({ actions: changed(LOOP_ACTIONS, from, to) })
const rule = LOOP_ACTIONS.slice(
  LOOP_ACTIONS.indexOf('  - id: over-pressure'),
  LOOP_ACTIONS.indexOf('  - id: high-pressure'),
)
const conditionC = rule.split('\n').find((line) => line.includes('id: c,'))!

t.test('the policy of the loop compiles: µs, defaults filled in, targets of one rig', (t) => {
  const { policies } = parsedLoop()
  const policy = policies.get('pressure-loop')!
  t.match(policy, {
    rig: 'pressure-loop',
    testbed: false,
    releasesMax: 4,
    priority: ACTION_PRIORITY,
    rules: [
      {
        id: 'over-pressure',
        action: 'shutdown',
        target: 'pump',
        vote: '2oo3',
        minConfidence: 0.5,
        coincidenceUs: 500_000,
        clearUs: 30_000_000,
        vetoUs: 0,
        params: { ramp_ms: 0 },
        escalation: { action: 'isolate', target: 'inlet-valve' },
        conditions: [
          {
            id: 'a',
            look: { kind: 'window', metric: 'p_a', windowUs: 250_000, of: 'mean', op: '>', value: 7 },
            persistence: { k: 2, n: 3 },
            freshUs: 500_000,
          },
          { id: 'b' },
          { id: 'c' },
        ],
      },
      { id: 'high-pressure', minConfidence: 0, rearm: 'auto', escalation: null },
    ],
    targets: [
      { name: 'pump', retries: 1, backOffUs: 50_000, stages: { sendUs: 50_000, acceptUs: 100_000 } },
      { name: 'inlet-valve' },
      { name: 'control-room', executor: 'notify', retries: 2 },
    ],
    budgets: [
      { most: 2, windowUs: 3_600_000_000, spacingUs: 60_000_000, latchUs: 0 },
      {},
      { action: 'notify', target: '' },
    ],
  })
  t.ok(Object.isFrozen(policy.rules[0]!.conditions), 'a configuration never changes while a program runs')
  const none = parsedLoop({ runtime: LOOP_RUNTIME.replace('    actions_policy_file: loop.actions.yaml\n', '') })
  t.equal(none.policies.size, 0, 'no file, no policy')
  t.equal(none.provenance.get('pressure-loop')!.length, 4, 'and the metrics come from somewhere all the same')
  t.match(inLoop({ runtime: LOOP_RUNTIME.replace('loop.actions', 'other.actions') }), [
    { key: 'rigs[0].actions_policy_file' },
  ])
  t.end()
})

/** One change of the policy each, and what is said of it. */
const MISTAKES: readonly (readonly [what: string, from: string, to: string, expected: object])[] = [
  [
    'unknown metric',
    'id: a, metric: p_a, window_ms: 250',
    'id: a, metric: p_aa, window_ms: 250',
    { key: 'rules[0].conditions[0].metric', hint: 'did you mean `p_a`?' },
  ],
  [
    'unknown window',
    'id: a, metric: p_a, window_ms: 250',
    'id: a, metric: p_a, window_ms: 300',
    { key: 'rules[0].conditions[0].window_ms', expected: /250, 1000, 10000, 60000/ },
  ],
  [
    'no window',
    'id: a, metric: p_a, window_ms: 250',
    'id: a, metric: p_a',
    { key: 'rules[0].conditions[0].window_ms', found: 'nothing' },
  ],
  [
    'unknown target',
    'target: control-room\n    vote',
    'target: control-rom\n    vote',
    { key: 'rules[1].target', hint: 'did you mean `control-room`?' },
  ],
  [
    'unknown mode',
    '[nominal, degraded, fallback, test]',
    '[nominal, degradd, fallback, test]',
    { key: 'rules[0].modes[1]', hint: 'did you mean `degraded`?' },
  ],
  ['mode twice', '[nominal, degraded, fallback, test]', '[nominal, degraded, nominal]', { key: 'rules[0].modes[2]' }],
  [
    'rule twice',
    'id: high-pressure',
    'id: over-pressure',
    { key: 'rules[1].id', found: '`over-pressure` a second time' },
  ],
  [
    'condition twice',
    'id: b, metric: p_b, window_ms: 250',
    'id: a, metric: p_b, window_ms: 250',
    { key: 'rules[0].conditions[1].id' },
  ],
  ['target twice', 'name: inlet-valve', 'name: pump', { key: 'targets[1].name' }],
  [
    'persistence of fewer',
    'persistence: 2, persistence_of: 3, fresh_ms: 500 }\n      - { id: b',
    'persistence: 4, persistence_of: 3, fresh_ms: 500 }\n      - { id: b',
    { key: 'rules[0].conditions[0].persistence_of', found: '4 of 3 slides' },
  ],
  [
    'never fresh',
    'persistence_of: 3, fresh_ms: 500 }\n      - { id: b',
    'persistence_of: 3, fresh_ms: 200 }\n      - { id: b',
    { key: 'rules[0].conditions[0].fresh_ms', expected: /at least 255/ },
  ],
  [
    'limit the wrong way round',
    'metric: p_a, window_ms: 1000, op: ">", value: 6',
    'metric: p_a, window_ms: 1000, op: "<", value: 9',
    { key: 'rules[1].conditions[0].op', hint: 'did you mean `>`?' },
  ],
  [
    'never together',
    conditionC,
    conditionC.replace('p_c', 'p_b').replace('">", value: 7', '"<", value: 6'),
    { key: 'rules[0].conditions[2].value', found: '`p_b` < 6 and > 7 at once' },
  ],
  [
    'two looks',
    'id: a, metric: p_a, window_ms: 1000',
    'id: a, event: true, metric: p_a, window_ms: 1000',
    { key: 'rules[1].conditions[0]', found: '`metric` and `event`' },
  ],
  [
    'no look',
    'id: a, metric: p_a, window_ms: 1000, op: ">", value: 6',
    'id: a',
    { key: 'rules[1].conditions[0]', found: 'nothing to look at' },
  ],
  [
    'a window of nothing',
    'id: a, metric: p_a, window_ms: 1000, op: ">", value: 6',
    'id: a, event: true, value: 6',
    { key: 'rules[1].conditions[0].value' },
  ],
  [
    'a verdict and a number',
    'id: a, metric: p_a, window_ms: 1000, op: ">", value: 6',
    'id: a, metric: p_a, verdict: [FAIL], value: 6',
    { key: 'rules[1].conditions[0].value', found: '`value` beside `verdict`' },
  ],
  [
    'equality',
    'metric: p_a, window_ms: 1000, op: ">"',
    'metric: p_a, window_ms: 1000, op: "=="',
    { key: 'rules[1].conditions[0].op', hint: /never exactly/ },
  ],
  [
    'hazard twice',
    '  - action: notify\n    target: control-room',
    '  - action: isolate\n    target: inlet-valve',
    { key: 'hazards[2]' },
  ],
  [
    'shutdown by telling people',
    'executor: actuator\n    groups: [publisher:plc-2',
    'executor: notify\n    groups: [publisher:plc-2',
    { key: 'hazards[1].action', found: /only tells people/ },
  ],
  ['telling an actuator', 'executor: notify', 'executor: actuator', { key: 'hazards[2].action' }],
  [
    'priority with one twice',
    'targets:\n',
    'priority: [shutdown, abort, isolate, failover, degrade, degrade, notify]\ntargets:\n',
    { key: 'priority[5]', hint: 'what goes before itself is a cycle' },
  ],
  ['priority that lacks one', 'targets:\n', 'priority: [shutdown]\ntargets:\n', { key: 'priority', found: '1 items' }],
  [
    'exclusion of one twice',
    '      - { action: isolate, target: inlet-valve }\n\n',
    '      - { action: shutdown, target: pump }\n\n',
    { key: 'exclusions[0].actions[1]' },
  ],
  [
    'budget twice',
    '  - { action: notify, most: 30',
    '  - { action: shutdown, target: pump, most: 30',
    { key: 'budgets[2]' },
  ],
  [
    'escalation to itself',
    'escalation: { action: isolate, target: inlet-valve }',
    'escalation: { action: shutdown, target: pump }',
    { key: 'rules[0].escalation', found: 'a cycle: shutdown pump → shutdown pump' },
  ],
  [
    'unknown key',
    'coincidence_ms',
    'coincidnce_ms',
    { key: 'rules[0].coincidnce_ms', hint: 'did you mean `coincidence_ms`?' },
  ],
  [
    'alarms told to an actuator',
    'alarms_notify: control-room',
    'alarms_notify: pump',
    { key: 'alarms_notify', found: '`pump`', expected: /executor is notify \(`control-room`\)/ },
  ],
  [
    'alarm without a response',
    'response: see whether the pump was stopped on purpose; if not, end the run',
    'response: no response needed',
    { key: 'alarms[1].response' },
  ],
  ['group of no kind', 'publisher:plc-2', 'plc-2', { key: 'targets[1].groups[0]' }],
]

t.test('each mistake is found with its key, and the file is refused whole', (t) => {
  for (const [what, from, to, expected] of MISTAKES) {
    const found = broken(from, to)
    t.match(found, [expected], what)
    t.match(found, [{ file: 'loop.actions.yaml', line: Number, column: Number }], `${what}: where`)
  }
  t.end()
})

t.test('all mistakes are told at once', (t) => {
  const actions = changed(changed(LOOP_ACTIONS, 'vote: 2oo3', 'vote: 2oo2'), 'id: high-pressure', 'id: over-pressure')
  const found = inLoop({ actions: changed(actions, 'name: inlet-valve', 'name: inlet valve') })
  t.same(
    found.map(({ key }) => key),
    ['targets[1].name', 'rules[0].vote', 'rules[0].conditions', 'rules[1].id'],
    'and nothing that only follows from one of them',
  )
  t.end()
})

t.test('keys of the predecessor are told what became of them', (t) => {
  const hints: readonly (readonly [string, RegExp])[] = [
    ['hb_mode: normal', /two people/],
    ['fail_safe_on_timing: true', /on_unknown/],
    ['max_allowed_tier: 2', /modes/],
    ['require_two_man_for_tier3: true', /always/],
  ]
  for (const [line, hint] of hints) t.match(broken('targets:\n', `${line}\ntargets:\n`), [{ hint }], line)
  t.match(broken('  min_confidence: 0.5', '  min_baseline_confidence: 0.5'), [{ hint: /min_confidence/ }])
  t.match(broken('  min_confidence: 0.5', '  min_metrics_for_critical: 2'), [{ hint: /vote/ }])
  t.match(broken('  min_confidence: 0.5', '  time_persistence_cycles: 2'), [{ hint: /persistence/ }])
  t.match(broken('    rearm: auto', '    rearm: auto\n    status: [FAIL]'), [{ hint: /overall: \[FAIL\]/ }])
  t.match(broken('    rearm: auto', '    rearm: auto\n    actions: [{ type: notify }]'), [
    { hint: /a rule does one thing/ },
  ])
  t.match(broken('version: 2', 'version: 1'), [{ key: 'version', hint: /predecessor/ }])
  t.end()
})

t.test('a policy is bounded: one more of anything refuses it', (t) => {
  const quiet = LOOP_ACTIONS.slice(LOOP_ACTIONS.indexOf('  - id: high-pressure'), LOOP_ACTIONS.indexOf('# Shutting'))
  const condition = quiet.split('\n').find((line) => line.includes('id: b,'))!
  const times = (n: number, text: (k: number) => string) => Array.from({ length: n }, (_, k) => text(k)).join('')
  const rules = (n: number) =>
    broken(
      quiet,
      times(n, (k) => quiet.replace('high-pressure', `high-${k}`)),
    )
  t.same(rules(RULES_MAX - 1), [], 'with the first rule they are as many as may be')
  t.match(rules(RULES_MAX), [{ key: 'rules', found: `${RULES_MAX + 1} items` }])
  const conditions = (n: number) =>
    broken(
      quiet,
      quiet.replace(
        `${condition}\n`,
        times(n, (k) => `${condition.replace('id: b', `id: b-${k}`)}\n`),
      ),
    )
  t.same(conditions(CONDITIONS_MAX - 1), [])
  t.match(conditions(CONDITIONS_MAX), [{ key: 'rules[1].conditions', found: `${CONDITIONS_MAX + 1} items` }])
  const targets = (n: number) => {
    const named = times(n, (k) => `  - { name: room-${k}, executor: notify, groups: [] }\n`)
    const done = times(n, (k) => `  - { target: room-${k}, type: notify, channels: [{ type: log }] }\n`)
    return inLoop({
      actions: changed(LOOP_ACTIONS, 'targets:\n', `targets:\n${named}`),
      runtime: changed(LOOP_RUNTIME, 'executors:\n', `executors:\n${done}`),
    })
  }
  t.same(targets(TARGETS_MAX - 3), [])
  t.match(targets(TARGETS_MAX - 2), [{ key: 'targets', found: `${TARGETS_MAX + 1} items` }])
  const slides = (n: number) => broken(condition, condition.replace('persistence: 5', `persistence: ${n}`))
  t.match(slides(PERSISTENCE_SLIDES_MAX + 1), [{ key: 'rules[1].conditions[1].persistence' }])
  t.end()
})

// verifies SE-20
t.test('priority names every action once, so that none can go before itself; a rig may choose its own', (t) => {
  const priority = (list: readonly string[]) => `priority: [${list.join(', ')}]\ntargets:\n`
  const own = [...ACTION_PRIORITY].reverse()
  t.same(
    parsedLoop({ actions: changed(LOOP_ACTIONS, 'targets:\n', priority(own)) }).policies.get('pressure-loop')!.priority,
    own,
  )
  ACTION_PRIORITY.forEach((action, k) => {
    const twice = ACTION_PRIORITY.with((k + 1) % ACTION_PRIORITY.length, action)
    t.match(broken('targets:\n', priority(twice)), [{ found: `\`${action}\` a second time` }], action)
    t.match(broken('targets:\n', priority(ACTION_PRIORITY.toSpliced(k, 1))), [{ key: 'priority', found: '6 items' }])
  })
  t.end()
})
