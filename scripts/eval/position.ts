import { createPrng } from '../../shared/lib/prng.ts'
import type { Interval, Part } from './recording.ts'
import type { Watched } from './trial.ts'

/** Rows that are drawn together, so that what is between neighbours stays. */
export const BLOCK_ROWS = 20
/** Points by which alarms in place of a fault may exceed those in true normal rows. */
export const MARGIN_POINTS = 5

export type ResampleOrder = Readonly<{ own: Part; fault: Interval; seed: number }>

/**
 * Rows in place of a fault in which nothing is wrong: blocks drawn from the baseline of the run, each moved so that its
 * mean is that of the rows before the fault. Who alarms here looks at where rows are and not at what is in them.
 */
export function normalInPlaceOf({ own, fault, seed }: ResampleOrder): Float64Array[] {
  const { recording } = own
  const channels = recording.channels.length
  const levels = meansOf(recording.rows.slice(Math.max(0, fault.from - BLOCK_ROWS), fault.from), channels)
  const prng = createPrng(seed)
  const made: Float64Array[] = []
  while (made.length < fault.to - fault.from) {
    const first = own.from + prng.int(own.to - own.from - BLOCK_ROWS + 1)
    const block = recording.rows.slice(first, first + BLOCK_ROWS)
    const means = meansOf(block, channels)
    for (const row of block) made.push(row.map((value, c) => value - means[c]! + levels[c]!))
  }
  return made.slice(0, fault.to - fault.from)
}

/** Mean of every channel over the rows in which it has a value. */
function meansOf(rows: readonly Float64Array[], channels: number): Float64Array {
  return Float64Array.from({ length: channels }, (_, c) => {
    const values = rows.map((row) => row[c]!).filter((value) => !Number.isNaN(value))
    return values.reduce((sum, value) => sum + value, 0) / values.length
  })
}

/** The watched rows with every fault replaced; `firstRow` is the row of the recording that is watched first. */
export function withoutFaults(
  watched: Watched,
  { own, faults, seed, firstRow }: Omit<ResampleOrder, 'fault'> & { faults: readonly Interval[]; firstRow: number },
): Watched {
  const rows = [...watched.rows]
  for (const fault of faults)
    for (const [k, row] of normalInPlaceOf({ own, fault, seed }).entries()) rows[fault.from - firstRow + k] = row
  return { timesMs: watched.timesMs, rows }
}

/** Rows of one kind, and in how many of them an alarm stood. */
export type Share = Readonly<{ rows: number; alarmed: number }>
export type PositionRun = Readonly<{ resampled: Share; normal: Share; beforeFault: Share }>

/** Counts alarms of both runs: in place of the faults, in the truly normal rows, and in those before the first fault. */
export function positionRun(
  truth: Uint8Array,
  { original, replaced }: Readonly<{ original: Uint8Array; replaced: Uint8Array }>,
): PositionRun {
  const onset = truth.indexOf(1)
  const share = (alarm: Uint8Array, counts: (row: number) => boolean): Share => {
    const rows = Array.from(truth.keys()).filter(counts)
    return { rows: rows.length, alarmed: rows.filter((row) => alarm[row] === 1).length }
  }
  return {
    resampled: share(replaced, (row) => truth[row] === 1),
    normal: share(original, (row) => truth[row] === 0),
    beforeFault: share(original, (row) => truth[row] === 0 && (onset < 0 || row < onset)),
  }
}

/**
 * Whether alarms follow what is in the rows; with the shares in percent. Alarms in place of the faults are held against
 * those in all normal rows, and against those before the faults: what a fault leaves behind alarms normal rows too, and an
 * evaluator that looks at where rows are must not hide in that.
 */
export function positionCheck(runs: readonly PositionRun[]) {
  const pooled = (pick: (run: PositionRun) => Share): Share =>
    runs
      .map(pick)
      .reduce((a, b) => ({ rows: a.rows + b.rows, alarmed: a.alarmed + b.alarmed }), { rows: 0, alarmed: 0 })
  const percent = ({ rows, alarmed }: Share): number => (rows === 0 ? 0 : (100 * alarmed) / rows)
  const before = pooled((run) => run.beforeFault)
  const resampled = percent(pooled((run) => run.resampled))
  const normal = percent(pooled((run) => run.normal))
  // Where every fault stands at the first row there is nothing before it to compare with.
  const least = before.rows === 0 ? normal : Math.min(normal, percent(before))
  return {
    pass: resampled <= least + MARGIN_POINTS,
    far_in_place_of_faults: resampled,
    far_on_normal_rows: normal,
    far_before_fault: before.rows === 0 ? null : percent(before),
    margin_points: MARGIN_POINTS,
    runs: runs.length,
  }
}
