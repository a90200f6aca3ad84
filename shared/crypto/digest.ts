import { createHash, hash } from 'node:crypto'
import { invariant } from '../lib/assert.ts'

/**
 * What a digest is of. Each stands in front of the bytes, so that bytes of one kind can never pass for another.
 * Published for ever: another layout gets another number, never the same name.
 */
export const DOMAIN = {
  file: 'hb/file/1',
  slide: 'hb/slide/1',
  node: 'hb/slide-node/1',
  slice: 'hb/slice/1',
  chain: 'hb/decision-chain/1',
  channelList: 'hb/channels/1',
  config: 'hb/config/1',
  baseline: 'hb/baseline/1',
  genesis: 'hb/genesis/1',
  checkpoint: 'hb/checkpoint/1',
  identity: 'hb/identity/1',
  evaluator: 'hb/evaluator-sources/1',
  stick: 'hb/stick/1',
  book: 'hb/baseline-book/1',
  activated: 'hb/activated-baseline/1',
  configBundle: 'hb/config-bundle/1',
  keptBundle: 'hb/kept-bundle/1',
  action: 'hb/action/1',
  actionChange: 'hb/action-change/1',
  actionTransition: 'hb/action-transition/1',
  actuator: 'hb/actuator/1',
  pulse: 'hb/pulse/1',
  injected: 'hb/injected/1',
  injectedSamples: 'hb/injected-samples/1',
} as const

export type DomainName = keyof typeof DOMAIN
export type Domain = (typeof DOMAIN)[DomainName]

/** Length of every digest, in bytes. */
export const DIGEST_BYTES = 32

/** Parts that are joined for one call: three times as fast as a streaming hash for the short inputs of evidence. */
const JOINED_BYTES_MAX = 65_536

/** SHA-256 (FIPS 180-4) over parts, one after the other. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  let total = 0
  for (const part of parts) total += part.length
  if (typeof hash === 'function' && total <= JOINED_BYTES_MAX)
    return new Uint8Array(hash('sha256', parts.length === 1 ? parts[0]! : joined(parts, total), 'buffer'))
  const hasher = createHash('sha256')
  for (const part of parts) hasher.update(part)
  return new Uint8Array(hasher.digest())
}

function joined(parts: readonly Uint8Array[], total: number): Uint8Array {
  const whole = new Uint8Array(total)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const HMAC_BLOCK_BYTES = 64

/**
 * HMAC-SHA-256 (RFC 2104) with a key of at most 64 bytes. By its definition, because the platform's makes an object of
 * every key, which costs ten times the hashing, and every record of evidence has seven keys of its own.
 */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  invariant(key.length <= HMAC_BLOCK_BYTES, 'a key longer than a block would have to be hashed first')
  const inner = new Uint8Array(HMAC_BLOCK_BYTES).fill(0x36)
  const outer = new Uint8Array(HMAC_BLOCK_BYTES).fill(0x5c)
  for (let k = 0; k < key.length; k += 1) {
    inner[k] = inner[k]! ^ key[k]!
    outer[k] = outer[k]! ^ key[k]!
  }
  return sha256(outer, sha256(inner, message))
}

const PREFIX = new Map<Domain, Uint8Array>(
  Object.values(DOMAIN).map((domain) => [domain, new TextEncoder().encode(`${domain}\u0000`)]),
)

/** SHA-256(UTF-8(domain) ‖ 0x00 ‖ parts). Parts are joined as they are: give them fixed lengths or one encoding. */
export function digestOf(domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  return sha256(PREFIX.get(domain)!, ...parts)
}

/** What stands in front of the bytes of a domain, for what is too long to be digested in one call. */
export function digestPrefix(domain: Domain): Uint8Array {
  return PREFIX.get(domain)!
}

/** Lower-case hex, two characters a byte. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Bytes of lower- or upper-case hex; null when it is none. */
export function fromHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return null
  return new Uint8Array(Buffer.from(text, 'hex'))
}

/** Tells whether two byte strings are equal. Not for secrets: it stops at the first difference. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}
