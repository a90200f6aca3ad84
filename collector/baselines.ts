import { randomBytes } from 'node:crypto'
import { BUNDLE_STATEMENTS_MAX, encodeBundle, readBundle, rulesOf } from '../shared/codec/baseline-bundle.ts'
import { type BaselineLog, emptyLog, foldLog, statementsAbout } from '../shared/codec/baseline-log.ts'
import { decodeBaseline } from '../shared/codec/baseline-record.ts'
import { BOOK_ID_BYTES, bookGenesis, openStatement, STATEMENT_BYTES_MAX } from '../shared/codec/baseline-statement.ts'
import { canonicalBytes } from '../shared/codec/canonical.ts'
import { type CheckedRecord, checkRecord, recordFacts, requireSameGate } from '../shared/codec/checked-record.ts'
import type { Trust } from '../shared/config/operators.ts'
import { policyDigest } from '../shared/config/quality-policy.ts'
import { coseKeyId } from '../shared/crypto/cose.ts'
import { equalBytes, sha256, toHex } from '../shared/crypto/digest.ts'
import { HbError, isHbError } from '../shared/errors/hb-error.ts'
import type { Clock } from '../shared/lib/clock.ts'
import type { BaselineGate, BaselineRecord } from '../shared/model/baseline.ts'
import { applyStatement, currentOf, type RecordFacts, slotOf } from '../shared/model/baseline-book.ts'
import { creepOf, sinceGolden } from '../shared/model/baseline-creep.ts'
import { replayedSegments } from '../shared/model/baseline-gate.ts'
import type { Statement } from '../shared/model/baseline-statement.ts'
import type { Bytes, Micros } from '../shared/units.ts'
import { bookRows, changedRows } from './core/book-rows.ts'
import type { BaselineStore, StoredRecord } from './store/baselines.ts'

/** Records kept; a fleet of a few hundred rigs needs some a rig. */
export const RECORDS_MAX = 1_024
/** Statements kept: a proposal takes three or four. */
export const STATEMENTS_MAX = 16_384
/** A record with its policy and proposal. What is larger could not be sent to an agent in one message. */
export const UPLOAD_BYTES_MAX: Bytes = 8 * 1024 * 1024
/** How far ahead of this clock a statement may say it was made: behind one, no earlier one is taken. */
export const STATEMENT_AHEAD_MAX_US: Micros = 300_000_000

/** What is kept in memory of a record; its bytes are in the store. */
export type KnownRecord = Readonly<{
  facts: RecordFacts
  gate: BaselineGate
  /** Whether the gate was passed, by a policy that is strict enough here; else `problems` or its reasons say why. */
  passed: boolean
  problems: readonly string[]
  segments: number
  minSegments: number
  hardSegments: number
  bytes: Bytes
  storedUs: Micros
}> &
  Pick<BaselineRecord, 'madeUs' | 'fromUs' | 'toUs'>

export type InForce = Readonly<{ digest: string; role: 'golden' | 'rolling'; record: KnownRecord }>

/** A statement that was taken, and where it stands. */
export type Taken = Readonly<{ digest: string; request: string; statement: string; seq: number; kind: string }>

export type BookOptions = Readonly<{
  store: BaselineStore
  trust: Trust
  clock: Pick<Clock, 'nowUs'>
  /** A statement was taken. */
  changed(statement: Statement): void
}>

/**
 * The book of baselines of a deployment. Records and signed statements are taken when an operator signed them and the
 * rules of the book permit it; everything else about baselines is computed from them. One change after the other.
 */
export class BaselineBook {
  /** Why nothing is told of baselines; null while the book is whole. */
  readonly damage: string | null
  readonly records = new Map<string, KnownRecord>()
  private readonly options: BookOptions
  private readonly facts = new Map<string, RecordFacts>()
  private current: BaselineLog
  private madeUs: Micros
  private tail: Promise<unknown> = Promise.resolve()

  private constructor(options: BookOptions, read: Read) {
    this.options = options
    this.damage = read.damage
    this.current = read.log
    this.madeUs = read.madeUs
    for (const [digest, record] of read.records) this.know(digest, record)
  }

  /** Reads and verifies all of it. A damaged book is said to be one, and stops nothing else of the collector. */
  static async open(options: BookOptions): Promise<BaselineBook> {
    const { store, trust, clock } = options
    const stored = await store.book()
    const made = { book: stored?.book ?? toHex(randomBytes(BOOK_ID_BYTES)), madeUs: stored?.madeUs ?? clock.nowUs() }
    const records = new Map<string, KnownRecord>()
    try {
      for (const digest of await store.digests()) records.set(digest, await readRecord(store, digest, trust))
      const facts = new Map([...records].map(([digest, record]) => [digest, record.facts]))
      const signed = (await store.statements()).map(({ bytes }) => bytes)
      const log = foldLog(signed, emptyLog(made.book), { trust, records: facts })
      // Other people are trusted than when the rows were written: what the statements come to is another thing.
      if (stored?.trust !== trustDigest(trust))
        await store.replaceRows({ ...made, trust: trustDigest(trust) }, bookRows(log.state))
      return new BaselineBook(options, { ...made, records, log, damage: null })
    } catch (error) {
      if (!isHbError(error)) throw error
      return new BaselineBook(options, { ...made, records: new Map(), log: emptyLog(made.book), damage: error.message })
    }
  }

