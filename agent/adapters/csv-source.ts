import { createHash } from 'node:crypto'
import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs'
import {
  cellsOf,
  type Header,
  headerOf,
  isInjectedRow,
  numberOf,
  parseTime,
} from '../../shared/codec/recording-text.ts'
import { encodeBadRow, encodeFrame } from '../../shared/codec/telemetry.ts'
import type { CsvSourceConfig } from '../../shared/config/types.ts'
import { SIGNATURE_BYTES } from '../../shared/crypto/sign.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { InjectedMark, Provenance } from '../../shared/model/telemetry.ts'
import type { Micros } from '../../shared/units.ts'
import type { RawTelemetry, SourceSink, TelemetrySource } from '../ports.ts'
import { type RecordingLane, RecordingOrder } from './recording-order.ts'

/** Longest header line, and longest row; the rest of a longer row is read over. */
export const LINE_BYTES_MAX = 1024 * 1024
/** Rows that cannot be read and wait for one that can. */
export const BAD_ROWS_WAITING_MAX = 256

export type CsvSourceOptions = Readonly<{
  rig: string
  config: CsvSourceConfig
  /** Path of the file. */
  path: string
  clock: Clock
  /** Frames up to this sequence number were journaled before; they are read over. −1 for none. */
  resumeAfter: (source: string, epoch: string) => number
  /** Order among the recordings of an agent; absent when there is no other. */
  order?: RecordingOrder
}>

/**
 * A recorded rig: every row becomes a frame, at the pace of its own times, and these times are the clock. A row that
 * cannot be read is handed on as it is, so that the ledger counts it with the others.
 *
 * The life of the source is named by the file's digest, and frames by their row: after a stop the same rows are the same
 * frames, and none is taken twice.
 */
export function createCsvSource(options: CsvSourceOptions): TelemetrySource {
  const { rig, config, path, order = new RecordingOrder() } = options
  const name = `${rig}/${config.name}`
  // Before any recording is started: the first row of the first one waits for what the others begin with.
  let lane = order.join(name)
  let stopping = new AbortController()
  let done: Promise<void> = Promise.resolve()
  return {
    name: config.name,
    async start(sink) {
      if (stopping.signal.aborted) lane = order.join(name)
      if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true)
        throw new HbError('CONFIG_MISSING', { path, reason: 'there is no such file' })
      stopping = new AbortController()
      const header = readHeader(path, config)
      // A recording that breaks off must not hold up the others.
      done = play(options, { header, sink, lane, signal: stopping.signal }).finally(() => lane.end())
    },
    async stop() {
      stopping.abort()
      lane.end()
      await done
    },
  }
}

function readHeader(path: string, config: CsvSourceConfig): Header {
  const buffer = Buffer.alloc(Math.min(LINE_BYTES_MAX, statSync(path).size))
  const fd = openSync(path, 'r')
  readSync(fd, buffer, 0, buffer.length, 0)
  closeSync(fd)
  return headerOf(buffer.toString('utf8').split(/\r?\n/, 1)[0] ?? '', { path, ...config })
}

type Playing = Readonly<{ header: Header; sink: SourceSink; lane: RecordingLane; signal: AbortSignal }>

