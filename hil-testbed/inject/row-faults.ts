import { cellsOf, INJECTED_COLUMN, numberOf, parseTime } from '../../shared/codec/recording-text.ts'
import { streamOf } from '../../shared/lib/prng.ts'
import type { Micros } from '../../shared/units.ts'
import type { Fault, FaultSeen } from '../core/fault.ts'
import { ClockFault, turnsClock } from '../core/faults/clock-fault.ts'
import { createLinkFault, type LinkFault, type SentFrame } from '../core/faults/link-fault.ts'
import { type Reading, SensorFault } from '../core/faults/sensor-fault.ts'
import { COMMON_CAUSE, WantedFault } from '../core/faults/wanted-fault.ts'
import { createColumnFault } from './column-fault.ts'
import type { Layout } from './layout.ts'
import { cellText, rowText, timeText } from './row-text.ts'

export type RowFaultOptions = Readonly<{
  layout: Layout
  seed: number
  faults: readonly Fault[]
  /** Channels or metrics that are hit; null: all. */
  channels: readonly string[] | null
  /** A row counts as a second, whatever its time says. */
  rowClock: boolean
}>

/** What was done to a file. Rows count from 1, the header is none. */
export type RowChanges = Readonly<{
  rows_in: number
  rows_out: number
  rows_marked: number
  first_row: number | null
  last_row: number | null
  /** Cells that differ, by channel. */
  cells: Readonly<Record<string, number>>
  seen: readonly Readonly<{ id: string; count: number }>[]
}>

/** Rows that wait for later ones; at this many the oldest is written at once. */
export const ROWS_HELD_MAX = 65_536
/** What stands for the time of a row that has none. */
const ROW_US: Micros = 1_000_000

/** A row on its way: as a frame of one time, with its cells. */
type SentRow = SentFrame & Readonly<{ row: Row }>
type Row = { cells: string[]; line: string; end: string; number: number; marks: string[]; isChanged: boolean }
type Outgoing = Readonly<{ row: Row; sent: SentRow | null }>
const NOTHING = new Float64Array(0)
const ROW_CHANNELS = ['row']

/** Writes faults into the rows of one file, one after the other. The same seed and rows give the same bytes. */
export class RowFaults {
  private readonly options: RowFaultOptions
  private readonly wanted: readonly WantedFault[]
  private clocks: readonly ClockFault[] = []
  private readonly links: readonly LinkFault[]
  private readonly columns: readonly ReturnType<typeof createColumnFault>[]
  /** Names of the columns of the result. */
  private readonly names: readonly string[]
  private readonly sensors = new Map<string, { faults: SensorFault[]; rows: number; lastUs: Micros | null }>()
  private readonly clean = new Map<string, number>()
  private readonly reading: Reading = { value: 0, isMissing: false }
  private held: SentRow[] = []
  private newest: Outgoing | null = null
  private beginUs: Micros | null = null
  private rowsIn = 0
  private rowsOut = 0
  private readonly marked = { rows: 0, first: Number.POSITIVE_INFINITY, last: 0 }
  private readonly cells: Record<string, number> = {}
  private isAfterLoss = false

  constructor(options: RowFaultOptions) {
    this.options = options
    this.wanted = options.faults.map((fault) => new WantedFault(fault, options.seed))
    const of = (test: (name: string) => boolean): WantedFault[] => this.wanted.filter(({ fault }) => test(fault.class))
    const isRow = (name: string): boolean =>
      (name.startsWith('comms.') || name.startsWith('time.')) && !turnsClock(name)
    const line = { stream: streamOf('file'), recent: [], epochOf: (name: string) => name }
    this.links = of(isRow).map((wanted) => createLinkFault(wanted, line))
    this.columns = of((name) => name.startsWith('recording.')).map((wanted) => createColumnFault(wanted, options))
    this.names = this.columns.reduce((all, fault) => fault.header(all), [...options.layout.names])
  }

  /** The header line of the result. */
  header(line: string): string {
    const { layout } = this.options
    const { names } = this
    const isSame = names.every((name, k) => name === layout.names[k]) && names.length === layout.names.length
    const text = isSame ? line : names.map((name) => cellText(name, layout.delimiter)).join(layout.delimiter)
    return layout.mark >= 0 ? text : `${text}${layout.delimiter}${INJECTED_COLUMN}`
  }

