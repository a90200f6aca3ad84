import * as fs from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { BOOK_STATEMENTS_MAX, type NewStatement, openBook, viewBook } from '../../../agent/adapters/book-folder.ts'
import { type Files, systemFiles } from '../../../agent/adapters/files.ts'
import { openBundle } from '../../../shared/codec/baseline-bundle.ts'
import { encodeBaseline } from '../../../shared/codec/baseline-record.ts'
import { NO_REQUEST } from '../../../shared/codec/baseline-statement.ts'
import { encodeRecord, readRecords } from '../../../shared/codec/record-file.ts'
import { defaultQualityPolicy } from '../../../shared/config/quality-policy.ts'
import { isHbError } from '../../../shared/errors/hb-error.ts'
import type { BaselineRecord } from '../../../shared/model/baseline.ts'
import { currentOf, slotOf } from '../../../shared/model/baseline-book.ts'
import type { StatementKind } from '../../../shared/model/baseline-statement.ts'
import {
  baselineRecord,
  baselineSegment,
  digestHex,
  SIGNERS,
  type TestPerson,
  TRUST,
} from '../../support/certified-baselines.ts'
import { flipped } from '../../support/flip.ts'

const NOW_US = 1_800_000_000_000_000
const POLICY = defaultQualityPolicy().bytes
const RECORD = baselineRecord()
const DIGEST = digestHex(RECORD)
const GOLDEN = slotOf(RECORD, 'golden')
const want = { trust: TRUST, nowUs: NOW_US }

function statement(record: BaselineRecord, kind: StatementKind, request = NO_REQUEST): NewStatement {
  const { program, rig, family, mode, kind: as } = record
  return {
    ...{ kind, digest: digestHex(record), as, program, rig, family, mode, request, tag: '', operator: '' },
    ...{ reason: 'because', untilUs: 0, factor: 1 },
  }
}

/** A book in which one record is approved. */
function certified(path: string, files: Files = systemFiles): void {
  const book = openBook(files, path, want)
  book.addRecord(encodeBaseline(RECORD), POLICY)
  const people: readonly (readonly [TestPerson, StatementKind])[] = [
    ['ada', 'propose'],
    ['grace', 'review'],
    ['kay', 'approve'],
  ]
  let request = NO_REQUEST
  for (const [person, kind] of people) {
    book.say([statement(RECORD, kind, request)], SIGNERS[person], NOW_US)
    request = book.log().entries[0]!.statement!.id
  }
  book.release()
}

const view = (path: string) => viewBook(systemFiles, path, TRUST)
const golden = (path: string): string | null => currentOf(view(path).log().state, GOLDEN, NOW_US)?.digest ?? null
const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'none'
  } catch (error) {
    if (!isHbError(error)) throw error
    return error.code
  }
}
/** Every file of a book but its keys and lock. */
function filesOf(path: string): string[] {
  return fs
    .readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.statSync(join(path, name)).isFile())
    .sort()
}
const folder = (t: Test): string => join(t.testdir({}), 'book')

t.test('a book holds what was said over a new start, and gives agents what they open', async (t) => {
  const path = folder(t)
  certified(path)
  t.equal(golden(path), DIGEST)
  const opened = openBundle(view(path).bundle(DIGEST), { ...TRUST, nowUs: NOW_US })
  t.same([opened.effectiveKind, opened.problems, opened.statements.length], ['golden', [], 3])
  t.same(
    filesOf(path).map((name) => name.replace(/[0-9a-f]{64}/, 'DIGEST')),
    ['book', 'head', 'policies/DIGEST.yaml', 'records/DIGEST.hbb', 'statements.log'],
  )
})

t.test('what is refused is not written, and one refused statement takes those before it along', async (t) => {
  const path = folder(t)
  const book = openBook(systemFiles, path, want)
  const short = baselineRecord({ segments: [baselineSegment({ toUs: 1_000_000 })] })
  book.addRecord(encodeBaseline(short), POLICY)
  book.say([statement(short, 'propose')], SIGNERS.ada, NOW_US)
  const request = book.log().entries[0]!.statement!.id
  const glass = { ...statement(short, 'break_glass', request), untilUs: NOW_US + 1000 }
  const refused = (drafts: readonly NewStatement[], person: TestPerson, reason: string): void => {
    t.throws(() => book.say(drafts, SIGNERS[person], NOW_US), { code: 'BASELINE_REFUSED', context: { reason } })
  }
  refused([statement(short, 'review', request)], 'ada', 'same_person')
  refused([glass, statement(short, 'approve', request)], 'kay', 'not_reviewed')
  refused([statement(short, 'review', request)], 'mallory', 'unknown_key')
  t.equal(book.log().state.seq, 1)
  t.equal(book.log().state.requests.get(request)?.breakGlass, null)
  book.release()
  t.equal(view(path).log().state.seq, 1)
})

t.test('a record whose gate does not come out again, or under another policy, gets no place', async (t) => {
  const book = openBook(systemFiles, folder(t), want)
  const forged = { ...RECORD, gate: { ...RECORD.gate, confidence: 1 } }
  t.throws(() => book.addRecord(encodeBaseline(forged), POLICY), { code: 'BASELINE_GATE_DIFFERS' })
  const other = new TextEncoder().encode('version: 1\nacceptance_criteria: {max_gap_s: 900}\n')
  t.throws(() => book.addRecord(encodeBaseline(RECORD), other), { code: 'BASELINE_GATE_DIFFERS' })
  t.equal(book.records.size, 0)
  book.release()
})

