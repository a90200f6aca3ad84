import { anchorsOf } from './anchors.ts'
import { EvaluationError } from './evaluation-error.ts'
import { brokenRules, checkSameness, figuresOf } from './figures.ts'
import { donorsOf, earlierSegments, type IsRejected, ownBaseline, partKey } from './history.ts'
import { inLanes } from './lanes.ts'
import { alarmsOfSlice, type Known, slicesOf, sumSlices } from './normal-run.ts'
import type { Part, Recording } from './recording.ts'
import { BASELINE_ROWS, expectedDrivers, groupOf, readSkab, type SkabCorpus } from './skab.ts'
import { driverHits } from './summary.ts'
import { type Bench, withBaseline } from './trial.ts'
import { type RunPlan, watchRun } from './watch-run.ts'

export type Mode = 'self' | 'history'
export type SkabOrder = Readonly<{ corpus: string; score: readonly string[]; mode: Mode; starts: readonly number[] }>
export type Say = (text: string) => void

/** Watches and scores the files of a split. @throws EvaluationError */
export async function evaluateSkab(bench: Bench, order: SkabOrder, say: Say) {
  const corpus = readSkab(order.corpus)
  const scored = order.score.map((id) => scoredRecording(corpus, id, order))
  const isRejected =
    order.mode === 'history' ? await askGate(bench, { corpus, starts: order.starts }, say) : () => false
  const plans = order.starts.flatMap((start) => {
    const donors = order.mode === 'self' ? [] : donorsOf(corpus, start)
    return scored.map((recording) => planOf(ownBaseline(recording, start)!, donors, isRejected))
  })
  say(`watching ${plans.length} runs, each as it was and with normal rows in place of its faults`)
  const outcomes = await inLanes(plans, (plan) => watchRun(bench, plan))
  const normal = await watchNormal(bench, { corpus, mode: order.mode, isRejected }, say)
  say('watching some runs again: as they were, without JIT, permuted, killed and restored')
  const sameness = await checkSameness(bench, outcomes)
  const { headline, cost, ...figures } = figuresOf(outcomes)
  const { by_start, by_group, bootstrap, delay_s, ...rates } = headline
  const anchors = anchorsOf(scored)
  const scores = outcomes.map(({ score }) => score)
  const channels = (id: string): readonly string[] => corpus.labelled.get(id)!.channels
  const drivers = driverHits(scores, { channels, expected: expectedDrivers })
  return {
    result: {
      ...rates,
      ...{ by_group, delay_s, alarms_per_hour: normal.alarms_per_hour, driver_hit: drivers.at_detection, ...cost },
      ...{ score_digest: figures.score_digest, bootstrap, by_start, false_alarms: normal, drivers },
      sameness: sameness.same,
      segments: plans.map(({ run, order: { earlier } }) => ({
        ...{ id: run.recording.id, start: run.start, earlier: earlier.length },
      })),
      ...figures,
      anchors,
    },
    broken: brokenRules({ position: figures.position_check, sameness, selfTest: anchors.self_test }),
  }
}

function scoredRecording(corpus: SkabCorpus, id: string, { corpus: folder, starts }: SkabOrder): Recording {
  const recording = corpus.labelled.get(id)
  if (recording === undefined)
    throw new EvaluationError(
      66,
      `the split names ${id}, which is not a labelled file of ${folder}; nothing was scored`,
    )
  const needed = Math.max(...starts) + BASELINE_ROWS + 1
  if (recording.rows.length < needed)
    throw new EvaluationError(
      65,
      `${id} has ${recording.rows.length} rows; a baseline and one row to score need ${needed}`,
    )
  return recording
}

function planOf(own: Part, donors: readonly Part[], isRejected: IsRejected): RunPlan {
  const { recording, from: start, to: firstRow } = own
  return {
    order: { id: recording.id, own, earlier: earlierSegments(own, donors, isRejected) },
    run: { recording, firstRow, start, group: groupOf(recording.id) },
    measure: true,
  }
}

/** Asks the gate about everything that could be an earlier run, each by itself. */
async function askGate(
  bench: Bench,
  { corpus, starts }: Readonly<{ corpus: SkabCorpus; starts: readonly number[] }>,
  say: Say,
): Promise<IsRejected> {
  const parts = new Map(starts.flatMap((start) => donorsOf(corpus, start)).map((part) => [partKey(part), part]))
  say(`asking the gate about ${parts.size} baselines that could be earlier runs`)
  const rejected = await inLanes([...parts], ([key, own]) =>
    withBaseline(bench, { id: own.recording.id, own, earlier: [] }, async (trial) =>
      trial.rejected === null ? [] : [key],
    ),
  )
  const keys = new Set(rejected.flat())
  if (keys.size > 0) say(`rejected: ${[...keys].join(', ')}`)
  return (part) => keys.has(partKey(part))
}

type NormalOrder = Readonly<{ corpus: SkabCorpus; mode: Mode; isRejected: IsRejected }>

/** Alarms in runs in which nothing is wrong; in history mode also what they would be with nothing but the past. */
async function watchNormal(bench: Bench, { corpus, mode, isRejected }: NormalOrder, say: Say) {
  const watchAll = async (known: Known) => {
    const slices = corpus.normal.flatMap((recording) => slicesOf(recording, known, isRejected))
    say(`watching ${slices.length} slices of runs in which nothing is wrong (knowing ${known})`)
    const alarms = await inLanes(slices, (slice) =>
      withBaseline(bench, slice.order, async (trial) => {
        if (trial.rejected !== null) return null
        const { recording, from, to } = slice.part
        const watched = { timesMs: recording.timesMs.slice(from, to), rows: recording.rows.slice(from, to) }
        return alarmsOfSlice(slice, (await trial.watch(watched)).alarm)
      }),
    )
    return sumSlices(alarms)
  }
  if (mode === 'self') return await watchAll('own')
  return { ...(await watchAll('others')), earlier_only: await watchAll('earlier') }
}
