import t from 'tap'
import { parseRuntimeFiles } from '../../../shared/config/load.ts'
import { type ConfigError, formatProblems, type Problem } from '../../../shared/config/problems.ts'
import { isHbError } from '../../../shared/errors/hb-error.ts'
import { filesOf, inRegistry, inRuntime, problemsOf, REGISTRY, RUNTIME } from '../../support/config-texts.ts'

const places = (problems: readonly Problem[]): string[] =>
  problems.map((p) => `${p.file}:${p.line}:${p.column} ${p.key}`)

t.test('a short configuration is filled with its defaults and frozen', (t) => {
  const { config, registries } = parseRuntimeFiles(filesOf())
  t.match(config, {
    clock: 'system',
    log_level: 'info',
    decisions: { batch_ms: 1000, batch_items_max: 4096, pass_record_every_ms: 10_000, not_pass_record_every_ms: 1000 },
    checkpoint: { every_ms: 30_000, keep: 4 },
    journal: { bytes_max: 2_147_483_648, segment_bytes: 67_108_864 },
    outbox: { bytes_max: 1_073_741_824 },
  })
  t.equal(config.collector, undefined)
  t.equal(config.health, undefined)
  t.match(config.rigs[0], {
    mode: 'nominal',
    windows_ms: [250, 1000, 10_000, 60_000],
    slide_ms: 50,
    lateness_ms: 200,
    max_future_ms: 5000,
  })
  t.same(config.rigs[0]?.sources, [
    {
      name: 'daq',
      type: 'zmq',
      endpoint: 'tcp://127.0.0.1:5555',
      pattern: 'pull',
      encoding: 'cbor',
      provenance: 'live',
    },
  ])
  t.match(registries.get('water-loop'), [
    { metric: 'flow', required: true, baseline_required: true, drift_persistence: 5 },
    { metric: 'pressure', drift_percent: 5 },
  ])
  t.throws(() => Object.assign(config.rigs[0]!, { slide_ms: 1 }), TypeError, 'frozen to the bottom')
  t.throws(() => Object.assign(config.decisions, { batch_ms: 1 }), TypeError)
  t.throws(() => Object.assign(registries.get('water-loop')![0]!, { fail_max: 1 }), TypeError)
  t.not(parseRuntimeFiles(filesOf()).config.rigs[0]?.windows_ms, config.rigs[0]?.windows_ms, 'defaults are not shared')
  t.end()
})

/** As many different mistakes as fit into two files. */
const WRONG_RUNTIME = `version: 2
deployment: Demo Site
agnt: bench-1
clock: sytem
signing_key_file: 7
allowed_lateness_sec: 2
rigs:
  - rig: water-loop
    program: demo
    registry_file: loop.registry.yaml
    slide_ms: 5
    windows_ms: 250
    lateness_sec: 2
    latenessMs: 2
    lateness: 2
    sources:
      - name: daq
        type: zqm
      - name: daq
        type: zmq
        pattern: pub
        endpoint: 127.0.0.1:5555
        bind: yes
      - name: log
        type: csv
        file: a.csv
  - rig: water-loop
    program: demo
    registry_file: absent.yaml
    lateness_ms: 200 ms
    max_future_ms: "5000"
    sources: []
`
const WRONG_REGISTRY = REGISTRY.replace('fail_max: 200', 'fail_max: 5').replace(
  '    unit: bar\n    nominal_rate_hz: 100\n',
  '    unit: bar\n    distribution_drift: { ks_threshold: 2 }\n',
)