  get log(): BaselineLog {
    return this.current
  }

  get trust(): Trust {
    return this.options.trust
  }

  /** Takes a record that is new or known, with its policy and the one statement that proposes it. */
  submitProposal(bundle: Uint8Array): Promise<Taken> {
    return this.inTurn(async () => {
      if (bundle.length > UPLOAD_BYTES_MAX)
        throw new HbError('BASELINE_BUNDLE', { found: `${bundle.length} bytes`, expected: UPLOAD_BYTES_MAX })
      const { record: bytes, policy, statements } = readBundle(bundle)
      const [signed] = statements
      if (signed === undefined || statements.length !== 1)
        throw new HbError('BASELINE_BUNDLE', { found: `${statements.length} statements`, expected: 'its proposal' })
      // Whose word it is comes first: nothing of a stranger is worth the work of reading it.
      const statement = this.verified(signed)
      if (statement.kind !== 'propose')
        throw new HbError('BASELINE_BUNDLE', { found: statement.kind, expected: 'its proposal' })
      return this.take(signed, statement, checkRecord({ bytes, policy }, this.trust.qualityPolicy))
    })
  }

  /** Takes a statement about a record that is here. */
  submitStatement(signed: Uint8Array): Promise<Taken> {
    return this.inTurn(() => this.take(signed, this.verified(signed), null))
  }

  /** A record with its policy and everything that was said about it, as agents open it. @throws HbError BASELINE_UNKNOWN */
  async bundle(digest: string): Promise<Uint8Array> {
    const stored = await this.stored(digest)
    const statements = statementsAbout(this.current, digest).slice(-BUNDLE_STATEMENTS_MAX)
    return encodeBundle({ record: stored.bytes, policy: stored.policy, statements })
  }

  /** @throws HbError BASELINE_UNKNOWN */
  async stored(digest: string): Promise<StoredRecord> {
    const stored = await this.options.store.record(digest)
    if (stored === undefined) throw new HbError('BASELINE_UNKNOWN', { baseline: digest })
    return stored
  }

  /** Golden and rolling baselines that count now, each with what it is. */
  inForce(nowUs: Micros): InForce[] {
    const { state } = this.current
    return [...this.records].flatMap(([digest, record]) =>
      (['golden', 'rolling'] as const)
        .filter((role) => currentOf(state, slotOf(record.facts, role), nowUs)?.digest === digest)
        .map((role) => ({ digest, role, record })),
    )
  }

  private know(digest: string, record: KnownRecord): void {
    this.records.set(digest, record)
    this.facts.set(digest, record.facts)
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.tail.then(() => {
      if (this.damage !== null) throw new HbError('BOOK_DAMAGED', { found: this.damage })
      return work()
    })
    this.tail = turn.catch(() => undefined)
    return turn
  }

  /** @throws HbError BASELINE_REFUSED for a key that is not trusted, and what is wrong with the signature */
  private verified(signed: Uint8Array): Statement {
    if (signed.length > STATEMENT_BYTES_MAX)
      throw new HbError('COSE_SHAPE', { found: `a statement of ${signed.length} bytes`, expected: STATEMENT_BYTES_MAX })
    const id = coseKeyId(signed)
    const operator = this.trust.operators.find(({ key }) => equalBytes(key.keyId, id))
    if (operator === undefined) throw new HbError('BASELINE_REFUSED', { reason: 'unknown_key', key: toHex(id) })
    return openStatement(signed, operator.key)
  }

