import { createHash } from 'node:crypto'

export type ScoredRun = Readonly<{ id: string; start: number; scores: Float64Array }>

/**
 * SHA-256 over the raw doubles of all scores, little-endian, files by id and starts from the smallest. Where there is no
 * score the bits are those of one NaN, so that they too are the same everywhere.
 */
export function scoreDigest(runs: readonly ScoredRun[]): string {
  const hash = createHash('sha256')
  const sorted = [...runs].sort((a, b) => (a.id === b.id ? a.start - b.start : a.id < b.id ? -1 : 1))
  for (const { id, start, scores } of sorted) {
    const bytes = new DataView(new ArrayBuffer(scores.length * 8))
    for (const [row, score] of scores.entries())
      if (Number.isNaN(score)) bytes.setBigUint64(row * 8, 0x7ff8000000000000n, true)
      else bytes.setFloat64(row * 8, score, true)
    hash.update(`${id} ${start} ${scores.length}\n`)
    hash.update(new Uint8Array(bytes.buffer))
  }
  return hash.digest('hex')
}
