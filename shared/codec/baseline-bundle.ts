import type { Operator, Trust } from '../config/operators.ts'
import { ConfigError } from '../config/problems.ts'
import { policyDigest } from '../config/quality-policy.ts'
import { coseKeyId } from '../crypto/cose.ts'
import { DOMAIN, digestOf, equalBytes, toHex } from '../crypto/digest.ts'
import { HbError } from '../errors/hb-error.ts'
import type { BaselineKind, BaselineRecord } from '../model/baseline.ts'
import type { CertificateBasis } from '../model/baseline-arming.ts'
import {
  applyStatement,
  type BaselineRequest,
  type BookRules,
  type BookState,
  emptyBook,
  isInForce,
  type RecordFacts,
  type RequestStatus,
} from '../model/baseline-book.ts'
import { type QualityPolicy, replayedSegments } from '../model/baseline-gate.ts'
import type { Statement } from '../model/baseline-statement.ts'
import { PERSONS_NOTE } from '../model/order.ts'
import type { Micros } from '../units.ts'
import { decodeBaseline } from './baseline-record.ts'
import { openStatement, STATEMENT_BYTES_MAX } from './baseline-statement.ts'
import { canonicalBytes } from './canonical.ts'
import { type CheckedRecord, checkRecord } from './checked-record.ts'
import { type CborCaps, decodeSigned } from './signed-cbor.ts'

export const BUNDLE_VERSION = 1
/** Statements that a bundle carries: those about one record. */
export const BUNDLE_STATEMENTS_MAX = 256
/** Bytes of a bundle: a record of 64 MiB, its policy and its statements. */
export const BUNDLE_BYTES_MAX = 70 * 1024 * 1024
const BUNDLE_CAPS: CborCaps = { bytesMax: BUNDLE_BYTES_MAX, depthMax: 3, itemsMax: BUNDLE_STATEMENTS_MAX + 16 }
/** Head of a map of four keys. A record has more. */
const BUNDLE_HEAD = 0xa4

/** A record with everything that certifies it: the policy of its gate, and the signed statements in the order they were made. */
export type BaselineBundle = Readonly<{
  record: Uint8Array
  policy: Uint8Array
  statements: readonly Uint8Array[]
}>

/** Whom a bundle must convince, and when. */
export type BundleTrust = Trust & Readonly<{ nowUs: Micros }>

/** Why a baseline counts for less than it says. */
export const BUNDLE_PROBLEMS = [
  'bare_record',
  'unknown_key',
  'statement_refused',
  'gate_differs',
  'policy_laxer',
  'gate_not_passed',
  'not_approved',
  'break_glass_over',
] as const
export type BundleProblem = Readonly<{ code: (typeof BUNDLE_PROBLEMS)[number]; text: string }>

export type OpenedBaseline = Readonly<{
  record: BaselineRecord
  bytes: Uint8Array
  digest: Uint8Array
  /** What it counts as here and now. */
  effectiveKind: BaselineKind
  basis: CertificateBasis
  /** The request it was approved by; null for a draft without one. */
  request: BaselineRequest | null
  statements: readonly Statement[]
  problems: readonly BundleProblem[]
  /** Said in every output: what signatures prove and what not. */
  note: string
}>

export function encodeBundle({ record, policy, statements }: BaselineBundle): Uint8Array {
  return canonicalBytes({ v: BUNDLE_VERSION, record, policy, statements })
}

/** Whether bytes are a bundle; otherwise they are a bare record, or nothing of ours. */
export function isBundle(bytes: Uint8Array): boolean {
  return bytes[0] === BUNDLE_HEAD
}

/**
 * Opens a `.hbb` file, bare or with its statements. Every signature is verified before the record is read. What is
 * missing makes a draft of it, with the reasons; what was forged or does not belong together is refused.
 *
 * @throws HbError CBOR_REFUSED, BASELINE_SHAPE, BASELINE_BUNDLE, BATCH_SIGNATURE, COSE_SHAPE.
 */
