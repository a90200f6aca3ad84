import { MODES, type Mode } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import type { Slide } from './decide.ts'
import { arraysOfMonitor, createMonitor, eventOf, type Monitor, skipMonitor, stepMonitor } from './detectors/monitor.ts'
import { arraysOfSteps, clearSteps, feedSteps } from './detectors/step-feed.ts'
import type { StepRow } from './detectors/steps.ts'
import { eventConfidence } from './monitored.ts'
import { leafRows } from './pane-tree.ts'
import { paneOf } from './panes.ts'
import { forgetDepartures } from './persistence.ts'
import { isReplaced } from './replaced.ts'
import { eventBaseline } from './settings.ts'
import { monitorOf, type RigState } from './state.ts'

/** Hands the steps that the slide just closed has completed to the detectors. */
export function watchSlide(rig: RigState): void {
  const panes = leafRows(rig.tree, paneOf(rig.closedUs, rig.settings.slideUs) - 1)
  const stepped = feedSteps(rig.steps, panes, rig.closedUs)
  const monitor = monitorOf(rig)
  if (stepped && monitor !== null) stepMonitor(monitor, withoutReplaced(rig, rig.steps.row))
}

/** What detectors know of a sensor that was replaced says nothing about the new one: it has nothing new for them. */
function withoutReplaced({ settings, mode, replaced, closedUs }: RigState, row: StepRow): StepRow {
  const baseline = eventBaseline(settings, mode)
  if (replaced.size === 0 || baseline === null) return row
  const isOld = (metric: string): boolean => isReplaced({ replaced }, metric, { baseline, endUs: closedUs })
  return { ...row, mean: row.mean.map((mean, m) => (isOld(settings.metrics[m]!.metric) ? Number.NaN : mean)) }
}

/** Nobody saw what happened for a time: what was gathered belongs to no step, and what was known has grown old. */
export function skipSteps(rig: RigState, forUs: Micros): void {
  clearSteps(rig.steps)
  const monitor = monitorOf(rig)
  if (monitor !== null) skipMonitor(monitor, Math.floor(forUs / rig.settings.stepUs))
}

/** What the event streams say, and how sure it is; null while no detector watches. */
export function eventIn(rig: RigState): Slide['event'] {
  const monitor = monitorOf(rig)
  if (monitor === null) return null
  const { state, score } = eventOf(monitor)
  const baseline = eventBaseline(rig.settings, rig.mode)
  const confidence = state === 'alarm' && baseline !== null ? eventConfidence(baseline, score) : null
  return { state, score, confidence }
}

/** Lets the detectors of one evaluation know what those of another one of the same rig know. */
export function takeOverSteps(into: RigState, from: RigState): void {
  const arrays = (rig: RigState) => [
    ...arraysOfSteps(rig.steps),
    ...[...rig.monitors.values()].flatMap(arraysOfMonitor),
  ]
  const known = arrays(from)
  arrays(into).forEach((array, k) => {
    array.set(known[k]!)
  })
}

/**
 * The rig goes into another mode: what the detectors of that mode knew of it is from another time, so they begin anew at
 * the level of its baseline, and nothing is compared with a baseline before the rig has had time to settle.
 */
export function changeMode(rig: RigState, mode: Mode, nowUs: Micros): void {
  if (rig.mode === mode) return
  rig.mode = mode
  rig.settles[0] = nowUs + rig.settings.settleUs
  rig.settles[1] = MODES.indexOf(mode)
  clearSteps(rig.steps)
  rig.settings.metrics.forEach((_, m) => {
    forgetDepartures(rig, m)
  })
  const monitor = monitorOf(rig)
  if (monitor !== null) restartMonitor(monitor)
}

function restartMonitor(monitor: Monitor): void {
  const fresh = arraysOfMonitor(createMonitor(monitor.settings))
  arraysOfMonitor(monitor).forEach((array, k) => {
    array.set(fresh[k]!)
  })
}

/** Whether a slide ends before the rig has settled in its mode. */
export function isSettling({ settles }: RigState, endUs: Micros): boolean {
  return endUs <= settles[0]!
}
