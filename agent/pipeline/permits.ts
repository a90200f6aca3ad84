import type { Clock } from '../../shared/lib/clock.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { PermitExecutor } from '../ports.ts'

/** The permit of one actuator, and whose rigs it is for. */
export type Permit = Readonly<{ target: string; executor: PermitExecutor; holdMs: Millis; rigs: readonly string[] }>

export type PermitState = 'none' | 'asked' | 'held' | 'lost'

export type PermitEvents = Readonly<{
  permitHeld(target: string): void
  permitLost(target: string, reason: string): void
}>

export type PermitsOptions = Readonly<{
  clock: Clock
  events: PermitEvents
  permits: readonly Permit[]
  /** Tells the rigs of a permit how it stands, so that they have an alarm; false: not taken, and told again. */
  stands(target: string, rigs: readonly string[], lost: boolean): boolean
}>

/** What was not taken is told again after this. */
const TELL_AGAIN_US: Micros = 1_000_000
/** A stroke is due when this share of the hold is over: two of them may go astray. */
const STROKES_PER_HOLD = 4
/** A stroke that ends a permit at once instead of when its hold is over. */
const DROP_HOLD_MS: Millis = 1
/** A permit is dropped within this; what an actuator has not heard of it does by itself when its hold is over. */
const DROP_WITHIN_MS: Millis = 200

type Kept = {
  readonly permit: Permit
  state: PermitState
  token: number
  strokeUs: Micros
  heldUs: Micros
  open: boolean
  /** What its rigs were told; null for nothing yet. */
  told: boolean | null
  triedUs: Micros
}

/**
 * Permits of actuators (SE-33, SE-34). One begins when people arm a rig of it, and goes on through strokes alone. A permit
 * that was lost, dropped or not answered for as long as it holds begins by another arming and by nothing else.
 */
export class Permits {
  private readonly clock: Clock
  private readonly events: PermitEvents
  private readonly stands: PermitsOptions['stands']
  private readonly kept: readonly Kept[]

  constructor({ clock, events, permits, stands }: PermitsOptions) {
    this.clock = clock
    this.events = events
    this.stands = stands
    const none = { state: 'none', token: -1, strokeUs: -1, heldUs: -1, open: false, told: null } as const
    this.kept = permits.map((permit) => ({ ...none, permit, triedUs: Number.NEGATIVE_INFINITY }))
  }

  get states(): readonly Readonly<{ target: string; state: PermitState }>[] {
    return this.kept.map(({ permit, state }) => ({ target: permit.target, state }))
  }

  /** People have armed a rig: its permits begin with the next token. */
  begin(rig: string): void {
    for (const one of this.kept) {
      if (!one.permit.rigs.includes(rig) || one.state === 'held') continue
      Object.assign(one, { state: 'asked', heldUs: this.clock.monotonicUs() })
    }
  }

  /**
   * Rigs were armed when the process before this one ended, and nobody told their actuators: those are on their own, so what
   * they do is told at once. Of rigs that were not armed nothing is known to be lost.
   */
  endedArmed(rigs: readonly string[]): void {
    for (const one of this.kept)
      if (one.permit.rigs.some((rig) => rigs.includes(rig))) this.lose(one, 'the agent ended while it was armed')
    this.tell()
  }

  /** A token came through; `token` is the agent's time of its tick, so that it grows over restarts. */
  stroke(token: number): void {
    const nowUs = this.clock.monotonicUs()
    for (const one of this.kept) {
      const { permit, state, strokeUs } = one
      if ((state !== 'held' && state !== 'asked') || one.open || !(token > one.token)) continue
      const everyUs = (permit.holdMs * 1000) / STROKES_PER_HOLD
      if (state === 'held' && strokeUs >= 0 && nowUs - strokeUs < everyUs) continue
      Object.assign(one, { token, strokeUs: nowUs, open: true })
      const order = { token, begin: state === 'asked', holdMs: permit.holdMs, timeoutMs: everyUs / 1000 }
      void permit.executor.stroke(order).then((answer) => this.answered(one, answer))
    }
  }

  /** Tells what is lost, and what is held, once each; what the journal does not take is told again. */
  tell(): void {
    const nowUs = this.clock.monotonicUs()
    for (const one of this.kept) {
      const { permit, state, told, triedUs } = one
      if (state !== 'held' && state !== 'lost') continue
      const isLost = state === 'lost'
      if (told === isLost || nowUs - triedUs < TELL_AGAIN_US) continue
      if (this.stands(permit.target, permit.rigs, isLost)) one.told = isLost
      else one.triedUs = nowUs
    }
  }

  /** Ends every permit now: the actuator does what was declared for it. Settles when they were told, or soon. */
  async drop(reason: string): Promise<void> {
    const dropped = this.kept.filter(({ state }) => state === 'held' || state === 'asked')
    for (const one of dropped) this.lose(one, reason)
    await Promise.all(
      dropped.map(({ permit, token }) =>
        permit.executor.stroke({ token: token + 1, begin: false, holdMs: DROP_HOLD_MS, timeoutMs: DROP_WITHIN_MS }),
      ),
    )
  }

  private answered(one: Kept, answer: 'held' | 'lost' | 'no_answer'): void {
    one.open = false
    if (one.state !== 'held' && one.state !== 'asked') return
    const nowUs = this.clock.monotonicUs()
    if (answer === 'held') {
      const isNew = one.state === 'asked'
      Object.assign(one, { state: 'held', heldUs: nowUs })
      if (isNew) this.events.permitHeld(one.permit.target)
    } else if (answer === 'lost') this.lose(one, 'the actuator says so')
    else if (!(nowUs - one.heldUs <= one.permit.holdMs * 1000)) this.lose(one, 'no stroke was answered')
  }

  private lose(one: Kept, reason: string): void {
    one.state = 'lost'
    this.events.permitLost(one.permit.target, reason)
  }
}
