import { randomBytes } from 'node:crypto'
import type { Signer } from '../../shared/crypto/sign.ts'
import type { DecisionItem } from '../../shared/model/decision.ts'
import { type BatchHeader, buildBatch, buildThinned, genesisPrev } from '../../shared/protocol/batch.ts'
import type { CodeIdentity } from '../code-identity.ts'
import type { AgentClock, Journal, Outbox, OutboxEntry } from '../ports.ts'

/** Who signs, and what every header says the same. The epoch is that of the outbox. */
export type BatchIdentity = Readonly<{
  deployment: string
  agent: string
  signer: Signer
  code: CodeIdentity
  bootId: string
}>

/** Gaps of one header; of more, those of a kind are told as one, with what lies between them. */
export const GAPS_MAX = 64

/** What only the evaluator knows at the moment a batch is sealed. */
export type BatchContext = Readonly<{
  span: BatchHeader['span']
  config: Uint8Array
  baselines: Uint8Array[]
  counters: BatchHeader['counters']
  flags: BatchHeader['flags']
  run: string
  journalSeq: number
}>

/** Decisions that were in one batch whose records are gone: `root` is what they come to under `seed`. */
export type ThinnedItem = Readonly<{ kind: 'thinned'; first: number; last: number; root: Uint8Array; seed: Uint8Array }>

/** What a batch is made of. A thinned one is a batch of its own: its root is over just these decisions. */
export type BatchItem = DecisionItem | ThinnedItem

export type BatcherOptions = Readonly<{
  identity: BatchIdentity
  journal: Journal
  outbox: Outbox
  clock: Pick<AgentClock, 'nowUs' | 'wallUs' | 'monotonicUs'>
  itemsMax: number
  /** First record that what is taken first may come from. */
  firstJournalSeq: number
  context(): BatchContext
  sealed(entry: OutboxEntry): void
  failed(cause: unknown): void
}>

export interface Batcher {
  /** Takes an item in order of sequence. Sealed at once when the batch is full. */
  add(item: BatchItem): void
  gap(gap: BatchHeader['gaps'][number]): void
  /** Signs what has been taken so far and settles when it is durable in the outbox. Does nothing when there is nothing. */
  flush(): Promise<void>
  /** Runs `change` between two batches; what it gives is signed before what waits. */
  between(change: () => readonly BatchItem[]): Promise<void>
  readonly waiting: number
  /** Gaps that no batch has told yet. */
  readonly gapsWaiting: number
}

/**
 * Turns decisions into signed, chained batches in the outbox.
 *
 * A batch is durable only after the journal records it was decided from: the journal is synced first, so that no
 * decision is ever outside the agent whose inputs could still be lost (decisions 13). Batches are sealed one after the
 * other, because each names the digest of the one before.
 */
export function createBatcher(options: BatcherOptions): Batcher {
  let items: BatchItem[] = []
  let gaps: BatchHeader['gaps'][number][] = []
  let draining: Promise<void> | null = null
  let { firstJournalSeq } = options

  /** Seals until nothing waits. What could not be sealed goes back to the front: the sequence must stay whole. */
  async function drain(): Promise<void> {
    while (items.length > 0) {
      const taken = items.splice(0, Math.min(options.itemsMax, wholeRun(items)))
      const takenGaps = [...gaps.splice(0), ...passedOver(options.outbox, taken[0]!)]
      const context = options.context()
      try {
        await options.journal.sync()
        const code = { ...options.identity.code, exe: await options.identity.code.exe() }
        const journal = { first: Math.min(firstJournalSeq, context.journalSeq), last: context.journalSeq }
        const fitting = signFitting({ ...options, code }, taken, { gaps: takenGaps, context, journal })
        const { entry, used } = fitting
        items = [...taken.splice(used), ...items]
        await options.outbox.append(entry)
        firstJournalSeq = context.journalSeq + 1
        options.sealed(entry)
      } catch (cause) {
        items = [...taken, ...items]
        gaps = [...takenGaps.filter(({ reason }) => reason !== 'decisions_lost'), ...gaps]
        options.failed(cause)
        throw cause
      }
    }
  }

  function flush(): Promise<void> {
    draining ??= drain().finally(() => {
      draining = null
    })
    return draining
  }

  return {
    add(item) {
      items.push(item)
      // A failure is told through `failed` and tried again by the next flush.
      if (items.length >= options.itemsMax) flush().catch(() => undefined)
    },
    gap(gap) {
      gaps = withGap(gaps, gap)
    },
    flush,
    async between(change) {
      while (draining !== null) await draining.catch(() => undefined)
      items = [...change(), ...items]
    },
    get waiting() {
      return items.length
    },
    get gapsWaiting() {
      return gaps.length
    },
  }
}

