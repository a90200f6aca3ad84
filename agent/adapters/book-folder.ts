import { randomBytes } from 'node:crypto'
import { encodeBundle } from '../../shared/codec/baseline-bundle.ts'
import {
  type BaselineLog,
  emptyLog,
  foldLog,
  type LogAgainst,
  statementsAbout,
} from '../../shared/codec/baseline-log.ts'
import { BOOK_ID_BYTES, type StatementDraft, signStatement } from '../../shared/codec/baseline-statement.ts'
import { type CheckedRecord, checkRecord, recordFacts, requireSameGate } from '../../shared/codec/checked-record.ts'
import { encodeRecord } from '../../shared/codec/record-file.ts'
import type { Trust } from '../../shared/config/operators.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import type { Signer } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { RecordFacts } from '../../shared/model/baseline-book.ts'
import type { Bytes, Micros } from '../../shared/units.ts'
import {
  type BookHead,
  LOG,
  POLICIES,
  RECORDS,
  readHead,
  readIdentity,
  readLog,
  readRecords,
  writeHead,
  writeIdentity,
} from './book-files.ts'
import { diskError, type Files, replaceFile, syncFolder, writeWhole } from './files.ts'
import { lockFolder } from './state-folder.ts'

/** Statements of one book: a proposal takes three or four, so that is some thousand baselines. */
export const BOOK_STATEMENTS_MAX = 16_384

/**
 * A book of baselines in a folder: records and policies under the names of their digests, and every signed statement in
 * the order it was made. All of it is verified when it is opened.
 */
export type Book = Readonly<{
  path: string
  id: string
  log(): BaselineLog
  records: ReadonlyMap<string, CheckedRecord>
  /** Bytes behind the last whole statement that a power cut left; nobody was told that they were written. */
  tornBytes: Bytes
  /** Puts a record with its policy into the book; nothing is said about it yet. @returns its digest */
  addRecord(bytes: Uint8Array, policy: Uint8Array): string
  /**
   * Signs statements one behind the other and keeps them, all or none.
   *
   * @throws HbError BASELINE_REFUSED with the reason, BOOK_FULL, DISK_…
   */
  say(drafts: readonly NewStatement[], signer: Signer, nowUs: Micros): void
  /** A record with its policy and the statements about it, as agents open it. */
  bundle(digest: string): Uint8Array
  release(): void
}>

/** What a person says; the book knows its place in the chain. */
export type NewStatement = Omit<StatementDraft, 'book' | 'seq' | 'prev' | 'atUs'>

/**
 * Opens a book for writing, or begins one in a folder that is new or empty but for the keys of its operators.
 *
 * @throws HbError BOOK_BUSY, BOOK_DAMAGED, BASELINE_SHAPE, DISK_…
 */
export function openBook(files: Files, path: string, { trust, nowUs }: { trust: Trust; nowUs: Micros }): Book {
  try {
    files.mkdirSync(path, { recursive: true, mode: 0o700 })
    const release = lockFolder(files, path, 'BOOK_BUSY')
    try {
      if (readIdentity(files, path) === null)
        writeIdentity(files, path, { id: new Uint8Array(randomBytes(BOOK_ID_BYTES)), madeUs: nowUs })
      for (const folder of [RECORDS, POLICIES]) files.mkdirSync(`${path}/${folder}`, { recursive: true, mode: 0o700 })
      return opened(files, { path, trust, release })
    } catch (error) {
      release()
      throw error
    }
  } catch (cause) {
    throw diskError(cause, path)
  }
}

/** Looks into a book without writing anything. @throws HbError BOOK_MISSING, BOOK_DAMAGED */
export function viewBook(files: Files, path: string, trust: Trust): Omit<Book, 'addRecord' | 'say' | 'release'> {
  try {
    if (readIdentity(files, path) === null) throw new HbError('BOOK_MISSING', { path })
    return opened(files, { path, trust, release: () => {} })
  } catch (cause) {
    throw diskError(cause, path)
  }
}

type Opening = Readonly<{ path: string; trust: Trust; release(): void }>

