import fc from 'fast-check'
import t from 'tap'
import { conversionOf, type NoConversion } from '../../../agent/core/convert.ts'
import { compileSettings } from '../../../agent/pipeline/compile-settings.ts'
import { portBaseline } from '../../../agent/pipeline/port-baseline.ts'
import { channelChain } from '../../../shared/config/channel-chain.ts'
import { MAPPINGS_MAX } from '../../../shared/config/equivalence.ts'
import { parseRuntimeFiles } from '../../../shared/config/load.ts'
import type { BaselineMetric } from '../../../shared/model/baseline.ts'
import { convertBaselineMetric } from '../../../shared/model/baseline-units.ts'
import { convertSpread, convertValue, inSuccession, inverseOf } from '../../../shared/model/conversion.ts'
import type { Affine } from '../../../shared/model/units.ts'
import { baselineMetric, baselineRecord } from '../../support/baseline-record.ts'
import { bytesOf, filesOf, problemsOf, REGISTRY, RUNTIME } from '../../support/config-texts.ts'

const CALIBRATED = REGISTRY.replace(
  '    drift_percent: 5\n',
  '    drift_percent: 5\n    calibration: { offset: 20, unit: mbar, source: Lab 7, date: 2026-01-31 }\n',
)

/** A rig whose registry has `flow` (l/min) and `pressure` (bar), with these mappings. */
function filesWith(mappings: string, { platform = '', registry = REGISTRY, version = '"2026-03"' } = {}) {
  const more = `    equivalence_file: equivalence_mapping.yaml\n${platform === '' ? '' : `    platform: ${platform}\n`}`
  return [
    ...filesOf(RUNTIME.replace('    sources:', `${more}    sources:`), registry),
    { name: 'equivalence_mapping.yaml', bytes: bytesOf(`version: ${version}\nmappings:\n${mappings}`) },
  ]
}
const mistakes = (mappings: string, more = {}) => problemsOf(() => parseRuntimeFiles(filesWith(mappings, more)))
const line = (source: string, target: string, more = '') =>
  `  - { source_name: ${source}, target_name: ${target}${more === '' ? '' : `, ${more}`} }\n`

t.test('bad input: mappings that collide name both channels and say what to do', (t) => {
  t.same(mistakes(line('Q1', 'flow') + line('P1', 'pressure', 'scale: 0.07, offset: -1')), [])
  t.same(mistakes(line('Q1', 'Volume Flow RateRMS')), [], 'by an alias of the target')
  t.match(mistakes(line('Q1', 'flow') + line('Q2', 'flow')), [
    {
      file: 'equivalence_mapping.yaml',
      line: 4,
      key: 'mappings[1].target_name',
      found: '`Q1` and `Q2` both mapped onto `flow`',
      hint: 'give the rig a `platform`, and each mapping its `source_platform`',
    },
  ])
  t.match(mistakes(line('pressure', 'flow')), [
    {
      key: 'mappings[0].source_name',
      found: '`pressure`, which is a channel of `pressure` itself, mapped onto `flow`',
    },
  ])
  t.match(mistakes(line('Q1', 'flow') + line('Q1', 'pressure')), [
    { key: 'mappings[1].source_name', found: '`Q1` mapped onto `flow` and onto `pressure`' },
  ])
  t.match(mistakes(line('A', 'B') + line('B', 'flow')), [
    { key: 'mappings[0].target_name', found: 'a chain: `A` → `B` → `flow`', hint: 'map `A` onto `flow`' },
    { key: 'mappings[0].target_name', found: '`B`', expected: 'a metric of the registry' },
  ])
  t.match(
    mistakes(line('A', 'B') + line('B', 'A')).filter(({ found }) => found.startsWith('a cycle')),
    [{ found: 'a cycle: `A` → `B` → `A`' }, { found: 'a cycle: `B` → `A` → `B`' }],
  )
  t.match(mistakes(line('flow', 'flow')), [{ found: /a cycle: `flow` → `flow`/ }])
  t.match(mistakes(line('Q1', 'flw')), [{ found: '`flw`', hint: 'did you mean `flow`?' }])
  const many = Array.from({ length: MAPPINGS_MAX + 1 }, (_, k) => line(`Q${k}`, 'flow')).join('')
  t.match(mistakes(many), [{ key: 'mappings', found: `${MAPPINGS_MAX + 1} items`, expected: `1 to ${MAPPINGS_MAX}` }])
  t.match(mistakes(line('Q1', 'flow', 'scale: 0')), [{ key: 'mappings[0].scale', found: '0' }])
  t.match(mistakes(line('Q1', 'flow', 'scal: 2')), [{ key: 'mappings[0].scal', hint: 'did you mean `scale`?' }])
  t.match(
    problemsOf(() => parseRuntimeFiles(filesWith('').slice(0, 2))),
    [{ key: 'rigs[0].equivalence_file' }],
  )
  t.end()
})

