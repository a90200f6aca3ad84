import t from 'tap'
import { checkYaml } from '../../../shared/config/document.ts'
import { metricsFor } from '../../../shared/config/registry.ts'
import { PERSISTENCE_OF_MAX } from '../../../shared/config/registry-schema.ts'
import { calibrationOffset } from '../../../shared/config/registry-units.ts'
import { RegistrySchema } from '../../../shared/config/schema.ts'
import type { Schema } from '../../../shared/config/schema-terms.ts'
import type { RegistryConfig } from '../../../shared/config/types.ts'
import { dayOf, isOverdue } from '../../../shared/model/calendar-date.ts'
import { bytesOf, inRegistry, REGISTRY } from '../../support/config-texts.ts'

/** The metric `pressure`, in bar, with lines of YAML more. */
const pressure = (text: string, unit = 'bar') =>
  inRegistry(
    REGISTRY.replace('    unit: bar', `    unit: ${unit}`).replace(
      '    drift_percent: 5\n',
      `${text.replace(/^/gm, '    ')}\n`,
    ),
  )

t.test('bad input: a factor that contradicts the unit table, with both numbers and what to do', (t) => {
  t.match(pressure('unit_map: { psi: 0.69 }'), [
    {
      key: 'metrics.pressure.unit_map',
      found: '`psi` × 0.69 = `bar`',
      expected: '`psi` × 0.06894757293168362 = `bar`, as the unit table has it',
      hint: 'leave it out: the table converts it',
    },
  ])
  t.same(pressure('unit_map: { psi: 0.0689 }'), [], 'rounded by hand')
  t.same(pressure('unit_map: { counts: 0.0025 }', 'furlong'), [], 'a unit that the table does not know')
  t.match(pressure('unit_map: { degF: 0.5555555555555556 }', 'degC'), [
    { expected: '`degF` × 0.5555555555555556 − 17.77777777777778 = `degC`, as the unit table has it' },
  ])
  t.match(pressure('unit_map: { K: 1 }', 'degC'), [{ expected: /`K` × 1 − 273.15 = `degC`/ }])
  t.match(pressure('unit_map: { V: 2.5 }'), [
    { found: '`V` × 2.5 = `bar`: a voltage as a pressure', hint: /`equivalence_file`: `scale` and `offset`/ },
  ])
  t.same(pressure('unit_map: { Hz: 60 }', 'rpm'), [], 'who knows the rig may say what a hertz counts')
  t.end()
})

t.test('a calibration is an offset with a source and a date', (t) => {
  const calibration = (text: string) => pressure(`calibration: { ${text} }`)
  t.same(calibration('offset: 0.02, source: Lab 7 no. 311, date: 2026-01-31, due: 2027-01-31'), [])
  t.match(calibration('offset: 0.02, source: lab, date: 2026-02-30'), [
    { key: 'metrics.pressure.calibration', found: '`date` 2026-02-30', expected: /a date of the calendar/ },
  ])
  t.match(
    calibration('offset: 0.02, source: lab, date: 31.1.2026'),
    [{ key: 'metrics.pressure.calibration.date', expected: 'YYYY-MM-DD, of the form ^\\d{4}-\\d{2}-\\d{2}$' }].map(
      ({ key }) => ({ key }),
    ),
  )
  t.match(calibration('offset: 0.02, source: lab, date: 2026-02-01, due: 2026-01-01'), [
    { found: 'due 2026-01-01, calibrated 2026-02-01' },
  ])
  t.match(calibration('offset: 1, unit: degC, source: lab, date: 2026-02-01'), [
    { found: /an offset in `degC`.*a temperature.*a pressure/ },
  ])
  t.match(calibration('offset: 1, source: lab'), [{ key: 'metrics.pressure.calibration.date', found: 'nothing' }])
  const metric = (unit: string, own: string | undefined) =>
    calibrationOffset({
      metric: 'm',
      unit,
      calibration: { offset: 1, source: 'lab', date: '2026-01-01', ...(own === undefined ? {} : { unit: own }) },
    } as Parameters<typeof calibrationOffset>[0])
  t.equal(metric('degC', 'degF'), 5 / 9, 'a difference takes no offset')
  t.equal(metric('bar', 'mbar'), 0.001)
  t.equal(metric('furlong', undefined), 1)
  t.end()
})

