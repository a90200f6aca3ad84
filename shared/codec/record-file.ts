import { crc32 } from 'node:zlib'
import { invariant } from '../lib/assert.ts'
import type { Bytes } from '../units.ts'

/**
 * The one format of append-only files, of journal and outbox alike (decisions 14).
 *
 * A record is: magic `48 42 52 45` ("HBRE"), version u8, owner (3 bytes), body length u32 LE, sequence u64 LE, CRC-32 of
 * these 20 bytes u32 LE, body, CRC-32 of the body u32 LE. CRC-32 is that of IEEE 802.3, as in zlib. It finds accidents,
 * not attacks: against those stand the signed batches.
 *
 * Version 2 names its owner, the first three bytes of the id of the journal, so that a file which was copied here from
 * another agent is found out. Version 1 has zeros there and is read as anybody's.
 */
export const RECORD_MAGIC = new Uint8Array([0x48, 0x42, 0x52, 0x45])
const VERSION_OWNED = 2
const VERSION_UNOWNED = 1
/** Bytes of the owner that a record names. */
export const RECORD_OWNER_BYTES = 3
const HEADER_BYTES = 24
export const RECORD_OVERHEAD_BYTES: Bytes = HEADER_BYTES + 4
/** Longest body. A length above it is damage, so that a flipped bit never asks for gigabytes. */
export const RECORD_BODY_MAX_BYTES: Bytes = 64 * 1024 * 1024

export type RecordDamage =
  | 'bad_magic'
  | 'bad_header'
  | 'bad_version'
  | 'foreign'
  | 'bad_body'
  | 'torn_tail'
  | 'zero_tail'
export type ReadRecord =
  | Readonly<{ kind: 'record'; seq: number; body: Uint8Array; offset: number; end: number }>
  | Readonly<{ kind: 'damage'; from: number; to: number; reason: RecordDamage }>

/**
 * Bytes of one record. `seq` is a safe whole number, the body at most {@link RECORD_BODY_MAX_BYTES}; without an owner it
 * is of version 1.
 */
export function encodeRecord(seq: number, body: Uint8Array, owner?: Uint8Array): Uint8Array {
  invariant(Number.isSafeInteger(seq) && seq >= 0, 'a record is numbered by a safe whole number')
  invariant(body.length <= RECORD_BODY_MAX_BYTES, 'a record body is too long')
  const bytes = new Uint8Array(HEADER_BYTES + body.length + 4)
  const view = new DataView(bytes.buffer)
  bytes.set(RECORD_MAGIC)
  bytes[4] = owner === undefined ? VERSION_UNOWNED : VERSION_OWNED
  if (owner !== undefined) bytes.set(owner.subarray(0, RECORD_OWNER_BYTES), 5)
  view.setUint32(8, body.length, true)
  view.setUint32(12, seq >>> 0, true)
  view.setUint32(16, Math.floor(seq / 0x1_0000_0000), true)
  view.setUint32(20, crc32(bytes.subarray(0, 20)), true)
  bytes.set(body, HEADER_BYTES)
  view.setUint32(HEADER_BYTES + body.length, crc32(body), true)
  return bytes
}

/**
 * Reads records one after the other. After damage it looks for the next magic that begins a whole header, and says what
 * was passed over; offsets count from the start of `bytes`, plus `base`. Bodies are views into `bytes`. With an owner,
 * records of another one are damage. A record whose body alone is damaged is passed over by the length in its header: a
 * record that somebody sent as telemetry, inside a body, is never taken for one of the file.
 *
 * Damage that reaches the end is a `torn_tail`, or a `zero_tail` when it is nothing but zeros, as file systems leave
 * behind after a power cut.
 */
export function* readRecords(
  bytes: Uint8Array,
  { base = 0, owner }: { base?: number; owner?: Uint8Array } = {},
): Generator<ReadRecord> {
  const file: RecordFile = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), owner }
  let at = 0
  while (at < bytes.length) {
    const found = recordAt(file, at)
    if (typeof found === 'object' && found.body !== null) {
      yield { kind: 'record', seq: found.seq, body: found.body, offset: base + at, end: base + found.end }
      at = found.end
      continue
    }
    const next = typeof found === 'object' ? found.end : nextStart(file, at + 1)
    const damage = typeof found === 'object' ? 'bad_body' : found
    const reason = next < bytes.length ? damage : tailReason(bytes, at, damage)
    yield { kind: 'damage', from: base + at, to: base + next, reason }
    at = next
  }
}

type RecordFile = Readonly<{ bytes: Uint8Array; view: DataView; owner: Uint8Array | undefined }>
/** `body` is null when it does not match its checksum. */
type Found = { seq: number; body: Uint8Array | null; end: number }

function recordAt(file: RecordFile, at: number): Found | RecordDamage {
  const { bytes, view } = file
  const header = headerAt(file, at)
  if (typeof header === 'string') return header
  const bodyEnd = at + HEADER_BYTES + header.length
  if (bodyEnd + 4 > bytes.length) return 'torn_tail'
  const body = bytes.subarray(at + HEADER_BYTES, bodyEnd)
  const whole = crc32(body) === view.getUint32(bodyEnd, true)
  return { seq: header.seq, body: whole ? body : null, end: bodyEnd + 4 }
}

/** Sequence of the record that begins a file; null when its header is damaged or another owner's. */
export function firstSeqOf(bytes: Uint8Array, owner: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const header = headerAt({ bytes, view, owner }, 0)
  return typeof header === 'string' ? null : header.seq
}

function headerAt({ bytes, view, owner }: RecordFile, at: number): { seq: number; length: number } | RecordDamage {
  if (!RECORD_MAGIC.every((byte, k) => at + k >= bytes.length || bytes[at + k] === byte)) return 'bad_magic'
  if (at + HEADER_BYTES > bytes.length) return 'torn_tail'
  if (crc32(bytes.subarray(at, at + 20)) !== view.getUint32(at + 20, true)) return 'bad_header'
  const version = bytes[at + 4]
  if (version !== VERSION_OWNED && version !== VERSION_UNOWNED) return 'bad_version'
  if (version === VERSION_OWNED && owner !== undefined)
    for (let k = 0; k < RECORD_OWNER_BYTES; k += 1) if (bytes[at + 5 + k] !== owner[k]) return 'foreign'
  const length = view.getUint32(at + 8, true)
  const seq = view.getUint32(at + 12, true) + view.getUint32(at + 16, true) * 0x1_0000_0000
  if (length > RECORD_BODY_MAX_BYTES || !Number.isSafeInteger(seq)) return 'bad_header'
  return { seq, length }
}

/** Where the next whole, intact header begins at or after `at`; the end when there is none. */
function nextStart(file: RecordFile, at: number): number {
  const { bytes } = file
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let from = at; from < bytes.length; ) {
    const found = buffer.indexOf(RECORD_MAGIC, from)
    if (found < 0) return bytes.length
    if (typeof headerAt(file, found) === 'object') return found
    from = found + 1
  }
  return bytes.length
}

function tailReason(bytes: Uint8Array, at: number, found: RecordDamage): RecordDamage {
  for (let k = at; k < bytes.length; k += 1) if (bytes[k] !== 0) return found
  return 'zero_tail'
}
