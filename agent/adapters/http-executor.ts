import { HbError } from '../../shared/errors/hb-error.ts'
import { createBreaker } from '../../shared/lib/circuit-breaker.ts'
import { plainText } from '../../shared/log/plain-text.ts'
import { type HttpAnswerText, type HttpPeer, postJson } from '../../shared/notify/http-post.ts'
import type { Millis } from '../../shared/units.ts'
import {
  EXECUTOR_STATUSES,
  type Executor,
  type ExecutorAck,
  type ExecutorRequest,
  type ExecutorSink,
  type OutsideTime,
} from '../ports.ts'

export type HttpExecutorOptions = HttpPeer &
  Readonly<{
    target: string
    timeoutMs: Millis
    random(): number
    /** Time that is moved from outside waits for an answer; absent: none is. */
    hold?: OutsideTime['hold'] | undefined
  }>

const BREAKER = { failures: 5, windowMs: 60_000, openMs: 10_000, jitter: 0.5 } as const
/** Requests on the way at once; beyond, one is refused. */
const IN_FLIGHT_MAX = 32
/** What is on its way when the agent stops may still be answered for so long. */
const STOP_WAIT_MS: Millis = 1000
const PROTOCOL_VERSION = 1
/** Answers that say "try again", not "no": what they were given may have been done. */
const NOT_REFUSED: ReadonlySet<number> = new Set([408, 425, 429])

/**
 * Actions over HTTP: `{v, type: "request", key, rig, action, target, params, attempt, budget_ms}` is posted, and the
 * answer is `{key, stage, detail?}` with 2xx; 2xx without a body is `accepted`. Another 4xx is `rejected`. Anything else
 * leaves it unknown: no ack is made up. `type` is `query` or `proof` for these; a query may be answered `unknown_key`.
 */
export function createHttpExecutor(options: HttpExecutorOptions): Executor {
  return new HttpExecutor(options)
}

class HttpExecutor implements Executor {
  readonly target: string
  private readonly options: HttpExecutorOptions
  private readonly breaker
  private readonly from: string
  private on: ExecutorSink = { ack() {}, up() {}, down() {} }
  private readonly inFlight = new Set<Promise<unknown>>()
  private proofs = 0
  private isUp = false
  private stopped = false

  constructor(options: HttpExecutorOptions) {
    this.options = options
    this.target = options.target
    this.from = new URL(options.url).host
    this.breaker = createBreaker({ ...BREAKER, random: options.random })
  }

  async start(on: ExecutorSink): Promise<void> {
    this.on = on
    // There is no link that could be down before somebody has asked.
    this.isUp = true
    on.up()
  }

  async stop(): Promise<void> {
    this.stopped = true
    if (this.inFlight.size === 0) return
    const waiting = new AbortController()
    const waited = this.options.clock.sleep(STOP_WAIT_MS, waiting.signal).catch(() => undefined)
    await Promise.race([Promise.all(this.inFlight), waited])
    waiting.abort()
  }

  async send({ budgetMs, ...request }: ExecutorRequest): Promise<void> {
    if (!(budgetMs > 0)) throw new HbError('EXECUTOR_REQUEST', { target: this.target, field: 'budgetMs' })
    const body = { v: PROTOCOL_VERSION, type: 'request', ...request, budget_ms: budgetMs }
    const posted = this.post(request.key, body, Math.min(budgetMs, this.options.timeoutMs))
    posted.answer.then(
      (answer) => this.acknowledge(request.key, answer),
      () => undefined,
    )
    await posted.handed
  }

  async query(key: string, timeoutMs: Millis): Promise<ExecutorAck | 'unknown_key' | 'no_answer'> {
    const answer = await this.ask(key, { v: PROTOCOL_VERSION, type: 'query', key }, timeoutMs)
    if (answer === null || !isGood(answer.status)) return 'no_answer'
    const said = stageOf(answer.text)
    if (said === null || said.key !== key) return 'no_answer'
    return said.stage === 'unknown_key' ? 'unknown_key' : this.ackOf(key, said.stage, said.detail)
  }

  async proof(timeoutMs: Millis): Promise<boolean> {
    this.proofs += 1
    const id = `proof-${this.options.clock.nowUs()}-${this.proofs}`
    const answer = await this.ask(id, { v: PROTOCOL_VERSION, type: 'proof', key: id }, timeoutMs)
    if (answer === null || !isGood(answer.status)) return false
    const said = stageOf(answer.text)
    return said !== null && said.key === id && said.stage === 'completed'
  }

  private async ask(key: string, body: unknown, timeoutMs: Millis): Promise<HttpAnswerText | null> {
    try {
      return await this.post(key, body, Math.min(timeoutMs, this.options.timeoutMs)).answer
    } catch {
      // No answer is an answer; the breaker has noted why.
      return null
    }
  }

  /** @throws HbError before anything is sent */
  private post(id: string, body: unknown, timeoutMs: Millis): ReturnType<typeof postJson> {
    const { options, target } = this
    if (this.stopped) throw new HbError('EXECUTOR_UNREACHABLE', { target, reason: 'stopped' })
    const { inFlight } = this
    if (inFlight.size >= IN_FLIGHT_MAX) throw new HbError('EXECUTOR_BUSY', { target, waiting: inFlight.size })
    if (!this.breaker.mayTry(options.clock.monotonicUs()))
      throw new HbError('EXECUTOR_UNREACHABLE', { target, reason: 'it failed too often; tried again soon' })
    const posted = postJson(options, { id, body, timeoutMs })
    const over = posted.answer
      .then(
        ({ status }) => this.noted(status < 500 ? null : `status ${status}`),
        (error: Error) => this.noted(error.message),
      )
      .finally(() => inFlight.delete(over))
    inFlight.add(over)
    void options.hold?.(over)
    return posted
  }

  private noted(problem: string | null): void {
    const nowUs = this.options.clock.monotonicUs()
    if (problem === null) {
      this.breaker.succeeded(nowUs)
      if (!this.isUp) this.on.up()
      this.isUp = true
      return
    }
    this.breaker.failed(nowUs)
    if (this.isUp) this.on.down(plainText(problem))
    this.isUp = false
  }

  private acknowledge(key: string, { status, text }: HttpAnswerText): void {
    if (!isGood(status)) {
      const isRefusal = status >= 400 && status < 500 && !NOT_REFUSED.has(status)
      if (isRefusal) this.on.ack(this.ackOf(key, 'rejected', `status ${status} ${text}`))
      return
    }
    if (text.trim() === '') {
      this.on.ack(this.ackOf(key, 'accepted', ''))
      return
    }
    const said = stageOf(text)
    if (said !== null && said.key === key && said.stage !== 'unknown_key')
      this.on.ack(this.ackOf(key, said.stage, said.detail))
  }

  private ackOf(key: string, status: ExecutorAck['status'], message: string): ExecutorAck {
    return { key, status, from: this.from, message: plainText(message) }
  }
}

type Said = Readonly<{ key: string; stage: ExecutorAck['status'] | 'unknown_key'; detail: string }>

/** What an answer says; null when it is not one. */
function stageOf(text: string): Said | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { key, stage, detail = '' } = value as Record<string, unknown>
  const isStage = stage === 'unknown_key' || (EXECUTOR_STATUSES as readonly unknown[]).includes(stage)
  if (!(typeof key === 'string' && isStage && typeof detail === 'string')) return null
  return { key, stage: stage as Said['stage'], detail }
}

function isGood(status: number): boolean {
  return status >= 200 && status < 300
}
