import { randomBytes } from 'node:crypto'
import type { Signer } from '../../shared/crypto/sign.ts'
import type { DecisionItem } from '../../shared/model/decision.ts'
import { type BatchHeader, buildBatch, genesisPrev } from '../../shared/protocol/batch.ts'
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
  add(item: DecisionItem): void
  gap(gap: BatchHeader['gaps'][number]): void
  /** Signs what has been taken so far and settles when it is durable in the outbox. Does nothing when there is nothing. */
  flush(): Promise<void>
  /** Runs `change` between two batches; what it gives is signed before what waits. */
  between(change: () => readonly DecisionItem[]): Promise<void>
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
  let items: DecisionItem[] = []
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
        const entry = sign({ ...options, code }, taken, takenGaps, context, {
          first: Math.min(firstJournalSeq, context.journalSeq),
          last: context.journalSeq,
        })
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
      gaps.push(gap)
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

/** How many items follow one another without a number left out: a batch never holds a hole. */
function wholeRun(items: readonly DecisionItem[]): number {
  const end = items.findIndex((item, k) => k > 0 && seqRange(item).first !== seqRange(items[k - 1]!).last + 1)
  return end < 0 ? items.length : end
}

/** Numbers between the last batch and the next decision that no batch will ever have, said in the header of the next. */
function passedOver({ chainedThrough }: Outbox, next: DecisionItem): BatchHeader['gaps'][number][] {
  const { first } = seqRange(next)
  return first <= chainedThrough + 1 ? [] : [{ from: chainedThrough + 1, to: first - 1, reason: 'decisions_lost' }]
}

function sign(
  options: BatcherOptions & Readonly<{ code: BatchHeader['code'] }>,
  items: readonly DecisionItem[],
  gaps: BatchHeader['gaps'],
  context: BatchContext,
  journal: { first: number; last: number },
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
  const seed = randomBytes(32)
  const { cose, records } = buildBatch({ header, items: [...items], seed, signer })
  return { epoch: outbox.epoch, batchSeq, firstSeq, count, madeUs, cose, records, seed }
}

/** First and last sequence number that an item stands for. */
export function seqRange(item: DecisionItem): { first: number; last: number } {
  return item.kind === 'record' ? { first: item.seq, last: item.seq } : { first: item.first, last: item.last }
}
