import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NO_REQUEST } from '../../shared/codec/baseline-statement.ts'
import type { CheckedRecord } from '../../shared/codec/checked-record.ts'
import { loadOperators } from '../../shared/config/load.ts'
import type { Trust } from '../../shared/config/operators.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import { loadSigner } from '../../shared/crypto/key-file.ts'
import type { Signer } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import type { BaselineRequest, BookState, RequestStatus } from '../../shared/model/baseline-book.ts'
import type { StatementKind } from '../../shared/model/baseline-statement.ts'
import { PERSONS_NOTE } from '../../shared/model/order.ts'
import type { Micros } from '../../shared/units.ts'
import { type Book, type NewStatement, openBook, viewBook } from '../adapters/book-folder.ts'
import { systemFiles } from '../adapters/files.ts'

/** Options of every command on a book. */
export type BookOptions = Readonly<{ book: string; operators?: string; json?: boolean }>
/** Options of every command that says something. */
export type SayOptions = BookOptions & Readonly<{ key: string; reason: string; request?: string }>
export type BookView = Pick<Book, 'id' | 'path' | 'log' | 'records' | 'bundle' | 'tornBytes'>

/** Fewest characters of a digest that name it. */
const DIGEST_CHARS_MIN = 6

/** Who is trusted: `--operators`, or `operators.yaml` in the folder of the book. */
export function trustOf({ book, operators }: BookOptions): Trust {
  return loadOperators(operators ?? join(book, 'operators.yaml'))
}

/** Reads a book for a command that changes nothing. @throws HbError BOOK_MISSING, BOOK_DAMAGED, CONFIG_… */
export function lookInto(options: BookOptions): BookView & Readonly<{ trust: Trust }> {
  if (!existsSync(options.book)) throw new HbError('BOOK_MISSING', { path: options.book })
  const trust = trustOf(options)
  return { ...viewBook(systemFiles, options.book, trust), trust }
}

export type Saying = Readonly<{ book: Book; trust: Trust; signer: Signer; nowUs: Micros }>

/** Opens a book for a command that says something, and gives it back whatever happens. */
export function saying<T>(options: SayOptions, act: (with_: Saying) => T): T {
  if (options.reason.trim() === '')
    throw new HbError('USAGE', { option: '--reason', found: 'blanks', expected: 'a reason' })
  const trust = trustOf(options)
  const signer = loadSigner(options.key)
  const nowUs = systemClock().nowUs()
  const book = openBook(systemFiles, options.book, { trust, nowUs })
  try {
    return act({ book, trust, signer, nowUs })
  } finally {
    book.release()
  }
}

/** Digest of the record that its beginning names. @throws HbError BASELINE_UNKNOWN */
export function digestNamed({ records }: Pick<Book, 'records'>, text: string): string {
  const wanted = text.toLowerCase()
  const found = [...records.keys()].filter((digest) => digest.startsWith(wanted))
  if (wanted.length < DIGEST_CHARS_MIN || found.length !== 1)
    throw new HbError('BASELINE_UNKNOWN', {
      baseline: text,
      found: wanted.length < DIGEST_CHARS_MIN ? 'too few characters' : `${found.length} records`,
      expected: `a digest, or at least ${DIGEST_CHARS_MIN} characters of its beginning`,
    })
  return found[0]!
}

/** The newest request of a record, or the one that its beginning names. @throws HbError BASELINE_UNKNOWN */
export function requestNamed(state: BookState, digest: string, id?: string): BaselineRequest {
  const requests = [...state.requests.values()].filter((r) => r.digest === digest)
  const request = id === undefined ? newest(requests) : requests.find((r) => r.request.startsWith(id.toLowerCase()))
  if (request === undefined)
    throw new HbError('BASELINE_UNKNOWN', { baseline: digest, found: 'no request', request: id ?? null })
  return request
}

/** The request that counts for most: open or approved ones before closed ones, the newest of them. */
export function newest(requests: readonly BaselineRequest[]): BaselineRequest | undefined {
  const live: readonly RequestStatus[] = ['proposed', 'reviewed', 'approved']
  return requests.findLast((r) => live.includes(r.status)) ?? requests.at(-1)
}

/** A statement about a record of the book, without what only some kinds have. */
export function about(record: CheckedRecord, digest: string, kind: StatementKind): Omit<NewStatement, 'reason'> {
  const { program, rig, family, mode, kind: as } = record.record
  return {
    ...{ kind, digest, as, program, rig, family, mode, request: NO_REQUEST, tag: '', operator: '' },
    ...{ untilUs: 0, factor: 1 },
  }
}

/** Name of a key as the operators' file has it; otherwise its id. */
export function namesOf(trust: Trust): (key: string) => string {
  const names = new Map(trust.operators.map(({ name, key }) => [toHex(key.keyId), name]))
  return (key) => names.get(key) ?? `key ${key.slice(0, 12)}`
}

/** Said last by every command: what signatures prove and what not. */
export const NOTE_LINE = `(${PERSONS_NOTE})`
