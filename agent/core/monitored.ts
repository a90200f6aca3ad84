import type { Mode } from '../../shared/model/verdict.ts'
import { GOLDEN } from './detectors/golden.ts'
import type { MonitorSettings } from './detectors/monitor-settings.ts'
import { type Baseline, baselinesIn, eventBaseline, type MetricSettings, type RigSettings } from './settings.ts'

/** Rows before events are spoken of: the detectors' means must have filled. */
const WARM_UP_ROWS = 15

/** What the detectors of a rig are told in a mode: fits of the rolling baseline where there is one, and of the golden one for its level. Null when there is nothing to know. */
export function monitorSettings(settings: RigSettings, mode: Mode): MonitorSettings | null {
  const events = eventBaseline(settings, mode)
  if (events === null) return null
  const { baseline: golden } = baselinesIn(settings, mode)
  const channels = settings.metrics.map((metric) => [
    ...fitsOf(events, metric).filter(({ detector }) => detector !== GOLDEN.name),
    ...(golden === null ? [] : fitsOf(golden, metric).filter(({ detector }) => detector === GOLDEN.name)),
  ])
  if (channels.every((fits) => fits.length === 0)) return null
  return { channels, rig: isWholeRig(events, settings) ? events.rigDetectors : [], warmUpRows: WARM_UP_ROWS }
}

/** A baseline in another unit knows nothing of the metric. */
function fitsOf(baseline: Baseline, metric: MetricSettings) {
  const known = baseline.metrics.get(metric.metric)
  return known === undefined || known.unit !== metric.unit ? [] : known.detectors
}

/** Detectors of the whole rig are of use only when the channels are the very ones they were fitted to. */
function isWholeRig(baseline: Baseline, { metrics }: RigSettings): boolean {
  return (
    baseline.metrics.size === metrics.length && metrics.every((m) => baseline.metrics.get(m.metric)?.unit === m.unit)
  )
}

/**
 * How sure an event is: 1 − p, where p is the share of replayed nominal segments, the present one counted among them,
 * that came as far. It cannot exceed M ÷ (M + 1): few segments are little confidence, whatever the score.
 */
export function eventConfidence(baseline: Baseline, score: number): number {
  let asFar = 1
  for (const max of baseline.rigMaxima) if (max >= score) asFar += 1
  return 1 - asFar / (baseline.rigMaxima.length + 1)
}
