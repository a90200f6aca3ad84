import type { Clock } from '../shared/lib/clock.ts'
import { plainText } from '../shared/log/plain-text.ts'
import { sendRequest } from '../shared/notify/http-post.ts'
import type { Micros, Millis } from '../shared/units.ts'

/** What became of beats. */
export const BEAT_OUTCOMES = ['sent', 'failed', 'withheld'] as const
export type BeatOutcome = (typeof BEAT_OUTCOMES)[number]

export type HeartbeatOptions = Readonly<{
  url: string
  method: 'GET' | 'POST'
  ca: string | null
  everyMs: Millis
  timeoutMs: Millis
  deployment: string
  boot: string
  clock: Pick<Clock, 'after' | 'every' | 'monotonicUs' | 'nowUs'>
  /** Proves anew that the collector does its work. @returns why it does not; null: it does. May reject, which is a reason too. */
  prove(): Promise<string | null>
  changed(facts: Readonly<{ outcome: BeatOutcome; problem: string }>): void
}>

/**
 * Tells somebody outside that this collector lives, while it does: each beat is preceded by a proof of its own, and without one
 * there is no beat. So silence outside means that something is wrong here, whatever it is.
 */
export class Heartbeat {
  readonly counts: Record<BeatOutcome, number> = { sent: 0, failed: 0, withheld: 0 }
  /** Of the newest beat; null before the first. */
  outcome: BeatOutcome | null = null
  problem = ''
  /** When the last one was answered, wall time; null: never. */
  sentUs: Micros | null = null
  private readonly options: HeartbeatOptions
  private cancel = (): void => undefined
  private beating = false

  constructor(options: HeartbeatOptions) {
    this.options = options
  }

  start(): void {
    this.cancel = this.options.clock.every(this.options.everyMs, () => void this.beat())
    void this.beat()
  }

  stop(): void {
    this.cancel()
  }

  private async beat(): Promise<void> {
    if (this.beating) {
      this.note('withheld', 'the beat before this one does not come to its end')
      return
    }
    this.beating = true
    try {
      const reason = await this.proof()
      if (reason !== null) this.note('withheld', reason)
      else await this.send()
    } finally {
      this.beating = false
    }
  }

  private async proof(): Promise<string | null> {
    try {
      return await this.options.prove()
    } catch (error) {
      return plainText((error as Error).message)
    }
  }

  private async send(): Promise<void> {
    const { url, method, ca, timeoutMs, clock, deployment, boot } = this.options
    const body =
      method === 'GET' ? '' : JSON.stringify({ v: 1, type: 'heartbeat', deployment, boot, at_us: clock.nowUs() })
    const headers =
      method === 'GET' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    try {
      const { status } = await sendRequest({ url, method, headers, text: body, ca, timeoutMs, clock }).answer
      if (status >= 200 && status < 300) {
        this.sentUs = clock.nowUs()
        this.note('sent', '')
      } else this.note('failed', `status ${status}`)
    } catch (error) {
      this.note('failed', plainText((error as Error).message))
    }
  }

  private note(outcome: BeatOutcome, problem: string): void {
    const isNews = this.outcome === null ? outcome !== 'sent' : outcome !== this.outcome
    this.counts[outcome] += 1
    this.outcome = outcome
    this.problem = problem
    if (isNews) this.options.changed({ outcome, problem })
  }
}
