import { type BaselineMetric, QUANTILE_RATIOS } from './baseline.ts'

/** Spreads from the median beyond which no sample of the same state lies: of a normal one two in a billion. */
const FENCE_SPREADS = 6
/** Interquartile range of a normal distribution, in standard deviations. */
const QUARTILES_OF_NORMAL = 1.349
const [LOWER, MEDIAN, UPPER] = [0.25, 0.5, 0.75].map((r) => (QUANTILE_RATIOS as readonly number[]).indexOf(r)) as [
  number,
  number,
  number,
]

/**
 * Share of samples that lie apart from the rest: further from the median than six spreads, where the spread is that of
 * the middle half, or the noise where that is more. Read off the quantiles, straight between two of them; beyond the
 * outermost but one only a single sample is certain. 0 without quantiles.
 */
export function outlierShare(m: Pick<BaselineMetric, 'quantiles' | 'noise' | 'count'>): number {
  if (m.quantiles.length !== QUANTILE_RATIOS.length) return 0
  const spread = Math.max((m.quantiles[UPPER]! - m.quantiles[LOWER]!) / QUARTILES_OF_NORMAL, Math.sqrt(m.noise))
  const reach = FENCE_SPREADS * spread
  const median = m.quantiles[MEDIAN]!
  const down = m.quantiles.map((q) => -q).reverse()
  const single = m.count > 0 ? 1 / m.count : 0
  return shareAbove(m.quantiles, median + reach, single) + shareAbove(down, -(median - reach), single)
}

/** Ranks are the same from both ends. */
function shareAbove(quantiles: readonly number[], fence: number, single: number): number {
  const last = quantiles.length - 1
  if (quantiles[last]! <= fence) return 0
  if (quantiles[last - 1]! <= fence) return single
  for (let k = last - 1; k > 0; k -= 1) {
    const [below, above] = [quantiles[k - 1]!, quantiles[k]!]
    if (below > fence) continue
    const [from, to] = [QUANTILE_RATIOS[k - 1]!, QUANTILE_RATIOS[k]!]
    return 1 - (from + ((to - from) * (fence - below)) / (above - below))
  }
  return 1
}