t.test('a platform picks the mappings of its channels', (t) => {
  const both = line('A_Q', 'flow', 'source_platform: vendor-a') + line('B_Q', 'flow', 'source_platform: vendor-b')
  t.match(mistakes(both), [{ found: '`A_Q` and `B_Q` both mapped onto `flow`' }])
  const of = (platform: string) =>
    parseRuntimeFiles(filesWith(both, { platform }))
      .equivalences.get('water-loop')!
      .map(({ source }) => source)
  t.same(of('vendor-a'), ['A_Q'])
  t.same(of('vendor-b'), ['B_Q'])
  t.same(of('vendor-c'), [])
  t.end()
})

t.test('every step from a channel to its metric says who says so', (t) => {
  const files = filesWith(line('P1', 'pressure', 'scale: 2, offset: -1, unit: bar'), {
    registry: CALIBRATED,
    version: '3',
  })
  const parsed = parseRuntimeFiles(files)
  const inForce = {
    metrics: parsed.registries.get('water-loop')!,
    equivalences: parsed.equivalences.get('water-loop')!,
    registry: { file: 'loop.registry.yaml', version: '1.0' },
  }
  const chain = (channel: string, unit: string | null = null) => channelChain({ channel, unit }, inForce)
  t.match(chain('P1', 'psi'), {
    metric: 'pressure',
    unit: 'bar',
    steps: [
      {
        kind: 'unit',
        from: 'psi',
        to: 'bar',
        factor: 0.06894757293168362,
        offset: 0,
        source: 'unit table',
        version: '1',
      },
      {
        kind: 'equivalence',
        from: 'P1',
        to: 'pressure',
        factor: 2,
        offset: -1,
        source: 'equivalence_mapping.yaml',
        version: '3',
      },
      { kind: 'calibration', from: 'bar', to: 'bar', factor: 1, offset: 0.02, source: 'Lab 7', version: '2026-01-31' },
    ],
    total: { factor: 0.13789514586336724, offset: -0.98 },
  })
  t.match(chain('Volume Flow RateRMS', 'l/s'), {
    metric: 'flow',
    steps: [
      { kind: 'alias', source: 'loop.registry.yaml: metrics.flow.aliases', version: '1.0' },
      { kind: 'unit', factor: 60, source: 'loop.registry.yaml: metrics.flow.unit_map' },
    ],
  })
  t.match(chain('flow'), { steps: [], total: { factor: 1, offset: 0 } })
  t.match(chain('P1', 'K'), { metric: 'pressure', problem: /INVALID.*a temperature.*a pressure/ })
  t.match(chain('pressure'), { metric: 'pressure', problem: /mapped from `P1`.*would be INVALID/ })
  t.match(chain('flov'), { metric: null, problem: /unknown_channel/, hint: /`flow`/ })
  t.end()
})

const finite = fc.double({ min: -1e6, max: 1e6, noNaN: true })
const affine = fc
  .tuple(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), fc.boolean(), fc.double({ min: -1e3, max: 1e3, noNaN: true }))
  .map(([size, negative, offset]): Affine => ({ factor: negative ? -size : size, offset }))