t.test('every mistake over all files is listed at once, in order of file, line and column', (t) => {
  const problems = problemsOf(() => parseRuntimeFiles(filesOf(WRONG_RUNTIME, WRONG_REGISTRY)))
  t.same(places(problems), [
    'loop.registry.yaml:8:15 metrics.flow.fail_min',
    'loop.registry.yaml:11:5 metrics.pressure.nominal_rate_hz',
    'loop.registry.yaml:12:41 metrics.pressure.distribution_drift.ks_threshold',
    'runtime.yaml:1:1 agent',
    'runtime.yaml:1:10 version',
    'runtime.yaml:2:13 deployment',
    'runtime.yaml:3:1 agnt',
    'runtime.yaml:4:8 clock',
    'runtime.yaml:5:19 signing_key_file',
    'runtime.yaml:6:1 allowed_lateness_sec',
    'runtime.yaml:11:15 rigs[0].slide_ms',
    'runtime.yaml:12:17 rigs[0].windows_ms',
    'runtime.yaml:13:5 rigs[0].lateness_sec',
    'runtime.yaml:14:5 rigs[0].latenessMs',
    'runtime.yaml:15:5 rigs[0].lateness',
    'runtime.yaml:18:15 rigs[0].sources[0].type',
    'runtime.yaml:21:18 rigs[0].sources[1].pattern',
    'runtime.yaml:22:19 rigs[0].sources[1].endpoint',
    'runtime.yaml:23:15 rigs[0].sources[1].bind',
    'runtime.yaml:24:9 rigs[0].sources[2].time_column',
    'runtime.yaml:27:10 rigs[1].rig',
    'runtime.yaml:29:20 rigs[1].registry_file',
    'runtime.yaml:30:18 rigs[1].lateness_ms',
    'runtime.yaml:31:20 rigs[1].max_future_ms',
    'runtime.yaml:32:14 rigs[1].sources',
  ])
  t.end()
})

t.test('a mistake says what was found, what was expected and what to do', (t) => {
  const problems = problemsOf(() => parseRuntimeFiles(filesOf(WRONG_RUNTIME, WRONG_REGISTRY)))
  const of = (key: string) => problems.find((p) => p.key === key)
  t.match(of('agnt'), { found: 'a key that is not known', hint: 'did you mean `agent`?' })
  t.match(of('agent'), { found: 'nothing', expected: /^an id/ })
  t.match(of('version'), { found: '2', expected: '1' })
  t.match(of('clock'), { found: '"sytem"', expected: '"system" or "recording"', hint: 'did you mean `system`?' })
  t.match(of('deployment'), { found: '"Demo Site"', expected: /^an id, 1 to 63 of a-z/ })
  t.match(of('signing_key_file'), { found: '7', expected: /^text/, hint: '`"7"`, in quotes' })
  t.match(of('rigs[0].slide_ms'), { found: '5', expected: 'a whole number, from 10 to 60000' })
  t.match(of('rigs[0].windows_ms'), { found: '250', hint: 'write the value in brackets: `[…]`' })
  t.match(of('rigs[0].lateness_sec'), { hint: /^write `lateness_ms`, in milliseconds/ })
  for (const key of ['latenessMs', 'lateness']) t.match(of(`rigs[0].${key}`), { hint: 'did you mean `lateness_ms`?' })
  t.match(of('rigs[0].sources[0].type'), {
    found: '"zqm"',
    expected: 'one of zmq, csv, host',
    hint: 'did you mean `zmq`?',
  })
  t.match(of('rigs[0].sources[1].bind'), { expected: 'true or false', hint: '`true`' })
  t.match(of('rigs[1].rig'), { found: '`water-loop` a second time' })
  t.match(of('rigs[1].lateness_ms'), { hint: /a number alone/ })
  t.match(of('rigs[1].max_future_ms'), { hint: '`5000`, without quotes or underscores' })
  t.match(of('metrics.pressure.distribution_drift.ks_threshold'), { expected: 'a number, above 0 up to 1' })
  t.end()
})

t.test('the error carries all mistakes, ends with 78 and reads as text', (t) => {
  const error = t.throws(() => parseRuntimeFiles(filesOf(RUNTIME.replace('agent:', 'agnt:')))) as unknown as ConfigError
  t.ok(isHbError(error, 'CONFIG_INVALID'))
  t.equal(error.exit, 78)
  t.match(error.context, { mistakes: 2, first: 'runtime.yaml:1:1' })
  const text = formatProblems(error.problems).join('\n')
  t.match(
    text,
    'runtime.yaml:3:1  agnt\n    found:    a key that is not known\n    expected: one of version, deployment',
  )
  t.match(text, '    hint:     did you mean `agent`?')
  const many = Array.from(
    { length: 130 },
    (_, k): Problem => ({ file: 'a', line: k + 1, column: 1, key: '', found: '', expected: '' }),
  )
  t.match(formatProblems(many).join('\n'), /^a:100:1 {2}\(file\)[\s\S]*\n… and 30 more$/m)
  t.end()
})

