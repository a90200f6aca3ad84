import { HbError, isHbError } from '../errors/hb-error.ts'
import type { Canonical } from '../model/decision.ts'
import { compareBytes, halfBits, SIGNED_DEPTH_MAX, TWO_64 } from './canonical.ts'

/** Limits that bytes must keep before anything is built from them. */
export type CborCaps = Readonly<{ bytesMax: number; depthMax: number; itemsMax: number }>

/** Caps of one signed value: 64 MiB of bytes, 16 levels, two million items. */
export const SIGNED_CAPS: CborCaps = { bytesMax: 64 * 1024 * 1024, depthMax: SIGNED_DEPTH_MAX, itemsMax: 2_000_000 }

/** Why bytes are not the one encoding of a value. */
export type CborRefusal =
  | 'too_large'
  | 'truncated'
  | 'trailing_bytes'
  | 'too_deep'
  | 'too_many_items'
  | 'reserved_head'
  | 'long_head'
  | 'indefinite_length'
  | 'tag'
  | 'simple_value'
  | 'not_finite'
  | 'long_float'
  | 'integral_float'
  | 'invalid_utf8'
  | 'text_not_nfc'
  | 'key_type'
  | 'key_order'
  | 'duplicate_key'

export type SignedCheck = Readonly<{ ok: true }> | Readonly<{ ok: false; reason: CborRefusal; offset: number }>

/** Thrown inside the reader only; callers see a value or an HbError. */
class Refused {
  readonly reason: CborRefusal
  readonly offset: number
  constructor(reason: CborRefusal, offset: number) {
    this.reason = reason
    this.offset = offset
  }
}

/** Tells whether bytes are the one encoding (profile `signed`) of a value. Builds it on the way and throws it away. */
export function checkSigned(bytes: Uint8Array, caps: CborCaps = SIGNED_CAPS): SignedCheck {
  const read = readSigned(bytes, caps)
  return read instanceof Refused ? { ok: false, reason: read.reason, offset: read.offset } : { ok: true }
}

/**
 * Reads bytes of profile `signed`. Every map is a `Map`; whole numbers are numbers when safe, otherwise bigints; byte
 * strings are copies.
 *
 * @throws HbError CBOR_REFUSED with the reason and the offset.
 */
export function decodeSigned(bytes: Uint8Array, caps: CborCaps = SIGNED_CAPS): Canonical {
  const read = readSigned(bytes, caps)
  if (read instanceof Refused)
    throw new HbError('CBOR_REFUSED', { reason: read.reason, offset: read.offset, bytes: bytes.length })
  return read
}

