import { invariant } from '../../shared/lib/assert.ts'
import { type Clock, sleepWith } from '../../shared/lib/clock.ts'
import type { Micros } from '../../shared/units.ts'

type Timer = { dueUs: Micros; readonly order: number; readonly everyUs: Micros | null; readonly fn: () => void }

/** Timers at once; a bench that needs more has lost some. */
const TIMERS_MAX = 100_000

/** Time of the bench in lock-step: it stands still until somebody moves it. */
export interface BenchClock extends Clock {
  /** When the next timer is due; null without one. */
  nextUs(): Micros | null
  /** Moves to a time, firing what falls due on the way, in order. */
  moveTo(us: Micros): void
}

export function createBenchClock(beginUs: Micros): BenchClock {
  let nowUs = beginUs
  let made = 0
  const timers = new Set<Timer>()
  const first = (): Timer | null => {
    let found: Timer | null = null
    for (const timer of timers)
      if (found === null || timer.dueUs < found.dueUs || (timer.dueUs === found.dueUs && timer.order < found.order))
        found = timer
    return found
  }
  const add = (dueUs: Micros, everyUs: Micros | null, fn: () => void): (() => void) => {
    invariant(timers.size < TIMERS_MAX, `a bench has at most ${TIMERS_MAX} timers`)
    made += 1
    const timer = { dueUs, order: made, everyUs, fn }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  const after = (ms: number, fn: () => void): (() => void) => add(nowUs + Math.max(0, Math.round(ms * 1000)), null, fn)
  return {
    nowUs: () => nowUs,
    monotonicUs: () => nowUs,
    nextUs: () => first()?.dueUs ?? null,
    moveTo(us) {
      for (let timer = first(); timer !== null && timer.dueUs <= us; timer = first()) {
        nowUs = Math.max(nowUs, timer.dueUs)
        if (timer.everyUs === null) timers.delete(timer)
        else timer.dueUs += timer.everyUs
        timer.fn()
      }
      nowUs = Math.max(nowUs, us)
    },
    after,
    every(ms, fn) {
      const everyUs = Math.round(ms * 1000)
      invariant(everyUs > 0, `an interval must be longer than 0, not ${ms} ms`)
      return add(nowUs + everyUs, everyUs, fn)
    },
    sleep: (ms, signal) => sleepWith(after, ms, signal),
  }
}
