/** What the report says of the samples of a metric. The median and p95 lie between samples, linearly at (n − 1)·p. */
export type SampleStats = Readonly<{ mean: number; median: number; p95: number; std: number; count: number }>

export type Confidence = 'high' | 'medium' | 'low'

/** Null without samples. The spread is that of the samples themselves (n), as the predecessor has it. */
export function sampleStats(samples: readonly number[]): SampleStats | null {
  const count = samples.length
  if (count === 0) return null
  let mean = 0
  let m2 = 0
  samples.forEach((sample, k) => {
    const delta = sample - mean
    mean += delta / (k + 1)
    m2 += delta * (sample - mean)
  })
  const sorted = [...samples].sort((a, b) => a - b)
  return { mean, median: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), std: Math.sqrt(m2 / count), count }
}

function quantile(sorted: readonly number[], p: number): number {
  const at = (sorted.length - 1) * p
  const below = Math.floor(at)
  const low = sorted[below]!
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!
  return low + (high - low) * (at - below)
}

/** How far samples carry a statement, by how many there are on the side that has fewer. */
export function confidenceOf(current: readonly number[], baseline: readonly number[]): Confidence {
  const count = Math.min(current.length, baseline.length)
  if (count >= 200) return 'high'
  return count >= 50 ? 'medium' : 'low'
}

/** Where samples leave the baseline, by index; null where they never do. */
export type Onset = Readonly<{
  first_exceed_index: number | null
  sustained_index: number | null
  persistence: number
}>

/** The first sample at or past `limit` from `level`, and the first of `persistence` such samples in a row. */
export function onsetOf(
  samples: readonly number[],
  { level, limit, persistence }: Readonly<{ level: number; limit: number | null; persistence: number }>,
): Onset {
  let first: number | null = null
  let inRow = 0
  if (limit !== null) {
    for (const [k, sample] of samples.entries()) {
      inRow = Math.abs(sample - level) >= limit ? inRow + 1 : 0
      if (inRow > 0 && first === null) first = k
      if (inRow === persistence) return { first_exceed_index: first, sustained_index: k - persistence + 1, persistence }
    }
  }
  return { first_exceed_index: first, sustained_index: null, persistence }
}
