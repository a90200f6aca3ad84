import { systemClock } from '../../shared/lib/clock.ts'
import { arraysOfMonitor, createMonitor, stepMonitor } from '../core/detectors/monitor.ts'
import { recordSteps, type StepRecorder } from '../core/detectors/replay-limits.ts'
import { monitorOf, type RigState } from '../core/state.ts'

/** Rows that are kept to measure on, and for how long they are run over and over. */
const ROWS_MAX = 1024
const MEASURE_US = 200_000

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
      const clock = systemClock()
      let values = 0
      let spentUs = 0
      // The first time round warms the compiler.
      for (let round = 0; round < 2 || spentUs < MEASURE_US; round += 1) {
        const beganUs = clock.monotonicUs()
        for (const { row } of rows) stepMonitor(monitor, row)
        if (round === 0) continue
        spentUs += Math.max(1, clock.monotonicUs() - beganUs)
        values += rows.length * channels
      }
      return {
        ns_per_value: (spentUs * 1000) / values,
        bytes_per_channel: bytes / channels,
        channels,
        rows: rows.length,
      }
    },
  }
}
