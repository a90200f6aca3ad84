import { randomBytes } from 'node:crypto'
import { Dealer } from 'zeromq'
import { equalBytes } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { createBreaker } from '../../shared/lib/circuit-breaker.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { createRetrySchedule } from '../../shared/lib/retry-schedule.ts'
import {
  type ActuatorHello,
  DEADLINE_US_MAX,
  type FromActuator,
  LINK_ERRORS,
  type LinkError,
  SESSION_BYTES,
  SESSION_US_MAX,
  type ToActuator,
} from '../../shared/protocol/actuator.ts'
import { ACTUATOR_FRAME_BYTES_MAX, requestMisfit } from '../../shared/protocol/actuator-frame.ts'
import {
  createLinkSession,
  type LinkSession,
  sealGreeting,
  type Taken,
  takeFrame,
} from '../../shared/protocol/actuator-link.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { ExecutorAck, ExecutorRequest, ExecutorSink, PermitExecutor, PermitStrokeOrder } from '../ports.ts'
import { type ActuatorDeclared, actuatorMisfit, type LinkTaken } from './actuator-declared.ts'
import { createOpenQuestions } from './open-questions.ts'

export type ZmqActuatorOptions = Readonly<{
  target: string
  endpoint: string
  /** This agent, and the actuator that must be at the other end. */
  agent: string
  identity: string
  key: Uint8Array
  pingMs: Millis
  clock: Clock
  /** Uniform in [0, 1). */
  random(): number
}> &
  ActuatorDeclared &
  LinkTaken

/** An actuator over ZeroMQ, with what went wrong on the way so far, and how often a connection was tried. */
export type ZmqActuator = PermitExecutor &
  Readonly<{ linkErrors: Readonly<Record<LinkError, number>>; connections: number }>

const RETRY = { firstMs: 100, maxMs: 2000, factor: 2, jitter: 0.5 } as const
const BREAKER = { failures: 5, windowMs: 60_000, openMs: 10_000, jitter: 0.5 } as const
/** An actuator of another kind needs a person; asking again fast would help nobody. */
const REFUSED_RETRY_MS: Millis = 30_000
const CONNECT_MS: Millis = 2000
/** The same while time stands: on a busy machine a connection takes its time, and what is decided must not hang on that. */
const CONNECT_OUTSIDE_MS: Millis = 5_000
const HELLO_MS: Millis = 2000
/** A greeting that took longer would let messages seem older than they are; it is said again, so often at most. */
const GREETING_MS_MAX: Millis = 250
const GREETINGS_MAX = 5
/** Before a session is too old for its clocks. */
const RENEW_MS: Millis = (SESSION_US_MAX / 1000) * 0.9
/** Pings without any receipt before the link counts as lost. */
const RECEIPTS_MISSED_MAX = 3
/** Frames on their way into the socket; beyond, a request is refused. */
const OUTGOING_MAX = 256
const QUESTIONS_MAX = 256
/** Requests remembered by their number, for a `refused`. */
const NUMBERED_MAX = 1024
const HIGH_WATER_MARK = 256
/** On the way out what was handed over last may still go. */
const LINGER_MS: Millis = 100

type Answer = ExecutorAck | 'unknown_key' | boolean

export function createZmqActuator(options: ZmqActuatorOptions): ZmqActuator {
  return new LinkedExecutor(options)
}

class LinkedExecutor implements ZmqActuator {
  readonly target: string
  readonly linkErrors: Record<LinkError, number>
  connections = 0
  private readonly options: ZmqActuatorOptions
  private readonly end
  private readonly retry
  private readonly breaker
  private readonly questions
  private on: ExecutorSink = { ack() {}, up() {}, down() {} }
  private socket: Dealer | null = null
  private session: LinkSession | null = null
  /** Answers of a session that was just followed by another may still be on their way. */
  private before: LinkSession | null = null
  private hello: { nonce: Uint8Array; sentUs: Micros } | null = null
  private greetings = 0
  private isUp = false
  private told = ''
  private unanswered = 0
  private proofs = 0
  private stopped = false
  private outgoing = 0
  private sending: Promise<void> = Promise.resolve()
  private receiving: Promise<void> = Promise.resolve()
  private readonly numbered = new Map<number, { key: string; attempt: number }>()
  private readonly cancels = new Map<'retry' | 'hello' | 'ping' | 'renew', () => void>()

