import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import { type BenchClock, createBenchClock } from './bench-clock.ts'
import type { HostTime } from './host-time.ts'
import { createLockstepClient, type LockstepClient } from './lockstep-client.ts'
import { type ActuatorStub, within } from './stubs.ts'

/** Grants of one quantum: one for each answer that an actuator gives, and what follows from it. */
const ROUNDS_MAX = 256

/**
 * How time goes on in a run. In lock-step the agent is granted each quantum and answers when everything that follows from
 * it is done; in free run the clock of this machine goes on, whatever anybody does.
 */
export interface Pace {
  /** Time of actuators and peers. */
  readonly clock: Clock
  /** When the next timer of the bench is due, from the start of the run; null where timers fire by themselves. */
  nextUs(): Micros | null
  /** Lets timers up to then fire; they set what the plant is asked for after it. */
  fireUntil(atUs: Micros): void
  /** A new life of the agent; settles when it can be sent to. */
  greet(atUs: Micros): Promise<void>
  /** The agent is not there: time goes on without it. */
  gone(): void
  /** Everything that was sent up to then is taken, and time goes there. */
  advance(toUs: Micros, sent: Readonly<Record<string, number>>): Promise<void>
  /** How often this machine was too slow for real time. */
  readonly overruns: number
}

/** The other end of a link of the agent, as far as it is counted. */
type Link = Readonly<{
  frames: Readonly<{ taken: number; sent: number }>
  heard(frames: number): Promise<void>
  retire(): void
}>

export class LockstepPace implements Pace {
  readonly clock: BenchClock
  readonly overruns = 0
  private readonly beginUs: Micros
  private readonly endpoint: string
  /** Holds time to that of the wall; null: it goes as fast as it can. */
  private readonly wall: FreePace | null
  readonly stubs: readonly ActuatorStub[]
  private links: readonly (readonly [string, Link])[]
  private readonly host: HostTime
  private client: LockstepClient | null = null
  /** Ends every wait for this life of the agent. */
  private left = new AbortController()
  private before = new Map<string, Readonly<{ taken: number; sent: number }>>()

  constructor(
    options: Readonly<{
      beginUs: Micros
      endpoint: string
      real: boolean
      host: HostTime
      stubs: (clock: Clock) => readonly ActuatorStub[]
    }>,
  ) {
    this.beginUs = options.beginUs
    this.endpoint = options.endpoint
    this.host = options.host
    this.wall = options.real ? new FreePace(options.host.nowUs(), options.host) : null
    this.clock = createBenchClock(options.beginUs)
    this.stubs = options.stubs(this.clock)
    this.links = this.stubs.map(({ spec, link }) => [spec.target, link])
  }

  nextUs(): Micros | null {
    const dueUs = this.clock.nextUs()
    return dueUs === null ? null : dueUs - this.beginUs
  }

  fireUntil(atUs: Micros): void {
    this.clock.moveTo(this.beginUs + atUs)
  }

  async greet(atUs: Micros): Promise<void> {
    this.gone()
    this.left = new AbortController()
    const { endpoint, host } = this
    this.client = createLockstepClient({ endpoint, timeoutMs: host.waitMs, helloMs: host.startMs })
    for (const [, link] of this.links) link.retire()
    // What went between a link and the life before is not for this one: nobody would count it.
    this.before = new Map(this.links.map(([name, link]) => [name, { ...link.frames }] as const))
    await this.client.hello(this.beginUs + atUs)
  }

  async advance(toUs: Micros, sent: Readonly<Record<string, number>>): Promise<void> {
    await this.wall?.advance(toUs)
    const { client, left, host } = this
    if (client === null) return
    const grant = { untilUs: this.beginUs + toUs, frames: sent }
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const heard = this.answers()
      const told = await client.grant({ ...grant, heard })
      for (const [name, link] of this.links) {
        const count = (this.before.get(name)?.taken ?? 0) + (told.sent[name] ?? 0)
        await within(`what the agent sent to ${name}`, link.heard(count), { host, signal: left.signal })
      }
      const now = this.answers()
      if (Object.keys(now).every((target) => now[target] === heard[target])) return
    }
    throw new HbError('BENCH_WAIT', { waited_for: 'an end of answers', expected: ROUNDS_MAX })
  }

  /** Another end of a link of the agent, under the name that the protocol has for it. */
  join(name: string, link: Link): void {
    this.links = [...this.links, [name, link]]
  }

  /** Frames that each other end has sent to this life of the agent. */
  private answers(): Record<string, number> {
    return Object.fromEntries(
      this.links.map(([name, link]) => [name, link.frames.sent - (this.before.get(name)?.sent ?? 0)]),
    )
  }

  gone(): void {
    this.left.abort()
    this.client?.close()
    this.client = null
  }
}

/** Quanta that may be so late before what came of the run says nothing any more. */
const LATE_MS: Millis = 100

export class FreePace implements Pace {
  readonly clock: Clock
  overruns = 0
  private readonly beginUs: Micros

  constructor(beginUs: Micros, clock: Clock) {
    this.beginUs = beginUs
    this.clock = clock
  }

  nextUs(): Micros | null {
    return null
  }

  fireUntil(): void {}

  async greet(): Promise<void> {}

  async advance(toUs: Micros): Promise<void> {
    const left = (): Millis => (this.beginUs + toUs - this.clock.nowUs()) / 1000
    if (left() < -LATE_MS) this.overruns += 1
    // A timer may fire a part of a millisecond early, and what follows from a fault is not to be said before it.
    do await this.clock.sleep(Math.max(0, Math.ceil(left())))
    while (left() > 0)
  }

  gone(): void {}
}
