import type { CaseResult } from '../core/result.ts'

/** A share with its 95 % confidence interval, all from 0 to 1. */
export type Share = Readonly<{ of: number; count: number; share: number; low: number; high: number }>

/** Two-sided 95 % of the normal distribution. */
const Z = 1.959963984540054

/**
 * Interval of Wilson (1927) for `count` of `of`: right at the ends too, where the usual one says that nine of nine is certain.
 * Without any trial it is everything from 0 to 1.
 */
export function wilson(count: number, of: number): Share {
  if (of === 0) return { of, count, share: Number.NaN, low: 0, high: 1 }
  const share = count / of
  const zz = (Z * Z) / of
  const middle = (share + zz / 2) / (1 + zz)
  const half = (Z / (1 + zz)) * Math.sqrt((share * (1 - share)) / of + zz / (4 * of))
  return { of, count, share, low: Math.max(0, middle - half), high: Math.min(1, middle + half) }
}

/** Value below which the share `p` of the values lies (nearest rank); null without values. */
export function quantile(values: readonly number[], p: number): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))] ?? null
}

/** Diagnostic coverage of a class of faults. */
export type Coverage = Readonly<{ class: string; wanted: number; detected: Share }>

/** Detected among injected, by class. What was wanted and never seen to be injected counts on neither side. */
export function coverageOf(cases: readonly CaseResult[]): Coverage[] {
  const faults = cases.flatMap((one) => one.faults)
  const classes = [...new Set(faults.map((fault) => fault.class))].sort((a, b) => (a < b ? -1 : 1))
  return classes.map((name) => {
    const wanted = faults.filter((fault) => fault.class === name)
    const injected = wanted.filter(({ seen }) => seen > 0)
    const detected = injected.filter(({ detected_us: at }) => at !== null)
    return { class: name, wanted: wanted.length, detected: wilson(detected.length, injected.length) }
  })
}

/** p50, p95 and the most, µs. */
export type Spread = Readonly<{ count: number; p50: number; p95: number; max: number }>
/** Reaction of one scenario over its rows and seeds. */
export type Reaction = Readonly<{
  id: string
  fdti: Spread | null
  frti: Spread | null
  fhti: Spread | null
  /** Smallest that any row declares. */
  fttiUs: number | null
}>

/** Scenarios that measured a reaction, in the order in which they ran. */
export function reactionsOf(cases: readonly CaseResult[]): Reaction[] {
  const ids = [...new Set(cases.map(({ id }) => id))]
  return ids.flatMap((id) => {
    const all = cases.filter((one) => one.id === id).map(({ measures }) => measures)
    const of = (key: 'fdti_us' | 'frti_us' | 'fhti_us' | 'ftti_us'): number[] =>
      all.flatMap((measures) => (measures[key] === null ? [] : [measures[key]]))
    const reaction = { id, fdti: spreadOf(of('fdti_us')), frti: spreadOf(of('frti_us')), fhti: spreadOf(of('fhti_us')) }
    if (reaction.fdti === null && reaction.fhti === null) return []
    const ftti = of('ftti_us')
    return [{ ...reaction, fttiUs: ftti.length === 0 ? null : Math.min(...ftti) }]
  })
}

/** null without values. */
export function spreadOf(values: readonly number[]): Spread | null {
  const [p50, p95, max] = [0.5, 0.95, 1].map((p) => quantile(values, p))
  return p50 == null || p95 == null || max == null ? null : { count: values.length, p50, p95, max }
}
