import { createPrng } from '../../shared/lib/prng.ts'
import { seedOf } from './disguise.ts'
import { withoutJit } from './system-under-test.ts'
import { type Bench, type TrialOrder, type Watched, type WatchOptions, withBaseline } from './trial.ts'
import type { Verdicts } from './verdicts.ts'

/** Runs that are watched again in every evaluation. */
export const RUNS_AGAIN = 2
/** Rows at either end of a run between which the evaluator is not killed. */
const ROWS_SPARED = 10

/** A run of the headline, and what was said of it then. */
export type RunToRepeat = Readonly<{ order: TrialOrder; watched: Watched; verdicts: Verdicts }>

const VARIANTS = ['again', 'without_jit', 'permuted', 'restored'] as const
type Variant = (typeof VARIANTS)[number]
export type Sameness = Readonly<{
  same: Readonly<Record<Variant, boolean>> & Readonly<{ runs: number }>
  /** What differed, a sentence a run and variant. */
  differences: readonly string[]
}>

/** Which of the runs are repeated: always the same ones of the same list. */
export function pickRuns<Run extends Readonly<{ order: TrialOrder }>>(runs: readonly Run[]): Run[] {
  const left = [...runs].sort((a, b) => (a.order.id < b.order.id ? -1 : 1))
  const prng = createPrng(seedOf('', 'runs that are repeated'))
  return Array.from({ length: Math.min(RUNS_AGAIN, left.length) }, () => left.splice(prng.int(left.length), 1)[0]!)
}

/**
 * Watches a run again: as it was, without a compiler in the engine, with its channels named and sorted otherwise, and
 * killed at some row and gone on with from a saved state. Every answer must be the same to the last bit.
 */
export async function repeatRun(bench: Bench, run: RunToRepeat): Promise<string[]> {
  const watchAgain = (on: Bench, order: TrialOrder, options: WatchOptions): Promise<Verdicts> =>
    withBaseline(on, order, (trial) =>
      trial.rejected === null
        ? trial.watch(run.watched, { keepAnswers: true, ...options })
        : Promise.reject(new Error(`a baseline that passed before was rejected: ${trial.rejected.join('; ')}`)),
    )
  const rows = run.watched.rows.length
  const spared = Math.min(ROWS_SPARED, Math.floor(rows / 3))
  const restoreAt = spared + createPrng(seedOf(run.order.id, 'kill')).int(Math.max(1, rows - 2 * spared))
  const again = await watchAgain(bench, run.order, {})
  const others = {
    without_jit: await watchAgain({ ...bench, evaluator: withoutJit(bench.evaluator) }, run.order, {}),
    permuted: await watchAgain(bench, { ...run.order, permutation: 1 }, {}),
    restored: await watchAgain(bench, run.order, { restoreAt }),
  }
  const told = Object.entries(others).map(([variant, other]) => firstDifference(again.answers, other.answers, variant))
  return [differenceOfScores(run.verdicts, again), ...told]
    .filter((difference) => difference !== null)
    .map((difference) => `${difference} (${run.order.id})`)
}

/** What all repeated runs together show. */
export function samenessOf(runs: number, differences: readonly string[]): Sameness {
  const same = (variant: Variant): boolean => !differences.some((text) => text.startsWith(`${variant}: `))
  const variants = {
    again: same('again'),
    without_jit: same('without_jit'),
    permuted: same('permuted'),
    restored: same('restored'),
  }
  return { same: { ...variants, runs }, differences }
}

function differenceOfScores(before: Verdicts, after: Verdicts): string | null {
  const row = before.scores.findIndex(
    (score, k) =>
      !Object.is(score, after.scores[k]) ||
      before.alarm[k] !== after.alarm[k] ||
      before.drivers[k] !== after.drivers[k],
  )
  return row < 0 ? null : `again: row ${row} had score ${before.scores[row]}, then ${after.scores[row]}`
}

function firstDifference(before: readonly string[], after: readonly string[], variant: string): string | null {
  const row = before.findIndex((answer, k) => answer !== after[k])
  if (row < 0) return null
  const [was, is] = [before[row], after[row]].map((text) => JSON.parse(text ?? '{}') as Record<string, unknown>)
  const fields = Object.keys(was!).filter((field) => JSON.stringify(was![field]) !== JSON.stringify(is![field]))
  const told = fields.map((field) => `${field} ${shortened(was![field])}, then ${shortened(is![field])}`)
  return `${variant}: row ${row} had ${told.join('; ')}`
}

const shortened = (value: unknown): string => JSON.stringify(value ?? null).slice(0, 120)
