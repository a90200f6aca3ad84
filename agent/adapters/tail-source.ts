import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Header, headerOf } from '../../shared/codec/recording-text.ts'
import type { TailSourceConfig } from '../../shared/config/types.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Bytes } from '../../shared/units.ts'
import type { TelemetrySource } from '../ports.ts'
import { replaceFile, systemFiles } from './files.ts'
import { createLineFeed, type LineFeed, type LinePlace } from './line-feed.ts'
import { createLineReader, type LineReader } from './line-reader.ts'

/** What became of the file, in words that stand in the log. */
export type TailNews = 'missing' | 'found' | 'rotated' | 'truncated' | 'unreadable'

export type TailSourceOptions = Readonly<{
  rig: string
  config: TailSourceConfig
  /** Path of the file. */
  path: string
  /** Folder in which it is noted how far the file was read. */
  notes: string
  clock: Clock
  /** Settles when everything delivered so far would survive a power cut. */
  durable(): Promise<void>
  news(what: TailNews, facts: Readonly<{ path: string; at: Bytes; reason?: string }>): void
}>

/** Read at once; the file is asked again only when this much is journaled. */
const CHUNK_BYTES = 65_536
/** The beginning of a file, by which another file of the same number and length is known. */
const HEAD_BYTES = 1024
/** Longest time for which a kill makes lines be read again; they are then found to be late or there already. */
const NOTE_EVERY_MS = 1_000

const NOTE = Type.Object({
  v: Type.Literal(1),
  ino: Type.String(),
  life: Type.Integer({ minimum: 0 }),
  at: Type.Integer({ minimum: 0 }),
  row: Type.Integer({ minimum: 0 }),
  head_bytes: Type.Integer({ minimum: 0, maximum: HEAD_BYTES }),
  head: Type.String(),
})

/** A file that is open. `at` is where the next read begins; `headBytes` of its beginning have the digest `head`. */
type Open = {
  fd: number
  ino: string
  life: number
  at: Bytes
  head: string
  headBytes: Bytes
  place: LinePlace
  reader: LineReader
}

/**
 * A text file that grows. A last line without an end is waited for. When the file is another one (rotated) the old one is
 * read to its end first; when it was cut it is read from its beginning; both are said.
 *
 * How far it was read is noted in the state folder, behind the journal: a start goes on there. After a kill the lines of
 * the last second are read again; rows are then known by their number, and samples by their time.
 */
export function createTailSource(options: TailSourceOptions): TelemetrySource {
  const stop = new AbortController()
  let done: Promise<void> = Promise.resolve()
  return {
    name: options.config.name,
    async start(sink) {
      const { rig, config, path } = options
      const feed = createLineFeed({ rig, config, path, recording: false, sink })
      done = new Tail(options, feed).run(stop.signal)
    },
    async stop() {
      stop.abort()
      await done
    },
  }
}

class Tail {
  private readonly options: TailSourceOptions
  private readonly feed: LineFeed
  private readonly buffer = Buffer.alloc(CHUNK_BYTES)
  private file: Open | null = null
  private life = 0
  private isFirst = true
  private said: TailNews | null = null
  private noted = ''
  private notedUs = 0

