/**
 * A configuration is read by many, copied into tickets and recorded in the journal with every decision: a secret in it
 * is a secret no more. It is refused here, and what it is never reaches a message.
 */

/** What is shown in place of a secret. */
export const NOT_SHOWN = 'a secret (not shown)'
export const SECRET_EXPECTED = 'the path of a file that holds it, in a key that ends in `_file`'
export const SECRET_HINT = 'whoever could read this file knows it now: make a new one'

/** Words at the end of a key that holds a secret itself. `token` alone, not `tokens`: counts are no secrets. */
const SECRET_KEY =
  /(^|[_-])(password|passwd|passphrase|secret|api_?key|token|private_?key|auth_?key|signing_?key|credentials?)$/i

const SECRET_TEXT = [
  // PEM, whatever is in it: certificates belong into files just as well.
  /-----BEGIN /,
  // Name and password in an address.
  /^[a-z][a-z0-9+.-]*:\/\/[^/\s@]*:[^/\s@]*@/i,
  // PKCS#8 in base64: an Ed25519 key, and the heads of the longer ones.
  /^MC4CAQAwBQYDK2Vw/,
  /^MI[GI][A-Za-z0-9+/]{37,}/,
  // 32 or 64 bytes in hex.
  /^([0-9a-f]{64}|[0-9a-f]{128})$/i,
]

/** Tells whether a key that no schema knows is named like one that holds a secret. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key)
}

/** Tells whether a value is a secret itself instead of naming the file that holds it. */
export function isSecretText(value: unknown): boolean {
  return typeof value === 'string' && SECRET_TEXT.some((pattern) => pattern.test(value))
}
