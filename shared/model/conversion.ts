import type { Affine } from './units.ts'

/** How a value came to be that of a metric: value × factor + offset, and by whose word. */
export type Conversion = Readonly<{
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

/** One step of the way from what a channel said to its metric. Steps are told in the order in which they apply. */
export type ConversionStep = Conversion & Readonly<{ kind: 'alias' | 'unit' | 'equivalence' | 'calibration' }>

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
