import type { HbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { Action } from '../shared/model/action.ts'
import type { Provenance } from '../shared/model/telemetry.ts'
import type { Micros } from '../shared/units.ts'

/**
 * The time of an agent: that of the machine as long as it runs like time. A wall clock that jumps, stands still or runs
 * wild is not gone along with; the agent's time then runs on by the monotonic clock, and somebody is told.
 */
export interface AgentClock extends Clock {
  /** What the wall clock says, whatever it is worth. */
  wallUs(): Micros
  /** Time that was evaluated does not come again: goes on from `us` when the wall clock is before it. */
  notBefore(us: Micros): void
  /** How far the wall clock is ahead of the agent's time (negative: behind); null while they are one. */
  aheadUs(): Micros | null
  /** Goes along with the wall clock from now on. */
  follow(): void
}

/** One link of an agent whose time a bench moves. Whatever comes in over it waits until a grant lets it in. */
export interface LinkTurn {
  /** Something arrived; `take` is called in its turn. Settles when there is room for more. */
  arrived(take: () => void): Promise<void> | null
  /** A frame is on its way out: counted when it has gone, and nothing is settled before. */
  handed(frame: Promise<unknown>): void
}

/** What an agent heeds whose time a bench moves (`clock: external`). */
export interface OutsideTime {
  /** Time of this machine, for what waits for its disks, its sockets and its people. */
  readonly host: Clock
  /** Time does not go on before this has settled. Gives it back. */
  hold<T>(work: Promise<T>): Promise<T>
  /** Telemetry of a source waits for its turn too. */
  source(name: string, sink: SourceSink): SourceSink
  link(name: string): LinkTurn
  /** Nothing more is granted, and what is put away needs some time: from here on it runs by itself. */
  letRun(): void
}

/** Telemetry messages exactly as they arrived, from one endpoint in one turn. They are journaled before they are decoded. */
export type RawTelemetry = Readonly<{
  rig: string
  /** Name of the configured source; a JSON sample that names none is from here. */
  origin: string
  encoding: 'cbor' | 'json'
  provenance: Provenance
  messages: readonly Uint8Array[]
  /** Only from a recording, whose own time replaces the wall clock. */
  nowUs?: Micros
  /** The times in it are not to be believed; see `time` of the source. */
  time?: 'arrival'
  /** From a source that can wait: what the journal refuses is offered again instead of lost. */
  waits?: boolean
}>

/**
 * Where a source puts what it receives. `deliver` settles when there is room for more, so a source that can wait
 * (a file) waits; one that cannot (a socket) stops reading and its transport's own limit applies.
 */
export interface SourceSink {
  deliver(raw: RawTelemetry): Promise<void>
  /** Moves time forward for rigs on the `recording` clock. */
  tick(nowUs: Micros): Promise<void>
  /** Nothing more will come: the recording is at its end. */
  ended(): void
}

/** The link of a source that may be away while the agent runs. `trouble` is why it should be looked at; null when all is well. */
export interface SourceLink {
  readonly trouble: HbError | null
  /** Since the start. `retained`: skipped, because what a broker kept for newcomers is not new. */
  readonly counts: Readonly<{ messages: number; retained: number; connections: number }>
}

/** A way in for telemetry. `start` settles when the source is ready to receive; `stop` may be called twice. */
export interface TelemetrySource {
  readonly name: string
  readonly link?: SourceLink
  start(sink: SourceSink): Promise<void>
  stop(): Promise<void>
}

/**
 * A signed batch on its way to the collector. `seed` never leaves the agent before a redaction asks for it. `records` is
 * null when its detail was thinned: the signed header is all there is, and with the seed a replay can prove it.
 */
export type OutboxEntry = Readonly<{
  epoch: number
  batchSeq: number
  firstSeq: number
  count: number
  madeUs: Micros
  cose: Uint8Array
  records: Uint8Array | null
  seed: Uint8Array
}>

export type OutboxPending = Readonly<{ batches: number; bytes: number; oldestUs: Micros | null }>

/** What thinning one file came to: first and last decision. `batches` 0: there was nothing to be thinned in it. */
export type Thinned = Readonly<{ from: number; to: number; batches: number; freed: number }>

export type Thinning = Readonly<{
  /** Says of the records of one batch after the other, in order, whether they only repeat that all is well. */
  isRepetition(records: Uint8Array): boolean
  pause(): Promise<void>
  /** Called when it is noted and before it is done: this has to be told in the header of a batch. */
  tell(span: Readonly<{ from: number; to: number }>): void
}>

/** Decisions `first` to `last`, both included. */
export type DecisionSpan = Readonly<{ first: number; last: number }>

/** The same decisions in spans that are in order and do not touch. */
export function joinSpans(spans: readonly DecisionSpan[]): DecisionSpan[] {
  const joined: DecisionSpan[] = []
  for (const { first, last } of spans.toSorted((a, b) => a.first - b.first)) {
    const before = joined.at(-1)
    if (before !== undefined && first <= before.last + 1)
      joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, last) }
    else joined.push({ first, last })
  }
  return joined
}

/** Bytes of an outbox file that could not be read; the file as it was is put aside. */
export type OutboxDamage = Readonly<{ file: string; bytes: number; reason: string }>

/**
 * Signed batches on disk until the collector has receipted them. `append` settles when the batch would survive a power
 * cut; appending the same batch twice is a bug of the caller. Deletes only what has a verified receipt.
 */
