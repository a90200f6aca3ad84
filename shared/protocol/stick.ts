import { createHash } from 'node:crypto'
import { canonicalBytes } from '../codec/canonical.ts'
import { encodeRecord, readRecords } from '../codec/record-file.ts'
import { decodeSigned, listIn } from '../codec/signed-cbor.ts'
import { openCose, signCose } from '../crypto/cose.ts'
import { DOMAIN, digestPrefix, equalBytes } from '../crypto/digest.ts'
import type { Signer, VerifyKey } from '../crypto/sign.ts'
import type { ErrorCode } from '../errors/catalog.ts'
import { HbError } from '../errors/hb-error.ts'
import { invariant } from '../lib/assert.ts'
import type { Canonical } from '../model/decision.ts'
import { isId } from '../model/ids.ts'
import type { Bytes, Micros } from '../units.ts'

export const STICK_TYP = 'application/hb-stick+cose'
/** A file without thinned batches is version 1, as ever; version 2 may hold them, and only batches have it. */
export const STICK_VERSION = 1
export const STICK_THINNED_VERSION = 2
/** Largest file that is written or read; it is read whole. */
export const STICK_BYTES_MAX: Bytes = 512 * 1024 * 1024

const HEAD = 0
const BATCH = 1
const RECEIPT = 2
const MANIFEST = 3
/** A batch of which only the signed header is left. Since version 2. */
const THINNED = 4

/** What a file carries: batches to the collector, or receipts back. */
export type StickKind = 'batches' | 'receipts'
/** `records` null: only the signed header is left. */
export type StickBatch = Readonly<{ epoch: number; batchSeq: number; cose: Uint8Array; records: Uint8Array | null }>
export type StickReceipt = Readonly<{ epoch: number; batchSeq: number; receipt: Uint8Array }>

/** What whoever wrote the file signs of it: whose it is, and the digest of everything before. */
export type StickManifest = Readonly<{
  kind: StickKind
  deployment: string
  agent: string
  /** Batches or receipts in the file. */
  count: number
  madeUs: Micros
  version: string
  /** Rigs of the agent with the program of each: what a session says in its hello. Empty with receipts. */
  rigs: readonly Readonly<{ rig: string; program: string }>[]
}>

/** Something that is wrong with a file: where, what, and the code it is refused with. */
export type StickProblem = Readonly<{ file: string; key: string; found: string; expected?: string; code: ErrorCode }>

/** A file that is refused, with everything that is wrong with it. Its code is that of the first problem. */
export class StickError extends HbError {
  readonly problems: readonly StickProblem[]

  constructor(problems: readonly StickProblem[]) {
    const [first] = problems
    super(first?.code ?? 'STICK_DAMAGED', { file: first?.file, problems: problems.length, first: first?.found })
    this.problems = problems
  }
}

/**
 * Writes a file for a stick: records as in journal and outbox (version 1), with the bodies `[0, version, kind]`, then
 * `[1, epoch, batch_seq, cose, records]`, `[4, epoch, batch_seq, cose]` or `[2, epoch, batch_seq, receipt]`, and last
 * `[3, manifest]`, which signs the digest of every byte before it. Without the last record a file is cut.
 */
export function createStickWriter(
  kind: StickKind,
  write: (bytes: Uint8Array) => void,
  version: typeof STICK_VERSION | typeof STICK_THINNED_VERSION = STICK_VERSION,
) {
  const hash = createHash('sha256').update(digestPrefix(DOMAIN.stick))
  let seq = 0
  let count = 0
  const put = (body: Canonical): void => {
    seq += 1
    const record = encodeRecord(seq, canonicalBytes(body))
    hash.update(record)
    write(record)
  }
  put([HEAD, version, kind])
  return {
    batch({ epoch, batchSeq, cose, records }: StickBatch): void {
      invariant(records !== null || version === STICK_THINNED_VERSION, 'version 1 has no thinned batches')
      count += 1
      put(records === null ? [THINNED, epoch, batchSeq, cose] : [BATCH, epoch, batchSeq, cose, records])
    },
    receipt({ epoch, batchSeq, receipt }: StickReceipt): void {
      count += 1
      put([RECEIPT, epoch, batchSeq, receipt])
    },
    /** Ends the file. */
    finish(about: Omit<StickManifest, 'kind' | 'count'>, signer: Signer): void {
      const digest = new Uint8Array(hash.copy().digest())
      put([MANIFEST, signManifest({ ...about, kind, count }, { digest, signer, version })])
    },
  }
}

