import { concat } from '../../shared/crypto/cose.ts'
import { DIGEST_BYTES, DOMAIN, digestOf, equalBytes } from '../../shared/crypto/digest.ts'
import type { Checkpoints } from '../ports.ts'
import { type Files, replaceFile } from './files.ts'

const NAME = /^(\d{16})\.hbc$/

/**
 * Saved states as files named by journal position. A file is the digest of its body and the body; one that does not
 * match its digest is passed over as if it were not there.
 */
export function createCheckpointFolder(files: Files, { folder, keep }: { folder: string; keep: number }): Checkpoints {
  const seqs = (): number[] =>
    files
      .readdirSync(folder)
      .map((name) => Number(NAME.exec(name)?.[1] ?? Number.NaN))
      .filter(Number.isSafeInteger)
      .sort((a, b) => b - a)

  return {
    async save(journalSeq, body) {
      replaceFile(files, folder, nameOf(journalSeq), concat(digestOf(DOMAIN.checkpoint, body), body))
      for (const seq of seqs().slice(keep)) files.unlinkSync(`${folder}/${nameOf(seq)}`)
    },
    async *newest() {
      for (const journalSeq of seqs()) {
        const bytes = new Uint8Array(files.readFileSync(`${folder}/${nameOf(journalSeq)}`))
        const body = bytes.subarray(DIGEST_BYTES)
        if (
          bytes.length > DIGEST_BYTES &&
          equalBytes(digestOf(DOMAIN.checkpoint, body), bytes.subarray(0, DIGEST_BYTES))
        )
          yield { journalSeq, body }
      }
    },
    oldestSeq: () => seqs().at(-1) ?? null,
  }
}

function nameOf(journalSeq: number): string {
  return `${String(journalSeq).padStart(16, '0')}.hbc`
}