function readSigned(bytes: Uint8Array, caps: CborCaps): Canonical | Refused {
  if (bytes.length > caps.bytesMax) return new Refused('too_large', 0)
  const reader = new Reader(bytes, caps)
  try {
    const value = reader.value(0)
    return reader.at === bytes.length ? value : new Refused('trailing_bytes', reader.at)
  } catch (thrown) {
    if (thrown instanceof Refused) return thrown
    throw thrown
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

class Reader {
  at = 0
  private items = 0
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly caps: CborCaps

  constructor(bytes: Uint8Array, caps: CborCaps) {
    // A Buffer would give out views of itself where copies are promised.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.caps = caps
  }

  value(depth: number): Canonical {
    const start = this.at
    if (depth > this.caps.depthMax) throw new Refused('too_deep', start)
    this.items += 1
    if (this.items > this.caps.itemsMax) throw new Refused('too_many_items', start)
    const head = this.take(1)
    const major = this.bytes[head]! >> 5
    const info = this.bytes[head]! & 31
    if (major === 7) return this.simple(info, start)
    const n = this.argument(info, start)
    switch (major) {
      case 0:
        return n
      case 1:
        return typeof n === 'number' && n < Number.MAX_SAFE_INTEGER ? -1 - n : narrow(-1n - BigInt(n))
      case 2:
        return this.bytes.slice(...this.span(n, start))
      case 3:
        return this.text(n, start)
      case 4:
        return this.list(n, depth, start)
      case 5:
        return this.map(n, depth, start)
      default:
        throw new Refused('tag', start)
    }
  }

  private take(n: number): number {
    const at = this.at
    if (at + n > this.bytes.length) throw new Refused('truncated', at)
    this.at += n
    return at
  }

  private argument(info: number, start: number): number | bigint {
    if (info < 24) return info
    if (info === 31) throw new Refused('indefinite_length', start)
    if (info > 27) throw new Refused('reserved_head', start)
    const at = this.take(1 << (info - 24))
    const n =
      info === 24
        ? this.bytes[at]!
        : info === 25
          ? this.view.getUint16(at)
          : info === 26
            ? this.view.getUint32(at)
            : this.view.getBigUint64(at)
    const least = info === 24 ? 24 : info === 25 ? 0x100 : info === 26 ? 0x1_0000 : 0x1_0000_0000
    if (!(n >= least)) throw new Refused('long_head', start)
    return typeof n === 'bigint' ? narrow(n) : n
  }

  /** Start and end of `n` bytes that are really there: a hostile length never makes anything be allocated. */
  private span(n: number | bigint, start: number): [number, number] {
    if (!(n <= this.bytes.length - this.at)) throw new Refused('truncated', start)
    const at = this.take(Number(n))
    return [at, this.at]
  }

  private text(n: number | bigint, start: number): string {
    const [from, to] = this.span(n, start)
    let text: string
    try {
      text = UTF8.decode(this.bytes.subarray(from, to))
    } catch {
      throw new Refused('invalid_utf8', start)
    }
    if (text.length !== to - from && text.normalize('NFC') !== text) throw new Refused('text_not_nfc', start)
    return text
  }

  private list(n: number | bigint, depth: number, start: number): Canonical[] {
    if (!(n <= this.bytes.length - this.at)) throw new Refused('truncated', start)
    const list: Canonical[] = []
    for (let k = 0; k < n; k += 1) list.push(this.value(depth + 1))
    return list
  }

  private map(n: number | bigint, depth: number, start: number): Map<number | string, Canonical> {
    if (!(n <= (this.bytes.length - this.at) / 2)) throw new Refused('truncated', start)
    const map = new Map<number | string, Canonical>()
    let before: Uint8Array | null = null
    let type = ''
    for (let k = 0; k < n; k += 1) {
      const from = this.at
      const key = this.value(depth)
      if (typeof key !== 'string' && !Number.isSafeInteger(key)) throw new Refused('key_type', from)
      if (k > 0 && typeof key !== type) throw new Refused('key_type', from)
      type = typeof key
      const bytes: Uint8Array = this.bytes.subarray(from, this.at)
      const order: number = before === null ? -1 : compareBytes(before, bytes)
      if (order === 0) throw new Refused('duplicate_key', from)
      if (order > 0) throw new Refused('key_order', from)
      before = bytes
      map.set(key as string | number, this.value(depth + 1))
    }
    return map
  }

  private simple(info: number, start: number): Canonical {
    if (info === 20) return false
    if (info === 21) return true
    if (info === 22) return null
    if (info < 25 || info > 27) throw new Refused(info === 31 ? 'indefinite_length' : 'simple_value', start)
    const at = this.take(1 << (info - 24))
    const value =
      info === 25
        ? fromHalf(this.view.getUint16(at))
        : info === 26
          ? this.view.getFloat32(at)
          : this.view.getFloat64(at)
    if (!Number.isFinite(value)) throw new Refused('not_finite', start)
    if (Number.isInteger(value) && value >= -TWO_64 && value < TWO_64) throw new Refused('integral_float', start)
    const shorter = info === 27 ? Math.fround(value) === value : info === 26 && halfBits(value) >= 0
    if (shorter) throw new Refused('long_float', start)
    return value
  }
}

function narrow(n: bigint): number | bigint {
  return n <= BigInt(Number.MAX_SAFE_INTEGER) && n >= -BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 0x3ff
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The list that bytes hold, or null when they hold something else or nothing: for what is damage and not a mistake. */
export function listIn(bytes: Uint8Array): unknown[] | null {
  try {
    const value = decodeSigned(bytes) as unknown
    return Array.isArray(value) ? value : null
  } catch (error) {
    if (isHbError(error)) return null
    throw error
  }
}
