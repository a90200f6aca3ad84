import { HbError } from '../../shared/errors/hb-error.ts'
import { createBreaker } from '../../shared/lib/circuit-breaker.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { createRetrySchedule } from '../../shared/lib/retry-schedule.ts'
import { plainText } from '../../shared/log/plain-text.ts'
import type { ActionRequestMessage, OutboundMessage } from '../../shared/protocol/peer-contract.ts'
import type { Refused } from '../../shared/protocol/peer-reader.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { Taken } from '../pipeline/peer-inbound.ts'
import { type PeerEvent, PeerQueue } from '../pipeline/peer-queue.ts'

/**
 * One message on its way. `handed` settles when it has left this process and rejects with an HbError when it certainly has
 * not; `done` settles with whether the peer took it, and rejects when nobody knows.
 */
export type Handing = Readonly<{ handed: Promise<void>; done: Promise<'taken' | 'refused'> }>

/** What came from the peer, authentic, and what was not. */
export type PeerSink = Readonly<{ take(bytes: Uint8Array): Taken; refuse(why: Refused): Refused }>

/** The way to one peer and back. It repeats nothing and drops nothing by itself. */
export interface PeerTransport {
  /** Begins to listen. @throws HbError PORT_TAKEN. @returns where it listens; null when it only connects */
  start(sink: PeerSink): Promise<string | null>
  hand(message: OutboundMessage, timeoutMs: Millis): Handing
  stop(): Promise<void>
}

export type PeerSenderOptions = Readonly<{
  transport: PeerTransport
  clock: Clock
  /** Longest wait for a peer to take one message. */
  timeoutMs: Millis
  random(): number
  up(): void
  down(reason: string): void
}>

const BREAKER = { failures: 5, windowMs: 60_000, openMs: 3000, jitter: 0.5 } as const
const RETRY = { firstMs: 250, maxMs: 2000, factor: 2, jitter: 0.5 } as const
/** Requests on the way at once; the others wait. */
export const PEER_REQUESTS_OUT_MAX = 8
/** What is on its way when the agent stops may still arrive for so long. */
const STOP_WAIT_MS: Millis = 1000

type Waiting = Readonly<{
  message: ActionRequestMessage
  untilUs: Micros
  resolve(): void
  reject(error: HbError): void
  cancel(): void
}>

/**
 * Hands messages to a peer, never in the way of a decision: whoever offers one does not wait. One event at a time, behind a
 * circuit breaker, again until it is taken or makes room. Requests for actions go beside them at once, and through an open
 * breaker too: it spares a peer that is not well, not the rig. A request is handed over once; trying again is the kernel's.
 */
export class PeerSender {
  readonly queue = new PeerQueue<Waiting>()
  /** Messages that the peer took, and that it said are none it takes. */
  readonly counts = { taken: 0, refused: 0, failed: 0 }
  private readonly options: PeerSenderOptions
  private readonly breaker
  private readonly retry
  private readonly out = new Set<Promise<unknown>>()
  private requestsOut = 0
  private eventIsOut = false
  private wake: (() => void) | null = null
  private isRunning = false
  private isStopped = false
  private isUp: boolean | null = null

  constructor(options: PeerSenderOptions) {
    this.options = options
    this.breaker = createBreaker({ ...BREAKER, random: options.random })
    this.retry = createRetrySchedule({ ...RETRY, random: options.random })
  }

  get breakerState(): string {
    return this.breaker.state
  }

  start(): void {
    this.isRunning = true
    this.pump()
  }

  /** Never throws. What waits is not sent any more; who waits for a request is told. */
  async stop(): Promise<void> {
    this.isRunning = false
    this.isStopped = true
    this.wake?.()
    for (let next = this.queue.nextRequest(); next !== undefined; next = this.queue.nextRequest())
      this.giveUp(next, 'stopped')
    if (this.out.size === 0) return
    const waiting = new AbortController()
    const waited = this.options.clock.sleep(STOP_WAIT_MS, waiting.signal).catch(() => undefined)
    await Promise.race([Promise.all(this.out), waited])
    waiting.abort()
  }