t.test('a mapping and its inverse give the value back, and spreads know no offset', (t) => {
  fc.assert(
    fc.property(affine, finite, (by, value) => {
      const back = convertValue(inverseOf(by), convertValue(by, value))
      const scale = Math.max(1, Math.abs(value), Math.abs(by.offset / by.factor))
      return Math.abs(back - value) <= 1e-12 * scale
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(affine, affine, finite, (a, b, value) => {
      const [once, twice] = [convertValue(inSuccession(a, b), value), convertValue(b, convertValue(a, value))]
      const scale = Math.abs(a.factor * b.factor * value) + Math.abs(a.offset * b.factor) + Math.abs(b.offset) + 1
      return Math.abs(once - twice) <= 1e-12 * scale
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(affine, finite, finite, (by, x, y) => {
      const [distance, shown] = [
        convertSpread(by, Math.abs(x - y)),
        Math.abs(convertValue(by, x) - convertValue(by, y)),
      ]
      return Math.abs(distance - shown) <= 1e-9 * (1 + Math.abs(by.offset) + Math.abs(by.factor) * 1e6)
    }),
    { numRuns: 2000 },
  )
  t.equal(Object.is(convertValue({ factor: 1, offset: 0 }, -0), -0), true)
  t.equal(convertSpread({ factor: -2, offset: 40 }, 3), 6)
  t.end()
})

t.test('the evaluator converts as the chain says it does', (t) => {
  const units = ['bar', 'psi', 'kPa', 'mbar', 'K', 'furlong', 'l/min', 'l/s', 'm3/h', 'dB', 'Pa']
  const mapping = fc.record({
    scale: fc.constantFrom(1, 2, -0.5),
    offset: fc.constantFrom(0, 7, -1),
    unit: fc.constantFrom('', 'psi', 'bar'),
  })
  let converted = 0
  fc.assert(
    fc.property(
      mapping,
      fc.constantFrom(REGISTRY, CALIBRATED),
      fc.constantFrom('P1', 'pressure', 'flow', 'Volume Flow RateRMS'),
      fc.option(fc.constantFrom(...units)),
      ({ scale, offset, unit }, registry, channel, stated) => {
        const more = `scale: ${scale}, offset: ${offset}${unit === '' ? '' : `, unit: ${unit}`}`
        const files = filesWith(line('P1', 'pressure', more), { registry })
        const parsed = parseRuntimeFiles(files)
        const rig = compileSettings(files).rigs[0]!
        const chain = channelChain(
          { channel, unit: stated },
          {
            metrics: parsed.registries.get('water-loop')!,
            equivalences: parsed.equivalences.get('water-loop')!,
            registry: { file: 'r', version: '1.0' },
          },
        )
        const settings = rig.metrics.find((m) => m.channels.includes(channel))!
        const found: Affine | NoConversion = conversionOf(settings, channel, stated ?? undefined)
        if ('problem' in chain) return 'reason' in found && chain.metric === settings.metric
        converted += 1
        return !('reason' in found) && found.factor === chain.total.factor && found.offset === chain.total.offset
      },
    ),
    { numRuns: 500 },
  )
  t.ok(converted > 100, `${converted} of 500 convert`)
  t.end()
})

const LEVELS = baselineMetric('flow').detectors
const KNOWN = baselineMetric('P1', {
  unit: 'psi',
  mean: 100,
  sd: 2,
  min: 90,
  max: 110,
  quantiles: [90, 100, 110],
  noise: 4,
  wander: 1,
  detectableShift: 3,
  tolerance: null,
  windows: [{ widthUs: 1000, windows: 9, mean: 100, spread: 0.5, min: 95, max: 104, limit: 6 }],
  conversions: [],
})

t.test('a baseline of another platform is compared under the names and in the units of the registry', (t) => {
  const { registries, equivalences } = parseRuntimeFiles(
    filesWith(line('P1', 'pressure', 'scale: -1, offset: 20, unit: bar')),
  )
  const named = { registry: registries.get('water-loop')!, equivalences: equivalences.get('water-loop')! }
  const port = (metrics: readonly BaselineMetric[]) =>
    portBaseline(baselineRecord({ metrics, rigDetectors: LEVELS }), named)
  const ported = port([KNOWN])
  const [pressure] = ported.metrics
  t.match(pressure, { metric: 'pressure', unit: 'bar', detectors: [] }, 'no detector speaks in another unit')
  t.same(ported.rigDetectors, [])
  t.ok(Math.abs(pressure!.mean - (20 - 6.894757293168362)) < 1e-12)
  t.ok(Math.abs(pressure!.sd - 0.13789514586336724) < 1e-15, 'a spread is scaled, never shifted or turned round')
  t.ok(Math.abs(pressure!.noise - 0.06894757293168362 ** 2 * 4) < 1e-15)
  t.ok(pressure!.windows[0]!.spread > 0 && pressure!.windows[0]!.min < pressure!.windows[0]!.max)
  t.ok(pressure!.quantiles[0]! < pressure!.quantiles[2]!)
  t.equal(pressure!.windows[0]!.limit, 6)
  t.match(pressure!.conversions, [
    { from: 'psi', to: 'bar', factor: 0.06894757293168362, offset: 0, source: 'unit table', version: '1' },
    { from: 'P1', to: 'pressure', factor: -1, offset: 20, source: 'equivalence_mapping.yaml', version: '2026-03' },
  ])
  const own = port([baselineMetric('pressure', { unit: 'kPa', mean: 100 })])
  t.equal(own.metrics[0]!.mean, 1, 'its own name goes before that of an equivalent channel')
  const other = baselineRecord({ metrics: [baselineMetric('flow', { unit: 'K' })], rigDetectors: LEVELS })
  t.equal(portBaseline(other, named), other, 'a unit that nothing converts stays, and knows nothing of the metric')
  const spelled = port([baselineMetric('flow', { unit: 'L/min' })])
  t.equal(spelled.metrics[0]!.unit, 'l/min')
  t.equal(spelled.metrics[0]!.detectors.length, 1, 'another spelling of the same unit changes no number')
  const by = { factor: 2, offset: 1 }
  const there = convertBaselineMetric(KNOWN, { metric: 'a', unit: 'bar', by, steps: [] })
  const back = convertBaselineMetric(there, { metric: 'P1', unit: 'psi', by: inverseOf(by), steps: [] })
  t.same(back, { ...KNOWN, detectors: [] })
  t.end()
})