  private async take(signed: Uint8Array, statement: Statement, record: CheckedRecord | null): Promise<Taken> {
    const { store, trust, clock, changed } = this.options
    const nowUs = clock.nowUs()
    if (record !== null) this.checkRoom(record)
    const before = this.logFor(statement)
    const refuse = (reason: string): never => {
      const { kind, digest } = statement
      throw new HbError('BASELINE_REFUSED', { statement: kind, reason, baseline: digest, next: before.state.seq + 1 })
    }
    if (statement.atUs > nowUs + STATEMENT_AHEAD_MAX_US) refuse('time_ahead')
    if (before.entries.length >= STATEMENTS_MAX)
      throw new HbError('BOOK_FULL', { statements: before.entries.length, most: STATEMENTS_MAX })
    if (record !== null && record.digest !== statement.digest) refuse('digest_differs')
    const facts = new Map(this.facts)
    if (record !== null) facts.set(record.digest, recordFacts(record))
    const applied = applyStatement(before.state, statement, { rules: rulesOf(trust), records: facts })
    if (!applied.ok) return refuse(applied.reason)
    if (statement.kind === 'approve') await this.checkCreep(statement)
    const { id, seq, digest, kind, request } = statement
    await store.add({
      book: { book: applied.state.book, trust: trustDigest(trust), madeUs: this.madeUs },
      record: record === null ? null : storable(record),
      statement: { seq, id, digest, recvUs: nowUs, bytes: signed },
      rows: changedRows(before.state, applied.state),
    })
    if (record !== null && !this.records.has(digest)) this.know(digest, knownFrom(record, nowUs))
    this.current = { state: applied.state, entries: [...before.entries, { bytes: signed, statement, refused: null }] }
    changed(statement)
    return { digest, request, statement: id, seq, kind }
  }

  /** A book without statements becomes the one that its first statement is of: one kept in a folder can move in. */
  private logFor({ book, seq, prev }: Statement): BaselineLog {
    const isFirst = this.current.entries.length === 0 && seq === 1 && prev === bookGenesis(book)
    return isFirst ? emptyLog(book) : this.current
  }

  /**
   * Golden alone may say that the rig is another one now: a rolling one that crept away from it is not approved. Asked for
   * the time that the statement was made at, as the commands do, so that a book they made can be handed over later.
   */
  private async checkCreep({ as, digest, ...subject }: Statement): Promise<void> {
    const since = as === 'rolling' ? sinceGolden(this.current.state, subject, subject.atUs) : null
    if (since === null) return
    const golden = await this.levels(since.golden)
    const rolling = []
    for (const one of [...since.rolling, digest]) rolling.push(await this.levels(one))
    const crept = creepOf(golden, rolling).filter(({ ground }) => ground !== null)
    if (crept.length === 0) return
    const found = crept.map(
      (one) => `${one.metric} is ${one.distance.toPrecision(3)} spreads from golden (${one.ground})`,
    )
    throw new HbError('BASELINE_CREEP', { baseline: digest, found: found.join('; ') })
  }

  /** Levels of a record alone: there may be hundreds, and a whole one is megabytes. */
  private async levels(digest: string): Promise<Pick<BaselineRecord, 'metrics'>> {
    const { metrics } = decodeBaseline((await this.stored(digest)).bytes)
    return { metrics: metrics.map((m) => ({ ...m, windows: [], detectors: [] })) }
  }

  private checkRoom(record: CheckedRecord): void {
    requireSameGate(record)
    if (!this.records.has(record.digest) && this.records.size >= RECORDS_MAX)
      throw new HbError('BOOK_FULL', { records: this.records.size, most: RECORDS_MAX })
  }
}

type Read = Readonly<{
  damage: string | null
  log: BaselineLog
  madeUs: Micros
  records: ReadonlyMap<string, KnownRecord>
}>

/** @throws HbError BOOK_DAMAGED for bytes that are not those of their name */
async function readRecord(store: BaselineStore, digest: string, { qualityPolicy }: Trust): Promise<KnownRecord> {
  const stored = await store.record(digest)
  if (stored === undefined) throw new HbError('BOOK_DAMAGED', { baseline: digest, found: 'no policy' })
  const checked = checkRecord(stored, qualityPolicy)
  if (checked.digest !== digest) throw new HbError('BOOK_DAMAGED', { baseline: digest, found: checked.digest })
  return knownFrom(checked, stored.storedUs)
}

function knownFrom(checked: CheckedRecord, storedUs: Micros): KnownRecord {
  const { record, gate, passed, problems, rules, bytes } = checked
  return {
    facts: recordFacts(checked),
    gate,
    passed,
    problems: problems.map(({ text }) => text),
    segments: replayedSegments(record),
    minSegments: rules.minSegments,
    hardSegments: rules.hardSegments,
    bytes: bytes.length,
    storedUs,
    madeUs: record.madeUs,
    fromUs: record.fromUs,
    toUs: record.toUs,
  }
}

function storable({ digest, bytes, policy }: CheckedRecord) {
  return { digest, bytes, policy: { digest: toHex(policyDigest(policy)), bytes: policy } }
}

/** Digest of whom a book trusts, to tell whether rows were derived for the same people. */
export function trustDigest({ operators, approvalsRequired, approvers, qualityPolicy }: Trust): string {
  const keys = operators.map(({ name, key }) => `${toHex(key.keyId)} ${name}`).sort()
  return toHex(sha256(canonicalBytes([keys, [...approvers].sort(), approvalsRequired, JSON.stringify(qualityPolicy)])))
}
