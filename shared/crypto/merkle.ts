import { sha256 } from './digest.ts'

const LEAF = new Uint8Array([0])
const NODE = new Uint8Array([1])

/** SHA-256(0x00 ‖ bytes): a leaf can never pass for a node (RFC 6962 section 2.1). */
export function leafHash(bytes: Uint8Array): Uint8Array {
  return sha256(LEAF, bytes)
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(NODE, left, right)
}

/** Merkle tree hash over leaf hashes (RFC 6962 section 2.1); of none, the hash of nothing. */
export function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return leaves[0]!
  const split = splitOf(leaves.length)
  return nodeHash(treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)))
}

/** Audit path of leaf `index` (RFC 6962 section 2.1.1), from the leaf upwards. */
export function inclusionProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (leaves.length <= 1) return []
  const split = splitOf(leaves.length)
  return index < split
    ? [...inclusionProof(leaves.slice(0, split), index), treeHash(leaves.slice(split))]
    : [...inclusionProof(leaves.slice(split), index - split), treeHash(leaves.slice(0, split))]
}

export type InclusionClaim = Readonly<{ leaf: Uint8Array; index: number; size: number; proof: readonly Uint8Array[] }>

/** The root that a proof leads to, or null when the proof has the wrong length (RFC 9162 section 2.1.3.2). */
export function rootOfInclusion({ leaf, index, size, proof }: InclusionClaim): Uint8Array | null {
  if (!(Number.isSafeInteger(index) && index >= 0 && index < size)) return null
  let at = index
  let last = size - 1
  let hash = leaf
  for (const sibling of proof) {
    if (last === 0) return null
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash)
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2)
        last = Math.floor(last / 2)
      }
    } else hash = nodeHash(hash, sibling)
    at = Math.floor(at / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 ? hash : null
}

/** Largest power of two below `n`. */
function splitOf(n: number): number {
  let split = 1
  while (split * 2 < n) split *= 2
  return split
}
