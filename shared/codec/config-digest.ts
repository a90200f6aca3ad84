import { DOMAIN, digestOf } from '../crypto/digest.ts'
import { canonicalBytes } from './canonical.ts'
import type { JournalFile } from './journal-input.ts'

/** Digest of everything that configures the evaluator: names and digests of the files, sorted by name. */
export function configDigest(files: readonly JournalFile[]): Uint8Array {
  const named = files.map((file) => [file.name, digestOf(DOMAIN.file, file.bytes)] as const)
  named.sort((a, b) => (a[0] < b[0] ? -1 : 1))
  return digestOf(DOMAIN.config, canonicalBytes(named))
}
