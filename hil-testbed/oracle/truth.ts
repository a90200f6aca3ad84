/** Truth of a plant over a run: times from its start, and a value of every signal at each; NaN where there is none. */
export type Trace = Readonly<{
  tUs: Float64Array
  signals: ReadonlyMap<string, Float64Array>
  /** Usual time between two rows. */
  stepUs: number
}>

/** A hole of more rows than this is not bridged: what was in it is unknown. */
const HOLE_STEPS = 3

/**
 * Reads `truth.csv`: `t_us` and the signals, one row a quantum. What is no number is NaN, and so is one row in the middle of
 * a hole. A last line without its end was not written to the end and is left out.
 *
 * @returns null when it is no such table, or its times do not rise
 */
export function traceOf(text: string, stepUs: number): Trace | null {
  const [header, ...lines] = text.split('\n').slice(0, -1)
  const [time, ...names] = (header ?? '').split(',')
  if (time !== 't_us' || new Set(names).size !== names.length) return null
  const rows: number[][] = []
  for (const line of lines) {
    const cells = line.split(',')
    const row = [...names, time].map((_, k) => numberOf(cells[k]))
    const before = rows.at(-1)?.[0] ?? Number.NEGATIVE_INFINITY
    const at = row[0]!
    if (!(at > before)) return null
    if (at - before > HOLE_STEPS * stepUs && rows.length > 0)
      rows.push([(before + at) / 2, ...names.map(() => Number.NaN)])
    rows.push(row)
  }
  const columns = names.map((name, k) => [name, Float64Array.from(rows, (row) => row[k + 1]!)] as const)
  return { tUs: Float64Array.from(rows, (row) => row[0]!), signals: new Map(columns), stepUs }
}

function numberOf(cell: string | undefined): number {
  return cell === undefined || cell.trim() === '' ? Number.NaN : Number(cell)
}

/** Whether a trace goes on to a time, give or take a hole. */
export function reaches({ tUs, stepUs }: Trace, untilUs: number): boolean {
  return tUs.length > 0 && tUs.at(-1)! >= untilUs - HOLE_STEPS * stepUs
}
