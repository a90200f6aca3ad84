import { decodeBaseline } from '../../shared/codec/baseline-record.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { type CheckedRecord, checkRecord, digestOfRecord } from '../../shared/codec/checked-record.ts'
import { readRecords as readRecordFile } from '../../shared/codec/record-file.ts'
import { checkSigned, decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { policyDigest } from '../../shared/config/quality-policy.ts'
import { concat } from '../../shared/crypto/cose.ts'
import { DIGEST_BYTES, DOMAIN, digestOf, equalBytes, toHex } from '../../shared/crypto/digest.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { BaselineRecord } from '../../shared/model/baseline.ts'
import type { QualityPolicy } from '../../shared/model/baseline-gate.ts'
import type { Bytes, Micros } from '../../shared/units.ts'
import { type Files, replaceFile } from './files.ts'

/** Files of a book beside `operators.yaml` and the keys that it names. */
const IDENTITY = 'book'
const HEAD = 'head'
export const LOG = 'statements.log'
export const RECORDS = 'records'
export const POLICIES = 'policies'
const VERSION = 1

export type BookIdentity = Readonly<{ id: Uint8Array; madeUs: Micros }>
/** Number and id of the last statement that was written. */
export type BookHead = Readonly<{ seq: number; id: string }>

/** Who the book is; null where there is none. @throws HbError BOOK_DAMAGED */
export function readIdentity(files: Files, path: string): BookIdentity | null {
  const map = readChecked(files, path, IDENTITY)
  if (map === null) return null
  const [id, madeUs]: unknown[] = [map.get('id'), map.get('made_us')]
  if (!(id instanceof Uint8Array && Number.isSafeInteger(madeUs)))
    throw new HbError('BOOK_DAMAGED', { path: `${path}/${IDENTITY}`, found: 'another form' })
  return { id, madeUs: madeUs as Micros }
}

export function writeIdentity(files: Files, path: string, { id, madeUs }: BookIdentity): void {
  writeChecked(files, path, IDENTITY, canonicalBytes({ v: VERSION, id, made_us: madeUs }))
}

/** Null before the first statement. @throws HbError BOOK_DAMAGED */
export function readHead(files: Files, path: string): BookHead | null {
  const map = readChecked(files, path, HEAD)
  if (map === null) return null
  const [seq, id]: unknown[] = [map.get('seq'), map.get('id')]
  if (!(Number.isSafeInteger(seq) && typeof id === 'string'))
    throw new HbError('BOOK_DAMAGED', { path: `${path}/${HEAD}`, found: 'another form' })
  return { seq: seq as number, id }
}

export function writeHead(files: Files, path: string, { seq, id }: BookHead): void {
  writeChecked(files, path, HEAD, canonicalBytes({ v: VERSION, seq, id }))
}

/** Every record by its digest, which is its name. @throws HbError BOOK_DAMAGED with the file whose bytes were changed */
export function readRecords(files: Files, path: string, wanted: QualityPolicy): Map<string, CheckedRecord> {
  const records = new Map<string, CheckedRecord>()
  const folder = `${path}/${RECORDS}`
  const names = files.existsSync(folder) ? files.readdirSync(folder).filter((name) => name.endsWith('.hbb')) : []
  for (const name of names.sort()) {
    const digest = name.slice(0, -'.hbb'.length)
    const bytes = new Uint8Array(files.readFileSync(`${folder}/${name}`))
    if (digestOfRecord(bytes) !== digest)
      throw new HbError('BOOK_DAMAGED', { path: `${folder}/${name}`, found: CHANGED })
    const policy = policyOf(files, path, decodeBaseline(bytes))
    records.set(digest, checkRecord({ bytes, policy }, wanted))
  }
  return records
}

const CHANGED = 'bytes that are not those of its name'

/**
 * Signed statements of the log, in order. Only its very end may be torn.
 *
 * @throws HbError BOOK_DAMAGED with the place in the file.
 */
export function readLog(
  files: Files,
  path: string,
  owner: Uint8Array,
): Readonly<{ signed: readonly Uint8Array[]; wholeBytes: Bytes; tornBytes: Bytes }> {
  const name = `${path}/${LOG}`
  const bytes = files.existsSync(name) ? new Uint8Array(files.readFileSync(name)) : new Uint8Array(0)
  const signed: Uint8Array[] = []
  let wholeBytes = 0
  for (const entry of readRecordFile(bytes, { owner })) {
    const isTorn = entry.kind === 'damage' && entry.to === bytes.length && /^(torn|zero)_tail$/.test(entry.reason)
    if (isTorn) break
    if (entry.kind === 'damage')
      throw new HbError('BOOK_DAMAGED', { path: name, from: entry.from, to: entry.to, found: entry.reason })
    if (entry.seq !== signed.length + 1)
      throw new HbError('BOOK_DAMAGED', {
        path: name,
        from: entry.offset,
        found: `statement ${entry.seq}`,
        expected: signed.length + 1,
      })
    signed.push(entry.body)
    wholeBytes = entry.end
  }
  return { signed, wholeBytes, tornBytes: bytes.length - wholeBytes }
}

function policyOf(files: Files, path: string, { gate }: BaselineRecord): Uint8Array {
  const name = `${path}/${POLICIES}/${toHex(gate.policy)}.yaml`
  if (!files.existsSync(name)) throw new HbError('BOOK_DAMAGED', { path: name, found: 'no such file' })
  const bytes = new Uint8Array(files.readFileSync(name))
  if (!equalBytes(policyDigest(bytes), gate.policy)) throw new HbError('BOOK_DAMAGED', { path: name, found: CHANGED })
  return bytes
}

function readChecked(files: Files, path: string, name: string): ReadonlyMap<string, unknown> | null {
  if (!files.existsSync(`${path}/${name}`)) return null
  const bytes = new Uint8Array(files.readFileSync(`${path}/${name}`))
  const body = bytes.subarray(DIGEST_BYTES)
  const isWhole = equalBytes(digestOf(DOMAIN.book, body), bytes.subarray(0, DIGEST_BYTES)) && checkSigned(body).ok
  const map = isWhole ? (decodeSigned(body) as unknown) : null
  if (!(map instanceof Map) || map.get('v') !== VERSION)
    throw new HbError('BOOK_DAMAGED', { path: `${path}/${name}`, found: 'bytes that do not match their digest' })
  return map as ReadonlyMap<string, unknown>
}

function writeChecked(files: Files, path: string, name: string, body: Uint8Array): void {
  replaceFile(files, path, name, concat(digestOf(DOMAIN.book, body), body))
}