  constructor(options: ZmqActuatorOptions) {
    this.options = options
    this.target = options.target
    this.linkErrors = Object.fromEntries(LINK_ERRORS.map((kind) => [kind, 0])) as Record<LinkError, number>
    this.end = { side: 'agent', self: options.agent, peer: options.identity, key: options.key } as const
    this.retry = createRetrySchedule({ ...RETRY, random: options.random })
    this.breaker = createBreaker({ ...BREAKER, random: options.random })
    this.questions = createOpenQuestions<Answer>({ clock: options.clock, max: QUESTIONS_MAX })
  }

  async start(on: ExecutorSink): Promise<void> {
    this.on = on
    this.connect()
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.close()
    await Promise.all([this.sending, this.receiving])
  }

  async send({ budgetMs, ...asked }: ExecutorRequest): Promise<void> {
    const { session } = this
    const message = { t: 'request', ...asked } as const
    const wrong = requestMisfit(message) ?? (budgetMs > 0 ? null : 'budgetMs')
    if (wrong !== null) throw new HbError('EXECUTOR_REQUEST', { target: this.target, key: asked.key, field: wrong })
    if (session === null || !this.isUp) throw this.unreachable(this.told)
    const deadlineUs = Math.min(DEADLINE_US_MAX, Math.max(1, Math.floor(budgetMs * 1000)))
    const sent = this.say(session, message, deadlineUs)
    this.numbered.set(session.sealed, { key: asked.key, attempt: asked.attempt })
    if (this.numbered.size > NUMBERED_MAX) this.numbered.delete(this.numbered.keys().next().value!)
    await sent
  }

  async query(key: string, timeoutMs: Millis): Promise<ExecutorAck | 'unknown_key' | 'no_answer'> {
    const answer = await this.ask(`query ${key}`, { t: 'query', key }, timeoutMs)
    return answer === null || typeof answer === 'boolean' ? 'no_answer' : answer
  }

  async proof(timeoutMs: Millis): Promise<boolean> {
    this.proofs += 1
    return (await this.ask(`proof ${this.proofs}`, { t: 'proof', id: this.proofs }, timeoutMs)) === true
  }

  async stroke({ token, begin, holdMs, timeoutMs }: PermitStrokeOrder): Promise<'held' | 'lost' | 'no_answer'> {
    const message = { t: 'permit', token, begin, hold_us: Math.floor(holdMs * 1000) } as const
    const answer = await this.ask(`permit ${token}`, message, timeoutMs)
    if (typeof answer !== 'boolean') return 'no_answer'
    return answer ? 'held' : 'lost'
  }

  private ask(name: string, message: ToActuator, timeoutMs: Millis): Promise<Answer | null> {
    const { session } = this
    if (session === null || !this.isUp || requestMisfit(message) !== null || !(timeoutMs > 0))
      return Promise.resolve(null)
    const deadlineUs = Math.min(DEADLINE_US_MAX, Math.max(1, Math.floor(timeoutMs * 1000)))
    // What cannot be sent is not answered either.
    return this.questions.ask(name, timeoutMs, () => void this.say(session, message, deadlineUs).catch(() => undefined))
  }

