import { readFileSync, statSync } from 'node:fs'
import { HbError } from '../errors/hb-error.ts'
import { type Signer, signerFromPem } from './sign.ts'

/**
 * Reads the private key of a program.
 *
 * @throws HbError KEY_FILE_MISSING, KEY_FILE_OPEN when group or others have any right to it, KEY_REFUSED.
 */
export function loadSigner(path: string): Signer {
  const pem = readPrivateFile(path)
  return signerFromPem(pem)
}

/** Text of a file that only its owner may read. */
export function readPrivateFile(path: string): string {
  try {
    const mode = statSync(path).mode & 0o777
    if ((mode & 0o077) !== 0) throw new HbError('KEY_FILE_OPEN', { path, mode: mode.toString(8), expected: '600' })
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof HbError) throw cause
    throw new HbError('KEY_FILE_MISSING', { path }, { cause })
  }
}
