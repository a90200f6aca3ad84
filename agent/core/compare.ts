import type { Moments } from '../../shared/math/moments.ts'
import type { MetricSettings, WindowBaseline } from './settings.ts'

/** A window that is not where its baseline says. `limit` is in the unit of the metric for every ground. */
export type Departure = Readonly<{
  ground: 'deviation' | 'drift_threshold' | 'drift_percent'
  limit: number
  deviation: number | null
  ratio: number
}>

/**
 * Holds the mean of a window against the distribution that means of the same width had when nothing was wrong.
 *
 * The spread is that of window means, not of samples, so autocorrelated noise widens it by itself. Any of three rules
 * may fire: spreads from the baseline's mean, an absolute difference, a difference relative to the baseline;
 * `min_effect` cancels what is too small to matter. A baseline without spread (a constant channel) tolerates nothing.
 * `ownLimit`: the limit of the baseline itself counts where the registry names none. It does not where a detector that
 * knows how the level wanders watches the same span of time.
 *
 * @returns the rule that is passed by most, or null when all hold.
 */
export function compareWindow(
  window: Moments,
  baseline: WindowBaseline,
  { settings, ownLimit }: { settings: MetricSettings; ownLimit: boolean },
): Departure | null {
  const delta = window.mean - baseline.mean
  const size = Math.abs(delta)
  const spreads = delta / baseline.spread
  const deviation = baseline.spread > 0 && Number.isFinite(spreads) ? spreads : null
  if (settings.minEffect !== undefined && size < settings.minEffect) return null
  const deviationLimit = settings.deviationLimit ?? (ownLimit ? baseline.limit : undefined)
  const rules: Departure[] = []
  const rule = (ground: Departure['ground'], limit: number) => {
    if (!(size <= limit))
      rules.push({ ground, limit, deviation, ratio: limit > 0 ? Math.min(size / limit, RATIO_MAX) : RATIO_MAX })
  }
  if (deviationLimit !== undefined) rule('deviation', deviationLimit * baseline.spread)
  if (settings.driftThreshold !== undefined) rule('drift_threshold', settings.driftThreshold)
  // A relative rule says nothing at a baseline of zero; the registry's lint asks for an absolute one beside it.
  if (settings.driftRatio !== undefined && baseline.mean !== 0)
    rule('drift_percent', settings.driftRatio * Math.abs(baseline.mean))
  let worst: Departure | null = null
  for (const passed of rules) if (worst === null || passed.ratio > worst.ratio) worst = passed
  return worst
}

/** A ratio is cut here, so that a baseline without spread still gives a number that can be encoded and compared. */
export const RATIO_MAX = 1_000_000