function opened(files: Files, { path, trust, release }: Opening): Book {
  const { id } = readIdentity(files, path)!
  const records = readRecords(files, path, trust.qualityPolicy)
  const { signed, wholeBytes, tornBytes } = readLog(files, path, id)
  const book = toHex(id)
  const facts = new Map<string, RecordFacts>([...records].map(([digest, record]) => [digest, recordFacts(record)]))
  const against: LogAgainst = { trust, records: facts }
  let log = foldLog(signed, emptyLog(book), against)
  let bytes = wholeBytes
  checkHead(readHead(files, path), log, path)
  return {
    ...{ path, id: book, records, tornBytes, release },
    log: () => log,
    addRecord(record, policy) {
      const known = checkRecord({ bytes: record, policy }, trust.qualityPolicy)
      const { digest } = known
      requireSameGate(known)
      put(files, `${path}/${RECORDS}`, `${digest}.hbb`, record)
      put(files, `${path}/${POLICIES}`, `${toHex(known.record.gate.policy)}.yaml`, policy)
      records.set(digest, known)
      facts.set(digest, recordFacts(known))
      return digest
    },
    say(drafts, signer, nowUs) {
      const next = withStatements({ log, book, against }, drafts, { signer, nowUs })
      const added = next.entries.slice(log.entries.length).map((entry) => entry.bytes)
      const more = append(files, { path, id, bytes, seq: log.state.seq }, added)
      try {
        writeHead(files, path, { seq: next.state.seq, id: next.state.prev })
      } catch (cause) {
        cutLog(files, path, bytes)
        throw cause
      }
      bytes += more
      log = next
    },
    bundle(digest) {
      const { bytes: record, policy } = records.get(digest)!
      return encodeBundle({ record, policy, statements: statementsAbout(log, digest) })
    },
  }
}

/** A log that ends before what was said to be in it has lost statements. */
function checkHead(head: BookHead | null, { state, entries }: BaselineLog, path: string): void {
  if (head === null) return
  const lost = head.seq > state.seq
  const other = !lost && head.seq > 0 && idAt(entries, head.seq, state.prev) !== head.id
  if (lost || other)
    throw new HbError('BOOK_DAMAGED', {
      path: `${path}/${LOG}`,
      found: lost ? `${state.seq} statements` : `another statement ${head.seq}`,
      expected: `${head.seq} statements`,
    })
}

/** Id of a statement of the log: where its own cannot be read, it is what the next one names. */
function idAt(entries: BaselineLog['entries'], seq: number, last: string): string | undefined {
  return seq === entries.length ? last : (entries[seq - 1]?.statement?.id ?? entries[seq]?.statement?.prev)
}

type Saying = Readonly<{ log: BaselineLog; book: string; against: LogAgainst }>

function withStatements(
  { log, book, against }: Saying,
  drafts: readonly NewStatement[],
  { signer, nowUs }: { signer: Signer; nowUs: Micros },
): BaselineLog {
  if (log.entries.length + drafts.length > BOOK_STATEMENTS_MAX)
    throw new HbError('BOOK_FULL', { statements: log.entries.length, most: BOOK_STATEMENTS_MAX })
  let next = log
  for (const draft of drafts) {
    const { seq, prev, atUs } = next.state
    const place = { book, seq: seq + 1, prev, atUs: Math.max(nowUs, atUs) }
    const bytes = signStatement({ ...draft, ...place }, signer)
    next = foldLog([bytes], next, against)
    const refused = next.entries.at(-1)!.refused
    if (refused !== null)
      throw new HbError('BASELINE_REFUSED', { statement: draft.kind, reason: refused, baseline: draft.digest })
  }
  return next
}

type LogPlace = Readonly<{ path: string; id: Uint8Array; bytes: Bytes; seq: number }>

/** Behind the last whole statement; what a power cut left there is written over. A write that fails is cut off again. */
function append(files: Files, { path, id, bytes, seq }: LogPlace, statements: readonly Uint8Array[]): Bytes {
  const name = `${path}/${LOG}`
  const isNew = !files.existsSync(name)
  const whole = Buffer.concat(statements.map((statement, k) => encodeRecord(seq + 1 + k, statement, id)))
  let fd: number | null = null
  try {
    fd = files.openSync(name, isNew ? 'wx' : 'r+', 0o600)
    files.ftruncateSync(fd, bytes)
    try {
      writeWhole(files, fd, whole, bytes)
      files.fsyncSync(fd)
    } catch (cause) {
      files.ftruncateSync(fd, bytes)
      throw cause
    }
    if (isNew) syncFolder(files, path)
  } catch (cause) {
    throw diskError(cause, name)
  } finally {
    if (fd !== null) files.closeSync(fd)
  }
  return whole.length
}

/** Whoever is told that nothing was written must be right. */
function cutLog(files: Files, path: string, bytes: Bytes): void {
  const fd = files.openSync(`${path}/${LOG}`, 'r+', 0o600)
  files.ftruncateSync(fd, bytes)
  files.fsyncSync(fd)
  files.closeSync(fd)
}

function put(files: Files, folder: string, name: string, bytes: Uint8Array): void {
  // The name is the digest of the content: what is there already is the same.
  if (!files.existsSync(`${folder}/${name}`)) replaceFile(files, folder, name, bytes)
}
