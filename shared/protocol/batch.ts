import { canonicalBytes } from '../codec/canonical.ts'
import { decodeSigned } from '../codec/signed-cbor.ts'
import { coseIdentity, openCose, signCose } from '../crypto/cose.ts'
import { DIGEST_BYTES, DOMAIN, digestOf, equalBytes } from '../crypto/digest.ts'
import { treeHash } from '../crypto/merkle.ts'
import type { Signer, VerifyKey } from '../crypto/sign.ts'
import { HbError } from '../errors/hb-error.ts'
import type { Canonical, DecisionItem } from '../model/decision.ts'
import { agentUri } from '../model/realm.ts'
import type { Micros } from '../units.ts'
import { buildRecords, readRecordMap, rootOfRecord } from './batch-records.ts'

/** Type of the COSE message (header 16), and the version of its payload. */
export const BATCH_TYP = 'application/hb-batch+cose'
export const BATCH_VERSION = 1
/** Decisions one batch may stand for: a day of one rig at 50 ms, so that a count is never a way to ask for memory. */
export const BATCH_COUNT_MAX = 10_000_000

/**
 * What a batch says of its decisions (evidence.md 4.4). On the wire it is a map with the keys 0–18; 15 (checkpoint of the
 * log that was seen) and 16 (root of the action ledger) are there as null until they are used.
 */
export type BatchHeader = Readonly<{
  deployment: string
  agent: string
  epoch: number
  /** From 1 in every epoch, without a gap. */
  batchSeq: number
  /** Identity of the batch before; of the first one {@link genesisPrev}. */
  prev: Uint8Array
  /** First decision of the batch, and how many it stands for: ranges count in full. */
  firstSeq: number
  count: number
  span: Readonly<{ firstUs: Micros; lastUs: Micros; watermarkUs: Micros }>
  clock: Readonly<{ monoUs: Micros; wallUs: Micros; bootId: string; sync: string; errorUs: Micros | null }>
  code: Readonly<{ exe: Uint8Array; version: string; node: string; evaluator: number; execArgvEmpty: boolean }>
  config: Uint8Array
  baselines: readonly Uint8Array[]
  /**
   * What was not there. The reason says what is counted: `decisions_lost` and `pass_detail_thinned` (earlier batches, of
   * which those that only repeat PASS keep no more than their headers) decisions, `journal_lost` (unreadable) and
   * `journal_not_evaluated` journal records, every other one µs of event time. First and last, both included.
   */
  gaps: readonly Readonly<{ from: number; to: number; reason: string }>[]
  counters: Readonly<{
    received: number
    evaluated: number
    late: number
    duplicate: number
    rejected: number
    shed: number
    missing: number
  }>
  flags: Readonly<{ breakGlass: boolean; simulation: boolean; degraded: boolean }>
  /** Input journal the decisions come from: replay of these records gives them again. In key 9 beside the times. */
  journal: Readonly<{ id: Uint8Array; first: number; last: number }>
  /** Test run, the subject of the message; empty outside a run. */
  run: string
}>

/** A batch that was verified and read. */
export type OpenedBatch = Readonly<{ header: BatchHeader; items: readonly DecisionItem[]; identity: Uint8Array }>
/** A batch of which only the signed header is left. `root` is what its records come to. */
export type ThinnedBatch = Readonly<{ header: BatchHeader; root: Uint8Array; identity: Uint8Array }>

/** What the first batch of an epoch names as the one before (decisions 19). */
export function genesisPrev({
  deployment,
  agent,
  epoch,
  spki,
}: {
  deployment: string
  agent: string
  epoch: number
  spki: Uint8Array
}): Uint8Array {
  return digestOf(DOMAIN.genesis, canonicalBytes([deployment, agent, epoch, spki]))
}

/** Next value of the rolling digest over decisions: `hb decisions digest` is its last one. */
export function foldChain(before: Uint8Array, values: Canonical): Uint8Array {
  return digestOf(DOMAIN.chain, before, canonicalBytes(values))
}

/**
 * Signs decisions. `seed` (32 random bytes) makes the salts of the class leaves; it is kept beside the batch and never
 * sent, so that a class can be redacted later without changing what was signed.
 */
export function buildBatch({
  header,
  items,
  seed,
  signer,
}: {
  header: BatchHeader
  items: readonly DecisionItem[]
  seed: Uint8Array
  signer: Signer
}): {
  cose: Uint8Array
  records: Uint8Array
  identity: Uint8Array
} {
  const { records, roots } = buildRecords(items, seed)
  const payload = canonicalBytes(payloadOf(header, treeHash(roots)))
  const issuer = agentUri(header.deployment, header.agent, signer.realm)
  const cose = signCose({ typ: BATCH_TYP, issuer, subject: `run/${header.run}`, payload, signer })
  return { cose, records, identity: coseIdentity(cose) }
}

