import { invariant } from '../lib/assert.ts'
import type { Canonical } from '../model/decision.ts'

/** Deepest nesting of a value; the same cap holds for bytes that arrive. */
export const SIGNED_DEPTH_MAX = 16

const BIGGEST_UINT = 0xffff_ffff_ffff_ffffn
/** Whole numbers from −2^64 up to below 2^64 are integers; beyond, they are floats. */
export const TWO_64 = 2 ** 64
const TEXT = new TextEncoder()

/** Bytes that grow by doubling. Kept between calls, because a decision is encoded every slide. */
let buffer = new Uint8Array(4096)
let view = new DataView(buffer.buffer)
let length = 0

/**
 * The one encoding that is hashed and signed. Equal values give equal bytes on every machine.
 *
 * RFC 8949 section 4.2.1 (keys sorted by their bytes, definite lengths, shortest heads and floats) with the numeric
 * reduction of dCBOR: whole numbers are integers, and there is one zero. Text is put into Unicode NFC; a lone surrogate
 * becomes U+FFFD. cbor-x is not used here: it writes keys in insertion order and whole numbers above 2^32 as floats.
 *
 * Receivers check the bytes that arrived and never encode a decoded value again.
 *
 * @throws InvariantError for a value outside {@link Canonical} (NaN, infinity, `undefined`, two key types in one map,
 * deeper than {@link SIGNED_DEPTH_MAX}); such a value is our bug.
 */
export function canonicalBytes(value: Canonical): Uint8Array {
  length = 0
  write(value, 0)
  return buffer.slice(0, length)
}

function reserve(bytes: number): number {
  const at = length
  length += bytes
  if (length > buffer.length) {
    const wider = new Uint8Array(Math.max(length, buffer.length * 2))
    wider.set(buffer)
    buffer = wider
    view = new DataView(buffer.buffer)
  }
  return at
}

function write(value: Canonical, depth: number): void {
  invariant(depth <= SIGNED_DEPTH_MAX, `a signed value is nested deeper than ${SIGNED_DEPTH_MAX}`)
  if (value === null) writeByte(0xf6)
  else if (typeof value === 'boolean') writeByte(value ? 0xf5 : 0xf4)
  else if (typeof value === 'number') writeNumber(value)
  else if (typeof value === 'bigint') writeBigint(value)
  else if (typeof value === 'string') writeText(value)
  else if (value instanceof Uint8Array) writeBytes(2, value)
  else if (Array.isArray(value)) {
    writeHead(4, value.length)
    for (const element of value) write(element, depth + 1)
  } else writeMap(value as ReadonlyMap<number | string, Canonical> | { readonly [key: string]: Canonical }, depth)
}

/** Room is made first: `buffer` may be another one after it. */
function writeByte(byte: number): void {
  const at = reserve(1)
  buffer[at] = byte
}

function writeHead(major: number, n: number): void {
  const type = major << 5
  if (n < 24) writeByte(type | n)
  else if (n < 0x100) {
    const at = reserve(2)
    buffer[at] = type | 24
    buffer[at + 1] = n
  } else if (n < 0x1_0000) {
    const at = reserve(3)
    buffer[at] = type | 25
    view.setUint16(at + 1, n)
  } else if (n < 0x1_0000_0000) {
    const at = reserve(5)
    buffer[at] = type | 26
    view.setUint32(at + 1, n)
  } else {
    const at = reserve(9)
    buffer[at] = type | 27
    view.setUint32(at + 1, Math.floor(n / 0x1_0000_0000))
    view.setUint32(at + 5, n >>> 0)
  }
}

function writeNumber(value: number): void {
  invariant(Number.isFinite(value), `a signed number must be finite, not ${value}`)
  if (Number.isSafeInteger(value)) {
    if (value >= 0) writeHead(0, value)
    else writeHead(1, -1 - value)
  } else if (Number.isInteger(value) && value >= -TWO_64 && value < TWO_64) writeBigint(BigInt(value))
  else writeFloat(value)
}

