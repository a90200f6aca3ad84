import { noiseAt } from '../shared/lib/prng.ts'
import type { Micros } from '../shared/units.ts'
import type { Plant } from './core/plant.ts'
import { VESSEL } from './core/plants/vessel.ts'

/**
 * The vessel of `core/plants/vessel.ts` with its transmitters, as `hb hil pressure-loop` publishes it: three of the pressure
 * and one of the flow, and an outlet valve that sticks nearly closed.
 */
export const PRESSURE_CHANNELS = ['p_a', 'p_b', 'p_c', 'flow'] as const
export type PressureChannel = (typeof PRESSURE_CHANNELS)[number]

const OPEN = 1
/** What is left of the opening once the valve has stuck. */
const STUCK_OPENING = 0.15
/** Time the valve takes to where it sticks. */
const TRAVEL_US: Micros = 400_000
const PRESSURE_NOISE_BAR = 0.02
const FLOW_NOISE_L_MIN = 0.15
/** Where it does harm. */
export const HARM_BAR = 10

export type PressureOptions = Readonly<{
  seed: number
  /** When the valve begins to stick, in µs after the start; null for never. */
  faultUs: Micros | null
  /** A transmitter that says its last value from then on; null for none. */
  stuck: PressureChannel | null
}>

/** The plant as it is now. `pumpOn` may be changed; it counts from the next move on. */
export type Vessel = Readonly<{ plant: Plant; bar: number; held: Map<PressureChannel, number> }> & { pumpOn: boolean }

export function createVessel(): Vessel {
  const plant = VESSEL.create({ params: {}, init: {} })
  return {
    plant,
    pumpOn: true,
    held: new Map(),
    get bar() {
      return plant.read('p_bar')
    },
  }
}

/** Moves the plant to a time after its start; it never goes back. */
export function moveVessel({ plant, pumpOn }: Vessel, options: PressureOptions, toUs: Micros): void {
  plant.set('pump', pumpOn ? 1 : 0)
  while (plant.atUs + VESSEL.stepUs <= toUs) {
    plant.set('valve_opening', openingAt(options, plant.atUs))
    plant.advance(plant.atUs + VESSEL.stepUs)
  }
}

/** What a transmitter says of it: sample `index` of its channel. Noise is a function of seed, channel and index alone. */
export function readVessel(vessel: Vessel, options: PressureOptions, channel: PressureChannel, index: number): number {
  const k = PRESSURE_CHANNELS.indexOf(channel)
  const noise = noiseAt(options.seed, k, index)
  const value =
    channel === 'flow'
      ? vessel.plant.read('flow_l_min') + FLOW_NOISE_L_MIN * noise
      : vessel.bar + PRESSURE_NOISE_BAR * noise
  const isStuck = options.stuck === channel && options.faultUs !== null && vessel.plant.atUs >= options.faultUs
  if (isStuck) return vessel.held.get(channel) ?? value
  vessel.held.set(channel, value)
  return value
}

function openingAt({ faultUs }: PressureOptions, atUs: Micros): number {
  if (faultUs === null || atUs < faultUs) return OPEN
  const share = Math.min(1, (atUs - faultUs) / TRAVEL_US)
  return OPEN + (STUCK_OPENING - OPEN) * share
}
