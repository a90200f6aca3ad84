import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { listFiles, ROOT } from '../../../scripts/sources.ts'
import { type CheckedFile, checkYaml } from '../../../shared/config/document.ts'
import { parseRuntimeFiles } from '../../../shared/config/load.ts'
import { metricsFor, normaliseAlias } from '../../../shared/config/registry.ts'
import { RegistrySchema } from '../../../shared/config/schema.ts'
import type { Schema } from '../../../shared/config/schema-terms.ts'
import type { RegistryConfig } from '../../../shared/config/types.ts'
import { bytesOf, filesOf, inRegistry, problemsOf, REGISTRY, RUNTIME } from '../../support/config-texts.ts'

const checked = (registry: string): CheckedFile =>
  checkYaml('r.yaml', bytesOf(registry), RegistrySchema as unknown as Schema)

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
  nominal: { metrics: { pressure: { fail_min: 5, fail_max: 3, unit: bar, windows: [1] } } }
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
    { line: 17, key: 'mode_overrides.nominal.metrics.pressure.fail_min', expected: 'less than the upper limit 3' },
  ])
  const elsewhere = RUNTIME.replace('program: demo', 'program: calm').replace(
    '    sources:',
    '    mode: test\n    sources:',
  )
  t.match(
    problemsOf(() => parseRuntimeFiles(filesOf(elsewhere, known))).map(({ key }) => key),
    ['mode_overrides.nominal.metrics.pressure.fail_min'],
    'those of the other program do not apply to this rig; those of another mode will when it changes',
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

t.test('the registries that come with the project have no mistake', (t) => {
  const files = listFiles('hil-testbed').filter((file) => file.endsWith('.registry.yaml'))
  t.ok(files.length >= 3, files.join(', '))
  for (const file of files) t.same(inRegistry(readFileSync(join(ROOT, file), 'utf8')), [], file)
  t.end()
})
