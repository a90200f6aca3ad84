import { MOMENTS_FIELDS } from '../../../shared/math/moments.ts'
import type { Micros } from '../../../shared/units.ts'
import { createStepRow, type StepRow } from './steps.ts'

/** Which channels a feed makes steps of. */
export type StepFeedSettings = Readonly<{
  stepUs: Micros
  /** Nominal rate of each channel. */
  ratesHz: readonly number[]
}>

/**
 * Makes detector steps of closed panes: one a `stepUs` for a fast channel, when the step's time is over; and one a sample
 * for a channel that sends no more than one in that time, at once, so that a slow rig does not wait for a clock.
 */
export type StepFeed = {
  readonly settings: StepFeedSettings
  /** Samples gathered for the next step of each channel. */
  readonly counts: Float64Array
  readonly gathering: StepRow
  /** The newest row; NaN in `mean` for a channel that had no step in the last slide. Written before it is read. */
  readonly row: StepRow
}

export function createStepFeed(settings: StepFeedSettings): StepFeed {
  const channels = settings.ratesHz.length
  const gathering = createStepRow(channels)
  gathering.mean.fill(0)
  return { settings, counts: new Float64Array(channels), gathering, row: createStepRow(channels) }
}

/** Takes the panes of a slide that was just closed at `endUs`. @returns whether any channel made a step. */
export function feedSteps(feed: StepFeed, panes: Float64Array, endUs: Micros): boolean {
  const { settings, counts, row } = feed
  const isStepEnd = endUs % settings.stepUs === 0
  let stepped = false
  for (let c = 0; c < counts.length; c += 1) {
    gather(feed, c, panes)
    const isSlow = settings.ratesHz[c]! * settings.stepUs <= MICROS_A_SECOND
    if (counts[c]! > 0 && (isSlow || isStepEnd)) {
      hand(feed, c)
      stepped = true
    } else row.mean[c] = Number.NaN
  }
  return stepped
}

/** Forgets what was gathered: after a gap it belongs to no step. */
export function clearSteps(feed: StepFeed): void {
  feed.counts.fill(0)
  feed.gathering.mean.fill(0)
  feed.row.mean.fill(Number.NaN)
}

/** What a feed remembers between slides, in a fixed order. */
export function arraysOfSteps({ counts, gathering }: StepFeed): Float64Array[] {
  return [counts, gathering.mean, gathering.min, gathering.max, gathering.first, gathering.last]
}

const MICROS_A_SECOND = 1_000_000

function gather({ counts, gathering }: StepFeed, c: number, panes: Float64Array): void {
  const at = c * MOMENTS_FIELDS
  const n = panes[at]!
  if (n === 0) return
  const before = counts[c]!
  const count = before + n
  counts[c] = count
  gathering.mean[c] =
    before === 0 ? panes[at + 1]! : gathering.mean[c]! + ((panes[at + 1]! - gathering.mean[c]!) * n) / count
  gathering.min[c] = before === 0 ? panes[at + 3]! : Math.min(gathering.min[c]!, panes[at + 3]!)
  gathering.max[c] = before === 0 ? panes[at + 4]! : Math.max(gathering.max[c]!, panes[at + 4]!)
  if (before === 0) gathering.first[c] = panes[at + 5]!
  gathering.last[c] = panes[at + 6]!
}

function hand({ counts, gathering, row }: StepFeed, c: number): void {
  row.mean[c] = gathering.mean[c]!
  row.min[c] = gathering.min[c]!
  row.max[c] = gathering.max[c]!
  row.first[c] = gathering.first[c]!
  row.last[c] = gathering.last[c]!
  counts[c] = 0
}
