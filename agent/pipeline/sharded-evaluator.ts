import { canonicalBytes } from '../../shared/codec/canonical.ts'
import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Canonical } from '../../shared/model/decision.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import { arraysOfMonitor } from '../core/detectors/monitor.ts'
import { replaceChannel } from '../core/replaced.ts'
import { changeRun, type Time } from '../core/rig-step.ts'
import { sequenceOutcome } from '../core/sequence.ts'
import { snapshotRig } from '../core/snapshot.ts'
import { advanceClock, closeAtStop, type Effect } from '../core/step.ts'
import { evaluatorDigests } from './digests.ts'
import { checkpointBody, type Evaluation, emittedThrough } from './evaluation.ts'
import type { Evaluator, InputHead, SavedState, Told } from './evaluator.ts'
import { sentSettings } from './injected-trust.ts'
import type { Mark, Token } from './pulse.ts'
import { applyView, lookAlike } from './rig-view.ts'
import type { ShardOutcome, ShardReply, ShardRound, ShardStart } from './shard.ts'

/** Where a part of the rigs is evaluated. Rounds of one shard are given one after the other. */
export interface ShardThread {
  start(start: ShardStart): Promise<void>
  take(round: ShardRound): Promise<ShardReply>
  close(): Promise<void>
}

/** Inputs, and bytes of their bodies, that may wait for the round before them; past it sources are held back. */
export const WAITING_INPUTS_MAX = 16_384
export const WAITING_BYTES_MAX = 64 * 1024 * 1024
/**
 * Rounds begin at least this far apart: crossing threads costs some thirty messages' worth of time, so under load a round
 * has to carry many. One that comes alone is not held back.
 */
const ROUND_EVERY_MS: Millis = 2
/** People look this often, a little more than they are shown something, so that something is always there to be shown. */
const LOOK_EVERY_US: Micros = 250_000

type Taken = Readonly<{
  seq: number
  head: InputHead
  /** Rig that the input brings something to; null for none in particular. */
  rig: string | null
  body: Uint8Array
  time: Time
  token: Token | null
  clockBack: Readonly<{ count: number; worstUs: Micros }>
}>

export type ShardedOptions = Readonly<{
  evaluation: Evaluation
  threads: readonly ShardThread[]
  told: Told
  /** Monotonic time, for how often rounds begin and somebody looks. */
  nowUs(): Micros
  after(ms: Millis, run: () => void): void
  /** A thread or what was made of its answer is broken: nothing more will be told, and the process has to end. */
  broken(cause: unknown): void
}>

/**
 * Evaluates rigs on several threads, and gives their decisions one sequence here.
 *
 * Inputs go round by round: while one round is evaluated the next collects, so a round is as large as the load makes it.
 * Every thread sees the time of every input and the bodies of its own rigs; what the threads find is put in order input by
 * input and rig by rig, as one thread would have found it. After a round every thread stands at the same input, so a
 * state can be saved there.
 */
export async function shardedEvaluator(options: ShardedOptions): Promise<Evaluator> {
  const { evaluation, threads } = options
  const { rigs } = evaluation.state
  const shardOf = rigs.map((_, index) => index % threads.length)
  await Promise.all(
    threads.map((thread, shard) =>
      thread.start({
        rigs: rigs.flatMap((rig, index) =>
          shardOf[index] === shard
            ? [{ index, settings: sentSettings(rig.settings), state: canonicalBytes(snapshotRig(rig)) }]
            : [],
        ),
      }),
    ),
  )
  evaluation.state.rigs = rigs.map(lookAlike)
  return new ShardedEvaluator(options, shardOf)
}

function marksAt(replies: readonly ShardReply[], input: number): Mark[] {
  return replies.flatMap(({ marks }) => marks.flatMap(([at, mark]) => (at === input ? [mark] : [])))
}

type Deferred<T> = Readonly<{ promise: Promise<T>; resolve(value: T): void }>

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

