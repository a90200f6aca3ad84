import { WebSocket } from 'ws'
import { coseIdentity } from '../../shared/crypto/cose.ts'
import type { VerifyKey } from '../../shared/crypto/sign.ts'
import { createBreaker } from '../../shared/lib/circuit-breaker.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { createRetrySchedule } from '../../shared/lib/retry-schedule.ts'
import type { Realm } from '../../shared/model/realm.ts'
import {
  type CollectorMessage,
  type ConfigStateMessage,
  CREDIT_MAX,
  type HelloMessage,
  type ReceiptMessage,
  type ResumeMessage,
  readCollectorMessage,
  THINNED_VERSION,
  writeMessage,
} from '../../shared/protocol/messages.ts'
import { openReceipt } from '../../shared/protocol/receipt.ts'
import { nextSessionState, type SessionEvent, type SessionState } from '../../shared/protocol/session.ts'
import type { Bytes, Millis } from '../../shared/units.ts'
import { isReceiptOf } from '../pipeline/receipts.ts'
import type { Outbox } from '../ports.ts'
import { checksOf } from './collector-identity.ts'
import { type DownlinkOptions, Downlinks } from './downlinks.ts'
import { StateTeller } from './state-teller.ts'

export type UplinkTls = Readonly<{ ca: string; cert: string; key: string }>

/** What the uplink tells of itself; nothing of it changes what is decided. */
export type UplinkEvents = Readonly<{
  connected(at: { epoch: number; batchSeq: number }): void
  lost(reason: string): void
  refused(refusal: { code: string; detail: string }): void
  /** A request that the key of the collector did not sign for this agent. */
  downlinkRefused(refusal: { code: string; detail: string }): void
  badReceipt(batchSeq: number, reason: string): void
  receipted(batchSeq: number, recvUs: number): void
  failed(error: unknown): void
}>

export type UplinkOptions = Readonly<{
  url: string
  tls: UplinkTls
  /** Realm of the agent: a collector of the other one is not spoken to. */
  realm: Realm
  /** The only key whose receipts count. */
  collectorKey: VerifyKey
  hello(): HelloMessage
  /** The collector has batches that are not here. @returns whether a new epoch has begun; false once it has before */
  renewChain(reason: string, aboveEpoch: number): Promise<boolean>
  outbox: Outbox
  clock: Clock
  /** Uniform in [0, 1): spreads the returns of many agents. */
  random(): number
  events: UplinkEvents
  /** Under what the agent runs, and how it is. */
  configState(): ConfigStateMessage
}> &
  Pick<DownlinkOptions, 'slice' | 'baseline' | 'bundle'>

/** The way of signed batches to the collector. It never holds up the evaluation: what cannot go waits in the outbox. */
export interface Uplink {
  readonly state: SessionState
  /** Vitals that a congested link had no room for. */
  readonly vitalsDropped: number
  start(): void
  /** Says goodbye and stops trying. What was not receipted stays in the outbox. */
  stop(): Promise<void>
  /** A batch is in the outbox. */
  notify(): void
  /** Sent when connected and not congested, else dropped: vitals are for looking only. */
  sendVitals(json: string): void
}

/** Delays between tries, and the breaker around the whole link (decisions 27). */
const RETRY = { firstMs: 250, maxMs: 15_000, factor: 2, jitter: 0.5 } as const
const BREAKER = { failures: 8, windowMs: 60_000, openMs: 20_000, jitter: 0.5 } as const
/** A collector that refused needs a person; asking again fast would only fill its log. */
const REFUSED_RETRY_MS: Millis = 30_000
/** Refusals of a batch that does not follow what the collector has. */
const CHAIN_CODES: ReadonlySet<string> = new Set([
  'CHAIN_EQUIVOCATION',
  'CHAIN_WRONG_PREV',
  'CHAIN_GAP',
  'CHAIN_REPLAY',
])
const CONNECT_MS: Millis = 5000
const HELLO_MS: Millis = 10_000
const PING_MS: Millis = 5000
/** Pings without any answer before the peer counts as gone. */
const PINGS_UNANSWERED_MAX = 3
const MESSAGE_BYTES_MAX: Bytes = 16 * 1024 * 1024
/** Bytes that may wait in the socket: above it batches stay on disk, and vitals are dropped. */
const BATCH_BUFFER_MAX: Bytes = 8 * 1024 * 1024
export const VITALS_BUFFER_MAX: Bytes = 1024 * 1024
const BATCHES_AT_ONCE = 16
const GOODBYE_MS: Millis = 500
const DRAIN_MS: Millis = 3000
const DRAIN_POLL_MS: Millis = 20

export function createUplink(options: UplinkOptions): Uplink {
  return new WsUplink(options)
}