  /** Takes the next row. @returns what is written now */
  take(line: string, end = '\n'): Uint8Array[] {
    const { layout } = this.options
    this.rowsIn += 1
    const cells = cellsOf(line, layout.delimiter)
    const row: Row = { cells: cells ?? [], line, end, number: this.rowsIn, marks: [], isChanged: false }
    const timeUs = cells === null ? null : this.timeOf(cells)
    // What cannot be read is handed on as it is: there is no time at which a fault could act on it.
    if (timeUs === null) return this.emit([{ row, sent: null }])
    if (this.beginUs === null) this.begin(timeUs)
    const atUs = timeUs - (this.beginUs ?? timeUs)
    this.changeCells(row, atUs)
    this.turnClock(row, timeUs, atUs)
    for (const fault of this.columns) {
      const changed = fault.row(row.cells, row.number, atUs)
      if (changed === null) continue
      row.cells = [...changed.cells]
      row.marks.push(fault.wanted.fault.class)
      for (const name of changed.channels) this.noteCell(row, name)
    }
    return this.emit(this.sendRow(row, atUs))
  }

  /** What is left when the file is at its end. */
  end(): Uint8Array[] {
    this.pass([], Number.POSITIVE_INFINITY)
    const bytes = this.emit(this.due(Number.POSITIVE_INFINITY))
    return this.newest === null ? bytes : [...bytes, this.write(this.newest)]
  }

  changes(): RowChanges {
    const { rows, first, last } = this.marked
    return {
      rows_in: this.rowsIn,
      rows_out: this.rowsOut,
      rows_marked: rows,
      first_row: rows === 0 ? null : first,
      last_row: rows === 0 ? null : last,
      cells: this.cells,
      seen: this.wanted.map((wanted): FaultSeen => wanted.seen()).map(({ id, count }) => ({ id, count })),
    }
  }

  /** The first row that has a time: clocks are turned from there. */
  private begin(timeUs: Micros): void {
    this.beginUs = timeUs
    const turning = this.wanted.filter(({ fault }) => turnsClock(fault.class))
    this.clocks = turning.map((wanted) => new ClockFault(wanted, streamOf('file'), timeUs))
  }

  private timeOf(cells: readonly string[]): Micros | null {
    const { layout, rowClock } = this.options
    if (layout.time < 0 || rowClock) return (this.rowsIn - 1) * ROW_US
    return parseTime(cells[layout.time] ?? '')
  }

  /** Names and cells of the values of a row. */
  private valuesOf({ cells }: Row): readonly Readonly<{ name: string; column: number }>[] {
    const { layout, channels } = this.options
    const all =
      layout.kind === 'table' ? [{ name: (cells[layout.metric] ?? '').trim(), column: layout.value }] : layout.channels
    return channels === null ? all : all.filter(({ name }) => channels.includes(name))
  }

  private changeCells(row: Row, atUs: Micros): void {
    for (const { name, column } of this.options.layout.channels) this.clean.set(name, numberOf(row.cells[column] ?? ''))
    for (const { name, column } of this.valuesOf(row)) {
      const value = numberOf(row.cells[column] ?? '')
      const channel = this.channelOf(name)
      // Rows of a table have no time: each metric counts its own.
      const sampleUs = this.options.layout.kind === 'table' ? channel.rows * ROW_US : atUs
      const intervalUs = channel.lastUs === null ? ROW_US : Math.max(1, sampleUs - channel.lastUs)
      channel.rows += 1
      channel.lastUs = sampleUs
      if (Number.isNaN(value)) continue
      this.reading.value = value
      this.reading.isMissing = false
      for (const fault of channel.faults)
        if (fault.apply(this.reading, sampleUs, intervalUs)) row.marks.push(fault.wanted.acts.name)
      if (!this.reading.isMissing && Object.is(this.reading.value, value)) continue
      row.cells[column] = this.reading.isMissing ? '' : numberText(this.reading.value)
      this.noteCell(row, name)
    }
  }

  private channelOf(name: string): { faults: SensorFault[]; rows: number; lastUs: Micros | null } {
    const known = this.sensors.get(name)
    if (known !== undefined) return known
    const faults = this.wanted.flatMap((wanted) => {
      if (wanted.kind.class !== 'sensor') return []
      const stream = wanted.fault.class === COMMON_CAUSE ? 0 : streamOf(name)
      return [new SensorFault(wanted, { stream, other: () => this.otherOf(wanted, name) }, null)]
    })
    const made = { faults, rows: 0, lastUs: null }
    this.sensors.set(name, made)
    return made
  }

