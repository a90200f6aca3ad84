import { falseAlarmsOf } from './events.ts'
import type { IsRejected } from './history.ts'
import { beginMs, endMs, type Part, partsOf, type Recording } from './recording.ts'
import { BASELINE_ROWS } from './skab.ts'
import type { Segment, TrialOrder } from './trial.ts'

/** Rows of a slice of a run in which nothing is wrong, its own baseline included, and rows between two begins. */
const SLICE_ROWS = 1150
const SLICE_STEP = 400

/** A slice, as it is watched: every alarm in it is a false one. */
export type NormalSlice = Readonly<{ order: TrialOrder; part: Part }>

/** Which other rows of the run a slice may know: none, those in the past, or all that are not its own. */
export type Known = 'own' | 'earlier' | 'others'

export function slicesOf(recording: Recording, known: Known, isRejected: IsRejected): NormalSlice[] {
  const count = Math.max(0, Math.floor((recording.rows.length - SLICE_ROWS) / SLICE_STEP) + 1)
  return Array.from({ length: count }, (_, k) => {
    const from = k * SLICE_STEP
    const slice = { recording, from, to: from + SLICE_ROWS }
    const own = { recording, from, to: from + BASELINE_ROWS }
    const earlier = known === 'own' ? [] : segmentsBeside(slice, known, isRejected)
    return { order: { id: `${recording.id} ${from}`, own, earlier }, part: { ...slice, from: own.to } }
  })
}

/**
 * Parts of the run that have no row of the slice. Those behind it are moved in front of everything, for what a slice
 * knows is told in order of time; with `earlier` they are left out.
 */
function segmentsBeside(slice: Part, known: Known, isRejected: IsRejected): Segment[] {
  const { recording } = slice
  const whole = { recording, from: 0, to: recording.rows.length }
  const lengthMs = endMs(whole) - beginMs(whole) + 60_000
  const parts = partsOf(recording, BASELINE_ROWS).filter((part) => !isRejected(part))
  const before = parts.filter((part) => part.to <= slice.from)
  const behind = known === 'others' ? parts.filter((part) => part.from >= slice.to) : []
  return [...behind.map((part) => ({ part, shiftMs: -lengthMs })), ...before.map((part) => ({ part, shiftMs: 0 }))]
}

/** What was said of a slice: alarms, or null when the gate rejected its baseline. */
export type SliceAlarms = ReturnType<typeof falseAlarmsOf> | null

export const alarmsOfSlice = ({ part }: NormalSlice, alarm: Uint8Array): SliceAlarms =>
  falseAlarmsOf(part.recording.timesMs.slice(part.from, part.to), alarm)

/** False alarms an hour over all slices, with the count and the hours they come from. */
export function sumSlices(slices: readonly SliceAlarms[]) {
  const watched = slices.filter((slice) => slice !== null)
  const sum = (pick: (slice: NonNullable<SliceAlarms>) => number): number =>
    watched.reduce((total, slice) => total + pick(slice), 0)
  const hours = sum(({ hours }) => hours)
  const rows = sum(({ rows }) => rows)
  const alarms = sum(({ alarms }) => alarms)
  return {
    alarms_per_hour: hours === 0 ? null : Number((alarms / hours).toFixed(3)),
    ...{ alarms, hours: Number(hours.toFixed(3)), rows },
    rows_alarmed_percent: rows === 0 ? null : Number(((100 * sum(({ rowsAlarmed }) => rowsAlarmed)) / rows).toFixed(2)),
    ...{ slices: watched.length, slices_rejected: slices.length - watched.length },
  }
}