/**
 * Signs a header over records that are not here any more: only what they come to (`root`) is known. For decisions whose
 * detail was thinned and that have to be told again in a new epoch.
 */
export function buildThinned({
  header,
  root,
  signer,
}: {
  header: BatchHeader
  root: Uint8Array
  signer: Signer
}): Uint8Array {
  const issuer = agentUri(header.deployment, header.agent, signer.realm)
  const payload = canonicalBytes(payloadOf(header, root))
  return signCose({ typ: BATCH_TYP, issuer, subject: `run/${header.run}`, payload, signer })
}

/**
 * Verifies a batch with its records and reads it. Nothing is believed before the signature; every root is computed anew.
 *
 * @throws HbError COSE_SHAPE, CBOR_REFUSED, BATCH_SIGNATURE, BATCH_SHAPE, BATCH_ROOT.
 */
export function openBatch({
  cose,
  records,
  key,
}: {
  cose: Uint8Array
  records: Uint8Array
  key: VerifyKey
}): OpenedBatch {
  const { header, root, identity } = openThinned(cose, key)
  const { items, leaves } = readRecordMap(records)
  if (!equalBytes(treeHash(leaves.map(rootOfRecord)), root))
    throw new HbError('BATCH_ROOT', { agent: header.agent, batch_seq: header.batchSeq })
  checkCover(header, items)
  return { header, items, identity }
}

/**
 * Verifies a batch whose records are not there: its signature, and the shape of its header. Which decisions it stands
 * for is certain then, and what they must come to (`root`); what they say is not known.
 *
 * @throws HbError COSE_SHAPE, CBOR_REFUSED, BATCH_SIGNATURE, BATCH_SHAPE.
 */
export function openThinned(cose: Uint8Array, key: VerifyKey): ThinnedBatch {
  const { payload, issuer, subject } = openCose(cose, { typ: BATCH_TYP, key })
  const { header, root } = headerOf(decodeSigned(payload), subject)
  const expected = agentUri(header.deployment, header.agent, key.realm)
  if (issuer !== expected) throw new HbError('BATCH_SHAPE', { found: issuer, expected })
  return { header, root, identity: coseIdentity(cose) }
}

/** What the records of these decisions come to under a seed: equal to the root of the batch that was made of them. */
export function rootOfItems(items: readonly DecisionItem[], seed: Uint8Array): Uint8Array {
  return treeHash(buildRecords(items, seed).roots)
}

/** Every decision of the batch exactly once, in order. */
function checkCover(header: BatchHeader, items: readonly DecisionItem[]): void {
  let next = header.firstSeq
  for (const item of items) {
    const first = item.kind === 'record' ? item.seq : item.first
    const last = item.kind === 'record' ? item.seq : item.last
    if (first !== next || !(last >= first))
      throw new HbError('BATCH_SHAPE', { found: `decision ${first}`, expected: `decision ${next}` })
    next = last + 1
  }
  if (next - header.firstSeq !== header.count)
    throw new HbError('BATCH_SHAPE', { found: `${next - header.firstSeq} decisions`, expected: header.count })
}

function payloadOf(h: BatchHeader, root: Uint8Array): Canonical {
  return new Map<number, Canonical>([
    [0, BATCH_VERSION],
    [1, h.deployment],
    [2, h.agent],
    [3, h.epoch],
    [4, h.batchSeq],
    [5, h.prev],
    [6, h.firstSeq],
    [7, h.count],
    [8, root],
    [9, [h.span.firstUs, h.span.lastUs, h.span.watermarkUs, h.journal.id, h.journal.first, h.journal.last]],
    [10, [h.clock.monoUs, h.clock.wallUs, h.clock.bootId, h.clock.sync, h.clock.errorUs]],
    [11, [h.code.exe, h.code.version, h.code.node, h.code.evaluator, h.code.execArgvEmpty]],
    [12, h.config],
    [13, h.baselines],
    [14, h.gaps.map((g) => [g.from, g.to, g.reason])],
    [15, null],
    [16, null],
    [17, COUNTERS.map((name) => h.counters[name])],
    [18, [h.flags.breakGlass, h.flags.simulation, h.flags.degraded]],
  ])
}

const COUNTERS = ['received', 'evaluated', 'late', 'duplicate', 'rejected', 'shed', 'missing'] as const
const RUN_PREFIX = 'run/'