class ShardedEvaluator implements Evaluator {
  readonly evaluation: Evaluation
  private readonly options: ShardedOptions
  private readonly shardOf: readonly number[]
  private readonly indexOf: ReadonlyMap<string, number>
  /** Time and its faults as of the newest input taken. */
  private readonly clock: { nowUs: Micros; clockBack: { count: number; worstUs: Micros } }
  private queue: Taken[] = []
  /** Threads that the round now waits for. */
  private readonly asked = new Set<number>()
  private waitingBytes = 0
  private newestSeq = 0
  private running: Promise<void> | null = null
  private lookedUs = Number.NEGATIVE_INFINITY
  private begunUs = Number.NEGATIVE_INFINITY
  private roomWanted: Deferred<void> | null = null
  private saveWanted: Deferred<SavedState> | null = null

  constructor(options: ShardedOptions, shardOf: readonly number[]) {
    const { state } = options.evaluation
    this.options = options
    this.evaluation = options.evaluation
    this.shardOf = shardOf
    this.indexOf = new Map(state.rigs.map((rig, index) => [rig.settings.rig, index]))
    this.clock = { nowUs: state.nowUs, clockBack: { ...state.clockBack } }
  }

  get waiting(): number {
    return this.queue.length
  }

  get awaited(): readonly string[] {
    return [...this.asked].sort((a, b) => a - b).map((shard) => `worker ${shard}`)
  }

  get nowUs(): Micros {
    return this.clock.nowUs
  }

  take(seq: number, input: JournalInput, body: Uint8Array, token: Token | null = null): void {
    invariant(input.kind !== 'config' && input.kind !== 'loss', 'configurations and losses are taken before rigs part')
    const time = advanceClock(this.clock, input)
    this.newestSeq = seq
    const rig = 'rig' in input ? input.rig : null
    this.lookAhead(input)
    const { kind, nowUs } = input
    const head = input.kind === 'operator' ? { kind, nowUs, command: input.command } : { kind, nowUs }
    this.queue.push({ seq, head, rig, body, time, token, clockBack: { ...this.clock.clockBack } })
    this.waitingBytes += body.length
    this.run()
  }

  room(): Promise<void> | null {
    if (this.queue.length < WAITING_INPUTS_MAX && this.waitingBytes < WAITING_BYTES_MAX) return null
    this.roomWanted ??= deferred<void>()
    return this.roomWanted.promise
  }

  async settled(): Promise<void> {
    while (this.running !== null) await this.running
  }

  told(): Promise<void> | null {
    const last = this.newestSeq
    return this.evaluation.journalSeq >= last ? null : this.toldThrough(last)
  }

  private async toldThrough(seq: number): Promise<void> {
    while (this.running !== null && this.evaluation.journalSeq < seq) await this.running
  }

  save(): Promise<SavedState> {
    this.saveWanted ??= deferred<SavedState>()
    const { promise } = this.saveWanted
    this.run()
    return promise
  }

  async close(): Promise<void> {
    await this.settled()
    await Promise.all(this.options.threads.map((thread) => thread.close()))
  }

  /** Who asks about a rig's mode and run is told at once what it was ordered to; decisions say it from their slide on. */
  private lookAhead(input: JournalInput): void {
    if (input.kind !== 'mode' && input.kind !== 'run' && input.kind !== 'channel') return
    const rig = this.evaluation.state.rigs[this.indexOf.get(input.rig) ?? -1]
    if (rig === undefined) return
    if (input.kind === 'mode') rig.mode = input.mode
    else if (input.kind === 'channel') replaceChannel(rig, input, this.clock.nowUs)
    else changeRun(rig, input)
  }

  private run(): void {
    if (this.running !== null || (this.queue.length === 0 && this.saveWanted === null)) return
    this.running = this.spaced()
      .then(() => this.round())
      .then(
        () => {
          this.running = null
          this.run()
        },
        // Stays running for ever: what was not evaluated must not look as if it had been, and who waits for it waits until the
        // process ends. Settled, it would be awaited again at once, without a turn in which the process could end.
        (cause) => {
          this.options.broken(cause)
          return new Promise<never>(() => undefined)
        },
      )
  }

