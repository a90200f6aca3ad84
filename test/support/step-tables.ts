import type { StepTable } from '../../agent/core/detectors/steps.ts'

/** Rows of detector steps of which only the means matter; NaN for a channel without a step. */
export function stepTable(rows: readonly (readonly number[])[]): StepTable {
  const mean = Float64Array.from(rows.flat())
  const channels = rows[0]?.length ?? 0
  const timeUs = Float64Array.from(rows, (_, row) => row * 1_000_000)
  return { channels, rows: rows.length, timeUs, mean, min: mean, max: mean, first: mean, last: mean }
}
