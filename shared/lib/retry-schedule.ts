import type { Millis } from '../units.ts'
import { invariant } from './assert.ts'

export type RetryOptions = Readonly<{
  /** First delay. */
  firstMs: Millis
  /** No delay is longer. */
  maxMs: Millis
  /** Each delay is this many times the one before; at least 1. */
  factor: number
  /** Share of a delay that is random, 0–1: with 0.5 a delay lies between half of itself and itself. */
  jitter: number
  /** Uniform in [0, 1). */
  random: () => number
}>

/** Delays between tries, growing up to a maximum. Does not count tries: whoever asks decides when to give up. */
export interface RetrySchedule {
  next(): Millis
  /** Starts over after a success. */
  reset(): void
}

export function createRetrySchedule({ firstMs, maxMs, factor, jitter, random }: RetryOptions): RetrySchedule {
  invariant(firstMs > 0 && maxMs >= firstMs, 'the first delay must be above 0 and not above the longest')
  invariant(factor >= 1 && jitter >= 0 && jitter <= 1, 'the factor must be at least 1, the jitter from 0 to 1')
  let delay = firstMs
  return {
    next() {
      const whole = delay
      delay = Math.min(maxMs, delay * factor)
      return whole * (1 - jitter * random())
    },
    reset() {
      delay = firstMs
    },
  }
}