  offer(event: PeerEvent): void {
    this.queue.push(event)
    this.pump()
  }

  /** Settles when the request has left. @throws HbError EXECUTOR_BUSY, EXECUTOR_UNREACHABLE: it certainly has not. */
  request(message: ActionRequestMessage, budgetMs: Millis): Promise<void> {
    const { clock } = this.options
    if (this.isStopped)
      return Promise.reject(new HbError('EXECUTOR_UNREACHABLE', { target: message.target, reason: 'stopped' }))
    return new Promise((resolve, reject) => {
      const untilUs = clock.monotonicUs() + budgetMs * 1000
      const cancel = clock.after(budgetMs, () => {
        if (this.queue.withdraw(waiting)) this.giveUp(waiting, 'its time is over')
      })
      const waiting: Waiting = { message, untilUs, resolve, reject, cancel }
      if (!this.queue.request(waiting)) {
        cancel()
        reject(new HbError('EXECUTOR_BUSY', { target: message.target, waiting: this.queue.waiting.requests }))
      } else this.pump()
    })
  }

  private giveUp({ message, reject, cancel }: Waiting, reason: string): void {
    cancel()
    reject(new HbError('EXECUTOR_UNREACHABLE', { target: message.target, reason }))
  }

  private pump(): void {
    if (!this.isRunning) return
    while (this.requestsOut < PEER_REQUESTS_OUT_MAX) {
      const next = this.queue.nextRequest()
      if (next === undefined) break
      this.sendRequest(next)
    }
    if (this.eventIsOut || this.wake !== null || this.queue.waiting.events === 0) return
    if (this.breaker.mayTry(this.options.clock.monotonicUs())) this.sendEvent(this.queue.nextEvent()!)
    else this.later()
  }

  private sendRequest(waiting: Waiting): void {
    const { transport, clock, timeoutMs } = this.options
    const leftMs = (waiting.untilUs - clock.monotonicUs()) / 1000
    if (!(leftMs > 0)) {
      this.giveUp(waiting, 'its time is over')
      return
    }
    waiting.cancel()
    this.requestsOut += 1
    const { handed, done } = transport.hand(waiting.message, Math.min(leftMs, timeoutMs))
    handed.then(waiting.resolve, waiting.reject)
    this.follow(done, () => {
      this.requestsOut -= 1
    })
  }

  private sendEvent(event: PeerEvent): void {
    this.eventIsOut = true
    const { done } = this.options.transport.hand(event, this.options.timeoutMs)
    this.follow(done, (isLost) => {
      this.eventIsOut = false
      if (!isLost) return this.retry.reset()
      this.queue.putBack(event)
      this.later()
    })
  }

  private later(): void {
    const cancel = this.options.clock.after(this.retry.next(), () => {
      this.wake = null
      this.pump()
    })
    this.wake = () => {
      this.wake = null
      cancel()
    }
  }

  private follow(done: Handing['done'], then: (isLost: boolean) => void): void {
    const over = done
      .then(
        (outcome) => this.reached(outcome),
        (error: Error) => this.lost(error),
      )
      .then((isLost) => {
        this.out.delete(over)
        then(isLost)
        this.pump()
      })
    this.out.add(over)
  }

  private reached(outcome: 'taken' | 'refused'): boolean {
    this.counts[outcome] += 1
    this.breaker.succeeded(this.options.clock.monotonicUs())
    if (this.isUp !== true) this.options.up()
    this.isUp = true
    return false
  }

  private lost(error: Error): boolean {
    this.counts.failed += 1
    this.breaker.failed(this.options.clock.monotonicUs())
    if (this.isUp !== false) this.options.down(plainText(error.message))
    this.isUp = false
    return true
  }
}
