import { timingSafeEqual } from 'node:crypto'
import { HbError } from '../errors/hb-error.ts'
import { fromHex, hmacSha256 } from './digest.ts'
import { readPrivateFile } from './key-file.ts'

/** Bytes of a shared key and of an authentication code. */
export const MAC_KEY_BYTES = 32
export const MAC_BYTES = 32

/** Whether `mac` is the HMAC-SHA-256 of a message. Takes as long for a wrong one as for the right one. */
export function isMacOf(key: Uint8Array, message: Uint8Array, mac: Uint8Array): boolean {
  return mac.length === MAC_BYTES && timingSafeEqual(hmacSha256(key, message), mac)
}

/**
 * Reads a key that both ends of a link share: 64 hex digits in a file that only its owner may read.
 *
 * @throws HbError KEY_FILE_MISSING, KEY_FILE_OPEN, EXECUTOR_KEY
 */
export function loadMacKey(path: string): Uint8Array {
  const key = fromHex(readPrivateFile(path).trim())
  if (key === null || key.length !== MAC_KEY_BYTES)
    throw new HbError('EXECUTOR_KEY', { path, found: 'another text', expected: `${MAC_KEY_BYTES * 2} hex digits` })
  return key
}
