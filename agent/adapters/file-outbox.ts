import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { coseIdentity } from '../../shared/crypto/cose.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Bytes } from '../../shared/units.ts'
import type { DecisionSpan, Outbox, OutboxDamage, OutboxEntry, OutboxPending } from '../ports.ts'
import type { Files } from './files.ts'
import { batchBody, type OutboxRecord, putAside, RECEIPT, readOutboxFile } from './outbox-files.ts'
import {
  addKnown,
  bytesOf,
  coveredBy,
  type Ended,
  fileAt,
  isToTellAgain,
  type Known,
  missesBatches,
  needsNothing,
  type OutboxFile,
  spanOf,
  Waiting,
} from './outbox-index.ts'
import { OutboxThinner } from './outbox-thinning.ts'
import { OutboxWriter } from './outbox-writer.ts'

/** Records of one batch, well below a message of the session; of a small outbox an eighth. */
export const BATCH_BYTES_MAX: Bytes = 4 * 1024 * 1024
const NAME = /^(\d{16})\.hbo$/

export type OutboxOptions = Readonly<{
  folder: string
  /** Chain that new batches continue. */
  epoch: number
  /** First epoch that was signed with the key of today. */
  keyEpoch: number
  /** Id of the journal beside it: records of another owner are damage. */
  owner: Uint8Array
  bytesMax: Bytes
  readOnly?: boolean
}>

/**
 * Signed batches as files of records: body `[1, epoch, batch_seq, first_seq, count, made_us, cose, records, seed]` for a
 * batch, `[3, …, cose, seed]` for one whose records made room, `[2, epoch, batch_seq, receipt]` for a receipt.
 *
 * Receipted batches stay for `hb replay` and for looking back until the bound needs their room; the newest file always
 * stays, so that the chain and the numbers go on after everything was sent. At the bound, with nothing receipted left to
 * delete, a new batch is refused: what has no receipt is never deleted.
 *
 * Damage never stops a start: what can be read is kept, the file as it was is put aside, and `chainBroken` says whether
 * new batches can follow what is left.
 */
export class FileOutbox implements Outbox {
  epoch: number
  lastBatchSeq = 0
  lastDecisionSeq = 0
  head: Uint8Array | null = null
  receiptedThrough = 0
  chainedThrough = 0
  chainBroken = false
  readonly damage: readonly OutboxDamage[]
  readonly thinner: OutboxThinner
  /** What stands behind the last whole record: begun and never finished, or damaged since. Put aside by a start. */
  torn: Readonly<{ file: string; bytes: Bytes; reason: string }> | null = null
  private readonly files: Files
  private readonly options: OutboxOptions
  private readonly list: OutboxFile[] = []
  private readonly writer: OutboxWriter
  private durableThrough = 0
  /** Last decision of the newest durable batch of this epoch. */
  private durableDecision = 0
  /** Last decision of all that is receipted: the collector takes them in order. */
  private receiptedDecision = 0
  private readonly waiting = new Waiting()
  /** Told of every batch that was kept, and of every one for which there was no room. */
  watcher: { appended(bytes: Bytes): void; full(): void } | null = null

  constructor(files: Files, options: OutboxOptions) {
    this.files = files
    this.options = options
    this.writer = new OutboxWriter(files, { ...options, list: this.list })
    this.epoch = options.epoch
    const names = files
      .readdirSync(options.folder)
      .filter((name) => NAME.test(name))
      .sort()
    const damage: OutboxDamage[] = []
    names.forEach((name, k) => {
      this.load(name, { isLast: k === names.length - 1, damage })
    })
    this.damage = damage
    this.thinner = new OutboxThinner(files, { ...options, list: this.list, waiting: this.waiting })
    if (missesBatches(this.list, this)) this.chainBroken = true
    this.durableThrough = this.lastBatchSeq
    if (this.lastBatchSeq > 0) this.durableDecision = this.chainedThrough
    if (this.lastBatchSeq === 0) this.chainedThrough = this.receiptedDecision
    // Batches of an earlier epoch cannot follow this one's: they go out as part of this one, or not at all.
    this.waiting.keepOnly(options.epoch)
  }

  /** Ends the chain of before: the next batch is the first of its epoch. What had no receipt is in `unsent` from now on. */
  beginEpoch(epoch: number): void {
    invariant(epoch > this.epoch, 'epochs only go up')
    this.epoch = epoch
    this.chainBroken = false
    this.lastBatchSeq = 0
    this.durableThrough = 0
    this.durableDecision = 0
    this.head = null
    this.receiptedThrough = 0
    this.chainedThrough = this.receiptedDecision
    this.waiting.clear()
  }