function signManifest(
  { kind, deployment, agent, count, madeUs, version, rigs }: StickManifest,
  { digest, signer, version: v }: { digest: Uint8Array; signer: Signer; version: number },
): Uint8Array {
  const payload = canonicalBytes({
    v,
    kind,
    deployment,
    agent,
    count,
    made_us: madeUs,
    version,
    rigs: rigs.map(({ rig, program }) => [rig, program]),
    digest,
  })
  const issuer = kind === 'batches' ? `agent/${agent}` : 'collector'
  return signCose({ typ: STICK_TYP, issuer, subject: `agent/${agent}`, payload, signer })
}

/** A file as it was read. Nothing in it is believed before {@link openManifest} and the signatures of its parts. */
export type StickContent = Readonly<{
  file: string
  batches: readonly StickBatch[]
  receipts: readonly StickReceipt[]
  /** Agent that the manifest names, to look up its key; nobody has signed for it yet. */
  claims: string
  manifest: Uint8Array
  digest: Uint8Array
  version: number
}>

type Read = {
  version: number
  batches: StickBatch[]
  receipts: StickReceipt[]
  manifest: Uint8Array | null
  digest: Uint8Array | null
  problems: StickProblem[]
}

/** Reads all of a file. @throws StickError with every record that is damaged or of another shape */
export function readStick(file: string, bytes: Uint8Array, kind: StickKind): StickContent {
  const read: Read = { version: 0, batches: [], receipts: [], manifest: null, digest: null, problems: [] }
  const add = (at: Bytes, found: string, expected: string): void => {
    read.problems.push({ file, key: `byte ${at}`, found, expected, code: 'STICK_DAMAGED' })
  }
  let next = 1
  for (const record of readRecords(bytes)) {
    if (record.kind === 'damage') {
      add(record.from, `${record.reason}, ${record.to - record.from} bytes`, 'whole records')
      continue
    }
    if (read.manifest !== null) add(record.offset, 'a record behind the last one', 'the end of the file')
    if (record.seq !== next) add(record.offset, `record ${record.seq}`, `record ${next}`)
    next = record.seq + 1
    const mistake = takeRecord(read, { kind, isFirst: record.seq === 1, body: record.body })
    if (mistake !== null) add(record.offset, mistake, `a file of ${kind}, version ${newestVersion(kind)} or older`)
    if (read.manifest !== null && read.digest === null)
      read.digest = new Uint8Array(
        createHash('sha256').update(digestPrefix(DOMAIN.stick)).update(bytes.subarray(0, record.offset)).digest(),
      )
  }
  if (read.manifest === null) add(bytes.length, 'no end: the file was cut', 'its last record, the manifest')
  if (read.problems.length > 0) throw new StickError(read.problems)
  const { version, batches, receipts, manifest, digest } = read
  return { file, version, batches, receipts, claims: claimOf(manifest!), manifest: manifest!, digest: digest! }
}

