/**
 * Two sets of samples, compared as distributions: the two-sample Kolmogorov–Smirnov statistic and the value it has to
 * exceed. Ties are met in one step on both sides, so two equal sets are at distance 0 however coarse the sensor is.
 */

/** The chances of a false alarm that have a critical value. Others would need a logarithm, which differs between machines. */
export const KS_ALPHAS = [0.1, 0.05, 0.01, 0.001] as const
export type KsAlpha = (typeof KS_ALPHAS)[number]

/** sqrt(−ln(α/2)/2), the limit for many samples. */
const COEFFICIENT: Readonly<Record<KsAlpha, number>> = {
  0.1: 1.2238734153404083,
  0.05: 1.3581015157406195,
  0.01: 1.6276236307187293,
  0.001: 1.9494746035204051,
}

/**
 * The greatest distance between the two empirical distributions, 0 to 1. Null when a set is empty or holds a value that is
 * not finite: there is no distance then, and a number would be taken for one.
 *
 * The distance is held as a whole number of 1/(n·m) until the last division, so that the order of the samples and of the
 * two sets changes no bit of it.
 */
export function ksStatistic(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  const left = sortedFinite(a)
  const right = sortedFinite(b)
  if (left === null || right === null) return null
  const n = left.length
  const m = right.length
  let i = 0
  let j = 0
  let furthest = 0
  while (i < n && j < m) {
    const value = left[i]! < right[j]! ? left[i]! : right[j]!
    while (i < n && left[i]! === value) i += 1
    while (j < m && right[j]! === value) j += 1
    furthest = Math.max(furthest, Math.abs(i * m - j * n))
  }
  return furthest / (n * m)
}

/**
 * What the statistic of `n` and `m` independent samples exceeds with a chance of `alpha` when both sets come from one
 * distribution. A value of 1 or more says that so few samples can show nothing: no statistic exceeds it.
 *
 * For samples that follow from one another `n` and `m` are the effective numbers. With ties, and for few samples, the real
 * chance is smaller than `alpha`.
 *
 * Source: Smirnov, "Table for Estimating the Goodness of Fit of Empirical Distributions", Ann. Math. Stat. 19 (1948).
 */
export function ksCritical(n: number, m: number, alpha: KsAlpha): number {
  return COEFFICIENT[alpha] * Math.sqrt((n + m) / (n * m))
}

function sortedFinite(samples: ArrayLike<number>): Float64Array | null {
  if (samples.length === 0) return null
  const sorted = Float64Array.from(samples).sort()
  // Minus infinity sorts first, infinity and NaN last.
  return Number.isFinite(sorted[0]!) && Number.isFinite(sorted[sorted.length - 1]!) ? sorted : null
}
