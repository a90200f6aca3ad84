import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sqlite3 from 'sqlite3'
import t, { type Test } from 'tap'
import {
  BaselineBook,
  RECORDS_MAX,
  STATEMENT_AHEAD_MAX_US,
  STATEMENTS_MAX,
  UPLOAD_BYTES_MAX,
} from '../../../collector/baselines.ts'
import { checkBook } from '../../../collector/book-check.ts'
import { bookRows, rowDifferences } from '../../../collector/core/book-rows.ts'
import type { BaselineStore } from '../../../collector/store/baselines.ts'
import { DATABASE_FILE, openStores } from '../../../collector/store/open.ts'
import { BUNDLE_STATEMENTS_MAX, encodeBundle, openBundle } from '../../../shared/codec/baseline-bundle.ts'
import { encodeBaseline } from '../../../shared/codec/baseline-record.ts'
import type { Trust } from '../../../shared/config/operators.ts'
import { defaultQualityPolicy } from '../../../shared/config/quality-policy.ts'
import { isHbError } from '../../../shared/errors/hb-error.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import type { BaselineRecord } from '../../../shared/model/baseline.ts'
import type { StatementKind } from '../../../shared/model/baseline-statement.ts'
import { openToRead } from '../../../shared/sqlite/database.ts'
import {
  baselineMetric,
  baselineRecord,
  createStatementMaker,
  digestHex,
  type TestPerson,
  TRUST,
} from '../../support/certified-baselines.ts'

const POLICY = defaultQualityPolicy().bytes
const GOLDEN = baselineRecord()
const START_US = 1_800_000_000_000_000
const clock = createVirtualClock(START_US)

async function folderFor(t: Test): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'hb-book-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function opened(folder: string, trust: Trust = TRUST) {
  const stores = await openStores(folder, clock)
  const said: string[] = []
  const book = await BaselineBook.open({
    ...{ store: stores.baselines, trust, clock },
    changed: ({ kind }) => void said.push(kind),
  })
  return { stores, book, said }
}

const bundleOf = (record: BaselineRecord, ...statements: Uint8Array[]): Uint8Array =>
  encodeBundle({ record: encodeBaseline(record), policy: POLICY, statements })

/** Says something about a record, and hands it in as `hb baseline` would. */
function sayer(book: BaselineBook, record: BaselineRecord, id = book.log.state.book) {
  const maker = createStatementMaker(record, id)
  return {
    maker,
    say(person: TestPerson, kind: StatementKind, change = {}) {
      maker.say(person, kind, change)
      const signed = maker.said.at(-1)!
      return kind === 'propose' ? book.submitProposal(bundleOf(record, signed)) : book.submitStatement(signed)
    },
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'taken'
  } catch (error) {
    if (!isHbError(error)) throw error
    return error.code === 'BASELINE_REFUSED' ? String(error.context['reason']) : error.code
  }
}

const goldenOf = (book: BaselineBook): string[] => book.inForce(clock.nowUs()).map(({ digest }) => digest)

t.test('what operators sign is taken, is there after a start, and makes the bundle that agents open', async (t) => {
  const folder = await folderFor(t)
  const first = await opened(folder)
  const { say } = sayer(first.book, GOLDEN)
  t.match(await say('ada', 'propose'), { digest: digestHex(GOLDEN), seq: 1, kind: 'propose' })
  await say('grace', 'review')
  t.same(goldenOf(first.book), [])
  await say('kay', 'approve')
  t.same(goldenOf(first.book), [digestHex(GOLDEN)])
  t.same(first.said, ['propose', 'review', 'approve'])
  const { id } = first.book.log.entries[2]!.statement!
  await first.stores.close()

  const again = await opened(folder)
  t.equal(again.book.damage, null)
  t.same(goldenOf(again.book), [digestHex(GOLDEN)])
  t.match(again.book.log.state, { seq: 3, prev: id })
  const bundle = openBundle(await again.book.bundle(digestHex(GOLDEN)), { ...TRUST, nowUs: START_US })
  t.same([bundle.effectiveKind, bundle.problems, bundle.statements.length], ['golden', [], 3])
  t.same(rowDifferences(await again.stores.baselines.rows(), bookRows(again.book.log.state)), [])
  await again.stores.close()
})

