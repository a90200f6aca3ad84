import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { encodeRecord, readRecords } from '../../shared/codec/record-file.ts'
import { decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { coseIdentity } from '../../shared/crypto/cose.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Bytes } from '../../shared/units.ts'
import type { Outbox, OutboxEntry, OutboxPending } from '../ports.ts'
import { diskError, type Files, syncData, syncFolder, writeWhole } from './files.ts'

/** A file is closed when it holds this much; whole files are deleted. */
const FILE_BYTES: Bytes = 8 * 1024 * 1024
const BATCH = 1
const RECEIPT = 2
const NAME = /^(\d{16})\.hbo$/

export type OutboxOptions = Readonly<{ folder: string; epoch: number; bytesMax: Bytes; readOnly?: boolean }>

type Known = { entrySeq: number; epoch: number; batchSeq: number; bytes: Bytes; madeUs: number; receipted: boolean }
type OutboxFile = { firstSeq: number; name: string; bytes: Bytes; batches: Known[] }

/**
 * Signed batches as files of records: body `[1, epoch, batch_seq, first_seq, count, made_us, cose, records, seed]` for a
 * batch, `[2, epoch, batch_seq, receipt]` for its receipt.
 *
 * Receipted batches stay for `hb replay` and for looking back until the bound needs their room; the newest file always
 * stays, so that the chain and the numbers go on after everything was sent. At the bound, with nothing receipted left to
 * delete, a new batch is refused: what has no receipt is never deleted.
 */
export class FileOutbox implements Outbox {
  lastBatchSeq = 0
  lastDecisionSeq = 0
  head: Uint8Array | null = null
  receiptedThrough = 0
  /** What stands behind the last whole record: begun and never finished, or damaged since. Put aside by a start. */
  torn: Readonly<{ file: string; bytes: Bytes; reason: string }> | null = null
  private readonly files: Files
  private readonly options: OutboxOptions
  private readonly list: OutboxFile[] = []
  private recordSeq = 0
  private fd: number | null = null
  private waiting: Known[] = []

  constructor(files: Files, options: OutboxOptions) {
    this.files = files
    this.options = options
    const names = files
      .readdirSync(options.folder)
      .filter((name) => NAME.test(name))
      .sort()
    names.forEach((name, k) => {
      this.load(name, k === names.length - 1)
    })
    // Batches of an earlier key cannot follow this one's: they were chained, and are sent, under their own epoch.
    this.waiting = this.waiting.filter((known) => known.epoch === options.epoch)
  }

  get bytes(): Bytes {
    return this.list.reduce((sum, file) => sum + file.bytes, 0)
  }

  async append(entry: OutboxEntry): Promise<void> {
    invariant(entry.batchSeq === this.lastBatchSeq + 1, 'batches are appended in order, each once')
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
    const { file, path } = this.write(body)
    const known = {
      entrySeq: this.recordSeq,
      epoch: entry.epoch,
      batchSeq: entry.batchSeq,
      bytes: body.length,
      madeUs: entry.madeUs,
      receipted: false,
    }
    file.batches.push(known)
    this.waiting.push(known)
    this.take(entry)
    await syncData(this.files, this.fd!, path)
  }

  async read(fromBatchSeq: number, max: number): Promise<readonly OutboxEntry[]> {
    const entries: OutboxEntry[] = []
    for (const file of this.list) {
      if (entries.length >= max) break
      if (!file.batches.some((b) => b.epoch === this.options.epoch && b.batchSeq >= fromBatchSeq)) continue
      for (const entry of this.entriesOf(file)) {
        if (entry.epoch === this.options.epoch && entry.batchSeq >= fromBatchSeq && entries.length < max)
          entries.push(entry)
      }
    }
    return entries
  }

  /** Every batch that is still here, of every epoch, oldest first. */
  *all(): Generator<OutboxEntry> {
    for (const file of this.list) yield* this.entriesOf(file)
  }

  async receipted(batchSeq: number, receipt: Uint8Array): Promise<void> {
    const known = this.waiting.find((w) => w.batchSeq === batchSeq)
    if (known === undefined) return
    // Not synced: a receipt that is lost is given again when the batch is offered again.
    this.write(canonicalBytes([RECEIPT, this.options.epoch, batchSeq, receipt]))
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

  private take(entry: { epoch: number; batchSeq: number; firstSeq: number; count: number; cose: Uint8Array }): void {
    this.lastDecisionSeq = entry.firstSeq + entry.count - 1
    if (entry.epoch !== this.options.epoch) return
    this.lastBatchSeq = entry.batchSeq
    this.head = coseIdentity(entry.cose)
  }

  private markReceipted(known: Known): void {
    known.receipted = true
    this.receiptedThrough = Math.max(this.receiptedThrough, known.batchSeq)
    this.waiting = this.waiting.filter((w) => w !== known)
  }

  private write(body: Uint8Array): { file: OutboxFile; path: string } {
    invariant(this.options.readOnly !== true, 'an outbox that was opened for reading is never written')
    const record = encodeRecord(this.recordSeq + 1, body)
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
    file.bytes += record.length
    this.recordSeq += 1
    return { file, path: `${this.options.folder}/${file.name}` }
  }

  private begin(): OutboxFile {
    if (this.fd !== null) {
      this.files.fdatasyncSync(this.fd)
      this.files.closeSync(this.fd)
    }
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

  private *entriesOf(file: OutboxFile): Generator<OutboxEntry> {
    const bytes = this.files.readFileSync(`${this.options.folder}/${file.name}`).subarray(0, file.bytes)
    for (const record of readRecords(bytes)) {
      if (record.kind === 'damage')
        throw new HbError('OUTBOX_DAMAGED', { file: file.name, offset: record.from, reason: record.reason })
      const value = decodeSigned(record.body) as unknown[]
      if (value[0] === BATCH) yield entryFrom(value)
    }
  }

  private load(name: string, last: boolean): void {
    const path = `${this.options.folder}/${name}`
    const bytes = this.files.readFileSync(path)
    const file: OutboxFile = { firstSeq: Number(NAME.exec(name)![1]), name, bytes: 0, batches: [] }
    this.recordSeq = Math.max(this.recordSeq, file.firstSeq - 1)
    this.list.push(file)
    for (const record of readRecords(bytes)) {
      if (record.kind === 'damage') {
        // Behind the last whole record of the newest file stands what a killed process had begun: it was never sent.
        if (last && record.to === bytes.length) {
          this.torn = { file: name, bytes: record.to - record.from, reason: record.reason }
          break
        }
        throw new HbError('OUTBOX_DAMAGED', { file: name, offset: record.from, reason: record.reason })
      }
      this.loadRecord(file, record.seq, record.body)
      file.bytes = record.end
    }
    if (!last || this.options.readOnly === true) return
    if (file.bytes < bytes.length) this.files.writeFileSync(`${path}.torn`, bytes.subarray(file.bytes), { mode: 0o600 })
    this.fd = this.files.openSync(path, 'r+')
    this.files.ftruncateSync(this.fd, file.bytes)
  }

  private loadRecord(file: OutboxFile, seq: number, body: Uint8Array): void {
    this.recordSeq = seq
    const value = decodeSigned(body) as unknown[]
    if (value[0] === BATCH) {
      const entry = entryFrom(value)
      const known = {
        entrySeq: seq,
        epoch: entry.epoch,
        batchSeq: entry.batchSeq,
        bytes: body.length,
        madeUs: entry.madeUs,
        receipted: false,
      }
      file.batches.push(known)
      this.waiting.push(known)
      this.take(entry)
    } else if (value[0] === RECEIPT) {
      const known = this.waiting.find((w) => w.epoch === value[1] && w.batchSeq === value[2])
      if (known !== undefined) this.markReceipted(known)
    }
  }
}

function entryFrom(value: unknown[]): OutboxEntry {
  const [, epoch, batchSeq, firstSeq, count, madeUs, cose, records, seed] = value as [
    number,
    number,
    number,
    number,
    number,
    number,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  return { epoch, batchSeq, firstSeq, count, madeUs, cose, records, seed }
}
