import { crc32 } from 'node:zlib'
import { invariant } from '../lib/assert.ts'
import type { Bytes } from '../units.ts'

/**
 * The one format of append-only files, of journal and outbox alike (decisions 14).
 *
 * A record is: magic `48 42 52 45` ("HBRE"), version u8 = 1, three zero bytes, body length u32 LE, sequence u64 LE,
 * CRC-32 of these 20 bytes u32 LE, body, CRC-32 of the body u32 LE. CRC-32 is that of IEEE 802.3, as in zlib. It finds
 * accidents, not attacks: against those stand the signed batches.
 */
export const RECORD_MAGIC = new Uint8Array([0x48, 0x42, 0x52, 0x45])
export const RECORD_VERSION = 1
const HEADER_BYTES = 24
export const RECORD_OVERHEAD_BYTES: Bytes = HEADER_BYTES + 4
/** Longest body. A length above it is damage, so that a flipped bit never asks for gigabytes. */
export const RECORD_BODY_MAX_BYTES: Bytes = 64 * 1024 * 1024

export type RecordDamage = 'bad_magic' | 'bad_header' | 'bad_version' | 'bad_body' | 'torn_tail' | 'zero_tail'
export type ReadRecord =
  | Readonly<{ kind: 'record'; seq: number; body: Uint8Array; offset: number; end: number }>
  | Readonly<{ kind: 'damage'; from: number; to: number; reason: RecordDamage }>

/** Bytes of one record. `seq` is a safe whole number, the body at most {@link RECORD_BODY_MAX_BYTES}. */
export function encodeRecord(seq: number, body: Uint8Array): Uint8Array {
  invariant(Number.isSafeInteger(seq) && seq >= 0, 'a record is numbered by a safe whole number')
  invariant(body.length <= RECORD_BODY_MAX_BYTES, 'a record body is too long')
  const bytes = new Uint8Array(HEADER_BYTES + body.length + 4)
  const view = new DataView(bytes.buffer)
  bytes.set(RECORD_MAGIC)
  bytes[4] = RECORD_VERSION
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
 * was passed over; offsets count from the start of `bytes`, plus `base`. Bodies are views into `bytes`.
 *
 * Damage that reaches the end is a `torn_tail`, or a `zero_tail` when it is nothing but zeros, as file systems leave
 * behind after a power cut.
 */
export function* readRecords(bytes: Uint8Array, { base = 0 }: { base?: number } = {}): Generator<ReadRecord> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  while (at < bytes.length) {
    const found = recordAt(bytes, view, at)
    if (typeof found === 'object') {
      yield { kind: 'record', seq: found.seq, body: found.body, offset: base + at, end: base + found.end }
      at = found.end
      continue
    }
    const next = nextStart(bytes, view, at + 1)
    const reason = next < bytes.length ? found : tailReason(bytes, at, found)
    yield { kind: 'damage', from: base + at, to: base + next, reason }
    at = next
  }
}

type Found = { seq: number; body: Uint8Array; end: number }

function recordAt(bytes: Uint8Array, view: DataView, at: number): Found | RecordDamage {
  const header = headerAt(bytes, view, at)
  if (typeof header === 'string') return header
  const bodyEnd = at + HEADER_BYTES + header.length
  if (bodyEnd + 4 > bytes.length) return 'torn_tail'
  const body = bytes.subarray(at + HEADER_BYTES, bodyEnd)
  if (crc32(body) !== view.getUint32(bodyEnd, true)) return 'bad_body'
  return { seq: header.seq, body, end: bodyEnd + 4 }
}

function headerAt(bytes: Uint8Array, view: DataView, at: number): { seq: number; length: number } | RecordDamage {
  if (!RECORD_MAGIC.every((byte, k) => at + k >= bytes.length || bytes[at + k] === byte)) return 'bad_magic'
  if (at + HEADER_BYTES > bytes.length) return 'torn_tail'
  if (crc32(bytes.subarray(at, at + 20)) !== view.getUint32(at + 20, true)) return 'bad_header'
  if (bytes[at + 4] !== RECORD_VERSION) return 'bad_version'
  const length = view.getUint32(at + 8, true)
  const seq = view.getUint32(at + 12, true) + view.getUint32(at + 16, true) * 0x1_0000_0000
  if (length > RECORD_BODY_MAX_BYTES || !Number.isSafeInteger(seq)) return 'bad_header'
  return { seq, length }
}

/** Where the next whole, intact header begins at or after `at`; the end when there is none. */
function nextStart(bytes: Uint8Array, view: DataView, at: number): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let from = at; from < bytes.length; ) {
    const found = buffer.indexOf(RECORD_MAGIC, from)
    if (found < 0) return bytes.length
    if (typeof headerAt(bytes, view, found) === 'object') return found
    from = found + 1
  }
  return bytes.length
}

function tailReason(bytes: Uint8Array, at: number, found: RecordDamage): RecordDamage {
  for (let k = at; k < bytes.length; k += 1)
    if (bytes[k] !== 0) return found === 'bad_magic' || found === 'bad_version' ? found : 'torn_tail'
  return 'zero_tail'
}
