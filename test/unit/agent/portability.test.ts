import t from 'tap'
import { CONVERSIONS_MAX } from '../../../agent/core/settings.ts'
import type { EvaluatorInput } from '../../../agent/core/step.ts'
import { compileSettings } from '../../../agent/pipeline/compile-settings.ts'
import { bytesOf, REGISTRY, RUNTIME } from '../../support/config-texts.ts'
import {
  type Collected,
  evaluatorSettings,
  findingOf,
  frameInput,
  frameOf,
  metricBaseline,
  metricSettings,
  rigOf,
  rigSettings,
  runEvaluator,
  type Steady,
  steadyInputs,
  T0,
  verdictsOf,
  windowBaseline,
} from '../../support/evaluator-rig.ts'

const SECONDS = 3
const END = T0 + SECONDS * 1_000_000

/** A rig of one metric under its own and equivalent names, fed for three seconds. */
function fed(more: Parameters<typeof metricSettings>[1], steady: Partial<Steady> = {}): Collected {
  const settings = evaluatorSettings([
    rigSettings([metricSettings('a', { convertsUnits: true, invariantMin: -1e9, ...more })]),
  ])
  return runEvaluator(settings, steadyInputs({ fromUs: T0, toUs: END, ...steady }))
}

const meanOf = (out: Collected): number => rigOf(out).windowRows[1]![1]!
const refusedAs = (out: Collected, reason: string) => rigOf(out).ledger.refusals.get(reason as never)

t.test('a sample in another unit of the dimension is converted by the table, offsets too', async (t) => {
  const psi = fed({}, { unit: 'psi', value: () => 100 })
  t.equal(verdictsOf(psi, 'a').at(-1), 'PASS')
  t.equal(meanOf(psi), 100 * 0.06894757293168362)
  const celsius = fed({ unit: 'degC' }, { unit: 'degF', value: () => 212 })
  t.ok(Math.abs(meanOf(celsius) - 100) < 1e-12)
  const stated = fed({ unitFactors: new Map([['psi', 0.07]]) }, { unit: 'psi', value: () => 100 })
  t.equal(meanOf(stated), 100 * 0.07, 'what the registry says goes before the table')
})

t.test('bad input: a unit of another dimension makes the metric INVALID, loudly', async (t) => {
  const kelvin = fed({}, { unit: 'K' })
  t.equal(verdictsOf(kelvin, 'a').at(-1), 'INVALID')
  t.equal(findingOf(kelvin, 'a')?.ground, 'unit_mismatch')
  t.equal(refusedAs(kelvin, 'unit_mismatch')?.count, SECONDS * 100)
  t.equal(
    refusedAs(kelvin, 'unit_mismatch')?.example,
    'a is in bar; the sample says "K": `K` is a temperature, `bar` is a pressure',
  )
  t.match(refusedAs(fed({}, { unit: 'psig' }), 'unit_mismatch')?.example, /gauge and absolute.*write `psi` or `bar`/)
  t.match(refusedAs(fed({}, { unit: 'Bar' }), 'unit_mismatch')?.example, /the case counts/)
  const free = fed({ unit: 'furlong', convertsUnits: false }, { unit: 'm' })
  t.equal(verdictsOf(free, 'a').at(-1), 'INVALID', 'a unit of the registry that the table does not know')
})

t.test('a calibration is added in the unit of the metric, behind the conversion', async (t) => {
  t.equal(meanOf(fed({ calibrationOffset: 0.25 }, { value: () => 2 })), 2.25)
  t.equal(meanOf(fed({ calibrationOffset: 0.25 }, { unit: 'kPa', value: () => 200 })), 2.25)
  const limit = fed({ calibrationOffset: 0.25, invariantMax: 2.1 }, { value: () => 2 })
  t.equal(verdictsOf(limit, 'a').at(-1), 'FAIL', 'limits see the corrected value')
})

