import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { EvaluationError } from './evaluation-error.ts'
import type { Recording } from './recording.ts'

/** Rows of a run that are its own baseline. */
export const BASELINE_ROWS = 400

/** Folder of runs in which nothing is wrong; they have no labels. */
const NORMAL_FOLDER = 'anomaly-free'
const LABELS = ['anomaly', 'changepoint'] as const
const TIME = 'datetime'

/** Every labelled run of a folder of the SKAB layout, and the runs in which nothing is wrong. */
export type SkabCorpus = Readonly<{ labelled: ReadonlyMap<string, Recording>; normal: readonly Recording[] }>

/** @throws EvaluationError 65 when a file cannot be read as one of the layout, 66 when there is nothing of it */
export function readSkab(folder: string): SkabCorpus {
  const ids = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? filesOf(folder) : []
  if (ids.length === 0)
    throw new EvaluationError(
      66,
      `no corpus: ${folder} has no folders with .csv files (layout skab); nothing was scored`,
    )
  const labelled = new Map<string, Recording>()
  const normal: Recording[] = []
  for (const id of ids) {
    const isNormal = id.startsWith(`${NORMAL_FOLDER}/`)
    const recording = parseSkab(id, readFileSync(join(folder, id), 'utf8'), { labelled: !isNormal })
    if (isNormal) normal.push(recording)
    else labelled.set(id, recording)
  }
  return { labelled, normal }
}

/** Files one folder down; links are followed. */
function filesOf(folder: string): string[] {
  const isFolder = (name: string): boolean =>
    statSync(join(folder, name), { throwIfNoEntry: false })?.isDirectory() === true
  return readdirSync(folder)
    .filter(isFolder)
    .flatMap((group) => readdirSync(join(folder, group)).map((file) => `${group}/${file}`))
    .filter((id) => id.endsWith('.csv') && statSync(join(folder, id), { throwIfNoEntry: false })?.isFile() === true)
    .sort()
}

/** Text of a file: `;` between columns, lines that end with LF or CRLF, one header line. @throws EvaluationError 65 */
export function parseSkab(id: string, text: string, { labelled }: { labelled: boolean }): Recording {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
  const header = (lines[0] ?? '').split(';').map((name) => name.trim())
  const wanted = labelled ? [TIME, ...LABELS] : [TIME]
  const missing = wanted.filter((name) => !header.includes(name))
  if (missing.length > 0)
    throw new EvaluationError(65, `${id}: no column ${missing.join(', ')}; columns: ${header.join(', ')}`)
  const columns = header.flatMap((name, at) => (name === TIME || LABELS.some((label) => label === name) ? [] : [at]))
  const recording = {
    id,
    channels: columns.map((at) => header[at]!),
    timesMs: [] as number[],
    rows: [] as Float64Array[],
    anomaly: new Uint8Array(lines.length - 1),
    changepoint: new Uint8Array(lines.length - 1),
  }
  for (const [row, line] of lines.slice(1).entries()) {
    const cells = line.split(';').map((cell) => cell.trim())
    if (cells.length !== header.length)
      throw new EvaluationError(65, `${id}, data row ${row}: ${cells.length} cells under ${header.length} columns`)
    recording.timesMs.push(timeOf(cells[header.indexOf(TIME)]!, `${id}, data row ${row}`))
    recording.rows.push(Float64Array.from(columns, (at) => numberOf(cells[at]!)))
    for (const label of LABELS) if (labelled && Number(cells[header.indexOf(label)]) === 1) recording[label][row] = 1
  }
  return recording
}

const numberOf = (cell: string): number => (cell === '' ? Number.NaN : Number(cell))

/** `YYYY-MM-DD HH:MM:SS[.fff]`; the corpus names no zone, so UTC is as good as any. */
function timeOf(text: string, where: string): number {
  const ms = Date.parse(`${text.replace(' ', 'T')}Z`)
  if (!Number.isFinite(ms)) throw new EvaluationError(65, `${where}: ${text} is no time`)
  return ms
}

/** Campaign of a moment: runs of one calendar day were made on the rig as it was that day. */
export const campaignOf = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 10)

/** Folder of a file: the kind of its fault. */
export const groupOf = (id: string): string => id.slice(0, Math.max(0, id.indexOf('/')))

const FLOW = ['Volume Flow RateRMS']
const ACCELEROMETERS = ['Accelerometer1RMS', 'Accelerometer2RMS']
const THERMOCOUPLE = ['Thermocouple']

/** What was done to the rig in the runs of `other`, by number: the channels on which it can show. */
const OTHER: readonly Readonly<{ from: number; to: number; channels: readonly string[] }>[] = [
  { from: 1, to: 4, channels: FLOW },
  { from: 5, to: 9, channels: ACCELEROMETERS },
  { from: 10, to: 11, channels: [...FLOW, ...THERMOCOUPLE, ...ACCELEROMETERS] },
  { from: 12, to: 13, channels: [...FLOW, ...ACCELEROMETERS] },
  { from: 14, to: 14, channels: [...FLOW, ...THERMOCOUPLE] },
]

/** Channels that may rightly be named as the driver of the fault of a file; empty when it is not known. */
export function expectedDrivers(id: string): readonly string[] {
  const [group = '', file = ''] = id.split('/')
  if (group.startsWith('valve')) return FLOW
  const number = Number(file.replace(/\.csv$/, ''))
  return group === 'other' ? (OTHER.find(({ from, to }) => number >= from && number <= to)?.channels ?? []) : []
}
