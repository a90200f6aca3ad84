import { type BoundedQueue, createBoundedQueue } from '../../shared/lib/bounded-queue.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'

/** One page that listens. `send` calls back when the bytes have left. */
export type LiveClient = Readonly<{ send(text: string, done: () => void): void }>

export type LiveMembership = Readonly<{ open(first: string): void; leave(): void }>

/** Tells every open page what happens. A page that cannot keep up loses the oldest messages and is told how many. */
export interface LiveFeed {
  /** Messages are kept for the page from now on, and go out after `open` was given the first one. null: no more may listen. */
  join(client: LiveClient): LiveMembership | null
  /** `message` becomes JSON; `now_us` is added to it. */
  publish(message: Readonly<Record<string, unknown>>): void
  readonly clients: number
  stop(): void
}

/** Pages at once; one more is refused. */
export const LIVE_CLIENTS_MAX = 64
/** Messages that wait for one page; beyond it the oldest is dropped and counted. */
export const LIVE_QUEUE_MAX = 1_024
/** Messages given to a connection and not yet gone out. */
const IN_FLIGHT_MAX = 16
/** A page that has heard nothing for 2 s calls the link lost. */
const HEARTBEAT_MS: Millis = 1_000

export function createLiveFeed(clock: Pick<Clock, 'nowUs' | 'every'>): LiveFeed {
  const members = new Set<Member>()
  const text = (message: Readonly<Record<string, unknown>>): string =>
    JSON.stringify({ ...message, now_us: clock.nowUs() })

  const cancel = clock.every(HEARTBEAT_MS, () => {
    for (const member of members) member.offer(text({ type: 'heartbeat', dropped: member.dropped }))
  })

  return {
    join(client) {
      if (members.size >= LIVE_CLIENTS_MAX) return null
      const member = createMember(client)
      members.add(member)
      return {
        open: member.open,
        leave() {
          members.delete(member)
        },
      }
    },
    publish(message) {
      if (members.size === 0) return
      const line = text(message)
      for (const member of members) member.offer(line)
    },
    get clients() {
      return members.size
    },
    stop() {
      cancel()
      members.clear()
    },
  }
}

type Member = Readonly<{ open(first: string): void; offer(line: string): void; readonly dropped: number }>

function createMember(client: LiveClient): Member {
  const queue: BoundedQueue<string> = createBoundedQueue({ max: LIVE_QUEUE_MAX, name: 'live', overflow: 'drop_oldest' })
  let inFlight = 0
  let opened = false

  function send(line: string): void {
    inFlight += 1
    client.send(line, () => {
      inFlight -= 1
      pump()
    })
  }

  function pump(): void {
    while (opened && inFlight < IN_FLIGHT_MAX) {
      const line = queue.shift()
      if (line === undefined) return
      send(line)
    }
  }

  return {
    open(first) {
      opened = true
      send(first)
      pump()
    },
    offer(line) {
      queue.push(line)
      pump()
    },
    get dropped() {
      return queue.dropped
    },
  }
}