/** How many items make one batch: they follow one another without a number left out, and are there in full. */
function wholeRun(items: readonly BatchItem[]): number {
  const end = items.findIndex((item, k) => k > 0 && !followsIn(items[k - 1]!, item))
  return end < 0 ? items.length : end
}

function followsIn(before: BatchItem, item: BatchItem): boolean {
  const whole = before.kind !== 'thinned' && item.kind !== 'thinned'
  return whole && seqRange(item).first === seqRange(before).last + 1
}

/** Numbers between the last batch and the next decision that no batch will ever have, said in the header of the next. */
function passedOver({ chainedThrough }: Outbox, next: BatchItem): BatchHeader['gaps'][number][] {
  const { first } = seqRange(next)
  return first <= chainedThrough + 1 ? [] : [{ from: chainedThrough + 1, to: first - 1, reason: 'decisions_lost' }]
}

type Gap = BatchHeader['gaps'][number]

/** Gaps with one more; when there are many, it is joined with the last of its kind, and what lies between them. */
function withGap(gaps: readonly Gap[], gap: Gap): Gap[] {
  const at = gaps.length < GAPS_MAX ? -1 : gaps.findLastIndex(({ reason }) => reason === gap.reason)
  if (at < 0) return [...gaps, gap]
  const { from, to, reason } = gaps[at]!
  return gaps.with(at, { from: Math.min(from, gap.from), to: Math.max(to, gap.to), reason })
}

type Sealing = Readonly<{
  gaps: BatchHeader['gaps']
  context: BatchContext
  journal: Readonly<{ first: number; last: number }>
}>

/**
 * Signs as many of the items as fit: what waited long makes large batches, and one must fit into a message, and into the
 * outbox with others.
 */
function signFitting(
  options: BatcherOptions & Readonly<{ code: BatchHeader['code'] }>,
  items: readonly BatchItem[],
  sealing: Sealing,
): { entry: OutboxEntry; used: number } {
  for (let used = items.length; ; used = Math.ceil(used / 2)) {
    const entry = sign(options, items.slice(0, used), sealing)
    if (used === 1 || (entry.records?.length ?? 0) <= options.outbox.batchBytesMax) return { entry, used }
  }
}

function sign(
  options: BatcherOptions & Readonly<{ code: BatchHeader['code'] }>,
  items: readonly BatchItem[],
  { gaps, context, journal }: Sealing,
): OutboxEntry {
  const { identity, outbox, clock } = options
  const { signer } = identity
  const firstSeq = seqRange(items[0]!).first
  const count = seqRange(items[items.length - 1]!).last - firstSeq + 1
  const batchSeq = outbox.lastBatchSeq + 1
  const prev =
    outbox.head ??
    genesisPrev({ deployment: identity.deployment, agent: identity.agent, epoch: outbox.epoch, spki: signer.spki })
  const madeUs = clock.nowUs()
  const header: BatchHeader = {
    deployment: identity.deployment,
    agent: identity.agent,
    epoch: outbox.epoch,
    batchSeq,
    prev,
    firstSeq,
    count,
    span: context.span,
    clock: {
      monoUs: clock.monotonicUs(),
      wallUs: clock.wallUs(),
      bootId: identity.bootId,
      sync: 'unknown',
      errorUs: null,
    },
    code: options.code,
    config: context.config,
    baselines: context.baselines,
    gaps,
    counters: context.counters,
    flags: context.flags,
    journal: { id: options.journal.id, ...journal },
    run: context.run,
  }
  const place = { epoch: outbox.epoch, batchSeq, firstSeq, count, madeUs }
  const [only] = items
  if (only?.kind === 'thinned')
    return { ...place, cose: buildThinned({ header, root: only.root, signer }), records: null, seed: only.seed }
  const seed = randomBytes(32)
  return { ...place, ...signedBatch(header, { items: items as readonly DecisionItem[], seed, signer }), seed }
}

function signedBatch(
  header: BatchHeader,
  { items, seed, signer }: { items: readonly DecisionItem[]; seed: Uint8Array; signer: Signer },
): { cose: Uint8Array; records: Uint8Array } {
  const { cose, records } = buildBatch({ header, items, seed, signer })
  return { cose, records }
}

/** First and last sequence number that an item stands for. */
export function seqRange(item: BatchItem): { first: number; last: number } {
  return item.kind === 'record' ? { first: item.seq, last: item.seq } : { first: item.first, last: item.last }
}
