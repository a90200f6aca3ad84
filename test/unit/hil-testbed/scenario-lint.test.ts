import t from 'tap'
import { checkRigs, checkScenarios } from '../../../hil-testbed/scenario/load.ts'
import { type Broken, broken, F1, told } from '../../support/broken-scenarios.ts'
import { REQUIREMENTS, SOUND, scenarioFolder } from '../../support/scenario-folder.ts'

const MATRIX = 'params: { matrix: { seed: [1, 2], F1.value: [hold_last, 0] } }'
/** The last line of the sound file. */
const PARAMS_LINE = 'params: {'

const WORDS: readonly Broken[] = [
  ['an unknown key', 'seed: 7', 'sede: 7', 'sede: 7', 'a key that is not known', 'one of hil, id'],
  ['an unknown key of a step', 'clear: F1', 'claer: F1', 'claer: F1', 'a key that is not known', 'clear'],
  ['an unknown key of an expectation', 'replay: equal', 'replya: equal', 'replya', 'a key that is not known', 'replay'],
  ['another version', 'hil: 1', 'hil: 2', 'hil: 2', '2', '1'],
  ['a time without a unit', 'at: 8s', 'at: 8', 'at: 8', '8', 'a time with its unit'],
  ['a unit that there is not', 'at: 8s', 'at: 8h', 'at: 8h', '8h', 'a time with its unit'],
  ['a verdict that there is not', '[FAIL, NO_TEST]', '[FAIL, NO_TSET]', 'NO_TSET', 'NO_TSET', '"NO_TEST"'],
  ['a state that there is not', 'reaches: VERIFIED', 'reaches: VERFIED', 'VERFIED', 'VERFIED', '"VERIFIED"'],
  [
    'two words in one item',
    'replay: equal',
    'replay: equal\n    collected: all',
    'collected: all',
    'in one item',
    'an item of its own',
  ],
  ['a setup step without a word', '- wait: 2s', '- {}', '- {}', 'no word', 'one of stimulate'],
  ['a step without a word', `    ${F1}`, '', '- at: 5.0s', 'no word', 'one of inject'],
  [
    'no expectation',
    SOUND.slice(SOUND.indexOf('  - verdict'), SOUND.indexOf('teardown')),
    '  []\n',
    '[]',
    '0 items',
    '1 to',
  ],
]

const TIMES: readonly Broken[] = [
  ['a step after the end', 'at: 30s', 'at: 40s', 'at: 40s', '40 s', 'before the end of the run, 40 s'],
  [
    'a condition that may come after the end',
    'within: 10s',
    'within: 33s',
    'within: 33s',
    'until 41 s',
    'end of the run, 40 s',
  ],
  ['an onset after the end', 'duration: 500ms', 'onset: 35s', 'onset: 35s', '40 s', 'before the end of the run'],
  ['a step before setup is over', 'at: 5.0s', 'at: 1s', 'at: 1s', '1 s', 'not before setup is over, 2 s'],
  ['a setup as long as the run', 'wait: 2s', 'wait: 40s', 'setup:', 'waits of 40 s', 'less than the run'],
  ['steps out of order', 'at: 8s', 'at: 4s', 'at: 4s', '4 s', 'not before the step above, 5 s'],
  ['within less than nothing', '2s of F1', '-2s of F1', '-2s of F1', '-2s of F1', 'a time with its unit'],
  [
    'an expectation past the end',
    '5s of hazard_onset',
    '33s of hazard_onset',
    '33s of',
    'until 41 s',
    'end of the run, 40 s',
  ],
  ['a span past the end', 'from: 1s, to: 40s', 'from: 1s, to: 41s', 'to: 41s', '41 s', 'end of the run, 40 s'],
  [
    'a span that ends before it begins',
    'from: 1s, to: 40s',
    'from: 9s, to: 8s',
    'to: 8s',
    '9 s',
    'before its end, 8 s',
  ],
  [
    'a step between two quanta',
    'at: 5.0s',
    'at: 5.003s',
    'at: 5.003s',
    '5003 ms',
    'a whole multiple of the quantum, 5 ms',
  ],
  [
    'a run between two quanta',
    'duration_s: 40',
    'duration_s: 40.003',
    'duration_s',
    '40003 ms',
    'a whole multiple of the quantum',
  ],
  [
    'a handling time above the tolerated one',
    'max_ms: 1000',
    'max_ms: 3000',
    'max_ms: 3000',
    '3000 ms',
    'fault tolerant time, 2500 ms',
  ],
  [
    'a handling time past the end',
    'max_ms: 1000, ftti_ms: 2500',
    'max_ms: 33000, ftti_ms: 40000',
    'max_ms',
    'until 41 s',
    'end of the run',
  ],
  ['within without when', 'when: p_bar > 9.5', 'at: 9s', 'within: 10s', '`within` without `when`', 'both'],
  ['a step without a time', '- at: 30s\n    clear', '- clear', '- clear', 'nothing', '`at`, a time, or `when`'],
  [
    'an onset beside a condition',
    '- at: 5.0s\n    inject: { id: F1,',
    '- when: p_bar > 4\n    inject: { onset: 1s, id: F1,',
    'onset: 1s',
    '`onset` in a step',
    'none',
  ],
]

