import t from 'tap'
import { type LintFinding, lintRegistry } from '../../../shared/config/registry-lint.ts'
import { bytesOf, REGISTRY } from '../../support/config-texts.ts'

const CALM = REGISTRY.replace('drift_percent: 5', 'drift_threshold: 0.1')
const lint = (text: string): LintFinding[] => lintRegistry('metric_registry.yaml', bytesOf(text))
/** The registry without a trap, with other lines for the one drift rule of `pressure`, which stands on line 13. */
const pressure = (lines: string): LintFinding[] =>
  lint(CALM.replace('    drift_threshold: 0.1\n', `${lines.replace(/^/gm, '    ')}\n`))

t.test('a registry without a trap is quiet', (t) => {
  t.same(lint(CALM), [])
  t.same(pressure('drift_percent: 5\ninvariant_min: 0.5'), [], 'a value that cannot be 0')
  t.same(pressure('critical: true\ninvariant_max: 4\nfail_threshold: 3.5\ndrift_threshold: 1'), [])
  t.end()
})

t.test('every trap of the predecessor is reported with its line', (t) => {
  t.match(pressure('fail_threshold: 4\ndrift_threshold: 1'), [
    {
      rule: 'fail_threshold_without_critical',
      file: 'metric_registry.yaml',
      line: 13,
      key: 'metrics.pressure.fail_threshold',
      hint: /predecessor ignored it; here it always holds/,
    },
  ])
  t.match(pressure('critical: true\nfail_max: 4'), [{ rule: 'critical_without_invariant', line: 13 }])
  t.match(pressure('drift_percent: 5'), [
    { rule: 'percent_only_at_zero', line: 13, expected: 'a `drift_threshold` beside it' },
  ])
  t.match(pressure('drift_percent: 5\ninvariant_eq: 0'), [{ rule: 'percent_only_at_zero' }])
  t.match(pressure('unit_map: { MBAR: 1, x: 2, m.bar: 3 }'), [
    { rule: 'ambiguous_unit_key', found: '`MBAR` and `m.bar`', hint: /took them for one/ },
  ])
  t.match(pressure('unit_map: { "%": 1 }'), [{ rule: 'mistake' }, { rule: 'ambiguous_unit_key', found: '`%`' }])
  t.match(pressure('unit_map: { psi: 0.0689 }'), [
    { rule: 'rounded_factor', expected: 'nothing: the table has 0.06894757293168362' },
  ])
  t.match(pressure('min_effect: 2\ndrift_threshold: 1'), [{ rule: 'min_effect_hides_threshold', line: 13 }])
  t.match(pressure('fail_max: 5\ninvariant_max: 4'), [
    { rule: 'limit_never_reached', key: 'metrics.pressure.fail_max' },
  ])
  t.match(pressure('critical: true\nfail_threshold: 5\ninvariant_max: 4'), [
    { rule: 'limit_never_reached', key: 'metrics.pressure.fail_threshold', line: 14 },
  ])
  t.match(pressure('fail_min: 1\ninvariant_min: 2'), [{ rule: 'limit_never_reached' }])
  t.end()
})

t.test('a unit that is never converted is permitted and told, with the one that was meant', (t) => {
  const unit = (text: string, more = '') => lint(CALM.replace('    unit: bar', `    unit: "${text}"${more}`))
  t.match(unit('furlong'), [
    {
      rule: 'unit_never_converted',
      key: 'metrics.pressure.unit',
      found: /`furlong` is no unit of the table/,
      hint: /^it is never converted: samples that state another unit make the metric INVALID$/,
    },
  ])
  t.ok((unit('furlong')[0]?.line ?? 0) > 1, 'where it stands')
  for (const [text, meant] of [
    ['kpa', 'kPa'],
    ['MBAR', 'mbar'],
    ['psii', 'psi'],
    ['m/sek', 'm/sec'],
    ['lbs/min', 'lb/min'],
    ['DegC', 'degC'],
  ] as const)
    t.match(unit(text), [{ rule: 'unit_never_converted', hint: `did you mean \`${meant}\`?` }], text)
  t.match(unit('psig'), [{ rule: 'unit_never_converted', found: /air pressure of the day; write `psi` or `bar`/ }])
  t.match(unit('counts/furlong'), [{ hint: /^it is never/ }], 'no guess where the rest is not known either')
  t.match(unit('furlong', '\n    unit_map: { mile: 8 }'), [{ hint: /^it is converted from mile of `unit_map` alone/ }])
  t.same(unit('m3/h'), [])
  t.end()
})

t.test('bad input: an alias collision and contradicting keys are mistakes, in every programme and mode', (t) => {
  t.match(pressure('aliases: [FLOW]'), [{ rule: 'mistake', line: 13, found: '`FLOW` for `pressure` and for `flow`' }])
  t.match(lint(`${CALM}programs:\n  other: { metrics: { flow: { fail_min: 300 } } }\n`), [
    {
      rule: 'mistake',
      line: 15,
      key: 'programs.other.metrics.flow.fail_min',
      expected: 'less than the upper limit 200',
    },
  ])
  t.match(lint(`${CALM}mode_overrides:\n  test: { metrics: { flow: { fail_threshold: 150 } } }\n`), [
    { rule: 'fail_threshold_without_critical', line: 15, key: 'mode_overrides.test.metrics.flow.fail_threshold' },
  ])
  t.match(lint('version: "1.0"\nmetrics: {}\n'), [{ rule: 'mistake', found: 'no metric' }])
  t.match(lint('metrics: ['), [{ rule: 'mistake', expected: 'one YAML 1.2 document' }])
  t.end()
})

t.test('a registry of the predecessor is read as far as it goes', (t) => {
  const shipped = `version: "1.0"
metrics:
  avg_latency_ms:
    aliases: [AvgLatency]
    unit: ms
    unit_map: { ms: 1, us: 0.001, s: 1000 }
    drift_threshold: 1.0
    drift_percent: 10
    min_effect: 0.5
    invariant_max: 50
    distribution_drift: { ks_threshold: 0.2 }
    source_columns: latency
  reset_count:
    unit: count
    drift_threshold: 1
    critical: true
    fail_threshold: 0
    invariant_eq: 0
`
  const rates = (text: string) => text.replace(/ {4}unit:/g, '    nominal_rate_hz: 1\n    unit:')
  t.same(
    lint(shipped).map(({ rule, key }) => [rule, key]),
    ['avg_latency_ms', 'reset_count'].map((metric) => ['mistake', `metrics.${metric}.nominal_rate_hz`]),
    'it did not know how often a value comes',
  )
  t.same(lint(rates(shipped)), [])
  t.end()
})