t.test('seconds of the predecessor are refused with the name of today', (t) => {
  const hintOf = (key: string) => inRuntime(RUNTIME.replace('    sources:', `    ${key}: 1\n    sources:`))[0]?.hint
  t.match(hintOf('allowed_lateness_sec'), 'write `lateness_ms`')
  t.match(hintOf('window_size_sec'), 'write `windows_ms`')
  t.match(hintOf('slide_sec'), 'write `slide_ms`')
  t.match(hintOf('max_future_seconds'), 'write `max_future_ms`')
  t.match(hintOf('watermark_interval_sec'), 'leave it out')
  t.match(hintOf('coffee_sec'), 'times are in milliseconds here')
  t.match(
    inRegistry(REGISTRY.replace('    unit: bar', '    idle_after_sec: 1\n    unit: bar'))[0]?.hint,
    'write `idle_after_ms`',
  )
  t.end()
})

t.test('numbers that are none, or out of range, are refused', (t) => {
  for (const value of [
    '.nan',
    '.inf',
    '-.inf',
    '1e400',
    '0',
    '-5',
    '10.5',
    '~',
    'fast',
    '[50]',
    '{ a: 1 }',
    '60001',
    '"50"',
    '0x32 ',
  ]) {
    const problems = inRuntime(
      RUNTIME.replace('    sources:', `    slide_ms: ${value}\n    windows_ms: [300000]\n    sources:`),
    )
    const expected = value === '0x32 ' ? [] : [{ key: 'rigs[0].slide_ms', line: 9 }]
    t.match(problems, expected, value)
    t.equal(problems.length, expected.length, value)
  }
  for (const [key, value] of [
    ['nominal_rate_hz', '0'],
    ['drift_threshold', '-1'],
    ['fail_max', '.nan'],
    ['deviation_limit', '0'],
  ] as const) {
    const problems = inRegistry(REGISTRY.replace(/( unit: bar\n) *nominal_rate_hz: 100\n/, `$1    ${key}: ${value}\n`))
    t.ok(
      problems.some((p) => p.key === `metrics.pressure.${key}`),
      `${key}: ${value}`,
    )
  }
  t.end()
})

t.test('ids are held to one form, wherever they stand', (t) => {
  for (const bad of ['Bench', 'a_b', '-a', 'a b', '""', '../x', 'a'.repeat(64), 'ä']) {
    t.equal(inRuntime(RUNTIME.replace('agent: bench-1', `agent: ${bad}`))[0]?.key, 'agent', bad)
    t.equal(inRuntime(RUNTIME.replace('rig: water-loop', `rig: ${bad}`))[0]?.key, 'rigs[0].rig', bad)
    t.equal(inRuntime(RUNTIME.replace('name: daq', `name: ${bad}`))[0]?.key, 'rigs[0].sources[0].name', bad)
  }
  t.same(inRuntime(RUNTIME.replace('agent: bench-1', `agent: 0${'a-'.repeat(31)}`)), [])
  t.end()
})

t.test('windows are whole multiples of the slide, each once, and fit into memory', (t) => {
  const windows = (text: string) => inRuntime(RUNTIME.replace('    sources:', `    ${text}\n    sources:`))
  t.match(windows('windows_ms: [250, 275, 250, 60000]'), [
    {
      column: 23,
      key: 'rigs[0].windows_ms[1]',
      found: '275',
      expected: /multiple of `slide_ms` \(50\)/,
      hint: 'such as 250 or 300',
    },
    { column: 28, key: 'rigs[0].windows_ms[2]', found: '250 a second time' },
  ])
  t.match(windows('slide_ms: 70'), [{ key: 'rigs[0].windows_ms[0]' }, {}, {}, {}].slice(0, 4))
  t.same(windows('windows_ms: [3600000]'), [], 'an hour of two metrics is little')
  const many = Array.from({ length: 100 }, (_, k) => `  m${k}: { unit: V, nominal_rate_hz: 100 }\n`).join('')
  const runtime = RUNTIME.replace('    sources:', '    windows_ms: [3600000]\n    slide_ms: 10\n    sources:')
  t.match(
    problemsOf(() => parseRuntimeFiles(filesOf(runtime, REGISTRY + many))),
    [{ key: 'rigs[0].slide_ms', line: 10, found: /102 metrics/ }],
  )
  t.end()
})

