import { HbError } from '../../shared/errors/hb-error.ts'
import { type Breaker, createBreaker } from '../../shared/lib/circuit-breaker.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'
import type { Executor, ExecutorAck, ExecutorRequest, ExecutorSink } from '../ports.ts'
import { plainText } from './plain-text.ts'

/** What people are told: a line, and facts below it. Both are plain text on one line each. */
export type Notice = Readonly<{
  key: string
  rig: string
  action: string
  target: string
  title: string
  facts: readonly Readonly<{ name: string; value: string }>[]
}>

/** One way to people. `deliver` rejects when it is not known to have been taken; `probe` tells nobody anything. */
export interface NotifyChannel {
  readonly name: string
  deliver(notice: Notice, timeoutMs: Millis): Promise<void>
  probe(timeoutMs: Millis): Promise<boolean>
  close(): void
}

export type NotifyExecutorOptions = Readonly<{
  target: string
  channels: readonly NotifyChannel[]
  perMinuteMax: number
  timeoutMs: Millis
  clock: Clock
  random(): number
}>

const BREAKER = { failures: 3, windowMs: 300_000, openMs: 60_000, jitter: 0.5 } as const
const MINUTE_MS: Millis = 60_000
/** Notices that one summary speaks for; beyond, one is rejected. */
const SUMMED_MAX = 1000
/** Keys whose outcome is remembered; the oldest makes room. */
const KEYS_MAX = 4096

type Guarded = Readonly<{ channel: NotifyChannel; breaker: Breaker }>
type Outcome = Pick<ExecutorAck, 'status' | 'message'>

/**
 * Tells people. Each key is told once by this process. In a minute at most so many notices go out; what is above that is
 * told at its end in one summary, which says how many and of what. A notice is completed when one channel took it.
 */
export function createNotifyExecutor(options: NotifyExecutorOptions): Executor {
  return new NotifyingExecutor(options)
}

class NotifyingExecutor implements Executor {
  readonly target: string
  private readonly options: NotifyExecutorOptions
  private readonly channels: readonly Guarded[]
  private readonly outcomes = new Map<string, Outcome>()
  private on: ExecutorSink = { ack() {}, up() {}, down() {} }
  private toldInMinute = 0
  private summed: ExecutorRequest[] = []
  private cancelMinute: (() => void) | null = null
  private isUp = true
  private stopped = false

  constructor(options: NotifyExecutorOptions) {
    this.options = options
    this.target = options.target
    const { channels, random } = options
    this.channels = channels.map((channel) => ({ channel, breaker: createBreaker({ ...BREAKER, random }) }))
  }

  async start(on: ExecutorSink): Promise<void> {
    this.on = on
    on.up()
  }

  /** What waits for the end of the minute is told now. */
  async stop(): Promise<void> {
    if (this.stopped) return
    this.cancelMinute?.()
    await this.summarise()
    this.stopped = true
    for (const { channel } of this.channels) channel.close()
  }

  async send(request: ExecutorRequest): Promise<void> {
    const { key } = request
    const known = this.outcomes.get(key)
    if (known !== undefined) {
      this.on.ack(this.ackOf(key, known))
      return
    }
    if (this.stopped) throw new HbError('EXECUTOR_UNREACHABLE', { target: this.target, reason: 'stopped' })
    this.cancelMinute ??= this.options.clock.after(MINUTE_MS, () => void this.minuteOver())
    if (this.toldInMinute < this.options.perMinuteMax) {
      this.toldInMinute += 1
      this.note(key, { status: 'accepted', message: '' })
      void this.tell(noticeOf(request)).then((outcome) => this.note(key, outcome))
      return
    }
    if (this.summed.length >= SUMMED_MAX) {
      this.note(key, { status: 'rejected', message: `more than ${SUMMED_MAX} notices wait for a summary` })
      return
    }
    this.summed.push(request)
    this.note(key, { status: 'accepted', message: 'told in the summary of this minute' })
  }

  async query(key: string): Promise<ExecutorAck | 'unknown_key' | 'no_answer'> {
    const known = this.outcomes.get(key)
    // Not `unknown_key`: the process before this one may have told it.
    return known === undefined ? 'no_answer' : this.ackOf(key, known)
  }

  /** Whether a way to people is well; which one does not matter, as with a notice. */
  async proof(timeoutMs: Millis): Promise<boolean> {
    const probes = this.channels.map(({ channel }) => channel.probe(timeoutMs).catch(() => false))
    return (await Promise.all(probes)).includes(true)
  }

  private async minuteOver(): Promise<void> {
    this.cancelMinute = null
    this.toldInMinute = 0
    await this.summarise()
  }

  private async summarise(): Promise<void> {
    const requests = this.summed
    this.summed = []
    if (requests.length === 0) return
    const outcome = await this.tell(summaryOf(this.target, requests))
    for (const { key } of requests) this.note(key, outcome)
  }

  private async tell(notice: Notice): Promise<Outcome> {
    const problems = await Promise.all(this.channels.map((guarded) => this.deliver(guarded, notice)))
    const failed = problems.filter((problem) => problem !== null)
    const isTold = failed.length < this.channels.length
    if (isTold !== this.isUp) {
      this.isUp = isTold
      if (isTold) this.on.up()
      else this.on.down(plainText(failed.join('; ')))
    }
    return { status: isTold ? 'completed' : 'failed', message: plainText(failed.join('; ')) }
  }

  /** Null when the channel took it, else why not. */
  private async deliver({ channel, breaker }: Guarded, notice: Notice): Promise<string | null> {
    const { clock, timeoutMs } = this.options
    if (!breaker.mayTry(clock.monotonicUs())) return `${channel.name}: failed too often`
    try {
      await channel.deliver(notice, timeoutMs)
      breaker.succeeded(clock.monotonicUs())
      return null
    } catch (error) {
      breaker.failed(clock.monotonicUs())
      return `${channel.name}: ${(error as Error).message}`
    }
  }

  private note(key: string, outcome: Outcome): void {
    this.outcomes.set(key, outcome)
    if (this.outcomes.size > KEYS_MAX) this.outcomes.delete(this.outcomes.keys().next().value!)
    this.on.ack(this.ackOf(key, outcome))
  }

  private ackOf(key: string, { status, message }: Outcome): ExecutorAck {
    return { key, status, from: this.target, message }
  }
}

function noticeOf({ key, rig, action, target, params }: ExecutorRequest): Notice {
  const names = Object.keys(params).toSorted()
  const facts = names.map((name) => ({ name: plainText(name, 64), value: plainText(String(params[name])) }))
  const said = params['message']
  const title = plainText(typeof said === 'string' ? `${rig}: ${said}` : `${rig}: ${action} ${target}`, 200)
  return { key, rig, action, target, title, facts }
}

function summaryOf(target: string, requests: readonly ExecutorRequest[]): Notice {
  const counts = new Map<string, number>()
  for (const { rig, action, target: on } of requests) {
    const what = `${rig}: ${action} ${on}`
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  const facts = [...counts].map(([what, count]) => ({ name: plainText(what, 128), value: String(count) }))
  const [first] = requests
  return {
    key: `${first!.key}-summary`,
    rig: first!.rig,
    action: first!.action,
    target,
    title: `${requests.length} more notices in this minute`,
    facts: facts.slice(0, 20),
  }
}
