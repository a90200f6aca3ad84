import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { at, type CborNode, EvidenceFault, encodeList, readCbor } from './cbor.ts'

/** Public key of whoever signs, with the realm that the line `Realm:` in front of its PEM says. */
export type SignerKey = Readonly<{
  whose: 'agent' | 'collector'
  key: KeyObject
  spki: Uint8Array
  id: Uint8Array
  realm: 'production' | 'testbed'
}>

/** Labels of COSE (RFC 9052, 9596, 9597) and of the realm, of private use. */
const ALG = 1
const KID = 4
const CLAIMS = 15
const TYP = 16
const REALM = -65_537
const ED25519 = -19
/** Types of the messages that are read here. */
const TYPES = { agent: 'application/hb-batch+cose', collector: 'application/hb-receipt+cose' } as const
const SIGN1_TAG = 0xd2

/** @throws EvidenceFault for anything but one Ed25519 key */
export function signerKeyOf(pem: string, whose: SignerKey['whose']): SignerKey {
  const realm = /^Realm:[ \t]*(\S*)/m.exec(pem.slice(0, Math.max(0, pem.indexOf('-----BEGIN '))))?.[1] ?? 'production'
  if (realm !== 'production' && realm !== 'testbed') throw new EvidenceFault(`a key of the realm ${realm}`)
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch {
    throw new EvidenceFault(`the public key of the ${whose} is none`)
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new EvidenceFault(`a key of type ${key.asymmetricKeyType}`)
  const spki = new Uint8Array(key.export({ type: 'spki', format: 'der' }))
  return { whose, key, spki, id: sha256(spki).subarray(0, 16), realm }
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** SHA-256(domain ‖ 00 ‖ parts), as docs/internals/formats.md says. */
export function domainDigest(domain: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return sha256(new TextEncoder().encode(`${domain}\u0000`), ...parts)
}

/** `identity`: SHA-256 of what stands in the message, with its signature. */
export type SignedMessage = Readonly<{ payload: Uint8Array; issuer: string; subject: string; identity: Uint8Array }>

/**
 * Verifies a COSE_Sign1 message, of an agent a batch and of a collector a receipt: the signature over the bytes as they are, then what the header says.
 *
 * @throws EvidenceFault
 */
export function openSigned(cose: Uint8Array, signer: SignerKey): SignedMessage {
  if (cose[0] !== SIGN1_TAG) throw new EvidenceFault('no COSE_Sign1 message')
  const body = cose.subarray(1)
  const { is, items } = readCbor(body)
  const [head, unsigned, payload, signature] = items
  if (is !== 'list' || items.length !== 4 || unsigned!.is !== 'map')
    throw new EvidenceFault('a COSE message of another shape')
  const [headBytes, payloadBytes, signatureBytes] = [bytesIn(head!), bytesIn(payload!), bytesIn(signature!)]
  const raw = (node: CborNode | undefined): Uint8Array => body.subarray(node!.start, node!.end)
  const signed = Buffer.concat([encodeList(['Signature1']).subarray(1), raw(head), Uint8Array.of(0x40), raw(payload)])
  if (!verify(null, Buffer.concat([Uint8Array.of(0x84), signed]), signer.key, signatureBytes))
    throw new EvidenceFault(`the signature is not by the key of the ${signer.whose}`)
  const { issuer, subject } = claimsOf(headBytes, signer)
  return {
    payload: payloadBytes,
    issuer,
    subject,
    identity: sha256(Uint8Array.of(0x83), raw(head), raw(payload), raw(signature)),
  }
}

function claimsOf(headBytes: Uint8Array, signer: SignerKey): Readonly<{ issuer: string; subject: string }> {
  const head = readCbor(headBytes)
  const isTestbed = signer.realm === 'testbed'
  if (head.is !== 'map' || head.items.length !== 2 * (isTestbed ? 5 : 4))
    throw new EvidenceFault(`another protected header than one of ${signer.realm}`)
  if (isTestbed && at(head, REALM).value !== 'testbed') throw new EvidenceFault('a message of another realm')
  if (at(head, ALG).value !== ED25519) throw new EvidenceFault('another algorithm')
  if (at(head, TYP).value !== TYPES[signer.whose]) throw new EvidenceFault('a message of another type')
  if (Buffer.compare(bytesIn(at(head, KID)), signer.id) !== 0) throw new EvidenceFault('the id of another key')
  const claims = at(head, CLAIMS)
  const [issuer, subject] = [at(claims, 1).value, at(claims, 2).value]
  if (typeof issuer !== 'string' || typeof subject !== 'string') throw new EvidenceFault('claims that are no text')
  return { issuer, subject }
}

export function bytesIn(node: CborNode): Uint8Array {
  if (!(node.value instanceof Uint8Array)) throw new EvidenceFault('something else where bytes should be')
  return node.value
}
