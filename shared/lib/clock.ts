import type { Micros, Millis } from '../units.ts'
import { invariant } from './assert.ts'

/**
 * Time as an argument. This file is the only user of the clocks and timers of the platform, so that everything else
 * runs under a virtual clock in a test.
 *
 * A callback of `every` or `after` must not throw: nobody could catch it, and the process would end.
 */
export interface Clock {
  /** Wall time since the Unix epoch. Steps when somebody sets the clock. */
  nowUs(): Micros
  /** Time since some fixed moment. Never steps and never goes back; for measuring spans. */
  monotonicUs(): Micros
  /** Settles after `ms`. Rejects with the reason of `signal` when that is aborted first. */
  sleep(ms: Millis, signal?: AbortSignal): Promise<void>
  /** Calls `fn` at multiples of `ms` from now on; a call that comes too late is left out, not made up for. @returns cancels */
  every(ms: Millis, fn: () => void): () => void
  /** Calls `fn` once after `ms`. @returns cancels */
  after(ms: Millis, fn: () => void): () => void
}

/** The longest delay a platform timer can hold; above it the timer would fire at once. Longer ones are chained. */
const TIMER_MAX_MS = 2_147_483_647

/** The clock of this machine. */
export function systemClock(): Clock {
  const now = () => performance.now()
  return {
    nowUs: wallClock(),
    monotonicUs: () => Math.floor(now() * 1000),
    sleep: (ms, signal) => sleepWith(afterMs, ms, signal),
    after: afterMs,
    every(ms, fn) {
      invariant(ms > 0, `an interval must be longer than 0, not ${ms} ms`)
      let due = now() + ms
      let cancel = afterMs(ms, turn)
      let cancelled = false
      function turn(): void {
        fn()
        if (cancelled) return
        const missed = Math.floor(Math.max(0, now() - due) / ms)
        due += (missed + 1) * ms
        cancel = afterMs(due - now(), turn)
      }
      return () => {
        cancelled = true
        cancel()
      }
    },
  }
}

/**
 * Wall time that always lies in the millisecond that the platform says, and runs on within it by the monotonic clock: a
 * latency of 2 ms cannot be told in steps of one. A step of the wall clock is followed at once.
 */
function wallClock(): () => Micros {
  let aheadUs = 0
  return () => {
    const wallUs = Date.now() * 1000
    const runUs = Math.floor(performance.now() * 1000)
    aheadUs = Math.min(Math.max(aheadUs, wallUs - runUs), wallUs + 999 - runUs)
    return runUs + aheadUs
  }
}

function afterMs(ms: Millis, fn: () => void): () => void {
  let rest = Math.max(0, ms)
  let timer: ReturnType<typeof setTimeout>
  const arm = (): void => {
    const part = Math.min(rest, TIMER_MAX_MS)
    rest -= part
    timer = setTimeout(rest > 0 ? arm : fn, part)
  }
  arm()
  return () => clearTimeout(timer)
}

/** `sleep` of a clock, made of its `after`. */
export function sleepWith(after: Clock['after'], ms: Millis, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason)
      return
    }
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = after(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** A clock that stands still until it is told to move. */
export type VirtualClock = Clock & {
  /** Moves time forward, running every timer that falls due in order of its time, and lets what follows settle after each. */
  advance(us: Micros): Promise<void>
}

type Timer = { dueUs: Micros; order: number; fn: () => void }

/**
 * A clock that starts at `startUs` and moves only by `advance`. `settle` waits after every timer until what follows from it
 * is done; without it for one turn of the event loop.
 */
export function createVirtualClock(startUs: Micros, settle: () => Promise<void> = turnOfLoop): VirtualClock {
  let nowUs = startUs
  let order = 0
  const timers = new Set<Timer>()

  function after(ms: Millis, fn: () => void): () => void {
    const timer: Timer = { dueUs: nowUs + Math.max(0, Math.floor(ms * 1000)), order, fn }
    order += 1
    timers.add(timer)
    return () => timers.delete(timer)
  }

  function next(untilUs: Micros): Timer | undefined {
    let first: Timer | undefined
    for (const timer of timers) {
      if (timer.dueUs > untilUs) continue
      if (
        first === undefined ||
        timer.dueUs < first.dueUs ||
        (timer.dueUs === first.dueUs && timer.order < first.order)
      ) {
        first = timer
      }
    }
    return first
  }

  return {
    nowUs: () => nowUs,
    monotonicUs: () => nowUs - startUs,
    after,
    sleep: (ms, signal) => sleepWith(after, ms, signal),
    every(ms, fn) {
      invariant(ms > 0, `an interval must be longer than 0, not ${ms} ms`)
      let cancel = after(ms, turn)
      let cancelled = false
      function turn(): void {
        cancel = after(ms, turn)
        fn()
        if (cancelled) cancel()
      }
      return () => {
        cancelled = true
        cancel()
      }
    },
    async advance(us) {
      const untilUs = nowUs + us
      await settle()
      for (let timer = next(untilUs); timer !== undefined; timer = next(untilUs)) {
        timers.delete(timer)
        nowUs = Math.max(nowUs, timer.dueUs)
        timer.fn()
        await settle()
      }
      nowUs = untilUs
      await settle()
    },
  }
}

/** One turn of the event loop: every promise that can settle without a timer has settled after it. */
export function turnOfLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
