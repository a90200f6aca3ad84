import type { BaselineMetric } from './baseline.ts'
import { type Conversion, convertSpread, convertValue, isIdentity } from './conversion.ts'
import type { Affine } from './units.ts'

/** The name and unit that something is wanted in, the way there, and what is to be said of it. */
export type Ported = Readonly<{ metric: string; unit: string; by: Affine; steps: readonly Conversion[] }>

/**
 * What a baseline knows of a metric, in another unit or under the name of an equivalent one. Values take factor and offset,
 * spreads and tolerances |factor|, variances its square; limits are in spreads and stay.
 */
export function convertBaselineMetric(known: BaselineMetric, { metric, unit, by, steps }: Ported): BaselineMetric {
  const extremes = ({ min, max }: { min: number; max: number }) => {
    const [a, b] = [convertValue(by, min), convertValue(by, max)]
    return { min: Math.min(a, b), max: Math.max(a, b) }
  }
  const quantiles = known.quantiles.map((value) => convertValue(by, value))
  return {
    ...known,
    metric,
    unit,
    mean: convertValue(by, known.mean),
    sd: convertSpread(by, known.sd),
    ...extremes(known),
    quantiles: by.factor < 0 ? quantiles.reverse() : quantiles,
    noise: known.noise * by.factor * by.factor,
    wander: known.wander * by.factor * by.factor,
    detectableShift: convertSpread(by, known.detectableShift),
    tolerance: known.tolerance === null ? null : convertSpread(by, known.tolerance),
    windows: known.windows.map((window) => ({
      ...window,
      mean: convertValue(by, window.mean),
      spread: convertSpread(by, window.spread),
      ...extremes(window),
    })),
    // Their numbers are their own: in another unit they would say something else.
    detectors: isIdentity(by) ? known.detectors : [],
    conversions: [...known.conversions, ...steps],
  }
}
