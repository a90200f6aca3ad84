import { type CellCount, commaHint, type Faults, linesText } from '../pipeline/csv-cells.ts'

/** What the cells of one recording were. */
export type CellsOfFile = Readonly<{ file: string; cells: CellCount }>

/** Whatever was left out, in words: nothing is passed over in silence. Quiet when every cell is a number. */
export function cellLines({ file, cells }: CellsOfFile): string[] {
  const { rows, ragged, columns } = cells
  const blank = columns.filter((column) => column.blank > 0).map((column) => `${column.column} ${column.blank}`)
  const wrong = columns.filter(({ notNumbers }) => notNumbers.count > 0)
  return [
    ...(ragged.count === 0 ? [] : [`${file}: ${ragged.count} of ${rows} rows not taken (${whereOf(ragged)})`]),
    ...wrong.map(
      ({ column, cells, notNumbers: faults }) =>
        `${file}: ${column}: ${faults.count} of ${cells} cells are no numbers (${whereOf(faults)})`,
    ),
    ...(blank.length === 0 ? [] : [`${file}: blank cells, where nothing was measured: ${blank.join(', ')}`]),
  ]
}

/** The same beside the reason why there is no baseline: the cells may be the cause of it. */
export function cellsContext(files: readonly CellsOfFile[]): Readonly<{ cells?: string }> {
  const lines = files.flatMap(cellLines)
  return lines.length === 0 ? {} : { cells: lines.join('; ') }
}

function whereOf(faults: Faults): string {
  const hint = commaHint(faults)
  const where = `${faults.count === 1 ? 'line' : 'lines'} ${linesText(faults)}: ${JSON.stringify(faults.found)}`
  return hint === null ? where : `${where}; ${hint}`
}

/** The same for programs; of the columns those in which a cell was blank or no number. */
export function cellsJson({ file, cells }: CellsOfFile) {
  const { rows, ragged, columns } = cells
  return {
    file,
    rows,
    ragged_rows: faultsJson(ragged),
    columns: columns
      .filter(({ blank, notNumbers }) => blank > 0 || notNumbers.count > 0)
      .map(({ column, cells, blank, notNumbers }) => ({
        ...{ column, cells, blank, not_numbers: faultsJson(notNumbers) },
      })),
  }
}

const faultsJson = (faults: Faults) => ({
  count: faults.count,
  first_lines: faults.lines,
  found: faults.count === 0 ? null : faults.found,
  hint: commaHint(faults),
})
