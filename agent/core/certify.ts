import { effectiveCount, noiseOf, quantilesOf, stepStatistic } from '../../shared/math/nominal.ts'
import { type BaselineMetric, type DetectorFit, QUANTILE_RATIOS } from '../../shared/model/baseline.ts'
import { outlierShare } from '../../shared/model/contamination.ts'
import type { Micros } from '../../shared/units.ts'
import { type BaselineFit, finishWindows } from './baseline-fit.ts'
import { fitDetectors } from './detectors/replay-limits.ts'
import { meansOf, type StepTable } from './detectors/steps.ts'
import { CHANNEL_STREAMS } from './detectors/streams.ts'
import type { RigSettings } from './settings.ts'

/** Steps of a segment: a stretch of nominal data that detectors are fitted to and replayed on by itself. */
export const SEGMENT_STEPS = 400
/** A shorter one is left out: half of it is fitted on, and that must say something of noise and wander. */
export const SEGMENT_STEPS_MIN = 100

/** Nominal data of a rig: its segments, oldest first, and the extent of its samples and window means. */
export type Nominal = Readonly<{
  settings: RigSettings
  segments: readonly StepTable[]
  fit: BaselineFit
}>

/** What a baseline knows of every metric and of the rig as a whole. */
export type Known = Readonly<{
  metrics: readonly BaselineMetric[]
  rigDetectors: readonly DetectorFit[]
  rigMaxima: readonly number[]
}>

/** What is stated about metrics from outside: largest bearable shift, conversions and calibration. */
export type Stated = Pick<BaselineMetric, 'tolerance' | 'conversions' | 'calibration'>

/** Measures everything a baseline says of nominal data. A metric of which too little was seen is left out: NO_BASELINE. */
export function measureNominal({ settings, segments, fit }: Nominal, stated: (metric: string) => Stated): Known {
  const fitted = fitDetectors(segments, settings.metrics.length)
  const metrics: BaselineMetric[] = []
  settings.metrics.forEach((m, c) => {
    const windows = finishWindows(fit, settings, c)
    const detectors = [...fitted.channels[c]!].sort((a, b) => (a.detector < b.detector ? -1 : 1))
    if (windows.length === 0 && detectors.length === 0) return
    const { count, mean, m2, min, max } = fit.samples[c]!
    const newest = segments.length === 0 ? new Float64Array(0) : meansOf(segments.at(-1)!, c)
    metrics.push({
      metric: m.metric,
      unit: m.unit,
      count,
      effectiveCount: sum(segments.map((segment) => effectiveCount(meansOf(segment, c)))),
      mean,
      sd: count > 1 ? Math.sqrt(m2 / (count - 1)) : 0,
      min,
      max,
      quantiles: quantilesOf(newest, QUANTILE_RATIOS),
      noise: noiseOf(newest).noise,
      wander: wanderOf(detectors),
      stepStatistic: stepStatistic(newest),
      detectableShift: detectableShift(detectors),
      windows,
      detectors,
      ...stated(m.metric),
    })
  })
  // Of no use unless every channel is known: what they look at is all of them together.
  const isWhole = metrics.length === settings.metrics.length
  return { metrics, rigDetectors: isWhole ? fitted.rig : [], rigMaxima: fitted.rigMaxima }
}

/** Cuts a table where silence is longer than `gapUs`, and longer stretches into segments; what is left over joins the last. */
export function cutSegments(
  table: StepTable,
  gapUs: Micros,
  cut: (from: number, to: number) => StepTable,
): StepTable[] {
  const segments: StepTable[] = []
  let from = 0
  for (let row = 1; row <= table.rows; row += 1) {
    const isEnd = row === table.rows || table.timeUs[row]! - table.timeUs[row - 1]! > gapUs
    if (!isEnd) continue
    const pieces = Math.max(1, Math.floor((row - from) / SEGMENT_STEPS))
    for (let k = 0; k < pieces; k += 1) {
      const start = from + k * SEGMENT_STEPS
      segments.push(cut(start, k === pieces - 1 ? row : start + SEGMENT_STEPS))
    }
    from = row
  }
  return segments.filter(({ rows }) => rows >= SEGMENT_STEPS_MIN)
}

/** What an older segment may be and still be used. */
export type SegmentBounds = Readonly<{ maxStepStatistic: number; maxContaminated: number }>

/**
 * Why a segment is not one of a rig at rest: a level moved within it, or samples lie apart from the rest; null when nothing
 * is odd. Such a segment says how the rig was on its way somewhere, or was touched, and not how it is.
 */
export function oddIn(segment: StepTable, { metrics }: RigSettings, bounds: SegmentBounds): string | null {
  for (let c = 0; c < metrics.length; c += 1) {
    const steps = meansOf(segment, c)
    const { metric } = metrics[c]!
    if (!(stepStatistic(steps) <= bounds.maxStepStatistic)) return `the level of ${metric} moved`
    const { noise } = noiseOf(steps)
    const share = outlierShare({ quantiles: quantilesOf(steps, QUANTILE_RATIOS), noise, count: steps.length })
    if (!(share <= bounds.maxContaminated)) return `samples of ${metric} lie apart from the rest`
  }
  return null
}

/** Growth of the level's variance a step, by the detector that measures it. */
function wanderOf(fits: readonly DetectorFit[]): number {
  const level = fits.find((fit) => fit.detector === 'level')
  return level?.numbers[2] ?? 0
}

/** Smallest lasting shift an event stream is sure to tell; 0 when none says. */
function detectableShift(fits: readonly DetectorFit[]): number {
  for (const { detector, use } of CHANNEL_STREAMS) {
    const fit = fits.find((f) => f.detector === detector.name)
    if (use === 'event' && fit !== undefined && detector.detectableShift !== undefined)
      return detector.detectableShift(fit.numbers, fit.limit)
  }
  return 0
}

function sum(values: readonly number[]): number {
  let total = 0
  for (const value of values) total += value
  return total
}
