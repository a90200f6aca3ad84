import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { trace } from '@opentelemetry/api'
import t, { type Test } from 'tap'
import { BAD_ROWS_WAITING_MAX, createCsvSource, LINE_BYTES_MAX } from '../../../agent/adapters/csv-source.ts'
import { systemFiles } from '../../../agent/adapters/files.ts'
import { BODY_BYTES_MAX, createSmallServer } from '../../../agent/adapters/http-listen.ts'
import { fileAt, Waiting } from '../../../agent/adapters/outbox-index.ts'
import { OutboxThinner, UNTOLD_MAX } from '../../../agent/adapters/outbox-thinning.ts'
import { createSpans, LINKS_MAX } from '../../../agent/adapters/spans.ts'
import { CHANNEL_LISTS_MAX } from '../../../agent/core/settings.ts'
import { readSlice, SLICE_RECORDS_MAX, SLICE_SAMPLES_MAX } from '../../../agent/pipeline/slice.ts'
import type { JournalRecord, RawTelemetry } from '../../../agent/ports.ts'
import { encodeJournalInput } from '../../../shared/codec/journal-input.ts'
import { channelListId, encodeFrame } from '../../../shared/codec/telemetry.ts'
import { systemClock } from '../../../shared/lib/clock.ts'
import { evaluatorSettings, metricSettings, RIG, rigSettings, T0 } from '../../support/evaluator-rig.ts'

let driven = 0
const SETTINGS = evaluatorSettings([rigSettings([metricSettings('a')])])
const REQUEST = {
  rig: RIG,
  fromUs: T0,
  toUs: T0 + 60_000_000,
  fromSeq: 1,
  untilNowUs: T0 + 90_000_000,
  pause: async () => undefined,
}

function folderFor(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'hb-reading-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const journalOf = (bodies: () => Iterable<Uint8Array>) =>
  ({
    async *read(): AsyncGenerator<JournalRecord> {
      let seq = 0
      for (const body of bodies()) {
        seq += 1
        yield { kind: 'record', seq, body }
      }
    },
  }) as never

function frameBody(channels: readonly string[], times: number, k = 0, cid: string | null = null): Uint8Array {
  const timeUs = Float64Array.from({ length: times }, (_, i) => T0 + k * 1000 + i)
  const value = new Float64Array(times * channels.length)
  const frame = { rig: RIG, source: 's', epoch: 'e', seq: k, channels, cid, timeUs, value }
  const about = { rig: RIG, origin: 'daq', encoding: 'cbor', provenance: 'live' } as const
  return encodeJournalInput({ kind: 'frame', nowUs: T0 + 1, ...about, messages: [encodeFrame(frame)] })
}

t.test('samples of a slice: more than are sent are cut, and the slice says so', async (t) => {
  const bodies = function* () {
    for (let k = 0; k < 30; k += 1) yield frameBody(['a'], 1000, k)
  }
  const slice = await readSlice(journalOf(bodies), SETTINGS, REQUEST)
  t.match(slice, { ok: true, cut: true, channels: { length: 1 } })
  if (slice.ok) t.equal(slice.channels[0]!.time_us.length, SLICE_SAMPLES_MAX)
  const few = await readSlice(
    journalOf(() => [frameBody(['a'], 10)]),
    SETTINGS,
    REQUEST,
  )
  t.match(few, { ok: true, cut: false })
  driven += 1
})

t.test('records of a slice: the rest of the journal is not read, and the slice says so', async (t) => {
  const tick = encodeJournalInput({ kind: 'tick', nowUs: T0 })
  let read = 0
  const bodies = function* () {
    yield frameBody(['a'], 10)
    for (; read < SLICE_RECORDS_MAX + 1000; read += 1) yield tick
  }
  t.match(await readSlice(journalOf(bodies), SETTINGS, REQUEST), { ok: true, cut: true })
  t.ok(read <= SLICE_RECORDS_MAX + 1, `${read} records read`)
  driven += 1
})

t.test('names that a publisher makes up cost a slice nothing, and lists of them are bounded', async (t) => {
  const bodies = function* () {
    for (let k = 0; k < CHANNEL_LISTS_MAX * 4; k += 1) {
      const names = Array.from({ length: 200 }, (_, c) => `made-up-${k}-${c}`)
      yield frameBody(names, 5, k, channelListId(names))
    }
    yield frameBody(['a'], 10)
  }
  const before = process.memoryUsage().heapUsed
  const slice = await readSlice(journalOf(bodies), SETTINGS, REQUEST)
  t.match(slice, { ok: true, channels: [{ channel: 'a' }] })
  if (slice.ok) t.equal(slice.channels.length, 1)
  t.ok(process.memoryUsage().heapUsed - before < 120_000_000)
  driven += 1
})

t.test('rows of a recording that cannot be read: they are handed on before there are many, each counted', async (t) => {
  const path = join(folderFor(t), 'bad.csv')
  const rows = Array.from({ length: BAD_ROWS_WAITING_MAX * 3 + 7 }, (_, k) => `not-a-time-${k},1`)
  const long = 'x'.repeat(LINE_BYTES_MAX * 3)
  writeFileSync(path, ['t,a', ...rows, long, `${T0},5`, ''].join('\n'))
  const handed: number[] = []
  let bytes = 0
  const config = {
    name: 'file',
    type: 'csv',
    file: 'bad.csv',
    time_column: 't',
    ignore_columns: [],
    speed: 'max',
    rows_from: 0,
  } as Parameters<typeof createCsvSource>[0]['config']
  await new Promise<void>((ended) => {
    const source = createCsvSource({ rig: 'r', config, path, clock: systemClock(), resumeAfter: () => -1 })
    void source.start({
      deliver: async ({ messages }: RawTelemetry) => {
        handed.push(messages.length)
        bytes = Math.max(bytes, ...messages.map(({ length }) => length))
      },
      tick: async () => undefined,
      ended,
    })
  })
  t.ok(Math.max(...handed) <= BAD_ROWS_WAITING_MAX + 1, `${Math.max(...handed)} at once`)
  t.equal(
    handed.reduce((a, b) => a + b, 0),
    rows.length + 2,
    'every one of them, and the good one behind them',
  )
  t.ok(bytes < 1000, 'of a line without end only its beginning')
  driven += 1
})

t.test('a body of a request: a longer one is refused, and the next is served', async (t) => {
  const server = createSmallServer({
    'POST /run': (body) => ({ code: 200, body: { length: JSON.stringify(body).length } }),
  })
  const address = await server.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => server.close())
  const post = async (length: number): Promise<number | string> =>
    fetch(`${address}/run`, { method: 'POST', body: JSON.stringify('x'.repeat(length)) }).then(
      ({ status }) => status,
      () => 'cut',
    )
  t.equal(await post(BODY_BYTES_MAX - 2), 200)
  t.ok([413, 'cut'].includes(await post(BODY_BYTES_MAX)))
  t.ok([413, 'cut'].includes(await post(BODY_BYTES_MAX * 100)))
  t.equal(await post(10), 200)
  driven += 1
})

