import type { OutboxEntry } from '../../agent/ports.ts'
import { type ChainHead, judgeBatch } from '../../collector/core/chain.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import type { VerifyKey } from '../../shared/crypto/sign.ts'
import type { Canonical, DecisionItem } from '../../shared/model/decision.ts'
import { type BatchHeader, genesisPrev, openBatch, openThinned } from '../../shared/protocol/batch.ts'

const FACTS = { deployment: 'demo', agent: 'bench-1' }

/** A collector without a network or a database: the same questions to a batch, and everything it took. */
export class ModelCollector {
  head: ChainHead | null = null
  /** Decisions that never came, by what accepted batches skipped. */
  skipped = 0
  /** Spans that headers declared, by reason. */
  readonly declared: { from: number; to: number; reason: string }[] = []
  readonly items = new Map<number, { last: number; bytes: string; chain: string }>()
  /** Batches that came without their records. */
  thinned = 0
  private readonly batches = new Map<string, Uint8Array>()
  private readonly key: VerifyKey

  constructor(key: VerifyKey) {
    this.key = key
  }

  /** What it has now, apart from this one. */
  copy(): ModelCollector {
    const copy = new ModelCollector(this.key)
    copy.head = this.head
    for (const [first, item] of this.items) copy.items.set(first, item)
    for (const [place, identity] of this.batches) copy.batches.set(place, identity)
    return copy
  }

  /** @returns null when it was taken (now or before), else why not */
  offer(entry: OutboxEntry): string | null {
    const { cose, records } = entry
    const { header, identity } = openThinned(cose, this.key)
    const items = records === null ? [] : openBatch({ cose, records, key: this.key }).items
    const place = `${header.epoch}/${header.batchSeq}`
    const verdict = judgeBatch(
      {
        head: this.head,
        genesis: genesisPrev({ ...FACTS, epoch: header.epoch, spki: this.key.spki }),
        stored: this.batches.get(place) ?? null,
        repeatsStored: records === null ? this.repeatsThinned(header) : this.repeatsStored(items),
        programs: new Map([['water-loop', 'demo']]),
      },
      {
        ...header,
        identity,
        rigs: ['water-loop'],
        lost: header.gaps
          .filter(({ reason }) => reason === 'decisions_lost')
          .map(({ from, to }) => ({ first: from, last: to })),
      },
    )
    if (verdict.verdict === 'duplicate') return null
    if (verdict.verdict !== 'accept') return `${verdict.verdict}: ${verdict.detail}`
    this.head = verdict.head
    this.skipped += verdict.skipped
    this.declared.push(...header.gaps)
    this.batches.set(place, identity)
    for (const item of items) this.keep(item)
    if (records === null) this.thinned += 1
    return null
  }

  /** What is stored stands; without its records nothing can be held against what comes. */
  private repeatsThinned({ firstSeq }: BatchHeader): boolean | null {
    return firstSeq >= (this.head?.nextSeq ?? 1) ? null : true
  }

  private keep(item: DecisionItem): void {
    const { first, last } = spanOf(item)
    const kept = { last, bytes: bytesOf(item), chain: toHex(item.chain) }
    const before = this.items.get(first)
    if (before !== undefined && before.bytes !== kept.bytes) throw new Error(`decision ${first} has a second content`)
    this.items.set(first, kept)
  }

  private repeatsStored(items: readonly DecisionItem[]): boolean | null {
    const last = items.findLast((item) => spanOf(item).first < (this.head?.nextSeq ?? 1))
    const stored = last === undefined ? undefined : this.items.get(spanOf(last).first)
    if (last === undefined || stored === undefined) return null
    return stored.last === spanOf(last).last && stored.chain === toHex(last.chain)
  }
}

function spanOf(item: DecisionItem): { first: number; last: number } {
  return item.kind === 'record' ? { first: item.seq, last: item.seq } : { first: item.first, last: item.last }
}

function bytesOf(item: DecisionItem): string {
  return toHex(canonicalBytes([item.values as unknown as Canonical, item.chain]))
}
