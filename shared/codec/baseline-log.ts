import type { Trust } from '../config/operators.ts'
import { coseIdentity, coseKeyId } from '../crypto/cose.ts'
import { equalBytes, toHex } from '../crypto/digest.ts'
import { HbError, isHbError } from '../errors/hb-error.ts'
import {
  applyStatement,
  type BookState,
  emptyBook,
  passOver,
  type RecordFacts,
  type StatementRefusal,
} from '../model/baseline-book.ts'
import type { Statement } from '../model/baseline-statement.ts'
import { rulesOf } from './baseline-bundle.ts'
import { bookGenesis, openStatement } from './baseline-statement.ts'

/** One signed statement of a book. It counts when `refused` is null; of an unknown key nothing can be read. */
export type LogEntry = Readonly<{
  bytes: Uint8Array
  statement: Statement | null
  refused: StatementRefusal | null
}>

/** All statements of a book in order, and what they come to. */
export type BaselineLog = Readonly<{ state: BookState; entries: readonly LogEntry[] }>
export type LogAgainst = Readonly<{ trust: Trust; records: ReadonlyMap<string, RecordFacts> }>

export function emptyLog(book: string): BaselineLog {
  return { state: emptyBook(book, bookGenesis(book)), entries: [] }
}

/**
 * Verifies statements one behind the other, and behind those of a log. Where one was removed, moved or changed, the chain shows it.
 *
 * @throws HbError BOOK_DAMAGED with the number of the first one that is not what was signed.
 */
export function foldLog(signed: readonly Uint8Array[], before: BaselineLog, against: LogAgainst): BaselineLog {
  let { state } = before
  const entries: LogEntry[] = [...before.entries]
  const rules = rulesOf(against.trust)
  for (const bytes of signed) {
    const seq = state.seq + 1
    const statement = verified(bytes, against.trust, seq)
    if (statement === null) {
      const unread = { id: toHex(coseIdentity(bytes)), seq, atUs: state.atUs } as Statement
      state = passOver(state, unread)
      entries.push({ bytes, statement, refused: 'unknown_key' })
      continue
    }
    const applied = applyStatement(state, statement, { rules, records: against.records })
    if (!applied.ok && (applied.reason === 'out_of_order' || applied.reason === 'other_book'))
      throw new HbError('BOOK_DAMAGED', { statement: seq, found: applied.reason })
    state = applied.ok ? applied.state : passOver(state, statement)
    entries.push({ bytes, statement, refused: applied.ok ? null : applied.reason })
  }
  return { state, entries }
}

/**
 * Statements about one record, for a bundle. Tags and ways back are about others and stay behind; so does decay that a
 * later word on it stands for, because it may be said every hour and a bundle is small.
 */
export function statementsAbout({ entries }: BaselineLog, digest: string): Uint8Array[] {
  const about = entries.filter(
    ({ statement: s }) => s !== null && s.digest === digest && s.kind !== 'tag' && s.kind !== 'rollback',
  )
  const newestDecay = about.findLast(({ statement, refused }) => statement?.kind === 'decay' && refused === null)
  const kept = about.filter((one) => one.statement?.kind !== 'decay' || one === newestDecay)
  return kept.map(({ bytes }) => bytes)
}

function verified(bytes: Uint8Array, { operators }: Trust, seq: number): Statement | null {
  try {
    const id = coseKeyId(bytes)
    const operator = operators.find(({ key }) => equalBytes(key.keyId, id))
    return operator === undefined ? null : openStatement(bytes, operator.key)
  } catch (cause) {
    if (!isHbError(cause)) throw cause
    throw new HbError('BOOK_DAMAGED', { statement: seq, found: cause.code }, { cause })
  }
}
