import { noiseAt } from '../shared/lib/prng.ts'
import type { Micros } from '../shared/units.ts'

/**
 * A vessel that a pump fills through a loop with an outlet valve. With the valve open it rests near 5 bar; when the valve
 * sticks nearly closed the pressure rises past 8 bar within two seconds and would reach the line of harm, 10 bar, soon
 * after. Stopping the pump lets it fall.
 *
 * dp/dt = (q_pump − q_valve) ÷ C, with q_pump = on · Q0 · (1 − p ÷ P0) (a centrifugal pump near its shut-off head P0) and
 * q_valve = opening · K · √p (an orifice). Semi-implicit Euler with a fixed step; flows in l/min, p in bar.
 */
export const PRESSURE_CHANNELS = ['p_a', 'p_b', 'p_c', 'flow'] as const
export type PressureChannel = (typeof PRESSURE_CHANNELS)[number]

const SHUT_OFF_BAR = 14
const FREE_FLOW_L_MIN = 32
/** Litres a bar takes up: what the gas cushion of the vessel gives. */
const CAPACITY_L_BAR = 0.12
const ORIFICE = 9.2
const OPEN = 1
/** What is left of the opening once the valve has stuck. */
const STUCK_OPENING = 0.15
/** Time the valve takes to where it sticks. */
const TRAVEL_US: Micros = 400_000
const STEP_US: Micros = 1_000
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

/** The plant as it is now. */
export type Vessel = { atUs: Micros; bar: number; pumpOn: boolean; held: Map<PressureChannel, number> }

export function createVessel(): Vessel {
  return { atUs: 0, bar: 5.2, pumpOn: true, held: new Map() }
}

/** Moves the plant to a time after its start; it never goes back. */
export function moveVessel(vessel: Vessel, options: PressureOptions, toUs: Micros): void {
  const minutes = STEP_US / 60_000_000
  for (; vessel.atUs + STEP_US <= toUs; vessel.atUs += STEP_US) {
    const out = openingAt(options, vessel.atUs) * ORIFICE * Math.sqrt(Math.max(0, vessel.bar))
    const bar = vessel.bar + ((pumpFlow(vessel) - out) / CAPACITY_L_BAR) * minutes
    vessel.bar = Math.max(0, bar)
  }
}

/** What a transmitter says of it: sample `index` of its channel. Noise is a function of seed, channel and index alone. */
export function readVessel(vessel: Vessel, options: PressureOptions, channel: PressureChannel, index: number): number {
  const k = PRESSURE_CHANNELS.indexOf(channel)
  const noise = noiseAt(options.seed, k, index)
  const value =
    channel === 'flow' ? pumpFlow(vessel) + FLOW_NOISE_L_MIN * noise : vessel.bar + PRESSURE_NOISE_BAR * noise
  const isStuck = options.stuck === channel && options.faultUs !== null && vessel.atUs >= options.faultUs
  if (isStuck) return vessel.held.get(channel) ?? value
  vessel.held.set(channel, value)
  return value
}

function pumpFlow({ pumpOn, bar }: Vessel): number {
  return pumpOn ? Math.max(0, FREE_FLOW_L_MIN * (1 - bar / SHUT_OFF_BAR)) : 0
}

function openingAt({ faultUs }: PressureOptions, atUs: Micros): number {
  if (faultUs === null || atUs < faultUs) return OPEN
  const share = Math.min(1, (atUs - faultUs) / TRAVEL_US)
  return OPEN + (STUCK_OPENING - OPEN) * share
}
