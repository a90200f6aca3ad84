import { percentile } from './bootstrap.ts'
import { faultsOf, type Interval } from './recording.ts'

/** No channel was named. */
export const NO_DRIVER = -1

/** What was said of a run, row by row. Rows are those that were monitored. */
export type EventRun = Readonly<{
  timesMs: readonly number[]
  truth: Uint8Array
  verdict: Uint8Array
  /** Channel that the evaluator put first, by its place in the recording, or {@link NO_DRIVER}. */
  drivers: Int16Array
}>

/** A labelled fault, and whether and how it was told. */
export type FaultEvent = Readonly<{
  /** An alarm stood at some row of it. */
  found: boolean
  /** An alarm stood at the row before it: whatever it was about, it was not this fault. */
  alreadyAlarmed: boolean
  /** From the first row of the fault to the first alarmed one; null when it was missed or already alarmed. */
  delayMs: number | null
  /** First driver at that row, and the one that came first in most alarmed rows; null under the same conditions. */
  driver: number | null
  driverOfMostRows: number | null
}>

export function eventsOf(run: EventRun): FaultEvent[] {
  return faultsOf(run.truth, 0).map((fault) => eventOf(run, fault))
}

function eventOf({ timesMs, verdict, drivers }: EventRun, { from, to }: Interval): FaultEvent {
  const first = verdict.indexOf(1, from)
  const found = first >= 0 && first < to
  const alreadyAlarmed = from > 0 && verdict[from - 1] === 1
  if (!found || alreadyAlarmed) return { found, alreadyAlarmed, delayMs: null, driver: null, driverOfMostRows: null }
  const named = Array.from({ length: to - first }, (_, k) => first + k)
    .filter((row) => verdict[row] === 1)
    .map((row) => drivers[row]!)
  return {
    found,
    alreadyAlarmed,
    delayMs: timesMs[first]! - timesMs[from]!,
    driver: drivers[first]!,
    driverOfMostRows: mostFrequent(named),
  }
}

/** Of equally frequent ones the one that came first. */
function mostFrequent(values: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best), [NO_DRIVER, 0])[0]
}

/** Delays in seconds at half and at nine tenths of the events that were found and not already alarmed; null without any. */
export function delaysOf(events: readonly FaultEvent[]): Readonly<{ p50: number | null; p90: number | null }> {
  const sorted = events.flatMap(({ delayMs }) => (delayMs === null ? [] : [delayMs / 1000])).sort((a, b) => a - b)
  if (sorted.length === 0) return { p50: null, p90: null }
  return { p50: percentile(sorted, 0.5), p90: percentile(sorted, 0.9) }
}

/** Longest step between rows that counts as watched; in a longer gap nobody watched. */
const STEP_MS_MAX = 10_000

/** Alarms of a run in which nothing is wrong: how often one began, in how many rows one stood, and in how much time. */
export function falseAlarmsOf(timesMs: readonly number[], verdict: Uint8Array) {
  let [alarms, rowsAlarmed, watchedMs] = [0, 0, 0]
  for (let row = 0; row < verdict.length; row += 1) {
    if (verdict[row] === 1) rowsAlarmed += 1
    if (verdict[row] === 1 && (row === 0 || verdict[row - 1] === 0)) alarms += 1
    if (row > 0) watchedMs += Math.min(STEP_MS_MAX, timesMs[row]! - timesMs[row - 1]!)
  }
  return { alarms, rowsAlarmed, rows: verdict.length, hours: watchedMs / 3_600_000 }
}
