import type { Micros } from '../../shared/units.ts'
import type { ActionChange } from '../core/safety/changes.ts'
import type { ActOptions } from './act.ts'
import { createDecisionLatency, type DecisionLatency } from './decision-latency.ts'
import type { LiveAction } from './live-action.ts'

/** Actions on targets that are measured apart; those past it are measured together. */
export const REACTION_SERIES_MAX = 256

/**
 * From the event to the decision (detection), from there to the peer's word that it is done (reaction), and from the event
 * to the slide in which the effect is seen (handling), which is held against the fault tolerant time (SE-30).
 */
export const REACTION_SPANS = ['fdti', 'frti', 'fhti'] as const
export type ReactionSpan = (typeof REACTION_SPANS)[number]

export type ReactionRow = Readonly<{
  rig: string
  action: string
  target: string
  span: ReactionSpan
  count: number
  /** Upper ends of 5 % buckets. */
  p50Us: Micros
  p95Us: Micros
  p99Us: Micros
  maxUs: Micros
}>

/** From 80 % of the fault tolerant time on it is near, from all of it on it is used up (SE-30). Null: neither. */
export function budgetLevel(spentUs: Micros, fttiUs: Micros): 'WARNING' | 'CRITICAL' | null {
  // Stated as what must hold, so that NaN is critical.
  if (!(spentUs < fttiUs)) return 'CRITICAL'
  return spentUs < fttiUs * 0.8 ? null : 'WARNING'
}

type Series = { count: number; maxUs: Micros; latency: DecisionLatency }
type Place = Readonly<{ rig: string; action: string; target: string }>

/** How long actions took, for metrics. */
export interface ReactionTimes {
  note(about: Pick<ActionChange, 'rig' | 'action' | 'target'>, span: ReactionSpan, us: Micros): void
  rows(): readonly ReactionRow[]
}

export function createReactionTimes(): ReactionTimes {
  const places = new Map<string, Readonly<{ place: Place; spans: Map<ReactionSpan, Series> }>>()

  function spansOf({ rig, action, target }: Place): Map<ReactionSpan, Series> {
    const id = JSON.stringify([rig, action, target])
    const known = places.get(id)
    if (known !== undefined) return known.spans
    const other = { rig: '', action: '', target: '' }
    if (places.size >= REACTION_SERIES_MAX && rig !== '') return spansOf(other)
    const spans = new Map<ReactionSpan, Series>()
    places.set(id, { place: { rig, action, target }, spans })
    return spans
  }

  return {
    note(about, span, us) {
      const spans = spansOf(about)
      const series = spans.get(span) ?? { count: 0, maxUs: 0, latency: createDecisionLatency() }
      spans.set(span, series)
      series.count += 1
      series.maxUs = Math.max(series.maxUs, us)
      series.latency.note(us)
    },
    rows() {
      return [...places.values()].flatMap(({ place, spans }) =>
        [...spans].map(([span, { count, maxUs, latency }]) => {
          const at = (q: number): Micros => latency.quantileUs(q)!
          return { ...place, span, count, p50Us: at(0.5), p95Us: at(0.95), p99Us: at(0.99), maxUs }
        }),
      )
    },
  }
}

/**
 * Measures an action at a change of it. While the peer has not said that it is done, timers tell when the fault tolerant
 * time is nearly and wholly used up: what never comes has no change.
 */
export function watchBudget(
  live: LiveAction,
  change: ActionChange,
  { clock, times, events }: Pick<ActOptions, 'clock' | 'times' | 'events'>,
): void {
  const { detectedUs, begunUs } = live
  if (detectedUs === null) return
  const { fttiUs } = live.facts
  const tell = (spentUs: Micros): void => {
    const level = budgetLevel(spentUs, fttiUs)
    if (level === null || live.told === level || live.told === 'CRITICAL') return
    live.told = level
    events.budget({ key: change.key, level, spentUs, fttiUs })
  }
  const spentUs = (): Micros => detectedUs + clock.monotonicUs() - begunUs
  if (change.from === null) {
    times.note(change, 'fdti', detectedUs)
    live.proposedEndUs = change.endUs
  }
  if (change.state === 'RELEASED' && live.budgetTimers.length === 0)
    live.budgetTimers = [0.8, 1].map((share) =>
      clock.after(Math.max(0, fttiUs * share - spentUs()) / 1000, () => tell(spentUs())),
    )
  if (change.state === 'COMPLETED' && !live.done) {
    live.done = true
    times.note(change, 'frti', clock.monotonicUs() - begunUs)
    tell(spentUs())
    for (const cancel of live.budgetTimers) cancel()
  }
  if (change.state === 'VERIFIED') {
    // Both ends in event time: the slide that shows the cause, and the one that shows the effect.
    const handledUs = Math.max(0, change.endUs - live.proposedEndUs)
    times.note(change, 'fhti', handledUs)
    tell(handledUs)
  }
}
