import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { createLineReader } from '../../../agent/adapters/line-reader.ts'
import { createStdinSource } from '../../../agent/adapters/stdin-source.ts'
import { createTailSource } from '../../../agent/adapters/tail-source.ts'
import type { RawTelemetry, SourceSink } from '../../../agent/ports.ts'
import { decodeJournalInput, encodeJournalInput, type JournalInput } from '../../../shared/codec/journal-input.ts'
import { decodeTelemetry, encodeFrame } from '../../../shared/codec/telemetry.ts'
import type { StdinSourceConfig, TailSourceConfig } from '../../../shared/config/types.ts'
import { systemClock } from '../../../shared/lib/clock.ts'
import type { FrameResult } from '../../../shared/model/input.ts'

const T0 = 1_700_000_000_000_000
const LINES = {
  format: 'json',
  time: 'source',
  provenance: 'live',
  ignore_columns: [] as string[],
  line_bytes_max: 256,
  lines_waiting_max: 8,
} satisfies Partial<StdinSourceConfig>
const stdin = (more: Partial<StdinSourceConfig> = {}): StdinSourceConfig => ({
  name: 'pipe',
  type: 'stdin',
  ...LINES,
  ...more,
})
const tail = (more: Partial<TailSourceConfig> = {}): TailSourceConfig => ({
  name: 'log',
  type: 'tail',
  file: 'x',
  from: 'start',
  poll_ms: 20,
  ...LINES,
  ...more,
})
const sample = (value: number): string => JSON.stringify({ channel: 'flow', t_us: T0 + value, value })

type Sink = SourceSink & { raws: RawTelemetry[]; results: FrameResult[]; isEnded: boolean }

function createSink(wait: () => Promise<void> = async () => undefined): Sink {
  const sink: Sink = {
    raws: [],
    results: [],
    isEnded: false,
    async deliver(raw) {
      sink.raws.push(raw)
      for (const message of raw.messages) sink.results.push(decodeTelemetry({ ...raw, message, nowUs: raw.nowUs ?? 0 }))
      await wait()
    },
    async tick() {},
    ended() {
      sink.isEnded = true
    },
  }
  return sink
}

const valuesOf = (sink: Sink): (number | string)[] => sink.results.map((r) => (r.ok ? r.frame.value[0]! : r.reason))

async function until(what: () => boolean): Promise<void> {
  for (let k = 0; k < 250 && !what(); k += 1) await new Promise((resolve) => setTimeout(resolve, 20))
}

t.test('lines are the same however the bytes are cut, and a long one costs only itself', async (t) => {
  const whole = Buffer.from(`a\r\n\nbb\n${'x'.repeat(300)}\nc\xff\n${'y'.repeat(256)}\nend`, 'latin1')
  let cuts = 0
  for (let size = 1; size <= whole.length; size += 1) {
    const reader = createLineReader({ bytesMax: 256 })
    const lines = []
    for (let at = 0; at < whole.length; at += size) lines.push(...reader.push(whole.subarray(at, at + size)))
    t.equal(reader.unfinished, 3)
    const rest = reader.rest()
    const shown = [...lines, rest!].map((line) => [line.bytes.length, line.tooLong])
    if (
      JSON.stringify(shown) !==
      JSON.stringify([
        [1, false],
        [0, false],
        [2, false],
        [256, true],
        [2, false],
        [256, false],
        [3, false],
      ])
    )
      t.fail(`cut in pieces of ${size}: ${JSON.stringify(shown)}`)
    t.equal(reader.rest(), null)
    cuts += 1
  }
  t.comment(`counted: line cuts | ${cuts} | sizes of pieces a text was read in`)
})

