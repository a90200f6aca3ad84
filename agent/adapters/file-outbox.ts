import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { encodeRecord } from '../../shared/codec/record-file.ts'
import { coseIdentity } from '../../shared/crypto/cose.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Bytes } from '../../shared/units.ts'
import {
  type DecisionSpan,
  joinSpans,
  type Outbox,
  type OutboxDamage,
  type OutboxEntry,
  type OutboxPending,
} from '../ports.ts'
import { diskError, type Files, syncData, syncFolder, writeAgain, writeWhole } from './files.ts'
import { BATCH, type OutboxRecord, putAside, RECEIPT, readOutboxFile } from './outbox-files.ts'

/** A file is closed when it holds this much; whole files are deleted. */
const FILE_BYTES: Bytes = 8 * 1024 * 1024
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

type Known = {
  entrySeq: number
  epoch: number
  batchSeq: number
  firstSeq: number
  count: number
  bytes: Bytes
  madeUs: number
  receipted: boolean
}
type OutboxFile = { firstSeq: number; name: string; bytes: Bytes; batches: Known[] }

/**
 * Signed batches as files of records: body `[1, epoch, batch_seq, first_seq, count, made_us, cose, records, seed]` for a
 * batch, `[2, epoch, batch_seq, receipt]` for its receipt.
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
  /** What stands behind the last whole record: begun and never finished, or damaged since. Put aside by a start. */
  torn: Readonly<{ file: string; bytes: Bytes; reason: string }> | null = null
  private readonly files: Files
  private readonly options: OutboxOptions
  private readonly list: OutboxFile[] = []
  private recordSeq = 0
  private durableThrough = 0
  private durableBytes: Bytes = 0
  private suspect = false
  /** Last decision of all that is receipted: the collector takes them in order. */
  private receiptedDecision = 0
  private fd: number | null = null
  private waiting: Known[] = []

  constructor(files: Files, options: OutboxOptions) {
    this.files = files
    this.options = options
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
    if (this.missesBatches()) this.chainBroken = true
    this.durableThrough = this.lastBatchSeq
    if (this.lastBatchSeq === 0) this.chainedThrough = this.receiptedDecision
    // Batches of an earlier epoch cannot follow this one's: they go out as part of this one, or not at all.
    this.waiting = this.waiting.filter((known) => known.epoch === options.epoch)
  }

  /** Ends the chain of before: the next batch is the first of its epoch. What had no receipt is in `unsent` from now on. */
  beginEpoch(epoch: number): void {
    invariant(epoch > this.epoch, 'epochs only go up')
    this.epoch = epoch
    this.chainBroken = false
    this.lastBatchSeq = 0
    this.durableThrough = 0
    this.head = null
    this.receiptedThrough = 0
    this.chainedThrough = this.receiptedDecision
    this.waiting = []
  }

  /** Decisions that need no further batch: receipted ones and all before them, and those in batches of this epoch. */
  get covered(): readonly DecisionSpan[] {
    const chained = this.list
      .flatMap((file) => file.batches)
      .filter((known) => known.epoch === this.epoch)
      .map(({ firstSeq, count }) => ({ first: firstSeq, last: firstSeq + count - 1 }))
    return joinSpans([...(this.receiptedDecision > 0 ? [{ first: 1, last: this.receiptedDecision }] : []), ...chained])
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
    return this.list.reduce((sum, file) => sum + file.bytes, 0)
  }

  async append(entry: OutboxEntry): Promise<void> {
    const isNext = entry.batchSeq === this.lastBatchSeq + 1 && entry.epoch === this.epoch
    invariant(isNext, 'batches are appended in order, each once')
    const body = canonicalBytes([
      BATCH,
      entry.epoch,
      entry.batchSeq,
      entry.firstSeq,
      entry.count,
      entry.madeUs,
      entry.cose,
      entry.records,
      entry.seed,
    ])
    this.makeRoom(body.length)
    const { recordSeq, lastBatchSeq, lastDecisionSeq, chainedThrough, head } = this
    const { file, path, at } = this.write(body)
    this.keep(file, { seq: this.recordSeq, bytes: body.length, entry })
    try {
      await this.syncOnce(file, path)
      this.durableThrough = entry.batchSeq
    } catch (cause) {
      // It will be signed anew under this number, and was never sent: as if it had not been. Receipts behind it are given again.
      const taken = file.batches.pop()
      this.waiting = this.waiting.filter((known) => known !== taken)
      Object.assign(this, { recordSeq, lastBatchSeq, lastDecisionSeq, chainedThrough, head })
      file.bytes = at
      this.files.ftruncateSync(this.fd!, at)
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
    const known = this.waiting.find((w) => w.batchSeq === batchSeq)
    if (known === undefined) return
    // Not synced: a receipt that is lost is given again when the batch is offered again.
    this.write(canonicalBytes([RECEIPT, this.epoch, batchSeq, receipt]))
    this.markReceipted(known)
  }

  pending(): OutboxPending {
    return {
      batches: this.waiting.length,
      bytes: this.waiting.reduce((sum, w) => sum + w.bytes, 0),
      oldestUs: this.waiting[0]?.madeUs ?? null,
    }
  }

  async close(): Promise<void> {
    if (this.fd === null) return
    this.files.fdatasyncSync(this.fd)
    this.files.closeSync(this.fd)
    this.fd = null
  }

  private keep(file: OutboxFile, { seq, bytes, entry }: { seq: number; bytes: Bytes; entry: OutboxEntry }): void {
    const { epoch, batchSeq, firstSeq, count, madeUs } = entry
    const known = { entrySeq: seq, epoch, batchSeq, firstSeq, count, bytes, madeUs, receipted: false }
    file.batches.push(known)
    this.waiting.push(known)
    this.lastDecisionSeq = Math.max(this.lastDecisionSeq, firstSeq + count - 1)
    if (epoch !== this.epoch) return
    this.chainedThrough = firstSeq + count - 1
    this.lastBatchSeq = batchSeq
    this.head = coseIdentity(entry.cose)
  }

  private markReceipted(known: Known): void {
    known.receipted = true
    this.receiptedDecision = Math.max(this.receiptedDecision, known.firstSeq + known.count - 1)
    if (known.epoch === this.epoch) this.receiptedThrough = Math.max(this.receiptedThrough, known.batchSeq)
    this.waiting = this.waiting.filter((w) => w !== known)
  }

  /** Whether numbers are missing among the batches of this epoch that may still have to be sent. */
  private missesBatches(): boolean {
    const numbers = this.list.flatMap((file) =>
      file.batches.filter((known) => known.epoch === this.epoch).map((known) => known.batchSeq),
    )
    let next = Math.max(this.receiptedThrough + 1, numbers[0] ?? 1)
    for (const number of numbers) {
      if (number < next) continue
      if (number !== next) return true
      next += 1
    }
    return false
  }

  private async syncOnce(file: OutboxFile, path: string): Promise<void> {
    this.mendAfterFailedSync(file)
    const { bytes } = file
    this.suspect = true
    await syncData(this.files, this.fd!, path)
    this.suspect = false
    this.durableBytes = bytes
  }

  private mendAfterFailedSync(file: OutboxFile): void {
    if (!this.suspect) return
    try {
      writeAgain(this.files, this.fd!, { from: Math.min(this.durableBytes, file.bytes), to: file.bytes })
    } catch (cause) {
      throw diskError(cause, `${this.options.folder}/${file.name}`)
    }
  }

  private write(body: Uint8Array): { file: OutboxFile; path: string; at: Bytes } {
    invariant(this.options.readOnly !== true, 'an outbox that was opened for reading is never written')
    const record = encodeRecord(this.recordSeq + 1, body, this.options.owner)
    let file = this.list.at(-1)
    try {
      if (file === undefined || this.fd === null || file.bytes >= FILE_BYTES) file = this.begin()
      try {
        writeWhole(this.files, this.fd!, record, file.bytes)
      } catch (cause) {
        this.files.ftruncateSync(this.fd!, file.bytes)
        throw cause
      }
    } catch (cause) {
      throw diskError(cause, this.options.folder)
    }
    const at = file.bytes
    file.bytes += record.length
    this.recordSeq += 1
    return { file, at, path: `${this.options.folder}/${file.name}` }
  }

  private begin(): OutboxFile {
    const before = this.list.at(-1)
    if (this.fd !== null && before !== undefined) {
      this.mendAfterFailedSync(before)
      this.suspect = true
      this.files.fdatasyncSync(this.fd)
      this.suspect = false
      this.files.closeSync(this.fd)
    }
    this.durableBytes = 0
    const name = `${String(this.recordSeq + 1).padStart(16, '0')}.hbo`
    this.fd = this.files.openSync(`${this.options.folder}/${name}`, 'w+', 0o600)
    syncFolder(this.files, this.options.folder)
    const file = { firstSeq: this.recordSeq + 1, name, bytes: 0, batches: [] }
    this.list.push(file)
    return file
  }

  /** Deletes files whose every batch is receipted, oldest first, until there is room. */
  private makeRoom(bytes: Bytes): void {
    while (this.bytes + bytes > this.options.bytesMax) {
      const oldest = this.list[0]
      if (oldest === undefined || this.list.length < 2 || !oldest.batches.every((b) => b.receipted)) {
        throw new HbError('OUTBOX_FULL', {
          bytes: this.bytes,
          bytes_max: this.options.bytesMax,
          waiting: this.waiting.length,
        })
      }
      this.files.unlinkSync(`${this.options.folder}/${oldest.name}`)
      this.list.shift()
    }
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
    const file: OutboxFile = { firstSeq: Number(NAME.exec(name)![1]), name, bytes: 0, batches: [] }
    this.recordSeq = Math.max(this.recordSeq, file.firstSeq - 1)
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
    if (!isLast) return
    this.fd = this.files.openSync(path, 'r+')
    this.files.ftruncateSync(this.fd, file.bytes)
    // A process that was killed may have left it in memory only: it is sent from here.
    this.files.fdatasyncSync(this.fd)
    this.durableBytes = file.bytes
  }

  private loadRecord(file: OutboxFile, record: Exclude<OutboxRecord, { kind: 'damage' }>): void {
    this.recordSeq = Math.max(this.recordSeq, record.seq)
    if (record.kind === 'batch') {
      // A batch behind the damage says how far the chain went; whether one is missing before it, its number says.
      if (record.entry.epoch === this.epoch) this.chainBroken = false
      this.keep(file, record)
      return
    }
    const known = this.waiting.find((w) => w.epoch === record.epoch && w.batchSeq === record.batchSeq)
    if (known !== undefined) this.markReceipted(known)
  }
}
