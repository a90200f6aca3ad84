import { Decoder, Encoder } from 'cbor-x'
import { HbError } from '../errors/hb-error.ts'

/** Limits of one message: checked on its bytes, before anything is built from them. */
export type TransportCaps = Readonly<{ bytesMax: number; depthMax: number; itemsMax: number }>

/** Caps of a telemetry or session message: 16 MiB, 16 levels, one million items. */
export const TRANSPORT_CAPS: TransportCaps = { bytesMax: 16 * 1024 * 1024, depthMax: 16, itemsMax: 1_000_000 }

export type TransportRefusal =
  | 'too_large'
  | 'truncated'
  | 'trailing_bytes'
  | 'too_deep'
  | 'too_many_items'
  | 'reserved_head'
  | 'indefinite_length'
  | 'tag'
  | 'typed_array'
  | 'simple_value'
  | 'invalid_utf8'
  | 'key_type'
  | 'duplicate_key'

export type TransportCheck = Readonly<{ ok: true }> | Readonly<{ ok: false; reason: TransportRefusal; offset: number }>

/** Tags of typed arrays (RFC 8746 section 2.1) and the bytes of one element, in both byte orders. */
const TYPED_ARRAY_BYTES: ReadonlyMap<number, number> = new Map([
  [64, 1],
  [65, 2],
  [66, 4],
  [67, 8],
  [68, 1],
  [69, 2],
  [70, 4],
  [71, 8],
  [72, 1],
  [73, 2],
  [74, 4],
  [75, 8],
  [77, 2],
  [78, 4],
  [79, 8],
  [81, 4],
  [82, 8],
  [85, 4],
  [86, 8],
])

/** A key of at most this many bytes is read by hand. */
const SHORT_KEY_BYTES = 16
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

class Refused {
  readonly reason: TransportRefusal
  readonly offset: number
  constructor(reason: TransportRefusal, offset: number) {
    this.reason = reason
    this.offset = offset
  }
}

/**
 * Tells whether bytes keep profile `transport` (decisions 16): any key order and any length of heads, but definite
 * lengths, no key twice, no tags except typed arrays, whole UTF-8. cbor-x by itself takes all of that.
 */
export function checkTransport(bytes: Uint8Array, caps: TransportCaps = TRANSPORT_CAPS): TransportCheck {
  if (bytes.length > caps.bytesMax) return { ok: false, reason: 'too_large', offset: 0 }
  const checker = new Checker(bytes, caps)
  try {
    checker.value(0)
    return checker.at === bytes.length ? { ok: true } : { ok: false, reason: 'trailing_bytes', offset: checker.at }
  } catch (thrown) {
    if (thrown instanceof Refused) return { ok: false, reason: thrown.reason, offset: thrown.offset }
    throw thrown
  }
}

let decoder: Decoder | undefined
let encoder: Encoder | undefined

/**
 * Reads a message of profile `transport`. Maps become plain objects, byte strings and typed arrays are copies.
 *
 * @throws HbError CBOR_REFUSED with the reason and the offset.
 */
export function decodeTransport(bytes: Uint8Array, caps: TransportCaps = TRANSPORT_CAPS): unknown {
  const check = checkTransport(bytes, caps)
  if (!check.ok) throw new HbError('CBOR_REFUSED', { reason: check.reason, offset: check.offset, bytes: bytes.length })
  decoder ??= new Decoder({ copyBuffers: true, useRecords: false, mapsAsObjects: true })
  return narrowed(decoder.decode(bytes))
}

/** Bytes of a message: definite maps, typed arrays with their tags, no private extensions. */
export function encodeTransport(value: unknown): Uint8Array {
  encoder ??= new Encoder({ useRecords: false, tagUint8Array: false, variableMapSize: true, mapsAsObjects: true })
  return new Uint8Array(encoder.encode(value))
}

/** Whole numbers that arrived in eight bytes are numbers when they are safe: the length of a head means nothing. */
function narrowed(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  if (Array.isArray(value)) {
    for (let k = 0; k < value.length; k += 1) value[k] = narrowed(value[k])
    return value
  }
  const map = value as Record<string, unknown>
  for (const key of Object.keys(map)) map[key] = narrowed(map[key])
  return map
}