  private connect(): void {
    if (this.stopped) return
    const { clock, endpoint } = this.options
    if (!this.breaker.mayTry(clock.monotonicUs())) {
      this.connectLater(this.retry.next())
      return
    }
    // Nothing that was counted may be lost with a connection.
    const [linger, sendTimeout] = this.options.turn === undefined ? [0, CONNECT_MS] : [LINGER_MS, CONNECT_OUTSIDE_MS]
    const socket = new Dealer({
      ...{ linger, immediate: true, sendTimeout, maxMessageSize: ACTUATOR_FRAME_BYTES_MAX },
      ...{ sendHighWaterMark: HIGH_WATER_MARK, receiveHighWaterMark: HIGH_WATER_MARK },
    })
    this.socket = socket
    this.connections += 1
    this.greetings = 0
    try {
      socket.connect(endpoint)
    } catch (error) {
      this.lose((error as Error).message)
      return
    }
    this.receiving = this.receive(socket)
    this.greet()
  }

  /** Begins a session, the first of a connection or the next of one that stands. */
  private greet(): void {
    const { clock } = this.options
    this.greetings += 1
    const nonce = new Uint8Array(randomBytes(SESSION_BYTES))
    const at = { session: new Uint8Array(0), deadlineUs: HELLO_MS * 1000 }
    this.hello = { nonce, sentUs: clock.monotonicUs() }
    const { socket } = this
    this.hand(sealGreeting(this.end, { t: 'hello', nonce }, at)).catch((error: Error) => {
      // A connection that was given up says so late; the one after it is another.
      if (socket === this.socket) this.lose(error.message)
    })
    this.after('hello', CONNECT_MS + HELLO_MS, () => this.lose('no answer to a greeting'))
  }

  private async receive(socket: Dealer): Promise<void> {
    try {
      for await (const parts of socket) {
        if (socket !== this.socket) return
        if (this.options.turn === undefined) this.takeParts(socket, parts)
        else await this.options.turn.arrived(() => this.takeParts(socket, parts))
      }
    } catch (error) {
      if (socket === this.socket) this.lose((error as Error).message)
    }
  }

  private takeParts(socket: Dealer, parts: readonly Uint8Array[]): void {
    if (socket !== this.socket) return
    if (parts.length === 1) this.take(new Uint8Array(parts[0]!))
    else this.linkErrors.insert += 1
  }

  private take(frame: Uint8Array): void {
    const nowUs = this.options.clock.monotonicUs()
    const sessions = [this.session, this.before].flatMap((session) => session ?? [])
    const taken: Taken<FromActuator> = takeFrame(this.end, sessions, { frame, nowUs })
    if (!taken.ok) {
      this.linkErrors[taken.kind] += 1
      return
    }
    this.linkErrors.lose += taken.lost
    const { message, head } = taken
    if (message.t === 'hello_ack') {
      this.greeted(message, head.session, nowUs)
      return
    }
    this.unanswered = 0
    this.hear(message, head.from)
  }

  private greeted(message: ActuatorHello, id: Uint8Array, nowUs: Micros): void {
    const { hello } = this
    if (hello === null || id.length !== SESSION_BYTES || !equalBytes(message.nonce, hello.nonce)) {
      this.linkErrors.insert += 1
      return
    }
    this.hello = null
    this.cancels.get('hello')?.()
    const refused = actuatorMisfit(message, this.options)
    if (refused !== null) {
      this.lose(refused, REFUSED_RETRY_MS)
      return
    }
    if (!(nowUs - hello.sentUs <= GREETING_MS_MAX * 1000)) {
      this.linkErrors.delay += 1
      if (this.greetings < GREETINGS_MAX) this.greet()
      else this.lose('every greeting takes too long')
      return
    }
    this.before = this.session
    this.numbered.clear()
    this.session = createLinkSession(this.end, { id, zeroUs: nowUs, peerZeroUs: hello.sentUs })
    this.ping()
    this.after('renew', RENEW_MS, () => {
      this.greetings = 0
      this.greet()
    })
  }

