import { meanOf } from './confusion.ts'
import type { Mode, Say } from './evaluate-skab.ts'
import { brokenRules, checkSameness, figuresOf } from './figures.ts'
import { inLanes } from './lanes.ts'
import type { Recording } from './recording.ts'
import { FAULT_ROW, ROW_S, readTep } from './tep.ts'
import { inPlant, percentAlarmed, percentOf, round, tepHeadline, tepPooled } from './tep-figures.ts'
import type { Bench } from './trial.ts'
import { type RunOutcome, type RunPlan, watchRun } from './watch-run.ts'

export type TepOrder = Readonly<{ corpus: string; score: readonly string[]; mode: Mode }>

/** Fits on the normal run, and watches the other normal run and every fault of the split. @throws EvaluationError */
export async function evaluateTep(bench: Bench, order: TepOrder, say: Say) {
  const { fit, normal, faults } = readTep(order.corpus, order.score)
  const own = { recording: fit, from: 0, to: fit.rows.length }
  const planOf = (recording: Recording): RunPlan => ({
    order: { id: recording.id, own, earlier: [] },
    // A fault is a kind of its own: `d01` of `d01_te.dat`.
    run: { recording, firstRow: 0, start: 0, group: recording.id.slice(0, recording.id.indexOf('_')) },
    measure: true,
  })
  say(`watching ${faults.length} faults, each as it was and with normal rows in place of it, and the normal run`)
  const [quiet, ...outcomes] = await inLanes([normal, ...faults.map(({ recording }) => recording)], (recording) =>
    watchRun(bench, planOf(recording)),
  )
  say('watching some runs again: as they were, without JIT, permuted, killed and restored')
  const sameness = await checkSameness(bench, outcomes)
  const { headline: _, cost, files, ...figures } = figuresOf([quiet!, ...outcomes])
  const runs = { quiet: quiet!, faults: outcomes, counted: faults.map(({ counted }) => counted) }
  const { fdr18, bootstrap, false_alarms, without_meaning, ...headline } = tepHeadline(runs)
  const byFault = faults.map(({ number, counted }, k) => faultFigures(number, counted, outcomes[k]!))
  return {
    result: {
      ...{ fdr18, ...headline, ...cost, score_digest: figures.score_digest, bootstrap },
      ...{ without_meaning, false_alarms, seconds_per_row: ROW_S },
      faults: { counted: runs.counted.filter((counts) => counts).length, all: byFault },
      ...{ sameness: sameness.same, pooled: tepPooled(runs) },
      far_before_faults: round(meanOf(outcomes.map((outcome) => percentAlarmed(outcome, 0, FAULT_ROW)))),
      streams_of_normal_run: streamsAlarmed(quiet!, 0),
      streams_of_faults: meanStreams(outcomes.filter((_, k) => faults[k]!.counted)),
      ...figures,
      files: files.map((file) => ({ ...file, delay_s: file.delay_s.map(inPlant) })),
    },
    broken: brokenRules({ position: figures.position_check, sameness }),
  }
}

function faultFigures(number: number, counted: boolean, outcome: RunOutcome) {
  const { recording } = outcome.run
  const delayMs = outcome.score.events[0]?.delayMs ?? null
  return {
    ...{ fault: number, counted, fdr: round(percentAlarmed(outcome, FAULT_ROW, recording.rows.length)) },
    ...{
      far_before: round(percentAlarmed(outcome, 0, FAULT_ROW)),
      delay_rows: delayMs === null ? null : delayMs / 1000,
    },
  }
}

/** Share of rows from `from` on in which every companion stream stood in alarm, in percent. */
function streamsAlarmed({ verdicts }: RunOutcome, from: number): Record<string, number> {
  const streams = [...(verdicts?.streams ?? [])]
  return Object.fromEntries(streams.map(([name, alarm]) => [name, round(percentOf(alarm.subarray(from)))]))
}

function meanStreams(outcomes: readonly RunOutcome[]): Record<string, number> {
  const each = outcomes.map((outcome) => streamsAlarmed(outcome, FAULT_ROW))
  const names = [...new Set(each.flatMap((streams) => Object.keys(streams)))].sort()
  return Object.fromEntries(names.map((name) => [name, round(meanOf(each.map((streams) => streams[name] ?? 0)))]))
}
