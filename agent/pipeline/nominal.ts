import type { RigConfig } from '../../shared/config/types.ts'
import type { BaselineSegment } from '../../shared/model/baseline.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import { type BaselineFit, createBaselineFit, fitSlide } from '../core/baseline-fit.ts'
import { cutSegments, type Nominal, SEGMENT_STEPS } from '../core/certify.ts'
import { recordSteps, type StepRecorder, tableOf } from '../core/detectors/replay-limits.ts'
import { type StepTable, sliceSteps } from '../core/detectors/steps.ts'
import { leafRows } from '../core/pane-tree.ts'
import { paneOf } from '../core/panes.ts'
import type { RigState } from '../core/state.ts'

/** Steps kept for a baseline: forty segments. Of more, the newest; what is older no longer says how the rig is. */
export const NOMINAL_STEPS_MAX = 40 * SEGMENT_STEPS
/** A longer silence ends a segment. */
export const SEGMENT_GAP_US: Micros = 10_000_000

/**
 * Verdicts that say that something was wrong. Having nothing to compare with is no alert; nothing being known is one, but
 * not while windows fill for the first time.
 */
const ALERTS: ReadonlySet<OverallVerdict> = new Set(['FAIL', 'NO_TEST', 'PASS_WITH_DRIFT'])

/** What is gathered of one rig, slide by slide, while its inputs are evaluated again. */
export type NominalRecorder = {
  readonly rig: RigState
  readonly config: RigConfig
  readonly fit: BaselineFit
  readonly steps: StepRecorder
  readonly alertsUs: Micros[]
  /** Whether anything was known of the rig yet. */
  known: boolean
  fromUs: Micros
  toUs: Micros
}

export function createNominalRecorder(rig: RigState, config: RigConfig, fit?: BaselineFit): NominalRecorder {
  const metrics = rig.settings.metrics.length
  return {
    rig,
    config,
    fit: fit ?? createBaselineFit(metrics, rig.settings.windowsUs.length),
    steps: { channels: metrics, rows: [] },
    alertsUs: [],
    known: false,
    fromUs: rig.closedUs,
    toUs: rig.closedUs,
  }
}

/** Takes in the slide that `rig` has just closed. */
export function recordSlide(recorder: NominalRecorder, verdict: OverallVerdict): void {
  const { rig, fit, steps } = recorder
  recorder.toUs = rig.closedUs
  fitSlide(fit, rig, leafRows(rig.tree, paneOf(rig.closedUs, rig.settings.slideUs) - 1))
  recorder.known ||= verdict !== 'NO_TEST'
  if (recorder.known && ALERTS.has(verdict)) recorder.alertsUs.push(rig.closedUs)
  if (rig.steps.row.mean.every(Number.isNaN)) return
  recordSteps(steps, rig.closedUs, rig.steps.row)
  if (steps.rows.length > 2 * NOMINAL_STEPS_MAX) steps.rows.splice(0, steps.rows.length - NOMINAL_STEPS_MAX)
}

/** Segments of one source of nominal data, and what a baseline's record says of each. */
export function segmentsOf(
  recorder: NominalRecorder,
  source: string,
): { segment: StepTable; about: BaselineSegment }[] {
  const whole = tableOf(recorder.steps)
  const table = sliceSteps(whole, Math.max(0, whole.rows - NOMINAL_STEPS_MAX), whole.rows)
  const cut = (from: number, to: number) => sliceSteps(table, from, to)
  return cutSegments(table, SEGMENT_GAP_US, cut).map((segment) => ({
    segment,
    about: aboutSegment(segment, recorder, source),
  }))
}

function aboutSegment(segment: StepTable, { alertsUs }: NominalRecorder, source: string): BaselineSegment {
  const { timeUs, rows } = segment
  const [fromUs, toUs] = [timeUs[0]!, timeUs[rows - 1]!]
  let gapUs = 0
  for (let row = 1; row < rows; row += 1) gapUs = Math.max(gapUs, timeUs[row]! - timeUs[row - 1]!)
  const alerts = alertsUs.filter((us) => us >= fromUs && us <= toUs).length
  return { source, fromUs, toUs, steps: rows, used: true, reason: '', gapUs, alerts }
}

/** Everything gathered from one or more sources, oldest first. */
export function nominalOf(recorder: NominalRecorder, segments: readonly StepTable[]): Nominal {
  return { settings: recorder.rig.settings, segments, fit: recorder.fit }
}