  /** Decisions that need no further batch: receipted ones and all before them, and those in batches of this epoch. */
  get covered(): readonly DecisionSpan[] {
    return coveredBy(this.list, { epoch: this.epoch, receiptedDecision: this.receiptedDecision })
  }

  /** Batches of earlier epochs, signed with the key of today, that nobody has receipted. Oldest first. */
  *unsent(): Generator<OutboxEntry> {
    for (const file of this.list) {
      const wanted = new Set(
        file.batches
          .filter((b) => !b.receipted && b.epoch < this.epoch && b.epoch >= this.options.keyEpoch)
          .map((b) => b.entrySeq),
      )
      if (wanted.size === 0) continue
      for (const record of this.recordsOf(file))
        if (record.kind === 'batch' && wanted.has(record.seq)) yield record.entry
    }
  }

  /** The newest batch that can be read, of any epoch. */
  last(): OutboxEntry | null {
    const file = this.list.findLast(({ batches }) => batches.length > 0)
    if (file === undefined) return null
    let last: OutboxEntry | null = null
    for (const record of this.recordsOf(file)) if (record.kind === 'batch') last = record.entry
    return last
  }

  get bytes(): Bytes {
    return bytesOf(this.list)
  }

  /** Bytes that cannot make room for others: of files with a batch that still needs its receipt, and of the newest. */
  get held(): Bytes {
    return bytesOf(this.list.filter((file) => !this.mayGo(file)))
  }

  get batchBytesMax(): Bytes {
    return Math.min(BATCH_BYTES_MAX, this.options.bytesMax / 8)
  }

  get bytesMax(): Bytes {
    return this.options.bytesMax
  }

  /** Batches without a receipt whose detail was thinned. */
  get thinnedWaiting(): number {
    return this.waiting.thinned
  }

  get hasThinned(): boolean {
    return this.list.some(({ batches }) => batches.some(({ thinned }) => thinned))
  }

  async append(entry: OutboxEntry): Promise<void> {
    const isNext = entry.batchSeq === this.lastBatchSeq + 1 && entry.epoch === this.epoch
    invariant(isNext, 'batches are appended in order, each once')
    const body = batchBody(entry)
    this.makeRoom(body.length)
    const { lastBatchSeq, lastDecisionSeq, chainedThrough, head } = this
    const written = this.writer.write(body)
    const taken = this.keep(written.file, { seq: written.seq, bytes: body.length, entry })
    try {
      await this.writer.sync()
      this.durableThrough = entry.batchSeq
      this.durableDecision = this.chainedThrough
      this.watcher?.appended(body.length)
    } catch (cause) {
      // It will be signed anew under this number, and was never sent: as if it had not been. Receipts behind it are given again.
      written.file.batches.pop()
      written.file.open -= 1
      this.waiting.remove(taken)
      Object.assign(this, { lastBatchSeq, lastDecisionSeq, chainedThrough, head })
      this.writer.takeBack(written)
      throw cause
    }
  }

  async read(fromBatchSeq: number, max: number): Promise<readonly OutboxEntry[]> {
    const entries: OutboxEntry[] = []
    for (const file of this.list) {
      if (entries.length >= max) break
      if (!file.batches.some((b) => b.epoch === this.epoch && b.batchSeq >= fromBatchSeq)) continue
      for (const entry of this.entriesOf(file)) {
        // Nothing leaves before it would survive a power cut.
        const isMeant = entry.batchSeq >= fromBatchSeq && entry.batchSeq <= this.durableThrough
        if (entry.epoch === this.epoch && isMeant && entries.length < max) entries.push(entry)
      }
    }
    return entries
  }

  /**
   * Every batch that is still here, of every epoch, oldest first; but not those of an epoch that ended whose decisions
   * were signed anew in a later one.
   */
  *all(): Generator<OutboxEntry> {
    for (const file of this.list) {
      const counting = new Set(
        file.batches
          .filter((b) => b.receipted || b.epoch === this.epoch || b.epoch < this.options.keyEpoch)
          .map((b) => b.entrySeq),
      )
      for (const record of this.recordsOf(file))
        if (record.kind === 'batch' && counting.has(record.seq)) yield record.entry
    }
  }

  async receipted(batchSeq: number, receipt: Uint8Array): Promise<void> {
    const known = this.waiting.get(this.epoch, batchSeq)
    if (known === undefined) return
    // Not synced: a receipt that is lost is given again when the batch is offered again.
    this.writer.write(canonicalBytes([RECEIPT, this.epoch, batchSeq, receipt]))
    this.markReceipted(known)
  }

  pending(): OutboxPending {
    return this.waiting.pending()
  }

  async close(): Promise<void> {
    this.writer.close()
  }

