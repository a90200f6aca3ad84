import type { Equivalence } from '../../shared/config/equivalence.ts'
import type { RegistryMetric } from '../../shared/config/registry.ts'
import type { BaselineMetric, BaselineRecord } from '../../shared/model/baseline.ts'
import { convertBaselineMetric } from '../../shared/model/baseline-units.ts'
import { type Conversion, inSuccession } from '../../shared/model/conversion.ts'
import { UNIT_TABLE_VERSION } from '../../shared/model/unit-table.ts'
import { convertUnit } from '../../shared/model/units.ts'

/** Names and units that a baseline is wanted in. */
export type Named = Readonly<{ registry: readonly RegistryMetric[]; equivalences: readonly Equivalence[] }>

/**
 * A baseline under the names and in the units of the registry: what it has under the name of an equivalent channel, or in
 * another unit of the same dimension, is converted, its spreads by the factor alone. Windows are then compared as ever. What
 * detectors found is in numbers of their own, so a channel that was converted is watched by none of them.
 */
export function portBaseline(record: BaselineRecord, { registry, equivalences }: Named): BaselineRecord {
  const metrics = new Map(record.metrics.map((m) => [m.metric, m]))
  let changed = false
  for (const { metric, unit } of registry) {
    const own = metrics.get(metric)
    const mapping = own === undefined ? equivalences.find((one) => one.metric === metric) : undefined
    const known = own ?? (mapping === undefined ? undefined : metrics.get(mapping.source))
    if (known === undefined || (mapping === undefined && known.unit === unit)) continue
    const ported = portMetric(known, { metric, unit }, mapping)
    if (ported === null) continue
    changed = true
    if (mapping !== undefined) metrics.delete(mapping.source)
    metrics.set(metric, ported)
  }
  if (!changed) return record
  const sorted = [...metrics.values()].sort((a, b) => (a.metric < b.metric ? -1 : 1))
  return { ...record, metrics: sorted, rigDetectors: [] }
}

function portMetric(
  known: BaselineMetric,
  { metric, unit }: Readonly<{ metric: string; unit: string }>,
  mapping: Equivalence | undefined,
): BaselineMetric | null {
  const to = mapping?.unit ?? unit
  const start = convertUnit(known.unit, to)
  if (!start.ok) return null
  const units: Conversion = {
    from: known.unit,
    to,
    factor: start.factor,
    offset: start.offset,
    source: 'unit table',
    version: String(UNIT_TABLE_VERSION),
  }
  const steps = known.unit === to ? [] : [units]
  if (mapping === undefined) return convertBaselineMetric(known, { metric, unit, by: start, steps })
  const { source, scale: factor, offset, file, version } = mapping
  const mapped: Conversion = { from: source, to: metric, factor, offset, source: file, version }
  const by = inSuccession(start, mapped)
  return convertBaselineMetric(known, { metric, unit, by, steps: [...steps, mapped] })
}