async function play(options: CsvSourceOptions, { header, sink, lane, signal }: Playing): Promise<void> {
  const { rig, config, clock } = options
  const epoch = await digestOfFile(options.path)
  const resumeAfter = options.resumeAfter(config.name, epoch)
  const about = { rig, origin: config.name, encoding: 'cbor' as const }
  const pace = createPace(config.speed, clock)
  let row = -1
  let lastUs = 0
  // Handed on together with the next good row, whose number says that they were: after a kill none is counted twice.
  let badRows: Uint8Array[] = []
  /** @returns false when it was stopped meanwhile */
  const deliver = async (messages: readonly Uint8Array[], provenance: Provenance = 'replay'): Promise<boolean> => {
    if (!(await lane.turn(lastUs))) return false
    // Before the first row that has a time there is nothing to keep pace with.
    if (lastUs > 0 && !(await pace(lastUs, signal))) return false
    await sink.deliver({
      ...about,
      provenance,
      messages,
      ...(lastUs > 0 ? { nowUs: lastUs } : {}),
    } satisfies RawTelemetry)
    return true
  }
  for await (const line of linesOf(options.path)) {
    if (signal.aborted) return
    row += 1
    if (row < config.rows_from || row <= resumeAfter) continue
    if (config.rows_to !== undefined && row >= config.rows_to) break
    const cells = cellsOf(line, header.delimiter)
    const timeUs = cells === null ? null : parseTime(cells[header.time] ?? '')
    if (cells === null || timeUs === null) {
      badRows.push(encodeBadRow({ rig, row, text: line }))
      if (badRows.length >= BAD_ROWS_WAITING_MAX && !(await deliver(badRows.splice(0)))) return
      continue
    }
    lastUs = Math.max(lastUs, timeUs)
    const frame = encodeFrame(frameOf(cells, { rig, source: config.name, epoch, seq: row, timeUs, header }))
    if (!(await deliver([...badRows, frame], isInjectedRow(cells, header) ? 'injected' : 'replay'))) return
    badRows = []
  }
  if (badRows.length > 0 && !(await deliver(badRows))) return
  lane.end()
  sink.ended()
}

/** Data lines of the file that are not empty. A cell never spans lines: a quote that is not closed costs its own row. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  let isHeader = true
  const take = (line: string): string | null => {
    const wanted = !isHeader && line !== '' && line !== '\r'
    isHeader = false
    return wanted ? line.replace(/\r$/, '') : null
  }
  for await (const chunk of createReadStream(path)) {
    const lines = `${rest}${decoder.decode(chunk as Uint8Array, { stream: true })}`.split('\n')
    rest = lines.pop()!.slice(0, LINE_BYTES_MAX)
    for (const line of lines) {
      const wanted = take(line)
      if (wanted !== null) yield wanted
    }
  }
  const last = take(rest + decoder.decode())
  if (last !== null) yield last
}

/** Waits until a recorded time is due. @returns false when it was stopped meanwhile. */
function createPace(speed: number | 'max', clock: Clock): (timeUs: Micros, signal: AbortSignal) => Promise<boolean> {
  let first: { recordedUs: Micros; startedUs: Micros } | null = null
  return async (timeUs, signal) => {
    if (speed === 'max') return !signal.aborted
    first ??= { recordedUs: timeUs, startedUs: clock.monotonicUs() }
    const dueUs = first.startedUs + (timeUs - first.recordedUs) / speed
    const waitMs = (dueUs - clock.monotonicUs()) / 1000
    if (waitMs > 1) await clock.sleep(waitMs, signal).catch(() => undefined)
    return !signal.aborted
  }
}

/** Where a row is from, and when it was. */
type Row = Readonly<{ rig: string; source: string; epoch: string; seq: number; timeUs: Micros; header: Header }>

/** The frame of one row: a blank cell is no sample, one that is no number is NaN. */
export function frameOf(
  cells: readonly string[],
  { rig, source, epoch, seq, timeUs, header }: Row,
): Parameters<typeof encodeFrame>[0] {
  // A blank cell is no sample: the channel is left out of this frame.
  const present = header.channels.filter(({ column }) => (cells[column] ?? '').trim() !== '')
  const used = present.length === 0 ? header.channels : present
  return {
    rig,
    source,
    epoch,
    seq,
    cid: null,
    channels: used.map(({ name }) => name),
    timeUs: present.length === 0 ? new Float64Array(0) : Float64Array.of(timeUs),
    value:
      present.length === 0 ? new Float64Array(0) : Float64Array.from(used, ({ column }) => numberOf(cells[column]!)),
    ...(isInjectedRow(cells, header) ? { injected: ownMark(used.map(({ name }) => name)) } : {}),
  }
}

/** The mark of a row of ours: the file says it itself, so nobody signs it, and its source says `injected` beside it. */
function ownMark(channels: readonly string[]): InjectedMark {
  return { channels, signature: new Uint8Array(SIGNATURE_BYTES) }
}

/** First 16 hex digits of SHA-256 over the file: the name of this recording. */
async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return hash.digest('hex').slice(0, 16)
}
