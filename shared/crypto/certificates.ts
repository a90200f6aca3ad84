import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import forge from 'node-forge'
import { systemClock } from '../lib/clock.ts'
import { millisFromMicros } from '../units.ts'

/**
 * Certificates for demos, tests and benches: a throw-away authority and what it issues. P-256 with SHA-256, because every
 * TLS stack takes it. node-forge writes the DER; it knows no elliptic keys, so `node:crypto` makes and uses them.
 * A fleet brings certificates of its own authority; nothing here is needed for that.
 */
export type DevCa = Readonly<{ certPem: string; keyPem: string; name: string }>

export type CertificateRequest = Readonly<{
  ca: DevCa
  /** Who it is for, `spiffe://<deployment>/agent/<id>` for an agent. */
  subjectUri: string
  dnsNames: readonly string[]
  ipAddresses: readonly string[]
  use: 'server' | 'client'
  days: number
}>

export type IssuedCertificate = Readonly<{ certPem: string; keyPem: string }>

const OID = {
  commonName: '2.5.4.3',
  ecPublicKey: '1.2.840.10045.2.1',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  subjectKeyId: '2.5.29.14',
  authorityKeyId: '2.5.29.35',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

/** Bits of the key usage extension (RFC 5280 section 4.2.1.3): digitalSignature, keyCertSign with cRLSign. */
const DIGITAL_SIGNATURE = '\u0007\u0080'
const CERT_SIGN = '\u0001\u0006'
const DAY_MS = 86_400_000
/** A certificate is valid from a little before: two machines never agree on the second. */
const BACKDATE_MS = 300_000
/** Days an authority is valid for. */
const CA_DAYS = 30

const { asn1 } = forge
type Asn1 = forge.asn1.Asn1

/** A new authority with a key of its own. `nowMs` is there for tests. */
export function createDevCa({ nowMs = millisFromMicros(systemClock().nowUs()) }: { nowMs?: number } = {}): DevCa {
  const pair = keyPair()
  const name = `hb throw-away authority ${randomBytes(4).toString('hex')}`
  const extensions = [
    extension(OID.basicConstraints, true, sequence(primitive(asn1.Type.BOOLEAN, '\u00ff'))),
    extension(OID.keyUsage, true, primitive(asn1.Type.BITSTRING, CERT_SIGN)),
    extension(OID.subjectKeyId, false, primitive(asn1.Type.OCTETSTRING, keyId(pair.spki))),
  ]
  const certPem = certificate({
    issuer: name,
    subject: name,
    spki: pair.spki,
    extensions,
    nowMs,
    days: CA_DAYS,
    key: pair.key,
  })
  return { certPem, keyPem: pair.keyPem, name }
}

/** A certificate with its private key, for one side of a TLS connection. */
export function issueCertificate(request: CertificateRequest & { nowMs?: number }): IssuedCertificate {
  const { ca, subjectUri, dnsNames, ipAddresses, use, days, nowMs = millisFromMicros(systemClock().nowUs()) } = request
  const pair = keyPair()
  const names = [
    context(6, subjectUri),
    ...dnsNames.map((name) => context(2, name)),
    ...ipAddresses.map((address) => context(7, addressBytes(address))),
  ]
  const extensions = [
    extension(OID.basicConstraints, true, sequence()),
    extension(OID.keyUsage, true, primitive(asn1.Type.BITSTRING, DIGITAL_SIGNATURE)),
    extension(OID.extendedKeyUsage, false, sequence(oid(use === 'server' ? OID.serverAuth : OID.clientAuth))),
    extension(OID.subjectAltName, false, sequence(...names)),
    extension(OID.subjectKeyId, false, primitive(asn1.Type.OCTETSTRING, keyId(pair.spki))),
  ]
  const subject = subjectUri.slice(0, 64)
  const caSpki = createPublicKey(ca.keyPem).export({ type: 'spki', format: 'der' })
  extensions.push(extension(OID.authorityKeyId, false, sequence(context(0, keyId(caSpki)))))
  const certPem = certificate({
    issuer: ca.name,
    subject,
    spki: pair.spki,
    extensions,
    nowMs,
    days,
    key: createPrivateKey(ca.keyPem),
  })
  return { certPem, keyPem: pair.keyPem }
}

type Body = Readonly<{
  issuer: string
  subject: string
  spki: Buffer
  extensions: Asn1[]
  nowMs: number
  days: number
  key: KeyObject
}>

/** RFC 5280 section 4.1. */
function certificate({ issuer, subject, spki, extensions, nowMs, days, key }: Body): string {
  const serial = randomBytes(16)
  // Positive and never with a leading zero byte.
  serial[0] = (serial[0]! & 0x3f) | 0x40
  const tbs = sequence(
    asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, [primitive(asn1.Type.INTEGER, '\u0002')]),
    primitive(asn1.Type.INTEGER, serial.toString('latin1')),
    sequence(oid(OID.ecdsaSha256)),
    distinguishedName(issuer),
    sequence(time(nowMs - BACKDATE_MS), time(nowMs + days * DAY_MS)),
    distinguishedName(subject),
    asn1.fromDer(spki.toString('latin1')),
    asn1.create(asn1.Class.CONTEXT_SPECIFIC, 3, true, [sequence(...extensions)]),
  )
  const signature = sign('sha256', Buffer.from(asn1.toDer(tbs).getBytes(), 'latin1'), key)
  const whole = sequence(
    tbs,
    sequence(oid(OID.ecdsaSha256)),
    primitive(asn1.Type.BITSTRING, `\u0000${signature.toString('latin1')}`),
  )
  const base64 = Buffer.from(asn1.toDer(whole).getBytes(), 'latin1').toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/(.{64})/g, '$1\n').trimEnd()}\n-----END CERTIFICATE-----\n`
}

function keyPair(): { key: KeyObject; keyPem: string; spki: Buffer } {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    key: pair.privateKey,
    keyPem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    spki: pair.publicKey.export({ type: 'spki', format: 'der' }),
  }
}

/** First 20 bytes of SHA-256 over the key (RFC 7093 section 2, method 1, over the whole SPKI). */
function keyId(spki: Buffer): string {
  return createHash('sha256').update(spki).digest().subarray(0, 20).toString('latin1')
}

/** The four or sixteen bytes of an address; the types of node-forge do not know this function of it. */
function addressBytes(address: string): string {
  return (forge.util as unknown as { bytesFromIP(ip: string): string }).bytesFromIP(address)
}

function sequence(...parts: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, parts)
}

function primitive(type: forge.asn1.Type, bytes: string): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, type, false, bytes)
}

function oid(dotted: string): Asn1 {
  return primitive(asn1.Type.OID, asn1.oidToDer(dotted).getBytes())
}

function context(tag: number, bytes: string): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, false, bytes)
}

function extension(dotted: string, critical: boolean, value: Asn1): Asn1 {
  const flag = critical ? [primitive(asn1.Type.BOOLEAN, '\u00ff')] : []
  return sequence(oid(dotted), ...flag, primitive(asn1.Type.OCTETSTRING, asn1.toDer(value).getBytes()))
}

function distinguishedName(name: string): Asn1 {
  const attribute = sequence(oid(OID.commonName), primitive(asn1.Type.UTF8, forge.util.encodeUtf8(name)))
  return sequence(asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SET, true, [attribute]))
}

function time(ms: number): Asn1 {
  return primitive(asn1.Type.UTCTIME, asn1.dateToUtcTime(new Date(ms)) as unknown as string)
}
