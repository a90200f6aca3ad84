import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { type CheckedFile, checkYaml } from '../../../shared/config/document.ts'
import { loadCollectorConfig, loadRuntimeConfig, parseRuntimeFiles } from '../../../shared/config/load.ts'
import { ConfigError, formatProblems, type Problem } from '../../../shared/config/problems.ts'
import { configReferenceMarkdown, unitOf } from '../../../shared/config/reference.ts'
import { metricsFor, normaliseAlias } from '../../../shared/config/registry.ts'
import { CollectorSchema, RegistrySchema, RuntimeSchema } from '../../../shared/config/schema.ts'
import type { Schema } from '../../../shared/config/schema-terms.ts'
import type { RegistryConfig } from '../../../shared/config/types.ts'
import { NESTING_MAX, YAML_BYTES_MAX } from '../../../shared/config/yaml-text.ts'
import { isHbError } from '../../../shared/errors/hb-error.ts'

const RUNTIME = `version: 1
deployment: demo
agent: bench-1
signing_key_file: sign.pem
rigs:
  - rig: water-loop
    program: demo
    registry_file: loop.registry.yaml
    sources:
      - name: daq
        type: zmq
        endpoint: tcp://127.0.0.1:5555
`
const REGISTRY = `version: "1.0"
metrics:
  flow:
    aliases: [Volume Flow RateRMS]
    unit: l/min
    unit_map: { l/s: 60 }
    nominal_rate_hz: 100
    fail_min: 10
    fail_max: 200
  pressure:
    unit: bar
    nominal_rate_hz: 100
    drift_percent: 5
`
const COLLECTOR = `version: 1
deployment: demo
signing_key_file: sign.pem
data_dir: data
agents_listen: { port: 7443 }
tls: { ca_file: sign.pem, cert_file: sign.pem, key_file: sign.pem }
agents:
  - { agent: bench-1, public_key_file: sign.pem, programs: [demo] }
`

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Files of an agent in the order of the journal. */
function filesOf(runtime = RUNTIME, registry = REGISTRY) {
  return [
    { name: 'runtime.yaml', bytes: bytesOf(runtime) },
    { name: 'loop.registry.yaml', bytes: bytesOf(registry) },
  ]
}

