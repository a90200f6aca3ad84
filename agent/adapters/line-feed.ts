import { cellsOf, type Header, headerOf, isInjectedRow, parseTime } from '../../shared/codec/recording-text.ts'
import { decodeTelemetry, encodeBadRow, encodeFrame } from '../../shared/codec/telemetry.ts'
import type { LineSourceConfig } from '../../shared/config/types.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import type { Micros } from '../../shared/units.ts'
import type { RawTelemetry, SourceSink } from '../ports.ts'
import { frameOf } from './csv-source.ts'
import { type Encoded, runsOf } from './encoded.ts'
import type { Line } from './line-reader.ts'

export type LineFeedOptions = Readonly<{
  rig: string
  config: LineSourceConfig
  /** What the lines are from, for a person. */
  path: string
  /** The times of the lines are the clock. */
  recording: boolean
  sink: SourceSink
}>

/** Where in which life of the source the lines stand; names the frames of rows, so that none is taken twice. */
export type LinePlace = { epoch: string; row: number; header: Header | null }

/** Lines on their way to the journal. A line that cannot be read is handed on as it is, so that the ledger counts it with its reason. */
export interface LineFeed {
  /** Settles when all of them are journaled; moves `place` on. */
  deliver(lines: readonly Line[], place: LinePlace): Promise<void>
}

const UTF8 = new TextDecoder('utf-8')

type Message = Encoded &
  Readonly<{
    timeUs: Micros | null
    /** A row that says so of itself. */
    injected?: boolean
  }>

export function createLineFeed(options: LineFeedOptions): LineFeed {
  const { rig, config, sink, recording } = options
  let lastUs = 0

  const isAlike = (a: Message, b: Message): boolean => a.encoding === b.encoding && a.injected === b.injected

  /** Neighbours of one encoding go together, in the order of the lines. */
  async function hand(messages: readonly Message[]): Promise<void> {
    // Under a recording's clock every line moves time by itself.
    for (const run of runsOf(messages, (a, b) => !recording && isAlike(a, b))) {
      const { encoding, injected, timeUs } = run[0]!
      if (recording && timeUs !== null) lastUs = Math.max(lastUs, timeUs)
      await sink.deliver({
        rig,
        origin: config.name,
        encoding,
        provenance: injected === true ? 'injected' : config.provenance,
        messages: run.map(({ bytes }) => bytes),
        waits: true,
        ...(config.time === 'arrival' ? { time: 'arrival' as const } : {}),
        ...(recording && lastUs > 0 ? { nowUs: lastUs } : {}),
      } satisfies RawTelemetry)
    }
  }

  return {
    async deliver(lines, place) {
      for (let from = 0; from < lines.length; from += config.lines_waiting_max) {
        const messages: Message[] = []
        for (const line of lines.slice(from, from + config.lines_waiting_max)) {
          const message = messageOf(line, place, options)
          if (message !== null) messages.push(message)
        }
        await hand(messages)
      }
    },
  }
}

/** What a line says; null for an empty one and for a header. */
function messageOf(line: Line, place: LinePlace, options: LineFeedOptions): Message | null {
  if (line.bytes.length === 0) return null
  if (line.tooLong) return bad(place, options, `longer than ${options.config.line_bytes_max} bytes: ${textOf(line)}`)
  return options.config.format === 'json' ? sampleOf(line, place, options) : rowOf(line, place, options)
}

function sampleOf({ bytes }: Line, place: LinePlace, { rig, config, recording }: LineFeedOptions): Message {
  place.row += 1
  if (!recording) return { encoding: 'json', bytes, timeUs: null }
  const about = { rig, origin: config.name, encoding: 'json', provenance: config.provenance, nowUs: 0 } as const
  const read = decodeTelemetry({ ...about, message: bytes })
  const times = read.ok ? read.frame.timeUs.filter(Number.isSafeInteger) : []
  return { encoding: 'json', bytes, timeUs: times.length === 0 ? null : Math.max(...times) }
}

function rowOf(line: Line, place: LinePlace, options: LineFeedOptions): Message | null {
  const text = textOf(line)
  if (place.header === null) {
    try {
      place.header = headerOf(text, { path: options.path, ...options.config, time_column: timeColumn(options) })
      return null
    } catch (error) {
      if (!isHbError(error, 'CSV_HEADER')) throw error
      // The file goes on growing, and its next life may be a better one: rows without a header are counted.
      return bad(place, options, `no header: ${text}`)
    }
  }
  const { header } = place
  const cells = cellsOf(text, header.delimiter)
  const timeUs = cells === null ? null : parseTime(cells[header.time] ?? '')
  if (cells === null || timeUs === null) return bad(place, options, text)
  const { epoch, row: seq } = place
  place.row += 1
  const frame = frameOf(cells, { rig: options.rig, source: options.config.name, epoch, seq, timeUs, header })
  return {
    encoding: 'cbor',
    bytes: encodeFrame(frame),
    timeUs,
    ...(isInjectedRow(cells, header) ? { injected: true } : {}),
  }
}

/** `time_column` is there whenever rows are read: the configuration was refused otherwise. */
function timeColumn({ config }: LineFeedOptions): string {
  return config.time_column ?? ''
}

/** Takes no number of its own: a frame that is missing is one that was lost, not one that nobody could read. */
function bad(place: LinePlace, { rig }: LineFeedOptions, text: string): Message {
  return { encoding: 'cbor', bytes: encodeBadRow({ rig, row: place.row, text }), timeUs: null }
}

function textOf({ bytes }: Line): string {
  return UTF8.decode(bytes)
}
