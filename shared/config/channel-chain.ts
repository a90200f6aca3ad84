import { affineOf, type ConversionStep, IDENTITY, isIdentity } from '../model/conversion.ts'
import { UNIT_TABLE_VERSION } from '../model/unit-table.ts'
import { type Affine, convertUnit, parseUnit } from '../model/units.ts'
import type { Equivalence } from './equivalence.ts'
import { didYouMean } from './problems.ts'
import type { RegistryMetric } from './registry.ts'
import { calibrationOffset } from './registry-units.ts'

/** How a channel becomes a metric: every step with who says so, and all of them as one. */
export type ChannelChain = Readonly<{
  channel: string
  metric: string
  /** Unit of the metric, and the one the sample states; null when it states none. */
  unit: string
  stated: string | null
  steps: readonly ConversionStep[]
  total: Affine
}>

/** Why a channel becomes no metric. `metric` is the one that would be INVALID; null when no metric knows the channel. */
export type NoChain = Readonly<{ metric: string | null; problem: string; hint?: string }>

/** What is in force for a rig, with the file that the metrics come from. */
export type InForceForRig = Readonly<{
  metrics: readonly RegistryMetric[]
  equivalences: readonly Equivalence[]
  registry: Readonly<{ file: string; version: string }>
}>

type Asked = Readonly<{ channel: string; unit: string | null }>

/**
 * The way of a value from a channel, in the unit its sample states, to its metric. What the evaluator does with the same
 * configuration, told step by step; a test holds the two to each other.
 */
export function channelChain(asked: Asked, inForce: InForceForRig): ChannelChain | NoChain {
  const { channel, unit } = asked
  const { metrics, equivalences } = inForce
  const mapping = equivalences.find(({ source }) => isSameName(source, channel))
  const m = metrics.find((one) => (mapping === undefined ? isNamed(one, channel) : one.metric === mapping.metric))
  if (m === undefined) {
    const known = [...metrics.flatMap(namesOf), ...equivalences.map(({ source }) => source)]
    const near = didYouMean(channel, known)
    return {
      metric: null,
      problem: `\`${channel}\` is in no metric: its samples are refused as \`unknown_channel\``,
      ...(near === undefined ? {} : { hint: near }),
    }
  }
  const other = equivalences.find(({ metric }) => metric === m.metric)
  if (mapping === undefined && other !== undefined) {
    const problem = `\`${m.metric}\` is mapped from \`${other.source}\`: were \`${channel}\` to arrive as well, it would be INVALID`
    return { metric: m.metric, problem, hint: `take one of them out: the mapping in ${other.file}, or the channel` }
  }
  const start = unitStep(m, unit, { mapping, inForce })
  if (start !== null && 'problem' in start) return start
  const steps = [
    ...(mapping === undefined && channel !== m.metric ? [aliasStep(m, channel, inForce)] : []),
    ...(start === null ? [] : [start]),
    ...(mapping === undefined ? [] : [equivalenceStep(mapping)]),
    ...calibrationStep(m),
  ]
  return { channel, metric: m.metric, unit: m.unit, stated: unit, steps, total: affineOf(steps) }
}

function aliasStep(m: RegistryMetric, channel: string, { registry }: InForceForRig): ConversionStep {
  const key = m.aliases?.some((name) => isSameName(name, channel)) === true ? 'aliases' : 'source_columns'
  const source = `${registry.file}: metrics.${m.metric}.${key}`
  return { kind: 'alias', from: channel, to: m.metric, ...IDENTITY, source, version: registry.version }
}

type Around = Readonly<{ mapping: Equivalence | undefined; inForce: InForceForRig }>

/** From the unit a sample states to the one that comes next; null when that is the same, or none is stated. */
function unitStep(
  m: RegistryMetric,
  unit: string | null,
  { mapping, inForce }: Around,
): ConversionStep | NoChain | null {
  const to = mapping?.unit ?? m.unit
  if (unit === null || unit === to) return null
  const wrong = (problem: string, hint: string): NoChain => ({ metric: m.metric, problem, hint })
  const says = `a sample in \`${unit}\` makes \`${m.metric}\` INVALID`
  const scales = mapping !== undefined && !isIdentity({ factor: mapping.scale, offset: mapping.offset })
  if (mapping?.unit === null && scales)
    return wrong(`${says}: its mapping scales, and may mean the same conversion`, 'give the mapping a `unit`')
  const factor = to === m.unit ? m.unit_map?.[unit] : undefined
  const step = { kind: 'unit', from: unit, to } as const
  if (factor !== undefined) {
    const source = `${inForce.registry.file}: metrics.${m.metric}.unit_map`
    return { ...step, factor, offset: 0, source, version: inForce.registry.version }
  }
  const found = convertUnit(unit, to)
  if (!found.ok)
    return wrong(`${says}: ${found.detail}`, 'publish it in another unit, or name its factor in `unit_map`')
  if (!parseUnit(m.unit).ok)
    return wrong(`${says}: the table does not know \`${m.unit}\``, 'name a factor in `unit_map`')
  const { factor: by, offset } = found
  return { ...step, factor: by, offset, source: 'unit table', version: String(UNIT_TABLE_VERSION) }
}

function equivalenceStep({ source, metric, scale, offset, file, version }: Equivalence): ConversionStep {
  return { kind: 'equivalence', from: source, to: metric, factor: scale, offset, source: file, version }
}

function calibrationStep(m: RegistryMetric): ConversionStep[] {
  if (m.calibration === undefined) return []
  const { source, date } = m.calibration
  return [
    {
      kind: 'calibration',
      from: m.unit,
      to: m.unit,
      factor: 1,
      offset: calibrationOffset(m),
      source,
      version: date,
    },
  ]
}

function namesOf(m: RegistryMetric): string[] {
  return [m.metric, ...(m.aliases ?? []), ...(m.source_columns ?? [])]
}

function isNamed(m: RegistryMetric, channel: string): boolean {
  return namesOf(m).some((name) => isSameName(name, channel))
}

/** Two spellings of one name in Unicode are one name, as they are in telemetry. */
function isSameName(a: string, b: string): boolean {
  return a.normalize('NFC') === b.normalize('NFC')
}