  private hear(message: Exclude<FromActuator, ActuatorHello>, from: string): void {
    switch (message.t) {
      case 'pong':
        this.cameUp()
        return
      case 'ack':
        this.on.ack({ key: message.key, status: message.stage, from, message: message.detail })
        return
      case 'answer': {
        const { key, stage, detail } = message
        const answer = stage === 'unknown_key' ? stage : { key, status: stage, from, message: detail }
        this.questions.answered(`query ${key}`, answer)
        return
      }
      case 'proof_ack':
        this.questions.answered(`proof ${message.id}`, message.ok)
        return
      case 'permit_ack':
        this.questions.answered(`permit ${message.token}`, message.held)
        return
      case 'refused': {
        const asked = this.numbered.get(message.of)
        // An earlier attempt may have had its effect: of a later one that came too late nothing follows for the key.
        if (asked?.attempt === 1)
          this.on.ack({ key: asked.key, status: 'rejected', from, message: `${message.kind}: ${message.detail}` })
        return
      }
    }
  }

  private cameUp(): void {
    if (this.isUp) return
    this.isUp = true
    this.told = ''
    this.retry.reset()
    this.breaker.succeeded(this.options.clock.monotonicUs())
    this.on.up()
  }

  /** Receipt with timeout: what is not answered so often is not there. */
  private ping(): void {
    const { session } = this
    if (session === null) return
    if (this.unanswered >= RECEIPTS_MISSED_MAX) {
      this.linkErrors.lose += 1
      this.lose(`no receipt for ${RECEIPTS_MISSED_MAX} pings`)
      return
    }
    this.unanswered += 1
    const deadlineUs = RECEIPTS_MISSED_MAX * this.options.pingMs * 1000
    this.say(session, { t: 'ping' }, deadlineUs).catch(() => undefined)
    this.after('ping', this.options.pingMs, () => this.ping())
  }

  private say(session: LinkSession, message: ToActuator, deadlineUs: Micros): Promise<void> {
    if (this.outgoing >= OUTGOING_MAX)
      return Promise.reject(new HbError('EXECUTOR_BUSY', { target: this.target, waiting: this.outgoing }))
    return this.hand(session.seal(message, { nowUs: this.options.clock.monotonicUs(), deadlineUs }))
  }

  /** In order, one after the other: a ZeroMQ socket takes no second message while the first one waits. */
  private hand(frame: Uint8Array): Promise<void> {
    const { socket } = this
    this.outgoing += 1
    const handed = this.sending
      .then(() => {
        if (socket === null || socket !== this.socket) throw this.unreachable(this.told)
        return socket.send(frame)
      })
      .catch((cause: Error) => {
        throw cause instanceof HbError ? cause : this.unreachable(cause.message)
      })
      .finally(() => {
        this.outgoing -= 1
      })
    this.options.turn?.handed(handed)
    this.sending = handed.catch(() => undefined)
    return handed
  }

  private unreachable(reason: string): HbError {
    const { target, endpoint } = this.options
    return new HbError('EXECUTOR_UNREACHABLE', { target, endpoint, reason: reason === '' ? 'no session' : reason })
  }

  private lose(reason: string, retryMs?: Millis): void {
    if (this.stopped) return
    const wasUp = this.isUp
    this.close()
    this.breaker.failed(this.options.clock.monotonicUs())
    if (wasUp || reason !== this.told) {
      this.told = reason
      this.on.down(reason)
    }
    this.connectLater(retryMs ?? this.retry.next())
  }

  private close(): void {
    for (const cancel of this.cancels.values()) cancel()
    this.cancels.clear()
    const { socket } = this
    this.socket = null
    this.session = null
    this.before = null
    this.hello = null
    this.isUp = false
    this.unanswered = 0
    this.numbered.clear()
    this.questions.giveUp()
    if (socket === null) return
    if (this.stopped) socket.linger = LINGER_MS
    socket.close()
  }

  private connectLater(ms: Millis): void {
    this.after('retry', ms, () => this.connect())
  }

  private after(what: 'retry' | 'hello' | 'ping' | 'renew', ms: Millis, act: () => void): void {
    this.cancels.get(what)?.()
    this.cancels.set(what, this.options.clock.after(ms, act))
  }
}
