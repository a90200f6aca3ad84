import { momentsAt } from '../../shared/math/moments.ts'
import type { MetricVerdict, OverallVerdict } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import type { Slide } from './decide.ts'
import { isFilled, type Judgement } from './judge.ts'
import { metricsIn } from './settings.ts'
import type { RigState } from './state.ts'

/** A window of a metric at the end of a slide; zeros where it holds nothing. */
export type WindowFacts = Readonly<{ windowUs: Micros; filled: boolean; mean: number; min: number; max: number }>

/** What was found of a metric: `newestUs` is the event time of its newest sample, −1 for none. */
export type MetricFacts = Readonly<{ verdict: MetricVerdict; newestUs: Micros; windows: readonly WindowFacts[] }>

/**
 * What gates may look at between two slides: the newest one as it was decided. It is part of the state, because an action is
 * released by an input of its own, and a restart in between must not make it another decision (SE-09).
 */
export type LastSlide = Readonly<{
  endUs: Micros
  verdict: OverallVerdict
  event: 'warming_up' | 'nominal' | 'alarm' | null
  /** In the order of the rig's metrics. */
  metrics: readonly MetricFacts[]
}>

/** Call before the next slide is closed: windows are there only until then. */
export function lastSlideOf(rig: RigState, slide: Slide, judgements: readonly Judgement[]): LastSlide {
  const { settings } = rig
  const metrics = metricsIn(settings, slide.mode).map((metric, m): MetricFacts => {
    const windows = metric.windows.map((w): WindowFacts => {
      const windowUs = settings.windowsUs[w]!
      const row = momentsAt(rig.windowRows[w]!, m)
      if (row.count === 0) return { windowUs, filled: false, mean: 0, min: 0, max: 0 }
      const { mean, min, max } = row
      return { windowUs, filled: isFilled(metric, windowUs, row.count), mean, min, max }
    })
    return { verdict: judgements[m]!.verdict, newestUs: rig.newestUs[m]!, windows }
  })
  return { endUs: slide.endUs, verdict: slide.verdict, event: slide.event?.state ?? null, metrics }
}
