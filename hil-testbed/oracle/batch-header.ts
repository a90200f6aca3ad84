import { at, type CborNode, EvidenceFault, plain, readCbor } from './cbor.ts'
import { bytesIn, openSigned, type SignerKey } from './signed-message.ts'

/** Sums over the life of an agent, as a header has them, in this order. */
export const COUNTERS = ['received', 'evaluated', 'late', 'duplicate', 'rejected', 'shed', 'missing'] as const
export type CounterName = (typeof COUNTERS)[number]

/** What was not there; µs of event time, or numbers of decisions or of journal records, by the reason. Both ends included. */
export type Gap = Readonly<{ from: number; to: number; reason: string }>
/** Reasons whose gaps count decisions, and those that count journal records; all others are µs. */
export const DECISION_GAPS: readonly string[] = ['decisions_lost', 'pass_detail_thinned']
export const JOURNAL_GAPS: readonly string[] = ['journal_lost', 'journal_not_evaluated']

/** What a signed batch says of its decisions, as far as it is judged. */
export type BatchHeader = Readonly<{
  deployment: string
  agent: string
  epoch: number
  batchSeq: number
  prev: Uint8Array
  firstSeq: number
  count: number
  /** Root of the tree over its records. */
  root: Uint8Array
  /** Newest slide that was closed when it was signed. */
  lastUs: number
  journalId: Uint8Array
  gaps: readonly Gap[]
  counters: Readonly<Record<CounterName, number>>
  flags: Readonly<{ breakGlass: boolean; simulation: boolean; degraded: boolean }>
  identity: Uint8Array
}>

const VERSION = 1
const DIGEST_BYTES = 32

/** Verifies a batch and reads its header. @throws EvidenceFault */
export function openBatch(cose: Uint8Array, agent: SignerKey): BatchHeader {
  const { payload, issuer, subject, identity } = openSigned(cose, agent)
  const map = readCbor(payload)
  if (at(map, 0).value !== VERSION) throw new EvidenceFault(`version ${String(at(map, 0).value)} of a batch`)
  const deployment = textAt(map, 1)
  const name = textAt(map, 2)
  const domain = agent.realm === 'testbed' ? `testbed.${deployment}` : deployment
  if (issuer !== `spiffe://${domain}/agent/${name}` || !subject.startsWith('run/'))
    throw new EvidenceFault(`a batch of ${issuer} about ${subject}`)
  const span = listAt(map, 9)
  const [breakGlass, simulation, degraded] = listAt(map, 18).map((flag) => flag.value === true)
  const counters = listAt(map, 17).map(wholeIn)
  if (counters.length !== COUNTERS.length) throw new EvidenceFault('other counters')
  const header = {
    ...{ deployment, agent: name, epoch: wholeIn(at(map, 3)), batchSeq: wholeIn(at(map, 4)) },
    ...{ prev: digestIn(at(map, 5)), firstSeq: wholeIn(at(map, 6)), count: wholeIn(at(map, 7)) },
    ...{ root: digestIn(at(map, 8)), lastUs: wholeIn(span[1]), journalId: bytesIn(span[3]!) },
    gaps: listAt(map, 14).map(gapIn),
    counters: Object.fromEntries(COUNTERS.map((counter, k) => [counter, counters[k]])) as BatchHeader['counters'],
    flags: { breakGlass: breakGlass!, simulation: simulation!, degraded: degraded! },
    identity,
  }
  if (!(header.count >= 1)) throw new EvidenceFault('a batch without decisions')
  return header
}

function gapIn(node: CborNode): Gap {
  const row = plain(node)
  const [from, to, reason] = Array.isArray(row) ? row : []
  if (typeof from !== 'number' || typeof to !== 'number' || typeof reason !== 'string')
    throw new EvidenceFault('a gap of another shape')
  return { from, to, reason }
}

function listAt(map: CborNode, key: number): readonly CborNode[] {
  const node = at(map, key)
  if (node.is !== 'list') throw new EvidenceFault(`key ${key} is no list`)
  return node.items
}

function textAt(map: CborNode, key: number): string {
  const { value } = at(map, key)
  if (typeof value !== 'string') throw new EvidenceFault(`key ${key} is no text`)
  return value
}

/** A whole number. @throws EvidenceFault */
export function wholeIn(node: CborNode | undefined): number {
  if (!Number.isSafeInteger(node?.value)) throw new EvidenceFault('something else where a whole number should be')
  return node!.value as number
}

/** SHA-256. @throws EvidenceFault */
export function digestIn(node: CborNode | undefined): Uint8Array {
  const bytes = node === undefined ? new Uint8Array(0) : bytesIn(node)
  if (bytes.length !== DIGEST_BYTES) throw new EvidenceFault('something else where a digest should be')
  return bytes
}
