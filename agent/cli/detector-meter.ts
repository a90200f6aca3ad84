import { systemClock } from '../../shared/lib/clock.ts'
import { arraysOfMonitor, createMonitor, type Monitor, stepMonitor } from '../core/detectors/monitor.ts'
import { recordSteps, type StepRecorder, tableOf } from '../core/detectors/replay-limits.ts'
import { createStepRow, type StepRow, type StepTable } from '../core/detectors/steps.ts'
import { monitorOf, type RigState } from '../core/state.ts'

/** Rows that are kept to measure on; rounds, and how long one lasts. */
const ROWS_MAX = 1024
const ROUNDS = 5
const ROUND_US = 80_000

/** Measures what the detectors cost, on rows that they were given. */
export type DetectorMeter = Readonly<{
  /** Keeps the row of the slide that was just closed. */
  see(rig: RigState): void
  /** Time a value, and bytes of state and fit a channel. Runs a fresh copy: the rig's own detectors are not touched. */
  measure(rig: RigState): { ns_per_value: number; bytes_per_channel: number; channels: number; rows: number }
}>

export function createDetectorMeter(): DetectorMeter {
  let recorder: StepRecorder | null = null
  return {
    see(rig) {
      recorder ??= { channels: rig.settings.metrics.length, rows: [] }
      if (recorder.rows.length >= ROWS_MAX || rig.steps.row.mean.every(Number.isNaN)) return
      recordSteps(recorder, rig.closedUs, rig.steps.row)
    },
    measure(rig) {
      const channels = rig.settings.metrics.length
      const watching = monitorOf(rig)
      const rows = recorder?.rows ?? []
      if (watching === null || rows.length === 0) return { ns_per_value: 0, bytes_per_channel: 0, channels, rows: 0 }
      const monitor = createMonitor(watching.settings)
      const bytes =
        arraysOfMonitor(monitor).reduce((sum, array) => sum + array.byteLength, 0) +
        8 *
          [...watching.settings.channels.flat(), ...watching.settings.rig].reduce((n, fit) => n + fit.numbers.length, 0)
      return {
        ns_per_value: leastNsPerValue(monitor, tableOf({ channels, rows })),
        bytes_per_channel: bytes / channels,
        channels,
        rows: rows.length,
      }
    },
  }
}

/**
 * Runs the rows through the detectors over and over, in one row that is written over as in a rig; the least of some
 * rounds, because whatever else the machine does only adds to it.
 */
function leastNsPerValue(monitor: Monitor, table: StepTable): number {
  const clock = systemClock()
  const row = createStepRow(table.channels)
  let least = Number.POSITIVE_INFINITY
  // The first round warms the compiler and is not looked at.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const beganUs = clock.monotonicUs()
    let values = 0
    while (clock.monotonicUs() - beganUs < ROUND_US) {
      for (let k = 0; k < table.rows; k += 1) {
        copyStep(table, k, row)
        stepMonitor(monitor, row)
      }
      values += table.rows * table.channels
    }
    const ns = ((clock.monotonicUs() - beganUs) * 1000) / values
    if (round > 0) least = Math.min(least, ns)
  }
  return least
}

function copyStep(table: StepTable, k: number, row: StepRow): void {
  for (let c = 0, at = k * table.channels; c < table.channels; c += 1, at += 1) {
    row.mean[c] = table.mean[at]!
    row.min[c] = table.min[at]!
    row.max[c] = table.max[at]!
    row.first[c] = table.first[at]!
    row.last[c] = table.last[at]!
  }
}
