import type { Bytes, Micros } from '../../shared/units.ts'
import { type DecisionSpan, joinSpans, type OutboxEntry, type OutboxPending } from '../ports.ts'

/** A batch of a file, without its bytes. */
export type Known = {
  readonly file: OutboxFile
  readonly entrySeq: number
  readonly epoch: number
  readonly batchSeq: number
  readonly firstSeq: number
  readonly count: number
  readonly madeUs: Micros
  bytes: Bytes
  receipted: boolean
  thinned: boolean
}

/** `open`: batches without a receipt. `looked`: what can be thinned of it was, in this life. */
export type OutboxFile = {
  readonly firstSeq: number
  readonly name: string
  bytes: Bytes
  readonly batches: Known[]
  open: number
  looked: boolean
}

export function fileAt(firstSeq: number, name: string): OutboxFile {
  return { firstSeq, name, bytes: 0, batches: [], open: 0, looked: false }
}

/** Adds a batch to the file it stands in. */
export function addKnown(file: OutboxFile, entry: OutboxEntry, { seq, bytes }: { seq: number; bytes: Bytes }): Known {
  const { epoch, batchSeq, firstSeq, count, madeUs, records } = entry
  const place = { file, entrySeq: seq, epoch, batchSeq, firstSeq, count, madeUs }
  const known = { ...place, bytes, receipted: false, thinned: records === null }
  file.batches.push(known)
  file.open += 1
  return known
}

export function spanOf({ firstSeq, count }: Known): DecisionSpan {
  return { first: firstSeq, last: firstSeq + count - 1 }
}

export function bytesOf(files: readonly OutboxFile[]): Bytes {
  return files.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Batches without a receipt, in order. Counted as they come and go: an outbox of weeks holds a million of them. */
export class Waiting {
  private readonly byPlace = new Map<string, Known>()
  private held: Bytes = 0
  /** Of which the detail is gone. */
  thinned = 0

  add(known: Known): void {
    this.byPlace.set(placeOf(known), known)
    this.held += known.bytes
    if (known.thinned) this.thinned += 1
  }

  get(epoch: number, batchSeq: number): Known | undefined {
    return this.byPlace.get(placeOf({ epoch, batchSeq }))
  }

  remove(known: Known): void {
    if (!this.byPlace.delete(placeOf(known))) return
    this.held -= known.bytes
    if (known.thinned) this.thinned -= 1
  }

  /** Its detail is gone, and it has fewer bytes. */
  thin(known: Known, bytes: Bytes): void {
    if (this.byPlace.get(placeOf(known)) === known) {
      this.held += bytes - known.bytes
      if (!known.thinned) this.thinned += 1
    }
    known.bytes = bytes
    known.thinned = true
  }

  /** Leaves only those of one epoch. */
  keepOnly(epoch: number): void {
    for (const known of [...this.byPlace.values()]) if (known.epoch !== epoch) this.remove(known)
  }

  clear(): void {
    this.byPlace.clear()
    this.held = 0
    this.thinned = 0
  }

  pending(): OutboxPending {
    const [oldest] = this.byPlace.values()
    return { batches: this.byPlace.size, bytes: this.held, oldestUs: oldest?.madeUs ?? null }
  }
}

function placeOf({ epoch, batchSeq }: Pick<Known, 'epoch' | 'batchSeq'>): string {
  return `${epoch}/${batchSeq}`
}

/** Whether numbers are missing among the batches of an epoch that may still have to be sent. */
export function missesBatches(
  files: readonly OutboxFile[],
  { epoch, receiptedThrough }: { epoch: number; receiptedThrough: number },
): boolean {
  const numbers = files.flatMap((file) => file.batches.filter((b) => b.epoch === epoch).map((b) => b.batchSeq))
  let next = Math.max(receiptedThrough + 1, numbers[0] ?? 1)
  for (const number of numbers) {
    if (number < next) continue
    if (number !== next) return true
    next += 1
  }
  return false
}

export function coveredBy(
  files: readonly OutboxFile[],
  { epoch, receiptedDecision }: { epoch: number; receiptedDecision: number },
): DecisionSpan[] {
  const chained = files.flatMap(({ batches }) => batches.filter((known) => known.epoch === epoch).map(spanOf))
  return joinSpans([...(receiptedDecision > 0 ? [{ first: 1, last: receiptedDecision }] : []), ...chained])
}

/** The chain of today, the first epoch under its key, and the last decision that it has told durably, or that is receipted. */
export type Ended = Readonly<{ epoch: number; keyEpoch: number; toldThrough: number }>

/** Whether no batch of a file needs a receipt any more: it has one, or another batch tells its decisions again. */
export function needsNothing(file: OutboxFile, ended: Ended): boolean {
  const isDone = (known: Known): boolean =>
    known.receipted || (isOfEnded(known, ended) && spanOf(known).last <= ended.toldThrough)
  return file.open === 0 || file.batches.every(isDone)
}

/** Whether something of an epoch that ended still has to be told again. */
export function isToTellAgain(files: readonly OutboxFile[], ended: Ended): boolean {
  const isLeft = (known: Known): boolean =>
    !known.receipted && isOfEnded(known, ended) && spanOf(known).last > ended.toldThrough
  return files.some(({ open, batches }) => open > 0 && batches.some(isLeft))
}

function isOfEnded({ epoch }: Known, ended: Ended): boolean {
  return epoch < ended.epoch && epoch >= ended.keyEpoch
}
