import type { Micros } from '../../shared/units.ts'
import type { Slide } from './decide.ts'
import { arraysOfMonitor, eventOf, skipMonitor, stepMonitor } from './detectors/monitor.ts'
import { arraysOfSteps, clearSteps, feedSteps } from './detectors/step-feed.ts'
import { eventConfidence } from './monitored.ts'
import { leafRows } from './pane-tree.ts'
import { paneOf } from './panes.ts'
import { isReplaced } from './replaced.ts'
import type { RigState } from './state.ts'

/** Hands the steps that the slide just closed has completed to the detectors. */
export function watchSlide(rig: RigState): void {
  const panes = leafRows(rig.tree, paneOf(rig.closedUs, rig.settings.slideUs) - 1)
  const stepped = feedSteps(rig.steps, panes, rig.closedUs)
  dropReplaced(rig)
  if (stepped && rig.monitor !== null) stepMonitor(rig.monitor, rig.steps.row)
}

/** What detectors know of a sensor that was replaced says nothing about the new one: it has nothing new for them. */
function dropReplaced(rig: RigState): void {
  const baseline = rig.settings.rolling ?? rig.settings.baseline
  if (rig.replaced.size === 0 || baseline === null) return
  rig.settings.metrics.forEach(({ metric }, m) => {
    if (isReplaced(rig, metric, baseline, rig.closedUs)) rig.steps.row.mean[m] = Number.NaN
  })
}

/** Nobody saw what happened for a time: what was gathered belongs to no step, and what was known has grown old. */
export function skipSteps(rig: RigState, forUs: Micros): void {
  clearSteps(rig.steps)
  if (rig.monitor !== null) skipMonitor(rig.monitor, Math.floor(forUs / rig.settings.stepUs))
}

/** What the event streams say, and how sure it is; null while no detector watches. */
export function eventIn(rig: RigState): Slide['event'] {
  if (rig.monitor === null) return null
  const { state, score } = eventOf(rig.monitor)
  const baseline = rig.settings.rolling ?? rig.settings.baseline
  const confidence = state === 'alarm' && baseline !== null ? eventConfidence(baseline, score) : null
  return { state, score, confidence }
}

/** Lets the detectors of one evaluation know what those of another one of the same rig know. */
export function takeOverSteps(into: RigState, from: RigState): void {
  const arrays = (rig: RigState) => [
    ...arraysOfSteps(rig.steps),
    ...(rig.monitor === null ? [] : arraysOfMonitor(rig.monitor)),
  ]
  const known = arrays(from)
  arrays(into).forEach((array, k) => {
    array.set(known[k]!)
  })
}
