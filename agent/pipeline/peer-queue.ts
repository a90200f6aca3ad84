import type { OutboundMessage, OutboundType } from '../../shared/protocol/peer-contract.ts'

/** Events that wait for a peer that does not take them. */
export const PEER_EVENTS_WAITING_MAX = 256
/** Requests that wait: one more is refused, and whoever asks is told. */
export const PEER_REQUESTS_WAITING_MAX = 64

type EventType = Exclude<OutboundType, 'ACTION_REQUEST'>
export type PeerEvent = Extract<OutboundMessage, { type: EventType }>
/** What makes room first. A request for an action is in no order: it is never dropped. */
export const DROPPED_FIRST: readonly EventType[] = ['HEALTH_EVENT', 'DECISION_SNAPSHOT', 'DRIFT_EVENT']

/** What waits to go to a peer. Requests go first; events in the order they came. */
export class PeerQueue<Request> {
  private readonly events: PeerEvent[] = []
  private readonly requests: Request[] = []
  /** Events that made room, by type. */
  readonly dropped: Record<EventType, number> = { HEALTH_EVENT: 0, DECISION_SNAPSHOT: 0, DRIFT_EVENT: 0 }

  get waiting(): Readonly<{ events: number; requests: number }> {
    return { events: this.events.length, requests: this.requests.length }
  }

  push(event: PeerEvent): void {
    this.events.push(event)
    this.makeRoom()
  }

  /** @returns false when there is no room, and nothing was taken */
  request(request: Request): boolean {
    if (this.requests.length >= PEER_REQUESTS_WAITING_MAX) return false
    this.requests.push(request)
    return true
  }

  nextRequest(): Request | undefined {
    return this.requests.shift()
  }

  nextEvent(): PeerEvent | undefined {
    return this.events.shift()
  }

  /** An event that was not delivered goes first again, unless others need the room. */
  putBack(event: PeerEvent): void {
    this.events.unshift(event)
    this.makeRoom()
  }

  /** Takes a request out that nobody waits for any more. @returns false when it is not there */
  withdraw(request: Request): boolean {
    const index = this.requests.indexOf(request)
    if (index >= 0) this.requests.splice(index, 1)
    return index >= 0
  }

  private makeRoom(): void {
    while (this.events.length > PEER_EVENTS_WAITING_MAX)
      for (const type of DROPPED_FIRST) {
        const oldest = this.events.findIndex((event) => event.type === type)
        if (oldest < 0) continue
        this.events.splice(oldest, 1)
        this.dropped[type] += 1
        break
      }
  }
}
