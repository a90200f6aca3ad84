import type { Trust } from '../shared/config/operators.ts'
import { equalBytes } from '../shared/crypto/digest.ts'
import type { VerifyKey } from '../shared/crypto/sign.ts'
import { isHbError } from '../shared/errors/hb-error.ts'
import { genesisPrev } from '../shared/protocol/batch.ts'
import { openReceipt } from '../shared/protocol/receipt.ts'
import { bytesIn, type SqlReader, type SqlRow, type SqlValue } from '../shared/sqlite/database.ts'
import { checkBook } from './book-check.ts'
import { rowsFrom } from './core/decision-view.ts'
import { checkRollouts } from './rollout-check.ts'
import { checkSafety } from './safety-check.ts'
import { recordsOf } from './store/batches.ts'
import type { VerifyPool } from './verify/pool.ts'
import type { VerifyResult } from './verify/worker.ts'

/** Something that is not as it was stored: where, and what is wrong with it. */
export type Finding = Readonly<{ agent: string; epoch: number | null; batch: number | null; what: string }>

export type FsckResult = Readonly<{
  batches: number
  decisions: number
  /** Records and statements of the book of baselines. */
  book: Readonly<{ records: number; statements: number }>
  /** The first of them; `found` counts all. */
  findings: readonly Finding[]
  found: number
}>

export type FsckOptions = Readonly<{
  db: SqlReader
  pool: Pick<VerifyPool, 'verify'>
  /** Key of the receipts. */
  key: VerifyKey
  deployment: string
  /** Whose statements about baselines are believed. */
  trust: Trust
  progress(done: number, of: number): void
  /** Asked after each page; false ends the check there. Absent: at once. */
  goesOn?(): Promise<boolean>
}>

/** Findings that are listed; more are counted. */
const FINDINGS_MAX = 1000
/** Batches read and verified at once. */
const PAGE = 128
/** Problems that SQLite itself is asked for. */
const STRUCTURE_MAX = 100

const NEXT_PAGE = `SELECT b.*, a.spki FROM batches b JOIN agents a ON a.agent = b.agent
  WHERE (b.agent, b.epoch, b.batch_seq) > (?, ?, ?) ORDER BY b.agent, b.epoch, b.batch_seq LIMIT ${PAGE}`
/**
 * By their numbers, which are the key: by the batch alone every row would be looked at for every batch. Every column there
 * is: a database that no newer collector has opened yet has none for revisions.
 */
const ROWS_OF = `SELECT * FROM decisions
  WHERE agent = ? AND seq >= ? AND seq < ? AND epoch = ? AND batch_seq = ? ORDER BY seq`

/**
 * Reads everything that is stored and proves it anew: the structure of the database, the signature and the roots of
 * every batch, that each follows the one before, its receipt, and that the decisions beside it are those that were signed.
 * Nothing is written.
 */
export async function checkStore(options: FsckOptions): Promise<FsckResult> {
  const check = new StoreCheck(options)
  await check.structure()
  await check.batches()
  await check.safety()
  await check.rollouts()
  await check.baselines()
  return check.result()
}

type Before = { agent: string; epoch: number; batchSeq: number; identity: Uint8Array | null; nextSeq: number }

class StoreCheck {
  private readonly options: FsckOptions
  private readonly findings: Finding[] = []
  private found = 0
  private readonly book = { records: 0, statements: 0 }
  private batchCount = 0
  private decisionCount = 0
  private before: Before = { agent: '', epoch: 0, batchSeq: 0, identity: null, nextSeq: 1 }

  constructor(options: FsckOptions) {
    this.options = options
  }

  result(): FsckResult {
    const { findings, found } = this
    return { batches: this.batchCount, decisions: this.decisionCount, book: this.book, findings, found }
  }

  async structure(): Promise<void> {
    await this.guarded('structure', async () => {
      const { db } = this.options
      for (const row of await db.all(`PRAGMA integrity_check(${STRUCTURE_MAX})`)) {
        const what = String(Object.values(row)[0])
        if (what !== 'ok') this.find({ agent: '', epoch: null, batch: null, what: `database: ${what}` })
      }
      for (const row of await db.all('PRAGMA foreign_key_check'))
        this.find({ agent: '', epoch: null, batch: null, what: `a row of ${String(row['table'])} belongs to nothing` })
    })
  }

  async batches(): Promise<void> {
    await this.guarded('batches', async () => {
      const { db, progress, goesOn } = this.options
      const total = Number((await db.get('SELECT count(*) AS n FROM batches'))?.['n'] ?? 0)
      const rows = Number((await db.get('SELECT count(*) AS n FROM decisions'))?.['n'] ?? 0)
      let at: [string, number, number] = ['', -1, -1]
      for (;;) {
        const page = await db.all(NEXT_PAGE, at)
        if (page.length === 0) break
        await this.page(page)
        const last = page.at(-1)!
        at = [last['agent'] as string, last['epoch'] as number, last['batch_seq'] as number]
        progress(this.batchCount, total)
        if (goesOn !== undefined && !(await goesOn())) return
      }
      // Rows that stand among the decisions of no batch they name. What was stored meanwhile only makes more of the others.
      const astray = rows - this.decisionCount
      if (astray > 0) this.find({ agent: '', epoch: null, batch: null, what: `${astray} decisions are of no batch` })
    })
  }

  /** What is remembered of actions, armings, bypasses and alarms. */
  async safety(): Promise<void> {
    await this.guarded('actions', async () => {
      for (const what of await checkSafety(this.options.db))
        this.find({ agent: '', epoch: null, batch: null, what: `actions: ${what}` })
    })
  }