t.test('one command writes at a time, and there is no book where none was begun', async (t) => {
  const path = folder(t)
  t.throws(() => view(path), { code: 'BOOK_MISSING' })
  const book = openBook(systemFiles, path, want)
  t.throws(() => openBook(systemFiles, path, want), { code: 'BOOK_BUSY' })
  t.equal(view(path).log().state.seq, 0, 'reading beside it goes on')
  book.release()
  openBook(systemFiles, path, want).release()
})

t.test('every flipped byte of every file is named or was never whole', async (t) => {
  const path = folder(t)
  certified(path)
  let flips = 0
  for (const name of filesOf(path)) {
    const file = join(path, name)
    const before = new Uint8Array(fs.readFileSync(file))
    for (let at = 0; at < before.length; at += 1) {
      fs.writeFileSync(file, flipped(before, at))
      const code = codeOf(() => view(path))
      if (code !== 'BOOK_DAMAGED') t.fail(`${name}, byte ${at}: ${code}`)
      flips += 1
    }
    fs.writeFileSync(file, before)
  }
  t.equal(golden(path), DIGEST)
  t.ok(flips > 3000, `${flips} flips`)
})

t.test('a log that was cut anywhere shows it; only what nobody was told of is passed over', async (t) => {
  const path = folder(t)
  certified(path)
  const file = join(path, 'statements.log')
  const whole = new Uint8Array(fs.readFileSync(file))
  for (let length = 0; length < whole.length; length += 1) {
    fs.writeFileSync(file, whole.subarray(0, length))
    t.equal(
      codeOf(() => view(path)),
      'BOOK_DAMAGED',
      `cut at ${length}`,
    )
  }
  fs.writeFileSync(file, Buffer.concat([whole, whole.subarray(0, 90)]))
  t.same([view(path).tornBytes, golden(path)], [90, DIGEST], 'a power cut in the middle of the next statement')
  const book = openBook(systemFiles, path, want)
  book.say([{ ...statement(RECORD, 'decay'), factor: 0.5 }], SIGNERS.ada, NOW_US)
  book.release()
  t.same([view(path).tornBytes, view(path).log().state.seq], [0, 4], 'which takes its place')
  fs.unlinkSync(join(path, 'records', `${DIGEST}.hbb`))
  t.equal(view(path).log().entries[0]?.refused, 'record_missing', 'and a record that is gone certifies nothing')
})

t.test('statements that were removed, moved or put in again show', async (t) => {
  const path = folder(t)
  certified(path)
  const file = join(path, 'statements.log')
  const whole = new Uint8Array(fs.readFileSync(file))
  const owner = new Uint8Array(fs.readFileSync(join(path, 'book'))).subarray(0, 0)
  const said = [...readRecords(whole)].map((entry) => (entry.kind === 'record' ? entry.body : owner))
  const id = Buffer.from(view(path).id, 'hex')
  const written = (bodies: readonly (Uint8Array | undefined)[]): string => {
    fs.writeFileSync(file, Buffer.concat(bodies.map((body, k) => encodeRecord(k + 1, body!, id))))
    return codeOf(() => view(path))
  }
  const [first, second, third] = said
  t.equal(written([first, second, third]), 'none')
  t.equal(written([first, third]), 'BOOK_DAMAGED', 'one less')
  t.equal(written([second, first, third]), 'BOOK_DAMAGED', 'in another order')
  t.equal(written([first, second, second, third]), 'BOOK_DAMAGED', 'one twice')
  t.equal(written([first, second]), 'BOOK_DAMAGED', 'the last one gone')
})

t.test('a disk that refuses in the middle of a statement leaves the book as it was', async (t) => {
  const path = folder(t)
  certified(path)
  let room = Number.POSITIVE_INFINITY
  const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
  const files = {
    ...fs,
    writeSync(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
      if (room <= 0) throw full
      const n = Math.min(length, room)
      room -= n
      return fs.writeSync(fd, bytes, offset, n, position)
    },
  } as unknown as Files
  const book = openBook(files, path, want)
  for (let left = 0; left <= 650; left += 50) {
    room = left
    t.equal(
      codeOf(() => book.say([{ ...statement(RECORD, 'decay'), factor: 0.5 }], SIGNERS.ada, NOW_US)),
      'DISK_FULL',
      `${left} bytes of room`,
    )
    t.equal(view(path).log().state.seq, 3)
  }
  room = Number.POSITIVE_INFINITY
  book.say([{ ...statement(RECORD, 'decay'), factor: 0.5 }], SIGNERS.ada, NOW_US)
  book.release()
  t.equal(view(path).log().state.seq, 4)
})

t.test('a book has a bound', async (t) => {
  const path = folder(t)
  const book = openBook(systemFiles, path, want)
  const drafts = Array.from({ length: BOOK_STATEMENTS_MAX + 1 }, () => statement(RECORD, 'propose'))
  t.throws(() => book.say(drafts, SIGNERS.ada, NOW_US), { code: 'BOOK_FULL' })
  book.release()
})