  /** The reading that a channel has in a swap. */
  private otherOf(wanted: WantedFault, name: string): number {
    const other = wanted.text('with')
    return this.clean.get(name === other ? wanted.fault.target : other) ?? Number.NaN
  }

  private turnClock(row: Row, timeUs: Micros, atUs: Micros): void {
    const { layout, rowClock } = this.options
    const cell = row.cells[layout.time]
    const realUs = rowClock && cell !== undefined ? parseTime(cell) : timeUs
    if (this.clocks.length === 0 || cell === undefined || realUs === null) return
    let stampUs = realUs
    for (const clock of this.clocks) {
      const turned = clock.stamp(stampUs, atUs)
      if (turned !== stampUs) row.marks.push(clock.wanted.fault.class)
      stampUs = turned
    }
    if (stampUs === realUs) return
    row.cells[layout.time] = timeText(stampUs, cell)
    row.isChanged = true
  }

  private noteCell(row: Row, name: string): void {
    row.isChanged = true
    this.cells[name] = (this.cells[name] ?? 0) + 1
  }

  private sendRow(row: Row, atUs: Micros): Outgoing[] {
    if (this.links.length === 0 || (this.options.channels !== null && this.valuesOf(row).length === 0))
      return [...this.due(atUs), { row, sent: null }]
    const sent: SentRow = {
      ...{ rig: '', source: 'file', line: 'file', epoch: '', seq: row.number, channels: ROW_CHANNELS, timeUs: NOTHING },
      ...{ value: NOTHING, quality: null, injected: [], mutate: null, dueUs: atUs, sentUs: atUs, copy: 0, row },
    }
    const before = this.links.reduce((sum, { wanted }) => sum + wanted.seen().count, 0)
    const passed = this.pass([sent], atUs)
    const seen = this.links.reduce((sum, { wanted }) => sum + wanted.seen().count, 0)
    const isKept = this.links.some(({ kept }) => kept > 0) || passed.some((one) => one.row === row)
    if (seen > before && !isKept) this.isAfterLoss = true
    return this.due(atUs)
  }

  /** Sends rows through the link faults, and keeps what comes out until it is due. */
  private pass(rows: readonly SentRow[], toUs: Micros): readonly SentRow[] {
    let frames: SentFrame[] = [...rows]
    for (const fault of this.links) {
      const out: SentFrame[] = []
      for (const frame of frames) {
        fault.release(frame.sentUs, out)
        fault.pass(frame, out)
      }
      fault.release(toUs, out)
      frames = out
    }
    this.held.push(...(frames as SentRow[]))
    return frames as SentRow[]
  }

  /** Writes rows, the newest of them only when the next one comes: should that be lost, this one is the last to say so. */
  private emit(rows: readonly Outgoing[]): Uint8Array[] {
    const all = this.newest === null ? rows : [this.newest, ...rows]
    this.newest = all.at(-1) ?? null
    return all.slice(0, -1).map((one) => this.write(one))
  }

  private due(atUs: Micros): Outgoing[] {
    if (this.held.length === 0) return []
    const all = this.held.sort((a, b) => a.dueUs - b.dueUs)
    const from = all.findIndex(({ dueUs }) => dueUs > atUs)
    const ready = Math.max(from < 0 ? all.length : from, all.length - ROWS_HELD_MAX)
    this.held = all.slice(ready)
    return all.slice(0, ready).map((sent) => ({ row: sent.row, sent }))
  }

  /** The bytes of a row with its mark. What a link does to bytes is done before the mark, and ends no line. */
  private write({ row, sent }: Outgoing): Uint8Array {
    const { delimiter } = this.options.layout
    const mark = this.names.indexOf(INJECTED_COLUMN)
    this.rowsOut += 1
    const isTouched = sent !== null && sent.injected.length > 0
    const links = isTouched || this.isAfterLoss ? this.links.map(({ wanted }) => wanted.fault.class) : []
    this.isAfterLoss = false
    const marks = [...new Set([...row.marks, ...links])]
    if (marks.length > 0) {
      this.marked.rows += 1
      this.marked.first = Math.min(this.marked.first, row.number)
      this.marked.last = Math.max(this.marked.last, row.number)
    }
    return rowText(row, { delimiter, mark, marks, mutate: sent?.mutate ?? null })
  }
}

/** JavaScript writes −0 as 0. */
function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}
