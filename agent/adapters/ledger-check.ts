import { DIGEST_BYTES, equalBytes } from '../../shared/crypto/digest.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { hasEnded } from '../../shared/model/action.ts'
import { openToRead, type SqlReader, type SqlRow } from '../../shared/sqlite/database.ts'
import {
  ACTION_COLUMNS,
  type ActionRow,
  actionFrom,
  isWhole,
  TRANSITION_COLUMNS,
  type TransitionRow,
  toggleHead,
  transitionFrom,
} from './ledger-rows.ts'

/** An action of the ledger with all its transitions. */
export type LedgerEntry = Readonly<{ row: ActionRow; transitions: readonly TransitionRow[] }>

/**
 * What was found in a ledger. `why` is null when every row is what was written. Else `whole` are the actions that are
 * nevertheless, `lost` keys of those that are not, and `missing` how many have left no row at all (null: nobody knows).
 */
export type LedgerCheck = Readonly<{
  why: string | null
  whole: readonly LedgerEntry[]
  lost: readonly string[]
  missing: number | null
}>

/** Actions that are read at once. */
const PAGE = 200
/** Keys that a report names; the rest is counted by the journal. */
const LOST_NAMED_MAX = 64

type Found = { why: string | null; actions: number; transitions: number; heads: Uint8Array; lost: string[] }

/**
 * Reads a ledger whole and holds every row against the digests. Never throws for what is in the file: it is our own, and
 * whatever cannot be read in it is damage.
 */
export async function checkLedger(path: string): Promise<LedgerCheck> {
  const found: Found = { why: null, actions: 0, transitions: 0, heads: new Uint8Array(DIGEST_BYTES), lost: [] }
  const whole: LedgerEntry[] = []
  let missing: number | null = null
  try {
    const db = await openToRead(path)
    try {
      const structure = await db.all('PRAGMA integrity_check(1)')
      const said = String(Object.values(structure[0] ?? {})[0])
      if (said !== 'ok') found.why = `structure: ${said.slice(0, 200)}`
      for await (const entry of entriesOf(db, found)) if (entry !== null) whole.push(entry)
      missing = await missingBeside(db, found)
    } finally {
      await db.close()
    }
  } catch (error) {
    if (!isHbError(error)) throw error
    found.why ??= `${error.code}: ${String(error.context['detail'] ?? '').slice(0, 200)}`
  }
  const lost = found.lost.slice(0, LOST_NAMED_MAX)
  // What is sound is not handed out: nobody has to copy it.
  return found.why === null ? { why: null, whole: [], lost, missing: 0 } : { why: found.why, whole, lost, missing }
}

/** Actions page by page; null for one that is not whole. */
async function* entriesOf(db: SqlReader, found: Found): AsyncGenerator<LedgerEntry | null> {
  for (let after = ''; ; ) {
    const rows = await db.all(
      `SELECT ${ACTION_COLUMNS.join(',')} FROM actions WHERE key > ? ORDER BY key LIMIT ${PAGE}`,
      [after],
    )
    if (rows.length === 0) return
    const last = String(rows.at(-1)!['key'])
    const transitions = await transitionsOf(db, { after, last })
    found.transitions += transitions.count
    for (const row of rows) {
      const key = String(row['key'])
      const entry = entryOf(row, transitions.byKey.get(key) ?? [])
      found.actions += 1
      if (entry === null) {
        found.why ??= 'a row is not what was written'
        found.lost.push(key)
      } else found.heads = toggleHead(found.heads, entry.row.head)
      yield entry
    }
    // A page that does not end behind the one before it would never end.
    if (!(last > after)) {
      found.why ??= 'keys are out of order'
      return
    }
    after = last
  }
}

async function transitionsOf(
  db: SqlReader,
  { after, last }: { after: string; last: string },
): Promise<{ byKey: Map<string, SqlRow[]>; count: number }> {
  const byKey = new Map<string, SqlRow[]>()
  const rows = await db.all(
    `SELECT ${TRANSITION_COLUMNS.join(',')} FROM transitions WHERE key > ? AND key <= ? ORDER BY key, n`,
    [after, last],
  )
  for (const row of rows) {
    const key = String(row['key'])
    const of = byKey.get(key)
    if (of === undefined) byKey.set(key, [row])
    else of.push(row)
  }
  return { byKey, count: rows.length }
}

function entryOf(row: SqlRow, transitionRows: readonly SqlRow[]): LedgerEntry | null {
  try {
    const action = actionFrom(row)
    const transitions = transitionRows.map(transitionFrom)
    const isOpen = hasEnded(action.action.state) ? 0 : 1
    return row['is_open'] === isOpen && isWhole(action, transitions) ? { row: action, transitions } : null
  } catch {
    // Texts that are no JSON, values of another type: whatever it is, it was not written by us.
    return null
  }
}

/** Holds what was read against what the ledger says it has. @returns how many actions have left no row */
async function missingBeside(db: SqlReader, found: Found): Promise<number | null> {
  const sum = await db.get('SELECT actions, transitions, heads FROM ledger WHERE id = 1')
  const total = await db.get('SELECT count(*) AS n FROM transitions')
  if (sum === undefined) {
    found.why ??= 'it does not say how much it has'
    return null
  }
  const heads = sum['heads'] instanceof Uint8Array ? new Uint8Array(sum['heads']) : new Uint8Array(0)
  if (total?.['n'] !== found.transitions) found.why ??= 'transitions without an action'
  if (sum['actions'] !== found.actions || sum['transitions'] !== found.transitions) found.why ??= 'rows are missing'
  if (found.lost.length === 0 && !equalBytes(heads, found.heads)) found.why ??= 'actions are missing'
  const expected = sum['actions']
  return typeof expected === 'number' ? Math.max(0, expected - found.actions) : null
}