t.test(
  'what nobody signed, what the rules forbid and what does not fit is refused, and nothing is written',
  async (t) => {
    const { stores, book } = await opened(await folderFor(t))
    const { maker, say } = sayer(book, GOLDEN)
    maker.say('ada', 'propose')
    const proposal = maker.said[0]!
    const forged = Uint8Array.from(proposal)
    forged[forged.length - 1]! ^= 1
    const other = baselineRecord({ madeUs: 1 })
    const lying = { ...GOLDEN, gate: { ...GOLDEN.gate, confidence: 1 } }
    const lyingMaker = createStatementMaker(lying, book.log.state.book)
    lyingMaker.say('ada', 'propose')
    const stranger = createStatementMaker(GOLDEN, book.log.state.book)
    stranger.say('mallory', 'propose')
    const future = createStatementMaker(GOLDEN, book.log.state.book)
    future.say('ada', 'propose', { atUs: START_US + STATEMENT_AHEAD_MAX_US + 1 })
    const cases: [string, Promise<unknown>, string][] = [
      ['a stranger', book.submitProposal(bundleOf(GOLDEN, stranger.said[0]!)), 'unknown_key'],
      ['a signature that does not hold', book.submitProposal(bundleOf(GOLDEN, forged)), 'BATCH_SIGNATURE'],
      ['a record without a proposal', book.submitProposal(bundleOf(GOLDEN)), 'BASELINE_BUNDLE'],
      ['two statements at once', book.submitProposal(bundleOf(GOLDEN, proposal, proposal)), 'BASELINE_BUNDLE'],
      ['a proposal of another record', book.submitProposal(bundleOf(other, proposal)), 'digest_differs'],
      [
        'a gate that does not come out',
        book.submitProposal(bundleOf(lying, lyingMaker.said[0]!)),
        'BASELINE_GATE_DIFFERS',
      ],
      ['a proposal without its record', book.submitStatement(proposal), 'record_missing'],
      ['from the future', book.submitProposal(bundleOf(GOLDEN, future.said[0]!)), 'time_ahead'],
      ['more bytes than may be', book.submitProposal(new Uint8Array(UPLOAD_BYTES_MAX + 1)), 'BASELINE_BUNDLE'],
      ['bytes that are nothing', book.submitProposal(new Uint8Array([0xa4, 1])), 'CBOR_REFUSED'],
      ['a statement of another kind with a record', book.submitStatement(new Uint8Array(3)), 'COSE_SHAPE'],
    ]
    for (const [what, work, code] of cases) t.equal(await codeOf(work), code, what)
    t.same([await stores.baselines.digests(), await stores.baselines.statements()], [[], []])

    await book.submitProposal(bundleOf(GOLDEN, proposal))
    t.equal(await codeOf(book.submitProposal(bundleOf(GOLDEN, proposal))), 'out_of_order', 'the same one again')
    t.equal(await codeOf(say('ada', 'review')), 'same_person')
    maker.said.pop()
    t.equal(book.log.state.seq, 1, 'a refused one has no place in the chain')
    await stores.close()
  },
)

t.test('a book that was kept in a folder moves in whole, and nothing of another book follows', async (t) => {
  const { stores, book } = await opened(await folderFor(t))
  const own = book.log.state.book
  const { say } = sayer(book, GOLDEN, 'ab'.repeat(16))
  await say('ada', 'propose')
  await say('grace', 'review')
  t.equal(book.log.state.book, 'ab'.repeat(16))
  const other = sayer(book, baselineRecord({ madeUs: 1 }), own)
  t.equal(await codeOf(other.say('ada', 'propose')), 'other_book')
  await stores.close()
})

/** Changes a database behind the back of everybody. */
function tamper(folder: string, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const db = new sqlite3.Database(join(folder, DATABASE_FILE))
    db.exec(sql, (error) => db.close(() => (error === null ? resolve() : reject(error))))
  })
}

async function fsck(folder: string, trust = TRUST): Promise<readonly string[]> {
  const db = await openToRead(join(folder, DATABASE_FILE))
  try {
    return (await checkBook(db, trust)).found
  } finally {
    await db.close()
  }
}

t.test('what was changed behind its back is found, and a damaged book is told and not gone on with', async (t) => {
  const cases: [string, RegExp][] = [
    ["UPDATE baseline_state SET body = replace(body, 'approved', 'expired')", /is not what the statements come to/],
    ["DELETE FROM baseline_state WHERE kind = 'slot'", /slot .* is missing/],
    ["INSERT INTO baseline_state VALUES ('tag', 'pumps best', '[]')", /no statement says so/],
    ['DELETE FROM baseline_statements WHERE seq = 2', /BOOK_DAMAGED/],
    ['UPDATE baseline_statements SET seq = 9 WHERE seq = 3', /the columns of statement 9/],
    [
      'UPDATE baseline_statements SET bytes = (SELECT bytes FROM baseline_statements WHERE seq = 1) WHERE seq = 2',
      /BOOK_DAMAGED/,
    ],
    ["UPDATE baseline_records SET bytes = x'a0'", /record [0-9a-f]{64}/],
    ["UPDATE baseline_policies SET bytes = x'61'", /not the bytes of its name/],
  ]
  for (const [sql, what] of cases) {
    const folder = await folderFor(t)
    const { stores, book } = await opened(folder)
    const { say } = sayer(book, GOLDEN)
    await say('ada', 'propose')
    await say('grace', 'review')
    await say('kay', 'approve')
    await stores.close()
    t.same(await fsck(folder), [])
    await tamper(folder, sql)
    t.match((await fsck(folder)).join('\n'), what, sql)
  }
  const folder = await folderFor(t)
  const before = await opened(folder)
  await sayer(before.book, GOLDEN).say('ada', 'propose')
  await before.stores.close()
  await tamper(folder, "UPDATE baseline_records SET bytes = x'a0'")
  const { stores, book } = await opened(folder)
  t.match(book.damage, /BASELINE_SHAPE|BOOK_DAMAGED/)
  t.equal(await codeOf(book.submitStatement(new Uint8Array(3))), 'BOOK_DAMAGED')
  t.same(book.inForce(START_US), [], 'and nothing of it counts')
  await stores.close()
})

