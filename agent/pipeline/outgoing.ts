import type { VerifyKey } from '../../shared/crypto/sign.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { type BatchHeader, openBatch, openThinned } from '../../shared/protocol/batch.ts'
import type { Effect } from '../core/step.ts'
import { type DecisionSpan, joinSpans, type Outbox, type OutboxEntry } from '../ports.ts'
import { type BatchItem, seqRange } from './batcher.ts'

/** Decisions that have to be put into batches (again): what recovery collects. */
export interface Outgoing {
  /** First decision that is in no batch here that is, or can be, sent. */
  readonly firstMissing: number
  /** First journal record that decisions of the outbox which are signed anew came from. */
  readonly firstJournalSeq: number
  /** Decisions may have been signed of which nothing is left here. */
  readonly uncertain: boolean
  /** Takes what was decided again and is in no batch. */
  offer(effects: readonly Effect[]): void
  /** In order of sequence, each decision at most once. */
  items(): BatchItem[]
}

/** Batches of an epoch that ended without their receipts are taken apart, verified, to be signed anew in this one. */
export function outgoingOf(outbox: Outbox, key: VerifyKey): Outgoing {
  const byFirst = new Map<number, BatchItem>()
  const { covered } = outbox
  let firstJournalSeq = Number.MAX_SAFE_INTEGER
  for (const entry of outbox.unsent()) {
    const opened = openedOrNull(entry, key)
    if (opened === null) continue
    firstJournalSeq = Math.min(firstJournalSeq, opened.header.journal.first)
    for (const item of opened.items) if (!isCovered(covered, item)) byFirst.set(seqRange(item).first, item)
  }
  const spans = joinSpans([...covered, ...[...byFirst.values()].map(seqRange)])
  // Batches before the oldest one that is here were deleted when they were receipted.
  const [oldest] = spans
  const firstMissing = oldest === undefined ? outbox.lastDecisionSeq + 1 : oldest.last + 1
  return {
    firstMissing,
    firstJournalSeq,
    uncertain: outbox.damage.length > 0,
    offer(effects) {
      for (const effect of effects) {
        if (effect.kind !== 'item') continue
        const { first, last } = seqRange(effect.item)
        if (last >= firstMissing && !isCovered(spans, effect.item)) byFirst.set(first, effect.item)
      }
    },
    items: () => inOrder([...byFirst.values()]),
  }
}

type Opened = Readonly<{ header: BatchHeader; items: readonly BatchItem[] }>

/** What is left of a batch: its decisions, or one item that stands for all of them when they were thinned. */
function openedOrNull({ cose, records, seed }: OutboxEntry, key: VerifyKey): Opened | null {
  try {
    if (records !== null) return openBatch({ cose, records, key })
    const { header, root } = openThinned(cose, key)
    const { firstSeq, count } = header
    return { header, items: [{ kind: 'thinned', first: firstSeq, last: firstSeq + count - 1, root, seed }] }
  } catch (error) {
    if (isHbError(error)) return null
    throw error
  }
}

function isCovered(spans: readonly DecisionSpan[], item: BatchItem): boolean {
  const { first, last } = seqRange(item)
  return spans.some((span) => span.first <= first && span.last >= last)
}

/** A range that was cut short by a loss and the whole of it from a batch begin alike: the longer one says all of it. */
function inOrder(items: readonly BatchItem[]): BatchItem[] {
  const sorted = items.toSorted((a, b) => seqRange(a).first - seqRange(b).first)
  const out: BatchItem[] = []
  for (const item of sorted) {
    const before = out.at(-1)
    if (before === undefined || seqRange(item).first > seqRange(before).last) out.push(item)
  }
  return out
}