function writeBigint(value: bigint): void {
  const magnitude = value >= 0n ? value : -1n - value
  invariant(magnitude <= BIGGEST_UINT, 'a signed whole number must fit 64 bits')
  if (magnitude <= BigInt(Number.MAX_SAFE_INTEGER)) {
    writeHead(value >= 0n ? 0 : 1, Number(magnitude))
    return
  }
  const at = reserve(9)
  buffer[at] = value >= 0n ? 0x1b : 0x3b
  view.setBigUint64(at + 1, magnitude)
}

function writeFloat(value: number): void {
  const half = halfBits(value)
  if (half >= 0) {
    const at = reserve(3)
    buffer[at] = 0xf9
    view.setUint16(at + 1, half)
  } else if (Math.fround(value) === value) {
    const at = reserve(5)
    buffer[at] = 0xfa
    view.setFloat32(at + 1, value)
  } else {
    const at = reserve(9)
    buffer[at] = 0xfb
    view.setFloat64(at + 1, value)
  }
}

const SINGLE = new DataView(new ArrayBuffer(4))

/** The 16 bits of a number that a half-precision float (IEEE 754 binary16) holds exactly; −1 when it does not. */
export function halfBits(value: number): number {
  if (Math.fround(value) !== value) return -1
  SINGLE.setFloat32(0, value)
  const bits = SINGLE.getUint32(0)
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 0xff) - 127
  const fraction = bits & 0x7f_ffff
  if (exponent >= -14 && exponent <= 15) {
    return (fraction & 0x1fff) === 0 ? sign | ((exponent + 15) << 10) | (fraction >>> 13) : -1
  }
  // Subnormal halves: the hidden bit moves into the fraction, and no bit may be lost on the way.
  const shift = -1 - exponent
  if (exponent >= -14 || shift > 23) return -1
  const whole = fraction | 0x80_0000
  return (whole & ((1 << shift) - 1)) === 0 && whole >>> shift !== 0 ? sign | (whole >>> shift) : -1
}

function writeText(text: string): void {
  const start = length
  const n = text.length
  if (n < 24) {
    let at = reserve(1 + n)
    buffer[at] = 0x60 | n
    let ascii = true
    for (let i = 0; i < n; i += 1) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) {
        ascii = false
        break
      }
      at += 1
      buffer[at] = code
    }
    if (ascii) return
    length = start
  }
  writeBytes(3, TEXT.encode(text.normalize('NFC')))
}

function writeBytes(major: number, bytes: Uint8Array): void {
  writeHead(major, bytes.length)
  const at = reserve(bytes.length)
  buffer.set(bytes, at)
}

function writeMap(
  map: ReadonlyMap<number | string, Canonical> | { readonly [key: string]: Canonical },
  depth: number,
): void {
  const entries: [number | string, Canonical][] = map instanceof Map ? [...map.entries()] : Object.entries(map)
  const keyType = typeof entries[0]?.[0]
  const keys = entries.map(([key, value]) => {
    invariant(
      typeof key === keyType && (typeof key === 'string' || Number.isSafeInteger(key)),
      'the keys of a signed map must be of one type',
    )
    const start = length
    write(key, depth)
    const bytes = buffer.slice(start, length)
    length = start
    return { bytes, value }
  })
  keys.sort((a, b) => compareBytes(a.bytes, b.bytes))
  writeHead(5, keys.length)
  keys.forEach(({ bytes, value }, k) => {
    invariant(k === 0 || compareBytes(keys[k - 1]!.bytes, bytes) < 0, 'a signed map holds a key twice')
    const at = reserve(bytes.length)
    buffer.set(bytes, at)
    write(value, depth + 1)
  })
}

/** Order of RFC 8949 section 4.2.1: byte by byte, a prefix first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i += 1) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
