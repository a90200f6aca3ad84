import { concat } from '../../shared/crypto/cose.ts'
import { DIGEST_BYTES, DOMAIN, digestOf, equalBytes } from '../../shared/crypto/digest.ts'
import type { Bytes } from '../../shared/units.ts'
import type { Checkpoints } from '../ports.ts'
import { type Files, replaceFile } from './files.ts'

const NAME = /^(\d{16})\.hbc$/
/** Older states kept for replays, however small they are. */
const HISTORY_MAX = 64

export type CheckpointOptions = Readonly<{
  folder: string
  /** The newest ones, from which a start goes on; the journal keeps what the oldest of them needs. */
  keep: number
  /** Bound of the older ones, from which a replay can begin when the journal no longer reaches back to its beginning. */
  historyBytesMax: Bytes
  /** First record of the journal: a state before it can begin nothing. */
  journalFirstSeq(): number
}>

/**
 * Saved states as files named by journal position. A file is the digest of its body and the body; one that does not
 * match its digest is passed over as if it were not there. Older ones are thinned out evenly at the bound.
 */
export function createCheckpointFolder(files: Files, options: CheckpointOptions): Checkpoints {
  const { folder, keep } = options
  const seqs = (): number[] =>
    files
      .readdirSync(folder)
      .map((name) => Number(NAME.exec(name)?.[1] ?? Number.NaN))
      .filter(Number.isSafeInteger)
      .sort((a, b) => b - a)

  function prune(): void {
    const older = seqs().slice(keep)
    const sizes = new Map(older.map((seq) => [seq, files.statSync(`${folder}/${nameOf(seq)}`).size]))
    const remove = (at: number): void => {
      const [seq] = older.splice(at, 1)
      sizes.delete(seq!)
      files.unlinkSync(`${folder}/${nameOf(seq!)}`)
    }
    while (older.length > 0 && older.at(-1)! + 1 < options.journalFirstSeq()) remove(older.length - 1)
    const bytes = (): Bytes => [...sizes.values()].reduce((sum, size) => sum + size, 0)
    while (older.length > 0 && (older.length > HISTORY_MAX || bytes() > options.historyBytesMax))
      remove(mostCrowded(older))
  }

  return {
    async save(journalSeq, body) {
      replaceFile(files, folder, nameOf(journalSeq), concat(digestOf(DOMAIN.checkpoint, body), body))
      prune()
    },
    async *newest() {
      for (const journalSeq of seqs()) {
        const bytes = new Uint8Array(files.readFileSync(`${folder}/${nameOf(journalSeq)}`))
        const body = bytes.subarray(DIGEST_BYTES)
        const whole =
          bytes.length > DIGEST_BYTES && equalBytes(digestOf(DOMAIN.checkpoint, body), bytes.subarray(0, DIGEST_BYTES))
        if (whole) yield { journalSeq, body }
      }
    },
    neededSeq: () => seqs().slice(0, keep).at(-1) ?? null,
  }
}

/** Which of the positions, newest first, is missed least: the one whose neighbours are nearest. The oldest is missed most. */
function mostCrowded(seqs: readonly number[]): number {
  let crowded = 0
  let nearest = Number.POSITIVE_INFINITY
  for (let at = 0; at < seqs.length - 1; at += 1) {
    const room = (seqs[at - 1] ?? seqs[at]! * 2 - seqs[at + 1]!) - seqs[at + 1]!
    // Among equals the older one goes: so every second is left, and what is new stays for a while.
    if (room > nearest) continue
    nearest = room
    crowded = at
  }
  return crowded
}

function nameOf(journalSeq: number): string {
  return `${String(journalSeq).padStart(16, '0')}.hbc`
}
