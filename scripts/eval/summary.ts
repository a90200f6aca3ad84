import { bootstrapRates, type CountsOfFiles } from './bootstrap.ts'
import { addChangepoints, type ChangepointScore, changepointScore } from './changepoint.ts'
import { addCounts, meanOf, meanRates, NO_COUNTS, type Rates, ratesOf } from './confusion.ts'
import { delaysOf, type FaultEvent } from './events.ts'
import type { RunScore } from './run-score.ts'

export type EventCounts = Readonly<{ total: number; found: number; already_alarmed: number; found_anew: number }>

/** Figures of one start. */
export type StartSummary = Rates & Readonly<{ nab: ChangepointScore | null; events: EventCounts; files: number }>

const round = (value: number, digits: number): number => Number(value.toFixed(digits))

/** Rates as they are printed and written: F1 and J to four digits, percent to two. */
export const roundRates = ({ f1, far, mar, j }: Rates): Rates => ({
  ...{ f1: round(f1, 4), far: round(far, 2), mar: round(mar, 2), j: round(j, 4) },
})

export function summarizeStart(runs: readonly RunScore[]): StartSummary {
  return {
    ...ratesOf(addCounts(runs.map(({ counts }) => counts))),
    nab: changepointScore(addChangepoints(runs.map(({ changepoints }) => changepoints))),
    events: countEvents(runs.flatMap(({ events }) => events)),
    files: runs.length,
  }
}

export function countEvents(events: readonly FaultEvent[]): EventCounts {
  const count = (holds: (event: FaultEvent) => boolean): number => events.filter(holds).length
  return {
    total: events.length,
    found: count(({ found }) => found),
    already_alarmed: count(({ alreadyAlarmed }) => alreadyAlarmed),
    found_anew: count(({ found, alreadyAlarmed }) => found && !alreadyAlarmed),
  }
}

/** The headline: what was found at each start, and the mean of that over the starts. */
export function summarize(runs: readonly RunScore[]) {
  const starts = [...new Set(runs.map(({ start }) => start))].sort((a, b) => a - b)
  const each = starts.map((start) => summarizeStart(runs.filter((run) => run.start === start)))
  const groups = [...new Set(runs.map(({ group }) => group))].sort()
  return {
    ...roundRates(meanRates(each)),
    nab: meanChangepoints(each.map(({ nab }) => nab)),
    events: meanEvents(each.map(({ events }) => events)),
    by_start: Object.fromEntries(each.map((one, k) => [String(starts[k]), { ...one, ...roundRates(one) }])),
    by_group: Object.fromEntries(
      groups.map((group) => [
        group,
        summarizeGroup(
          runs.filter((r) => r.group === group),
          starts,
        ),
      ]),
    ),
    delay_s: delaysOf(runs.flatMap(({ events }) => events)),
    bootstrap: bootstrapRates(countsOfFiles(runs)),
  }
}

function summarizeGroup(runs: readonly RunScore[], starts: readonly number[]) {
  const each = starts.map((start) => summarizeStart(runs.filter((run) => run.start === start)))
  const files = new Set(runs.map(({ id }) => id)).size
  return { ...roundRates(meanRates(each)), files, events: meanEvents(each.map(({ events }) => events)) }
}

function meanChangepoints(scores: readonly (ChangepointScore | null)[]): ChangepointScore | null {
  const known = scores.filter((score) => score !== null)
  if (known.length === 0) return null
  const mean = (pick: (score: ChangepointScore) => number): number => round(meanOf(known.map(pick)), 2)
  return { standard: mean((s) => s.standard), low_fp: mean((s) => s.low_fp), low_fn: mean((s) => s.low_fn) }
}

function meanEvents(counts: readonly EventCounts[]): EventCounts {
  const mean = (pick: (counts: EventCounts) => number): number => round(meanOf(counts.map(pick)), 2)
  return {
    total: mean((c) => c.total),
    found: mean((c) => c.found),
    already_alarmed: mean((c) => c.already_alarmed),
    found_anew: mean((c) => c.found_anew),
  }
}

/** Counts by file and start, files by id. */
export function countsOfFiles(runs: readonly Pick<RunScore, 'id' | 'start' | 'counts'>[]): CountsOfFiles {
  const ids = [...new Set(runs.map(({ id }) => id))].sort()
  const starts = [...new Set(runs.map(({ start }) => start))].sort((a, b) => a - b)
  const byKey = new Map(runs.map((run) => [`${run.id} ${run.start}`, run.counts]))
  return ids.map((id) => starts.map((start) => byKey.get(`${id} ${start}`) ?? NO_COUNTS))
}

/** Share of the events that were told anew whose driver is an expected one; null when there is none to judge. */
export function driverHits(
  runs: readonly RunScore[],
  { channels, expected }: Readonly<Record<'channels' | 'expected', (id: string) => readonly string[]>>,
) {
  const judged = runs.flatMap(({ id, events }) =>
    expected(id).length === 0 ? [] : events.filter(({ driver }) => driver !== null).map((event) => ({ id, event })),
  )
  const share = (pick: (event: FaultEvent) => number | null): number | null =>
    judged.length === 0
      ? null
      : round(
          judged.filter(({ id, event }) => expected(id).includes(channels(id)[pick(event) ?? -1] ?? '')).length /
            judged.length,
          4,
        )
  return {
    at_detection: share(({ driver }) => driver),
    of_most_rows: share(({ driverOfMostRows }) => driverOfMostRows),
    events: judged.length,
  }
}