class Checker {
  at = 0
  private items = 0
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly caps: TransportCaps

  constructor(bytes: Uint8Array, caps: TransportCaps) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.caps = caps
  }

  value(depth: number): void {
    const start = this.at
    if (depth > this.caps.depthMax) throw new Refused('too_deep', start)
    this.count(start)
    const head = this.take(1, start)
    const major = this.bytes[head]! >> 5
    const info = this.bytes[head]! & 31
    if (major === 7) this.simple(info, start)
    else this.structured(major, this.argument(info, start), { depth, start })
  }

  private structured(major: number, n: number, { depth, start }: { depth: number; start: number }): void {
    if (major === 2) this.take(n, start)
    else if (major === 3) this.text(n, start)
    else if (major === 4) {
      this.fitting(n, 1, start)
      for (let k = 0; k < n; k += 1) this.value(depth + 1)
    } else if (major === 5) this.map(n, depth, start)
    else if (major === 6) this.typedArray(n, start)
  }

  private count(start: number): void {
    this.items += 1
    if (this.items > this.caps.itemsMax) throw new Refused('too_many_items', start)
  }

  private take(n: number, start: number): number {
    if (!(n <= this.bytes.length - this.at)) throw new Refused('truncated', start)
    const at = this.at
    this.at += n
    return at
  }

  /** A count of things that take at least `least` bytes each: a hostile one never makes a loop long. */
  private fitting(n: number, least: number, start: number): void {
    if (!(n * least <= this.bytes.length - this.at)) throw new Refused('truncated', start)
  }

  private argument(info: number, start: number): number {
    if (info < 24) return info
    if (info === 31) throw new Refused('indefinite_length', start)
    if (info > 27) throw new Refused('reserved_head', start)
    const at = this.take(1 << (info - 24), start)
    if (info === 24) return this.bytes[at]!
    if (info === 25) return this.view.getUint16(at)
    return info === 26 ? this.view.getUint32(at) : Number(this.view.getBigUint64(at))
  }

  private text(n: number, start: number): void {
    const from = this.take(n, start)
    if (!this.isAscii(from)) this.decoded(from, start)
  }

  /** A key as text. Most are short and ASCII: put together by hand, far cheaper than a call of the decoder. */
  private key(n: number, start: number): string {
    const from = this.take(n, start)
    if (n > SHORT_KEY_BYTES || !this.isAscii(from)) return this.decoded(from, start)
    let key = ''
    for (let at = from; at < this.at; at += 1) key += String.fromCharCode(this.bytes[at]!)
    return key
  }

  private isAscii(from: number): boolean {
    for (let at = from; at < this.at; at += 1) if (this.bytes[at]! >= 0x80) return false
    return true
  }

  private decoded(from: number, start: number): string {
    try {
      return UTF8.decode(this.bytes.subarray(from, this.at))
    } catch {
      throw new Refused('invalid_utf8', start)
    }
  }

  private map(n: number, depth: number, start: number): void {
    this.fitting(n, 2, start)
    const keys = new Set<string>()
    for (let k = 0; k < n; k += 1) {
      const from = this.at
      this.count(from)
      const head = this.take(1, from)
      if (this.bytes[head]! >> 5 !== 3) throw new Refused('key_type', from)
      const key = this.key(this.argument(this.bytes[head]! & 31, from), from)
      if (keys.has(key)) throw new Refused('duplicate_key', from)
      keys.add(key)
      this.value(depth + 1)
    }
  }

  private typedArray(tag: number, start: number): void {
    const size = TYPED_ARRAY_BYTES.get(tag)
    if (size === undefined) throw new Refused('tag', start)
    const head = this.take(1, start)
    if (this.bytes[head]! >> 5 !== 2) throw new Refused('typed_array', start)
    const n = this.argument(this.bytes[head]! & 31, start)
    if (n % size !== 0) throw new Refused('typed_array', start)
    this.take(n, start)
  }

  private simple(info: number, start: number): void {
    if (info === 20 || info === 21 || info === 22) return
    if (info === 31) throw new Refused('indefinite_length', start)
    if (info < 25 || info > 27) throw new Refused('simple_value', start)
    this.take(1 << (info - 24), start)
  }
}
