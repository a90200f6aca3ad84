/** Numbers that look random and are the same for the same seed, on every machine. Not for secrets. */
export interface Prng {
  /** 0 … 2^32 − 1. */
  nextUint32(): number
  /** [0, 1), in steps of 2^-32. */
  next(): number
  /** Mean 0, standard deviation 1, never beyond ±6: the sum of twelve uniform numbers (Irwin–Hall), so only + and − are used. */
  normal(): number
  /** 0 … n − 1. */
  int(n: number): number
}

/** xoshiro128** 1.1 by Blackman and Vigna, its state filled from `seed` (taken modulo 2^32) by splitmix32. */
export function createPrng(seed: number): Prng {
  const fill = splitmix32(seed)
  return createXoshiro([fill(), fill(), fill(), fill()])
}

/** The same generator from a full state, for the published vectors. The state must not be all zero. */
export function createXoshiro(state: readonly [number, number, number, number]): Prng {
  let [s0, s1, s2, s3] = state

  function nextUint32(): number {
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0
    const t = s1 << 9
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = rotateLeft(s3, 11)
    return result
  }

  const next = (): number => nextUint32() / 4_294_967_296
  return {
    nextUint32,
    next,
    normal() {
      let sum = -6
      for (let k = 0; k < 12; k += 1) sum += next()
      return sum
    },
    int: (n) => Math.floor(next() * n),
  }
}

/**
 * Noise as a function of its place: the same `stream` and `index` give the same number in whatever order they are
 * asked for. Mean 0, standard deviation 1, never beyond ±6.
 */
export function noiseAt(seed: number, stream: number, index: number): number {
  const high = Math.floor(index / 4_294_967_296)
  let word = mix32(mix32(mix32(mix32(seed | 0) ^ stream) + (index | 0)) ^ high)
  let sum = -6
  // Twelve uniform numbers of 16 bits, two from each word.
  for (let k = 0; k < 6; k += 1) {
    word = mix32(word + 0x9e3779b9)
    sum += ((word & 0xffff) + (word >>> 16) + 1) / 65_536
  }
  return sum
}

/** The same for a number in [0, 1), in steps of 2^-32. */
export function uniformAt(seed: number, stream: number, index: number): number {
  const high = Math.floor(index / 4_294_967_296)
  return mix32(mix32(mix32(mix32(mix32(seed | 0) ^ stream) + (index | 0)) ^ high) + 0x9e3779b9) / 4_294_967_296
}

/** Number of a stream that is called by a name: FNV-1a over its UTF-16, spread. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5
  for (let k = 0; k < name.length; k += 1) hash = Math.imul(hash ^ name.charCodeAt(k), 0x01000193)
  return mix32(hash)
}

function splitmix32(seed: number): () => number {
  let at = seed | 0
  return () => {
    at = (at + 0x9e3779b9) | 0
    return mix32(at)
  }
}

/** Spreads the bits of a word: the finaliser of MurmurHash3 by Appleby. */
function mix32(word: number): number {
  let w = word | 0
  w = Math.imul(w ^ (w >>> 16), 0x85ebca6b)
  w = Math.imul(w ^ (w >>> 13), 0xc2b2ae35)
  return (w ^ (w >>> 16)) >>> 0
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
