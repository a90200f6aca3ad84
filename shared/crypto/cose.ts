import { canonicalBytes } from '../codec/canonical.ts'
import { decodeSigned } from '../codec/signed-cbor.ts'
import { HbError } from '../errors/hb-error.ts'
import type { Canonical } from '../model/decision.ts'
import type { Realm } from '../model/realm.ts'
import { equalBytes, sha256 } from './digest.ts'
import { SIGNATURE_BYTES, type Signer, type VerifyKey } from './sign.ts'

/** COSE header labels (RFC 9052 section 3.1, RFC 9597 for CWT claims, RFC 9596 for the type) and the algorithm (RFC 9864). */
const ALG = 1
const KID = 4
const CWT_CLAIMS = 15
const TYP = 16
const ED25519 = -19
/** Realm of a message of a testbed, a text; of private use (RFC 9052 section 1.5). A message of production has none. */
const REALM = -65_537
/** Tag of COSE_Sign1 as one byte, and the head of an array of four. */
const SIGN1_HEAD = new Uint8Array([0xd2, 0x84])
/** Empty map: nothing unprotected when an agent signs. */
const NO_UNPROTECTED = new Uint8Array([0xa0])

export type CoseContent = Readonly<{ typ: string; issuer: string; subject: string; payload: Uint8Array }>

/** What stands in a COSE_Sign1 message before anything of it is believed. */
type CoseParts = Readonly<{ protectedBytes: Uint8Array; payload: Uint8Array; signature: Uint8Array }>

/**
 * Signs a payload as COSE_Sign1 (RFC 9052 section 4.2, tag 18) with no external data, so that any COSE tool verifies it.
 * A message by a key of a testbed says so in its protected header; one of production has the same bytes as ever.
 */
export function signCose({ typ, issuer, subject, payload, signer }: CoseContent & { signer: Signer }): Uint8Array {
  const header = new Map<number, Canonical>([
    [ALG, ED25519],
    [KID, signer.keyId],
    [
      CWT_CLAIMS,
      new Map([
        [1, issuer],
        [2, subject],
      ]),
    ],
    [TYP, typ],
    ...(signer.realm === 'production' ? [] : [[REALM, signer.realm] as const]),
  ])
  const protectedBytes = canonicalBytes(header)
  const signature = signer.sign(toBeSigned(protectedBytes, payload))
  return concat(
    SIGN1_HEAD,
    canonicalBytes(protectedBytes),
    NO_UNPROTECTED,
    canonicalBytes(payload),
    canonicalBytes(signature),
  )
}

/**
 * Checks the shape, then the signature, then that the message is of the realm of the key, and only then reads what it says.
 *
 * @throws HbError COSE_SHAPE, CBOR_REFUSED, BATCH_SIGNATURE, REALM_MISMATCH.
 */
export function openCose(bytes: Uint8Array, { typ, key }: { typ: string; key: VerifyKey }): CoseContent {
  const parts = partsOf(bytes)
  if (!key.verify(toBeSigned(parts.protectedBytes, parts.payload), parts.signature)) {
    throw new HbError('BATCH_SIGNATURE', { typ, key: Buffer.from(key.keyId).toString('hex') })
  }
  const header = decodeSigned(parts.protectedBytes)
  if (!(header instanceof Map)) throw new HbError('COSE_SHAPE', { found: 'another protected header' })
  const realm = realmIn(header)
  if (realm !== key.realm) throw new HbError('REALM_MISMATCH', { typ, found: realm, expected: key.realm })
  if (header.size !== (realm === 'production' ? 4 : 5))
    throw new HbError('COSE_SHAPE', { found: 'another protected header' })
  const claims: unknown = header.get(CWT_CLAIMS)
  const kid: unknown = header.get(KID)
  if (header.get(ALG) !== ED25519)
    throw new HbError('COSE_SHAPE', { found: `algorithm ${String(header.get(ALG))}`, expected: ED25519 })
  if (header.get(TYP) !== typ) throw new HbError('COSE_SHAPE', { found: String(header.get(TYP)), expected: typ })
  if (!(kid instanceof Uint8Array && equalBytes(kid, key.keyId)))
    throw new HbError('COSE_SHAPE', { found: 'the id of another key' })
  if (!(claims instanceof Map) || claims.size !== 2) throw new HbError('COSE_SHAPE', { found: 'other claims' })
  const [issuer, subject]: unknown[] = [claims.get(1), claims.get(2)]
  if (typeof issuer !== 'string' || typeof subject !== 'string')
    throw new HbError('COSE_SHAPE', { found: 'claims that are not text' })
  return { typ, issuer, subject, payload: parts.payload }
}