function headerOf(value: Canonical, subject: string): { header: BatchHeader; root: Uint8Array } {
  if (!(value instanceof Map) || value.size !== 19)
    throw new HbError('BATCH_SHAPE', { found: 'another map', expected: 'keys 0 to 18' })
  const read = new FieldReader(value as ReadonlyMap<number, unknown>)
  if (value.get(0) !== BATCH_VERSION)
    throw new HbError('BATCH_SHAPE', { found: `version ${String(value.get(0))}`, expected: BATCH_VERSION })
  if (!subject.startsWith(RUN_PREFIX)) throw new HbError('BATCH_SHAPE', { found: subject, expected: 'run/…' })
  const [firstUs, lastUs, watermarkUs, journalId, journalFirst, journalLast] = read.list(
    9,
    'whole',
    'whole',
    'whole',
    'bytes',
    'whole',
    'whole',
  )
  const [monoUs, wallUs, bootId, sync, errorUs] = read.list(10, 'whole', 'whole', 'text', 'text', 'whole or null')
  const [exe, version, node, evaluator, execArgvEmpty] = read.list(11, 'digest', 'text', 'text', 'whole', 'flag')
  const counters = read.list(17, ...COUNTERS.map(() => 'whole' as const)) as number[]
  const [breakGlass, simulation, degraded] = read.list(18, 'flag', 'flag', 'flag')
  read.nothing(15)
  read.nothing(16)
  const header = {
    deployment: read.one(1, 'text'),
    agent: read.one(2, 'text'),
    epoch: read.one(3, 'whole'),
    batchSeq: read.one(4, 'whole'),
    prev: read.one(5, 'digest'),
    firstSeq: read.one(6, 'whole'),
    count: read.one(7, 'whole'),
    span: { firstUs, lastUs, watermarkUs },
    clock: { monoUs, wallUs, bootId, sync, errorUs },
    code: { exe, version, node, evaluator, execArgvEmpty },
    config: read.one(12, 'digest'),
    baselines: read.many(13, 'digest'),
    gaps: read.rows(14, 'whole', 'whole', 'text').map(([from, to, reason]) => ({ from, to, reason })),
    counters: Object.fromEntries(COUNTERS.map((name, k) => [name, counters[k]])),
    flags: { breakGlass, simulation, degraded },
    journal: { id: journalId, first: journalFirst, last: journalLast },
    run: subject.slice(RUN_PREFIX.length),
  } as unknown as BatchHeader
  if (!(header.count >= 1 && header.count <= BATCH_COUNT_MAX && header.batchSeq >= 1))
    throw new HbError('BATCH_SHAPE', { found: `${header.count} decisions in batch ${header.batchSeq}` })
  return { header, root: read.one(8, 'digest') as Uint8Array }
}

type FieldKind = 'whole' | 'whole or null' | 'text' | 'bytes' | 'digest' | 'flag'

const IS_KIND: Readonly<Record<FieldKind, (value: unknown) => boolean>> = {
  whole: Number.isSafeInteger,
  'whole or null': (value) => value === null || Number.isSafeInteger(value),
  text: (value) => typeof value === 'string',
  bytes: (value) => value instanceof Uint8Array,
  digest: (value) => value instanceof Uint8Array && value.length === DIGEST_BYTES,
  flag: (value) => typeof value === 'boolean',
}

/** Reads the fields of a payload, each of the kind its key has. */
class FieldReader {
  private readonly map: ReadonlyMap<number, unknown>

  constructor(map: ReadonlyMap<number, unknown>) {
    this.map = map
  }

  one(key: number, kind: FieldKind): unknown {
    return this.checked(key, this.map.get(key), kind)
  }

  list(key: number, ...kinds: FieldKind[]): unknown[] {
    return this.row(key, this.map.get(key), kinds)
  }

  many(key: number, kind: FieldKind): unknown[] {
    return this.array(key).map((value) => this.checked(key, value, kind))
  }

  rows(key: number, ...kinds: FieldKind[]): unknown[][] {
    return this.array(key).map((value) => this.row(key, value, kinds))
  }

  nothing(key: number): void {
    if (this.map.get(key) !== null) throw new HbError('BATCH_SHAPE', { key, expected: 'null' })
  }

  private array(key: number): unknown[] {
    const value = this.map.get(key)
    if (!Array.isArray(value)) throw new HbError('BATCH_SHAPE', { key, expected: 'an array' })
    return value
  }

  private row(key: number, value: unknown, kinds: readonly FieldKind[]): unknown[] {
    if (!Array.isArray(value) || value.length !== kinds.length)
      throw new HbError('BATCH_SHAPE', { key, expected: `${kinds.length} fields` })
    return value.map((field, k) => this.checked(key, field, kinds[k]!))
  }

  private checked(key: number, value: unknown, kind: FieldKind): unknown {
    if (!IS_KIND[kind](value)) throw new HbError('BATCH_SHAPE', { key, expected: kind })
    return value
  }
}
