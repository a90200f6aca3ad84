import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EvaluationError } from './evaluation-error.ts'
import type { Recording } from './recording.ts'

const FIT = 'd00.dat'
const NORMAL = 'd00_te.dat'
/** Row at which the fault begins in every test file. */
export const FAULT_ROW = 160
/** Time between two rows of the plant; they are shown a second apart. */
export const ROW_S = 180
/** Test files were not recorded in one with what is fitted on; an hour behind its begin is behind its end. */
const BEHIND_FIT_MS = 3_600_000
/** Faults that no published method tells from normal; the mean of the others is what is compared. */
const NOT_COUNTED = new Set([3, 9, 15])

export type TepCorpus = Readonly<{
  /** Normal operation: all there is to fit on. */
  fit: Recording
  /** Normal operation: where every alarm is a false one. */
  normal: Recording
  faults: readonly Readonly<{ number: number; counted: boolean; recording: Recording }>[]
}>

/** Reads what a split names. @throws EvaluationError 65 for a file that is none of the layout, 66 for a missing one */
export function readTep(folder: string, score: readonly string[]): TepCorpus {
  const missing = [FIT, NORMAL, ...score].filter((file) => !existsSync(join(folder, file)))
  if (missing.length > 0)
    throw new EvaluationError(66, `no corpus: ${folder} has no ${missing.join(', ')} (layout tep); nothing was scored`)
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  const faults = score.flatMap((file) => {
    const number = Number(/^d(\d\d)_te\.dat$/.exec(file)?.[1] ?? Number.NaN)
    if (!Number.isInteger(number)) throw new EvaluationError(65, `${file} is no name of a test file (d01_te.dat)`)
    // The normal run is scored in any case; it is no fault.
    if (number === 0) return []
    const recording = parseTep(file, read(file), { faultRow: FAULT_ROW, beginMs: BEHIND_FIT_MS })
    return [{ number, counted: !NOT_COUNTED.has(number), recording }]
  })
  const normal = parseTep(NORMAL, read(NORMAL), { beginMs: BEHIND_FIT_MS })
  return { fit: parseTep(FIT, read(FIT), {}), normal, faults }
}

/**
 * Numbers between blanks. A table that has fewer lines than columns is one with a line for every channel, as `d00.dat`
 * is. The samples have no time; a second a row stands for the three minutes.
 */
export function parseTep(
  id: string,
  text: string,
  { faultRow = Number.POSITIVE_INFINITY, beginMs = 0 }: Readonly<{ faultRow?: number; beginMs?: number }>,
): Recording {
  const table = text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const width = table[0]?.length ?? 0
  if (width === 0 || table.some((line) => line.length !== width || line.some((value) => Number.isNaN(value))))
    throw new EvaluationError(65, `${id}: not a table of numbers with equally many in every line`)
  const transposed = table.length < width
  const rows = transposed
    ? Array.from({ length: width }, (_, row) => Float64Array.from(table, (line) => line[row]!))
    : table.map((line) => Float64Array.from(line))
  const channels = Array.from({ length: rows[0]!.length }, (_, at) => `x${String(at + 1).padStart(2, '0')}`)
  return {
    id,
    channels,
    rows,
    timesMs: rows.map((_, row) => beginMs + row * 1000),
    anomaly: Uint8Array.from(rows, (_, row) => (row >= faultRow ? 1 : 0)),
    changepoint: Uint8Array.from(rows, (_, row) => (row === faultRow ? 1 : 0)),
  }
}
