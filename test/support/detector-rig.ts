import { isActive } from '../../agent/core/detectors/alarm.ts'
import { isLatched } from '../../agent/core/detectors/latches.ts'
import {
  arraysOfMonitor,
  createMonitor,
  eventOf,
  type Monitor,
  stepMonitor,
} from '../../agent/core/detectors/monitor.ts'
import { type Fitted, fitDetectors } from '../../agent/core/detectors/replay-limits.ts'
import { createStepRow, type StepRow, type StepTable } from '../../agent/core/detectors/steps.ts'
import { createPrng, noiseAt } from '../../shared/lib/prng.ts'

/** What one channel shows in a row; NaN for no step. */
export type Signal = (row: number) => number

/** White noise around a level, the same in whatever order rows are asked for. */
export function noisy(seed: number, level = 10, sd = 1): Signal {
  return (row) => level + sd * noiseAt(seed, 1, row)
}

/** Noise around a level that walks; rows 0 … `rows` − 1. */
export function walking(seed: number, { rows, step, sd = 1 }: { rows: number; step: number; sd?: number }): Signal {
  const prng = createPrng(seed)
  const values = new Float64Array(rows)
  let level = 10
  for (let row = 0; row < rows; row += 1) {
    level += step * prng.normal()
    values[row] = level + sd * prng.normal()
  }
  return (row) => values[row]!
}

/** A signal with something added from row `from` to before row `to`. */
export function faulty(signal: Signal, fault: Signal, from: number, to = Number.POSITIVE_INFINITY): Signal {
  return (row) => signal(row) + (row >= from && row < to ? fault(row - from) : 0)
}

export function stepTable(signals: readonly Signal[], from: number, to: number): StepTable {
  const channels = signals.length
  const mean = new Float64Array((to - from) * channels)
  for (let row = from; row < to; row += 1)
    signals.forEach((signal, c) => {
      mean[(row - from) * channels + c] = signal(row)
    })
  const timeUs = Float64Array.from({ length: to - from }, (_, k) => (from + k) * 1_000_000)
  return { channels, rows: to - from, timeUs, mean, min: mean, max: mean, first: mean, last: mean }
}

export function stepRow(signals: readonly Signal[], row: number): StepRow {
  const values = createStepRow(signals.length)
  signals.forEach((signal, c) => {
    for (const column of [values.mean, values.min, values.max, values.first, values.last]) column[c] = signal(row)
  })
  return values
}

/** Rows of a baseline, and so where watching begins. */
export const BASELINE_ROWS = 400

export function monitorOf({ channels, rig }: Fitted, warmUpRows = 0): Monitor {
  return createMonitor({ channels, rig, warmUpRows })
}

/**
 * A monitor that knows rows 0 … 399 of its signals, and of others before them. Channels by themselves: without the stream
 * that watches how they hang together.
 */
export function fittedMonitor(signals: readonly Signal[], before: readonly StepTable[] = []): Monitor {
  const { rig, ...fitted } = fitDetectors([...before, stepTable(signals, 0, BASELINE_ROWS)], signals.length)
  return monitorOf({ ...fitted, rig: rig.filter(({ detector }) => detector === 'level_support') })
}

/** Stretches of rows in which a stream was in alarm, ends included, and what drove it in the first row. */
export type Stretch = { from: number; to: number; driver: number }

/** Watches rows and tells when the event streams were in alarm. */
export function watch(monitor: Monitor, signals: readonly Signal[], from: number, to: number): Stretch[] {
  return stretches(from, to, (row) => {
    stepMonitor(monitor, stepRow(signals, row))
    const event = eventOf(monitor)
    return event.state === 'alarm' ? event.channel : null
  })
}

/** Watches rows and tells when one channel was in alarm in one stream. */
export function watchStream(
  monitor: Monitor,
  signals: readonly Signal[],
  { stream, channel = 0, from, to }: { stream: string; channel?: number; from: number; to: number },
): Stretch[] {
  const of = monitor.channels.find(({ stream: { detector } }) => detector.name === stream)!
  return stretches(from, to, (row) => {
    stepMonitor(monitor, stepRow(signals, row))
    return isActive(of.latches) && isLatched(of.latches, channel) ? channel : null
  })
}

function stretches(from: number, to: number, driverIn: (row: number) => number | null): Stretch[] {
  const found: Stretch[] = []
  let before = false
  for (let row = from; row < to; row += 1) {
    const driver = driverIn(row)
    if (driver !== null && before) found.at(-1)!.to = row
    else if (driver !== null) found.push({ from: row, to: row, driver })
    before = driver !== null
  }
  return found
}

/** Everything a monitor remembers, as one row of doubles. */
export function stateOf(monitor: Monitor): number[] {
  return arraysOfMonitor(monitor).flatMap((array) => [...array])
}
