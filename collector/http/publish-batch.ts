import { type BatchDecision, bytesOf, type StoredBatch } from '../store/batches.ts'
import type { LiveFeed } from './live-feed.ts'
import { batchJson, decisionJson } from './views.ts'

/** What pages are told of a stored batch: the batch, its records one by one, and that it was receipted. */
export function publishBatch(feed: LiveFeed, batch: StoredBatch, decisions: readonly BatchDecision[]): void {
  if (feed.clients === 0) return
  const bytes = bytesOf(batch)
  feed.publish({ type: 'batch', batch: { ...batchJson({ ...batch, bytes }), receipt_us: null } })
  for (const d of decisions) {
    if (d.kind === 'range') continue
    const { agent, epoch, batchSeq, recvUs: receiptUs } = batch
    const stored = { ...d, agent, epoch, batchSeq, receiptUs, revisedBy: null, body: JSON.parse(d.body) }
    if (d.kind === 'record') feed.publish({ type: 'decision', decision: decisionJson(stored) })
    else if (d.kind === 'revision') feed.publish({ type: 'revision', revision: decisionJson(stored) })
  }
  feed.publish({ type: 'receipt', receipt: batchJson({ ...batch, bytes }) })
}