  constructor(options: TailSourceOptions, feed: LineFeed) {
    this.options = options
    this.feed = feed
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, config } = this.options
    while (!signal.aborted) {
      const moved = await this.turn().catch((error: Error) => {
        this.say('unreadable', error.message)
        return false
      })
      if (clock.monotonicUs() - this.notedUs >= NOTE_EVERY_MS * 1000) await this.note().catch(() => undefined)
      if (!moved) await clock.sleep(config.poll_ms, signal).catch(() => undefined)
    }
    await this.note().catch(() => undefined)
    if (this.file !== null) closeSync(this.file.fd)
  }

  /** @returns whether there may be more to read at once */
  private async turn(): Promise<boolean> {
    const { file } = this
    if (file === null) return this.open()
    const { size } = fstatSync(file.fd)
    if (size < file.at || (size > file.at && headOf(file.fd, file.headBytes) !== file.head)) return this.startAnew(file)
    if (file.headBytes < HEAD_BYTES && size > file.headBytes) this.takeHead(file, size)
    if (await this.read(file)) return true
    const ino = inodeAt(this.options.path)
    if (ino === null) {
      this.say('missing')
      return false
    }
    if (ino === file.ino) return false
    return this.rotate(file)
  }

  private open(): boolean {
    const { path, config } = this.options
    let fd: number
    try {
      fd = openSync(path, 'r')
    } catch (error) {
      this.isFirst = false
      this.say((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'unreadable', (error as Error).message)
      return false
    }
    if (this.said !== null) this.say('found')
    const { ino, size } = fstatSync(fd, { bigint: true })
    const file = this.begun(fd, String(ino), 0)
    const before = this.readNote()
    if (before !== null && before.ino === file.ino && Number(size) >= before.at) {
      if (headOf(fd, before.head_bytes) === before.head) {
        Object.assign(file, { life: before.life, at: before.at, head: before.head, headBytes: before.head_bytes })
        this.life = before.life
        file.place = { epoch: epochOf(file), row: before.row, header: null }
      }
    } else if (before === null && this.isFirst && config.from === 'end') file.at = this.lineStart(fd, Number(size))
    if (before !== null && file.at === 0) {
      this.life = before.life + 1
      file.life = this.life
      file.place = { epoch: epochOf(file), row: 0, header: null }
    }
    this.isFirst = false
    if (file.at > 0) file.place.header = this.headerOfFile(fd)
    this.file = file
    return true
  }

  private begun(fd: number, ino: string, life: number): Open {
    const reader = createLineReader({ bytesMax: this.options.config.line_bytes_max })
    const file = { fd, ino, life, at: 0, head: headOf(fd, 0), headBytes: 0, reader }
    return { ...file, place: { epoch: epochOf(file), row: 0, header: null } }
  }

  /** Where the line begins that is not finished at the end of what is there. */
  private lineStart(fd: number, size: Bytes): Bytes {
    for (let end = size; end > 0; end = Math.max(0, end - CHUNK_BYTES)) {
      const from = Math.max(0, end - CHUNK_BYTES)
      const length = readSync(fd, this.buffer, 0, end - from, from)
      const found = this.buffer.subarray(0, length).lastIndexOf('\n')
      if (found >= 0) return from + found + 1
    }
    return 0
  }

  /** The first line of a file that is not read from its beginning. */
  private headerOfFile(fd: number): Header | null {
    const { config, path } = this.options
    if (config.format !== 'csv') return null
    const length = readSync(fd, this.buffer, 0, CHUNK_BYTES, 0)
    const line = this.buffer.toString('utf8', 0, length).split(/\r?\n/, 1)[0] ?? ''
    try {
      return headerOf(line, { path, ...config, time_column: config.time_column ?? '' })
    } catch {
      // Said with the first row, which is counted as one without a header.
      return null
    }
  }

  private takeHead(file: Open, size: Bytes): void {
    file.headBytes = Math.min(HEAD_BYTES, size)
    file.head = headOf(file.fd, file.headBytes)
  }

  private async read(file: Open): Promise<boolean> {
    const length = readSync(file.fd, this.buffer, 0, CHUNK_BYTES, file.at)
    if (length === 0) return false
    const lines = file.reader.push(this.buffer.subarray(0, length))
    file.at += length
    await this.feed.deliver(lines, file.place)
    return true
  }

  /** The old file is at its end: its last line will not be finished any more, so it is one. */
  private async rotate(file: Open): Promise<boolean> {
    const rest = file.reader.rest()
    if (rest !== null) await this.feed.deliver([rest], file.place)
    const { at } = file
    closeSync(file.fd)
    this.file = null
    this.tell('rotated', at)
    const opened = openSync(this.options.path, 'r')
    this.life += 1
    this.file = this.begun(opened, String(fstatSync(opened, { bigint: true }).ino), this.life)
    return true
  }

  /** Same file, other content: what was not finished belonged to the old one and is gone. */
  private startAnew(file: Open): boolean {
    this.tell('truncated', file.at)
    this.life += 1
    this.file = this.begun(file.fd, file.ino, this.life)
    return true
  }

  /** Notes how far the file was read, once that is durable; a line that is not finished is read again. */
  private async note(): Promise<void> {
    const { file } = this
    const { clock, config, rig, notes, durable } = this.options
    this.notedUs = clock.monotonicUs()
    if (file === null) return
    const { ino, life, head, headBytes, place, at, reader } = file
    const text = JSON.stringify({
      v: 1,
      ino,
      life,
      at: at - reader.unfinished,
      row: place.row,
      head_bytes: headBytes,
      head,
    })
    if (text === this.noted) return
    await durable()
    replaceFile(systemFiles, notes, noteName(rig, config.name), Buffer.from(text))
    this.noted = text
  }

  /** A note that cannot be read is none: the file is then read from its beginning or its end as at the first time. */
  private readNote() {
    const { notes, rig, config } = this.options
    try {
      const note: unknown = JSON.parse(readFileSync(`${notes}/${noteName(rig, config.name)}`, 'utf8'))
      return Value.Check(NOTE, note) ? note : null
    } catch {
      return null
    }
  }

  private tell(what: TailNews, at: Bytes): void {
    this.options.news(what, { path: this.options.path, at })
    this.said = null
  }

  /** Says a lasting state once. */
  private say(what: TailNews, reason?: string): void {
    if (this.said === what) return
    this.said = what === 'found' ? null : what
    this.options.news(what, {
      path: this.options.path,
      at: this.file?.at ?? 0,
      ...(reason === undefined ? {} : { reason }),
    })
  }
}

function epochOf({ ino, life }: { ino: string; life: number }): string {
  return `${ino}-${life}`
}

function noteName(rig: string, source: string): string {
  return `tail.${rig}.${source}.json`
}

function headOf(fd: number, bytes: Bytes): string {
  const buffer = Buffer.alloc(bytes)
  const length = bytes === 0 ? 0 : readSync(fd, buffer, 0, bytes, 0)
  return createHash('sha256').update(buffer.subarray(0, length)).digest('hex').slice(0, 32)
}

function inodeAt(path: string): string | null {
  try {
    return String(statSync(path, { bigint: true }).ino)
  } catch {
    return null
  }
}
