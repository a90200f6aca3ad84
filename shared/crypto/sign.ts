import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { HbError } from '../errors/hb-error.ts'
import { REALMS, type Realm } from '../model/realm.ts'
import { sha256 } from './digest.ts'

/**
 * Signs bytes with Ed25519 (RFC 8032). The key is never optional: nothing in the project signs without one. `realm` is what
 * the file of the key says, and goes into every message that it signs.
 */
export type Signer = Readonly<{
  keyId: Uint8Array
  spki: Uint8Array
  realm: Realm
  sign(bytes: Uint8Array): Uint8Array
}>

/** Verifies bytes with one public key. Messages of another realm than that of the key are not believed. */
export type VerifyKey = Readonly<{
  keyId: Uint8Array
  spki: Uint8Array
  realm: Realm
  verify(bytes: Uint8Array, signature: Uint8Array): boolean
}>

/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64
/** DER in front of the 32 bytes of an Ed25519 public key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
/** 2^255 − 19 and the order of the base point (RFC 8032 section 5.1). */
const FIELD_PRIME = 2n ** 255n - 19n
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

/**
 * y coordinates of the eight points of small order, canonical form. With such a key one signature fits every message,
 * so a signature would prove nothing (Chalkias et al., "Taming the many EdDSAs", 2020, section 2).
 */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD_PRIME - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
])

/** The line in front of the PEM of a key that is not of production (explanatory text of RFC 7468 section 2). */
const REALM_LINE = /^Realm:[ \t]*(\S*)[ \t]*$/gim
const PEM_BEGIN = '-----BEGIN '

/**
 * The realm of a key in PEM: what a line `Realm: …` in front of it says; without one it is of production.
 *
 * @throws HbError KEY_REFUSED for a realm that there is not, or two of them.
 */
export function realmOfPem(pem: string): Realm {
  const begin = pem.indexOf(PEM_BEGIN)
  const said = [...pem.slice(0, Math.max(0, begin)).matchAll(REALM_LINE)].map(([, name]) => name!)
  if (said.length === 0) return 'production'
  const realm = REALMS.find((one) => one === said[0])
  if (realm === undefined || said.length > 1)
    throw new HbError('KEY_REFUSED', { found: `realm ${said.join(', ')}`, expected: REALMS.join(' or ') })
  return realm
}

/** The PEM of a key with the realm it belongs to. That of production stays as it is. */
export function pemOfRealm(pem: string, realm: Realm): string {
  return realm === 'production' ? pem : `Realm: ${realm}\n${pem}`
}

/** @throws HbError KEY_REFUSED when the text is not an Ed25519 private key in PEM. */
export function signerFromPem(pem: string): Signer {
  const realm = realmOfPem(pem)
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (cause) {
    throw new HbError('KEY_REFUSED', { found: 'not a private key in PEM' }, { cause })
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new HbError('KEY_REFUSED', { found: key.asymmetricKeyType ?? 'unknown', expected: 'ed25519' })
  const spki = new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }))
  return { keyId: keyIdOf(spki), spki, realm, sign: (bytes) => new Uint8Array(sign(null, bytes, key)) }
}

/** A new key pair of a realm, for `hb keys create` and tests. */
export function generateSigner(realm: Realm = 'production'): { signer: Signer; privatePem: string; publicPem: string } {
  const pair = generateKeyPairSync('ed25519')
  const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string
  const [ours, theirs] = [pemOfRealm(privatePem, realm), pemOfRealm(publicPem, realm)]
  return { signer: signerFromPem(ours), privatePem: ours, publicPem: theirs }
}

/**
 * A public key from PEM text, which says its realm, or SPKI bytes, which are of `realm`.
 *
 * @throws HbError KEY_REFUSED for anything that is not Ed25519, for a y that is not reduced, and for a key of small
 * order.
 */
export function readPublicKey(from: string | Uint8Array, realm: Realm = 'production'): VerifyKey {
  let key: KeyObject
  try {
    key =
      typeof from === 'string'
        ? createPublicKey(from)
        : createPublicKey({ key: Buffer.from(from), format: 'der', type: 'spki' })
  } catch (cause) {
    throw new HbError('KEY_REFUSED', { found: 'not a public key' }, { cause })
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new HbError('KEY_REFUSED', { found: key.asymmetricKeyType ?? 'unknown', expected: 'ed25519' })
  const spki = new Uint8Array(key.export({ type: 'spki', format: 'der' }))
  if (spki.length !== SPKI_PREFIX.length + 32)
    throw new HbError('KEY_REFUSED', { found: 'a public key of another length' })
  const y = littleEndian(spki.subarray(SPKI_PREFIX.length)) & (2n ** 255n - 1n)
  if (y >= FIELD_PRIME) throw new HbError('KEY_REFUSED', { found: 'a coordinate that is not reduced' })
  if (SMALL_ORDER_Y.has(y))
    throw new HbError('KEY_REFUSED', { found: 'a key of small order: one signature would fit every message' })
  return {
    keyId: keyIdOf(spki),
    spki,
    realm: typeof from === 'string' ? realmOfPem(from) : realm,
    verify: (bytes, signature) => isReduced(signature) && verify(null, bytes, key, signature),
  }
}

/** First 16 bytes of SHA-256 over the SPKI: what `kid` names (evidence.md 4.4). */
export function keyIdOf(spki: Uint8Array): Uint8Array {
  return sha256(spki).slice(0, 16)
}

/** A signature whose scalar is not reduced would be a second signature of the same bytes (RFC 8032 section 5.1.7). */
function isReduced(signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && littleEndian(signature.subarray(32)) < GROUP_ORDER
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}
