import { existsSync } from 'node:fs'
import { HbError } from '../../shared/errors/hb-error.ts'
import { hasEnded } from '../../shared/model/action.ts'
import { openToRead, type SqlReader, type SqlValue } from '../../shared/sqlite/database.ts'
import { type ActionLedger, LEDGER_LIST_MAX, type LedgerAction, type LedgerQuery } from '../pipeline/action-ledger.ts'
import { ACTION_COLUMNS, type ActionRow, actionFrom, TRANSITION_COLUMNS, transitionFrom } from './ledger-rows.ts'

export const LEDGER_FILE = 'actions.sqlite'

export type LedgerReader = Pick<ActionLedger, 'open' | 'byKey' | 'list'>

/** What a ledger holds, for whoever asks. */
export function ledgerReader(db: SqlReader): LedgerReader {
  return {
    open: () => actionsWhere(db, { where: 'is_open = 1', order: 'first_us, key', values: [] }),
    async byKey(key) {
      const [row] = await db.all(`SELECT ${ACTION_COLUMNS.join(',')} FROM actions WHERE key = ?`, [key])
      if (row === undefined) return null
      const rows = await db.all(`SELECT ${TRANSITION_COLUMNS.join(',')} FROM transitions WHERE key = ? ORDER BY n`, [
        key,
      ])
      return { action: actionFrom(row).action, transitions: rows.map(transitionFrom) }
    },
    list: (query) => listed(db, query),
  }
}

/** The ledger of a state folder, beside an agent that may be running. @throws HbError STATE_MISSING, DATABASE_… */
export async function viewLedger(folder: string): Promise<LedgerReader & { close(): Promise<void> }> {
  const path = `${folder}/${LEDGER_FILE}`
  if (!existsSync(path)) throw new HbError('STATE_MISSING', { path, expected: 'the ledger of an agent with a policy' })
  const db = await openToRead(path)
  return { ...ledgerReader(db), close: () => db.close() }
}

function listed(db: SqlReader, { rig, state, sinceUs, limit }: LedgerQuery): Promise<readonly LedgerAction[]> {
  const parts: [string, SqlValue][] = []
  if (rig !== undefined) parts.push(['rig = ?', rig])
  if (state !== undefined) parts.push([`is_open = ${hasEnded(state) ? 0 : 1} AND state = ?`, state])
  if (sinceUs !== undefined) parts.push(['last_us >= ?', sinceUs])
  const where = parts.length === 0 ? '1' : parts.map(([text]) => text).join(' AND ')
  const rows = Math.max(0, Math.min(limit, LEDGER_LIST_MAX))
  return actionsWhere(db, {
    where,
    order: `last_us DESC, key DESC LIMIT ${rows}`,
    values: parts.map(([, value]) => value),
  })
}

async function actionsWhere(
  db: SqlReader,
  { where, order, values }: { where: string; order: string; values: readonly SqlValue[] },
): Promise<readonly LedgerAction[]> {
  const rows = await db.all(`SELECT ${ACTION_COLUMNS.join(',')} FROM actions WHERE ${where} ORDER BY ${order}`, values)
  return rows.map((row): ActionRow => actionFrom(row)).map(({ action }) => action)
}
