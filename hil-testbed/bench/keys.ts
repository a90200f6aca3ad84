import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import { pemOfRealm } from '../../shared/crypto/sign.ts'

/** DER in front of the 32 bytes of an Ed25519 private key (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** A key pair of the bench. Made from words, so that the same run has the same keys and with them the same bytes. */
export function benchKey(...words: readonly (string | number)[]): Readonly<{ privatePem: string; publicPem: string }> {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, benchSecret('key', ...words)]),
    format: 'der',
    type: 'pkcs8',
  })
  return {
    privatePem: pemOfRealm(key.export({ type: 'pkcs8', format: 'pem' }) as string, 'testbed'),
    publicPem: pemOfRealm(createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string, 'testbed'),
  }
}

/** 32 bytes that two ends of the bench share; not a secret, and worth nothing outside of a testbed. */
export function benchSecret(...words: readonly (string | number)[]): Buffer {
  return createHash('sha256')
    .update(JSON.stringify(['hb/hil/secret/1', ...words]))
    .digest()
}