t.test('lines of standard input are handed on as they are, and the last one needs no end', async (t) => {
  const sink = createSink()
  const input = Readable.from([
    Buffer.from(
      `${sample(1)}\nrubbish\n\n{"channel":"flow","t_us":"x","value":1}\n${'z'.repeat(400)}\n${sample(2).slice(0, 9)}`,
    ),
    Buffer.from(`${sample(2).slice(9)}\n${sample(3)}`),
  ])
  const source = createStdinSource({
    rig: 'r',
    config: stdin(),
    epoch: 'e',
    recording: false,
    input,
    failed: (error) => t.fail(String(error)),
  })
  await source.start(sink)
  await until(() => sink.isEnded)
  t.same(valuesOf(sink), [1, 'malformed_json', 'bad_time', 'bad_row', 2, 3])
  t.match(sink.results[3], { detail: /longer than 256 bytes: zzz/ })
  t.ok(sink.raws.every((raw) => raw.waits === true && raw.origin === 'pipe' && raw.nowUs === undefined))
  await source.stop()
})

t.test('nothing is read while what came before is not taken: at most the bound waits', async (t) => {
  let open = (): void => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  let isOpen = false
  const sink = createSink(() => (isOpen ? Promise.resolve() : gate))
  let given = 0
  const input = new Readable({
    highWaterMark: 64,
    read() {
      given += 1
      this.push(given > 500 ? null : `${sample(given)}\n`)
    },
  })
  const source = createStdinSource({ rig: 'r', config: stdin(), epoch: 'e', recording: false, input, failed: () => {} })
  await source.start(sink)
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.equal(sink.results.length, 1, 'the first hand-over waits')
  t.ok(given < 10, `${given} lines were asked for`)
  isOpen = true
  open()
  await until(() => sink.isEnded)
  t.same(
    valuesOf(sink),
    Array.from({ length: 500 }, (_, k) => k + 1),
  )
  t.ok(Math.max(...sink.raws.map((raw) => raw.messages.length)) <= 8)
  await source.stop()
})

t.test('under the clock of a recording the times of the lines are the clock', async (t) => {
  const sink = createSink()
  const rows = `t;flow\n${T0};1\n${T0 + 2_000};2\nnonsense;3\n${T0 + 1_000};4\n`
  const source = createStdinSource({
    rig: 'r',
    config: stdin({ format: 'csv', time_column: 't' }),
    epoch: 'life',
    recording: true,
    input: Readable.from([Buffer.from(rows)]),
    failed: (error) => t.fail(String(error)),
  })
  await source.start(sink)
  await until(() => sink.isEnded)
  t.same(valuesOf(sink), [1, 2, 'bad_row', 4])
  t.same(
    sink.raws.map((raw) => raw.nowUs),
    [T0, T0 + 2_000, T0 + 2_000, T0 + 2_000],
    'time does not go back with a row that does',
  )
  t.same(
    sink.results.flatMap((r) => (r.ok ? [[r.frame.source, r.frame.epoch, r.frame.seq]] : [])),
    [
      ['pipe', 'life', 0],
      ['pipe', 'life', 1],
      ['pipe', 'life', 2],
    ],
  )
})

function tailOf(folder: string, sink: Sink, config: TailSourceConfig) {
  const news: string[] = []
  const source = createTailSource({
    rig: 'r',
    config,
    path: join(folder, 'x'),
    notes: folder,
    clock: systemClock(),
    durable: async () => undefined,
    news: (what) => news.push(what),
  })
  return { source, news, start: () => source.start(sink) }
}

