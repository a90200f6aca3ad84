import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { Type } from 'typebox'
import type { CheckedFile } from '../../../shared/config/document.ts'
import { loadCollectorConfig, loadRuntimeConfig, parseRuntimeFiles } from '../../../shared/config/load.ts'
import { formatProblems, type Problem } from '../../../shared/config/problems.ts'
import { configReferenceMarkdown, unitOf } from '../../../shared/config/reference.ts'
import { CollectorSchema, RuntimeSchema } from '../../../shared/config/schema.ts'
import type { Schema } from '../../../shared/config/schema-terms.ts'
import { soundYaml, yamlBytes } from '../../../shared/config/sound-yaml.ts'
import { NESTING_MAX, YAML_BYTES_MAX } from '../../../shared/config/yaml-text.ts'
import { bytesOf, COLLECTOR, inRegistry, inRuntime, problemsOf, REGISTRY, RUNTIME } from '../../support/config-texts.ts'

// verifies REQ-SEC-003
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
  ] as const
  for (const [from, to] of secrets) {
    const problems = inRuntime(RUNTIME.replace(from, to))
    t.equal(problems.filter((p) => p.found === 'a secret (not shown)').length, 1, to)
    t.notMatch(formatProblems(problems).join('\n'), /hunter2|0badc0de/, 'not even in the message')
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
    {
      config: loaded.config,
      trust: loaded.trust,
      injectorKey: loaded.injectorKey,
      registries: loaded.registries,
      registriesByMode: loaded.registriesByMode,
      equivalences: loaded.equivalences,
      policies: loaded.policies,
      alarms: loaded.alarms,
      provenance: loaded.provenance,
    },
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

t.test('a YAML file that somebody names is read whole, with all that is wrong in it, or not at all', (t) => {
  const folder = t.testdir({ 'a.yaml': 'even: 3\nodd: 2\n', 'large.yaml': '#'.repeat(YAML_BYTES_MAX + 1) })
  const schema = Type.Object({ even: Type.Integer({ description: 'a number' }) }, { additionalProperties: false })
  const moreProblems = (file: CheckedFile): readonly Problem[] =>
    (file.value as { even: number }).even % 2 === 0
      ? []
      : [{ ...file.at(['even']), found: 'an odd number', expected: 'an even one' }]
  const path = join(folder, 'a.yaml')
  t.match(
    problemsOf(() => soundYaml('a.yaml', yamlBytes(path), { schema, moreProblems })),
    [
      { file: 'a.yaml', line: 1, key: 'even', found: 'an odd number' },
      { line: 2, key: 'odd' },
    ],
  )
  writeFileSync(path, 'even: 4\n')
  t.same(soundYaml('a.yaml', yamlBytes(path), { schema, moreProblems }), { even: 4 })
  t.throws(() => yamlBytes(join(folder, 'none.yaml')), { code: 'CONFIG_MISSING', exit: 66 })
  t.throws(() => yamlBytes(join(folder, 'large.yaml')), { code: 'CONFIG_TOO_LARGE', exit: 78 })
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
    config: { operators_listen: { host: '127.0.0.1', port: 7444 }, verify_workers: 0 },
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
