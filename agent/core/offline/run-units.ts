import { type ConversionStep, convertValue, IDENTITY } from '../../../shared/model/conversion.ts'
import { type Affine, convertUnit } from '../../../shared/model/units.ts'
import type { RunMetric, RunMetrics } from './run-metric.ts'

/** What a registry says of the names and units of a metric. */
export type MetricNaming = Readonly<{
  unit?: string
  aliases?: readonly string[]
  source_columns?: readonly string[]
  unit_map?: Readonly<Record<string, number>>
}>

export type Canonical = Readonly<{
  metrics: RunMetrics
  warnings: readonly string[]
  /** How every value that is not as it was written came to be. */
  conversions: readonly (ConversionStep & Readonly<{ metric: string }>)[]
}>

/**
 * Gives the metrics of a run the names and units of the registry. Names are compared without case and punctuation, as the
 * predecessor does. A name that two columns of the run claim, or a unit that nothing converts, makes the metric NaN: it is
 * said, and judged NO_TEST. Metrics the registry does not know are left out with a warning.
 */
export function canonicalMetrics(raw: RunMetrics, registry: ReadonlyMap<string, MetricNaming>): Canonical {
  const owners = ownersOf(registry)
  const metrics = new Map<string, RunMetric>()
  const takenFrom = new Map<string, string>()
  const warnings: string[] = []
  const conversions: Canonical['conversions'][number][] = []
  for (const [name, metric] of raw) {
    const canonical = registry.has(name) ? name : owners.get(plainName(name))
    if (canonical === undefined) {
      warnings.push(`unknown metric: ${name}`)
      continue
    }
    const other = takenFrom.get(canonical)
    if (other !== undefined) {
      warnings.push(`alias collision: \`${other}\` and \`${name}\` are both ${canonical}; remove one from the run`)
      metrics.set(canonical, { ...metrics.get(canonical)!, value: Number.NaN, samples: [] })
      continue
    }
    takenFrom.set(canonical, name)
    const unit = inUnit(metric, registry.get(canonical)!)
    if (unit.problem !== null) warnings.push(`unit of ${canonical}: ${unit.problem}`)
    if (name !== canonical)
      conversions.push({
        metric: canonical,
        kind: 'alias',
        from: name,
        to: canonical,
        ...IDENTITY,
        source: 'registry',
        version: '',
      })
    if (unit.step !== null) conversions.push({ metric: canonical, ...unit.step })
    metrics.set(canonical, unit.metric)
  }
  return { metrics, warnings, conversions }
}

/** The metric that a column of a run is; undefined for one that the registry does not know. */
export function metricOfColumn(name: string, registry: ReadonlyMap<string, MetricNaming>): string | undefined {
  return registry.has(name) ? name : ownersOf(registry).get(plainName(name))
}

/** A name without case, blanks and punctuation. */
function plainName(name: string): string {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  return plain === '' ? name : plain
}

/** Whose name is whose. The registry is checked for names of two owners when it is read. */
function ownersOf(registry: ReadonlyMap<string, MetricNaming>): Map<string, string> {
  const owners = new Map<string, string>()
  for (const [metric, { aliases = [], source_columns: columns = [] }] of registry)
    for (const name of [metric, ...aliases, ...columns]) owners.set(plainName(name), metric)
  return owners
}

type InUnit = Readonly<{ metric: RunMetric; problem: string | null; step: ConversionStep | null }>

function inUnit(metric: RunMetric, naming: MetricNaming): InUnit {
  const from = metric.unit?.trim() ?? ''
  if (metric.value === null) return { metric: { ...metric, unit: null }, problem: null, step: null }
  const to = naming.unit?.trim() ?? ''
  if (from === '' || to === '' || from === to)
    return { metric: { ...metric, unit: to !== '' ? to : from === '' ? null : from }, problem: null, step: null }
  const found = conversionOf(from, to, naming.unit_map ?? {})
  if ('problem' in found)
    return { metric: { ...metric, value: Number.NaN, unit: from, samples: [] }, problem: found.problem, step: null }
  const { affine, source } = found
  const converted = {
    ...metric,
    unit: to,
    value: convertValue(affine, metric.value),
    samples: metric.samples.map((sample) => convertValue(affine, sample)),
  }
  const step: ConversionStep = { kind: 'unit', from, to, ...affine, source, version: '' }
  return { metric: converted, problem: null, step }
}

type Found = Readonly<{ affine: Affine; source: string }> | Readonly<{ problem: string }>

/**
 * Letter for letter first: the registry's own factor, then the unit table. Only what neither knows as this quantity is
 * looked up without regard to case, so that a spreadsheet's `S` is a second here, and `MW` is never `mW`.
 */
function conversionOf(from: string, to: string, map: Readonly<Record<string, number>>): Found {
  const own = Object.hasOwn(map, from) ? map[from] : undefined
  if (own !== undefined) return { affine: { factor: own, offset: 0 }, source: 'unit_map' }
  const table = convertUnit(from, to)
  if (table.ok) return { affine: { factor: table.factor, offset: table.offset }, source: 'unit table' }
  const alike = Object.entries(map).filter(
    ([unit]) => unit.toLowerCase() === from.toLowerCase() && !convertUnit(from, unit).ok,
  )
  if (alike.length === 1)
    return { affine: { factor: alike[0]![1], offset: 0 }, source: 'unit_map, without regard to case' }
  return {
    problem: `\`${from}\` cannot be converted to \`${to}\`; correct the unit in the run or add it to \`unit_map\` (${table.detail})`,
  }
}