t.test('bad input: keys of a registry that contradict each other', (t) => {
  t.match(pressure('drift_persistence: 6\ndrift_persistence_of: 5'), [
    {
      key: 'metrics.pressure.drift_persistence_of',
      found: '6 of 5 slides',
      expected: 'at least `drift_persistence` (6)',
    },
  ])
  t.match(pressure('drift_persistence_of: 4'), [{ found: '5 of 4 slides' }], 'five by default')
  t.match(pressure(`drift_persistence_of: ${PERSISTENCE_OF_MAX + 1}`), [{ expected: /from 1 to 512/ }])
  t.same(pressure('drift_persistence: 3\ndrift_persistence_of: 10\ndrift_clear_slides: 20'), [])
  const mode = (keys: string) =>
    inRegistry(`${REGISTRY}mode_overrides:\n  maintenance: { metrics: { flow: { ${keys} } } }\n`)
  for (const keys of ['aliases: [q]', 'unit: l/s', 'windows_ms: [1000]', 'nominal_rate_hz: 50', 'idle_after_ms: 900'])
    t.match(
      mode(keys),
      [
        {
          key: `mode_overrides.maintenance.metrics.flow.${keys.split(':')[0]}`,
          found: 'a key that no mode changes',
          hint: /`metrics`, or in `programs`/,
        },
      ],
      keys,
    )
  t.same(mode('fail_max: 400, required: false, drift_percent: 50, unit: l/min'), [], 'the same unit is no change')
  t.match(mode('fail_min: 300'), [
    { key: 'mode_overrides.maintenance.metrics.flow.fail_min', expected: 'less than the upper limit 200' },
  ])
  t.end()
})

t.test('a column may be written without brackets, and a threshold for two runs is accepted', (t) => {
  const text = REGISTRY.replace(
    '    drift_percent: 5\n',
    '    source_columns: Druck 1\n    distribution_drift: { ks_threshold: 0.2 }\n',
  )
  t.same(inRegistry(text), [])
  const file = checkYaml('r', bytesOf(text), RegistrySchema as unknown as Schema)
  const metrics = metricsFor(file.value as RegistryConfig, { program: 'demo', mode: 'nominal' })
  t.match(metrics[1], { source_columns: ['Druck 1'], distribution_drift: { ks_threshold: 0.2 } })
  t.match(pressure('source_columns: FLOW'), [
    { key: 'metrics.pressure.source_columns', found: '`FLOW` for `pressure` and for `flow`' },
  ])
  t.match(pressure('source_columns: 7'), [{ key: 'metrics.pressure.source_columns', hint: '`"7"`, in quotes' }])
  t.match(pressure('source_columns: [7]'), [{ key: 'metrics.pressure.source_columns[0]' }])
  t.end()
})

t.test('dates are those of the calendar, and the day a calibration is due still counts', (t) => {
  t.equal(dayOf('1970-01-01'), 0)
  for (const text of ['2000-02-29', '2024-12-31', '1999-03-01', '2100-02-28', '0001-01-01', '9999-12-31'])
    t.equal(dayOf(text), Date.parse(`${text}T00:00:00Z`) / 86_400_000, text)
  for (const text of ['2100-02-29', '2026-13-01', '2026-00-10', '2026-04-31', '2026-4-1', '2026-01-00', ''])
    t.equal(dayOf(text), null, text)
  const endUs = Date.parse('2026-04-01T00:00:00Z') * 1000
  t.notOk(isOverdue('2026-03-31', endUs - 1))
  t.ok(isOverdue('2026-03-31', endUs))
  t.notOk(isOverdue('never', endUs))
  t.end()
})
