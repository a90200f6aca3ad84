import { type BaselineLog, emptyLog, foldLog, type LogAgainst } from '../shared/codec/baseline-log.ts'
import { checkRecord, recordFacts } from '../shared/codec/checked-record.ts'
import type { Trust } from '../shared/config/operators.ts'
import { policyDigest } from '../shared/config/quality-policy.ts'
import { toHex } from '../shared/crypto/digest.ts'
import { isHbError } from '../shared/errors/hb-error.ts'
import type { RecordFacts } from '../shared/model/baseline-book.ts'
import type { SqlReader } from '../shared/sqlite/database.ts'
import { trustDigest } from './baselines.ts'
import { bookRows, rowDifferences } from './core/book-rows.ts'
import { rowOf, type StoredStatement, statementOf } from './store/baselines.ts'

export type BookCheck = Readonly<{ records: number; statements: number; found: readonly string[] }>

const RECORD = `SELECT r.digest, r.policy AS named, r.bytes, p.bytes AS policy FROM baseline_records r
  LEFT JOIN baseline_policies p ON p.digest = r.policy WHERE r.digest = ?`

/** Proves the book of baselines anew: digests, signatures, chain, and the rows that are derived from it. Writes nothing. */
export async function checkBook(db: SqlReader, trust: Trust): Promise<BookCheck> {
  // A database that no newer collector has opened yet has no book.
  const tables = await db.all("SELECT name FROM sqlite_master WHERE name = 'baseline_book'")
  if (tables.length === 0) return { records: 0, statements: 0, found: [] }
  const found: string[] = []
  const records = await checkRecords(db, trust, found)
  const stored = (await db.all('SELECT seq, id, digest, recv_us, bytes FROM baseline_statements ORDER BY seq')).map(
    statementOf,
  )
  const book = await db.get('SELECT book, trust FROM baseline_book')
  if (book === undefined && stored.length > 0) found.push('there are statements and no book')
  if (book !== undefined) {
    const log = folded(stored, { book: book['book'] as string, against: { trust, records } })
    if (typeof log === 'string') found.push(log)
    else {
      found.push(...columnsThatDiffer(stored, log))
      // For other people, or another policy of gates, rows are written anew at the next start, and less may be permitted.
      if (book['trust'] === trustDigest(trust)) {
        found.push(...refusedIn(log))
        const rows = (await db.all('SELECT kind, key, body FROM baseline_state')).map(rowOf)
        found.push(...rowDifferences(rows, bookRows(log.state)))
      }
    }
  }
  return { records: records.size, statements: stored.length, found }
}

async function checkRecords(
  db: SqlReader,
  { qualityPolicy }: Trust,
  found: string[],
): Promise<Map<string, RecordFacts>> {
  const records = new Map<string, RecordFacts>()
  for (const { digest } of (await db.all('SELECT digest FROM baseline_records ORDER BY digest')) as unknown as {
    digest: string
  }[]) {
    const row = await db.get(RECORD, [digest])
    const [bytes, policy] = [row?.['bytes'], row?.['policy']]
    if (!(bytes instanceof Uint8Array && policy instanceof Uint8Array)) {
      found.push(`record ${digest} has no policy`)
      continue
    }
    if (toHex(policyDigest(policy)) !== row?.['named'])
      found.push(`policy ${String(row?.['named'])} is not the bytes of its name`)
    try {
      const checked = checkRecord({ bytes, policy }, qualityPolicy)
      if (checked.digest === digest) records.set(digest, recordFacts(checked))
      else found.push(`record ${digest} is not the bytes of its name`)
    } catch (error) {
      if (!isHbError(error)) throw error
      found.push(`record ${digest}: ${error.message}`)
    }
  }
  return records
}

function folded(
  stored: readonly StoredStatement[],
  { book, against }: Readonly<{ book: string; against: LogAgainst }>,
): BaselineLog | string {
  try {
    const signed = stored.map(({ bytes }) => bytes)
    return foldLog(signed, emptyLog(book), against)
  } catch (error) {
    if (!isHbError(error)) throw error
    return error.message
  }
}

/** Everything was permitted when it was taken. With a person who is not trusted any more, what rests on them is not. */
function refusedIn({ entries }: BaselineLog): string[] {
  if (entries.some(({ refused }) => refused === 'unknown_key')) return []
  return entries.flatMap(({ refused }, k) => (refused === null ? [] : [`statement ${k + 1}: ${refused}`]))
}

function columnsThatDiffer(stored: readonly StoredStatement[], { entries }: BaselineLog): string[] {
  return stored.flatMap(({ seq, id, digest }, k) => {
    const said = entries[k]!.statement
    const isSame = said === null ? seq === k + 1 : said.seq === seq && said.id === id && said.digest === digest
    return isSame ? [] : [`the columns of statement ${seq} are not what was signed`]
  })
}
