import type { Monitor } from './monitor.ts'

/** Where a detector expects a channel, and how far from it is one limit, in the unit of the metric. */
export type Band = Readonly<{ stream: string; level: number; reach: number }>

/** The band of the first stream that has one for a channel; null before its first step and for a channel nobody watches. */
export function bandOf({ channels }: Monitor, channel: number): Band | null {
  for (const { stream, fits, state } of channels) {
    const { detector } = stream
    const fit = fits[channel]
    if (fit == null || detector.band === undefined) continue
    const { level, perScore } = detector.band(fit.numbers, state, channel * detector.fields)
    const reach = perScore * fit.limit
    if (reach > 0) return { stream: detector.name, level, reach }
  }
  return null
}
