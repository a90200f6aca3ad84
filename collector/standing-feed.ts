import type { LiveFeed } from './http/live-feed.ts'

export type StandingFeedOptions = Readonly<{
  feed: Pick<LiveFeed, 'publish' | 'clients'>
  /** The message that says all of what stands. */
  make(): Promise<Readonly<Record<string, unknown>>>
  failed(error: unknown): void
}>

/**
 * Tells pages what stands, whenever something has changed it: all of it, so that a page that missed a message is right again
 * with the next. While one answer is being made, what comes meanwhile is in the one after.
 */
export function createStandingFeed({ feed, make, failed }: StandingFeedOptions): () => void {
  let running = false
  let again = false

  async function tell(): Promise<void> {
    running = true
    try {
      do {
        again = false
        feed.publish(await make())
      } while (again)
    } finally {
      running = false
    }
  }

  return () => {
    if (feed.clients === 0) return
    again = true
    if (running) return
    tell().catch((error: unknown) => {
      // The collector stops: nobody listens, and the database is closed.
      if (feed.clients > 0) failed(error)
    })
  }
}
