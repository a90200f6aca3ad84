import { type Between, bootstrapMean, bootstrapRates } from './bootstrap.ts'
import { meanOf } from './confusion.ts'
import { falseAlarmsOf } from './events.ts'
import { countsOfFiles, roundRates, summarize } from './summary.ts'
import { FAULT_ROW, ROW_S } from './tep.ts'
import type { RunOutcome } from './watch-run.ts'

/** What every corpus is asked for and this one cannot say; null in the result, with the reason beside it. */
export const WITHOUT_MEANING = {
  nab: 'its window of 60 s behind a change is a third of a row',
  driver_hit: 'nobody says on which channels a fault may show',
  'bootstrap.far': 'there is one normal run',
} as const

/** The normal run, all faults, and which of them count in the headline (the same order). */
export type TepRuns = Readonly<{ quiet: RunOutcome; faults: readonly RunOutcome[]; counted: readonly boolean[] }>

/**
 * The headline. False alarms are those of the normal run; misses, events and delays those of the counted faults. F1 is of
 * all rows of these runs, those before the faults included. Times are those of the plant, not those that rows are shown at.
 */
export function tepHeadline({ quiet, faults, counted }: TepRuns) {
  const runs = faults.filter((_, k) => counted[k])
  const scores = runs.map(({ score }) => score)
  const found = runs.map((run) => percentAlarmed(run, FAULT_ROW, run.run.recording.rows.length))
  const far = percentAlarmed(quiet, 0, quiet.run.recording.rows.length)
  const mar = found.length === 0 ? null : 100 - meanOf(found)
  const { f1, events, delay_s } = summarize([quiet.score, ...scores])
  const { by_group } = summarize(faults.map(({ score }) => score))
  const alarms = falseAlarmsIn(quiet)
  return {
    ...{ f1: found.length === 0 ? null : f1, far: round(far), mar: rounded(mar), j: jOf(far, mar) },
    nab: { standard: null, low_fp: null, low_fn: null },
    ...{ by_group, events, delay_s: { p50: inPlant(delay_s.p50), p90: inPlant(delay_s.p90) } },
    alarms_per_hour: alarms.alarms_per_hour,
    driver_hit: null,
    bootstrap: { ...bootstrapped({ quiet, runs, far }), fdr18: bootstrapMean(found) },
    fdr18: round(meanOf(found)),
    false_alarms: alarms,
    without_meaning: WITHOUT_MEANING,
  }
}

/** Share of rows `from … to − 1` in which an alarm stood, in percent; a rejected baseline never alarms. */
export function percentAlarmed({ verdicts }: RunOutcome, from: number, to: number): number {
  return percentOf(verdicts?.alarm.subarray(from, to) ?? new Uint8Array(to - from))
}

export function percentOf(alarm: Uint8Array): number {
  return alarm.length === 0 ? 0 : (100 * alarm.reduce((sum, one) => sum + one, 0)) / alarm.length
}

export const round = (value: number): number => Number(value.toFixed(2))
const rounded = (value: number | null): number | null => (value === null ? null : round(value))
const jOf = (far: number, mar: number | null): number | null =>
  mar === null ? null : Number((1 - (far + mar) / 100).toFixed(4))

/** Seconds at which rows are shown, one a second, as seconds of the plant. */
export const inPlant = (shownS: number | null): number | null => (shownS === null ? null : shownS * ROW_S)

/** Faults are drawn anew; the normal run is the only one of its kind and is in every draw. */
function bootstrapped({ quiet, runs, far }: Readonly<{ quiet: RunOutcome; runs: readonly RunOutcome[]; far: number }>) {
  const drawn = bootstrapRates(countsOfFiles(runs.map(({ score }) => score)), [quiet.score.counts])
  if (drawn === null) return { f1: null, far: null, mar: null, j: null }
  const { f1, mar } = drawn
  const j: Between = [1 - (far + mar[1]) / 100, 1 - (far + mar[0]) / 100]
  return { f1, far: null, mar, j }
}

/** Alarms that began in the normal run, by hours of the plant; with a rejected baseline nobody watched it. */
function falseAlarmsIn({ run, verdicts }: RunOutcome) {
  const { alarms, rows, rowsAlarmed } = falseAlarmsOf(run.recording.timesMs, verdicts?.alarm ?? new Uint8Array(0))
  const hours = (rows * ROW_S) / 3600
  return {
    alarms_per_hour: rows === 0 ? null : Number((alarms / hours).toFixed(3)),
    ...{ alarms, hours, rows, rows_alarmed_percent: rows === 0 ? null : round((100 * rowsAlarmed) / rows) },
  }
}

/** Rates over all rows and all faults, those that are not counted too. */
export function tepPooled({ quiet, faults }: TepRuns) {
  const { f1, far, mar, j, events } = summarize([quiet, ...faults].map(({ score }) => score))
  return { ...roundRates({ f1, far, mar, j }), events }
}
