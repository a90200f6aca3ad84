import { toHex } from '../../shared/crypto/digest.ts'
import { invariant } from '../../shared/lib/assert.ts'
import { hasEnded } from '../../shared/model/action.ts'
import type { SqlRow, SqlTransaction } from '../../shared/sqlite/database.ts'
import type { ActionChange } from '../core/safety/changes.ts'
import {
  ACTION_COLUMNS,
  type ActionRow,
  actionFrom,
  actionValues,
  contentDigest,
  TRANSITION_COLUMNS,
  type TransitionRow,
  toggleHead,
  transitionValues,
  withChange,
} from './ledger-rows.ts'
import type { LedgerBounds } from './sqlite-ledger.ts'

/** Rows of one action; past it notes beside its state are counted and not written. Changes of state always are. */
export const TRANSITIONS_OF_ACTION_MAX = 1_000
/** Actions that are forgotten in one transaction: what is past a bound goes over several. */
const FORGOTTEN_AT_ONCE = 64

type Written = { dropped: number; actions: number; transitions: number }
type Sum = { actions: number; transitions: number; heads: Uint8Array }

/** Appends changes to their actions, leaves out what is there already, and forgets what is past the bounds. */
export async function writeChanges(
  tx: SqlTransaction,
  changes: readonly ActionChange[],
  bounds: LedgerBounds,
): Promise<Written> {
  const contents = changes.map(contentDigest)
  const { sum, before, known } = await readFor(tx, changes, contents)
  const after = new Map<string, ActionRow>(before)
  const added: TransitionRow[] = []
  let dropped = 0
  for (const [k, change] of changes.entries()) {
    const id = `${change.key} ${toHex(contents[k]!)}`
    if (known.has(id)) continue
    known.add(id)
    const row = after.get(change.key) ?? null
    if (isNoteTooMany(row, change)) {
      dropped += 1
      continue
    }
    const next = withChange(row, change)
    after.set(change.key, next.row)
    added.push(next.added)
  }
  if (added.length > 0) await store(tx, { sum, before, after, added })
  // Nothing else makes one that has ended older, or rows too many.
  if (sum.transitions > bounds.transitionsMax || changes.some(({ state }) => hasEnded(state)))
    await forget(tx, sum, bounds)
  return { dropped, actions: sum.actions, transitions: sum.transitions }
}

function isNoteTooMany(row: ActionRow | null, change: ActionChange): boolean {
  if (row === null || row.action.transitions < TRANSITIONS_OF_ACTION_MAX) return false
  return hasEnded(row.action.state) || change.state === row.action.state
}

/** Sums, actions as they are, and which of the changes are recorded already (`key content`). One statement: who acts waits for each. */
async function readFor(
  tx: SqlTransaction,
  changes: readonly ActionChange[],
  contents: readonly Uint8Array[],
): Promise<{ sum: Sum; before: Map<string, ActionRow>; known: Set<string> }> {
  const columns = ACTION_COLUMNS.map((name) => `a.${name} AS ${name}`).join(',')
  const rows = await tx.all(
    `WITH c(key, content) AS (VALUES ${changes.map(() => '(?,?)').join(',')})
     SELECT l.actions AS all_actions, l.transitions AS all_transitions, l.heads, ${columns}, t.content
     FROM ledger l CROSS JOIN c LEFT JOIN actions a ON a.key = c.key
     LEFT JOIN transitions t ON t.key = c.key AND t.content = c.content WHERE l.id = 1`,
    changes.flatMap(({ key }, k) => [key, contents[k]!]),
  )
  const first = rows[0]
  invariant(first !== undefined, 'the ledger has its row since it was made')
  const there = rows.filter((row) => row['key'] !== null)
  return {
    sum: {
      actions: first['all_actions'] as number,
      transitions: first['all_transitions'] as number,
      heads: first['heads'] as Uint8Array,
    },
    before: new Map(there.map(actionFrom).map((row) => [row.action.key, row])),
    known: new Set(
      there.flatMap(({ key, content }) => (content === null ? [] : [`${String(key)} ${toHex(content as Uint8Array)}`])),
    ),
  }
}

async function store(
  tx: SqlTransaction,
  {
    sum,
    before,
    after,
    added,
  }: { sum: Sum; before: Map<string, ActionRow>; after: Map<string, ActionRow>; added: readonly TransitionRow[] },
): Promise<void> {
  const touched = [...after.values()].filter((row) => before.get(row.action.key) !== row)
  for (const row of touched) {
    const old = before.get(row.action.key)
    if (old === undefined) sum.actions += 1
    else sum.heads = toggleHead(sum.heads, old.head)
    sum.heads = toggleHead(sum.heads, row.head)
  }
  sum.transitions += added.length
  const changed = ['state', 'is_open', 'last_us', 'deadline_us', 'attempt', 'transitions', 'head']
  const conflict = `ON CONFLICT (key) DO UPDATE SET ${changed.map((name) => `${name} = excluded.${name}`).join(', ')}`
  await tx.insert({ table: 'actions', columns: ACTION_COLUMNS, conflict }, touched.map(actionValues))
  await tx.insert({ table: 'transitions', columns: TRANSITION_COLUMNS }, added.map(transitionValues))
  await saveSum(tx, sum)
}

async function saveSum(tx: SqlTransaction, { actions, transitions, heads }: Sum): Promise<void> {
  await tx.run('UPDATE ledger SET actions = ?, transitions = ?, heads = ? WHERE id = 1', [actions, transitions, heads])
}

/** Forgets the oldest actions that have ended: those past the age, and as many as there are rows too many. */
async function forget(tx: SqlTransaction, sum: Sum, { transitionsMax, ageMaxUs }: LedgerBounds): Promise<void> {
  const newest = await tx.get('SELECT max(last_us) AS us FROM actions WHERE is_open = 0')
  const oldestUs = ((newest?.['us'] as number | null) ?? 0) - ageMaxUs
  const ended = await tx.all(
    `SELECT key, head, transitions, last_us FROM actions WHERE is_open = 0 ORDER BY last_us, key LIMIT ${FORGOTTEN_AT_ONCE}`,
  )
  const gone: SqlRow[] = []
  let transitions = sum.transitions
  for (const row of ended) {
    if (!(transitions > transitionsMax || (row['last_us'] as number) < oldestUs)) break
    transitions -= row['transitions'] as number
    gone.push(row)
  }
  if (gone.length === 0) return
  const keys = gone.map((row) => row['key'] as string)
  const marks = keys.map(() => '?').join(',')
  await tx.run(`DELETE FROM transitions WHERE key IN (${marks})`, keys)
  await tx.run(`DELETE FROM actions WHERE key IN (${marks})`, keys)
  for (const row of gone) sum.heads = toggleHead(sum.heads, row['head'] as Uint8Array)
  sum.actions -= gone.length
  sum.transitions = transitions
  await saveSum(tx, sum)
}
