import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { Micros } from '../../shared/units.ts'
import type { BenchEvent } from '../core/run-record.ts'
import { ThinnedSeries } from './thinned-series.ts'

/** What is read of one file of a run; a plot of what lies beyond would not fit into a page anyway. */
const FILE_BYTES_MAX = 256 * 1024 * 1024
const CHUNK_BYTES = 1024 * 1024
/** Series of one run that are looked at. */
const SERIES_MAX = 64
const EVENTS_MAX = 20_000

/** Which channel shows which signal of the plant, and where harm is done. */
export type RunRig = Readonly<{ hazard: string; sensors: readonly Readonly<{ channel: string; of: string }>[] }>

/** What the folder of a run has for a plot. */
export type RunSeries = Readonly<{
  rig: RunRig
  truth: ReadonlyMap<string, ThinnedSeries>
  telemetry: ReadonlyMap<string, ThinnedSeries>
  events: readonly BenchEvent[]
  /** What is not there, or not whole, in words. */
  notes: readonly string[]
}>

/** Reads a run for its plot. Whatever is missing or damaged in it is a note: a report is written all the same. */
export function readRunSeries(folder: string, spanUs: Micros): RunSeries {
  const notes: string[] = []
  const truth = seriesIn(spanUs)
  const telemetry = seriesIn(spanUs)
  const events: BenchEvent[] = []
  let signals: string[] = []
  lines(join(folder, 'truth.csv'), notes, (line, number) => {
    const cells = line.split(',')
    if (number === 1) signals = cells.slice(1)
    else for (const [k, signal] of signals.entries()) truth.add(signal, Number(cells[0]), numberIn(cells[k + 1]))
  })
  lines(join(folder, 'telemetry.csv'), notes, (line, number) => {
    // The name of a channel may have commas.
    const [first, last] = [line.indexOf(','), line.lastIndexOf(',')]
    if (number > 1 && first > 0 && last > first)
      telemetry.add(line.slice(first + 1, last), Number(line.slice(0, first)), numberIn(line.slice(last + 1)))
  })
  lines(join(folder, 'events.jsonl'), notes, (line) => {
    const event = parsed(line) as BenchEvent | null
    if (events.length < EVENTS_MAX && typeof event?.t_us === 'number' && typeof event.kind === 'string')
      events.push(event)
  })
  for (const [what, { dropped }] of [
    ['truth', truth],
    ['telemetry', telemetry],
  ] as const)
    if (dropped.size > 0) notes.push(`${dropped.size} series of ${what} are not drawn: at most ${SERIES_MAX}`)
  return { rig: rigOf(folder), truth: truth.all, telemetry: telemetry.all, events, notes }
}

type SeriesByName = Readonly<{
  all: Map<string, ThinnedSeries>
  dropped: Set<string>
  add(name: string, atUs: Micros, value: number): void
}>

function seriesIn(spanUs: Micros): SeriesByName {
  const all = new Map<string, ThinnedSeries>()
  const dropped = new Set<string>()
  return {
    all,
    dropped,
    add(name, atUs, value) {
      let series = all.get(name)
      if (series === undefined) {
        if (all.size >= SERIES_MAX) {
          dropped.add(name)
          return
        }
        series = new ThinnedSeries(spanUs)
        all.set(name, series)
      }
      if (Number.isFinite(atUs)) series.add(atUs, value)
    },
  }
}

/** An empty cell is no zero. */
function numberIn(cell: string | undefined): number {
  return cell === undefined || cell.trim() === '' ? Number.NaN : Number(cell)
}

function rigOf(folder: string): RunRig {
  let text = ''
  try {
    text = readFileSync(join(folder, 'row.json'), 'utf8')
  } catch {
    // Without it every channel is drawn by itself.
  }
  const row = parsed(text) as { rig?: { plant?: { hazard?: unknown }; sensors?: unknown } } | null
  const { plant, sensors } = row?.rig ?? {}
  return {
    hazard: typeof plant?.hazard === 'string' ? plant.hazard : '',
    sensors: Array.isArray(sensors)
      ? sensors.flatMap((one: { channel?: unknown; of?: unknown } | null) =>
          typeof one?.channel === 'string' && typeof one.of === 'string' ? [{ channel: one.channel, of: one.of }] : [],
        )
      : [],
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Hands over the lines of a file, counted from 1. */
function lines(path: string, notes: string[], take: (line: string, number: number) => void): void {
  const name = path.split('/').at(-1)!
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    notes.push(`${name} is not there`)
    return
  }
  try {
    const end = eachLine(fd, take)
    if (end === 'truncated') notes.push(`${name} ends before the run did`)
    if (end === 'bound') notes.push(`${name} is read up to ${FILE_BYTES_MAX / 1024 / 1024} MiB`)
  } finally {
    closeSync(fd)
  }
}

function eachLine(fd: number, take: (line: string, number: number) => void): 'whole' | 'truncated' | 'bound' {
  const chunk = Buffer.alloc(CHUNK_BYTES)
  const decoder = new TextDecoder()
  let [rest, number, bytes] = ['', 0, 0]
  while (bytes < FILE_BYTES_MAX) {
    const read = readSync(fd, chunk)
    if (read === 0) {
      if (rest !== '') take(rest, number + 1)
      return 'whole'
    }
    bytes += read
    const parts = (rest + decoder.decode(chunk.subarray(0, read), { stream: true })).split('\n')
    rest = parts.pop()!
    for (const line of parts) {
      if (line === 'truncated') return 'truncated'
      number += 1
      if (line !== '') take(line, number)
    }
  }
  return 'bound'
}
