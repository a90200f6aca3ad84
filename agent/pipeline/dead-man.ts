import type { Clock } from '../../shared/lib/clock.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import type { InputHead } from './evaluator.ts'
import type { Permits } from './permits.ts'
import { isMarkOf, type Mark, mint, type RigPulse, type Token } from './pulse.ts'

/** Tokens that may be on their way; beyond, ticks go without one until some have come through. */
export const TOKENS_MAX = 1024
/** The way out is taken by one token at a time, this often in a deadline: what it costs is one sync of the disk. */
const OUT_PER_DEADLINE = 4
/** What is in force is looked at this often, with the next token (SE-40). */
const DEEP_EVERY_US: Micros = 1_000_000

/** What must hold of a rig after a tick: its windows are closed so far, and the kernel has judged as far. */
export type PulseRig = Readonly<{ rig: string; latenessUs: Micros; slideUs: Micros; ruled: boolean }>

/** A part of the way out, and when everything that came before the token has passed it; rejects when it never will. */
export type WayOut = Readonly<{ stage: string; passed: Promise<unknown> }>

export type DeadManLevel = 'well' | 'late' | 'failed'

export type DeadManEvents = Readonly<{
  /** Half of the deadline is over (`late`), all of it (`failed`), or tokens come through again; and where they stay. */
  deadMan(facts: Readonly<{ level: DeadManLevel; stage: string; ageUs: Micros; deadlineUs: Micros }>): void
}>

export type DeadManOptions = Readonly<{
  clock: Clock
  /** Of this life of the agent; nobody else has it. */
  key: Uint8Array
  /** How long after its tick a token may come through. */
  deadlineMs: Millis
  permits: Permits
  events: DeadManEvents
  rigs(): readonly PulseRig[]
  /** Workers that owe an answer. */
  awaited(): readonly string[]
  /** The way that what follows from the evaluation takes before it leaves: the disk, and who carries out. */
  wayOut(): readonly WayOut[]
  /** What is in force on the rigs, once a second. */
  inForce(pulses: readonly RigPulse[]): void
  /** A token came through: the one sign of life. */
  alive(): void
}>

type OnItsWay = Readonly<{ token: Token; mintedUs: Micros; tickUs: Micros }>
type GoingOut = Readonly<{ carried: OnItsWay; open: Set<string> }>

/**
 * The dead-man (SE-33). Every tick that the journal took carries a token through all workers, their windows and the safety
 * kernel, and then the way out; one that comes through all of it inside its deadline strokes the permits and the watchdog of the
 * system, and nothing else does. A timer looks whether they still come: it can only drop permits, never hold them.
 */
export class DeadMan {
  private readonly options: DeadManOptions
  private readonly onTheWay = new Map<number, OnItsWay>()
  /** When the tick was made of the newest token that came through. */
  private throughUs: Micros
  private deepUs: Micros = Number.NEGATIVE_INFINITY
  private level: DeadManLevel = 'well'
  /** Where tokens stay: what was found at the newest one that did not get through; '' when none failed. */
  private failedAt = ''
  /** The newest token that was evaluated and has not gone out, and the one that is going out now. */
  private ready: OnItsWay | null = null
  private out: GoingOut | null = null
  private outUs: Micros = Number.NEGATIVE_INFINITY
  private ticked: 'nothing' | 'refused' | 'taken' = 'nothing'
  private through = 0
  private isStopped = false
  private cancel: () => void = () => {}

  constructor(options: DeadManOptions) {
    this.options = options
    this.throughUs = options.clock.monotonicUs()
  }

  /** Tokens that came through, how old the newest is, and how that is. */
  get vitals(): Readonly<{ through: number; ageUs: Micros; level: DeadManLevel; stage: string; deadlineUs: Micros }> {
    const { through, level, deadlineUs } = this
    return { through, ageUs: this.ageUs, level, stage: level === 'well' ? '' : this.stage(), deadlineUs }
  }

  /** Where tokens stay, before the first one came through too; '' while they come. */
  get stays(): string {
    if (this.through === 0) return 'no token yet'
    return this.level === 'well' ? '' : this.stage()
  }

  get permits(): Permits['states'] {
    return this.options.permits.states
  }

  start(): void {
    const { clock, deadlineMs } = this.options
    this.throughUs = clock.monotonicUs()
    this.cancel = clock.every(deadlineMs / 8, () => {
      this.look()
      // An orderly end drops permits as well, and is nothing to be alarmed of: then nobody looks any more.
      this.options.permits.tell()
    })
  }

  /** The process before this one ended while these rigs were armed. */
  endedArmed(rigs: readonly string[]): void {
    this.options.permits.endedArmed(rigs)
  }

  /** People have armed a rig: its permits begin, when tokens come through. */
  armed(rig: string): void {
    this.options.permits.begin(rig)
  }

  /** Hands a tick in; false: the journal took none. */
  tick(take: () => boolean): void {
    this.ticked = take() ? 'taken' : 'refused'
  }

