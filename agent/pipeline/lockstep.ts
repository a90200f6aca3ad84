import type { Clock } from '../../shared/lib/clock.ts'
import {
  type FromLockstepAgent,
  GRANT_US_MAX,
  LOCKSTEP_TEXT_MAX,
  type LockstepGrant,
  type LockstepLack,
  type LockstepReady,
  type LockstepRefusal,
  type LockstepRefused,
  type ToLockstepAgent,
} from '../../shared/protocol/lockstep.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { EvaluatorState } from '../core/state.ts'
import type { Turnstile } from './turnstile.ts'

/** Time of this machine that messages of a bench may take to arrive. */
export const BEHIND_MS: Millis = 5000

/** Time is moved so far without looking whether somebody wants the agent to end. */
const PART_US: Micros = 1_000_000

export type LockstepOptions = Readonly<{
  turnstile: Turnstile
  host: Pick<Clock, 'after'>
  /** Why the agent cannot begin at a time; null when it can. */
  against(beginUs: Micros): string | null
  behindMs?: Millis
}>

/** The agent behind a bench, once it has begun. */
export type LockstepAgent = Readonly<{
  agent: string
  rigs: readonly string[]
  clock: Readonly<{ nowUs(): Micros; moveTo(us: Micros): Promise<void> }>
  state(): Pick<EvaluatorState, 'rigs' | 'decisionSeq'>
  ended(): void
}>

type Begun = LockstepAgent | Readonly<{ failed: string }>

/**
 * What a bench may do to the agent: begin it at a time, let in what it has sent, move time, and end it. One message after
 * the other; what does not fit is refused and nothing of it is done.
 */
export class Lockstep {
  /** Settles with the time that the bench begins at; null when nobody waits for it any more. */
  readonly greeted: Promise<Micros | null>
  private readonly options: LockstepOptions
  private readonly begun: Promise<Begun>
  private greet: (beginUs: Micros | null) => void = () => {}
  private begin: (begun: Begun) => void = () => {}
  private agent: LockstepAgent | null = null
  private isGreeted = false
  private isOver = false
  private granted = 0
  private stopWaiting = (): void => {}

  constructor(options: LockstepOptions) {
    this.options = options
    this.greeted = new Promise((resolve) => {
      this.greet = resolve
    })
    this.begun = new Promise((resolve) => {
      this.begin = resolve
    })
  }

  /** Everything runs: the bench that has greeted is told. */
  ready(agent: LockstepAgent): void {
    this.begin(agent)
  }

  /** The agent cannot begin. */
  failed(why: string): void {
    this.begin({ failed: why })
  }

  /** Nobody waits any more, for a bench or for what it has sent. */
  giveUp(): void {
    this.isOver = true
    this.greet(null)
    this.failed('the agent ends')
    this.stopWaiting()
    this.options.turnstile.close()
  }

  /** @returns the answer; null where there is none */
  async take(message: ToLockstepAgent): Promise<FromLockstepAgent | null> {
    if (this.isOver) return refusal('NOT_READY', 'the agent ends')
    if (message.t === 'hello') return this.hello(message.begin_us)
    if (this.agent === null) return refusal('ORDER', `${message.t} before a hello that was answered`)
    if (message.t === 'grant') return this.grant(this.agent, message)
    this.isOver = true
    this.agent.ended()
    return null
  }

  private async hello(beginUs: Micros): Promise<LockstepReady | LockstepRefused> {
    if (this.isGreeted) return refusal('ORDER', 'a second hello')
    const against = this.options.against(beginUs)
    if (against !== null) return refusal('TIME', against)
    this.isGreeted = true
    this.greet(beginUs)
    const begun = await this.begun
    if ('failed' in begun) return refusal('NOT_READY', begun.failed)
    this.agent = begun
    // What the start set going is over before anything is granted.
    await begun.clock.moveTo(begun.clock.nowUs())
    return { t: 'ready', agent: begun.agent, now_us: begun.clock.nowUs(), rigs: begun.rigs }
  }

  private async grant(
    { clock, state }: LockstepAgent,
    grant: LockstepGrant,
  ): Promise<FromLockstepAgent | LockstepRefused> {
    const { turnstile } = this.options
    const { n, until_us: untilUs } = grant
    const wrong = this.misfit(grant, clock.nowUs()) ?? turnstile.misfit(grant)
    if (wrong !== null) return refusal(wrong.code, wrong.detail)
    const lacking = await this.arrival(grant)
    if (lacking.length > 0) return { t: 'behind', n, lacking }
    this.granted = n
    const startUs = clock.nowUs()
    await turnstile.pass(grant)
    // In parts, so that one that goes far can be given up.
    while (clock.nowUs() < untilUs && !this.isOver) await clock.moveTo(Math.min(untilUs, clock.nowUs() + PART_US))
    if (untilUs === startUs) await clock.moveTo(untilUs)
    const { rigs, decisionSeq } = state()
    const closedUs = rigs.reduce((least, rig) => Math.min(least, rig.closedUs), Number.POSITIVE_INFINITY)
    const through = Number.isFinite(closedUs) ? Math.max(0, closedUs) : 0
    const sent = { ...turnstile.sent }
    return { t: 'advanced', n, evaluated_through_us: through, decisions: decisionSeq, sent }
  }

  private misfit({ n, until_us: untilUs }: LockstepGrant, nowUs: Micros): Omit<LockstepRefused, 't'> | null {
    if (n !== this.granted + 1) return { code: 'NUMBER', detail: `${n} after ${this.granted}` }
    if (untilUs < nowUs) return { code: 'TIME', detail: `until ${untilUs}, and it is ${nowUs}` }
    if (untilUs - nowUs > GRANT_US_MAX)
      return { code: 'TIME', detail: `${untilUs - nowUs} us at once, at most ${GRANT_US_MAX}` }
    return null
  }

  /** Waits until everything that was counted has arrived. @returns what has not, in time */
  private arrival(grant: LockstepGrant): Promise<LockstepLack[]> {
    const { turnstile, host, behindMs = BEHIND_MS } = this.options
    const first = turnstile.lacking(grant)
    if (first.length === 0) return Promise.resolve(first)
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        unwatch()
        this.stopWaiting = () => {}
        resolve(turnstile.lacking(grant))
      }
      const cancel = host.after(behindMs, end)
      const unwatch = turnstile.watch(() => {
        if (turnstile.lacking(grant).length === 0) end()
      })
      this.stopWaiting = end
    })
  }
}

export function refusal(code: LockstepRefusal, detail: string): LockstepRefused {
  return { t: 'refused', code, detail: detail.slice(0, LOCKSTEP_TEXT_MAX) }
}
