/**
 * A value as it stands in the bytes: hashes and signatures are over what was written, so every value keeps its place.
 * Only what docs/internals/formats.md calls dCBOR is read: definite lengths, shortest heads, no tags, no simple values but
 * false, true and null, keys in order and each once.
 */
export type CborNode = Readonly<{
  start: number
  end: number
  /** Whole numbers beyond 2^53 are bigints. Lists and maps have their parts in `items`: of a map key, value, key, value. */
  value: null | boolean | number | bigint | string | Uint8Array
  is: 'value' | 'list' | 'map'
  items: readonly CborNode[]
}>

/** What a node comes to without its places. Maps are Maps. */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<unknown, CborValue>

const DEPTH_MAX = 32

/** Thrown for bytes that are not what they should be; {@link readEvidence} makes a reason of it. */
export class EvidenceFault extends Error {}

/** Reads one value that takes all of the bytes. @throws EvidenceFault */
export function readCbor(bytes: Uint8Array): CborNode {
  const node = new CborReader(bytes).node(0, 0)
  if (node.end !== bytes.length) throw new EvidenceFault(`${bytes.length - node.end} bytes behind a CBOR value`)
  return node
}

/** A node as a plain value. */
export function plain(node: CborNode): CborValue {
  if (node.is === 'list') return node.items.map(plain)
  if (node.is === 'value') return node.value
  const map = new Map<unknown, CborValue>()
  for (let k = 0; k < node.items.length; k += 2) map.set(node.items[k]!.value, plain(node.items[k + 1]!))
  return map
}

/** Value of a key of a map. @throws EvidenceFault when there is none */
export function at(node: CborNode, key: number | string): CborNode {
  if (node.is === 'map')
    for (let k = 0; k < node.items.length; k += 2) if (node.items[k]!.value === key) return node.items[k + 1]!
  throw new EvidenceFault(`no key ${key}`)
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const VALUE = { is: 'value', items: [] } as const

class CborReader {
  private readonly bytes: Uint8Array
  private readonly view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  node(start: number, depth: number): CborNode {
    if (depth > DEPTH_MAX) throw new EvidenceFault('CBOR nested too deep')
    this.need(start, 1)
    const major = this.bytes[start]! >> 5
    const info = this.bytes[start]! & 31
    if (major === 7) return this.simple(start, info)
    const { n, end } = this.head(start, info)
    if (major === 0) return { ...VALUE, start, end, value: safe(n) }
    if (major === 1) return { ...VALUE, start, end, value: safe(-1n - n) }
    if (major === 2 || major === 3) return this.string(major, start, end, n)
    if (major === 4) return this.parts('list', { start, end, depth, count: n })
    if (major === 5) return this.parts('map', { start, end, depth, count: n * 2n })
    throw new EvidenceFault(`a CBOR tag at ${start}`)
  }

  private need(from: number, count: number): void {
    if (!(from + count <= this.bytes.length)) throw new EvidenceFault(`CBOR ends at ${this.bytes.length} too early`)
  }

  private head(start: number, info: number): { n: bigint; end: number } {
    if (info < 24) return { n: BigInt(info), end: start + 1 }
    if (info > 27) throw new EvidenceFault(`an indefinite length or reserved head at ${start}`)
    const width = 1 << (info - 24)
    this.need(start + 1, width)
    let n = 0n
    for (let k = 1; k <= width; k += 1) n = n * 256n + BigInt(this.bytes[start + k]!)
    const least = width === 1 ? 24n : 1n << BigInt(4 * width)
    if (n < least) throw new EvidenceFault(`a head that is too long at ${start}`)
    return { n, end: start + 1 + width }
  }

  private string(major: number, start: number, from: number, n: bigint): CborNode {
    if (n > BigInt(this.bytes.length)) throw new EvidenceFault(`a string at ${start} that is not all there`)
    const end = from + Number(n)
    this.need(from, Number(n))
    const part = this.bytes.subarray(from, end)
    if (major === 2) return { ...VALUE, start, end, value: part }
    try {
      return { ...VALUE, start, end, value: UTF8.decode(part) }
    } catch {
      throw new EvidenceFault(`text at ${start} that is no UTF-8`)
    }
  }

  private parts(
    is: 'list' | 'map',
    { start, end, depth, count }: { start: number; end: number; depth: number; count: bigint },
  ): CborNode {
    if (count > BigInt(this.bytes.length - end)) throw new EvidenceFault(`a ${is} at ${start} that is not all there`)
    const items: CborNode[] = []
    let next = end
    for (let k = 0n; k < count; k += 1n) {
      const item = this.node(next, depth + 1)
      if (is === 'map' && k % 2n === 0n && k > 0n) this.checkOrder(items.at(-2)!, item)
      items.push(item)
      next = item.end
    }
    return { is, start, end: next, value: null, items }
  }

  private checkOrder(before: CborNode, key: CborNode): void {
    const [a, b] = [before, key].map(({ start, end }) => this.bytes.subarray(start, end)) as [Uint8Array, Uint8Array]
    if (Buffer.compare(a, b) >= 0) throw new EvidenceFault(`keys out of order at ${key.start}`)
  }

  private simple(start: number, info: number): CborNode {
    if (info >= 20 && info <= 22) return { ...VALUE, start, end: start + 1, value: info === 22 ? null : info === 21 }
    if (info < 25 || info > 27) throw new EvidenceFault(`another simple value at ${start}`)
    const width = 1 << (info - 24)
    this.need(start + 1, width)
    const value =
      width === 8
        ? this.view.getFloat64(start + 1)
        : width === 4
          ? this.view.getFloat32(start + 1)
          : halfFloat(this.view.getUint16(start + 1))
    return { ...VALUE, start, end: start + 1 + width, value }
  }
}

function safe(n: bigint): number | bigint {
  return n >= BigInt(Number.MIN_SAFE_INTEGER) && n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n
}

/** IEEE 754 binary16. */
function halfFloat(bits: number): number {
  const fraction = bits & 0x3ff
  const exponent = (bits >> 10) & 31
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (1024 + fraction) * 2 ** (exponent - 25)
  return (bits & 0x8000) === 0 ? size : -size
}

/** Encodes a list of texts, whole numbers below 2^53 and bytes, as dCBOR: what digests of the chain are over. */
export function encodeList(items: readonly (string | number | Uint8Array)[]): Uint8Array {
  const parts = [headBytes(4, items.length)]
  for (const item of items) {
    if (typeof item === 'number') parts.push(headBytes(0, item))
    else {
      const body = typeof item === 'string' ? new TextEncoder().encode(item) : item
      parts.push(headBytes(typeof item === 'string' ? 3 : 2, body.length), body)
    }
  }
  return Buffer.concat(parts)
}

function headBytes(major: number, n: number): Uint8Array {
  if (n < 24) return Uint8Array.of((major << 5) | n)
  const width = n < 2 ** 8 ? 1 : n < 2 ** 16 ? 2 : n < 2 ** 32 ? 4 : 8
  const bytes = new Uint8Array(1 + width)
  bytes[0] = (major << 5) | (24 + Math.log2(width))
  for (let k = width, rest = n; k > 0; k -= 1, rest = Math.floor(rest / 256)) bytes[k] = rest % 256
  return bytes
}
