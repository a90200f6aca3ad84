import { FAULT_KINDS } from '../../hil-testbed/core/faults/catalogue.ts'
import type { Millis } from '../../shared/units.ts'
import { COMMS_VARIANTS, TIME_VARIANTS } from './link-variants.ts'
import { SENSOR_VARIANTS } from './sensor-variants.ts'

/** A fault at one magnitude on one target of the vessel, of which the figures are taken. */
export type Variant = Readonly<{
  class: string
  /** Channel, source or group of `hil-testbed/rigs/vessel`. */
  target: string
  params: Readonly<Record<string, number | string>>
  /** Channels that it changes: a finding about one of them names the fault. */
  channels: readonly string[]
  /** null: until the end of the run. */
  durationMs: Millis | null
  /** Channels that share what nobody declared, and that is its target. */
  common: readonly string[]
  /** Within what the agent is meant to bear: a record about it would be a false alarm. */
  borne: boolean
  /** Its magnitude in standard deviations of the noise of its channel; null where that has no meaning. */
  sigmas: number | null
}>

/** Everything that the acquisitions carry out, and so everything that is measured. */
export const MEASURED_KINDS: readonly string[] = FAULT_KINDS.filter(({ by }) => by === 'instrumentation').map(
  ({ name }) => name,
)

/** In the order of the catalogue, weak before strong. */
export const VARIANTS: readonly Variant[] = [...SENSOR_VARIANTS, ...COMMS_VARIANTS, ...TIME_VARIANTS]

/** Magnitude in words: its parameters as a scenario has them. */
export function magnitudeOf({ params, durationMs, sigmas, common }: Variant): string {
  const words = [
    ...Object.entries(params).map(([name, value]) => `${name} ${value}`),
    ...(durationMs === null ? [] : [`for ${durationMs / 1000} s`]),
    ...(common.length === 0 ? [] : [`on ${common.join(' and ')} at once`]),
  ]
  return `${words.join(', ') || '–'}${sigmas === null ? '' : ` (${sigmas} σ)`}`
}

/** Variants whose class or fault is among these words; all of them without any. */
export function variantsOf(words: readonly string[]): readonly Variant[] {
  const isMeant = ({ class: name }: Variant): boolean =>
    words.some((word) => name === word || name.startsWith(`${word}.`))
  return words.length === 0 ? VARIANTS : VARIANTS.filter(isMeant)
}