const SEVENTEEN = Array.from({ length: 17 }, (_, k) => `p${k}: [1]`).join(', ')

const PARAMS: readonly Broken[] = [
  [
    'a matrix of too many parameters',
    MATRIX,
    `params: { matrix: { ${SEVENTEEN} } }`,
    PARAMS_LINE,
    '17 parameters',
    'at most 16',
  ],
  [
    'a parameter that refers to itself',
    MATRIX,
    `params: { set: { a: "\${b}", b: "\${c}", c: "\${a}" } }`,
    PARAMS_LINE,
    'a → b → c → a',
    'does not refer to itself',
  ],
  [
    'a parameter that refers to nothing',
    'seed: 7',
    `seed: \${sede}`,
    `seed: \${sede}`,
    `\${sede}`,
    'a name of `params.set`',
  ],
  [
    'a parameter of a parameter that there is not',
    MATRIX,
    `params: { set: { a: "\${zz}" } }`,
    PARAMS_LINE,
    `\${zz}`,
    'a name of `set`',
  ],
  [
    'a parameter that nothing refers to',
    MATRIX,
    'params: { set: { a: 1 } }',
    PARAMS_LINE,
    '`a`, which nothing refers to',
    'or no such name',
  ],
  [
    'a parameter that would be YAML',
    MATRIX,
    'params: { set: { a: "x: y" } }',
    PARAMS_LINE,
    '"x: y"',
    'a number, or text',
  ],
  ['a matrix of what there is not', 'seed: [1, 2]', 'sede: [1, 2]', 'sede', '`sede`', 'seed, quantum_ms'],
  ['a matrix of a fault that there is not', 'F1.value', 'F9.value', 'F9.value', '`F9.value`', 'a parameter of a fault'],
  [
    'a value that a fault does not take',
    'F1.value: [hold_last, 0]',
    'F1.value: [hold_last, hold_fast]',
    'hold_fast',
    '"hold_fast"',
    '`hold_last`',
  ],
  [
    'a duration that is none',
    'F1.value: [hold_last, 0]',
    'F1.duration: [1s, 2]',
    'F1.duration',
    '2',
    'a time with its unit',
  ],
  ['a seed that is none', 'seed: [1, 2]', 'seed: [1, -2]', 'seed: [1, -2]', '-2', 'a whole number'],
  [
    'a quantum that does not divide the run',
    'seed: [1, 2]',
    'quantum_ms: [5, 7]',
    'quantum_ms: [5, 7]',
    '7 ms',
    'a divisor of the run, 40 s',
  ],
  ['a value twice', 'seed: [1, 2]', 'seed: [1, 1]', 'seed: [1, 1]', '`1` a second time', 'once'],
  [
    'pairs of two',
    'params: { matrix',
    'params: { pairwise: true, matrix',
    'pairwise',
    'true with 2 parameters',
    '3 or more',
  ],
  [
    'a matrix that is too large',
    MATRIX,
    `params: { matrix: { seed: [${Array.from({ length: 251 }, (_, k) => k).join(', ')}], F1.value: [0, 1, 2, 3] } }`,
    PARAMS_LINE,
    '251 × 4 runs',
    'at most 1000',
  ],
]

t.test('the sound scenario has no mistakes and four runs', (t) => {
  const folder = scenarioFolder(t)
  folder.put('requirements.yaml', REQUIREMENTS)
  t.same(told(folder, SOUND), [])
  t.equal(checkScenarios([folder.path]).rows.length, 4)
  t.end()
})

t.test('words that are wrong are told with their line', (t) => broken(t, WORDS))
t.test('times that cannot be are told with their line', (t) => broken(t, TIMES))
t.test('parameters that are wrong are told with their line', (t) => broken(t, PARAMS))

