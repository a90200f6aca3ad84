import { canonicalBytes } from '../codec/canonical.ts'
import { decodeSigned } from '../codec/signed-cbor.ts'
import { hmacSha256 } from '../crypto/digest.ts'
import { leafHash, treeHash } from '../crypto/merkle.ts'
import { HbError } from '../errors/hb-error.ts'
import type { Canonical, DecisionItem, DecisionValues } from '../model/decision.ts'

/** Classes of a decision: core, measurements, identifiers, limits, persons, free text (evidence.md 4.3). */
export const CLASSES = 6
const SALT_BYTES = 16
const SALT_LABELS = Array.from({ length: CLASSES }, (_, classId) => new TextEncoder().encode(`hb-salt${classId}`))
/** First element of the core leaf: what the record is. */
const RECORD = 1
const RANGE = 2

/** One class leaf as it travels: `[salt, value, class]`. Its hash is over these bytes, so a salt hides a guessable value. */
type Leaf = readonly [salt: Uint8Array, value: Canonical, classId: number]

/**
 * The records beside a batch: signed-profile CBOR of a map from the first sequence number of each item to its class
 * leaves, and the root of each. The core leaf holds `[1, core, chain]`, or `[2, core, chain, first, last, count]` for a
 * range of decisions that said the same again.
 */
export function buildRecords(
  items: readonly DecisionItem[],
  seed: Uint8Array,
): { records: Uint8Array; roots: Uint8Array[] } {
  const map = new Map<number, Canonical>()
  const roots: Uint8Array[] = []
  for (const item of items) {
    const seq = item.kind === 'record' ? item.seq : item.first
    const leaves = leavesOf(item, seq, seed)
    map.set(seq, leaves)
    roots.push(rootOfRecord(leaves))
  }
  return { records: canonicalBytes(map), roots }
}

/** Root of the tree over the class leaves of one record. */
export function rootOfRecord(leaves: readonly Leaf[]): Uint8Array {
  return treeHash(leaves.map((leaf) => leafHash(canonicalBytes(leaf))))
}

/** Reads a record map. The order of its keys is that of the sequence, because the encoding sorts them. */
export function readRecordMap(records: Uint8Array): { items: DecisionItem[]; leaves: (readonly Leaf[])[] } {
  const map = decodeSigned(records)
  if (!(map instanceof Map)) throw new HbError('BATCH_SHAPE', { found: 'records that are no map' })
  const items: DecisionItem[] = []
  const leaves: (readonly Leaf[])[] = []
  for (const [seq, value] of map) {
    const checked = leavesFrom(value as unknown)
    if (typeof seq !== 'number' || checked === null)
      throw new HbError('BATCH_SHAPE', { found: 'a record of another shape', record: String(seq) })
    items.push(itemFrom(seq, checked))
    leaves.push(checked)
  }
  return { items, leaves }
}

function leavesOf(item: DecisionItem, seq: number, seed: Uint8Array): Leaf[] {
  const number = new Uint8Array(8)
  new DataView(number.buffer).setBigUint64(0, BigInt(seq))
  const recordSeed = hmacSha256(seed, number)
  return item.values.map((value, classId): Leaf => {
    const salt = hmacSha256(recordSeed, SALT_LABELS[classId]!).slice(0, SALT_BYTES)
    return [salt, classId === 0 ? coreValue(item, value) : value, classId]
  })
}

function coreValue(item: DecisionItem, core: Canonical): Canonical {
  return item.kind === 'record'
    ? [RECORD, core, item.chain]
    : [RANGE, core, item.chain, item.first, item.last, item.count]
}

function leavesFrom(value: unknown): Leaf[] | null {
  if (!Array.isArray(value) || value.length !== CLASSES) return null
  const whole = value.every(
    (leaf: unknown, classId) =>
      Array.isArray(leaf) &&
      leaf.length === 3 &&
      leaf[0] instanceof Uint8Array &&
      leaf[0].length === SALT_BYTES &&
      leaf[2] === classId,
  )
  return whole ? (value as Leaf[]) : null
}

function itemFrom(seq: number, leaves: readonly Leaf[]): DecisionItem {
  const core = leaves[0]![1] as unknown
  if (!Array.isArray(core) || !(core[2] instanceof Uint8Array))
    throw new HbError('BATCH_SHAPE', { record: seq, found: 'another core leaf' })
  const values = [core[1], ...leaves.slice(1).map((leaf) => leaf[1])] as unknown as DecisionValues
  const chain: Uint8Array = core[2]
  if (core[0] === RECORD && core.length === 3) return { kind: 'record', seq, values, chain }
  const [first, last, count] = core.slice(3) as number[]
  const whole =
    core[0] === RANGE &&
    core.length === 6 &&
    first === seq &&
    Number.isSafeInteger(last) &&
    last! - first! + 1 === count
  if (!whole) throw new HbError('BATCH_SHAPE', { record: seq, found: 'another core leaf' })
  return { kind: 'range', first: first!, last: last!, count: count!, values, chain }
}
