import { createPrng, type Prng } from '../../shared/lib/prng.ts'

/** Begins the list of seeds; another number would be another evaluation. */
const SEED = 0x5ab0_2020
/** Where re-based times begin, and how far from there: whole seconds, as the recordings have. */
const EPOCH_MS = 1_000_000_000_000
const OFFSET_S_MAX = 500_000_000

/**
 * How a run is shown to the evaluator, so that it can know neither which one it is nor how far in it is: other times,
 * neutral names, and the channels in another order. The seed depends on the id alone, not on what else is scored.
 */
export type Disguise = Readonly<{
  /** Added to every time, those of earlier runs included, so that the distances stay. */
  offsetMs: number
  /** Neutral name of every channel, by its place in the recording. */
  names: readonly string[]
  /** Places in the recording, in the order in which the channels are shown. */
  order: readonly number[]
}>

/** What a disguise is made of. `permutation` 1 names and sorts the same channels differently. */
export type DisguiseOrder = Readonly<{ id: string; channels: number; firstMs: number; permutation: 0 | 1 }>

export function disguiseOf({ id, channels, firstMs, permutation }: DisguiseOrder): Disguise {
  const offsets = createPrng(SEED ^ hashOf(id))
  const offsetMs = EPOCH_MS + offsets.int(OFFSET_S_MAX) * 1000 - firstMs
  const first = shuffled(channels, createPrng(SEED ^ hashOf(`${id} channels`)))
  // Shown backwards every pair of channels is the other way round, by place and by name.
  const order = permutation === 0 ? first : first.toReversed()
  const names = new Array<string>(channels)
  for (const [place, channel] of order.entries()) names[channel] = `c${String(place).padStart(3, '0')}`
  return { offsetMs, names, order }
}

/** A fixed number for a purpose of a file, from the same list of seeds. */
export const seedOf = (id: string, purpose: string): number => SEED ^ hashOf(`${id} ${purpose}`)

function shuffled(count: number, prng: Prng): number[] {
  const order = Array.from({ length: count }, (_, k) => k)
  for (let k = count - 1; k > 0; k -= 1) {
    const other = prng.int(k + 1)
    const kept = order[k]!
    order[k] = order[other]!
    order[other] = kept
  }
  return order
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let k = 0; k < text.length; k += 1) hash = Math.imul(hash ^ text.charCodeAt(k), 0x01000193)
  return hash >>> 0
}
