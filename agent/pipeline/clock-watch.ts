import { HbError } from '../../shared/errors/hb-error.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import { totalCounts } from '../core/totals.ts'
import type { AgentClock } from '../ports.ts'
import type { Evaluation } from './evaluation.ts'

export type ClockWatchOptions = Readonly<{
  clock: AgentClock
  evaluation: Evaluation
  stepped(facts: { ahead_us: Micros }): void
  together(facts: { by_us: Micros; followed: boolean }): void
}>

const LOOK_EVERY_MS: Millis = 1_000
/** A wall clock that was set forward is followed after this long, when nobody who sends says otherwise. */
const FOLLOW_AFTER_US: Micros = 10_000_000
/** A step further ahead than this is never followed without a start: no clock was that wrong and is right now. */
const FOLLOW_MAX_US: Micros = 400 * 86_400_000_000

/**
 * Says when the wall clock and the time of the agent part, and when they meet again.
 *
 * A wall clock that was set back is never followed: time that was evaluated does not come again. One that was set
 * forward is, once it has stood for a while and what is received is dated by it, as after the first answer of a time
 * server: samples that are in the future of this agent say which of the two clocks they know.
 */
export class ClockWatch {
  private readonly options: ClockWatchOptions
  private watching = false
  private away: { sinceUs: Micros; aheadUs: Micros; received: number; future: number } | null = null

  constructor(options: ClockWatchOptions) {
    this.options = options
  }

  /** @returns cancels */
  start(): () => void {
    this.watching = true
    this.look()
    return this.options.clock.every(LOOK_EVERY_MS, () => this.look())
  }

  get aheadUs(): Micros | null {
    return this.options.clock.aheadUs()
  }

  /** Why the agent should be looked at; null while both clocks are one, and where a recording makes the time. */
  reason(): HbError | null {
    const aheadUs = this.watching ? this.options.clock.aheadUs() : null
    if (aheadUs === null) return null
    const found = `${(Math.abs(aheadUs) / 1_000_000).toFixed(1)} s ${aheadUs > 0 ? 'ahead of' : 'behind'} the time of this agent`
    return new HbError('CLOCK_STEPPED', { found })
  }

  private look(): void {
    const { clock, stepped, together } = this.options
    const aheadUs = clock.aheadUs()
    const { away } = this
    if (aheadUs === null) {
      if (away !== null) together({ by_us: away.aheadUs, followed: false })
      this.away = null
      return
    }
    if (away === null || Math.sign(away.aheadUs) !== Math.sign(aheadUs)) {
      this.away = { sinceUs: clock.monotonicUs(), aheadUs, ...this.counts() }
      stepped({ ahead_us: aheadUs })
      return
    }
    away.aheadUs = aheadUs
    if (aheadUs < 0 || aheadUs > FOLLOW_MAX_US || clock.monotonicUs() - away.sinceUs < FOLLOW_AFTER_US) return
    if (!this.sendersAgree(away)) return
    clock.follow()
    this.away = null
    together({ by_us: aheadUs, followed: true })
  }

  /** Most of what has come since is in the future of this agent, or nothing has come. */
  private sendersAgree(before: { received: number; future: number }): boolean {
    const { received, future } = this.counts()
    return (future - before.future) * 2 >= received - before.received
  }

  private counts(): { received: number; future: number } {
    let received = 0
    let future = 0
    for (const rig of this.options.evaluation.state.rigs) {
      received += totalCounts(rig).received
      future += rig.ledger.refusals.get('future')?.count ?? 0
    }
    return { received, future }
  }
}