/** Mistakes that something throws; empty when it throws none. */
function problemsOf(run: () => unknown): readonly Problem[] {
  try {
    run()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

const inRuntime = (runtime: string): readonly Problem[] => problemsOf(() => parseRuntimeFiles(filesOf(runtime)))
const inRegistry = (registry: string): readonly Problem[] =>
  problemsOf(() => parseRuntimeFiles(filesOf(RUNTIME, registry)))
const places = (problems: readonly Problem[]): string[] =>
  problems.map((p) => `${p.file}:${p.line}:${p.column} ${p.key}`)
const checked = (registry: string): CheckedFile =>
  checkYaml('r.yaml', bytesOf(registry), RegistrySchema as unknown as Schema)

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

t.test('every mistake over all files is listed at once, each with its place and a way out', (t) => {
  const runtime = `version: 2
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
  const registry = REGISTRY.replace('fail_max: 200', 'fail_max: 5').replace(
    '    unit: bar\n    nominal_rate_hz: 100\n',
    '    unit: bar\n    distribution_drift: { ks_threshold: 1 }\n',
  )
  const problems = problemsOf(() => parseRuntimeFiles(filesOf(runtime, registry)))
  t.same(
    places(problems),
    [
      'loop.registry.yaml:8:15 metrics.flow.fail_min',
      'loop.registry.yaml:12:5 metrics.pressure.distribution_drift',
      'loop.registry.yaml:11:5 metrics.pressure.nominal_rate_hz',
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
    ].sort((a, b) => order(a) - order(b)),
  )
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
  t.match(of('metrics.pressure.distribution_drift'), { hint: /leave it out/ })
  t.end()
})

/** Sorts expected places as the error does: by file, line and column. */
function order(place: string): number {
  const [file = '', line = '', column = ''] = place.split(/[: ]/)
  return (file === 'runtime.yaml' ? 1e6 : 0) + Number(line) * 1000 + Number(column)
}

t.test('the error carries all mistakes, ends with 78 and reads as text', (t) => {
  const error = t.throws(() => parseRuntimeFiles(filesOf(RUNTIME.replace('agent:', 'agnt:')))) as unknown as ConfigError
  t.ok(isHbError(error, 'CONFIG_INVALID'))
  t.equal(error.exit, 78)
  t.match(error.context, { mistakes: 2, first: 'runtime.yaml:1:1' })
  const text = formatProblems(error.problems)
  t.match(
    text,
    'runtime.yaml:3:1  agnt\n    found:    a key that is not known\n    expected: one of version, deployment',
  )
  t.match(text, '    hint:     did you mean `agent`?')
  const many = Array.from(
    { length: 130 },
    (_, k): Problem => ({ file: 'a', line: k + 1, column: 1, key: '', found: '', expected: '' }),
  )
  t.match(formatProblems(many), /^a:100:1 {2}\(file\)[^]*\n… and 30 more$/m)
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

t.test('a secret in a configuration is refused and never repeated', (t) => {
  const secrets = [
    ['signing_key_file: sign.pem', 'signing_key_file: "-----BEGIN PRIVATE KEY-----\\nhunter2"'],
    ['signing_key_file: sign.pem', 'signing_key_file: |\n  -----BEGIN PRIVATE KEY-----\n  hunter2'],
    ['signing_key_file: sign.pem', 'signing_key_file: MC4CAQAwBQYDK2VwBCIEIhunter2'],
    ['signing_key_file: sign.pem', `signing_key_file: ${'0badc0de'.repeat(8)}`],
    ['tcp://127.0.0.1:5555', 'tcp://hunter2:0badc0de@127.0.0.1:5555'],
    ['agent: bench-1', 'agent: bench-1\npassword: hunter2'],
    ['agent: bench-1', 'agent: bench-1\nvault_token: [hunter2]'],
    ['agent: bench-1', 'agent: bench-1\nsigning_key: hunter2'],
    ['clock', 'clock'],
  ].slice(0, -1) as [string, string][]
  for (const [from, to] of secrets) {
    const problems = inRuntime(RUNTIME.replace(from, to))
    t.equal(problems.filter((p) => p.found === 'a secret (not shown)').length, 1, to)
    t.notMatch(formatProblems(problems), /hunter2|0badc0de/, 'not even in the message')
  }
  const named = inRuntime(RUNTIME.replace('signing_key_file: sign.pem', 'signing_key: hunter2'))
  t.match(named.find((p) => p.key === 'signing_key')?.expected, '`signing_key_file`')
  t.same(inRegistry(REGISTRY.replace('  pressure:', '  token:')), [], 'a metric may be called as its rig calls it')
  t.end()
})

t.test('what YAML can do beyond plain keys and values is refused before it does anything', (t) => {
  const refused = (text: string): readonly Problem[] => inRuntime(text)
  t.match(refused(`base: &b 1\n${RUNTIME}`), [{ line: 1, column: 7, found: /anchor/ }])
  t.match(refused(`${RUNTIME}x: *b\n`), [{ line: 13, column: 4, found: /alias/ }])
  t.match(refused(RUNTIME.replace('version: 1', 'version: !!int 1')), [{ line: 1, column: 10, found: /tag/ }])
  t.match(refused(`%YAML 1.1\n---\n${RUNTIME}`), [{ line: 1, column: 1, found: /directive/ }])
  t.match(refused(`${RUNTIME}---\na: 1\n`), [{ line: 13, found: /second document/ }])
  t.match(refused(RUNTIME.replace('    program', '\tprogram')), [{ line: 7, found: /[Tt]abs/ }])
  t.match(refused(RUNTIME.replace('demo', 'de\u0007mo')), [{ line: 2, column: 15, found: /U\+0007/ }])
  t.match(refused(`${RUNTIME}a: ${'['.repeat(100_000)}`), [{ line: 13, column: 4 + NESTING_MAX, found: /brackets/ }])
  t.match(refused(`${RUNTIME}a:\n${'- '.repeat(50_000)}1`), [{ line: 14, found: /indent/ }])
  t.match(refused(`a: ${'x'.repeat(YAML_BYTES_MAX)}`), [{ line: 1, column: 1, expected: /at most/ }])
  t.match(
    problemsOf(() => parseRuntimeFiles([{ name: 'r', bytes: Uint8Array.of(0x61, 0x3a, 0xff) }])),
    [{ found: /UTF-8/ }],
  )
  t.same(
    refused('').map((p) => p.found),
    ['nothing'],
  )
  t.same(
    refused('just words').map((p) => p.expected),
    ['a map of keys'],
  )
  t.match(refused(RUNTIME.replace('agent: bench-1', 'agent: "bench-1')).length >= 1, true, 'a quote that is not closed')
  t.same(
    refused(`# [[[[ &a *b !c\n${RUNTIME.replaceAll('\n', '\r\n')}`),
    [],
    'a comment may hold anything; CRLF is a line end',
  )
  t.end()
})

t.test('a key twice is a mistake, and so is a key that only JavaScript knows', (t) => {
  const twice = inRuntime(RUNTIME.replace('agent: bench-1', 'agent: bench-1\n"agent": bench-2'))
  t.match(twice, [{ line: 4, column: 1, key: 'agent', found: '`agent` a second time', expected: /line 3/ }])
  t.match(inRegistry(REGISTRY.replace('  pressure:', '  flow:'))[0], { line: 10, column: 3, key: 'metrics.flow' })
  for (const key of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    t.match(inRuntime(`${RUNTIME}${key}: 1\n`), [{ line: 13, column: 1, key }], key)
  }
  t.match(inRegistry(REGISTRY.replace('  pressure:', '  __proto__:')), [{ line: 10, key: 'metrics.__proto__' }])
  t.same(inRegistry(REGISTRY.replace('  pressure:', '  constructor:')), [], 'a metric of that name is one of its own')
  t.match(inRuntime(`${RUNTIME}"\\e[31mred": 1\n`)[0]?.key, '\\u001b[31mred', 'a key cannot paint a terminal')
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
    const problems = inRegistry(
      REGISTRY.replace('    unit: bar\n', `    unit: bar\n    ${key}: ${value}\n`).replace(
        /(hz: 0\n.*)nominal_rate_hz: 100\n/,
        '$1',
      ),
    )
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

t.test('two metrics never share a channel, not even by another spelling', (t) => {
  const withAlias = (text: string) => inRegistry(REGISTRY.replace('  pressure:\n', `  pressure:\n    ${text}\n`))
  t.match(withAlias('aliases: [p, "volume_flow rate-rms"]'), [
    {
      line: 11,
      column: 18,
      key: 'metrics.pressure.aliases[1]',
      found: '`volume_flow rate-rms` for `pressure` and for `flow`',
    },
  ])
  t.match(withAlias('source_columns: [FLOW]'), [{ key: 'metrics.pressure.source_columns[0]' }])
  t.same(withAlias('aliases: [Pressure, PRESSURE, p]'), [], 'two spellings of its own name are its own')
  t.match(inRegistry(REGISTRY.replace('  pressure:', '  Flow_:')), [{ line: 10, column: 3, key: 'metrics.Flow_' }])
  t.equal(normaliseAlias('Volume Flow-RateRMS'), 'volumeflowraterms')
  t.equal(normaliseAlias('%'), '%')
  t.not(normaliseAlias('Δp'), normaliseAlias('p'))
  t.end()
})

t.test('a metric says how often it comes and can be judged by something', (t) => {
  const pressure = (text: string) => inRegistry(REGISTRY.replace('    drift_percent: 5\n', text.replace(/^/gm, '    ')))
  t.match(inRegistry(REGISTRY.replace('    nominal_rate_hz: 100\n    fail_min', '    fail_min')), [
    { line: 4, key: 'metrics.flow.nominal_rate_hz', found: 'nothing', hint: /^Samples a second/ },
  ])
  t.match(inRegistry(REGISTRY.replace('bar\n    nominal_rate_hz: 100', 'bar\n    nominal_rate_hz: 0.05')), [
    { key: 'metrics.pressure.nominal_rate_hz', expected: /5 samples/, hint: /from 100000 ms/ },
  ])
  t.match(pressure('critical: true'), [{ key: 'metrics.pressure.critical' }])
  t.same(pressure('critical: true\ninvariant_max: 4'), [])
  t.match(pressure('baseline_required: false'), [{ key: 'metrics.pressure.baseline_required' }])
  t.match(pressure('invariant_min: 4\ninvariant_max: 3'), [{ key: 'metrics.pressure.invariant_min' }])
  t.match(pressure('invariant_eq: 4\ninvariant_max: 3'), [{ key: 'metrics.pressure.invariant_eq' }])
  t.match(pressure('fail_threshold: 4\nfail_max: 3'), [{ key: 'metrics.pressure.fail_threshold' }])
  t.match(pressure('windows_ms: [1000, 2000]'), [{ key: 'metrics.pressure.windows_ms', found: '2000' }])
  t.match(pressure('unit_map: { bar: 2, Pa: 0 }'), [{ found: /own unit `bar`/ }, { found: 'factor 0 for `Pa`' }])
  t.match(pressure('unit_map: { Pa: 1, " Pa ": 2 }'), [{ found: '`Pa` a second time' }])
  t.match(inRegistry('version: "1.0"\nmetrics: {}\n'), [{ key: 'metrics', found: 'no metric' }])
  t.match(inRegistry(REGISTRY.replace('"1.0"', '1.0')), [{ key: 'version', expected: '"1.0"' }])
  t.match(inRegistry(REGISTRY.replace('  pressure:', '  " pressure":')), [{ key: 'metrics. pressure' }])
  t.end()
})

t.test('overrides are held to what is declared, and to sense once they apply', (t) => {
  const overrides = `programs:
  demo: { metrics: { flow: { fail_min: 300 } } }
  other: { metrics: { flw: { fail_min: 1 } } }
  Not An Id: { metrics: {} }
mode_overrides:
  nominl: { metrics: {} }
  nominal: { metrics: { pressure: { aliases: [FLOW], unit: bar, windows: [1] } } }
`
  t.match(inRegistry(REGISTRY + overrides), [
    { line: 16, key: 'programs.other.metrics.flw', hint: 'did you mean `flow`?' },
    { line: 17, key: 'programs.Not An Id', expected: 'the id of a program' },
    { line: 19, key: 'mode_overrides.nominl', hint: 'did you mean `nominal`?' },
    { line: 20, key: 'mode_overrides.nominal.metrics.pressure.windows', hint: 'did you mean `windows_ms`?' },
  ])
  const known = REGISTRY + overrides.replace(/ {2}(other|Not An Id|nominl):.*\n/g, '').replace(', windows: [1]', '')
  t.match(inRegistry(known), [
    { line: 15, column: 40, key: 'programs.demo.metrics.flow.fail_min', expected: 'less than the upper limit 200' },
    {
      line: 17,
      key: 'mode_overrides.nominal.metrics.pressure.aliases[0]',
      found: '`FLOW` for `pressure` and for `flow`',
    },
  ])
  const elsewhere = RUNTIME.replace('program: demo', 'program: calm').replace(
    '    sources:',
    '    mode: test\n    sources:',
  )
  t.same(
    problemsOf(() => parseRuntimeFiles(filesOf(elsewhere, known))),
    [],
    'they do not apply to this rig',
  )
  t.end()
})

t.test('metrics in force are base, then program, then mode, key by key and sorted by name', (t) => {
  const registry = checked(`${REGISTRY}  Aux:
    { unit: " V ", unit_map: { " mV ": 0.001, MV: 1000000 }, nominal_rate_hz: 1, fail_threshold: 9 }
programs:
  demo: { metrics: { flow: { fail_min: 20, aliases: [q] }, Aux: { fail_max: 7 } } }
mode_overrides:
  test: { metrics: { flow: { fail_min: 5, fail_threshold: 150 } } }
`)
  t.same(registry.problems, [])
  const config = registry.value as RegistryConfig
  const before = JSON.stringify(config)
  const of = (program: string, mode: string) => new Map(metricsFor(config, { program, mode }).map((m) => [m.metric, m]))
  t.same([...of('demo', 'test').keys()], ['Aux', 'flow', 'pressure'], 'by code unit')
  t.match(of('demo', 'test').get('flow'), {
    fail_min: 5,
    fail_max: 150,
    aliases: ['q'],
    unit: 'l/min',
    unit_map: { 'l/s': 60 },
  })
  t.match(of('demo', 'nominal').get('flow'), { fail_min: 20, fail_max: 200, aliases: ['q'] })
  t.match(of('constructor', 'toString').get('flow'), { fail_min: 10, aliases: ['Volume Flow RateRMS'] })
  t.match(of('other', 'nominal').get('Aux'), { fail_max: 9, fail_threshold: undefined, unit: 'V' })
  t.match(of('demo', 'nominal').get('Aux'), { fail_max: 7, fail_threshold: undefined })
  t.same(
    of('other', 'test').get('Aux')?.unit_map,
    { mV: 0.001, MV: 1_000_000 },
    'trimmed, and letter for letter otherwise',
  )
  t.equal(JSON.stringify(config), before, 'the registry itself stays as it is')
  t.end()
})

t.test('a configuration is read from its folder with exactly the bytes of every file', (t) => {
  const folder = t.testdir({
    'runtime.yaml': RUNTIME,
    'loop.registry.yaml': REGISTRY,
    'sign.pem': 'key',
    'base.hbb': 'opaque',
  })
  const path = join(folder, 'runtime.yaml')
  const second = RUNTIME.slice(RUNTIME.indexOf('  - rig')).replace('water-loop', 'air').replace('5555', '5556')
  writeFileSync(path, `${RUNTIME}    baseline_file: base.hbb\n${second}`)
  const loaded = loadRuntimeConfig(path)
  t.equal(loaded.folder, folder)
  t.same(
    loaded.files.map((f) => f.name),
    ['runtime.yaml', 'loop.registry.yaml', 'base.hbb'],
    'a shared registry once',
  )
  t.same(loaded.files[1]?.bytes, bytesOf(REGISTRY))
  t.same(loaded.files[2]?.bytes, bytesOf('opaque'))
  t.same(
    parseRuntimeFiles(loaded.files),
    { config: loaded.config, registries: loaded.registries },
    'the same from the journal',
  )
  t.match(
    problemsOf(() => parseRuntimeFiles(loaded.files.slice(0, 1))),
    [
      { key: 'rigs[0].registry_file', found: /not recorded/ },
      { key: 'rigs[0].baseline_file' },
      { key: 'rigs[1].registry_file' },
    ],
    'a registry that is gone is never a rig without metrics',
  )
  t.throws(() => parseRuntimeFiles([]), { code: 'CONFIG_MISSING' })
  t.end()
})

t.test('files that are not there are told before anything starts, with the mistakes in those that are', (t) => {
  const link =
    'collector:\n  { url: "wss://127.0.0.1:7443/agent", ca_file: ca.pem, cert_file: dir, key_file: /nowhere/k, collector_key_file: c.pem }\n'
  const folder = t.testdir({ 'loop.registry.yaml': REGISTRY.replace('unit: bar', 'unt: bar'), dir: {}, 'ca.pem': '' })
  const path = join(folder, 'runtime.yaml')
  const csv = '      - { name: log, type: csv, file: gone.csv, time_column: t }\n    baseline_file: gone.hbb\n'
  writeFileSync(path, `clock: recording\n${RUNTIME}${csv}${link}`)
  const problems = problemsOf(() => loadRuntimeConfig(path))
  t.same(
    problems.map((p) => p.key),
    [
      'metrics.pressure.unt',
      'metrics.pressure.unit',
      'signing_key_file',
      'rigs[0].sources[1].file',
      'rigs[0].baseline_file',
      'collector.cert_file',
      'collector.key_file',
      'collector.collector_key_file',
    ],
  )
  t.match(
    problems.find((p) => p.key === 'collector.cert_file'),
    { found: '"dir": it is not a file' },
  )
  t.match(
    problems.find((p) => p.key === 'signing_key_file'),
    { file: path, line: 5, found: /there is no such file/ },
  )
  t.equal(problems[0]?.file, join(folder, 'loop.registry.yaml'), 'named so that an editor finds it')
  t.throws(() => loadRuntimeConfig(join(folder, 'none.yaml')), { code: 'CONFIG_MISSING', exit: 66 })
  t.throws(() => loadRuntimeConfig(folder), { code: 'CONFIG_MISSING' })
  writeFileSync(path, '#'.repeat(YAML_BYTES_MAX + 1))
  t.throws(() => loadRuntimeConfig(path), { code: 'CONFIG_TOO_LARGE', exit: 78 })
  t.end()
})

t.test('a collector is plain on loopback only, and enrols every agent and key once', (t) => {
  const folder = t.testdir({ 'sign.pem': 'key' })
  const path = join(folder, 'collector.yaml')
  const inCollector = (text: string): readonly Problem[] => {
    writeFileSync(path, text)
    return problemsOf(() => loadCollectorConfig(path))
  }
  t.same(inCollector(COLLECTOR), [])
  t.match(loadCollectorConfig(path), {
    folder,
    config: { operators_listen: { host: '127.0.0.1', port: 7444 }, verify_workers: 1 },
  })
  t.throws(() => Object.assign(loadCollectorConfig(path).config.tls, { ca_file: '' }), TypeError, 'frozen')
  for (const host of ['0.0.0.0', '"::"', '10.0.0.5', 'bench.example', '127.0.0.1.example', '""']) {
    t.match(
      inCollector(`${COLLECTOR}operators_listen: { host: ${host} }\n`),
      [{ key: 'operators_listen.host', line: 9 }],
      host,
    )
  }
  for (const host of ['127.0.0.1', '127.8.8.8', '"::1"', 'localhost']) {
    t.same(inCollector(`${COLLECTOR}operators_listen: { host: ${host} }\n`), [], host)
  }
  const tls = 'operators_tls: { cert_file: sign.pem, key_file: sign.pem }\n'
  t.same(inCollector(`${COLLECTOR}${tls}operators_listen: { host: 0.0.0.0 }\n`), [])
  t.match(inCollector(`${COLLECTOR}operators_listen: { port: 7443 }\n`), [{ key: 'operators_listen.port' }])
  t.match(inCollector(`${COLLECTOR}  - { agent: bench-1, public_key_file: sign.pem, programs: [] }\n`), [
    { key: 'agents[1].agent', found: '`bench-1` a second time' },
    { key: 'agents[1].public_key_file', expected: /key of its own/ },
    { key: 'agents[1].programs', found: '0 items' },
  ])
  t.match(
    inCollector(
      COLLECTOR.replace('ca_file: sign.pem', 'ca_file: ca.pem').replace('public_key_file: sign', 'public_key_file: a'),
    ),
    [{ key: 'tls.ca_file', found: /no such file/ }, { key: 'agents[0].public_key_file' }],
  )
  t.end()
})

t.test('a file that this user may not read is told as such', (t) => {
  const folder = t.testdir({ 'sign.pem': 'key' })
  const path = join(folder, 'collector.yaml')
  mkdirSync(join(folder, 'shut'), { mode: 0o700 })
  writeFileSync(path, COLLECTOR.replace('ca_file: sign.pem', 'ca_file: sign.pem/x'))
  t.match(
    problemsOf(() => loadCollectorConfig(path)),
    [{ key: 'tls.ca_file', found: /no such file/ }],
  )
  if (process.getuid?.() === 0) {
    t.comment('root may read everything: the rest is not looked at')
  } else {
    chmodSync(join(folder, 'shut'), 0)
    writeFileSync(path, COLLECTOR.replace('ca_file: sign.pem', 'ca_file: shut/x'))
    t.match(
      problemsOf(() => loadCollectorConfig(path)),
      [{ found: /may not read/ }],
    )
    chmodSync(join(folder, 'shut'), 0o700)
  }
  t.end()
})

t.test('no text whatever makes the reader do anything but read or list mistakes', (t) => {
  const parts = [
    'a',
    ':',
    ' ',
    '\n',
    '  ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '#',
    '|',
    '>',
    '?',
    '%',
    '!',
    '&x',
    '*x',
    '\t',
    '~',
    '1',
    '---',
    ', ',
    'rigs:',
    'version: 1',
    '<<',
    '\u0000',
    'é',
    '\r\n',
  ]
  const anything = fc.array(fc.constantFrom(...parts), { maxLength: 60 }).map((words) => words.join(''))
  const cut = fc
    .tuple(fc.nat(RUNTIME.length), fc.nat(RUNTIME.length), anything)
    .map(([from, to, text]) => RUNTIME.slice(0, from) + text + RUNTIME.slice(to))
  let refusals = 0
  fc.assert(
    fc.property(fc.oneof(anything, cut), (text) => {
      const problems = inRuntime(text)
      const lines = text.split('\n').length
      refusals += problems.length === 0 ? 0 : 1
      return problems.every(
        (p) => p.line >= 1 && p.line <= lines && p.column >= 1 && p.found !== '' && p.expected !== '',
      )
    }),
    { numRuns: 2000, seed: 22 },
  )
  t.ok(refusals > 1000, 'most of it is refused')
  t.end()
})

t.test('the reference names every key of every file with type, unit, default, range and meaning', (t) => {
  const text = configReferenceMarkdown()
  const count = (schema: Schema): number => {
    const parts = Object.entries(schema.properties ?? {})
    for (const [key] of parts) t.match(text, new RegExp(`${key}\``), key)
    for (const [key, part] of parts)
      t.ok(
        (part.description !== undefined && part.description !== '') || part.properties !== undefined,
        `meaning of ${key}`,
      )
    const below = (part: Schema): number =>
      count(part) +
      (part.items === undefined ? 0 : below(part.items)) +
      (part.anyOf ?? []).map(below).reduce((a, b) => a + b, 0)
    return parts.length + parts.map(([, part]) => below(part)).reduce((a, b) => a + b, 0)
  }
  const keys = [RuntimeSchema, CollectorSchema]
    .map((schema) => count(schema as unknown as Schema))
    .reduce((a, b) => a + b, 0)
  const rows = text.split('\n').filter((line) => /^\| \*?`/.test(line))
  t.ok(rows.length > keys, `${rows.length} rows: ${keys} keys of runtime and collector, and the registry`)
  for (const row of rows) t.equal(row.replaceAll('\\|', '').split('|').length, 8, row)
  t.match(text, '| `rigs[].slide_ms` | a whole number | ms | `50` | from 10 to 60000 | Time between two decisions. |')
  t.match(text, '| `rigs[].sources[] csv: time_column` | text |  | **needed** |')
  t.match(text, '| `metrics.NAME.nominal_rate_hz` | a number | Hz | **needed** | above 0 up to 1000000 |')
  t.match(text, '| *`operators_tls`* |')
  t.equal(unitOf('bytes_max'), 'bytes')
  t.equal(unitOf('rig'), '')
  t.end()
})
