import { encodeRecord } from '../../shared/codec/record-file.ts'
import { concat } from '../../shared/crypto/cose.ts'
import type { Bytes } from '../../shared/units.ts'
import type { Thinned, Thinning } from '../ports.ts'
import { diskError, type Files, syncData, syncFolder, writeWhole } from './files.ts'
import { type RecordSpan, readSpans, writeSpans } from './journal-segments.ts'
import { batchBody, readOutboxFile } from './outbox-files.ts'
import { type OutboxFile, spanOf, type Waiting } from './outbox-index.ts'

/** A file of the outbox as it will be. `thinned`: length of the new body by number of record. */
type ThinnedFile = Readonly<{ content: Uint8Array; thinned: ReadonlyMap<number, Bytes> }>

/** Batches looked at, and bytes written, before others get their turn: a decision must not wait for this. */
const BATCHES_AT_ONCE = 32
const BYTES_AT_ONCE: Bytes = 256 * 1024
/** What a half-made file is called until it takes the place of the one before. */
const BESIDE = /\.hbo\.thin$/
/** Spans of thinned batches that no signed batch has told yet. */
const UNTOLD = 'thinned'
/** So many at once; of more the newest are told as one, with what lies between them. */
export const UNTOLD_MAX = 8

const NOTHING: Thinned = { from: 0, to: 0, batches: 0, freed: 0 }

type ThinnerOptions = Readonly<{
  folder: string
  owner: Uint8Array
  readOnly?: boolean
  list: readonly OutboxFile[]
  waiting: Waiting
}>

/**
 * Takes the detail out of files of the outbox. What will be gone is written down before it is, and told by the header of
 * a batch; a process that ends anywhere in between leaves a file that is whole or thinned, and the note.
 */
export class OutboxThinner {
  private readonly files: Files
  private readonly options: ThinnerOptions
  private spans: RecordSpan[]

  constructor(files: Files, options: ThinnerOptions) {
    this.files = files
    this.options = options
    const { folder } = options
    this.spans = readSpans(files, folder, UNTOLD)
    if (options.readOnly === true) return
    for (const name of files.readdirSync(folder)) if (BESIDE.test(name)) files.unlinkSync(`${folder}/${name}`)
  }

  /** Decisions whose batches were thinned, which no batch has told. */
  get untold(): readonly RecordSpan[] {
    return this.spans
  }

  /** All of it is in the header of a durable batch. */
  told(): void {
    if (this.spans.length === 0) return
    this.spans = []
    writeSpans(this.files, { folder: this.options.folder, name: UNTOLD }, [])
  }

  /**
   * Takes the oldest file that is closed, waits for receipts and was not looked at, and leaves of its batches that only
   * repeat PASS no more than what is signed.
   *
   * @returns null when no file is left. @throws HbError DISK_…; then the file is as it was
   */
  async oldest({ isRepetition, pause, tell }: Thinning): Promise<Thinned | null> {
    const { folder, owner, list } = this.options
    const file = list.slice(0, -1).find(({ looked, open }) => !looked && open > 0)
    if (file === undefined) return null
    const path = `${folder}/${file.name}`
    file.looked = true
    try {
      const bytes = this.files.readFileSync(path).subarray(0, file.bytes)
      const made = await thinnedContent(bytes, { owner, isRepetition, pause })
      if (made === null || made.thinned.size === 0) return NOTHING
      await writeBeside(this.files, { path, content: made.content, pause })
      // It may have been receipted and deleted meanwhile.
      if (list.includes(file)) return this.replace(file, made, tell)
      dropBeside(this.files, path)
      return NOTHING
    } catch (cause) {
      file.looked = false
      throw diskError(cause, path)
    }
  }

  private replace(file: OutboxFile, { content, thinned }: ThinnedFile, tell: Thinning['tell']): Thinned {
    const { folder, waiting } = this.options
    const hit = file.batches.filter((known) => thinned.has(known.entrySeq))
    const span = { from: spanOf(hit[0]!).first, to: spanOf(hit.at(-1)!).last }
    const spare = this.spans.length < UNTOLD_MAX ? null : this.spans.pop()!
    this.spans.push(spare === null ? span : { from: spare.from, to: span.to })
    writeSpans(this.files, { folder, name: UNTOLD }, this.spans)
    tell(span)
    putInPlace(this.files, folder, file.name)
    const freed = file.bytes - content.length
    file.bytes = content.length
    for (const known of hit) waiting.thin(known, thinned.get(known.entrySeq)!)
    return { ...span, batches: hit.length, freed }
  }
}

/**
 * What a file becomes when batches that only repeat PASS keep their signed header, and the seed with which a replay can
 * prove them, and nothing else. Every record keeps its number; receipts stay.
 *
 * @returns null when part of it cannot be read: the next start has to find that, so it stays as it is.
 */
async function thinnedContent(
  bytes: Uint8Array,
  { owner, isRepetition, pause }: { owner: Uint8Array; isRepetition: Thinning['isRepetition']; pause(): Promise<void> },
): Promise<ThinnedFile | null> {
  const parts: Uint8Array[] = []
  const thinned = new Map<number, Bytes>()
  let looked = 0
  let from = 0
  for (const record of readOutboxFile(bytes, owner)) {
    if (record.kind === 'damage') return null
    const entry = record.kind === 'batch' ? record.entry : null
    if (entry !== null && entry.records !== null && isRepetition(entry.records)) {
      const body = batchBody({ ...entry, records: null })
      parts.push(encodeRecord(record.seq, body, owner))
      thinned.set(record.seq, body.length)
    } else parts.push(bytes.subarray(from, record.end))
    from = record.end
    looked += 1
    if (looked % BATCHES_AT_ONCE === 0) await pause()
  }
  return { content: concat(...parts), thinned }
}

/** Writes a file beside the old one and syncs it; others get their turn between two pieces. */
async function writeBeside(
  files: Files,
  { path, content, pause }: { path: string; content: Uint8Array; pause(): Promise<void> },
): Promise<void> {
  const beside = `${path}.thin`
  try {
    const fd = files.openSync(beside, 'w', 0o600)
    try {
      for (let at = 0; at < content.length; at += BYTES_AT_ONCE) {
        writeWhole(files, fd, content.subarray(at, at + BYTES_AT_ONCE), at)
        await pause()
      }
      await syncData(files, fd, beside)
    } finally {
      files.closeSync(fd)
    }
  } catch (cause) {
    dropBeside(files, path)
    throw diskError(cause, beside)
  }
}

/** Lets the file that was written beside take the place of the old one: from here on the old one is gone. */
function putInPlace(files: Files, folder: string, name: string): void {
  const path = `${folder}/${name}`
  try {
    files.renameSync(`${path}.thin`, path)
    syncFolder(files, folder)
  } catch (cause) {
    throw diskError(cause, path)
  }
}

function dropBeside(files: Files, path: string): void {
  if (files.existsSync(`${path}.thin`)) files.unlinkSync(`${path}.thin`)
}
