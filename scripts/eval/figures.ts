import { addCounts, countRows, ratesOf } from './confusion.ts'
import { inLanes } from './lanes.ts'
import { positionCheck } from './position.ts'
import { pickRuns, repeatRun, type Sameness, samenessOf } from './sameness.ts'
import { scoreDigest } from './score-digest.ts'
import { roundRates, summarize } from './summary.ts'
import type { Bench } from './trial.ts'
import type { Verdicts } from './verdicts.ts'
import { type RunOutcome, runsToRepeat } from './watch-run.ts'

/** What the evaluators measured of themselves; null when none did. What else the machine does only ever adds time: the least counts. */
function costOf(all: readonly Verdicts[]) {
  const values = (pick: (verdicts: Verdicts) => number | null): number[] =>
    all.flatMap((verdicts) => pick(verdicts) ?? []).sort((a, b) => a - b)
  const ns = values(({ stats }) => stats.nsPerValue)
  const bytes = values(({ stats }) => stats.bytesPerChannel)
  return {
    cost: { ns_per_value: ns[0] ?? null, bytes_per_channel: bytes.at(-1) ?? null },
    ns_per_value_median: ns[Math.floor(ns.length / 2)] ?? null,
  }
}

/** Rates of every companion stream by itself, were it the one that alarms; nothing of the headline comes from them. */
function streamsOf(outcomes: readonly RunOutcome[]) {
  const names = [...new Set(outcomes.flatMap(({ verdicts }) => [...(verdicts?.streams.keys() ?? [])]))].sort()
  return Object.fromEntries(
    names.map((name) => {
      const counts = outcomes.flatMap(({ verdicts, run }) => {
        const stream = verdicts?.streams.get(name)
        return stream === undefined ? [] : [countRows(run.recording.anomaly.subarray(run.firstRow), stream)]
      })
      return [name, roundRates(ratesOf(addCounts(counts)))]
    }),
  )
}

/** What is told of any set of runs, whatever the layout. */
export function figuresOf(outcomes: readonly RunOutcome[]) {
  const watched = outcomes.flatMap(({ verdicts }) => (verdicts === null ? [] : [verdicts]))
  const scores = outcomes.map(({ score }) => score)
  const kept = scores.filter(({ rejected }) => rejected === null)
  const rejected = scores.filter((score) => score.rejected !== null)
  const positions = outcomes.flatMap(({ position }) => position ?? [])
  const sum = (pick: (verdicts: Verdicts) => number): number => watched.reduce((n, verdicts) => n + pick(verdicts), 0)
  return {
    headline: summarize(scores),
    ...costOf(watched),
    score_digest: scoreDigest(
      outcomes.flatMap(({ run, verdicts }) =>
        verdicts === null ? [] : [{ id: run.recording.id, start: run.start, scores: verdicts.scores }],
      ),
    ),
    position_check: positionCheck(positions),
    rejected: {
      runs: rejected.map(({ id, start, rejected: reasons }) => ({ id, start, reasons })),
      as_normal: 'in the headline',
      left_out: rejected.length === 0 ? null : kept.length === 0 ? null : leftOut(kept),
    },
    streams: streamsOf(outcomes),
    rows: {
      scored: scores.reduce((n, { rows }) => n + rows, 0),
      normal: scores.reduce((n, { counts }) => n + counts.fp + counts.tn, 0),
      warming_up: sum(({ warmingUp }) => warmingUp),
      evaluated_behind: sum(({ behind }) => behind),
      late_verdicts_ignored: sum(({ lateVerdicts }) => lateVerdicts),
    },
    files: scores.map(({ id, start, counts, rejected: reasons, events }) => ({
      ...{ id, start, ...counts, rejected: reasons !== null },
      ...{ delay_s: events.map(({ delayMs }) => (delayMs === null ? null : delayMs / 1000)) },
    })),
  }
}

function leftOut(kept: Parameters<typeof summarize>[0]) {
  const { f1, far, mar, j, nab, events } = summarize(kept)
  return { f1, far, mar, j, nab, events }
}

/** Watches a few of the runs again in every way in which nothing may come out differently. */
export async function checkSameness(bench: Bench, outcomes: readonly RunOutcome[]): Promise<Sameness> {
  const runs = pickRuns(runsToRepeat(outcomes))
  return samenessOf(runs.length, (await inLanes(runs, (run) => repeatRun(bench, run))).flat())
}

/** What an evaluation must not fail, whatever the figures are; what is wrong, in words. */
export function brokenRules({
  position,
  sameness,
  selfTest = 'passed',
}: Readonly<{ position: ReturnType<typeof positionCheck>; sameness: Sameness; selfTest?: string }>): string[] {
  return [
    ...(position.pass
      ? []
      : [
          `position check: ${position.far_in_place_of_faults.toFixed(1)} % of normal rows alarmed where faults were, ` +
            `${position.far_on_normal_rows.toFixed(1)} % of the others` +
            (position.far_before_fault === null ? '' : `, ${position.far_before_fault.toFixed(1)} % of those before`),
        ]),
    ...sameness.differences,
    ...(sameness.same.runs > 0 ? [] : ['no run was watched again: every baseline of the first start was rejected']),
    ...(selfTest.startsWith('failed') ? [`scorer: ${selfTest}`] : []),
  ]
}
