import { isHbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import { createDecisionLatency } from './decision-latency.ts'

/** `stalled`: the bound has passed, and it may still come. `refused`: the disk said no, and it will not. */
export type Durability = 'durable' | 'stalled' | 'refused'

export interface DurabilityWait {
  /** Never rejects for what a disk does. */
  wait(parts: readonly Promise<unknown>[], atMostMs: Millis): Promise<Durability>
  /** What it took lately, a term of the reaction budget (SE-29); null before the first. */
  p99Us(): Micros | null
}

/** Waits for disks, but not for ever (K7). */
export function createDurabilityWait(clock: Pick<Clock, 'after' | 'monotonicUs'>): DurabilityWait {
  const took = createDecisionLatency()
  return {
    wait(parts, atMostMs) {
      const beginUs = clock.monotonicUs()
      return new Promise((resolve, reject) => {
        const cancel = clock.after(atMostMs, () => {
          took.note(clock.monotonicUs() - beginUs)
          resolve('stalled')
        })
        Promise.all(parts).then(
          () => {
            cancel()
            took.note(clock.monotonicUs() - beginUs)
            resolve('durable')
          },
          (error: unknown) => {
            cancel()
            if (isHbError(error)) resolve('refused')
            else reject(error)
          },
        )
      })
    },
    p99Us: () => took.quantileUs(0.99),
  }
}
