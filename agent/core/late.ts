import { QUALITY } from '../../shared/model/telemetry.ts'
import type { Micros } from '../../shared/units.ts'
import { paneOf } from './panes.ts'
import { LATE_SAMPLES_MAX, VALUE_MAX } from './settings.ts'
import type { RigState } from './state.ts'

/** A sample that came when the slide of its event time had been decided already. */
export type LateSample = Readonly<{
  metric: string
  channel: string
  timeUs: Micros
  /** In the unit of the metric; null for what is no number. */
  value: number | null
  quality: number
  /** Life of the publisher, `source/epoch`, and the number of the frame in it; −1 without one. */
  source: string
  seq: number
  /** How far its time lies before the end of what was decided when it came. */
  behindUs: Micros
  /** End of the slide it would have belonged to: the time of the decision that was made without it. */
  slideEndUs: Micros
  /** The slower evaluation had not closed that slide yet. */
  revisable: boolean
}>

/** Late samples of the input being taken, {@link LATE_SAMPLES_MAX} of them at most. */
export type LateSamples = { samples: LateSample[]; more: number }

/** The late samples of one input. Nothing is decided from them here: they are kept by keeping the input. */
export type LateEffect = Readonly<{
  kind: 'late'
  rig: string
  samples: readonly LateSample[]
  /** Late samples of the same input beyond the bound, which only the ledger counts. */
  more: number
}>

export type LateArrival = Readonly<{
  metric: number
  channel: string
  timeUs: Micros
  value: number
  quality: number | undefined
  source: number
  seq: number
}>

/** Notes a late sample, to be handed out with its input. Does nothing under `drop`. */
export function noteLate(rig: RigState, arrival: LateArrival): void {
  const { late } = rig
  if (late === null) return
  if (late.samples.length >= LATE_SAMPLES_MAX) {
    late.more += 1
    return
  }
  const { timeUs, value } = arrival
  const { slideUs } = rig.settings
  late.samples.push({
    metric: rig.settings.metrics[arrival.metric]!.metric,
    channel: arrival.channel,
    timeUs,
    value: value >= -VALUE_MAX && value <= VALUE_MAX ? value : null,
    quality: arrival.quality ?? QUALITY.good,
    source: rig.sources.names[arrival.source]!,
    seq: arrival.seq,
    // A time far below zero would leave the whole numbers that have one encoding.
    behindUs: Math.min(rig.closedUs - timeUs, Number.MAX_SAFE_INTEGER),
    slideEndUs: (paneOf(timeUs, slideUs) + 1) * slideUs,
    revisable: rig.slower !== null && timeUs >= rig.slower.rig.closedUs,
  })
}

/** @returns the late samples since the last call; none when there were none. */
export function takeLate(rig: RigState): Omit<LateEffect, 'rig'>[] {
  const { late } = rig
  if (late === null || late.samples.length === 0) return []
  const taken = { kind: 'late' as const, samples: late.samples, more: late.more }
  late.samples = []
  late.more = 0
  return [taken]
}
