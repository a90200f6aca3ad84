import type { ChannelVitals, Vitals } from './wire-types.ts'

/**
 * How close the worst channel of a rig is to what is allowed: 0 is in the middle, 1 is on the edge, more is outside.
 * `null` when nothing can be said, which a sparkline shows as a gap and never as a line at zero.
 *
 * Taken from the findings where the agent gave a ratio, else from limits and baseline band of every channel. For looking
 * at only: the verdict is the agent's.
 */
export function worstRatio(vitals: Vitals): number | null {
  let worst: number | null = null
  for (const finding of vitals.findings) worst = larger(worst, finding.ratio)
  for (const channel of vitals.channels) worst = larger(worst, channelRatio(channel))
  return worst
}

/** The same for one channel, from its newest value against limits and its widest window against the baseline band. */
export function channelRatio(channel: ChannelVitals): number | null {
  let worst = limitRatio(channel)
  const { baseline } = channel
  if (baseline !== null && baseline.high > baseline.low) {
    // The widest judged window: a short one strays further from the level by nature, and its band is its own.
    const mean = channel.windows.findLast((window) => window.state === 'judged')?.mean ?? null
    if (mean !== null) {
      const side = mean >= baseline.mean ? baseline.high - baseline.mean : baseline.mean - baseline.low
      if (side > 0) worst = larger(worst, Math.abs(mean - baseline.mean) / side)
    }
  }
  return worst
}

function limitRatio(channel: ChannelVitals): number | null {
  const { value, limit_min: min, limit_max: max } = channel
  if (value === null || !Number.isFinite(value)) return null
  if (min !== null && max !== null) return max > min ? Math.abs(value - (min + max) / 2) / ((max - min) / 2) : null
  if (max !== null && max > 0) return Math.max(0, value / max)
  if (min !== null && min > 0) return value > 0 ? Math.max(0, min / value) : null
  return null
}

function larger(a: number | null, b: number | null): number | null {
  if (b === null || !Number.isFinite(b)) return a
  return a === null || b > a ? b : a
}
