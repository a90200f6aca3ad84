import { noiseAt } from '../shared/lib/prng.ts'
import type { Micros } from '../shared/units.ts'

/**
 * A water loop with a pump, a tank and two valves, after the bench of the SKAB data set (Katser and Kozitsin, 2020): the
 * same eight channels, levels and noise. The fault is a valve that closes: the flow falls, the pressure rises, the pump
 * works harder, and what warms the water changes slowly.
 */
export const WATER_LOOP_CHANNELS = [
  'Accelerometer1RMS',
  'Accelerometer2RMS',
  'Current',
  'Pressure',
  'Temperature',
  'Thermocouple',
  'Voltage',
  'Volume Flow RateRMS',
] as const

export type WaterLoopOptions = Readonly<{
  seed: number
  /** When the valve begins to close, in µs after the start of the loop; null for never. */
  faultUs: Micros | null
  /** How the valve moves; a valve that is worn drifts for half an hour, one that is turned takes seconds. */
  valve: Valve
}>

/** Time the valve takes from open to its end position, and the share of the flow that is left there. */
export type Valve = Readonly<{ travelUs: Micros; leftRatio: number }>

/** A valve that somebody turns. */
export const TURNED_VALVE: Valve = { travelUs: 4_000_000, leftRatio: 0.4 }

/** Level, sensor noise (standard deviation), slow swing and its period, and what a fully closed valve adds. */
type ChannelModel = Readonly<{ level: number; noise: number; swing: number; periodS: number; closed: number }>

const MODEL: readonly ChannelModel[] = [
  { level: 0.0265, noise: 0.0004, swing: 0, periodS: 1, closed: 0.004 },
  { level: 0.0402, noise: 0.0008, swing: 0, periodS: 1, closed: 0.006 },
  { level: 1.15, noise: 0.12, swing: 0.01, periodS: 11, closed: 0.35 },
  { level: 0.22, noise: 0.05, swing: 0.005, periodS: 7, closed: 0.55 },
  { level: 79.1, noise: 0.08, swing: 0.15, periodS: 23, closed: 1.5 },
  { level: 26.04, noise: 0.02, swing: 0.02, periodS: 23, closed: 0.4 },
  { level: 231.9, noise: 2.5, swing: 0.4, periodS: 17, closed: 0 },
  { level: 32, noise: 0.35, swing: 0.1, periodS: 13, closed: -32 },
]

/**
 * The eight readings `elapsedUs` after the start, in the order of {@link WATER_LOOP_CHANNELS}. A function of its
 * arguments alone: `index` is the number of the sample, so that noise is the same in whatever order it is asked for.
 */
export function waterLoopAt({ seed, faultUs, valve }: WaterLoopOptions, index: number, elapsedUs: Micros): number[] {
  const closedShare =
    faultUs === null ? 0 : (1 - valve.leftRatio) * Math.min(1, Math.max(0, (elapsedUs - faultUs) / valve.travelUs))
  const seconds = elapsedUs / 1_000_000
  return MODEL.map((channel, k) => {
    const swing = channel.swing * Math.sin((2 * Math.PI * seconds) / channel.periodS)
    return channel.level + swing + channel.closed * closedShare + channel.noise * noiseAt(seed, k, index)
  })
}
