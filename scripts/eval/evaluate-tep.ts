import { bootstrapMean } from './bootstrap.ts'
import { meanOf } from './confusion.ts'
import type { Mode, Say } from './evaluate-skab.ts'
import { brokenRules, checkSameness, figuresOf } from './figures.ts'
import { inLanes } from './lanes.ts'
import type { Recording } from './recording.ts'
import { FAULT_ROW, readTep } from './tep.ts'
import type { Bench } from './trial.ts'
import { type RunOutcome, type RunPlan, watchRun } from './watch-run.ts'

export type TepOrder = Readonly<{ corpus: string; score: readonly string[]; mode: Mode }>

/** Fits on the normal run, and watches the other normal run and every fault of the split. @throws EvaluationError */
export async function evaluateTep(bench: Bench, order: TepOrder, say: Say) {
  const { fit, normal, faults } = readTep(order.corpus, order.score)
  const own = { recording: fit, from: 0, to: fit.rows.length }
  const planOf = (recording: Recording): RunPlan => ({
    order: { id: recording.id, own, earlier: [] },
    run: { recording, firstRow: 0, start: 0, group: 'tep' },
    measure: true,
  })
  say(`watching ${faults.length} faults, each as it was and with normal rows in place of it, and the normal run`)
  const [quiet, ...outcomes] = await inLanes([normal, ...faults.map(({ recording }) => recording)], (recording) =>
    watchRun(bench, planOf(recording)),
  )
  say('watching some runs again: as they were, without JIT, permuted, killed and restored')
  const sameness = await checkSameness(bench, outcomes)
  const { headline, cost, ...figures } = figuresOf([quiet!, ...outcomes])
  const byFault = faults.map(({ number, counted }, k) => faultFigures(number, counted, outcomes[k]!))
  const { f1, mar, j, events } = headline
  const counted = byFault.flatMap(({ counted: counts, fdr }) => (counts ? [fdr] : []))
  return {
    result: {
      fdr18: round(meanOf(counted)),
      far: round(percentAlarmed(quiet!, 0, normal.rows.length)),
      faults: { counted: counted.length, all: byFault },
      ...cost,
      ...{
        score_digest: figures.score_digest,
        bootstrap: { fdr18: bootstrapMean(counted) },
        sameness: sameness.same,
        pooled: { f1, mar, j, events },
      },
      far_before_faults: round(meanOf(outcomes.map((outcome) => percentAlarmed(outcome, 0, FAULT_ROW)))),
      streams_of_normal_run: streamsAlarmed(quiet!, 0),
      streams_of_faults: meanStreams(outcomes.filter((_, k) => faults[k]!.counted)),
      ...figures,
    },
    broken: brokenRules({ position: figures.position_check, sameness }),
  }
}

const round = (value: number): number => Number(value.toFixed(2))

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

/** Share of rows `from … to − 1` in which an alarm stood, in percent; a rejected baseline never alarms. */
function percentAlarmed({ verdicts }: RunOutcome, from: number, to: number): number {
  return percentOf(verdicts?.alarm.subarray(from, to) ?? new Uint8Array(to - from))
}

function percentOf(alarm: Uint8Array): number {
  return alarm.length === 0 ? 0 : (100 * alarm.reduce((sum, one) => sum + one, 0)) / alarm.length
}

/** The same of every companion stream by itself. */
function streamsAlarmed({ verdicts }: RunOutcome, from: number): Record<string, number> {
  const streams = [...(verdicts?.streams ?? [])]
  return Object.fromEntries(streams.map(([name, alarm]) => [name, round(percentOf(alarm.subarray(from)))]))
}

function meanStreams(outcomes: readonly RunOutcome[]): Record<string, number> {
  const each = outcomes.map((outcome) => streamsAlarmed(outcome, FAULT_ROW))
  const names = [...new Set(each.flatMap((streams) => Object.keys(streams)))].sort()
  return Object.fromEntries(names.map((name) => [name, round(meanOf(each.map((streams) => streams[name] ?? 0)))]))
}
