import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeJournalInput, inputKindOf } from '../../shared/codec/journal-input.ts'
import { firstSeqOf, readRecords } from '../../shared/codec/record-file.ts'
import { checkSigned, decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import type { Bytes } from '../../shared/units.ts'
import type { JournalCut } from '../ports.ts'
import { type Files, replaceFile } from './files.ts'

/** `gone`: it was deleted from between others, and an empty file says so. */
export type Segment = { firstSeq: number; name: string; bytes: Bytes; gone: boolean }
/** Records `from` to `to`, both included. */
export type RecordSpan = { from: number; to: number }

const NAME = /^(\d{16})\.(hbj|gone)$/
/** Bytes of a record's header and of the beginning of its body that tells its kind. */
const PEEK_BYTES: Bytes = 32
const HEADER_BYTES: Bytes = 24

export function segmentName(firstSeq: number): string {
  return `${String(firstSeq).padStart(16, '0')}.hbj`
}

/**
 * The segments of a folder in order of what is in them, whatever their names say: files that were swapped are read
 * where they belong, and, unless `readOnly`, named so again. A file whose first record cannot be read counts by its name.
 */
export function listSegments(
  files: Files,
  { folder, id, readOnly }: { folder: string; id: Uint8Array; readOnly: boolean },
): { segments: Segment[]; misnamed: string[] } {
  const segments: Segment[] = []
  const misnamed: Segment[] = []
  for (const name of files.readdirSync(folder)) {
    const named = Number(NAME.exec(name)?.[1] ?? Number.NaN)
    if (!Number.isSafeInteger(named)) continue
    const gone = name.endsWith('.gone')
    const bytes = gone ? 0 : files.statSync(`${folder}/${name}`).size
    const firstSeq = gone ? named : (firstSeqOf(readStart(files, `${folder}/${name}`, PEEK_BYTES), id) ?? named)
    const segment = { firstSeq, name, bytes, gone }
    segments.push(segment)
    if (firstSeq !== named) misnamed.push(segment)
  }
  const found = misnamed.map(({ name }) => name)
  if (!readOnly) rename(files, folder, misnamed)
  return { segments: segments.sort((a, b) => a.firstSeq - b.firstSeq), misnamed: found }
}

/** Gives every segment the name of its first record. One whose name another keeps stays as it is: a copy is not needed. */
function rename(files: Files, folder: string, misnamed: readonly Segment[]): void {
  for (const { name } of misnamed) files.renameSync(`${folder}/${name}`, `${folder}/${name}.moving`)
  for (const segment of misnamed) {
    const right = segmentName(segment.firstSeq)
    const target = files.existsSync(`${folder}/${right}`) ? segment.name : right
    files.renameSync(`${folder}/${segment.name}.moving`, `${folder}/${target}`)
    segment.name = target
  }
}

/** Where evaluation went on after a loss: such an input always begins a segment. */
export function readCuts(
  files: Files,
  { folder, id, segments }: { folder: string; id: Uint8Array; segments: readonly Segment[] },
): JournalCut[] {
  const cuts: JournalCut[] = []
  for (const { name, gone, firstSeq } of segments) {
    if (gone) continue
    const path = `${folder}/${name}`
    const start = readStart(files, path, PEEK_BYTES)
    if (start.length < PEEK_BYTES || inputKindOf(start.subarray(HEADER_BYTES)) !== 'loss') continue
    const first = readRecords(readStart(files, path, LOSS_BYTES_MAX), { owner: id }).next().value
    if (first?.kind !== 'record' || first.seq !== firstSeq) continue
    const input = inputFrom(first.body)
    if (input?.kind === 'loss') cuts.push({ seq: first.seq, resumesAfter: input.resumesAfter })
  }
  return cuts
}

/** More than any record of a loss: it names a bounded number of spans. */
const LOSS_BYTES_MAX: Bytes = 64 * 1024

function inputFrom(body: Uint8Array): ReturnType<typeof decodeJournalInput> | null {
  try {
    return decodeJournalInput(body)
  } catch (error) {
    if (isHbError(error)) return null
    throw error
  }
}

function readStart(files: Files, path: string, bytes: Bytes): Uint8Array {
  const start = new Uint8Array(bytes)
  const fd = files.openSync(path, 'r')
  try {
    return start.subarray(0, files.readSync(fd, start, 0, bytes, 0))
  } finally {
    files.closeSync(fd)
  }
}

/** Read at once when whole segments are looked through beside a running evaluation. */
const SCAN_BYTES: Bytes = 1024 * 1024

/**
 * Sequence numbers of the records of a segment that are whole, read piece by piece; between two pieces others get their
 * turn. The last record of a segment that is being written is left to the next time.
 */
export async function* scanSegment(
  files: Files,
  { path, owner, pause }: { path: string; owner: Uint8Array; pause(): Promise<void> },
): AsyncGenerator<number> {
  const fd = files.openSync(path, 'r')
  try {
    let rest = new Uint8Array(0)
    for (let at = 0; ; ) {
      const buffer = new Uint8Array(rest.length + SCAN_BYTES)
      buffer.set(rest)
      const read = files.readSync(fd, buffer, rest.length, SCAN_BYTES, at)
      at += read
      const whole = buffer.subarray(0, rest.length + read)
      let done = 0
      for (const record of readRecords(whole, { owner })) {
        if (record.kind === 'record') {
          yield record.seq
          done = record.end
        } else if (record.to < whole.length) done = record.to
      }
      if (read === 0) return
      rest = whole.slice(done)
      await pause()
    }
  } finally {
    files.closeSync(fd)
  }
}

/**
 * Reads spans of records from a file beside the segments; none when it is not there or damaged: what stands in such a
 * file only keeps more than is needed, or spares saying something twice.
 */
export function readSpans(files: Files, folder: string, name: string): RecordSpan[] {
  if (!files.existsSync(`${folder}/${name}`)) return []
  const bytes = new Uint8Array(files.readFileSync(`${folder}/${name}`))
  if (!checkSigned(bytes).ok) return []
  const value = decodeSigned(bytes) as unknown
  const isSpan = (row: unknown): row is [number, number] =>
    Array.isArray(row) && row.length === 2 && row.every(Number.isSafeInteger)
  return Array.isArray(value) && value.every(isSpan) ? value.map(([from, to]) => ({ from, to })) : []
}

export function writeSpans(files: Files, path: { folder: string; name: string }, spans: readonly RecordSpan[]): void {
  replaceFile(files, path.folder, path.name, canonicalBytes(spans.map(({ from, to }) => [from, to])))
}
