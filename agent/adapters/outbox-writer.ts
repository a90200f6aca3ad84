import { encodeRecord } from '../../shared/codec/record-file.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Bytes } from '../../shared/units.ts'
import { diskError, type Files, syncData, syncFolder, writeAgain, writeWhole } from './files.ts'
import { fileAt, type OutboxFile } from './outbox-index.ts'

/** A file is closed when it holds this much, or a quarter of the bound: whole files are deleted, and thinned. */
const FILE_BYTES: Bytes = 8 * 1024 * 1024

type WriterOptions = Readonly<{
  folder: string
  owner: Uint8Array
  bytesMax: Bytes
  readOnly?: boolean
  /** Files of the outbox; a new one is put behind them. */
  list: OutboxFile[]
}>

/** A record that was written: its number, its file, and where it begins. */
export type Written = Readonly<{ file: OutboxFile; seq: number; at: Bytes }>

/** The newest file of the outbox as it is written, synced, and closed when it is full. */
export class OutboxWriter {
  /** The last record. */
  recordSeq = 0
  readonly fileBytes: Bytes
  private readonly files: Files
  private readonly options: WriterOptions
  private durableBytes: Bytes = 0
  private suspect = false
  private fd: number | null = null

  constructor(files: Files, options: WriterOptions) {
    this.files = files
    this.options = options
    this.fileBytes = Math.min(FILE_BYTES, options.bytesMax / 4)
  }

  /** Goes on in a file that is there: what stands behind its last whole record is cut off. */
  goOn(file: OutboxFile): void {
    this.fd = this.files.openSync(this.pathOf(file), 'r+')
    this.files.ftruncateSync(this.fd, file.bytes)
    // A process that was killed may have left it in memory only: it is sent from here.
    this.files.fdatasyncSync(this.fd)
    this.durableBytes = file.bytes
  }

  write(body: Uint8Array): Written {
    const { readOnly, owner, list, folder } = this.options
    invariant(readOnly !== true, 'an outbox that was opened for reading is never written')
    const record = encodeRecord(this.recordSeq + 1, body, owner)
    let file = list.at(-1)
    try {
      if (file === undefined || this.fd === null || file.bytes >= this.fileBytes) file = this.begin()
      try {
        writeWhole(this.files, this.fd!, record, file.bytes)
      } catch (cause) {
        this.files.ftruncateSync(this.fd!, file.bytes)
        throw cause
      }
    } catch (cause) {
      throw diskError(cause, folder)
    }
    const at = file.bytes
    file.bytes += record.length
    this.recordSeq += 1
    return { file, seq: this.recordSeq, at }
  }

  /** Takes back what was written and nobody may have seen, with everything behind it. */
  takeBack({ file, seq, at }: Written): void {
    this.recordSeq = seq - 1
    file.bytes = at
    this.files.ftruncateSync(this.fd!, at)
  }

  async sync(): Promise<void> {
    const file = this.options.list.at(-1)!
    this.mendAfterFailedSync(file)
    const { bytes } = file
    this.suspect = true
    await syncData(this.files, this.fd!, this.pathOf(file))
    this.suspect = false
    this.durableBytes = bytes
  }

  close(): void {
    if (this.fd === null) return
    this.files.fdatasyncSync(this.fd)
    this.files.closeSync(this.fd)
    this.fd = null
  }

  private begin(): OutboxFile {
    const { list, folder } = this.options
    const before = list.at(-1)
    if (this.fd !== null && before !== undefined) {
      this.mendAfterFailedSync(before)
      this.suspect = true
      this.files.fdatasyncSync(this.fd)
      this.suspect = false
      this.files.closeSync(this.fd)
    }
    this.durableBytes = 0
    const file = fileAt(this.recordSeq + 1, `${String(this.recordSeq + 1).padStart(16, '0')}.hbo`)
    this.fd = this.files.openSync(this.pathOf(file), 'w+', 0o600)
    syncFolder(this.files, folder)
    list.push(file)
    return file
  }

  private mendAfterFailedSync(file: OutboxFile): void {
    if (!this.suspect) return
    try {
      writeAgain(this.files, this.fd!, { from: Math.min(this.durableBytes, file.bytes), to: file.bytes })
    } catch (cause) {
      throw diskError(cause, this.pathOf(file))
    }
  }

  private pathOf({ name }: OutboxFile): string {
    return `${this.options.folder}/${name}`
  }
}
