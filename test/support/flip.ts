import { readFileSync, writeFileSync } from 'node:fs'
import type { createPrng } from '../../shared/lib/prng.ts'

/** Flips one bit of a file. @returns at which byte */
export function flipIn(path: string, prng: ReturnType<typeof createPrng>): number {
  const bytes = readFileSync(path)
  const at = prng.int(bytes.length)
  bytes[at] = bytes[at]! ^ (1 << prng.int(8))
  writeFileSync(path, bytes)
  return at
}

/** A copy with the lowest bit of one byte flipped. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const other = bytes.slice()
  other[at] = other[at]! ^ 1
  return other
}
