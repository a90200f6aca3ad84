import { canonicalBytes } from '../../shared/codec/canonical.ts'
import type { JournalInput } from '../../shared/codec/journal-input.ts'
import { equalBytes } from '../../shared/crypto/digest.ts'
import type { VerifyKey } from '../../shared/crypto/sign.ts'
import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import type { Canonical, DecisionItem } from '../../shared/model/decision.ts'
import { openBatch, openThinned, rootOfItems } from '../../shared/protocol/batch.ts'
import type { Effect } from '../core/step.ts'
import type { Checkpoints, Journal, OutboxEntry } from '../ports.ts'
import { type BatchItem, seqRange, type ThinnedItem } from './batcher.ts'
import {
  createEvaluation,
  type Evaluation,
  emittedThrough,
  evaluate,
  type OnClosed,
  restoreEvaluation,
} from './evaluation.ts'
import { isOnPath, walkJournal } from './journal-walk.ts'

/** One journaled input and what the evaluator made of it. `evaluation` is its state after it, the same object every time. */
export type Replayed = Readonly<{
  seq: number
  input: JournalInput
  effects: readonly Effect[]
  evaluation: Evaluation
  /** Signed decisions up to here, that did not come before, cannot come out again: their inputs are lost. 0 when none. */
  lostThrough: number
  /** Records that cannot be read, between the input before and this one, of which the evaluation needed the first. */
  unreadable: Span | null
}>

type Span = Readonly<{ fromSeq: number; toSeq: number; reason: string }>

export type ReplaySource = Readonly<{ journal: Journal; checkpoints: Checkpoints }>

/**
 * Runs the journal again from as early as it reaches: its beginning, or the oldest saved state that it still follows on.
 * Over what was declared lost it goes as the agent did, and behind other damage it goes on from the next saved state.
 *
 * @throws HbError STATE_NOT_RECOVERABLE when there is none.
 */
export async function* replay(source: ReplaySource, closed?: OnClosed): AsyncGenerator<Replayed> {
  const { journal } = source
  let evaluation = journal.firstSeq <= 1 ? createEvaluation() : await oldestUsable(source)
  for (let whole = false, unreadable: Span | null = null; !whole; ) {
    whole = true
    for await (const walked of walkJournal(journal, evaluation.journalSeq)) {
      if (walked.kind === 'unreadable') {
        unreadable = walked
        evaluation = await resumedBehind(source, walked)
        whole = false
        break
      }
      const { seq, input } = walked
      const passedOver = Math.max(
        input.kind === 'loss' ? input.signedThrough : 0,
        unreadable === null ? 0 : emittedThrough(evaluation.state),
      )
      const effects = evaluate(evaluation, seq, input, closed)
      yield { seq, input, effects, evaluation, lostThrough: passedOver, unreadable }
      unreadable = null
    }
  }
}

/**
 * The state to go on from behind unreadable records: the one a declared loss went on from, else the next that was saved.
 * What was decided in between is not looked at.
 */
async function resumedBehind(
  { journal, checkpoints }: ReplaySource,
  damage: { fromSeq: number; reason: string },
): Promise<Evaluation> {
  let next: Evaluation | null = null
  for await (const { journalSeq, body } of checkpoints.newest()) {
    if (journalSeq < damage.fromSeq || !isOnPath(journal.cuts, journalSeq)) continue
    const restored = restoreEvaluation(body)
    if (!('refused' in restored)) next = restored
  }
  if (next !== null) return next
  throw new HbError('STATE_NOT_RECOVERABLE', { missing_from: damage.fromSeq, reason: damage.reason })
}

async function oldestUsable({ journal, checkpoints }: ReplaySource): Promise<Evaluation> {
  let oldest: Evaluation | null = null
  for await (const { journalSeq, body } of checkpoints.newest()) {
    if (journalSeq + 1 < journal.firstSeq || journalSeq > journal.lastSeq || !isOnPath(journal.cuts, journalSeq))
      continue
    const restored = restoreEvaluation(body)
    if (!('refused' in restored)) oldest = restored
  }
  if (oldest !== null) return oldest
  // An agent that found neither journal nor states began anew, and said so.
  if (journal.cuts.some((cut) => cut.resumesAfter === 0)) return createEvaluation()
  throw new HbError('STATE_NOT_RECOVERABLE', {
    first_record: journal.firstSeq,
    reason: 'no saved state that the journal follows on',
  })
}

/** Where re-running gave something else than what was signed. */
export type Difference = Readonly<{ seq: number; batchSeq: number; where: string; signed: string; replayed: string }>

/**
 * What a comparison came to. `unsigned` are decisions that no batch here holds (yet, or any more), `lost` signed ones whose
 * inputs are declared lost.
 */
export type Comparison = {
  compared: number
  /** Of these, decisions whose detail was thinned: what came again comes to the root that was signed. */
  thinned: number
  /** Decisions of thinned batches of which not all came again, so that nothing could be held against the root. */
  uncompared: number
  /** Batches of an earlier key, which were not looked at. */
  unverified: number
  batches: number
  unsigned: number
  missing: number
  lost: number
  difference: Difference | null
}

type Signed = Readonly<{ item: BatchItem; batchSeq: number }>

/** Compares items of a replay with those of signed batches, one after the other, byte for byte. */
export class ItemComparison {
  readonly result: Comparison = {
    compared: 0,
    thinned: 0,
    uncompared: 0,
    batches: 0,
    unverified: 0,
    unsigned: 0,
    missing: 0,
    lost: 0,
    difference: null,
  }
  private readonly signed: Generator<Signed>
  private head: Signed | undefined
  /** What came again of a thinned batch so far. */
  private gathered: DecisionItem[] = []

