import { createHash, hash } from 'node:crypto'

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
  evaluator: 'hb/evaluator-sources/1',
} as const

export type DomainName = keyof typeof DOMAIN
export type Domain = (typeof DOMAIN)[DomainName]

/** Length of every digest, in bytes. */
export const DIGEST_BYTES = 32

/** SHA-256 (FIPS 180-4) over parts, one after the other. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hasher = createHash('sha256')
  for (const part of parts) hasher.update(part)
  return new Uint8Array(hasher.digest())
}

const PREFIX = new Map<Domain, Uint8Array>(
  Object.values(DOMAIN).map((domain) => [domain, new TextEncoder().encode(`${domain}\u0000`)]),
)

/** SHA-256(UTF-8(domain) ‖ 0x00 ‖ parts). Parts are joined as they are: give them fixed lengths or one encoding. */
export function digestOf(domain: Domain, ...parts: readonly Uint8Array[]): Uint8Array {
  const prefix = PREFIX.get(domain)!
  let total = prefix.length
  for (const part of parts) total += part.length
  // One call over one buffer: three times as fast as a streaming hash for the short inputs of a slide.
  const whole = new Uint8Array(total)
  whole.set(prefix)
  let at = prefix.length
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return typeof hash === 'function' ? new Uint8Array(hash('sha256', whole, 'buffer')) : sha256(whole)
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
