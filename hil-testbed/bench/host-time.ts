import { type Clock, systemClock } from '../../shared/lib/clock.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import { HOST_WAIT_MS } from '../core/scenario.ts'

/** Time of the machine that the bench runs on, and how long any single wait of a run may take in it. */
export interface HostTime extends Clock {
  readonly waitMs: Millis
  /** The same for the start of a program. */
  readonly startMs: Millis
}

export function hostTime(waitMs: Millis = HOST_WAIT_MS): HostTime {
  return { ...systemClock(), waitMs, startMs: Math.max(waitMs, HOST_WAIT_MS) }
}

/** Whole milliseconds since a time of `monotonicUs`. */
export function millisSince(fromUs: Micros, host: Clock): Millis {
  return Math.round((host.monotonicUs() - fromUs) / 1000)
}
