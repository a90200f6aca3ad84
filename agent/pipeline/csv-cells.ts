import { type Header, numberOf } from '../../shared/codec/recording-text.ts'
import { VALUE_MAX } from '../core/settings.ts'

/**
 * Share of a channel's cells that may be no numbers; past it the recording is refused. What is left out at random by a
 * logger that stumbles is less than this; more is a column that says something else, and the rest of it would be judged as
 * if it were all there is.
 */
export const NOT_NUMBERS_SHARE_MAX = 0.01
/** The same of rows that have other cells than the header: nobody knows which column their cells belong to. */
export const RAGGED_SHARE_MAX = 0.01
/** Lines that are named of those in which something was wrong. */
export const LINES_NAMED_MAX = 3
/** Characters that are shown of a cell. */
const CELL_SHOWN_MAX = 40

/** A number whose decimal mark is a comma that nobody declared. */
const DECIMAL_COMMA = /^[+-]?\d*,\d+([eE][+-]?\d+)?$/

/**
 * What was counted, in which lines it stood first, and the first of it as it was written. `commas`: how many of them are
 * what a decimal comma makes of good numbers.
 */
export type Faults = Readonly<{ count: number; lines: readonly number[]; found: string; commas: number }>

/** Cells of one channel. A blank one is missing: it is no sample, and nothing is wrong with it. */
export type ColumnCells = Readonly<{ column: string; cells: number; blank: number; notNumbers: Faults }>

/** What the rows of a recording were made of. A ragged row is not taken, and counts in no column. */
export type CellCount = Readonly<{ rows: number; ragged: Faults; columns: readonly ColumnCells[] }>

/** The worst of what is too much. `column` is null for ragged rows. */
export type TooMuch = Readonly<{ column: string | null; faults: Faults; of: number; atMost: number }>

type Counting = { count: number; lines: number[]; found: string; commas: number }
type CountedColumn = { column: number; name: string; cells: number; blank: number; notNumbers: Counting }

/** `channels`: columns that feed a metric. */
type Counted = Pick<Header, 'names' | 'channels' | 'delimiter'>

/** Counts rows one by one. */
export function createCellCounter({ names, channels, delimiter }: Counted) {
  const width = names.length
  const ragged = nothing()
  const columns = channels.map((of): CountedColumn => ({ ...of, cells: 0, blank: 0, notNumbers: nothing() }))
  let rows = 0
  return {
    /** @returns false for a ragged row */
    take(cells: readonly string[], line: number): boolean {
      rows += 1
      if (cells.length < width || cells.slice(width).some((cell) => !isBlank(cell))) {
        note(ragged, line, `${cells.length} cells under ${width} columns`)
        // `1,5` between commas is two cells, and so is every number like it.
        if (delimiter === ',' && cells.length > width) ragged.commas += 1
        return false
      }
      for (const of of columns) {
        const cell = cells[of.column]!
        of.cells += 1
        if (isBlank(cell)) of.blank += 1
        else if (!isUsable(numberOf(cell))) {
          note(of.notNumbers, line, cell.trim())
          if (DECIMAL_COMMA.test(cell.trim())) of.notNumbers.commas += 1
        }
      }
      return true
    },
    finish: (): CellCount => ({
      ...{ rows, ragged },
      columns: columns.map(({ name, cells, blank, notNumbers }) => ({ column: name, cells, blank, notNumbers })),
    }),
  }
}

/** What a recording is refused for, or null. Of several channels the one of which most is wrong. */
export function tooMuchOf({ rows, ragged, columns }: CellCount): TooMuch | null {
  const shareOf = ({ faults, of }: TooMuch): number => (of === 0 ? 0 : faults.count / of)
  const all: TooMuch[] = [
    { column: null, faults: ragged, of: rows, atMost: RAGGED_SHARE_MAX },
    ...columns.map(({ column, cells, blank, notNumbers }) => ({
      ...{ column, faults: notNumbers, of: cells - blank, atMost: NOT_NUMBERS_SHARE_MAX },
    })),
  ]
  const past = all.filter((one) => shareOf(one) > one.atMost)
  return past.sort((a, b) => shareOf(b) - shareOf(a))[0] ?? null
}

/** Whether what was found looks like numbers with a decimal comma, and what to do then; null when it does not. */
export function commaHint({ count, commas }: Faults): string | null {
  if (count === 0 || 2 * commas < count) return null
  return 'is the comma a decimal mark? `--decimal comma` declares it; `;` or a tab then stands between cells'
}

/** Lines that are named, and that there are more. */
export const linesText = ({ count, lines }: Pick<Faults, 'count' | 'lines'>): string =>
  `${lines.join(', ')}${count > lines.length ? ', …' : ''}`

/** Whether the evaluator takes it: what is beyond its bound is no number to it either. */
const isUsable = (value: number): boolean => Math.abs(value) <= VALUE_MAX

const isBlank = (cell: string): boolean => cell.trim() === ''

const nothing = (): Counting => ({ count: 0, lines: [], found: '', commas: 0 })

function note(counting: Counting, line: number, found: string): void {
  if (counting.count === 0) counting.found = found.slice(0, CELL_SHOWN_MAX)
  counting.count += 1
  if (counting.lines.length < LINES_NAMED_MAX) counting.lines.push(line)
}
