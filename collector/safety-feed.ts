import type { Clock } from '../shared/lib/clock.ts'
import type { LiveFeed } from './http/live-feed.ts'
import { safetyJson } from './http/safety-views.ts'
import type { BatchDecision } from './store/batches.ts'
import type { Stores } from './store/open.ts'

export type SafetyFeedOptions = Readonly<{
  stores: Pick<Stores, 'safety'>
  feed: Pick<LiveFeed, 'publish' | 'clients'>
  clock: Pick<Clock, 'nowUs'>
  failed(error: unknown): void
}>

/**
 * Tells pages what stands, whenever a batch has changed it: all of it, so that a page that missed a message is right again
 * with the next. While one answer is being made, what comes meanwhile is in the one after.
 */
export function createSafetyFeed(options: SafetyFeedOptions): (decisions: readonly BatchDecision[]) => void {
  const { stores, feed, clock, failed } = options
  let running = false
  let again = false

  async function tell(): Promise<void> {
    running = true
    try {
      do {
        again = false
        feed.publish({ type: 'safety', safety: await safetyJson(stores, clock.nowUs()) })
      } while (again)
    } finally {
      running = false
    }
  }

  return (decisions) => {
    if (feed.clients === 0 || !decisions.some(({ kind }) => kind === 'safety')) return
    again = true
    if (running) return
    tell().catch((error: unknown) => {
      // The collector stops: nobody listens, and the database is closed.
      if (feed.clients > 0) failed(error)
    })
  }
}
