import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { LoadedRuntime } from '../shared/config/load.ts'
import { readPublicKey, type VerifyKey } from '../shared/crypto/sign.ts'
import { HbError } from '../shared/errors/hb-error.ts'

/** The only key whose receipts count; null for an agent that nobody gives any. @throws HbError KEY_FILE_MISSING, KEY_REFUSED */
export function loadReceiptKey({ config, folder }: LoadedRuntime): VerifyKey | null {
  const file = config.collector?.collector_key_file ?? config.receipts_key_file
  return file === undefined ? null : readPublicKey(readKeyFile(resolve(folder, file)))
}

/** Text of a key or certificate that is no secret. @throws HbError KEY_FILE_MISSING */
export function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new HbError('KEY_FILE_MISSING', { path }, { cause })
  }
}
