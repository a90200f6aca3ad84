import { addCounts, type Counts, meanOf, meanRates, NO_COUNTS, type Rates, ratesOf } from './confusion.ts'

/** Draws of a bootstrap. */
export const DRAWS = 2000
const SEED = 20_200_301

/** What is between the 2.5th and the 97.5th percentile of the draws. */
export type Between = readonly [low: number, high: number]
export type RateIntervals = Readonly<Record<keyof Rates, Between>>

/** Counts of every file, for every start in the same order. */
export type CountsOfFiles = readonly (readonly Counts[])[]

/**
 * 95 % intervals of pooled rates when the files are drawn anew with replacement: how much a figure owes to which files
 * there happened to be. All starts of a file are drawn together, for they are the same run. `always` is in every draw.
 */
export function bootstrapRates(files: CountsOfFiles, always: readonly Counts[] = []): RateIntervals | null {
  if (files.length === 0) return null
  const draws = drawFiles(files.length).map((drawn) => ratesOfDraw(files, drawn, always))
  return intervalsOf(draws)
}

/** The same of the difference `after − before` on the same draws; an interval without 0 is a difference. */
export function bootstrapDifference(after: CountsOfFiles, before: CountsOfFiles): RateIntervals | null {
  if (after.length === 0 || after.length !== before.length) return null
  const draws = drawFiles(after.length).map((drawn): Rates => {
    const [a, b] = [ratesOfDraw(after, drawn), ratesOfDraw(before, drawn)]
    return { f1: a.f1 - b.f1, far: a.far - b.far, mar: a.mar - b.mar, j: a.j - b.j }
  })
  return intervalsOf(draws)
}

/** The same for the mean of a figure that every file has by itself. */
export function bootstrapMean(values: readonly number[]): Between | null {
  if (values.length === 0) return null
  return between(drawFiles(values.length).map((drawn) => meanOf(drawn.map((k) => values[k]!))))
}

function ratesOfDraw(files: CountsOfFiles, drawn: readonly number[], always: readonly Counts[] = []): Rates {
  const starts = files[0]!.length
  const pooled = (start: number): Rates =>
    ratesOf(addCounts([...always, ...drawn.map((f) => files[f]![start] ?? NO_COUNTS)]))
  return meanRates(Array.from({ length: starts }, (_, start) => pooled(start)))
}

function intervalsOf(draws: readonly Rates[]): RateIntervals {
  const of = (key: keyof Rates): Between => between(draws.map((rates) => rates[key]))
  return { f1: of('f1'), far: of('far'), mar: of('mar'), j: of('j') }
}

function between(draws: readonly number[]): Between {
  const sorted = [...draws].sort((a, b) => a - b)
  return [percentile(sorted, 0.025), percentile(sorted, 0.975)]
}

/** Nearest rank: the smallest value that has at least this share at or below it. `sorted` must not be empty. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
}

function drawFiles(count: number): number[][] {
  const next = createLcg(SEED)
  return Array.from({ length: DRAWS }, () => Array.from({ length: count }, () => Math.floor(next() * count)))
}

/** Linear congruential generator modulo 2^32 with the constants of Knuth and Lewis; [0, 1). */
function createLcg(seed: number): () => number {
  let at = seed >>> 0
  return () => {
    at = (Math.imul(at, 1_664_525) + 1_013_904_223) >>> 0
    return at / 4_294_967_296
  }
}
