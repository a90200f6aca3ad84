import { MOMENTS_FIELDS } from '../../shared/math/moments.ts'
import type { BaselineWindow } from '../../shared/model/baseline.ts'
import { isFilled } from './judge.ts'
import type { RigSettings } from './settings.ts'
import type { RigState } from './state.ts'

/**
 * How many windows that do not overlap a baseline must hold before a window width may be compared with it. Below that
 * the spread of window means is a guess.
 */
export const INDEPENDENT_WINDOWS_MIN = 10
/** A limit is never nearer than this many spreads, whatever the quiet of the data it was made from. */
export const LIMIT_SPREADS_MIN = 5
/** The largest departure seen while nothing was wrong, times this, is still tolerated. */
export const LIMIT_MARGIN = 1.5

/** Running level and spread of the means of one window width of one metric, by Welford's recursion. */
export type MeanFit = {
  windows: number
  mean: number
  m2: number
  min: number
  max: number
  firstUs: number
  lastUs: number
}

/** What is gathered of one rig while a nominal recording is replayed: a fit a metric and window, and the samples' extent. */
export type BaselineFit = {
  readonly fits: MeanFit[]
  readonly windows: number
  readonly samples: { count: number; mean: number; m2: number; min: number; max: number }[]
}

export function createBaselineFit(metrics: number, windows: number): BaselineFit {
  return {
    windows,
    fits: Array.from({ length: metrics * windows }, () => ({
      windows: 0,
      mean: 0,
      m2: 0,
      min: 0,
      max: 0,
      firstUs: 0,
      lastUs: 0,
    })),
    samples: Array.from({ length: metrics }, () => ({ count: 0, mean: 0, m2: 0, min: 0, max: 0 })),
  }
}

/** Takes in the slide that was just closed: the mean of every filled window, and the samples of the newest pane. */
export function fitSlide(fit: BaselineFit, rig: RigState, pane: Float64Array): void {
  rig.settings.metrics.forEach((m, index) => {
    const at = index * MOMENTS_FIELDS
    for (const w of m.windows) {
      const widthUs = rig.settings.windowsUs[w]!
      const rows = rig.windowRows[w]!
      if (
        rig.closedUs - Math.max(rig.originUs, rig.firstUs[index]!) < widthUs ||
        rows[at + 7]! > 0 ||
        !isFilled(m, widthUs, rows[at]!)
      )
        continue
      addMean(fit.fits[index * fit.windows + w]!, rows[at + 1]!, rig.closedUs)
    }
    joinSamples(fit.samples[index]!, pane, at)
  })
}

/** Level, spread and limit of the window means of one metric, for every width that was seen often enough. */
export function finishWindows(fit: BaselineFit, settings: RigSettings, metric: number): BaselineWindow[] {
  const windows: BaselineWindow[] = []
  for (const w of settings.metrics[metric]!.windows) {
    const widthUs = settings.windowsUs[w]!
    const f = fit.fits[metric * fit.windows + w]!
    if (!(f.windows >= 2 && f.lastUs - f.firstUs + widthUs >= INDEPENDENT_WINDOWS_MIN * widthUs)) continue
    const spread = Math.sqrt(f.m2 / (f.windows - 1))
    const worst = spread > 0 ? Math.max(f.max - f.mean, f.mean - f.min) / spread : 0
    windows.push({
      widthUs,
      windows: f.windows,
      mean: f.mean,
      spread,
      min: f.min,
      max: f.max,
      limit: Math.max(LIMIT_SPREADS_MIN, worst * LIMIT_MARGIN),
    })
  }
  return windows
}

function addMean(f: MeanFit, mean: number, atUs: number): void {
  if (f.windows === 0) {
    f.min = mean
    f.max = mean
    f.firstUs = atUs
  }
  f.windows += 1
  const delta = mean - f.mean
  f.mean += delta / f.windows
  f.m2 += delta * (mean - f.mean)
  if (mean < f.min) f.min = mean
  if (mean > f.max) f.max = mean
  f.lastUs = atUs
}

function joinSamples(
  s: { count: number; mean: number; m2: number; min: number; max: number },
  pane: Float64Array,
  at: number,
): void {
  const n = pane[at]!
  if (n === 0) return
  const count = s.count + n
  const delta = pane[at + 1]! - s.mean
  s.m2 += pane[at + 2]! + (delta * delta * s.count * n) / count
  s.mean += (delta * n) / count
  s.min = s.count === 0 ? pane[at + 3]! : Math.min(s.min, pane[at + 3]!)
  s.max = s.count === 0 ? pane[at + 4]! : Math.max(s.max, pane[at + 4]!)
  s.count = count
}