t.test('mistakes of everything are told at once, in every file', (t) => {
  const folder = scenarioFolder(t)
  folder.put('requirements.yaml', REQUIREMENTS)
  folder.put('scenarios/a.scenario.yaml', SOUND.replace('at: 8s', 'at: 8.001s').replace('metric: p_a', 'metric: p_z'))
  folder.put('scenarios/b.scenario.yaml', SOUND.replace('seed: 7', 'sede: 7'))
  const { problems, rows } = checkScenarios([folder.path])
  t.same(problems.map(({ file, line }) => `${file.slice(-15)}:${line}`).sort(), [
    'a.scenario.yaml:18',
    'a.scenario.yaml:27',
    'b.scenario.yaml:2',
    'b.scenario.yaml:6',
  ])
  t.match(
    problems.find(({ line }) => line === 2),
    { found: '`SCN-TRY-001` a second time', expected: /a\.scenario\.yaml:2$/ },
  )
  t.same(rows, [])
  t.end()
})

t.test('mistakes beneath a scenario are told in their own file, once', (t) => {
  const folder = scenarioFolder(t)
  const rig = folder.put(
    'rigs/vessel/rig.yaml',
    `hil_rig: 1
name: vessel
plant: { model: vessel }
sensors:
  p_a: { of: p_baa, rate_hz: 200 }
  flow: { of: flow_l_min, source: daq-3 }
actuators:
  pump: { latency_ms: 40 }
  drain: { effect: { pump: 0 } }
registry: registry.yaml
policy: actions.yaml
operators: [alice, bob, carol]
`,
  )
  const problems = told(folder, SOUND)
  const ofRig = problems.filter(({ line, key }) => !key.startsWith('expect') && line < 12)
  t.match(ofRig, [
    { file: rig, line: 5, key: 'sensors.p_a.of', found: '`p_baa`' },
    { file: rig, line: 6, key: 'sensors.flow.rate_hz', found: 'nothing' },
    { file: rig, line: 8, key: 'actuators.pump.effect', found: 'nothing' },
    { file: rig, line: 9, key: 'actuators.drain', found: '`drain`', expected: /a target of the policy/ },
  ])
  t.end()
})

t.test('registry and policy beside a scenario are told in their own file', (t) => {
  const folder = scenarioFolder(t)
  const registry = folder.put('scenarios/registry.yaml', 'version: "1.0"\nmetrics:\n  p_a: { unit: bar }\n')
  const policy = folder.put('scenarios/policy.yaml', 'version: 2\nrulse: []\n')
  const problems = told(
    folder,
    SOUND.replace('rig: vessel', 'rig: vessel\nregistry: registry.yaml\npolicy: policy.yaml'),
  )
  const of = (file: string) => problems.filter((one) => one.file === file)
  t.match(of(registry), [{ line: 3, key: 'metrics.p_a.nominal_rate_hz', found: 'nothing' }])
  t.ok(of(policy).some(({ line, found }) => line === 2 && found === 'a key that is not known'))
  t.end()
})

t.test('a rig file has mistakes of its own, also when no scenario uses it', (t) => {
  const folder = scenarioFolder(t)
  folder.put('rigs/kettle/rig.yaml', 'hil_rig: 1\nname: pot\nplnat: {}\n')
  t.match(checkRigs([folder.path]), {
    files: 2,
    problems: [{ line: 3, key: 'plnat', hint: 'did you mean `plant`?' }],
  })
  folder.put('rigs/kettle/rig.yaml', 'hil_rig: 1\nname: pot\n')
  t.match(checkRigs([folder.path]).problems, [{ line: 2, found: '`pot`', expected: '`kettle`, as its folder' }])
  t.end()
})

t.test('files that are no scenarios', (t) => {
  const folder = scenarioFolder(t)
  t.throws(() => checkScenarios([folder.path]), { code: 'USAGE' })
  t.throws(() => checkScenarios([`${folder.path}/none`]), { code: 'USAGE' })
  t.match(told(folder, 'hil: [\n'), [{ line: 2 }])
  t.match(told(folder, ''), [{ line: 1 }])
  t.match(told(folder, `${SOUND}# ${'x'.repeat(262_144)}\n`), [{ line: 1, found: /262144/ }])
  t.match(told(folder, SOUND.replace('params: { matrix', 'params: [ matrix')), [{ line: 39 }])
  t.end()
})
