import { coseIdentity, openCose, signCose } from '../crypto/cose.ts'
import { DIGEST_BYTES, DOMAIN, digestOf, fromHex, toHex } from '../crypto/digest.ts'
import type { Signer, VerifyKey } from '../crypto/sign.ts'
import { HbError } from '../errors/hb-error.ts'
import { BASELINE_KINDS } from '../model/baseline.ts'
import { REASON_CHARS_MAX, STATEMENT_KINDS, type Statement } from '../model/baseline-statement.ts'
import { CHANNEL_NAME_MAX, isId } from '../model/ids.ts'
import { MODES } from '../model/verdict.ts'
import { canonicalBytes } from './canonical.ts'
import { decodeSigned } from './signed-cbor.ts'

export const STATEMENT_TYP = 'application/hb-baseline-statement+cose'
export const STATEMENT_VERSION = 1
/** Longest signed statement: its reason in the widest characters, and everything else. */
export const STATEMENT_BYTES_MAX = 8192
/** Bytes of the id of a book. */
export const BOOK_ID_BYTES = 16

/** A statement before it is signed. */
export type StatementDraft = Omit<Statement, 'id' | 'by'>

/** `prev` of the first statement of a book. */
export function bookGenesis(book: string): string {
  return toHex(digestOf(DOMAIN.book, bytesOf(book)))
}

/**
 * Signs a statement. A `propose` names itself as request, which its own digest cannot be part of: there `request` is ''.
 */
export function signStatement(draft: StatementDraft, signer: Signer): Uint8Array {
  const payload = canonicalBytes({
    v: STATEMENT_VERSION,
    kind: draft.kind,
    book: bytesOf(draft.book),
    seq: draft.seq,
    prev: bytesOf(draft.prev),
    digest: bytesOf(draft.digest),
    as: draft.as,
    request: bytesOf(draft.kind === 'propose' ? '' : draft.request),
    program: draft.program,
    rig: draft.rig,
    family: draft.family,
    mode: draft.mode,
    tag: draft.tag,
    operator: draft.operator,
    reason: draft.reason,
    at_us: draft.atUs,
    until_us: draft.untilUs,
    factor: draft.factor,
  })
  return signCose({
    typ: STATEMENT_TYP,
    issuer: `operator/${toHex(signer.keyId)}`,
    subject: `baseline/${draft.digest}`,
    payload,
    signer,
  })
}

/**
 * Checks size and signature, and only then reads what was said.
 *
 * @throws HbError COSE_SHAPE, CBOR_REFUSED, BATCH_SIGNATURE.
 */
export function openStatement(bytes: Uint8Array, key: VerifyKey): Statement {
  if (bytes.length > STATEMENT_BYTES_MAX)
    throw new HbError('COSE_SHAPE', { found: `a statement of ${bytes.length} bytes`, expected: STATEMENT_BYTES_MAX })
  const { issuer, subject, payload } = openCose(bytes, { typ: STATEMENT_TYP, key })
  const map = decodeSigned(payload) as unknown
  if (!(map instanceof Map) || map.get('v') !== STATEMENT_VERSION || map.size !== FIELDS)
    throw new HbError('COSE_SHAPE', { found: 'a statement of another version' })
  const field = <T>(name: string, holds: (value: unknown) => boolean): T => {
    const value: unknown = map.get(name)
    if (!holds(value)) throw new HbError('COSE_SHAPE', { found: `\`${name}\` of a statement in another form` })
    return value as T
  }
  const id = toHex(coseIdentity(bytes))
  const kind = field<Statement['kind']>('kind', isOneOf(STATEMENT_KINDS))
  const request = toHex(field<Uint8Array>('request', isBytes(kind === 'propose' ? 0 : DIGEST_BYTES)))
  const said: Statement = {
    id,
    kind,
    book: toHex(field<Uint8Array>('book', isBytes(BOOK_ID_BYTES))),
    seq: field('seq', (v) => Number.isSafeInteger(v) && (v as number) > 0),
    prev: toHex(field<Uint8Array>('prev', isBytes(DIGEST_BYTES))),
    digest: toHex(field<Uint8Array>('digest', isBytes(DIGEST_BYTES))),
    as: field('as', isOneOf(BASELINE_KINDS)),
    request: kind === 'propose' ? id : request,
    program: field('program', (v) => typeof v === 'string' && isId(v)),
    rig: field('rig', isIdOrNone),
    family: field('family', isIdOrNone),
    mode: field('mode', isOneOf(MODES)),
    tag: field('tag', isIdOrNone),
    by: toHex(key.keyId),
    operator: field('operator', isText(CHANNEL_NAME_MAX)),
    reason: field('reason', isText(REASON_CHARS_MAX)),
    atUs: field('at_us', isTime),
    untilUs: field('until_us', isTime),
    factor: field('factor', (v) => Number.isFinite(v) && (v as number) >= 0 && (v as number) <= 1),
  }
  if (issuer !== `operator/${said.by}` || subject !== `baseline/${said.digest}`)
    throw new HbError('COSE_SHAPE', { found: 'claims that are not those of the statement' })
  return said
}

const FIELDS = 18
/** A request that names nothing, for kinds without one. */
export const NO_REQUEST = '00'.repeat(DIGEST_BYTES)

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  if (bytes === null) throw new HbError('COSE_SHAPE', { found: 'an id that is not hex' })
  return bytes
}

const isOneOf =
  (words: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === 'string' && words.includes(value)
const isBytes =
  (length: number) =>
  (value: unknown): boolean =>
    value instanceof Uint8Array && value.length === length
const isText =
  (max: number) =>
  (value: unknown): boolean =>
    typeof value === 'string' && value.length <= max

function isIdOrNone(value: unknown): boolean {
  return value === '' || (typeof value === 'string' && isId(value))
}

function isTime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
