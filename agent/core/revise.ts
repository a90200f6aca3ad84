import type { Decision, DecisionItem, Finding, RunContext } from '../../shared/model/decision.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import { decisionValues, foundKey, isLimitsOnly, overallVerdict, rankFindings } from './decide.ts'
import { judgeMetric } from './judge.ts'
import { clearTree } from './pane-tree.ts'
import { emptyAll } from './panes.ts'
import { recordRevision } from './record.ts'
import type { Digests } from './settings.ts'
import { closePanes } from './slide.ts'
import type { EvaluatorState, FirstDecision, RigState, Saying, Slower } from './state.ts'

/** A decision of the slower evaluation, and the number of the first decision of its slide, which it corrects. */
export type Revision = Decision & Readonly<{ revises: number }>

/** What late samples would have changed. For evidence and for people: nothing is ever done or cleared because of it. */
export type RevisedEffect = Readonly<{ kind: 'revised'; decision: Revision; was: OverallVerdict }>

type First = Readonly<{ seq: number; endUs: Micros; verdict: OverallVerdict; findings: readonly Finding[] }>

/** Keeps what the first decision of a slide said until the slower evaluation comes to it. */
export function noteFirst(rig: RigState, { seq, endUs, verdict, findings }: First): void {
  const { slower } = rig
  if (slower === null) return
  const saying: Saying = { verdict, key: foundKey(verdict, findings), mode: rig.mode, run: rig.run }
  const before = slower.first[slower.first.length - 1]?.saying
  // Most slides say what the one before said: they share it, here and in a snapshot.
  slower.first.push({ seq, endUs, saying: before !== undefined && isSame(before, saying) ? before : saying })
}

/**
 * Closes in the slower evaluation every slide that the first one is `reviseWithinUs` ahead of, and says what it sees
 * differently. Called after each first decision, so where a revision stands in the sequence depends on event time alone.
 */
export function reviseClosed(
  state: EvaluatorState,
  rig: RigState,
  digests: Digests,
): (RevisedEffect | Readonly<{ kind: 'item'; item: DecisionItem }>)[] {
  const { slower } = rig
  if (slower === null) return []
  const { slideUs, reviseWithinUs } = rig.settings
  const effects: ReturnType<typeof reviseClosed> = []
  while (slower.rig.closedUs + slideUs + reviseWithinUs <= rig.closedUs) {
    const slice = closePanes(slower.rig, digests)
    const endUs = slower.rig.closedUs
    const judgements = rig.settings.metrics.map((_, m) => judgeMetric(slower.rig, m, endUs))
    const verdict = overallVerdict(slower.rig, judgements)
    const findings = rankFindings(judgements)
    // Slides before the first decision have none to correct.
    const first = slower.first[0]?.endUs === endUs ? slower.first.shift()! : null
    if (first === null) continue
    if (isShort(slower, endUs)) slower.counts.unknown += 1
    else if (first.saying.key === foundKey(verdict, findings)) slower.counts.confirmed += 1
    else {
      slower.counts.revised += 1
      effects.push(...revise(state, rig, { first, verdict, findings, slice }, digests))
    }
  }
  return effects
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
  slow.departures.fill(0)
  slow.firstUs.fill(-1)
  // A frame is told from a repeat once, for both.
  slow.sources = rig.sources
  slow.closedUs = rig.closedUs < 0 ? rig.closedUs : Math.max(0, rig.closedUs - rig.settings.reviseWithinUs)
  slow.originUs = rig.originUs
}

type Seen = Readonly<{
  first: FirstDecision
  verdict: OverallVerdict
  findings: readonly Finding[]
  slice: Uint8Array
}>

function revise(
  state: EvaluatorState,
  rig: RigState,
  { first, verdict, findings, slice }: Seen,
  digests: Digests,
): ReturnType<typeof reviseClosed> {
  state.decisionSeq += 1
  const seq = state.decisionSeq
  const { settings } = rig
  const { mode, run } = first.saying
  const revises = first.seq
  const values = decisionValues(
    state.settings!,
    { settings, mode, run },
    { seq, endUs: first.endUs, verdict, findings, slice, action: null, revises },
  )
  const items = recordRevision(state, { seq, values }, digests)
  const decision: Revision = {
    seq,
    rig: settings.rig,
    timeUs: first.endUs,
    verdict,
    mode,
    limitsOnly: isLimitsOnly(rig),
    findings,
    run,
    values,
    revises,
  }
  return [
    ...items.map((item) => ({ kind: 'item' as const, item })),
    { kind: 'revised' as const, decision, was: first.saying.verdict },
  ]
}

/** Whether a sample that found no room may still show in this slide: in a window, in how long a departure lasts, in an age. */
function isShort({ rig: { settings }, shedUs }: Slower, endUs: Micros): boolean {
  if (shedUs < 0) return false
  const { slideUs, windowsUs, metrics } = settings
  let reachUs = 0
  for (const m of metrics) reachUs = Math.max(reachUs, m.idleAfterUs, m.persistenceSlides * slideUs)
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