t.test('when other people are trusted, what the statements come to is another thing, and is no damage', async (t) => {
  const folder = await folderFor(t)
  const first = await opened(folder)
  const { say } = sayer(first.book, GOLDEN)
  await say('ada', 'propose')
  await say('grace', 'review')
  await say('kay', 'approve')
  await first.stores.close()
  const two = { ...TRUST, operators: TRUST.operators.filter(({ name }) => name !== 'kay') }
  t.same(await fsck(folder, two), [], 'before the collector has started with them')
  const second = await opened(folder, two)
  t.same([second.book.damage, goldenOf(second.book)], [null, []])
  await second.stores.close()
  t.same(await fsck(folder, two), [])
  const third = await opened(folder)
  t.same(goldenOf(third.book), [digestHex(GOLDEN)], 'nothing was lost of it')
  await third.stores.close()
})

/** A store that keeps nothing, with what it is said to hold. */
function holding(held: Partial<BaselineStore>): BaselineStore {
  const nothing = {
    book: async () => undefined,
    digests: async () => [],
    statements: async () => [],
    rows: async () => [],
  }
  const quiet = { add: async () => undefined, replaceRows: async () => undefined, decays: async () => [] }
  return { ...nothing, ...quiet, record: async () => undefined, ...held } as unknown as BaselineStore
}

t.test('a book has room for so many records and statements, and says so', async (t) => {
  const records = new Map<string, Uint8Array>()
  for (let k = 0; k < RECORDS_MAX; k += 1) {
    const record = baselineRecord({ madeUs: k, metrics: [baselineMetric()] })
    records.set(digestHex(record), encodeBaseline(record))
  }
  const full = await BaselineBook.open({
    ...{ trust: TRUST, clock, changed: () => undefined },
    store: holding({
      digests: async () => [...records.keys()],
      record: async (digest) => ({ digest, storedUs: 0, bytes: records.get(digest)!, policy: POLICY }),
    }),
  })
  t.same([full.damage, full.records.size], [null, RECORDS_MAX])
  t.equal(await codeOf(sayer(full, GOLDEN).say('ada', 'propose')), 'BOOK_FULL')

  const maker = createStatementMaker(GOLDEN)
  maker.say('ada', 'propose')
  while (maker.said.length < STATEMENTS_MAX) maker.say('ada', 'decay', { factor: 0.5 })
  const long = await BaselineBook.open({
    ...{ trust: TRUST, clock, changed: () => undefined },
    store: holding({
      book: async () => ({ book: '0b'.repeat(16), trust: '', madeUs: 0 }),
      digests: async () => [digestHex(GOLDEN)],
      record: async (digest) => ({ digest, storedUs: 0, bytes: encodeBaseline(GOLDEN), policy: POLICY }),
      statements: async () => maker.said.map((bytes, k) => ({ seq: k + 1, id: '', digest: '', recvUs: 0, bytes })),
    }),
  })
  t.equal(long.log.entries.length, STATEMENTS_MAX)
  maker.say('ada', 'decay', { factor: 0.4 })
  t.equal(await codeOf(long.submitStatement(maker.said.at(-1)!)), 'BOOK_FULL')
})

t.test('decay that is said every hour leaves a bundle small, and the last word counts', async (t) => {
  const { stores, book } = await opened(await folderFor(t))
  const { say } = sayer(book, GOLDEN)
  await say('ada', 'propose')
  await say('grace', 'review')
  await say('kay', 'approve')
  for (let k = 1; k <= BUNDLE_STATEMENTS_MAX; k += 1) await say('ada', 'decay', { factor: 1 - k / 1000 })
  const bundle = openBundle(await book.bundle(digestHex(GOLDEN)), { ...TRUST, nowUs: START_US })
  t.match(bundle, { effectiveKind: 'golden', problems: [], basis: { decay: 1 - BUNDLE_STATEMENTS_MAX / 1000 } })
  t.equal(bundle.statements.length, 4)
  await stores.close()
})

t.test('numbers against replays rise over starts and over a clock that was set back', async (t) => {
  const folder = await folderFor(t)
  const first = await opened(folder)
  const agent = { agent: 'bench-1', deployment: 'demo', spki: new Uint8Array(3), programs: ['demo'] }
  await first.stores.agents.enrol([agent], 1)
  const numbers = [await first.stores.baselines.nextNumber('bench-1', 1000)]
  numbers.push(await first.stores.baselines.nextNumber('bench-1', 1000))
  await first.stores.close()
  const { stores } = await opened(folder)
  numbers.push(await stores.baselines.nextNumber('bench-1', 5))
  numbers.push(await stores.baselines.nextNumber('bench-1', 2000))
  t.same(numbers, [1000, 1001, 1002, 2000])
  await stores.close()
})