  /** Settles when the next round may begin. */
  private async spaced(): Promise<void> {
    if (this.options.nowUs() - this.begunUs < ROUND_EVERY_MS * 1000)
      await new Promise<void>((resolve) => this.options.after(ROUND_EVERY_MS, resolve))
    this.begunUs = this.options.nowUs()
  }

  private async round(): Promise<void> {
    const taken = this.queue
    const save = this.saveWanted
    this.queue = []
    this.waitingBytes = 0
    this.saveWanted = null
    this.roomWanted?.resolve(undefined)
    this.roomWanted = null
    const nowUs = this.options.nowUs()
    // Who ordered something is about to look at what came of it.
    const isOrdered = taken.some(({ head }) => head.kind === 'policy')
    const look = isOrdered || nowUs - this.lookedUs >= LOOK_EVERY_US
    if (look) this.lookedUs = nowUs
    const times = taken.map(({ time }) => time)
    const tokens = taken.flatMap(({ token }, input) => (token === null ? [] : [[input, token] as const]))
    const replies = await Promise.all(
      this.options.threads.map(async (thread, shard) => {
        this.asked.add(shard)
        const reply = await thread.take({
          times,
          tokens,
          bodies: this.bodiesFor(shard, taken),
          look,
          save: save !== null,
        })
        this.asked.delete(shard)
        return reply
      }),
    )
    this.tell(taken, replies)
    if (save !== null) save.resolve(this.saved(replies))
  }

  private bodiesFor(shard: number, taken: readonly Taken[]): [number, Uint8Array][] {
    const bodies: [number, Uint8Array][] = []
    taken.forEach(({ rig, head, body }, input) => {
      // The end and the begin of the agent are about every rig.
      if (head.kind === 'operator') {
        bodies.push([input, body])
        return
      }
      const index = rig === null ? undefined : this.indexOf.get(rig)
      if (index !== undefined && this.shardOf[index] === shard) bodies.push([input, body])
    })
    return bodies
  }

  private tell(taken: readonly Taken[], replies: readonly ShardReply[]): void {
    const { evaluation } = this
    const outcomes = replies.flatMap((reply) => reply.outcomes)
    outcomes.sort((a, b) => a.input - b.input || a.phase - b.phase || a.rig - b.rig)
    // Views are of the end of the round: nothing is told between two inputs of it but decisions.
    for (const { views } of replies) for (const [rig, view] of views) applyView(evaluation.state.rigs[rig]!, view)
    let next = 0
    taken.forEach(({ seq, head, time, clockBack }, input) => {
      Object.assign(evaluation.state, { nowUs: time.nowUs, clockBack })
      evaluation.journalSeq = seq
      const effects: Effect[] = []
      for (; outcomes[next]?.input === input; next += 1) effects.push(...this.sequenced(outcomes[next]!))
      effects.push(...closeAtStop(evaluation.state, head))
      this.options.told(effects, head, seq, marksAt(replies, input))
    })
  }

  private sequenced({ rig: index, outcome, shown }: ShardOutcome): Effect[] {
    const { state } = this.evaluation
    const rig = state.rigs[index]!
    if (shown === null || outcome.kind !== 'slide') return sequenceOutcome(state, index, outcome, evaluatorDigests)
    for (const [w, rows] of shown.windowRows.entries()) rig.windowRows[w]!.set(rows)
    rig.newestUs.set(shown.newestUs)
    const arrays = [...rig.monitors.values()].flatMap(arraysOfMonitor)
    for (const [k, array] of arrays.entries()) array.set(shown.monitors[k]!)
    return sequenceOutcome(state, index, { ...outcome, judgements: shown.judgements }, evaluatorDigests)
  }

  private saved(replies: readonly ShardReply[]): SavedState {
    const { evaluation } = this
    const states = new Map<number, Canonical>(replies.flatMap((reply) => reply.states ?? []))
    const rigs = evaluation.state.rigs.map((_, index) => states.get(index)!)
    const { journalSeq, state } = evaluation
    return { journalSeq, body: checkpointBody(evaluation, rigs), emitted: emittedThrough(state) }
  }
}
