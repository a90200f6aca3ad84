import { seedOf } from './disguise.ts'
import { type PositionRun, positionRun, withoutFaults } from './position.ts'
import { faultsOf } from './recording.ts'
import { type RunScore, scoreRun, type WatchedRun } from './run-score.ts'
import type { RunToRepeat } from './sameness.ts'
import { type Bench, type TrialOrder, type Watched, withBaseline } from './trial.ts'
import type { Verdicts } from './verdicts.ts'

/** A run to be watched and scored; with `measure` the evaluator also measures itself. */
export type RunPlan = Readonly<{ order: TrialOrder; run: WatchedRun; measure: boolean }>

/** What came of it; a run whose baseline was rejected was not watched. */
export type RunOutcome = RunPlan &
  Readonly<{ score: RunScore; verdicts: Verdicts | null; position: PositionRun | null }>

/** Watches a run as it was, and once more with normal rows in place of its faults. */
export async function watchRun(bench: Bench, plan: RunPlan): Promise<RunOutcome> {
  const { order, run } = plan
  const watched = watchedOf(run)
  const faults = faultsOf(run.recording.anomaly, run.firstRow)
  return await withBaseline(bench, order, async (trial) => {
    if (trial.rejected !== null)
      return { ...plan, score: scoreRun(run, trial.rejected), verdicts: null, position: null }
    const verdicts = await trial.watch(watched, { measure: plan.measure })
    const score = scoreRun(run, verdicts)
    const seed = seedOf(`${run.recording.id} ${run.start}`, 'position')
    // Without a fault there is nothing to replace, and its rows are what the others are compared with.
    const replaced =
      faults.length === 0
        ? verdicts
        : await trial.watch(withoutFaults(watched, { own: order.own, faults, seed, firstRow: run.firstRow }))
    const alarms = { original: verdicts.alarm, replaced: replaced.alarm }
    return { ...plan, score, verdicts, position: positionRun(run.recording.anomaly.subarray(run.firstRow), alarms) }
  })
}

export function watchedOf({ recording, firstRow }: WatchedRun): Watched {
  return { timesMs: recording.timesMs.slice(firstRow), rows: recording.rows.slice(firstRow) }
}

/** Runs of the first start that were watched, to be watched again. */
export function runsToRepeat(outcomes: readonly RunOutcome[]): RunToRepeat[] {
  const first = Math.min(...outcomes.map(({ run }) => run.start))
  return outcomes.flatMap(({ order, run, verdicts }) =>
    verdicts === null || run.start !== first ? [] : [{ order, watched: watchedOf(run), verdicts }],
  )
}
