import { type BatchHeader, digestIn, wholeIn } from './batch-header.ts'
import { type CborNode, EvidenceFault, readCbor } from './cbor.ts'
import { sha256 } from './signed-message.ts'

/**
 * One item of a batch: a decision, or a range of them that said the same again. `values` are the bytes of the list of its six
 * class values, as the rolling digest takes them; `chain` is that digest after its last decision.
 */
export type BatchItem = Readonly<{
  first: number
  last: number
  isRange: boolean
  core: CborNode
  values: Uint8Array
  chain: Uint8Array
}>

const CLASSES = 6
const SALT_BYTES = 16
const RECORD = 1
const RANGE = 2
const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

/**
 * Reads the records beside a batch and computes their root anew (evidence.md 4.3): a leaf is SHA-256(00 ‖ its bytes), a
 * record the RFC 6962 tree over its six leaves, the batch the tree over its records.
 *
 * @throws EvidenceFault when the root is another one, or not every decision of the header is there exactly once, in order
 */
export function itemsOf(records: Uint8Array, header: BatchHeader): readonly BatchItem[] {
  const map = readCbor(records)
  if (map.is !== 'map') throw new EvidenceFault('records that are no map')
  const items: BatchItem[] = []
  const roots: Uint8Array[] = []
  for (let k = 0; k < map.items.length; k += 2) {
    const leaves = map.items[k + 1]!
    roots.push(treeHash(leaves.items.map(({ start, end }) => sha256(LEAF, records.subarray(start, end)))))
    items.push(itemOf(records, wholeIn(map.items[k]), leaves))
  }
  if (Buffer.compare(treeHash(roots), header.root) !== 0)
    throw new EvidenceFault('the records are not those that were signed')
  let next = header.firstSeq
  for (const { first, last } of items) {
    if (first !== next || !(last >= first)) throw new EvidenceFault(`decision ${first} where ${next} should be`)
    next = last + 1
  }
  if (next !== header.firstSeq + header.count) throw new EvidenceFault(`decisions to ${next - 1} only`)
  return items
}

/** Merkle tree hash (RFC 6962 section 2.1) over hashes of leaves. */
export function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length < 2) return leaves[0] ?? sha256()
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return sha256(NODE, treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)))
}

function itemOf(records: Uint8Array, seq: number, leaves: CborNode): BatchItem {
  if (leaves.is !== 'list' || leaves.items.length !== CLASSES) throw new EvidenceFault(`record ${seq} of another shape`)
  const values = leaves.items.map(({ items: [salt, value, id] }, classId) => {
    const isLeaf = salt?.value instanceof Uint8Array && salt.value.length === SALT_BYTES && id?.value === classId
    if (!isLeaf) throw new EvidenceFault(`a leaf of record ${seq} of another shape`)
    return value!
  })
  const [kind, core, chain, first, last, count] = values[0]!.items
  const isRange = kind?.value === RANGE
  if (core === undefined || !(isRange || kind?.value === RECORD) || values[0]!.items.length !== (isRange ? 6 : 3))
    throw new EvidenceFault(`another core leaf in record ${seq}`)
  const bytes = [core, ...values.slice(1)].map(({ start, end }) => records.subarray(start, end))
  const span = isRange ? { first: wholeIn(first), last: wholeIn(last) } : { first: seq, last: seq }
  if (isRange && (span.first !== seq || span.last - span.first + 1 !== wholeIn(count)))
    throw new EvidenceFault(`a range of record ${seq} that does not add up`)
  const list = Buffer.concat([Uint8Array.of(0x80 | CLASSES), ...bytes])
  return { ...span, isRange, core, values: list, chain: digestIn(chain) }
}