  /** Orders and bundles of rollouts. */
  async rollouts(): Promise<void> {
    await this.guarded('rollouts', async () => {
      const { db, trust } = this.options
      for (const what of await checkRollouts(db, trust))
        this.find({ agent: '', epoch: null, batch: null, what: `rollouts: ${what}` })
    })
  }

  /** Digests, signatures and chain of the book, and that the rows beside them are what the statements come to. */
  async baselines(): Promise<void> {
    await this.guarded('baselines', async () => {
      const { db, trust } = this.options
      const { records, statements, found } = await checkBook(db, trust)
      Object.assign(this.book, { records, statements })
      for (const what of found) this.find({ agent: '', epoch: null, batch: null, what: `baselines: ${what}` })
    })
  }

  private async page(rows: readonly SqlRow[]): Promise<void> {
    const verified = await Promise.all(
      rows.map((row) =>
        this.options.pool.verify({
          cose: bytesIn(row, 'cose'),
          records: recordsOf(row),
          spki: bytesIn(row, 'spki'),
        }),
      ),
    )
    for (let k = 0; k < rows.length; k += 1) await this.batch(rows[k]!, verified[k]!)
  }

  private async batch(row: SqlRow, verified: VerifyResult): Promise<void> {
    this.batchCount += 1
    const agent = row['agent'] as string
    const epoch = row['epoch'] as number
    const batch = row['batch_seq'] as number
    const find = (what: string): void => this.find({ agent, epoch, batch, what })
    if (verified.ok) {
      const { header, identity } = verified
      if (!equalBytes(identity, bytesIn(row, 'identity'))) find('its identity is not the stored one')
      const isPlaced =
        header.agent === agent &&
        header.epoch === epoch &&
        header.batchSeq === batch &&
        header.firstSeq === row['first_seq'] &&
        header.count === row['count'] &&
        header.run === row['run'] &&
        equalBytes(header.prev, bytesIn(row, 'prev')) &&
        verified.headerJson === row['header']
      if (!isPlaced) find('its columns are not what was signed')
      await this.decisions(row, verified, find)
    } else find(`${verified.code}: ${verified.detail}`)
    this.chain(row, find)
    this.receipt(row, find)
  }

  /** Each batch of an epoch names the one before it. */
  private chain(row: SqlRow, find: (what: string) => void): void {
    const agent = row['agent'] as string
    const epoch = row['epoch'] as number
    const batchSeq = row['batch_seq'] as number
    const { before } = this
    const follows = before.agent === agent && before.epoch === epoch
    const expected = follows
      ? before.identity
      : genesisPrev({ deployment: this.options.deployment, agent, epoch, spki: bytesIn(row, 'spki') })
    const next = follows ? before.batchSeq + 1 : 1
    if (batchSeq !== next) find(`batch ${next} should come here`)
    else if (expected !== null && !equalBytes(bytesIn(row, 'prev'), expected))
      find('it does not follow the one before it')
    const nextSeq = Math.max(
      before.agent === agent ? before.nextSeq : 1,
      (row['first_seq'] as number) + (row['count'] as number),
    )
    this.before = { agent, epoch, batchSeq, identity: bytesIn(row, 'identity'), nextSeq }
  }

  private receipt(row: SqlRow, find: (what: string) => void): void {
    try {
      const facts = openReceipt(bytesIn(row, 'receipt'), this.options.key)
      const isOfIt =
        facts.agent === row['agent'] &&
        facts.epoch === row['epoch'] &&
        facts.batchSeq === row['batch_seq'] &&
        facts.recvUs === row['recv_us'] &&
        equalBytes(facts.identity, bytesIn(row, 'identity'))
      if (!isOfIt) find('its receipt is of another batch')
    } catch (error) {
      if (!isHbError(error)) throw error
      find(`its receipt: ${error.code}`)
    }
  }

  /** Rows for searching must say what was signed; decisions that an earlier epoch told already have theirs there. */
  private async decisions(
    row: SqlRow,
    verified: Extract<VerifyResult, { ok: true }>,
    find: (what: string) => void,
  ): Promise<void> {
    const agent = row['agent'] as string
    const first = row['first_seq'] as number
    const values = [agent, first, first + (row['count'] as number), row['epoch'], row['batch_seq']] as SqlValue[]
    const stored = await this.options.db.all(ROWS_OF, values)
    this.decisionCount += stored.length
    const known = this.before.agent === agent ? this.before.nextSeq : 1
    const signed = rowsFrom(verified.decisions, known)
    if (stored.length !== signed.length) find(`${stored.length} decisions are stored of ${signed.length}`)
    const differs = signed.find((d, k) => stored[k] !== undefined && !isSame(stored[k], d))
    if (differs !== undefined) find(`decision ${differs.seq} is not stored as it was signed`)
  }

  private find(finding: Finding): void {
    this.found += 1
    if (this.findings.length < FINDINGS_MAX) this.findings.push(finding)
  }

  /** A page of the database that cannot be read ends what needs it, not the whole check. */
  private async guarded(part: string, run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      if (!isHbError(error)) throw error
      this.find({ agent: '', epoch: null, batch: null, what: `${part}: ${error.message}` })
    }
  }
}

function isSame(row: SqlRow, d: Extract<VerifyResult, { ok: true }>['decisions'][number]): boolean {
  return (
    row['seq'] === d.seq &&
    row['last_seq'] === d.lastSeq &&
    row['kind'] === d.kind &&
    row['rig'] === d.rig &&
    row['run'] === d.run &&
    row['verdict'] === d.verdict &&
    (row['revises'] ?? null) === d.revises &&
    (row['about'] ?? null) === (d.safety?.about ?? null) &&
    row['time_us'] === d.timeUs &&
    row['body'] === d.body
  )
}
