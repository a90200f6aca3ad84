import type { WantedFault } from './wanted-fault.ts'

/** What a link does to bytes, by the number of the frame: pure, and the same for the same frame. The bytes given are left alone. */
export function mutationOf(wanted: WantedFault, stream: number): (frame: number) => (bytes: Uint8Array) => Uint8Array {
  const how = wanted.text('how')
  const count = wanted.number('count')
  return (frame) => (bytes) => {
    if (bytes.length === 0) return bytes
    if (how === 'truncate') return bytes.slice(0, Math.max(0, bytes.length - count))
    const place = (k: number, of: number): number => Math.floor(wanted.chance(stream + 2 + k, frame) * of)
    const changed = bytes.slice()
    if (how === 'zero') {
      const from = place(0, bytes.length)
      return changed.fill(0, from, from + count)
    }
    // A bit that is turned over twice would be as before.
    const bits = new Set<number>()
    for (let k = 0; bits.size < Math.min(count, bytes.length * 8) && k < 16 * count; k += 1)
      bits.add(place(k, bytes.length * 8))
    for (const bit of bits) changed[bit >> 3]! ^= 1 << (bit & 7)
    return changed
  }
}
