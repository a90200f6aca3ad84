import type { Canonical } from '../../shared/model/decision.ts'
import { arraysOfMonitor } from './detectors/monitor.ts'
import { arraysOfSteps } from './detectors/step-feed.ts'
import { arraysOfMismatches } from './mismatch.ts'
import { createOpenSamples, type OpenSamples, ownLast, pushRun } from './open-samples.ts'
import { arraysOfOrigins } from './origins.ts'
import { arraysOfPersistence } from './persistence.ts'
import type { RigState } from './state.ts'

/** What an evaluation of a rig has joined and still has open: what the first and the slower one each have of their own. */
export type WindowsSnapshot = [
  arrays: Uint8Array[],
  panes: Uint8Array,
  samples: Canonical[],
  levels: [Uint8Array, Uint8Array][],
]

export function snapshotWindows(rig: RigState): WindowsSnapshot {
  return [
    ownArrays(rig).map(bytesOf),
    bytesOf(rig.panes.rows),
    rig.panes.samples.map(snapshotSamples),
    rig.tree.levels.map((level) => [bytesOf(level.rows), level.digests.slice()]),
  ]
}

/** Fills a fresh rig. @returns false when the value is of another shape; the rig is then of no use. */
export function restoreWindows(rig: RigState, [arrays, panes, samples, levels]: WindowsSnapshot): boolean {
  const wholes: [ArrayBufferView, Uint8Array | undefined][] = [
    ...ownArrays(rig).map((view, k): [ArrayBufferView, Uint8Array | undefined] => [view, arrays[k]]),
    [rig.panes.rows, panes],
    ...rig.tree.levels.flatMap((level, k): [ArrayBufferView, Uint8Array | undefined][] => [
      [level.rows, levels[k]?.[0]],
      [level.digests, levels[k]?.[1]],
    ]),
  ]
  for (const [into, bytes] of wholes) if (!fill(into, bytes)) return false
  if (samples.length !== rig.panes.samples.length) return false
  for (let m = 0; m < samples.length; m += 1) {
    const open = restoreSamples(samples[m]!)
    if (open === null) return false
    rig.panes.samples[m] = open
  }
  return true
}

function ownArrays(rig: RigState): ArrayBufferView[] {
  return [
    rig.newestSeenUs,
    rig.newestUs,
    rig.invalidPane,
    rig.departures,
    rig.firstUs,
    rig.settles,
    ...arraysOfPersistence(rig.persistence),
    ...arraysOfMismatches(rig.mismatches),
    ...arraysOfSteps(rig.steps),
    ...[...rig.monitors.values()].flatMap(arraysOfMonitor),
    ...(rig.origins === null ? [] : arraysOfOrigins(rig.origins)),
  ]
}

/**
 * `[times, values, runs, grows]`, runs in order of arrival as bytes: count, seq and source of each. As items they would be
 * millions. `grows` says whether the last one still takes samples.
 */
function snapshotSamples(open: OpenSamples): Canonical {
  const time = new Float64Array(open.length)
  const value = new Float64Array(open.length)
  let at = 0
  for (const run of open.runs) {
    time.set(run.time.subarray(run.timeAt, run.timeAt + run.count), at)
    value.set(run.value.subarray(run.valueAt, run.valueAt + run.count), at)
    at += run.count
  }
  const runs = Float64Array.from(open.runs.flatMap(({ count, seq, source }) => [count, seq, source]))
  return [bytesOf(time), bytesOf(value), bytesOf(runs), open.runs[open.runs.length - 1]?.own === true]
}

function restoreSamples(snapshot: Canonical): OpenSamples | null {
  const [timeBytes, valueBytes, runBytes, grows] = snapshot as [Uint8Array, Uint8Array, Uint8Array, boolean]
  const runs = new Float64Array(runBytes.length / 8)
  const time = new Float64Array(timeBytes.length / 8)
  const value = new Float64Array(time.length)
  if (!fill(time, timeBytes) || !fill(value, valueBytes) || !fill(runs, runBytes)) return null
  const open = createOpenSamples()
  for (let k = 0; k + 2 < runs.length; k += 3) {
    const [count, seq, source] = [runs[k]!, runs[k + 1]!, runs[k + 2]!]
    pushRun(open, { time, value, timeAt: open.length, valueAt: open.length, seq, source }, count)
  }
  if (open.length !== time.length) return null
  if (grows) ownLast(open)
  return open
}

/** The bytes of a typed array, copied. Every platform the agent is built for is little-endian. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice()
}

/** @returns false when the bytes are not of the length of the array. */
export function fill(into: ArrayBufferView, bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined || bytes.length !== into.byteLength) return false
  new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes)
  return true
}
