import { peekJournalInput } from '../../shared/codec/journal-input.ts'
import { encodeRecord, RECORD_OVERHEAD_BYTES, readRecords } from '../../shared/codec/record-file.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Bytes, Micros } from '../../shared/units.ts'
import type { Journal, JournalCut, JournalDamage, JournalRecord } from '../ports.ts'
import { diskError, type Files, syncData, syncFolder, writeAgain, writeWhole } from './files.ts'
import {
  listSegments,
  type RecordSpan,
  readCuts,
  readSpans,
  type Segment,
  scanSegment,
  segmentName,
  writeSpans,
} from './journal-segments.ts'

/** Spans that are kept from being deleted; past it the two oldest are joined into one. */
export const PINS_MAX = 256

export type JournalOptions = Readonly<{
  folder: string
  id: Uint8Array
  /** A segment is closed when it holds this much. */
  segmentBytes: Bytes
  /** All segments together; past it the oldest that is not needed is deleted. */
  bytesMax: Bytes
  /** First record that a start from the oldest checkpoint needs: never deleted. */
  neededFrom(): number
  /** Nothing is cut, locked or deleted: for commands beside a running agent. */
  readOnly?: boolean
}>

/** What was found behind the last whole record when the journal was opened, and cut off. */
export type TornTail = Readonly<{ segment: string; bytes: Bytes; reason: string }>

const PINS = 'pins'
/** The first record that was not deleted at the bound. */
const FIRST = 'first'
/** Unreadable spans that a signed batch has told already. */
const TOLD = 'told'
/** Spans that are remembered as told; of more the oldest is forgotten, and told again. */
export const TOLD_MAX = 256

/**
 * The input journal as files of records, named by the sequence of their first one.
 *
 * A write that fails half-way is cut off again at once, so that the next one stands behind a whole record. What a killed
 * process or a power cut left half-written is put aside as `<segment>.torn` when the journal is opened next.
 */
export class FileJournal implements Journal {
  readonly id: Uint8Array
  readonly torn: TornTail | null
  /** Records missing from between others of the last segment, which is read when the journal is opened. */
  readonly unreadable: readonly RecordSpan[]
  /** Segments that stood under the name of another one. */
  readonly misnamed: readonly string[]
  lastSeq: number
  durableSeq: number
  private readonly files: Files
  private readonly options: JournalOptions
  private readonly segments: Segment[]
  private readonly pins: RecordSpan[]
  private readonly found: JournalCut[]
  private readonly told: RecordSpan[]
  private fd: number | null = null
  private syncing: Promise<void> | null = null
  /** Bytes of the last segment that a sync has reached, and whether one has failed since. */
  private durableBytes: Bytes = 0
  private suspect = false

  constructor(files: Files, options: JournalOptions) {
    this.files = files
    this.options = options
    this.id = options.id
    const place = { folder: options.folder, id: options.id, readOnly: options.readOnly === true }
    const { segments, misnamed } = listSegments(files, place)
    this.segments = segments
    this.misnamed = misnamed
    this.found = readCuts(files, { ...place, segments })
    this.pins = readSpans(files, options.folder, PINS)
    this.told = readSpans(files, options.folder, TOLD)
    const { lastSeq, torn, unreadable } = this.openTail()
    this.torn = torn
    this.unreadable = [...this.missingBefore(), ...unreadable]
    this.lastSeq = lastSeq
    this.durableSeq = lastSeq
  }

  /** First record from which on none is missing up to the last. */
  get firstSeq(): number {
    const hole = this.segments.findLastIndex((segment) => segment.gone)
    return this.segments[hole + 1]?.firstSeq ?? 1
  }

