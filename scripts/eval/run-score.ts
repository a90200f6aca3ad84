import { type ChangepointSums, scoreChangepoints } from './changepoint.ts'
import { type Counts, countRows } from './confusion.ts'
import { eventsOf, type FaultEvent } from './events.ts'
import type { Recording } from './recording.ts'
import type { Verdicts } from './verdicts.ts'

/** A file watched from one start, scored. */
export type RunScore = Readonly<{
  id: string
  group: string
  start: number
  /** Why the gate rejected its baseline; null when it did not. The scores then are those of never alarming. */
  rejected: readonly string[] | null
  rows: number
  counts: Counts
  changepoints: ChangepointSums
  events: readonly FaultEvent[]
}>

export type WatchedRun = Readonly<{
  recording: Recording
  /** First row that is scored; all behind it are. */
  firstRow: number
  start: number
  group: string
}>

/** Scores what was said, or, of a run whose baseline was rejected, what nobody said: that all is normal. */
export function scoreRun(run: WatchedRun, judged: Verdicts | readonly string[]): RunScore {
  const { recording, firstRow, start, group } = run
  const rejected = 'alarm' in judged ? null : judged
  const truth = recording.anomaly.subarray(firstRow)
  const verdict = 'alarm' in judged ? judged.alarm : new Uint8Array(truth.length)
  const drivers = 'alarm' in judged ? judged.drivers : new Int16Array(truth.length)
  const timesMs = recording.timesMs.slice(firstRow)
  return {
    ...{ id: recording.id, group, start, rejected, rows: truth.length },
    counts: countRows(truth, verdict),
    changepoints: scoreChangepoints({ timesMs, changepoint: recording.changepoint.subarray(firstRow), verdict }),
    events: eventsOf({ timesMs, truth, verdict, drivers }),
  }
}
