import type { BaselineMetric } from './baseline.ts'
import type { Affine } from './units.ts'

/**
 * One step on the way from what a channel said to the value of a metric, and who says so. Steps are told in the order in
 * which they apply: `value × factor + offset`, one after the other.
 */
export type Conversion = Readonly<{
  kind: 'alias' | 'unit' | 'equivalence' | 'calibration'
  /** Names for an alias and an equivalence, units for the others. */
  from: string
  to: string
  factor: number
  offset: number
  /** The file and key it comes from, `unit table`, or the calibration laboratory. */
  source: string
  /** Version of that file or table; the date of a calibration. */
  version: string
}>

export const IDENTITY: Affine = { factor: 1, offset: 0 }

export function isIdentity({ factor, offset }: Affine): boolean {
  return factor === 1 && offset === 0
}

/** A value in the new unit. An offset of nothing is not added, so that −0 stays what it is. */
export function convertValue({ factor, offset }: Affine, value: number): number {
  const scaled = value * factor
  return offset === 0 ? scaled : scaled + offset
}

/** A spread, or the difference of two values: no offset shifts it, and it is never negative. */
export function convertSpread({ factor }: Affine, spread: number): number {
  return spread * Math.abs(factor)
}

/** First one, then the other, as one. */
export function inSuccession(first: Affine, then: Affine): Affine {
  return { factor: first.factor * then.factor, offset: convertValue(then, first.offset) }
}

/** The way back. */
export function inverseOf({ factor, offset }: Affine): Affine {
  return { factor: 1 / factor, offset: offset === 0 ? 0 : -offset / factor }
}

/** All steps of a chain as one. */
export function affineOf(chain: readonly Affine[]): Affine {
  return chain.reduce<Affine>(inSuccession, IDENTITY)
}

/** What a baseline knows of a metric, told in another unit or under the name of an equivalent one. Limits are in spreads and stay. */
export function convertBaselineMetric(
  known: BaselineMetric,
  { metric, unit, by }: Readonly<{ metric: string; unit: string; by: Affine }>,
): BaselineMetric {
  const extremes = ({ min, max }: { min: number; max: number }) => {
    const [a, b] = [convertValue(by, min), convertValue(by, max)]
    return { min: Math.min(a, b), max: Math.max(a, b) }
  }
  return {
    ...known,
    metric,
    unit,
    mean: convertValue(by, known.mean),
    sd: convertSpread(by, known.sd),
    ...extremes(known),
    windows: known.windows.map((window) => ({
      ...window,
      mean: convertValue(by, window.mean),
      spread: convertSpread(by, window.spread),
      ...extremes(window),
    })),
  }
}