t.test('an equivalent channel is mapped, and arriving beside the channel it stands for is INVALID', async (t) => {
  const equivalences = new Map([['B_P', { factor: 2, offset: -1, unit: null }]])
  const more = { channels: ['a', 'B_P'], equivalences }
  const mapped = fed(more, { channels: ['B_P'], value: () => 3 })
  t.equal(meanOf(mapped), 5)
  t.equal(verdictsOf(mapped, 'a').at(-1), 'PASS')
  const both = fed(more, { channels: ['B_P', 'a'], value: () => 3 })
  t.equal(verdictsOf(both, 'a').at(-1), 'INVALID')
  t.equal(refusedAs(both, 'alias_collision')?.example, 'a is mapped from B_P, and a arrives as well')
  const twice = fed(more, { channels: ['B_P'], unit: 'psi' })
  t.equal(verdictsOf(twice, 'a').at(-1), 'INVALID')
  t.match(refusedAs(twice, 'unit_mismatch')?.example, /its mapping scales: give the mapping a `unit`/)
  const based = new Map([['B_P', { factor: 0.001, offset: 0, unit: 'mbar' }]])
  const kilo = fed({ ...more, equivalences: based }, { channels: ['B_P'], unit: 'kPa', value: () => 200 })
  t.ok(Math.abs(meanOf(kilo) - 2) < 1e-12, 'kPa → mbar by the table, then by the mapping')
})

t.test('configuration files in, converted decisions out', async (t) => {
  const runtime = RUNTIME.replace(
    '    sources:',
    '    equivalence_file: eq.yaml\n    windows_ms: [250, 1000]\n    sources:',
  )
  const mappings = 'version: 1\nmappings:\n  - { source_name: PT-7, target_name: pressure, scale: 0.001, unit: mbar }\n'
  const registry = REGISTRY.replace('drift_percent: 5', 'invariant_max: 4')
  const settings = compileSettings([
    { name: 'runtime.yaml', bytes: bytesOf(runtime) },
    { name: 'loop.registry.yaml', bytes: bytesOf(registry) },
    { name: 'eq.yaml', bytes: bytesOf(mappings) },
  ])
  const inputs: EvaluatorInput[] = steadyInputs({
    fromUs: T0,
    toUs: END,
    channels: ['PT-7'],
    unit: 'kPa',
    value: () => 450,
  }).map((input) =>
    input.kind === 'frame'
      ? {
          ...input,
          results: input.results.map((r) => (r.ok ? { ok: true, frame: { ...r.frame, rig: 'water-loop' } } : r)),
        }
      : input,
  )
  const out = runEvaluator(settings, inputs)
  const finding = out.decisions.at(-1)!.findings.find((f) => f.metric === 'pressure')
  t.match(finding, { verdict: 'FAIL', ground: 'invariant_max', limit: 4, unit: 'bar' })
  t.equal(finding?.max, 4.5)
})

t.test('conversions that are remembered have a bound, and beyond it are worked out each time', async (t) => {
  const settings = evaluatorSettings([rigSettings([metricSettings('a', { convertsUnits: true })])])
  const units = Array.from({ length: CONVERSIONS_MAX + 50 }, (_, k) => `unit-${k}`)
  const frames = units.map((unit, k) => frameOf({ seq: k, unit, times: [T0 + k], values: [[1]] }))
  const last = frameOf({ seq: units.length, unit: 'psi', times: [T0 + 5000], values: [[100]] })
  const out = runEvaluator(settings, [frameInput(T0 + 10_000, ...frames, last)])
  t.equal(rigOf(out).conversions.size, CONVERSIONS_MAX)
  t.equal(refusedAs(out, 'unit_mismatch')?.count, units.length)
  t.equal(rigOf(out).panes.samples[0]!.length, 1, 'the one in psi is taken')
})

t.test('a baseline in its own unit is compared as it is', async (t) => {
  const baseline = windowBaseline(new Uint8Array(32), [metricBaseline('a', { mean: 1, spread: 0.1, limit: 5 })])
  const metric = metricSettings('a', { convertsUnits: true, baselineRequired: true })
  const settings = evaluatorSettings([rigSettings([metric], { baseline })])
  const out = runEvaluator(settings, steadyInputs({ fromUs: T0, toUs: END, unit: 'kPa', value: () => 100 }))
  t.equal(verdictsOf(out, 'a').at(-1), 'PASS')
})
