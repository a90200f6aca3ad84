import type { Fault } from '../../hil-testbed/core/fault.ts'
import { createInstrumentation } from '../../hil-testbed/core/instrumentation.ts'
import type { Instrumentation, OutFrame, Truth } from '../../hil-testbed/core/out-frame.ts'
import type { SensorSpec } from '../../hil-testbed/core/scenario.ts'

/** Event time at which the runs of these tests begin. */
export const BEGIN_US = 1_700_000_000_000_000

export function sensor(channel: string, change: Partial<SensorSpec> = {}): SensorSpec {
  const plain = { rateHz: 10, noiseSd: 0, resolution: 0, lagUs: 0, gain: 1, offset: 0, ccg: [] }
  return { channel, of: channel, source: 'daq-1', ...plain, ...change }
}

export function fault(of: string, target: string, params: Fault['params'] = {}, change: Partial<Fault> = {}): Fault {
  const always = { onsetUs: 0, durationUs: null, shape: 'step' as const, periodUs: 0, pulseUs: 0 }
  return { id: 'F1', class: of, target, ...always, params, ...change }
}

/** A truth that is a function of time: `k` of the signal `x` is sample number and 100 of any other is added. */
export function rampTruth(): Truth {
  let atUs = 0
  return {
    advance(toUs) {
      atUs = toUs
    },
    read: (signal) => atUs / 100_000 + (signal === 'x' ? 0 : 100),
  }
}

export type Trial = Readonly<{
  sensors?: readonly SensorSpec[]
  faults?: readonly Fault[]
  untilUs?: number
  /** Ends of the calls; every 100 ms when left out. */
  calls?: readonly number[]
  seed?: number
}>

/** Runs the acquisitions of a rig to an end. The first call takes the sample at 0. */
export function tried({ sensors = [sensor('x')], faults = [], untilUs = 500_000, calls, seed = 7 }: Trial): {
  frames: OutFrame[]
  instrumentation: Instrumentation
} {
  const instrumentation = createInstrumentation({ rig: 'rig-1', seed, sensors, beginUs: BEGIN_US })
  for (const one of faults) instrumentation.inject(one)
  const truth = rampTruth()
  const ends = calls ?? Array.from({ length: untilUs / 100_000 + 1 }, (_, k) => k * 100_000)
  return { frames: ends.flatMap((toUs) => instrumentation.frames(toUs, truth)), instrumentation }
}

/** Values of one channel in the order they came; null: missing. */
export function valuesOf(frames: readonly OutFrame[], channel: string): (number | null)[] {
  return frames.flatMap(({ channels, timeUs, value, quality }) => {
    const c = channels.indexOf(channel)
    if (c < 0) return []
    return Array.from(timeUs, (_, i) => {
      const at = c * timeUs.length + i
      return quality?.[at] === 3 ? null : value[at]!
    })
  })
}