t.test('revise goes by whole slides, keeps what fits, and is asked for', (t) => {
  const late = (text: string, registry = REGISTRY) =>
    problemsOf(() => parseRuntimeFiles(filesOf(RUNTIME.replace('    sources:', `    ${text}\n    sources:`), registry)))
  t.same(late('late_policy: side_output'), [])
  t.same(late('late_policy: revise'), [])
  t.match(late('revise_within_ms: 2000'), [{ key: 'rigs[0].revise_within_ms', expected: /it is `drop`/ }])
  const revise = 'late_policy: revise\n    revise_within_ms:'
  t.match(late(`${revise} 2020`), [{ found: '2020', expected: /multiple of `slide_ms`/, hint: 'such as 2000' }])
  t.match(late(`${revise} 60050`), [{ key: 'rigs[0].revise_within_ms' }])
  t.match(late(`${revise} 60000`, REGISTRY.replace('nominal_rate_hz: 100', 'nominal_rate_hz: 5000')), [
    { found: /301500 samples of `flow`/, expected: /65536 of one metric/ },
  ])
  const many = Array.from({ length: 100 }, (_, k) => `  m${k}: { unit: V, nominal_rate_hz: 1000 }\n`).join('')
  t.match(late(`${revise} 60000`, REGISTRY + many), [{ expected: /4000000 of one rig/ }])
  const wide = 'windows_ms: [3600000]\n    slide_ms: 20\n    late_policy:'
  const some = Array.from({ length: 30 }, (_, k) => `  m${k}: { unit: V, nominal_rate_hz: 1 }\n`).join('')
  t.same(late(`${wide} drop`, REGISTRY + some), [])
  t.match(late(`${wide} revise`, REGISTRY + some), [{ key: 'rigs[0].slide_ms', found: /slides of 32 metrics/ }])
  t.end()
})

t.test('sources that cannot be meant together are refused', (t) => {
  const csv = '      - { name: log, type: csv, file: a.csv, time_column: t'
  t.match(inRuntime(`${RUNTIME}${csv}, rows_from: 9, rows_to: 9 }\n`), [
    { key: 'rigs[0].sources[1].type', expected: '`clock: recording`' },
    { key: 'rigs[0].sources[1].rows_to', found: '9', expected: 'more than `rows_from` (9)' },
  ])
  const recording = RUNTIME.replace('agent:', 'clock: recording\nagent:')
  t.same(inRuntime(`${recording}${csv} }\n`), [])
  t.match(inRuntime(`${recording}${csv}, ignore_columns: [t] }\n`), [{ key: 'rigs[0].sources[1].ignore_columns' }])
  t.match(inRuntime(`${recording}      - { name: me, type: host }\n`), [{ expected: '`clock: system`' }])
  const second = (more: string) => inRuntime(`${RUNTIME}      - { name: b, type: zmq, ${more} }\n`)
  t.match(second('endpoint: "tcp://127.0.0.1:5555"'), [{ key: 'rigs[0].sources[1].endpoint', found: /second time/ }])
  t.same(second('endpoint: "tcp://127.0.0.1:5555", pattern: sub'), [], 'connecting to it is another thing')
  t.match(second('endpoint: "tcp://127.0.0.1:70000"'), [{ found: 'port 70000' }])
  t.match(second('endpoint: "udp://127.0.0.1:5"'), [{ expected: 'tcp://HOST:PORT or ipc://PATH' }])
  t.same(second('endpoint: "tcp://10.0.0.5:5556"'), [], 'telemetry may come over the network of the bench')
  t.match(second('endpoint: "tcp://127.0.0.1:1", rows_to: 1'), [
    { key: 'rigs[0].sources[1].rows_to', found: /not known/ },
  ])
  t.match(inRuntime(RUNTIME.replace('name: daq\n        type: zmq', 'name: daq')), [
    { key: 'rigs[0].sources[0].type', found: 'nothing' },
  ])
  t.end()
})