t.test('a file that grows: partial lines wait, rotation and truncation are said, a start goes on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hb-tail-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'x')
  const put = (lines: string): void => appendFileSync(path, lines)
  const sink = createSink()
  const { source, news, start } = tailOf(folder, sink, tail())
  await start()
  await until(() => news.includes('missing'))
  put(`${sample(1)}\n${sample(2).slice(0, 10)}`)
  await until(() => sink.results.length === 1)
  await new Promise((resolve) => setTimeout(resolve, 80))
  t.same(valuesOf(sink), [1], 'a line without its end is waited for')
  put(`${sample(2).slice(10)}\n`)
  await until(() => sink.results.length === 2)
  put(`${sample(3)}\n${sample(4)}`)
  renameSync(path, `${path}.1`)
  writeFileSync(path, `${sample(5)}\n`)
  await until(() => sink.results.length === 5)
  t.same(valuesOf(sink), [1, 2, 3, 4, 5], 'the old file is read to its end, its last line included')
  writeFileSync(path, `${sample(6)}\n`.slice(0, 5))
  await until(() => news.includes('truncated'))
  put(`${sample(6)}\n`.slice(5))
  await until(() => sink.results.length === 6)
  t.equal(valuesOf(sink)[5], 6, 'a file that was cut and is as long again is another one')
  t.same(news, ['missing', 'found', 'rotated', 'truncated'])
  put(`half of a li`)
  await source.stop()

  put(`ne\n${sample(7)}\n`)
  const later = createSink()
  const again = tailOf(folder, later, tail())
  await again.start()
  await until(() => later.results.length === 2)
  t.same(valuesOf(later), ['malformed_json', 7], 'the line that was half there is read whole, no line twice')
  await again.source.stop()
})

t.test('rows of a growing file keep their numbers over a start and begin anew with another file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hb-tail-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'x')
  const csv = tail({ format: 'csv', time_column: 't', from: 'end' })
  writeFileSync(path, `t;flow\n${T0};1\n${T0 + 1};2\n`)
  const first = createSink()
  const one = tailOf(folder, first, csv)
  await one.start()
  await new Promise((resolve) => setTimeout(resolve, 60))
  appendFileSync(path, `${T0 + 2};3\n`)
  await until(() => first.results.length === 1)
  t.same(valuesOf(first), [3], 'from its end, with the header of its beginning')
  await one.source.stop()
  appendFileSync(path, `${T0 + 3};4\n`)
  const second = createSink()
  const two = tailOf(folder, second, csv)
  await two.start()
  await until(() => second.results.length === 1)
  renameSync(path, `${path}.1`)
  writeFileSync(path, `t,temp\n${T0 + 4},5\n`)
  await until(() => second.results.length === 2)
  await two.source.stop()
  const names = [...first.results, ...second.results].flatMap((r) => (r.ok ? [r.frame] : []))
  t.same(
    names.map(({ seq, channels }) => [seq, channels?.[0]]),
    [
      [0, 'flow'],
      [1, 'flow'],
      [0, 'temp'],
    ],
  )
  t.equal(names[0]!.epoch, names[1]!.epoch)
  t.not(names[1]!.epoch, names[2]!.epoch, 'another file is another life of the source')
})

t.test('a source without a clock is dated by arrival, and the journal says so', async (t) => {
  const nowUs = T0 + 500_000
  const frame = encodeFrame({
    rig: 'r',
    source: 'daq',
    epoch: 'e',
    seq: 1,
    channels: ['flow'],
    cid: null,
    timeUs: Float64Array.of(1_000, 2_000, 4_000),
    value: Float64Array.of(1, 2, 3),
  })
  const input = {
    kind: 'frame',
    nowUs,
    rig: 'r',
    origin: 'daq',
    encoding: 'cbor',
    provenance: 'live',
    messages: [frame],
    time: 'arrival',
  } as const satisfies JournalInput
  const back = decodeJournalInput(encodeJournalInput(input))
  t.same(back, input)
  const { messages: _, kind: __, ...about } = input
  const read = decodeTelemetry({ ...about, message: frame })
  t.same(read.ok && [...read.frame.timeUs], [nowUs - 3_000, nowUs - 2_000, nowUs])
  const json = Buffer.from('{"channel":"flow","t_us":0.5,"value":1}')
  const one = decodeTelemetry({ ...about, encoding: 'json', message: json })
  t.same(one.ok && [...one.frame.timeUs], [nowUs], 'one sample needs no time that makes sense')
  const { time: ___, ...dated } = input
  t.equal(encodeJournalInput(dated)[2], 1, 'a frame that is dated by its source is written as before')
})