  private keep(file: OutboxFile, { seq, bytes, entry }: { seq: number; bytes: Bytes; entry: OutboxEntry }): Known {
    const known = addKnown(file, entry, { seq, bytes })
    const { last } = spanOf(known)
    this.waiting.add(known)
    this.lastDecisionSeq = Math.max(this.lastDecisionSeq, last)
    if (entry.epoch !== this.epoch) return known
    this.chainedThrough = last
    this.lastBatchSeq = entry.batchSeq
    this.head = coseIdentity(entry.cose)
    return known
  }

  private markReceipted(known: Known): void {
    known.receipted = true
    known.file.open -= 1
    this.receiptedDecision = Math.max(this.receiptedDecision, known.firstSeq + known.count - 1)
    if (known.epoch === this.epoch) this.receiptedThrough = Math.max(this.receiptedThrough, known.batchSeq)
    this.waiting.remove(known)
  }

  /**
   * Deletes files none of whose batches needs a receipt any more, oldest first, until there is room. While a new epoch
   * tells again what an ended one left, a file and a batch more may stand here: what is told again goes only then.
   */
  private makeRoom(bytes: Bytes): void {
    const { bytesMax } = this.options
    while (this.bytes + bytes > bytesMax) {
      const at = this.list.findIndex((file) => this.mayGo(file))
      if (at < 0) {
        const slack = isToTellAgain(this.list, this.ended) ? this.writer.fileBytes : 0
        if (slack > 0 && this.bytes + bytes <= bytesMax + slack + this.batchBytesMax) return
        this.watcher?.full()
        throw new HbError('OUTBOX_FULL', {
          bytes: this.bytes,
          bytes_max: bytesMax,
          waiting: this.waiting.pending().batches,
        })
      }
      this.files.unlinkSync(`${this.options.folder}/${this.list[at]!.name}`)
      this.list.splice(at, 1)
    }
  }

  private mayGo(file: OutboxFile): boolean {
    return file !== this.list.at(-1) && needsNothing(file, this.ended)
  }

  private get ended(): Ended {
    const toldThrough = Math.max(this.receiptedDecision, this.durableDecision)
    return { epoch: this.epoch, keyEpoch: this.options.keyEpoch, toldThrough }
  }

  private *recordsOf(file: OutboxFile): Generator<OutboxRecord> {
    const bytes = this.files.readFileSync(`${this.options.folder}/${file.name}`).subarray(0, file.bytes)
    yield* readOutboxFile(bytes, this.options.owner)
  }

  private *entriesOf(file: OutboxFile): Generator<OutboxEntry> {
    for (const record of this.recordsOf(file)) if (record.kind === 'batch') yield record.entry
  }

  private load(name: string, { isLast, damage }: { isLast: boolean; damage: OutboxDamage[] }): void {
    const { folder, owner } = this.options
    const path = `${folder}/${name}`
    const bytes = this.files.readFileSync(path)
    const file = fileAt(Number(NAME.exec(name)![1]), name)
    this.writer.recordSeq = Math.max(this.writer.recordSeq, file.firstSeq - 1)
    this.list.push(file)
    const before = damage.length
    for (const record of readOutboxFile(bytes, owner)) {
      if (record.kind !== 'damage') {
        this.loadRecord(file, record)
        file.bytes = record.end
        continue
      }
      const size = record.to - record.from
      // Behind the last whole record of the newest file stands what a killed process had begun: it was never sent.
      const isTorn = isLast && record.to === bytes.length && /^(torn|zero)_tail$/.test(record.reason)
      if (isTorn) this.torn = { file: name, bytes: size, reason: record.reason }
      else {
        damage.push({ file: name, bytes: size, reason: record.reason })
        // Nobody knows whether there was a batch in it that had been sent: nothing can follow it.
        this.chainBroken = true
      }
    }
    if (this.options.readOnly === true) return
    if (damage.length > before) {
      putAside(this.files, { folder, name, owner })
      file.bytes = this.files.statSync(path).size
    } else if (isLast && file.bytes < bytes.length)
      this.files.writeFileSync(`${path}.torn`, bytes.subarray(file.bytes), { mode: 0o600 })
    if (isLast) this.writer.goOn(file)
  }

  private loadRecord(file: OutboxFile, record: Exclude<OutboxRecord, { kind: 'damage' }>): void {
    this.writer.recordSeq = Math.max(this.writer.recordSeq, record.seq)
    if (record.kind === 'batch') {
      // A batch behind the damage says how far the chain went; whether one is missing before it, its number says.
      if (record.entry.epoch === this.epoch) this.chainBroken = false
      this.keep(file, record)
      return
    }
    const known = this.waiting.get(record.epoch, record.batchSeq)
    if (known !== undefined) this.markReceipted(known)
  }
}
