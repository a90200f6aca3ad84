import { type Clock, createVirtualClock, turnOfLoop } from '../../shared/lib/clock.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { AgentClock } from '../ports.ts'

/** When nobody moves it any more it is moved this often. */
const RUN_EVERY_MS: Millis = 5

/** The time of an agent that a bench moves. There is no wall clock beside it, so the two never part. */
export type OutsideClock = AgentClock & {
  /** Moves time to `us`, and every timer that falls due is followed by all that follows from it. */
  moveTo(us: Micros): Promise<void>
  /** From here on it runs by itself, as fast as time of this machine. */
  letRun(): void
  halt(): void
}

/** `settle` settles when nothing is under way that follows from the moment. */
export function createOutsideClock(
  startUs: Micros,
  { host, settle }: Readonly<{ host: Clock; settle: () => Promise<void> }>,
): OutsideClock {
  let running: (() => void) | null = null
  // What has to be put away may wait for something that only time ends.
  const virtual = createVirtualClock(startUs, () => (running === null ? settle() : turnOfLoop()))
  const moveTo = (us: Micros): Promise<void> => virtual.advance(Math.max(0, us - virtual.nowUs()))
  return {
    ...virtual,
    sleep: (ms, signal) => (ms === 0 ? turnOfLoop() : virtual.sleep(ms, signal)),
    wallUs: () => virtual.nowUs(),
    notBefore() {},
    aheadUs: () => null,
    follow() {},
    moveTo,
    letRun() {
      if (running !== null) return
      const aheadUs = virtual.nowUs() - host.monotonicUs()
      let moving = false
      running = host.every(RUN_EVERY_MS, () => {
        if (moving) return
        moving = true
        void moveTo(host.monotonicUs() + aheadUs).finally(() => {
          moving = false
        })
      })
    },
    halt() {
      running?.()
      running = () => {}
    },
  }
}