/** @returns what is wrong with it, or null */
function takeRecord(read: Read, { kind, isFirst, body }: { kind: StickKind; isFirst: boolean; body: Uint8Array }) {
  const value = listIn(body)
  if (value === null) return 'a record that is no list'
  const [type, ...f] = value
  if (isFirst !== (type === HEAD)) return isFirst ? 'no head' : 'a head in the middle'
  if (type === HEAD) {
    const isKnown = f[0] === STICK_VERSION || f[0] === newestVersion(kind)
    if (!isKnown || f[1] !== kind) return `version ${String(f[0])} of ${String(f[1])}`
    read.version = f[0] as number
    return null
  }
  const isPlaced = isWhole(f[0]) && isWhole(f[1])
  if (type === BATCH && kind === 'batches' && f.length === 4 && isPlaced && isBytes(f[2]) && isBytes(f[3])) {
    read.batches.push({ epoch: f[0] as number, batchSeq: f[1] as number, cose: f[2], records: f[3] })
    return null
  }
  if (
    type === THINNED &&
    kind === 'batches' &&
    read.version === STICK_THINNED_VERSION &&
    f.length === 3 &&
    isPlaced &&
    isBytes(f[2])
  ) {
    read.batches.push({ epoch: f[0] as number, batchSeq: f[1] as number, cose: f[2], records: null })
    return null
  }
  if (type === RECEIPT && kind === 'receipts' && f.length === 3 && isPlaced && isBytes(f[2])) {
    read.receipts.push({ epoch: f[0] as number, batchSeq: f[1] as number, receipt: f[2] })
    return null
  }
  if (type === MANIFEST && f.length === 1 && isBytes(f[0])) {
    read.manifest = f[0]
    return null
  }
  return `a record of kind ${String(type)} with ${f.length} fields`
}

function newestVersion(kind: StickKind): number {
  return kind === 'batches' ? STICK_THINNED_VERSION : STICK_VERSION
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

/** Whose key has to be asked, before anything is verified; empty when it cannot be told. */
function claimOf(manifest: Uint8Array): string {
  try {
    // Tag and array head of COSE_Sign1 are two bytes; then come four values.
    const [, , payload] = decodeSigned(manifest.subarray(1)) as unknown as [unknown, unknown, Uint8Array]
    const agent = (decodeSigned(payload) as unknown as Map<string, unknown>).get('agent')
    return typeof agent === 'string' && isId(agent) ? agent : ''
  } catch {
    // Whatever it is, it will be refused when it is verified.
    return ''
  }
}

/** @throws HbError COSE_SHAPE, CBOR_REFUSED, BATCH_SIGNATURE, STICK_DAMAGED when the digest is of other bytes */
export function openManifest(content: StickContent, kind: StickKind, key: VerifyKey): StickManifest {
  const map = decodeSigned(openCose(content.manifest, { typ: STICK_TYP, key }).payload) as unknown
  if (!(map instanceof Map) || map.get('v') !== content.version || map.get('kind') !== kind)
    throw new HbError('COSE_SHAPE', { found: 'a manifest of another version or kind' })
  const manifest = {
    kind,
    deployment: map.get('deployment'),
    agent: map.get('agent'),
    count: map.get('count'),
    madeUs: map.get('made_us'),
    version: map.get('version'),
    rigs: rigsOf(map.get('rigs')),
  }
  const whole =
    [manifest.deployment, manifest.agent].every((id) => typeof id === 'string' && isId(id)) &&
    [manifest.count, manifest.madeUs].every(isWhole) &&
    typeof manifest.version === 'string' &&
    manifest.rigs !== null
  if (!whole) throw new HbError('COSE_SHAPE', { found: 'a manifest of another shape' })
  const digest = map.get('digest')
  const count = content.batches.length + content.receipts.length
  if (!isBytes(digest) || !equalBytes(digest, content.digest) || manifest.count !== count)
    throw new HbError('STICK_DAMAGED', { file: content.file, found: 'records that are not the ones that were signed' })
  return manifest as StickManifest
}

function rigsOf(value: unknown): { rig: string; program: string }[] | null {
  if (!Array.isArray(value)) return null
  const rigs: { rig: string; program: string }[] = []
  for (const pair of value) {
    if (!Array.isArray(pair) || pair.length !== 2) return null
    const [rig, program] = pair as [unknown, unknown]
    if (typeof rig !== 'string' || typeof program !== 'string' || !isId(rig) || !isId(program)) return null
    rigs.push({ rig, program })
  }
  return rigs
}
