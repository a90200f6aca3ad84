import type { DetectorFit } from '../../../shared/model/baseline.ts'
import type { ChannelStep } from './detector.ts'
import { createStepRow, rowOfSteps, type StepRow, type StepTable, sliceSteps } from './steps.ts'
import { CHANNEL_STREAMS, RIG_STREAMS } from './streams.ts'

/** Share of a nominal segment that a replay fits on; the rest is what it is watched on. */
const REPLAY_FIT_RATIO = 0.5

/** What detectors found in nominal segments. */
export type Fitted = Readonly<{
  /** Of each channel. */
  channels: readonly (readonly DetectorFit[])[]
  rig: readonly DetectorFit[]
  /** Largest score over all channels of the event stream in each replayed segment, in limits. */
  rigMaxima: readonly number[]
}>

/**
 * Fits every detector to nominal segments, oldest first, and finds the limits by replay: each segment is fitted on its
 * first half and watched on the rest, and no score that came up while nothing was wrong is beyond the limit.
 *
 * If segments are exchangeable, the chance that the next one passes the largest of M maxima is 1 ÷ (M + 1): conformal
 * prediction (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005, 2.2).
 */
export function fitDetectors(segments: readonly StepTable[], channels: number): Fitted {
  const fits: DetectorFit[][] = Array.from({ length: channels }, () => [])
  let rigMaxima: number[] = []
  for (const { detector, use } of CHANNEL_STREAMS) {
    const inLimits = segments.map(() => 0)
    for (let c = 0; c < channels; c += 1) {
      const numbers = detector.fit(segments, c)
      if (numbers === null) continue
      const maxima = segments.map((segment) => replayChannel(detector, segment, c)).map((max) => max ?? 0)
      const limit = maxima.reduce((a, b) => Math.max(a, b), detector.limitMin)
      maxima.forEach((max, k) => {
        inLimits[k] = Math.max(inLimits[k]!, max / limit)
      })
      fits[c]!.push({ detector: detector.name, version: detector.version, numbers, maxima, limit })
    }
    if (use === 'event' && rigMaxima.length === 0) rigMaxima = inLimits
  }
  return { channels: fits, rig: fitRig(segments, channels), rigMaxima }
}

/** Largest score on the part of a segment that was not fitted on; null when it is too short. */
function replayChannel(
  detector: (typeof CHANNEL_STREAMS)[number]['detector'],
  segment: StepTable,
  c: number,
): number | null {
  const half = Math.floor(segment.rows * REPLAY_FIT_RATIO)
  const numbers = detector.fit([sliceSteps(segment, 0, half)], c)
  if (numbers === null) return null
  const state = new Float64Array(detector.fields)
  detector.begin(numbers, state, 0)
  let max = 0
  for (let row = half; row < segment.rows; row += 1) {
    const step = channelStep(segment, row, c)
    if (step !== null) max = Math.max(max, detector.step(numbers, state, 0, step))
  }
  return max
}

function channelStep(table: StepTable, row: number, c: number): ChannelStep | null {
  const at = row * table.channels + c
  const mean = table.mean[at]!
  if (Number.isNaN(mean)) return null
  return { mean, min: table.min[at]!, max: table.max[at]!, first: table.first[at]!, last: table.last[at]!, held: false }
}

function fitRig(segments: readonly StepTable[], channels: number): DetectorFit[] {
  return RIG_STREAMS.flatMap(({ detector }): DetectorFit[] => {
    const numbers = detector.fit(segments)
    if (numbers === null) return []
    const maxima = segments.map((segment) => {
      const half = Math.floor(segment.rows * REPLAY_FIT_RATIO)
      const part = detector.fit([sliceSteps(segment, 0, half)])
      if (part === null) return 0
      const state = new Float64Array(detector.fields(part))
      detector.begin(part, state)
      const to = { held: false, shares: new Float64Array(channels) }
      let max = 0
      for (let row = half; row < segment.rows; row += 1)
        max = Math.max(max, detector.step(part, state, rowOfSteps(segment, row), to))
      return max
    })
    const limit = maxima.reduce((a, b) => Math.max(a, b), detector.limitMin)
    return [{ detector: detector.name, version: detector.version, numbers, maxima, limit }]
  })
}

/** Gathers rows for a table. */
export type StepRecorder = { readonly channels: number; readonly rows: { timeUs: number; row: StepRow }[] }

/** Keeps a copy of a row. */
export function recordSteps(recorder: StepRecorder, timeUs: number, row: StepRow): void {
  const copy = createStepRow(recorder.channels)
  for (const column of ['mean', 'min', 'max', 'first', 'last'] as const) copy[column].set(row[column])
  recorder.rows.push({ timeUs, row: copy })
}

/** The rows of a recorder as one table. */
export function tableOf({ channels, rows }: StepRecorder): StepTable {
  const column = (name: keyof StepRow) => {
    const values = new Float64Array(rows.length * channels)
    rows.forEach(({ row }, k) => {
      values.set(row[name], k * channels)
    })
    return values
  }
  return {
    channels,
    rows: rows.length,
    timeUs: Float64Array.from(rows, ({ timeUs }) => timeUs),
    mean: column('mean'),
    min: column('min'),
    max: column('max'),
    first: column('first'),
    last: column('last'),
  }
}
