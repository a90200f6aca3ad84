import type { Micros } from '../../shared/units.ts'
import type { Fault, FaultSeen } from './fault.ts'
import type { SensorSpec } from './scenario.ts'

/** One frame as an acquisition sends it, after every fault of sensors, clocks and links. The runner encodes and sends it. */
export type OutFrame = Readonly<{
  /** Rig it is for: another one when it is misaddressed. */
  rig: string
  source: string
  epoch: string
  seq: number
  /** Acquisition that sends it, whatever it says of itself. */
  line: string
  /** The same array object for every frame of a list, so that its digest need be made once. */
  channels: readonly string[]
  /** Times of the samples, µs since 1970, as the clock of the acquisition has them. */
  timeUs: Float64Array
  /** `value[c * timeUs.length + i]` is channel `c` at `timeUs[i]`. */
  value: Float64Array
  /** The same layout, {@link QUALITY}; null: all good. */
  quality: Uint8Array | null
  /**
   * Channels of which a fault touched something here: a value, a time, or the frame itself. Empty: it is as without faults.
   */
  injected: readonly string[]
  /** What to do with the bytes after they were encoded and signed; null: nothing. Pure. */
  mutate: ((bytes: Uint8Array) => Uint8Array) | null
  /** When it is handed over, from the start of the run: the time of its newest sample, or later. */
  dueUs: Micros
}>

/** What a plant is to the acquisitions. */
export type Truth = Readonly<{
  /** Told before each distinct sample time, in order, from the start of the run. */
  advance(atUs: Micros): void
  read(signal: string): number
}>

export type InstrumentationOptions = Readonly<{
  rig: string
  seed: number
  sensors: readonly SensorSpec[]
  /** Event time of the start of the run, µs since 1970. Every other time here counts from it. */
  beginUs: Micros
}>

/**
 * The acquisitions of a rig: they sample truth, and what they send goes through the faults. A function of seed, truth and
 * faults alone. Calls come in order of time: inject and clear what is due, sample, take the frames.
 */
export interface Instrumentation {
  /** Takes a fault whose class is carried out here (`faultKind(fault.class).by`); it was checked before. Acts on samples and frames from now on. */
  inject(fault: Fault): void
  /** Ends a fault before its time; unknown ones are over already. */
  clear(id: string, atUs: Micros): void
  /** Time of the next sample of any sensor. */
  readonly nextSampleUs: Micros
  /** Takes every sample of {@link nextSampleUs}. For a plant that answers later; else {@link frames} does it. */
  sample(read: (signal: string) => number): void
  /**
   * What is handed over in (last call, toUs], in order of `dueUs`. With `truth` it takes the samples up to then first;
   * without, they must have been taken. At most a frame a source, rate and call, but for what faults add.
   */
  frames(toUs: Micros, truth?: Truth): OutFrame[]
  /**
   * How often each fault changed something: samples that differ, times that differ, frames that were changed, held, lost or
   * added. In the order of injection, times from the start of the run.
   */
  seen(): FaultSeen[]
}
