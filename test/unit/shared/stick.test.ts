import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { encodeJournalInput } from '../../../shared/codec/journal-input.ts'
import { encodeRecord } from '../../../shared/codec/record-file.ts'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import { readPublicKey, signerFromPem } from '../../../shared/crypto/sign.ts'
import { isHbError } from '../../../shared/errors/hb-error.ts'
import {
  createStickWriter,
  openManifest,
  readStick,
  StickError,
  type StickKind,
  type StickManifest,
} from '../../../shared/protocol/stick.ts'

/** A key for vectors only. */
const signer = signerFromPem(`-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`)
const key = readPublicKey(signer.spki)
const ABOUT = { deployment: 'demo', agent: 'bench-1', madeUs: 9, version: '0.1.0', rigs: [{ rig: 'r', program: 'p' }] }

function made(kind: StickKind): Uint8Array {
  const parts: Uint8Array[] = []
  const stick = createStickWriter(kind, (part) => parts.push(part))
  for (const batchSeq of [1, 2]) {
    const bytes = new Uint8Array(20).fill(batchSeq)
    if (kind === 'batches') stick.batch({ epoch: 1, batchSeq, cose: bytes, records: bytes })
    else stick.receipt({ epoch: 1, batchSeq, receipt: bytes })
  }
  stick.finish(kind === 'batches' ? ABOUT : { ...ABOUT, rigs: [] }, signer)
  return new Uint8Array(Buffer.concat(parts))
}

const opened = (bytes: Uint8Array, kind: StickKind = 'batches'): StickManifest =>
  openManifest(readStick('x', bytes, kind), kind, key)

t.test('a file says whose it is, and what is in it', async (t) => {
  const content = readStick('x', made('batches'), 'batches')
  t.equal(content.claims, 'bench-1')
  t.same(
    content.batches.map(({ epoch, batchSeq, cose }) => [epoch, batchSeq, cose[0]]),
    [
      [1, 1, 1],
      [1, 2, 2],
    ],
  )
  t.same(opened(made('batches')), { kind: 'batches', count: 2, ...ABOUT })
  t.match(opened(made('receipts'), 'receipts'), { kind: 'receipts', count: 2, rigs: [] })
})

t.test('a file that was cut anywhere, or that a bit was flipped in, is refused and never misread', async (t) => {
  const whole = made('batches')
  let cuts = 0
  for (let length = 0; length < whole.length; length += 1) {
    try {
      opened(whole.slice(0, length))
      t.fail(`cut at ${length} was taken`)
    } catch (error) {
      if (!(error instanceof StickError) || error.code !== 'STICK_DAMAGED' || error.problems.length === 0) throw error
      cuts += 1
    }
  }
  let flips = 0
  for (let at = 0; at < whole.length * 8; at += 1) {
    const bytes = new Uint8Array(whole)
    bytes[at >> 3] = bytes[at >> 3]! ^ (1 << (at & 7))
    try {
      opened(bytes)
      t.fail(`bit ${at} flipped was taken`)
    } catch (error) {
      if (!isHbError(error)) throw error
      flips += 1
    }
  }
  t.equal(cuts, whole.length)
  t.equal(flips, whole.length * 8)
  t.comment(`counted: stick cuts | ${cuts} | lengths a file was cut at, each refused`)
  t.comment(`counted: stick flips | ${flips} | bits that were flipped, each refused`)
})

t.test('records that were taken out, doubled, swapped or added are found, and all of them are listed', async (t) => {
  const whole = made('batches')
  const marks: number[] = []
  for (let at = 0; at < whole.length; ) {
    marks.push(at)
    at += 28 + new DataView(whole.buffer).getUint32(at + 8, true)
  }
  marks.push(whole.length)
  const records = marks.slice(1).map((end, k) => whole.slice(marks[k], end))
  const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))
  const [head, one, two, manifest] = records as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  const other = made('receipts')
  const table: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['a record less', join(head, two, manifest)],
    ['a record twice', join(head, one, one, two, manifest)],
    ['two records in the wrong order', join(head, two, one, manifest)],
    ['no head', join(one, two, manifest)],
    ['a record behind the manifest', join(head, one, two, manifest, one)],
    ['two files in one', join(whole, whole)],
    ['rubbish behind it', join(whole, new Uint8Array([1, 2, 3]))],
    ['rubbish before it', join(new Uint8Array([1, 2, 3]), whole)],
    ['a file of the other kind', other],
    ['a record that is no list', join(head, encodeRecord(2, new Uint8Array([0xf6])))],
    ['a record outside the profile', join(head, encodeRecord(2, new Uint8Array([0xff])))],
  ]
  for (const [name, bytes] of table) t.throws(() => opened(bytes), { code: 'STICK_DAMAGED' }, name)
  const twice = new Uint8Array(whole)
  twice[marks[1]! + 30] = twice[marks[1]! + 30]! ^ 1
  twice[marks[2]! + 30] = twice[marks[2]! + 30]! ^ 1
  try {
    opened(twice)
  } catch (error) {
    const bad = (error as StickError).problems.filter(({ found }) => found.startsWith('bad_body'))
    t.equal(bad.length, 2, 'both damaged records are named')
  }
  t.comment(`counted: hostile sticks | ${table.length} | files put together wrongly, each refused`)
})

t.test('a manifest of another key, or about other records, does not count', async (t) => {
  const other = signerFromPem(signerPem())
  t.throws(() => openManifest(readStick('x', made('batches'), 'batches'), 'batches', readPublicKey(other.spki)), {
    code: 'BATCH_SIGNATURE',
  })
  const content = readStick('x', made('batches'), 'batches')
  t.throws(() => openManifest({ ...content, digest: new Uint8Array(32) }, 'batches', key), { code: 'STICK_DAMAGED' })
  t.throws(() => openManifest(content, 'receipts', key), { code: 'COSE_SHAPE' })
})

function signerPem(): string {
  return `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9h
-----END PRIVATE KEY-----
`
}

/** Formats that came after the first ones. */
const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'formats-2.json')
function vectors(): Record<string, string> {
  return {
    'journal input frame by arrival': toHex(
      encodeJournalInput({
        kind: 'frame',
        nowUs: 1_700_000_000_000_000,
        rig: 'r',
        origin: 'daq',
        encoding: 'json',
        provenance: 'live',
        messages: [new Uint8Array([1, 2])],
        time: 'arrival',
      }),
    ),
    'stick of batches': toHex(made('batches')),
    'stick of receipts': toHex(made('receipts')),
  }
}
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string>

t.test('the formats have the bytes they were given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  t.match(opened(fromHex(pinned['stick of batches']!)!), { agent: 'bench-1', count: 2 })
})
