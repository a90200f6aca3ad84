import type { Micros, Millis } from '../units.ts'
import { invariant } from './assert.ts'

export type BreakerOptions = Readonly<{
  /** Failures within `windowMs` that open it. */
  failures: number
  windowMs: Millis
  /** How long it stays open before one trial is let through. */
  openMs: Millis
  /** Share of `openMs` that is added at random, 0–1, so that many clients do not come back together. */
  jitter: number
  /** Uniform in [0, 1). */
  random: () => number
}>

export type BreakerState = 'closed' | 'open' | 'half_open'

/**
 * Keeps tries away from a peer that is not well: closed lets all through, open none, half-open one trial at a time.
 *
 * | state     | `failed`                          | `succeeded` | `mayTry`                                  |
 * |-----------|-----------------------------------|-------------|-------------------------------------------|
 * | closed    | open at the last permitted failure | closed     | yes                                       |
 * | open      | open                              | closed      | yes after `openMs`, then half-open        |
 * | half_open | open                              | closed      | yes when the trial is unanswered `openMs` |
 */
export interface Breaker {
  readonly state: BreakerState
  /** Asks for one try. In half-open a true answer is the trial, so it must be followed by `succeeded` or `failed`. */
  mayTry(nowUs: Micros): boolean
  succeeded(nowUs: Micros): void
  failed(nowUs: Micros): void
}

/** `nowUs` is monotonic time; a breaker that follows the wall clock could stay open for years. */
export function createBreaker(options: BreakerOptions): Breaker {
  const { failures, windowMs, openMs, jitter, random } = options
  invariant(Number.isSafeInteger(failures) && failures > 0, 'a breaker needs a positive number of failures')
  let state: BreakerState = 'closed'
  /** When the last failures happened, oldest first; never longer than `failures`. */
  let failedUs: Micros[] = []
  let untilUs: Micros = 0

  function wait(nowUs: Micros): void {
    untilUs = nowUs + openMs * 1000 * (1 + jitter * random())
  }

  return {
    get state() {
      return state
    },
    mayTry(nowUs) {
      if (state === 'closed') return true
      if (!(nowUs >= untilUs)) return false
      state = 'half_open'
      wait(nowUs)
      return true
    },
    succeeded() {
      state = 'closed'
      failedUs = []
    },
    failed(nowUs) {
      failedUs = failedUs.filter((us) => nowUs - us < windowMs * 1000)
      failedUs.push(nowUs)
      if (state === 'closed' && failedUs.length < failures) return
      state = 'open'
      failedUs = failedUs.slice(-failures)
      wait(nowUs)
    },
  }
}