export function openBundle(bytes: Uint8Array, trust: BundleTrust): OpenedBaseline {
  if (!isBundle(bytes)) return bareRecord(bytes)
  const bundle = readBundle(bytes)
  const digest = digestOf(DOMAIN.baseline, bundle.record)
  const problems: BundleProblem[] = []
  const statements = verified(bundle, { trust, digest: toHex(digest), problems })
  const gate = gateOf(bundle, trust, problems)
  const { record } = gate
  const state = folded(statements, { record, digest: toHex(digest), gatePassed: gate.passed, trust, problems })
  const request = lastRequest(state)
  const kind = effectiveKind(request, { trust, gatePassed: gate.passed, problems })
  return {
    ...{ record, digest, bytes: bundle.record, request, statements, problems },
    effectiveKind: kind,
    basis: basisOf(record, {
      kind,
      policy: gate.rules,
      decay: state.decay.get(toHex(digest))?.factor ?? 1,
      breakGlass: !gate.passed,
    }),
    note: PERSONS_NOTE,
  }
}

/** @throws HbError BASELINE_NOT_CERTIFIED with what is missing. */
export function requireCertified({ effectiveKind: kind, problems }: OpenedBaseline): void {
  if (kind === 'draft')
    throw new HbError('BASELINE_NOT_CERTIFIED', { missing: problems.map(({ text }) => text).join('; ') })
}

/** What a certificate rests on, as {@link mayArm} asks for it. */
export function basisOf(
  record: BaselineRecord,
  { policy, ...known }: Pick<CertificateBasis, 'kind' | 'decay' | 'breakGlass'> & { policy: QualityPolicy | null },
): CertificateBasis {
  return {
    ...known,
    segments: replayedSegments(record),
    minSegments: policy?.minSegments ?? Number.MAX_SAFE_INTEGER,
    hardSegments: policy?.hardSegments ?? Number.MAX_SAFE_INTEGER,
    confidence: record.gate.confidence,
  }
}

function bareRecord(bytes: Uint8Array): OpenedBaseline {
  const record = decodeBaseline(bytes)
  return {
    ...{ record, bytes, digest: digestOf(DOMAIN.baseline, bytes), request: null, statements: [] },
    effectiveKind: 'draft',
    basis: basisOf(record, { kind: 'draft', policy: null, decay: 1, breakGlass: false }),
    problems: [{ code: 'bare_record', text: 'it is a record without signed statements' }],
    note: PERSONS_NOTE,
  }
}

/** Parts of a bundle, none of them verified yet. @throws HbError CBOR_REFUSED, BASELINE_BUNDLE */
export function readBundle(bytes: Uint8Array): BaselineBundle {
  const map = decodeSigned(bytes, BUNDLE_CAPS) as unknown
  if (!(map instanceof Map) || map.get('v') !== BUNDLE_VERSION)
    throw new HbError('BASELINE_BUNDLE', { found: 'another version of the bundle' })
  const [record, policy, statements]: unknown[] = ['record', 'policy', 'statements'].map((key) => map.get(key))
  const areStatements = (list: unknown): list is Uint8Array[] =>
    Array.isArray(list) &&
    list.length <= BUNDLE_STATEMENTS_MAX &&
    list.every((one) => one instanceof Uint8Array && one.length <= STATEMENT_BYTES_MAX)
  if (!(record instanceof Uint8Array && policy instanceof Uint8Array && areStatements(statements)))
    throw new HbError('BASELINE_BUNDLE', { found: 'parts of another form' })
  return { record, policy, statements }
}

type Opening = Readonly<{ trust: BundleTrust; digest: string; problems: BundleProblem[] }>

/** Statements by keys that are trusted. A bad signature under a trusted key is forgery, an unknown key only counts for nothing. */
function verified({ statements }: BaselineBundle, { trust, digest, problems }: Opening): Statement[] {
  const opened: Statement[] = []
  for (const bytes of statements) {
    const id = coseKeyId(bytes)
    const operator = trust.operators.find(({ key }) => equalBytes(key.keyId, id))
    if (operator === undefined) {
      problems.push({ code: 'unknown_key', text: `a statement by key ${toHex(id)}, which is not trusted here` })
      continue
    }
    const statement = openStatement(bytes, operator.key)
    if (statement.digest !== digest)
      throw new HbError('BASELINE_BUNDLE', { found: `a statement about ${statement.digest}`, expected: digest })
    const last = opened.at(-1)
    if (last !== undefined && (statement.seq <= last.seq || statement.book !== last.book))
      throw new HbError('BASELINE_BUNDLE', { found: 'statements of two books, or out of order' })
    opened.push(statement)
  }
  return opened
}