/** @throws HbError COSE_SHAPE for a realm that is not written as messages have it */
function realmIn(header: ReadonlyMap<unknown, unknown>): Realm {
  if (!header.has(REALM)) return 'production'
  if (header.get(REALM) !== 'testbed') throw new HbError('COSE_SHAPE', { found: 'another realm', expected: 'testbed' })
  return 'testbed'
}

/**
 * Id of the key that a message says it was signed with, to look that key up. Nothing is proved by it.
 *
 * @throws HbError COSE_SHAPE, CBOR_REFUSED.
 */
export function coseKeyId(bytes: Uint8Array): Uint8Array {
  const header = decodeSigned(partsOf(bytes).protectedBytes)
  const kid: unknown = header instanceof Map ? header.get(KID) : undefined
  if (!(kid instanceof Uint8Array)) throw new HbError('COSE_SHAPE', { found: 'no id of a key' })
  return kid
}

/**
 * Realm that a message says it is of, to tell why it will be refused. Nothing is proved by it.
 *
 * @throws HbError COSE_SHAPE, CBOR_REFUSED.
 */
export function coseRealm(bytes: Uint8Array): Realm {
  const header = decodeSigned(partsOf(bytes).protectedBytes)
  if (!(header instanceof Map)) throw new HbError('COSE_SHAPE', { found: 'another protected header' })
  return realmIn(header)
}

/**
 * What a message says, to show it to who is about to vouch for it too. Nothing is proved by it.
 *
 * @throws HbError COSE_SHAPE, CBOR_REFUSED.
 */
export function cosePayload(bytes: Uint8Array): Uint8Array {
  return partsOf(bytes).payload
}

/** SHA-256 over `[protected, payload, signature]`: receipts added beside it later never change it (evidence.md 4.4). */
export function coseIdentity(bytes: Uint8Array): Uint8Array {
  const { protectedBytes, payload, signature } = partsOf(bytes)
  return sha256(canonicalBytes([protectedBytes, payload, signature]))
}

/** Sig_structure of RFC 9052 section 4.4. */
function toBeSigned(protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array {
  return canonicalBytes(['Signature1', protectedBytes, new Uint8Array(0), payload])
}

function partsOf(bytes: Uint8Array): CoseParts {
  if (bytes[0] !== SIGN1_HEAD[0]) throw new HbError('COSE_SHAPE', { found: 'no tag 18' })
  const list = decodeSigned(bytes.subarray(1))
  if (!Array.isArray(list) || list.length !== 4) throw new HbError('COSE_SHAPE', { found: 'not an array of four' })
  const [protectedBytes, unprotected, payload, signature] = list as unknown[]
  if (
    !(
      protectedBytes instanceof Uint8Array &&
      unprotected instanceof Map &&
      payload instanceof Uint8Array &&
      signature instanceof Uint8Array
    )
  ) {
    throw new HbError('COSE_SHAPE', { found: 'parts of other types' })
  }
  if (signature.length !== SIGNATURE_BYTES)
    throw new HbError('COSE_SHAPE', { found: `a signature of ${signature.length} bytes`, expected: SIGNATURE_BYTES })
  return { protectedBytes, payload, signature }
}

/** Parts one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
