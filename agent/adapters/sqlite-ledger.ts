import { HbError, isHbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import { type Database, openDatabase, type SqlTransaction } from '../../shared/sqlite/database.ts'
import type { Micros } from '../../shared/units.ts'
import type { ActionChange } from '../core/safety/changes.ts'
import type { ActionLedger } from '../pipeline/action-ledger.ts'
import { type Files, syncFolder } from './files.ts'
import { checkLedger, type LedgerEntry } from './ledger-check.ts'
import { LEDGER_FILE, ledgerReader } from './ledger-read.ts'
import { ACTION_COLUMNS, actionValues, TRANSITION_COLUMNS, toggleHead, transitionValues } from './ledger-rows.ts'
import { LEDGER_MIGRATIONS } from './ledger-schema.ts'
import { writeChanges } from './ledger-write.ts'

/** Changes that may wait for the disk; one more is refused with DATABASE_BUSY. */
export const LEDGER_WAITING_MAX = 4_096
/** Changes of one transaction. */
const GROUP_MAX = 512
/** Damaged files that are kept beside the new one; of more the oldest is deleted. */
const ASIDE_MAX = 3
/** Rows that are carried over in one transaction. */
const CARRIED_AT_ONCE = 200

export type LedgerBounds = Readonly<{
  /** Past it the oldest actions that have ended are forgotten; open ones never. */
  transitionsMax: number
  /** Actions that ended longer ago are forgotten. */
  ageMaxUs: Micros
}>
export const LEDGER_BOUNDS: LedgerBounds = { transitionsMax: 20_000, ageMaxUs: 365 * 86_400_000_000 }

export type LedgerOptions = Readonly<{
  files: Files
  folder: string
  clock: Pick<Clock, 'nowUs'>
  bounds?: LedgerBounds
}>

/** A ledger that was damaged: where it is now, what was carried over from it, and what has to come from the journal. */
export type LedgerDamage = Readonly<{
  why: string
  aside: string
  carried: number
  lost: readonly string[]
  /** Actions of which no row is left; null when nobody knows. */
  missing: number | null
}>

/** `isNew`: there was none. Like after damage, what the journal says has to be recorded again. */
export type OpenedLedger = Readonly<{ ledger: ActionLedger; isNew: boolean; damage: LedgerDamage | null }>

/**
 * Opens the ledger in a folder. One that is damaged, or that another program made, is put aside, and what is whole in it
 * is carried over into a new one: a projection is never a reason not to start.
 *
 * @throws HbError DISK_FULL, DISK_READ_ONLY, DISK_FAILED, DATABASE_BUSY or DATABASE_FAILED when not even a new one can be made
 */
export async function openLedger(options: LedgerOptions): Promise<OpenedLedger> {
  const { files, folder, clock } = options
  const path = `${folder}/${LEDGER_FILE}`
  const open = (): Promise<Database> => openDatabase({ path, migrations: LEDGER_MIGRATIONS, clock })
  if (!files.existsSync(path)) return { ledger: await ledgerOver(await open(), options), isNew: true, damage: null }
  const isEmpty = files.statSync(path).size === 0
  const check = isEmpty ? { why: 'empty', whole: [], lost: [], missing: null } : await checkLedger(path)
  let why = check.why
  if (why === null) {
    try {
      return { ledger: await ledgerOver(await open(), options), isNew: false, damage: null }
    } catch (error) {
      if (!isHbError(error) || error.code === 'DISK_FULL' || error.code === 'DATABASE_BUSY') throw error
      why = error.code
    }
  }
  const aside = putAside(options, path)
  const db = await open()
  for (let k = 0; k < check.whole.length; k += CARRIED_AT_ONCE)
    await db.write((tx) => carry(tx, check.whole.slice(k, k + CARRIED_AT_ONCE)))
  const damage = { why, aside, carried: check.whole.length, lost: check.lost, missing: check.missing }
  return { ledger: await ledgerOver(db, options), isNew: false, damage }
}

/** What one turn of the loop says of an action (proposed, passed, released) is one transaction, and what is sent waits for it once. */
function turnEnds(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function carry(tx: SqlTransaction, entries: readonly LedgerEntry[]): Promise<void> {
  const sum = (await tx.get('SELECT actions, transitions, heads FROM ledger WHERE id = 1'))!
  let heads = sum['heads'] as Uint8Array
  for (const { row } of entries) heads = toggleHead(heads, row.head)
  const transitions = entries.flatMap((entry) => entry.transitions)
  await tx.insert(
    { table: 'actions', columns: ACTION_COLUMNS },
    entries.map(({ row }) => actionValues(row)),
  )
  await tx.insert({ table: 'transitions', columns: TRANSITION_COLUMNS }, transitions.map(transitionValues))
  await tx.run('UPDATE ledger SET actions = actions + ?, transitions = transitions + ?, heads = ? WHERE id = 1', [
    entries.length,
    transitions.length,
    heads,
  ])
}

/** Renames the file and what SQLite keeps beside it. @returns the name it has now */
function putAside({ files, folder }: LedgerOptions, path: string): string {
  const numbers = files.readdirSync(folder).map((name) => Number(/^actions\.sqlite\.damaged-(\d+)$/.exec(name)?.[1]))
  const taken = numbers.filter((n) => n >= 1).sort((a, b) => a - b)
  const number = (taken.at(-1) ?? 0) + 1
  for (const old of taken.slice(0, Math.max(0, taken.length - ASIDE_MAX + 1)))
    for (const end of ['', '-wal', '-shm']) removeIfThere(files, `${path}.damaged-${old}${end}`)
  for (const end of ['-wal', '-shm', ''])
    if (files.existsSync(path + end)) files.renameSync(path + end, `${path}.damaged-${number}${end}`)
  syncFolder(files, folder)
  return `${LEDGER_FILE}.damaged-${number}`
}

function removeIfThere(files: Files, path: string): void {
  if (files.existsSync(path)) files.unlinkSync(path)
}

type Waiting = Readonly<{ changes: readonly ActionChange[]; resolve(): void; reject(error: unknown): void }>

async function ledgerOver(db: Database, { bounds = LEDGER_BOUNDS, folder }: LedgerOptions): Promise<ActionLedger> {
  const counted = { groups: 0, dropped: 0, actions: 0, transitions: 0 }
  const queue: Waiting[] = []
  let waiting = 0
  let flushing: Promise<void> | null = null
  const sum = await db.get('SELECT actions, transitions FROM ledger WHERE id = 1')
  Object.assign(counted, sum)

  /** One transaction for everybody who has come since the last one began. */
  async function flush(): Promise<void> {
    while (queue.length > 0) {
      const group: Waiting[] = []
      for (let count = 0; queue.length > 0; ) {
        count += queue[0]!.changes.length
        if (group.length > 0 && count > GROUP_MAX) break
        group.push(queue.shift()!)
      }
      const changes = group.flatMap((one) => one.changes)
      try {
        const { dropped, actions, transitions } = await db.write((tx) => writeChanges(tx, changes, bounds))
        Object.assign(counted, { actions, transitions })
        counted.dropped += dropped
        counted.groups += 1
        for (const one of group) one.resolve()
      } catch (error) {
        for (const one of group) one.reject(error)
      }
      waiting -= changes.length
    }
    flushing = null
  }

  return {
    record(changes) {
      if (changes.length === 0) return Promise.resolve()
      if (waiting + changes.length > LEDGER_WAITING_MAX)
        return Promise.reject(new HbError('DATABASE_BUSY', { path: `${folder}/${LEDGER_FILE}`, waiting }))
      waiting += changes.length
      return new Promise((resolve, reject) => {
        queue.push({ changes, resolve, reject })
        flushing ??= turnEnds().then(flush)
      })
    },
    async passed() {
      await flushing
      await db.write(async () => undefined)
    },
    ...ledgerReader(db),
    counts: () => ({ ...counted, waiting }),
    async close() {
      while (flushing !== null) await flushing
      await db.close()
    },
  }
}
