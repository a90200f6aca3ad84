import { noiseAt, streamOf } from '../../shared/lib/prng.ts'
import type { Micros } from '../../shared/units.ts'
import type { SensorSpec } from './scenario.ts'

/** Time of sample `index` from the start of the run, in whole µs: counted from the start, so that no error adds up. */
export function sampleUs(rateHz: number, index: number): Micros {
  return Math.floor((index * 1_000_000) / rateHz)
}

/** A sensor that works: what it says follows the truth with its gain, offset, lag, noise and resolution. */
export class Sensor {
  readonly spec: SensorSpec
  /** Noise of a channel is that of its name, whichever others there are. */
  readonly stream: number
  readonly intervalUs: number
  private readonly seed: number
  /** How much of a change is followed within one sample: backward Euler of `lag · dy/dt = truth − y`. */
  private readonly follows: number
  private lagged = Number.NaN

  constructor(spec: SensorSpec, seed: number) {
    this.spec = spec
    this.seed = seed
    this.stream = streamOf(spec.channel)
    this.intervalUs = 1_000_000 / spec.rateHz
    this.follows = this.intervalUs / (spec.lagUs + this.intervalUs)
  }

  /** What it says of a truth at sample `index`. Asked once a sample, in order. */
  read(truth: number, index: number): number {
    const { gain, offset, noiseSd, resolution, lagUs } = this.spec
    let seen = truth
    if (lagUs > 0) {
      // The first sample is at rest.
      seen = Number.isNaN(this.lagged) ? truth : this.lagged + (truth - this.lagged) * this.follows
      this.lagged = seen
    }
    let said = gain * seen + offset
    if (noiseSd > 0) said += noiseSd * noiseAt(this.seed, this.stream, index)
    return resolution > 0 ? nearestStep(said, resolution) : said
  }
}

/** The multiple of `step` that is nearest; halves go up. */
export function nearestStep(value: number, step: number): number {
  return Math.floor(value / step + 0.5) * step
}
