import type { Span, Within } from '../core/scenario.ts'
import type { Run } from './run-folder.ts'
import type { Decision, Said } from './said.ts'

/** Newest records may be so much older than the moment up to which they are asked: lateness, a slide, and a batch. */
const COVER_LAG_US = 2_000_000

/** Times from the start of the run, both included. */
export type Window = Readonly<{ fromUs: number; toUs: number }>

/** Time of a signed record, from the start of the run. */
export function runTime({ facts }: Run, eventUs: number): number {
  return eventUs - facts.begin_us
}

/** When an anchor was: the first effect of a fault that was seen, the first mark of that name, or the start; null: never. */
export function anchorUs({ facts, events }: Run, name: string): number | null {
  if (name === 'start') return 0
  const fault = facts.faults.find(({ id }) => id === name)
  if (fault !== undefined) return fault.count > 0 ? fault.first_us : null
  return events.find((event) => event.kind === 'mark' && event.name === name)?.t_us ?? null
}

/** When something must have come; null when its anchor never was. */
export function windowOf(run: Run, within: Within | null): Window | null {
  if (within === null) return { fromUs: Number.NEGATIVE_INFINITY, toUs: run.facts.simulated_us }
  const fromUs = anchorUs(run, within.of)
  return fromUs === null ? null : { fromUs, toUs: fromUs + within.us }
}

/** A span of a scenario in the run. */
export function spanIn({ facts }: Run, { fromUs, toUs }: Span): Window {
  return { fromUs, toUs: toUs ?? facts.simulated_us }
}

/** Why it is not known what was said in a window; null when it is. */
export function unknownIn(run: Run, { fromUs, toUs }: Window): string | null {
  const hole = run.evidence.unknown.find(
    (span) => runTime(run, span.fromUs) < toUs && runTime(run, span.toUs) >= fromUs,
  )
  return hole === undefined ? null : `decisions that are not there (${hole.why})`
}

/** Why nobody can say that something was not said up to the end of a window; null when it can be said. */
export function uncoveredIn(run: Run, window: Window): string | null {
  const hole = unknownIn(run, window)
  if (hole !== null) return hole
  const neededUs = Math.min(window.toUs, aliveUntil(run)) - COVER_LAG_US
  const { throughUs } = run.evidence
  const throughRunUs = throughUs === null ? Number.NEGATIVE_INFINITY : runTime(run, throughUs)
  if (neededUs <= Math.max(0, window.fromUs) || throughRunUs >= neededUs) return null
  return throughUs === null ? 'no signed record' : `signed records to ${seconds(throughRunUs)} only`
}

/** When the agent was last there: the end of the run, or the time from which it was never started again. */
function aliveUntil({ events, facts }: Run): number {
  const last = events.findLast(
    (event) => event.kind === 'agent' && ['started', 'killed', 'stopped', 'exited'].includes(event.is),
  )
  const isGone = last !== undefined && last.kind === 'agent' && last.is !== 'started'
  return isGone ? Math.min(last.t_us, facts.simulated_us) : facts.simulated_us
}

/** Spans in which there were no decisions because there was no agent, no data, or a jump of time. */
export function gapsIn(run: Run, { fromUs, toUs }: Window): readonly Readonly<{ atUs: number; reason: string }>[] {
  return run.evidence.gaps
    .filter(({ reason }) => isOfTime(reason))
    .map(({ from, to, reason }) => ({ atUs: runTime(run, from), untilUs: runTime(run, to), reason }))
    .filter((gap) => gap.atUs < toUs && gap.untilUs > fromUs)
}

/** Whether a gap of this reason counts event time; others count decisions or journal records. */
export function isOfTime(reason: string): boolean {
  return !['decisions_lost', 'pass_detail_thinned', 'journal_lost', 'journal_not_evaluated'].includes(reason)
}

/** First time in a window at which a record was said; null when it was not. Of a range every decision counts. */
export function saidIn(run: Run, said: Said, { fromUs, toUs }: Window): number | null {
  const atUs = runTime(run, said.atUs)
  if (atUs >= fromUs) return atUs <= toUs ? atUs : null
  if (said.kind !== 'decision') return null
  const untilUs = runTime(run, said.untilUs)
  if (untilUs < fromUs || said.count < 2) return null
  const stepUs = (untilUs - atUs) / (said.count - 1)
  const next = Math.min(untilUs, atUs + Math.ceil((fromUs - atUs) / stepUs) * stepUs)
  return next <= toUs ? Math.round(next) : null
}

export function decisionsOf({ evidence }: Run): readonly Decision[] {
  return evidence.said.filter((said) => said.kind === 'decision')
}

/** Words for a time: seconds with three digits. */
export function seconds(us: number): string {
  return `${(us / 1_000_000).toFixed(3)} s`
}