/** The gate is computed again from the record and the policy it names: nobody is believed that it was passed. */
function gateOf(bundle: BaselineBundle, { qualityPolicy }: Trust, problems: BundleProblem[]): CheckedRecord {
  if (!equalBytes(policyDigest(bundle.policy), decodeBaseline(bundle.record).gate.policy))
    throw new HbError('BASELINE_BUNDLE', { found: 'a policy that is not the one of the gate' })
  const checked = checkedIn(bundle, qualityPolicy)
  problems.push(...checked.problems)
  return checked
}

function checkedIn({ record, policy }: BaselineBundle, wanted: QualityPolicy): CheckedRecord {
  try {
    return checkRecord({ bytes: record, policy }, wanted)
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause
    throw new HbError('BASELINE_BUNDLE', { found: 'a quality policy with mistakes' }, { cause })
  }
}

type Folding = Opening & Readonly<{ record: BaselineRecord; gatePassed: boolean }>

/**
 * What the statements about this record come to. They are some of a book: numbers and links in between are missing, so
 * each is put right behind the one before it. That the book is whole is checked where the book is.
 */
function folded(statements: readonly Statement[], { record, digest, gatePassed, trust, problems }: Folding): BookState {
  const { program, rig, family, mode, kind } = record
  const facts: RecordFacts = { program, rig, family, mode, kind, digest, gatePassed }
  const against = { rules: rulesOf(trust), records: new Map([[digest, facts]]) }
  let state = emptyBook(statements[0]?.book ?? '', '')
  for (const s of statements) {
    // Tags and ways back are about the others of the book, which are not here.
    if (s.kind === 'tag' || s.kind === 'rollback') continue
    const placed = { ...s, seq: state.seq + 1, prev: state.prev }
    const applied = applyStatement(state, placed, against)
    if (applied.ok) state = applied.state
    else problems.push({ code: 'statement_refused', text: `${s.kind} by ${nameOf(trust, s.by)}: ${applied.reason}` })
  }
  return state
}

/** Rules for a fold, from the operators of a configuration. */
export function rulesOf({ operators, approvalsRequired, approvers }: Trust): BookRules {
  const keys = (wanted: readonly Operator[]) => new Set(wanted.map(({ key }) => toHex(key.keyId)))
  const may = operators.filter(({ name }) => approvers.length === 0 || approvers.includes(name))
  return { operators: keys(operators), approvers: keys(may), approvalsRequired }
}

function nameOf({ operators }: BundleTrust, by: string): string {
  return operators.find(({ key }) => toHex(key.keyId) === by)?.name ?? by
}

function lastRequest(state: BookState): BaselineRequest | null {
  return [...state.requests.values()].at(-1) ?? null
}

function effectiveKind(
  request: BaselineRequest | null,
  { trust, gatePassed, problems }: { trust: BundleTrust; gatePassed: boolean; problems: BundleProblem[] },
): BaselineKind {
  if (request !== null && isInForce(request, trust.nowUs)) return request.as
  if (request?.status === 'approved')
    problems.push({ code: 'break_glass_over', text: 'it was approved by break-glass, which is over' })
  else problems.push({ code: 'not_approved', text: waitsFor(request?.status) })
  if (!gatePassed) problems.push({ code: 'gate_not_passed', text: 'its quality gate was not passed' })
  return 'draft'
}

/** Why a request does not count, in words. */
export function waitsFor(status: RequestStatus | undefined): string {
  if (status === undefined) return 'it was never proposed'
  if (status === 'proposed') return 'it waits for a review'
  return status === 'reviewed' ? 'it waits for an approval' : `it is ${status}`
}