t.test('decisions a batch links to: of more the oldest are left out', async (t) => {
  const links: number[] = []
  const span = { spanContext: () => ({ traceId: '1', spanId: '1', traceFlags: 1 }), end: () => undefined }
  const tracer = {
    startSpan: (name: string, options: { links?: unknown[] }) => {
      if (name === 'hb.batch') links.push(options.links?.length ?? 0)
      return span
    },
  }
  trace.setGlobalTracerProvider({ getTracer: () => tracer as never })
  t.teardown(() => trace.disable())
  const spans = createSpans('0')!
  const decided = (seq: number): void => spans.decided({ seq, rig: 'r', verdict: 'PASS', timeUs: 1 } as never)
  for (let seq = 1; seq <= LINKS_MAX * 3; seq += 1) decided(seq)
  const sealed = (firstSeq: number, count: number): void =>
    spans.sealed({ epoch: 1, batchSeq: 1, firstSeq, count, madeUs: 1 } as never)
  sealed(1, LINKS_MAX * 3)
  decided(LINKS_MAX * 3 + 1)
  sealed(LINKS_MAX * 3 + 1, 1)
  t.same(links, [LINKS_MAX, 1], 'and then there is room')
  driven += 1
})

t.test('spans of thinned batches that nobody told yet: of more the newest are one', async (t) => {
  const folder = folderFor(t)
  const list = Array.from({ length: UNTOLD_MAX * 3 }, (_, k) => fileAt(k + 1, `${k}.hbo`))
  const thinner = new OutboxThinner(systemFiles, { folder, owner: new Uint8Array(16), list, waiting: new Waiting() })
  const replace = Reflect.get(thinner, 'replace') as (
    file: unknown,
    made: unknown,
    tell: (s: unknown) => void,
  ) => unknown
  const told: unknown[] = []
  for (const [k, file] of list.entries()) {
    const known = {
      file,
      entrySeq: k + 1,
      epoch: 1,
      batchSeq: k + 1,
      firstSeq: 10 * k + 1,
      count: 5,
      madeUs: 1,
      bytes: 9,
      receipted: false,
      thinned: false,
    }
    Object.assign(file, { batches: [known] })
    writeFileSync(join(folder, `${file.name}.thin`), '')
    replace.call(thinner, file, { content: new Uint8Array(0), thinned: new Map([[k + 1, 1]]) }, (s) => told.push(s))
  }
  t.equal(told.length, list.length, 'each is told')
  t.equal(thinner.untold.length, UNTOLD_MAX)
  t.same(thinner.untold.at(-1), { from: 10 * (UNTOLD_MAX - 1) + 1, to: 10 * (list.length - 1) + 5 })
  const again = new OutboxThinner(systemFiles, { folder, owner: new Uint8Array(16), list: [], waiting: new Waiting() })
  t.same(again.untold, thinner.untold, 'and a new start knows them')
  again.told()
  t.same(again.untold, [])
  driven += 1
})

t.test('all of them were driven', async (t) => {
  t.equal(driven, 7)
  t.comment(`counted: caps of what the agent reads back driven | ${driven} | declared behaviour, room afterwards`)
})