class WsUplink implements Uplink {
  state: SessionState = 'closed'
  private readonly options: UplinkOptions
  private readonly retry
  private readonly breaker
  private readonly downlinks: Downlinks
  private socket: WebSocket | null = null
  private stopped = false
  private credit = 0
  private nextSeq = 1
  private pumping = false
  private pumpAgain = false
  private begunAgain = false
  private unanswered = 0
  vitalsDropped = 0
  private readonly inFlight = new Map<number, Uint8Array>()
  private readonly cancels = new Map<'retry' | 'hello' | 'ping', () => void>()
  private readonly teller: StateTeller

  constructor(options: UplinkOptions) {
    this.options = options
    this.retry = createRetrySchedule({ ...RETRY, random: options.random })
    this.breaker = createBreaker({ ...BREAKER, random: options.random })
    const { collectorKey, slice, baseline, bundle, events, clock, configState } = options
    this.teller = new StateTeller({
      ...{ clock, state: configState },
      send: (state) => this.state === 'open' && this.socket?.send(writeMessage(state)),
    })
    this.downlinks = new Downlinks({
      ...{ collectorKey, slice, baseline, bundle, failed: events.failed },
      refused: events.downlinkRefused,
      agent: () => options.hello().agent,
      watch: () => this.teller.begin(),
      send: (answer) => this.socket?.send(writeMessage(answer)),
    })
  }

  start(): void {
    this.connect()
  }

  async stop(): Promise<void> {
    await this.drain()
    this.stopped = true
    for (const cancel of this.cancels.values()) cancel()
    const socket = this.socket
    if (socket === null) return
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.close(1000, 'stopping')
    await Promise.race([closed, this.options.clock.sleep(GOODBYE_MS)])
    socket.terminate()
  }

  /** What was signed last goes out while the collector is there to take it; the rest is sent after the next start. */
  private async drain(): Promise<void> {
    for (
      let waitedMs = 0;
      waitedMs < DRAIN_MS && this.state === 'open' && this.options.outbox.pending().batches > 0;
      waitedMs += DRAIN_POLL_MS
    ) {
      await this.options.clock.sleep(DRAIN_POLL_MS)
    }
  }

  notify(): void {
    if (this.state === 'open') void this.pump()
  }

  sendVitals(json: string): void {
    if (this.state !== 'open' || this.socket === null) return
    if (this.socket.bufferedAmount > VITALS_BUFFER_MAX) {
      this.vitalsDropped += 1
      return
    }
    this.socket.send(writeMessage({ t: 'vitals', vitals: json }))
  }

  private connect(): void {
    if (this.stopped) return
    const { clock, url, tls, realm } = this.options
    if (!this.breaker.mayTry(clock.monotonicUs())) {
      this.connectLater(this.retry.next())
      return
    }
    this.move('connect')
    const socket = new WebSocket(url, {
      ...tls,
      minVersion: 'TLSv1.3',
      ...checksOf(realm),
      // Said here, so that NODE_TLS_REJECT_UNAUTHORIZED cannot unsay it.
      rejectUnauthorized: true,
      handshakeTimeout: CONNECT_MS,
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
    })
    this.socket = socket
    let reason = ''
    socket.on('open', () => this.opened(socket))
    socket.on('message', (data: Buffer) => {
      this.unanswered = 0
      this.receive(socket, new Uint8Array(data))
    })
    socket.on('pong', () => {
      this.unanswered = 0
    })
    socket.on('error', (error) => {
      reason = error.message
    })
    socket.on('close', (code, text) =>
      this.closed(socket, reason !== '' ? reason : `${code} ${text.toString('utf8')}`.trim()),
    )
  }

  private opened(socket: WebSocket): void {
    if (!this.move('opened')) return
    const { clock, hello } = this.options
    socket.send(writeMessage(hello()))
    this.cancels.set(
      'hello',
      clock.after(HELLO_MS, () => this.state === 'greeting' && socket.terminate()),
    )
    this.unanswered = 0
    this.cancels.set(
      'ping',
      clock.every(PING_MS, () => {
        this.unanswered += 1
        if (this.unanswered > PINGS_UNANSWERED_MAX) socket.terminate()
        else if (socket.readyState === WebSocket.OPEN) socket.ping()
      }),
    )
  }

  private receive(socket: WebSocket, bytes: Uint8Array): void {
    if (socket !== this.socket) return
    const read = readCollectorMessage(bytes)
    if (!read.ok || !this.move(read.message.t)) {
      this.options.events.refused({
        code: 'SESSION_PROTOCOL',
        detail: read.ok ? `${read.message.t} in state ${this.state}` : read.reason,
      })
      socket.close(1002, 'protocol')
      return
    }
    this.handle(read.message)
  }

  private handle(message: CollectorMessage): void {
    switch (message.t) {
      case 'resume':
        this.resume(message)
        return
      case 'credit':
        this.credit = Math.min(CREDIT_MAX, this.credit + message.batches)
        void this.pump()
        return
      case 'receipt':
        void this.receipt(message)
        return
      case 'refusal':
        if (CHAIN_CODES.has(message.code)) void this.beginAgain(message)
        else {
          this.options.events.refused(message)
          this.socket?.close(1000, 'refused')
        }
        return
      case 'downlink':
        void this.downlinks.take(message.cose)
        return
    }
  }

