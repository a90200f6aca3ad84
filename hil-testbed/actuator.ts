import { randomBytes } from 'node:crypto'
import { Router } from 'zeromq'
import { HbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import {
  type ActuatorMessage,
  type HelloActuator,
  type LossEffect,
  SESSION_BYTES,
  type ToActuator,
} from '../shared/protocol/actuator.ts'
import { ACTUATOR_FRAME_BYTES_MAX } from '../shared/protocol/actuator-frame.ts'
import {
  createLinkSession,
  type LinkSession,
  sealGreeting,
  type Taken,
  takeFrame,
} from '../shared/protocol/actuator-link.ts'
import type { Micros } from '../shared/units.ts'
import type { ActuatorBook } from './actuator-book.ts'
import { ActuatorDevice, type StageTimes } from './actuator-device.ts'

export type ActuatorOptions = Readonly<{
  id: string
  /** The only agent whose word counts. */
  agent: string
  endpoint: string
  key: Uint8Array
  book: ActuatorBook
  testbed: boolean
  idempotent: boolean
  lossEffect: LossEffect
  clock: Clock
  /** How long each stage takes; nothing when absent. */
  stages?: StageTimes
  say(event: string, facts: Readonly<Record<string, unknown>>): void
}>

/** What this end says is good for so long. */
const ANSWER_DEADLINE_US: Micros = 2_000_000
/** Frames waiting for room in the socket; beyond, what should be answered is dropped and the agent hears nothing. */
const WAITING_MAX = 1024
const RECEIVE_HIGH_WATER_MARK = 1000

/** A session with the way back to whoever opened it. */
type Open = Readonly<{ session: LinkSession; route: Uint8Array }>

export interface Actuator {
  readonly device: ActuatorDevice
  /** Frames that have come in, and frames that have gone, since the start. */
  readonly frames: Readonly<{ taken: number; sent: number }>
  /** Settles when so many frames have come in since the start, and every answer that followed from them has gone. */
  heard(frames: number): Promise<void>
  /** Whoever has spoken so far is gone: nothing more of it is heard, counted or answered. */
  retire(): void
  /** @returns the endpoint, with the port that the system chose for port 0. @throws HbError PORT_TAKEN */
  start(): Promise<string>
  stop(): Promise<void>
}

/** An actuator that is not there, at the other end of a link that is: nothing but the protocol is shared with an agent. */
export function createActuator(options: ActuatorOptions): Actuator {
  return new LinkedActuator(options)
}

class LinkedActuator implements Actuator {
  readonly device: ActuatorDevice
  private readonly options: ActuatorOptions
  private readonly socket = new Router({
    linger: 0,
    maxMessageSize: ACTUATOR_FRAME_BYTES_MAX,
    receiveHighWaterMark: RECEIVE_HIGH_WATER_MARK,
    sendTimeout: 0,
    mandatory: true,
  })
  private readonly end
  private current: Open | null = null
  /** Greeted, and nothing heard since: an old greeting that somebody sends again takes no session away. */
  private pending: Open | null = null
  private sending: Promise<void> = Promise.resolve()
  private waiting = 0
  private done: Promise<void> = Promise.resolve()
  readonly frames = { taken: 0, sent: 0 }
  private readonly routes = new Set<string>()
  private readonly retired = new Set<string>()
  private waits: Readonly<{ frames: number; settle: () => void }>[] = []

  constructor(options: ActuatorOptions) {
    this.options = options
    const { id, agent, key, book, clock, lossEffect, say } = options
    this.end = { side: 'actuator', self: id, peer: agent, key } as const
    this.device = new ActuatorDevice({
      book,
      clock,
      lossEffect,
      say,
      answer: (message) => this.answer(message),
      stages: options.stages,
    })
  }

  async start(): Promise<string> {
    const { endpoint } = this.options
    try {
      await this.socket.bind(endpoint)
    } catch (cause) {
      throw new HbError('PORT_TAKEN', { endpoint, reason: (cause as Error).message }, { cause })
    }
    this.device.resume()
    this.done = this.receive()
    return this.socket.lastEndpoint ?? endpoint
  }

  async stop(): Promise<void> {
    this.device.stop()
    this.socket.close()
    await this.done
    this.tellWaiting(Number.POSITIVE_INFINITY)
  }

  retire(): void {
    for (const route of this.routes) this.retired.add(route)
    this.routes.clear()
  }

  async heard(frames: number): Promise<void> {
    if (this.frames.taken < frames)
      await new Promise<void>((settle) => {
        this.waits.push({ frames, settle })
      })
    await this.sending
  }

  private tellWaiting(frames: number): void {
    const met = this.waits.filter((one) => one.frames <= frames)
    this.waits = this.waits.filter((one) => one.frames > frames)
    for (const { settle } of met) settle()
  }

  private async receive(): Promise<void> {
    for await (const parts of this.socket) {
      const [route, frame] = parts
      const from = route?.toString('hex') ?? ''
      if (this.retired.has(from)) continue
      this.routes.add(from)
      this.frames.taken += 1
      this.tellWaiting(this.frames.taken)
      if (parts.length !== 2 || route === undefined || frame === undefined) {
        this.options.say('message_refused', { kind: 'insert', detail: `${parts.length} parts` })
        continue
      }
      this.take(new Uint8Array(route), new Uint8Array(frame))
    }
  }

  private take(route: Uint8Array, frame: Uint8Array): void {
    const nowUs = this.options.clock.monotonicUs()
    const sessions = [this.pending, this.current].flatMap((open) => (open === null ? [] : [open.session]))
    const taken: Taken<ToActuator> = takeFrame(this.end, sessions, { frame, nowUs })
    if (!taken.ok) {
      const { kind, detail, head } = taken
      this.options.say('message_refused', { kind, detail, seq: head?.seq ?? null })
      if (kind === 'delay' && head !== null) this.answer({ t: 'refused', of: head.seq, kind, detail })
      return
    }
    const { message, head, lost } = taken
    if (lost > 0) this.options.say('messages_lost', { kind: 'lose', count: lost, before: head.seq })
    if (message.t === 'hello') {
      this.greet(route, message, nowUs)
      return
    }
    if (this.pending !== null && bytesEqual(this.pending.session.id, head.session)) {
      this.current = this.pending
      this.pending = null
      this.options.say('session', { agent: head.from })
    }
    // A connection that was made anew has another way back; whoever can say the next message is the one it leads to.
    if (this.current !== null) this.current = { session: this.current.session, route }
    this.do(message, head.seq)
  }

  private greet(route: Uint8Array, { nonce }: HelloActuator, nowUs: Micros): void {
    const { testbed, idempotent, lossEffect } = this.options
    const id = new Uint8Array(randomBytes(SESSION_BYTES))
    this.pending = { route, session: createLinkSession(this.end, { id, zeroUs: nowUs, peerZeroUs: nowUs }) }
    const message = {
      t: 'hello_ack',
      nonce,
      testbed,
      idempotent,
      loss_effect: lossEffect,
      version: 'simulated',
    } as const
    this.send(route, sealGreeting(this.end, message, { session: id, deadlineUs: ANSWER_DEADLINE_US }))
  }

  private do(message: Exclude<ToActuator, HelloActuator>, seq: number): void {
    switch (message.t) {
      case 'ping':
        this.answer({ t: 'pong', of: seq, heard: this.current!.session.heard })
        return
      case 'request':
        this.device.request(message)
        return
      case 'query':
        this.device.query(message)
        return
      case 'proof':
        this.device.proof(message)
        return
      case 'permit':
        this.device.permit(message)
        return
    }
  }

  private answer(message: ActuatorMessage): void {
    const { current } = this
    if (current === null) return
    const nowUs = this.options.clock.monotonicUs()
    this.send(current.route, current.session.seal(message, { nowUs, deadlineUs: ANSWER_DEADLINE_US }))
  }

  /** In order, one after the other. What has no way back is gone: the agent asks again. */
  private send(route: Uint8Array, frame: Uint8Array): void {
    if (this.retired.has(Buffer.from(route).toString('hex'))) return
    if (this.waiting >= WAITING_MAX) {
      this.options.say('answer_dropped', { waiting: this.waiting })
      return
    }
    this.waiting += 1
    this.sending = this.sending
      .then(() => this.socket.send([route, frame]))
      .then(() => {
        this.frames.sent += 1
      })
      .catch((error: Error) => this.options.say('answer_dropped', { reason: error.message }))
      .finally(() => {
        this.waiting -= 1
      })
  }
}

function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