export interface Outbox {
  append(entry: OutboxEntry): Promise<void>
  /** Records that one batch may have, in bytes; a single decision that has more goes alone. */
  readonly batchBytesMax: number
  /** The chain that new batches continue. */
  readonly epoch: number
  beginEpoch(epoch: number): void
  /** New batches cannot follow what is here: batches that may have been sent are missing. */
  readonly chainBroken: boolean
  readonly damage: readonly OutboxDamage[]
  readonly covered: readonly DecisionSpan[]
  unsent(): Iterable<OutboxEntry>
  last(): OutboxEntry | null
  readonly lastBatchSeq: number
  /** Last decision of this epoch's newest batch; before its first one, the last that is receipted. */
  readonly chainedThrough: number
  /** The last decision that is durable here: recovery re-runs the journal silently up to it. */
  readonly lastDecisionSeq: number
  /** Identity of the last batch, for the next one's `prev`; null before the first. */
  readonly head: Uint8Array | null
  readonly receiptedThrough: number
  read(fromBatchSeq: number, max: number): Promise<readonly OutboxEntry[]>
  receipted(batchSeq: number, receipt: Uint8Array): Promise<void>
  pending(): OutboxPending
  close(): Promise<void>
}

export type JournalRecord = Readonly<{ kind: 'record'; seq: number; body: Uint8Array }>
/** Records `fromSeq..toSeq` that cannot be read any more. */
export type JournalDamage = Readonly<{ kind: 'damage'; fromSeq: number; toSeq: number; reason: string }>

/** Evaluation goes on at record `seq`, with the state after record `resumesAfter`; records between are passed over. */
export type JournalCut = Readonly<{ seq: number; resumesAfter: number }>

/**
 * The input journal: the truth (K1). `append` has written when it returns, so a killed process loses nothing of it;
 * `sync` settles when everything appended so far would survive a power cut. Nothing leaves the agent before that.
 */
export interface Journal {
  /** Identity of this journal, 16 random bytes made with the state folder. */
  readonly id: Uint8Array
  readonly firstSeq: number
  readonly lastSeq: number
  readonly durableSeq: number
  append(bodies: readonly Uint8Array[]): { first: number; last: number }
  sync(): Promise<void>
  /** Appends a loss, numbered after `afterSeq` even where the journal ends before: what stood there is never replaced. */
  appendCut(cut: { body: Uint8Array; resumesAfter: number; afterSeq: number }): number
  /** Oldest first. */
  readonly cuts: readonly JournalCut[]
  read(fromSeq: number, toSeq?: number): AsyncGenerator<JournalRecord | JournalDamage>
  /** Keeps the records of a span from being deleted when the journal is at its bound. */
  pin(fromSeq: number, toSeq: number): void
  savePins(): void
  readonly bytes: number
  close(): Promise<void>
}

/** A saved state of the evaluator, after it took in journal record `journalSeq`. */
export type SavedCheckpoint = Readonly<{ journalSeq: number; body: Uint8Array }>

/** Saved states, the last few of them and a thinned-out history for replays. Saving is atomic; one that is damaged is not handed out. */
export interface Checkpoints {
  save(journalSeq: number, body: Uint8Array): Promise<void>
  /** Newest first. */
  newest(): AsyncGenerator<SavedCheckpoint>
  /** Journal position of the oldest one that a start may need; null when there is none yet. */
  neededSeq(): number | null
}

/**
 * One action to be carried out. `key` names it for ever (SE-14): a retry has the same. `budgetMs` is what is left of its
 * time; what arrives later than that is not carried out. `attempt` counts from 1.
 */
export type ExecutorRequest = Readonly<{
  key: string
  rig: string
  action: Action
  target: string
  params: Readonly<Record<string, string | number | boolean>>
  attempt: number
  budgetMs: number
}>

export const EXECUTOR_STATUSES = ['accepted', 'rejected', 'started', 'progress', 'completed', 'failed'] as const

/** `from` is an identity that was verified, or what stands for one where an executor has none (a program, a page). */
export type ExecutorAck = Readonly<{
  key: string
  status: (typeof EXECUTOR_STATUSES)[number]
  from: string
  message: string
}>

/** What an executor tells. Acks may come more than once, late, and for keys of a process before this one. */
export type ExecutorSink = Readonly<{ ack(ack: ExecutorAck): void; up(): void; down(reason: string): void }>

/**
 * Who carries actions out for one target. It decides nothing and never repeats a request by itself: that is the ledger's.
 *
 * `send` settles when the request is handed to the transport and rejects with an HbError (EXECUTOR_UNREACHABLE, `_BUSY`,
 * `_REQUEST`) when it certainly was not. What becomes of it comes as acks, or does not come. `query` and `proof` never
 * reject; no answer in time is an answer. `start` may not be called twice, `stop` may.
 */
export interface Executor {
  readonly target: string
  start(on: ExecutorSink): Promise<void>
  send(request: ExecutorRequest): Promise<void>
  query(key: string, timeoutMs: number): Promise<ExecutorAck | 'unknown_key' | 'no_answer'>
  /** The whole path there and back without an effect (SE-42). */
  proof(timeoutMs: number): Promise<boolean>
  stop(): Promise<void>
}

/** A stroke of the dead-man (SE-33): `token` grows; `begin` alone gives a permit that is not held. */
export type PermitStrokeOrder = Readonly<{ token: number; begin: boolean; holdMs: number; timeoutMs: number }>

/** An executor that drops to a declared effect by itself when strokes stop (SE-34). */
export interface PermitExecutor extends Executor {
  stroke(order: PermitStrokeOrder): Promise<'held' | 'lost' | 'no_answer'>
}

export function isPermitExecutor(executor: Executor): executor is PermitExecutor {
  return 'stroke' in executor
}

/**
 * Who ends the process when no sign of life has come for `everyMs` (systemd); null: it only waits for the first one. `alive` may be
 * called as often as one likes.
 */
export interface Watchdog {
  readonly everyMs: number | null
  alive(): void
}
