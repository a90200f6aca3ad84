import { streamOf } from '../../shared/lib/prng.ts'
import type { Micros } from '../../shared/units.ts'
import type { WantedFault } from '../core/faults/wanted-fault.ts'
import type { Layout } from './layout.ts'

/** What a fault of columns makes of the cells of a row, and the channels whose cells differ. */
type ChangedRow = Readonly<{ cells: readonly string[]; channels: readonly string[] }>

/** A fault that only a file can have. */
export type ColumnFault = Readonly<{
  wanted: WantedFault
  header(names: readonly string[]): string[]
  /** null: the row is as it was. */
  row(cells: readonly string[], number: number, atUs: Micros): ChangedRow | null
}>

/** `channels`: those that are hit; null: all. */
type Hit = Readonly<{ layout: Layout; channels: readonly string[] | null }>

export function createColumnFault(wanted: WantedFault, { layout, channels }: Hit): ColumnFault {
  if (wanted.fault.class === 'recording.corrupt_cells') return corruptCells(wanted, { layout, channels })
  const column = wanted.text('column')
  const to = wanted.fault.class === 'recording.rename_column' ? wanted.text('to') : null
  const at = layout.names.indexOf(column)
  const isTable = layout.kind === 'table'
  const changed = (cells: readonly string[]): string[] =>
    to === null ? cells.filter((_, k) => k !== at) : cells.map((cell, k) => (k === at ? to : cell))
  return {
    wanted,
    header: (names) => (isTable ? [...names] : changed(names)),
    row(cells, _, atUs) {
      if (isTable && (cells[layout.metric] ?? '').trim() !== column) return null
      wanted.note(atUs)
      // In a table a column of the rig is a row: it gets another name, or says nothing.
      const spot = to === null ? layout.value : layout.metric
      if (isTable) return { cells: cells.map((cell, k) => (k === spot ? (to ?? '') : cell)), channels: [column] }
      return { cells: to === null ? changed(cells) : cells, channels: [column] }
    },
  }
}

function corruptCells(wanted: WantedFault, { layout, channels }: Hit): ColumnFault {
  const share = wanted.number('share')
  const text = wanted.text('text')
  return {
    wanted,
    header: (names) => [...names],
    row(cells, number, atUs) {
      const strength = wanted.strengthAt(atUs)
      if (strength === 0) return null
      const named =
        layout.kind === 'table'
          ? [{ name: (cells[layout.metric] ?? '').trim(), column: layout.value }]
          : layout.channels
      const hit = named.filter(
        ({ name }) => (channels?.includes(name) ?? true) && wanted.chance(streamOf(name), number) < share * strength,
      )
      if (hit.length === 0) return null
      for (const _ of hit) wanted.note(atUs)
      const columns = new Set(hit.map(({ column }) => column))
      const changed = cells.map((cell, k) => (columns.has(k) ? text : cell))
      return { cells: changed, channels: hit.map(({ name }) => name) }
    },
  }
}