  /** The chain here does not fit the collector's: once, a new epoch is tried, and then it is for a person to look. */
  private async beginAgain(refusal: { code: string; detail: string }, aboveEpoch = 0): Promise<void> {
    const { socket } = this
    this.options.events.refused(refusal)
    this.begunAgain = await this.options.renewChain(`${refusal.code}: ${refusal.detail}`, aboveEpoch)
    socket?.close(1000, 'chain')
  }

  /** Everything without a receipt here is offered again: the collector gives the same receipt for what it has. */
  private resume({ epoch, batch_seq: batchSeq, credit }: ResumeMessage): void {
    this.cancels.get('hello')?.()
    this.retry.reset()
    this.breaker.succeeded(this.options.clock.monotonicUs())
    const { outbox, events } = this.options
    if (epoch > outbox.epoch || (epoch === outbox.epoch && batchSeq > outbox.lastBatchSeq)) {
      const detail = `the collector has batch ${batchSeq} of epoch ${epoch}, this state folder ends at ${outbox.lastBatchSeq} of ${outbox.epoch}`
      void this.beginAgain({ code: 'CHAIN_REPLAY', detail }, epoch)
      return
    }
    this.credit = credit
    // A collector that was set back to a copy has less than it receipted: what is still here is offered again.
    this.nextSeq = Math.min(outbox.receiptedThrough, epoch === outbox.epoch ? batchSeq : 0) + 1
    this.inFlight.clear()
    events.connected({ epoch, batchSeq })
    void this.pump()
  }

  /** Sends what there is while there is credit. One at a time: a call while it runs makes it look once more. */
  private async pump(): Promise<void> {
    if (this.pumping) {
      this.pumpAgain = true
      return
    }
    this.pumping = true
    try {
      do {
        this.pumpAgain = false
        await this.sendBatches()
      } while (this.pumpAgain)
    } catch (error) {
      this.options.events.failed(error)
    } finally {
      this.pumping = false
    }
  }

  private async sendBatches(): Promise<void> {
    while (
      this.state === 'open' &&
      this.credit > 0 &&
      this.socket !== null &&
      this.socket.bufferedAmount < BATCH_BUFFER_MAX
    ) {
      const { socket } = this
      const entries = await this.options.outbox.read(this.nextSeq, Math.min(this.credit, BATCHES_AT_ONCE))
      if (entries.length === 0 || socket !== this.socket || this.state !== 'open') return
      for (const { epoch, batchSeq, cose, records } of entries) {
        this.inFlight.set(batchSeq, coseIdentity(cose))
        const place = { epoch, batch_seq: batchSeq, cose }
        socket.send(
          writeMessage(
            records === null ? { t: 'batch_thinned', v: THINNED_VERSION, ...place } : { t: 'batch', ...place, records },
          ),
        )
        this.credit -= 1
        this.nextSeq = batchSeq + 1
      }
    }
  }

  private async receipt(message: ReceiptMessage): Promise<void> {
    const { outbox, collectorKey, hello, events } = this.options
    const batchSeq = message.batch_seq
    try {
      const facts = openReceipt(message.receipt, collectorKey)
      const identity = this.inFlight.get(batchSeq) ?? null
      if (!isReceiptOf(facts, { agent: hello().agent, epoch: outbox.epoch, batchSeq, identity })) {
        events.badReceipt(batchSeq, 'a receipt of another batch')
        this.socket?.close(1002, 'receipt')
        return
      }
      this.inFlight.delete(batchSeq)
      await outbox.receipted(batchSeq, message.receipt)
      events.receipted(batchSeq, facts.recvUs)
    } catch (error) {
      events.badReceipt(batchSeq, (error as Error).message)
      this.socket?.close(1002, 'receipt')
    }
  }

  private closed(socket: WebSocket, reason: string): void {
    if (socket !== this.socket) return
    const refused = this.state === 'refused' && !this.begunAgain
    this.begunAgain = false
    const wasOpen = this.state === 'open'
    this.move('lost')
    this.teller.end()
    this.socket = null
    this.cancels.get('hello')?.()
    this.cancels.get('ping')?.()
    if (this.stopped) return
    if (!wasOpen) this.breaker.failed(this.options.clock.monotonicUs())
    this.options.events.lost(reason)
    this.connectLater(refused ? REFUSED_RETRY_MS : this.retry.next())
  }

  private connectLater(delayMs: Millis): void {
    this.cancels.set(
      'retry',
      this.options.clock.after(delayMs, () => this.connect()),
    )
  }

  private move(event: SessionEvent): boolean {
    const next = nextSessionState(this.state, event)
    if (next !== null) this.state = next
    return next !== null
  }
}