  /** The token of an input that the journal has; null for one that carries none. */
  token(seq: number, { kind, nowUs }: InputHead): Token | null {
    if (kind !== 'tick' || this.onTheWay.size >= TOKENS_MAX) return null
    const mintedUs = this.options.clock.monotonicUs()
    const deep = mintedUs - this.deepUs >= DEEP_EVERY_US
    if (deep) this.deepUs = mintedUs
    const token = mint(this.options.key, seq, deep)
    this.onTheWay.set(seq, { token, mintedUs, tickUs: nowUs })
    return token
  }

  /** The input was evaluated everywhere, and what follows from it is under way. */
  evaluated(seq: number, marks: readonly Mark[]): void {
    const carried = this.onTheWay.get(seq)
    if (carried === undefined) return
    this.onTheWay.delete(seq)
    const { token, tickUs } = carried
    const pulses = marks.flatMap(({ rigs }) => rigs)
    const isMarked = marks.every((mark) => isMarkOf(token, mark))
    const lacks = isMarked ? this.lacking(pulses, tickUs) : 'a worker'
    if (token.deep && isMarked) this.options.inForce(pulses)
    if (lacks !== null || !this.isInTime(carried)) {
      this.fail(lacks ?? 'evaluation')
      return
    }
    this.ready = carried
    this.goOut()
  }

  /** Ends permits, and says nothing any more: before the process ends, whether it is to or not. */
  async stop(reason: string): Promise<void> {
    this.isStopped = true
    this.cancel()
    await this.options.permits.drop(reason)
  }

  private get deadlineUs(): Micros {
    return this.options.deadlineMs * 1000
  }

  private get ageUs(): Micros {
    return this.options.clock.monotonicUs() - this.throughUs
  }

  private isInTime({ mintedUs }: OnItsWay): boolean {
    return this.options.clock.monotonicUs() - mintedUs <= this.deadlineUs
  }

  private fail(stage: string): void {
    this.failedAt = stage
    this.look()
  }

  /** Takes the newest token that is ready the way out, when none is on it. */
  private goOut(): void {
    const { ready: carried } = this
    const nowUs = this.options.clock.monotonicUs()
    if (carried === null || this.out !== null || nowUs - this.outUs < this.deadlineUs / OUT_PER_DEADLINE) return
    this.ready = null
    this.outUs = nowUs
    const parts = this.options.wayOut()
    const open = new Set(parts.map(({ stage }) => stage))
    this.out = { carried, open }
    const passing = parts.map(({ stage, passed }) => passed.then(() => open.delete(stage)))
    const over = (then: () => void): void => {
      this.out = null
      then()
    }
    Promise.all(passing).then(
      () => over(() => this.cameThrough(carried)),
      () => over(() => this.fail([...open][0]!)),
    )
  }

  private cameThrough(carried: OnItsWay): void {
    // A deadline that passed while nobody could look has passed all the same.
    this.look()
    if (!this.isInTime(carried)) return
    this.throughUs = Math.max(this.throughUs, carried.mintedUs)
    this.through += 1
    this.failedAt = ''
    this.look()
    if (this.isStopped) return
    this.options.permits.stroke(carried.tickUs)
    this.options.alive()
  }

  private look(): void {
    const { ageUs, deadlineUs } = this
    const level = ageUs < deadlineUs / 2 ? 'well' : ageUs < deadlineUs ? 'late' : 'failed'
    if (level === this.level) return
    this.level = level
    const stage = level === 'well' ? '' : this.stage()
    this.options.events.deadMan({ level, stage, ageUs, deadlineUs })
    if (level === 'failed') void this.options.permits.drop(`no token came through: ${stage}`)
  }

  /** Where tokens stay. */
  private stage(): string {
    if (this.out !== null && this.options.clock.monotonicUs() - this.outUs >= this.deadlineUs / OUT_PER_DEADLINE)
      return [...this.out.open][0]!
    if (this.ticked !== 'taken') return this.ticked === 'refused' ? 'journal' : 'clock'
    const [worker] = this.options.awaited()
    if (worker !== undefined) return worker
    if (this.onTheWay.size > 0) return 'evaluation'
    return this.failedAt === '' ? 'clock' : this.failedAt
  }

  /** What is wrong with what the workers say after a tick at `tickUs`; null when every rig is where it must be. */
  private lacking(pulses: readonly RigPulse[], tickUs: Micros): string | null {
    const rigs = this.options.rigs()
    if (pulses.length !== rigs.length) return 'a worker'
    for (const [index, { rig, latenessUs, slideUs, ruled }] of rigs.entries()) {
      const pulse = pulses.find((one) => one.rig === index)
      if (pulse === undefined) return `the worker of ${rig}`
      if (!(pulse.closedUs > tickUs - latenessUs - 2 * slideUs)) return `the windows of ${rig}`
      if (ruled && !(pulse.gateUs !== null && pulse.gateUs >= pulse.closedUs)) return `the gates of ${rig}`
    }
    return null
  }
}
