import t from 'tap'
import {
  encodeRecord,
  RECORD_BODY_MAX_BYTES,
  RECORD_MAGIC,
  RECORD_OVERHEAD_BYTES,
  type ReadRecord,
  readRecords,
} from '../../../shared/codec/record-file.ts'
import { concat } from '../../../shared/crypto/cose.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import { createPrng } from '../../../shared/lib/prng.ts'

const prng = createPrng(80)
/** Bodies of several lengths; one holds the magic, one a whole record, one is empty. */
const BODIES = [
  Uint8Array.from({ length: 40 }, () => prng.int(256)),
  new Uint8Array(0),
  concat(Uint8Array.from([1, 2]), RECORD_MAGIC, Uint8Array.from([3])),
  encodeRecord(99, Uint8Array.from([9])),
  Uint8Array.from({ length: 25 }, () => prng.int(256)),
]
const RECORDS = BODIES.map((body, k) => encodeRecord(k + 5, body))
const FILE = concat(...RECORDS)
const STARTS = RECORDS.map((_, k) => RECORDS.slice(0, k).reduce((sum, r) => sum + r.length, 0))

function read(bytes: Uint8Array): ReadRecord[] {
  return [...readRecords(bytes)]
}

/** Sequence numbers of records that are whole and the same as they were written. */
function whole(entries: readonly ReadRecord[]): number[] {
  return entries
    .filter((e) => e.kind === 'record')
    .filter((e) => e.seq >= 5 && e.seq < 10 && toHex(e.body) === toHex(BODIES[e.seq - 5]!))
    .map((e) => e.seq)
}

/** Every byte belongs to one entry, in order, without a hole. */
function covers(entries: readonly ReadRecord[], length: number): boolean {
  let at = 0
  for (const e of entries) {
    const [from, to] = e.kind === 'record' ? [e.offset, e.end] : [e.from, e.to]
    if (from !== at || to <= from) return false
    at = to
  }
  return at === length
}

t.test('records come back in order with their place in the file', async (t) => {
  const entries = read(FILE)
  t.same(whole(entries), [5, 6, 7, 8, 9])
  t.same(
    entries.map((e) => e.kind === 'record' && e.offset),
    STARTS,
  )
  t.ok(covers(entries, FILE.length))
  t.same(
    [...readRecords(FILE, { base: 1000 })].map((e) => e.kind === 'record' && e.offset),
    STARTS.map((s) => s + 1000),
  )
  t.equal(RECORDS[1]!.length, RECORD_OVERHEAD_BYTES)
  t.same(read(new Uint8Array(0)), [])
  t.equal(
    toHex(encodeRecord(1, Uint8Array.from([0xff]))),
    '484252450100000001000000010000000000000013143f5fff000000ff',
    'the layout is pinned',
  )
  const last = encodeRecord(Number.MAX_SAFE_INTEGER, Uint8Array.from([1]))
  t.match(read(last), [{ kind: 'record', seq: Number.MAX_SAFE_INTEGER }])
})

t.test('any byte changed is found, costs only its record, and reading goes on behind it', async (t) => {
  for (let at = 0; at < FILE.length; at += 1) {
    const hit = STARTS.findLastIndex((start) => start <= at)
    for (const mask of [0x01, 0x80, 0xff]) {
      const changed = FILE.slice()
      changed[at] = changed[at]! ^ mask
      const entries = read(changed)
      const expected = [5, 6, 7, 8, 9].filter((seq) => seq !== hit + 5)
      const damage = entries.filter((e) => e.kind === 'damage')
      if (
        JSON.stringify(whole(entries)) !== JSON.stringify(expected) ||
        damage.length === 0 ||
        !covers(entries, FILE.length)
      )
        t.fail(`byte ${at} mask ${mask}: ${JSON.stringify(entries)}`)
    }
  }
  t.pass(`${FILE.length} bytes, three ways`)
})

t.test('cut anywhere, what is whole is read and the rest is a torn tail', async (t) => {
  for (let n = 0; n < FILE.length; n += 1) {
    const entries = read(FILE.subarray(0, n))
    const kept = RECORDS.filter((r, k) => STARTS[k]! + r.length <= n).length
    const clean = STARTS.includes(n)
    const tail = entries[entries.length - 1]
    // Cut inside the body that is itself a record, that inner record may be read; its seq is out of order.
    const inner = entries.some((e) => e.kind === 'record' && e.seq === 99)
    const torn = clean
      ? tail === undefined || tail.kind === 'record'
      : entries.some((e) => e.kind === 'damage' && (e.reason === 'torn_tail' || inner))
    if (whole(entries).length !== kept || !torn || !covers(entries, n))
      t.fail(`cut at ${n}: ${JSON.stringify(entries)}`)
  }
  t.pass(`${FILE.length} cuts`)
})

t.test('zeros after the last record are told from a torn one', async (t) => {
  for (const zeros of [1, 3, 24, 27, 28, 4096]) {
    const entries = read(concat(FILE, new Uint8Array(zeros)))
    t.match(
      entries[entries.length - 1],
      { kind: 'damage', from: FILE.length, to: FILE.length + zeros, reason: 'zero_tail' },
      `${zeros} zeros`,
    )
    t.equal(whole(entries).length, 5)
  }
  t.match(
    read(concat(new Uint8Array(100), FILE))[0],
    { kind: 'damage', from: 0, to: 100 },
    'zeros in front are passed over',
  )
})

t.test('rubbish between records is passed over, and hostile bytes neither throw nor take long', async (t) => {
  const rubbish = concat(
    RECORD_MAGIC,
    RECORD_MAGIC,
    Uint8Array.from({ length: 50 }, () => prng.int(256)),
    RECORD_MAGIC.subarray(0, 3),
  )
  const entries = read(concat(...RECORDS.flatMap((r) => [rubbish, r])))
  t.same(whole(entries), [5, 6, 7, 8, 9])
  t.equal(entries.filter((e) => e.kind === 'damage').length, 5)
  for (let k = 0; k < 5000; k += 1) {
    const bytes = FILE.slice(prng.int(60), FILE.length - prng.int(60))
    for (let n = prng.int(6); n >= 0; n -= 1) bytes[prng.int(bytes.length)] = prng.int(256)
    if (!covers(read(bytes), bytes.length)) t.fail(toHex(bytes))
  }
  const magics = new Uint8Array(400_000)
  for (let at = 0; at < magics.length; at += 4) magics.set(RECORD_MAGIC, at)
  t.ok(covers(read(magics), magics.length))
})

t.test('what cannot be a record is our bug', async (t) => {
  t.throws(() => encodeRecord(-1, new Uint8Array(0)))
  t.throws(() => encodeRecord(1.5, new Uint8Array(0)))
  t.throws(() => encodeRecord(2 ** 53, new Uint8Array(0)))
  t.throws(() => encodeRecord(1, new Uint8Array(RECORD_BODY_MAX_BYTES + 1)))
})
