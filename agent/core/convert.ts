import { IDENTITY, inSuccession, isIdentity } from '../../shared/model/conversion.ts'
import { type Affine, convertUnit } from '../../shared/model/units.ts'
import { type ChannelMapping, CONVERSIONS_MAX, type MetricSettings } from './settings.ts'
import type { RigState } from './state.ts'

/** Why a sample cannot be turned into the unit of its metric. Its metric is INVALID then. */
export type NoConversion = Readonly<{ reason: 'unit_mismatch' | 'alias_collision'; detail: string }>

/** What turns the values of a channel, in the unit they are stated in, into those of its metric. Remembered per rig. */
export function conversionFor(
  rig: RigState,
  { metric, channel, unit }: Readonly<{ metric: number; channel: string; unit: string | undefined }>,
): Affine | NoConversion {
  const settings = rig.settings.metrics[metric]!
  if (isAsItIs(settings, unit)) return IDENTITY
  const key = `${metric}\u0000${channel}\u0000${unit ?? ''}`
  const known = rig.conversions.get(key)
  if (known !== undefined) return known
  const found = conversionOf(settings, channel, unit)
  if (rig.conversions.size < CONVERSIONS_MAX) rig.conversions.set(key, found)
  return found
}

function isAsItIs(settings: MetricSettings, unit: string | undefined): boolean {
  const { equivalences, calibrationOffset } = settings
  return equivalences === undefined && calibrationOffset === undefined && (unit === undefined || unit === settings.unit)
}

/**
 * The same, worked out: the stated unit first, then the mapping of an equivalent channel, then the calibration. A sample
 * without a unit is taken to be in the one that it starts from.
 */
export function conversionOf(
  settings: MetricSettings,
  channel: string,
  unit: string | undefined,
): Affine | NoConversion {
  const { metric, equivalences, calibrationOffset } = settings
  const mapping = equivalences?.get(channel.normalize('NFC'))
  if (equivalences !== undefined && mapping === undefined) {
    const detail = `${metric} is mapped from ${[...equivalences.keys()].join(', ')}, and ${channel} arrives as well`
    return { reason: 'alias_collision', detail }
  }
  const start = fromStated(settings, unit, mapping)
  if ('reason' in start) return start
  const mapped = mapping === undefined ? start : inSuccession(start, mapping)
  return calibrationOffset === undefined ? mapped : inSuccession(mapped, { factor: 1, offset: calibrationOffset })
}

function fromStated(
  settings: MetricSettings,
  unit: string | undefined,
  mapping: ChannelMapping | undefined,
): Affine | NoConversion {
  const base = mapping?.unit ?? settings.unit
  if (unit === undefined || unit === base) return IDENTITY
  const mismatch = (detail: string): NoConversion => ({ reason: 'unit_mismatch', detail })
  const says = `${settings.metric} is in ${base}; the sample says "${unit}"`
  // Its scale may be the very conversion that the unit asks for: it would be done twice.
  if (mapping !== undefined && mapping.unit === null && !isIdentity(mapping))
    return mismatch(`${says}, and its mapping scales: give the mapping a \`unit\``)
  const factor = base === settings.unit ? settings.unitFactors.get(unit) : undefined
  if (factor !== undefined) return { factor, offset: 0 }
  if (settings.convertsUnits !== true) return mismatch(says)
  const found = convertUnit(unit, base)
  return found.ok ? { factor: found.factor, offset: found.offset } : mismatch(`${says}: ${found.detail}`)
}