  /** `keyOf` gives the key that batches of an epoch must be signed with; without one they are read but count as unverified. */
  constructor(batches: Iterable<OutboxEntry>, keyOf: (epoch: number) => VerifyKey | null) {
    this.signed = this.items(batches, keyOf)
    this.head = this.signed.next().value as typeof this.head
  }

  take(item: DecisionItem): void {
    const { first, last } = seqRange(item)
    // Signed before the earliest point this replay could begin at.
    while (this.head !== undefined && seqRange(this.head.item).last < first) {
      if (this.result.compared > 0) this.result.missing += 1
      this.advance()
    }
    if (this.head === undefined || seqRange(this.head.item).first > last) {
      this.result.unsigned += last - first + 1
      return
    }
    const { item: signed, batchSeq } = this.head
    if (signed.kind === 'thinned') {
      this.takeThinned(signed, batchSeq, item)
      return
    }
    this.result.difference ??= differenceOf({ item: signed, batchSeq }, item)
    this.result.compared += last - first + 1
    this.advance()
  }

  /** With the seed of its batch, what came again must come to the root that was signed. */
  private takeThinned(signed: ThinnedItem, batchSeq: number, item: DecisionItem): void {
    this.gathered.push(item)
    const { last } = seqRange(item)
    if (last < signed.last) return
    const { first } = seqRange(this.gathered[0]!)
    const count = last - first + 1
    const isWhole = first === signed.first && last === signed.last
    if (first > signed.first && last === signed.last) this.result.uncompared += count
    else {
      const root = rootOfItems(this.gathered, signed.seed)
      if (!isWhole || !equalBytes(root, signed.root)) {
        const [was, now] = [brief(signed.root), brief(root)]
        this.result.difference ??= { seq: signed.first, batchSeq, where: 'root', signed: was, replayed: now }
      }
      this.result.compared += count
      this.result.thinned += count
    }
    this.advance()
  }

  /** Signed decisions up to this one will not come: their inputs are declared lost. */
  passOver(lastSeq: number): void {
    while (this.head !== undefined && seqRange(this.head.item).first <= lastSeq) {
      const { first, last } = seqRange(this.head.item)
      this.result.lost += last - first + 1
      this.advance()
    }
  }

  /** @returns the result; what was signed and never came again counts as missing. */
  finish(): Comparison {
    while (this.head !== undefined) {
      this.result.missing += 1
      this.advance()
    }
    return this.result
  }

  private advance(): void {
    this.head = this.signed.next().value as typeof this.head
    this.gathered = []
  }

  private *items(batches: Iterable<OutboxEntry>, keyOf: (epoch: number) => VerifyKey | null): Generator<Signed> {
    for (const entry of batches) {
      const key = keyOf(entry.epoch)
      this.result.batches += 1
      // Signed under an earlier key, which is not here: what it says cannot be held against anything.
      if (key === null) this.result.unverified += 1
      else for (const item of verifiedItems(entry, key)) yield { item, batchSeq: entry.batchSeq }
    }
  }
}

/** Decisions of a batch whose signature and roots hold. @throws HbError as `openBatch`, with the number of the batch */
function verifiedItems({ cose, records, seed, batchSeq }: OutboxEntry, key: VerifyKey): readonly BatchItem[] {
  try {
    if (records !== null) return openBatch({ cose, records, key }).items
    const { header, root } = openThinned(cose, key)
    return [{ kind: 'thinned', first: header.firstSeq, last: header.firstSeq + header.count - 1, root, seed }]
  } catch (error) {
    if (!isHbError(error)) throw error
    throw new HbError(error.code, { batch: batchSeq, ...error.context }, { cause: error })
  }
}

const CLASS_NAMES = ['core', 'measurements', 'identifiers', 'limits', 'persons', 'text'] as const

function differenceOf(
  { item: signed, batchSeq }: { item: DecisionItem; batchSeq: number },
  replayed: DecisionItem,
): Difference | null {
  const { first: seq } = seqRange(replayed)
  const at = (where: string, a: unknown, b: unknown): Difference => ({
    seq,
    batchSeq,
    where,
    signed: brief(a),
    replayed: brief(b),
  })
  const [a, b] = [seqRange(signed), seqRange(replayed)]
  if (signed.kind !== replayed.kind || a.first !== b.first || a.last !== b.last)
    return at('span', [signed.kind, a.first, a.last], [replayed.kind, b.first, b.last])
  for (let k = 0; k < CLASS_NAMES.length; k += 1) {
    const [was, now] = [signed.values[k]!, replayed.values[k]!]
    if (!equalBytes(canonicalBytes(was), canonicalBytes(now)))
      return at(`${CLASS_NAMES[k]}${pathOf(was, now)}`, was, now)
  }
  return equalBytes(signed.chain, replayed.chain) ? null : at('chain', signed.chain, replayed.chain)
}

/** Path to the first part that differs, for a person to look at. */
function pathOf(was: Canonical, now: Canonical): string {
  const [a, b] = [entriesOf(was), entriesOf(now)]
  if (a === null || b === null) return ''
  for (const [key, value] of a) {
    const other = b.get(key)
    if (other === undefined || !equalBytes(canonicalBytes(value), canonicalBytes(other)))
      return `.${key}${other === undefined ? '' : pathOf(value, other)}`
  }
  return ''
}

function entriesOf(value: Canonical): Map<string, Canonical> | null {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return null
  if (value instanceof Map) return new Map([...value].map(([key, part]) => [String(key), part]))
  return new Map(Object.entries(value as { [key: string]: Canonical }))
}

function brief(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) => {
    if (part instanceof Uint8Array) return Buffer.from(part).toString('hex')
    return part instanceof Map ? Object.fromEntries(part) : part
  })
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
