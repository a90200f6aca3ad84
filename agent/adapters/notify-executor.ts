import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { plainText } from '../../shared/log/plain-text.ts'
import type { Notice, NotifyChannel } from '../../shared/notify/notice.ts'
import { createTeller, type Teller } from '../../shared/notify/teller.ts'
import type { Millis } from '../../shared/units.ts'
import type { Executor, ExecutorAck, ExecutorRequest, ExecutorSink, OutsideTime } from '../ports.ts'

export type NotifyExecutorOptions = Readonly<{
  target: string
  channels: readonly NotifyChannel[]
  perMinuteMax: number
  timeoutMs: Millis
  clock: Clock
  random(): number
  /** Time that is moved from outside waits for what becomes of it; absent: none is. */
  hold?: OutsideTime['hold'] | undefined
}>

const MINUTE_MS: Millis = 60_000
/** Notices that one summary speaks for; beyond, one is rejected. */
const SUMMED_MAX = 1000
/** Keys whose outcome is remembered; the oldest makes room. */
const KEYS_MAX = 4096

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
  private readonly teller: Teller
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
    this.teller = createTeller(options)
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
    this.teller.close()
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
  proof(timeoutMs: Millis): Promise<boolean> {
    return this.teller.probe(timeoutMs)
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
    const telling = this.teller.tell(notice)
    void this.options.hold?.(telling)
    const { isTold, problems } = await telling
    if (isTold !== this.isUp) {
      this.isUp = isTold
      if (isTold) this.on.up()
      else this.on.down(problems)
    }
    return { status: isTold ? 'completed' : 'failed', message: problems }
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