  get bytes(): Bytes {
    return this.segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  get cuts(): readonly JournalCut[] {
    return this.found
  }

  append(bodies: readonly Uint8Array[]): { first: number; last: number } {
    invariant(this.options.readOnly !== true, 'a journal that was opened for reading is never written')
    const first = this.lastSeq + 1
    const records = bodies.map((body, k) => encodeRecord(first + k, body, this.id))
    const bytes = records.length === 1 ? records[0]! : concatRecords(records)
    const segment = this.writable()
    try {
      writeWhole(this.files, this.fd!, bytes, segment.bytes)
    } catch (cause) {
      this.cutBack(segment)
      throw diskError(cause, `${this.options.folder}/${segment.name}`)
    }
    segment.bytes += bytes.length
    this.lastSeq += bodies.length
    return { first, last: this.lastSeq }
  }

  /** A record of a loss begins a segment, so that all of them are found without reading the journal. */
  appendCut({ body, resumesAfter, afterSeq }: { body: Uint8Array; resumesAfter: number; afterSeq: number }): number {
    this.lastSeq = Math.max(this.lastSeq, afterSeq)
    try {
      this.beginSegment()
    } catch (cause) {
      throw diskError(cause, this.options.folder)
    }
    const { last } = this.append([body])
    this.found.push({ seq: last, resumesAfter })
    return last
  }

  /** One `fdatasync` for everybody who waits: whoever comes while one is under way shares the next. */
  async sync(): Promise<void> {
    // What is appended meanwhile is the next caller's: under steady input this would never settle.
    const wantedSeq = this.lastSeq
    while (this.durableSeq < wantedSeq) {
      this.syncing ??= this.syncOnce()
      await this.syncing
    }
  }

  async *read(fromSeq: number, toSeq: number = this.lastSeq): AsyncGenerator<JournalRecord | JournalDamage> {
    let next = fromSeq
    for (const segment of [...this.segments]) {
      const after = this.segments.find((s) => s.firstSeq > segment.firstSeq)
      if (after !== undefined && after.firstSeq <= fromSeq) continue
      if (segment.firstSeq > toSeq) break
      for (const record of readRecords(this.content(segment), { owner: this.id })) {
        if (record.kind === 'damage' || record.seq < next) continue
        if (record.seq > toSeq) return
        if (record.seq > next)
          yield { kind: 'damage', fromSeq: next, toSeq: record.seq - 1, reason: 'records cannot be read' }
        yield { kind: 'record', seq: record.seq, body: record.body }
        next = record.seq + 1
      }
    }
    if (next <= toSeq) yield { kind: 'damage', fromSeq: next, toSeq, reason: 'records cannot be read' }
  }

  /** First record of the last segment that began before a time: nothing of that time or later stands before it. */
  seqBefore(timeUs: Micros): number {
    for (const segment of [...this.segments].reverse()) {
      const first = readRecords(this.content(segment), { owner: this.id }).next().value
      if (first?.kind === 'record' && peekJournalInput(first.body).nowUs <= timeUs) return segment.firstSeq
    }
    return this.firstSeq
  }

  /** Whether nobody was told yet that these records cannot be read: no batch, and no loss that evaluation went on behind. */
  isNews({ from, to }: RecordSpan): boolean {
    return (
      !this.told.some((span) => span.from <= from && span.to >= to) &&
      !this.found.some((cut) => cut.resumesAfter < from && to < cut.seq)
    )
  }

  /** Remembers spans as told, over a new start too. */
  saveTold(spans: readonly RecordSpan[]): void {
    if (spans.length === 0) return
    this.told.push(...spans)
    this.told.splice(0, this.told.length - TOLD_MAX)
    writeSpans(this.files, { folder: this.options.folder, name: TOLD }, this.told)
  }

  /**
   * Looks through all segments but the last one, which every start reads, for records that cannot be read any more. What
   * was deleted on purpose is not among them.
   */
  async *scrub(pause: () => Promise<void>): AsyncGenerator<RecordSpan> {
    for (const segment of this.segments.slice(0, -1)) {
      const after = this.segments.find((s) => s.firstSeq > segment.firstSeq)
      const path = `${this.options.folder}/${segment.name}`
      if (segment.gone || after === undefined || !this.files.existsSync(path)) continue
      let next = segment.firstSeq
      for await (const seq of scanSegment(this.files, { path, owner: this.id, pause })) {
        if (seq > next) yield { from: next, to: seq - 1 }
        next = Math.max(next, seq + 1)
      }
      // It may have been deleted at the bound while it was read.
      if (next < after.firstSeq && this.files.existsSync(path)) yield { from: next, to: after.firstSeq - 1 }
    }
  }

  pin(fromSeq: number, toSeq: number): void {
    const last = this.pins.at(-1)
    if (last === undefined || fromSeq > last.to + 1) this.pins.push({ from: fromSeq, to: toSeq })
    else Object.assign(last, { from: Math.min(last.from, fromSeq), to: Math.max(last.to, toSeq) })
    if (this.pins.length > PINS_MAX) {
      const [a, b] = this.pins.splice(0, 2)
      this.pins.unshift({ from: a!.from, to: b!.to })
    }
  }

  /** Writes down what is pinned, so that a new start keeps it too. */
  savePins(): void {
    writeSpans(this.files, { folder: this.options.folder, name: PINS }, this.pins)
  }

  async close(): Promise<void> {
    if (this.options.readOnly !== true) await this.sync()
    if (this.fd !== null) this.files.closeSync(this.fd)
    this.fd = null
  }

  private async syncOnce(): Promise<void> {
    const reached = this.lastSeq
    const segment = this.segments.at(-1)!
    const path = `${this.options.folder}/${segment.name}`
    const { bytes } = segment
    try {
      this.mendAfterFailedSync(path)
      this.suspect = true
      await syncData(this.files, this.fd!, path)
      this.suspect = false
      this.durableBytes = bytes
      this.durableSeq = Math.max(this.durableSeq, reached)
    } finally {
      this.syncing = null
    }
  }

  private noteFirst(): void {
    const first = this.segments[0]?.firstSeq ?? this.lastSeq + 1
    writeSpans(this.files, { folder: this.options.folder, name: FIRST }, [{ from: first, to: first }])
  }

  /** Records before the first segment that nobody deleted at the bound. Folders made before that was noted say 1. */
  private missingBefore(): RecordSpan[] {
    const first = this.segments[0]?.firstSeq
    const [expected] = readSpans(this.files, this.options.folder, FIRST)
    return first === undefined || expected === undefined || first <= expected.from
      ? []
      : [{ from: expected.from, to: first - 1 }]
  }

  private mendAfterFailedSync(path: string): void {
    if (!this.suspect) return
    try {
      writeAgain(this.files, this.fd!, { from: this.durableBytes, to: this.segments.at(-1)!.bytes })
    } catch (cause) {
      throw diskError(cause, path)
    }
  }

  /** The segment to write into; the one before is synced before a new one begins. */
  private writable(): Segment {
    const last = this.segments.at(-1)
    if (last !== undefined && last.bytes < this.options.segmentBytes) return last
    if (this.syncing !== null) return last!
    try {
      return this.beginSegment()
    } catch (cause) {
      throw diskError(cause, this.options.folder)
    }
  }

  private beginSegment(): Segment {
    const last = this.segments.at(-1)
    if (this.fd !== null && last !== undefined) {
      this.mendAfterFailedSync(`${this.options.folder}/${last.name}`)
      this.suspect = true
      this.files.fdatasyncSync(this.fd)
      this.suspect = false
      this.files.closeSync(this.fd)
      this.fd = null
      this.durableSeq = this.lastSeq
    }
    const firstSeq = this.lastSeq + 1
    // A start that was cut short after it made the file.
    if (last?.firstSeq === firstSeq) this.segments.pop()
    const segment = { firstSeq, name: segmentName(firstSeq), bytes: 0, gone: false }
    this.fd = this.files.openSync(`${this.options.folder}/${segment.name}`, 'w+', 0o600)
    syncFolder(this.files, this.options.folder)
    this.segments.push(segment)
    this.durableBytes = 0
    if (firstSeq === 1) this.noteFirst()
    this.deleteOldest()
    return segment
  }

  private cutBack(segment: Segment): void {
    try {
      this.files.ftruncateSync(this.fd!, segment.bytes)
    } catch {
      // The next write begins at the same place; a tail that is left behind is found as torn at the next start.
    }
  }

  /** Oldest first; what is pinned stays, and the records between are a hole. Pins give way when nothing else is left. */
  private deleteOldest(): void {
    for (const pinnedToo of [false, true]) {
      for (let k = 0; this.bytes > this.options.bytesMax && k < this.segments.length - 1; k += 1) {
        const segment = this.segments[k]!
        const lastSeq = this.segments[k + 1]!.firstSeq - 1
        if (lastSeq >= this.options.neededFrom()) break
        if (segment.gone || (!pinnedToo && this.isPinned(segment.firstSeq, lastSeq))) continue
        this.remove(segment)
      }
    }
    if (this.segments[0]?.gone !== true) return
    while (this.segments[0]?.gone === true)
      this.files.unlinkSync(`${this.options.folder}/${this.segments.shift()!.name}`)
    this.noteFirst()
  }

  private remove(segment: Segment): void {
    const { folder } = this.options
    const name = segment.name.replace(/hbj$/, 'gone')
    this.files.writeFileSync(`${folder}/${name}`, '', { mode: 0o600 })
    this.files.unlinkSync(`${folder}/${segment.name}`)
    Object.assign(segment, { name, bytes: 0, gone: true })
  }

  private isPinned(fromSeq: number, toSeq: number): boolean {
    return this.pins.some((pin) => pin.from <= toSeq && pin.to >= fromSeq)
  }

  private content(segment: Segment): Uint8Array {
    try {
      if (segment.gone) return new Uint8Array(0)
      const bytes = this.files.readFileSync(`${this.options.folder}/${segment.name}`)
      return segment === this.segments.at(-1) ? bytes.subarray(0, segment.bytes) : bytes
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new Uint8Array(0)
      throw diskError(cause, segment.name)
    }
  }

  /** Finds the last whole record, and puts aside what stands behind it. */
  private openTail(): { lastSeq: number; torn: TornTail | null; unreadable: RecordSpan[] } {
    const segment = this.segments.at(-1)
    const unreadable: RecordSpan[] = []
    if (segment === undefined) return { lastSeq: 0, torn: null, unreadable }
    const path = `${this.options.folder}/${segment.name}`
    try {
      const bytes = new Uint8Array(this.files.readFileSync(path))
      let lastSeq = segment.firstSeq - 1
      let end = 0
      let reason = ''
      for (const record of readRecords(bytes, { owner: this.id })) {
        if (record.kind === 'damage') {
          reason = record.reason
          continue
        }
        if (record.seq > lastSeq + 1) unreadable.push({ from: lastSeq + 1, to: record.seq - 1 })
        lastSeq = record.seq
        end = record.end
      }
      segment.bytes = end
      if (this.options.readOnly !== true) {
        if (end < bytes.length) this.files.writeFileSync(`${path}.torn`, bytes.subarray(end), { mode: 0o600 })
        this.fd = this.files.openSync(path, 'r+')
        if (end < bytes.length) this.files.ftruncateSync(this.fd, end)
        this.files.fdatasyncSync(this.fd)
        this.durableBytes = end
      }
      const torn = end < bytes.length ? { segment: segment.name, bytes: bytes.length - end, reason } : null
      return { lastSeq, torn, unreadable }
    } catch (cause) {
      throw diskError(cause, path)
    }
  }
}

function concatRecords(records: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(records.reduce((sum, record) => sum + record.length, 0))
  let at = 0
  for (const record of records) {
    whole.set(record, at)
    at += record.length
  }
  invariant(whole.length >= records.length * RECORD_OVERHEAD_BYTES, 'records are never shorter than their frame')
  return whole
}
