/** A recorded run as the corpus has it, labels included. Nothing of this type ever reaches the evaluator as it is. */
export type Recording = Readonly<{
  /** Path in the corpus, with forward slashes. */
  id: string
  timesMs: readonly number[]
  channels: readonly string[]
  /** A row for every time, a value for every channel; NaN where there is none. */
  rows: readonly Float64Array[]
  /** 1 where the labels say that something is wrong. */
  anomaly: Uint8Array
  /** 1 where the labels say that the state changes. */
  changepoint: Uint8Array
}>

/** Rows `from … to − 1` of a recording. */
export type Part = Readonly<{ recording: Recording; from: number; to: number }>

/** Rows of an interval that is labelled as one fault; `to` is behind its last row. */
export type Interval = Readonly<{ from: number; to: number }>

/** The labelled faults that begin at or behind a row. */
export function faultsOf(anomaly: Uint8Array, firstRow: number): Interval[] {
  const faults: Interval[] = []
  let from = -1
  for (let row = firstRow; row <= anomaly.length; row += 1) {
    const wrong = row < anomaly.length && anomaly[row] === 1
    if (wrong && from < 0) from = row
    if (!wrong && from >= 0) {
      faults.push({ from, to: row })
      from = -1
    }
  }
  return faults
}

/** Parts of equal length one behind the other; what is left at the end is in none. */
export function partsOf(recording: Recording, length: number): Part[] {
  const count = Math.floor(recording.rows.length / length)
  return Array.from({ length: count }, (_, k) => ({ recording, from: k * length, to: (k + 1) * length }))
}

/** Time of the first row of a part. */
export const beginMs = ({ recording, from }: Part): number => recording.timesMs[from]!

/** Time of the last row of a part. */
export const endMs = ({ recording, to }: Part): number => recording.timesMs[to - 1]!
