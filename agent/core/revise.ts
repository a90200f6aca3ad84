import type { RunContext } from '../../shared/model/decision.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import { foundKey, overallVerdict, rankFindings, type Slide } from './decide.ts'
import { judgeMetric } from './judge.ts'
import { clearMismatches } from './mismatch.ts'
import { clearTree } from './pane-tree.ts'
import { emptyAll } from './panes.ts'
import { forgetAllDepartures, reachOfDepartures } from './persistence.ts'
import { type Digests, everyMetric } from './settings.ts'
import { closePanes } from './slide.ts'
import type { RigState, Saying, Slower } from './state.ts'
import { changeMode, eventIn, takeOverSteps, watchSlide } from './watch.ts'
import { clearWindow } from './windows.ts'

/**
 * A slide that late samples make look otherwise than it was decided. For evidence and for people: nothing is ever done or
 * cleared because of it.
 */
export type Revision = Readonly<{ kind: 'revision'; slide: Slide; was: OverallVerdict }>

/** Keeps what was said of a slide until the slower evaluation comes to it. */
export function noteFirst(rig: RigState, slide: Slide): void {
  const { slower } = rig
  if (slower === null) return
  const saying: Saying = { verdict: slide.verdict, key: foundKey(slide), mode: slide.mode, run: slide.run }
  const before = slower.first[slower.first.length - 1]?.saying
  // Most slides say what the one before said: they share it, here and in a snapshot.
  slower.first.push({ endUs: slide.endUs, saying: before !== undefined && isSame(before, saying) ? before : saying })
}

/**
 * Closes in the slower evaluation every slide that the first one is `reviseWithinUs` ahead of, and says what it sees
 * differently. Called after each slide, so where a revision stands in the sequence depends on event time alone.
 */
export function reviseClosed(rig: RigState, digests: Digests): Revision[] {
  const { slower } = rig
  if (slower === null) return []
  const { slideUs, reviseWithinUs } = rig.settings
  const revisions: Revision[] = []
  while (slower.rig.closedUs + slideUs + reviseWithinUs <= rig.closedUs) {
    const slice = closePanes(slower.rig, digests)
    const endUs = slower.rig.closedUs
    // Judged by the limits of the mode that the slide was in, so the first saying comes first.
    changeMode(slower.rig, slower.first[0]?.endUs === endUs ? slower.first[0].saying.mode : rig.mode, endUs)
    if (slower.rig.mode === rig.mode) slower.rig.settles[0] = rig.settles[0]!
    watchSlide(slower.rig)
    const judgements = rig.settings.metrics.map((_, m) => judgeMetric(slower.rig, m, endUs))
    const found = { verdict: overallVerdict(slower.rig, judgements), findings: rankFindings(judgements) }
    // Slides before the first decision have none to correct.
    const first = slower.first[0]?.endUs === endUs ? slower.first.shift()!.saying : null
    if (first === null) continue
    if (isShort(slower, endUs)) slower.counts.unknown += 1
    else if (first.key === foundKey(found)) slower.counts.confirmed += 1
    else {
      slower.counts.revised += 1
      const { mode, run, verdict: was } = first
      revisions.push({
        kind: 'revision',
        slide: { endUs, ...found, slice, mode, run, event: eventIn(slower.rig) },
        was,
      })
    }
  }
  return revisions
}

/**
 * Begins the slower evaluation where the first one begins, or begins again: after a gap, a loss or another configuration.
 * What was decided before is not looked at a second time, because what would be needed for that was dropped.
 */
export function restartSlower(rig: RigState, before?: RigState): void {
  const { slower } = rig
  if (slower === null) return
  const slow = slower.rig
  slower.counts = before?.slower?.counts ?? slower.counts
  slower.counts.unknown += (before?.slower ?? slower).first.length
  slower.first = []
  emptyAll(slow.panes)
  clearTree(slow.tree)
  slow.windows.forEach(clearWindow)
  forgetAllDepartures(slow)
  clearMismatches(slow)
  slow.replaced = rig.replaced
  slow.firstUs.fill(-1)
  takeOverSteps(slow, rig)
  // A frame is told from a repeat once, for both.
  slow.sources = rig.sources
  slow.closedUs = rig.closedUs < 0 ? rig.closedUs : Math.max(0, rig.closedUs - rig.settings.reviseWithinUs)
  slow.originUs = rig.originUs
}

/** Steps after which a sample that the detectors did not see no longer shows in what they say. */
const DETECTOR_REACH_STEPS = 300

/** Whether a sample that found no room may still show in this slide: in a window, in how long a departure lasts, in an age. */
function isShort({ rig: { settings }, shedUs }: Slower, endUs: Micros): boolean {
  if (shedUs < 0) return false
  const { slideUs, windowsUs } = settings
  let reachUs = 0
  for (const m of everyMetric(settings)) reachUs = Math.max(reachUs, m.idleAfterUs, reachOfDepartures(m) * slideUs)
  // Detectors forget slowly: by then a lost sample weighs less than the noise of one step.
  reachUs += DETECTOR_REACH_STEPS * settings.stepUs
  return endUs <= shedUs + windowsUs.reduce((a, b) => Math.max(a, b), slideUs) + slideUs + reachUs
}

function isSame(a: Saying, b: Saying): boolean {
  return a.verdict === b.verdict && a.key === b.key && a.mode === b.mode && isSameRun(a.run, b.run)
}

function isSameRun(a: RunContext | null, b: RunContext | null): boolean {
  if (a === null || b === null || a === b) return a === b
  // In the form that snapshots keep: a state that was restored has it already.
  const same = (x: string, y: string): boolean => x === y || x.normalize('NFC') === y.normalize('NFC')
  return (
    same(a.run, b.run) &&
    same(a.article, b.article) &&
    same(a.procedure, b.procedure) &&
    same(a.operator, b.operator) &&
    a.startedUs === b.startedUs &&
    same(a.note, b.note)
  )
}
