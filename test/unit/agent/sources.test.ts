import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { Publisher, Push } from 'zeromq'
import { createCsvSource } from '../../../agent/adapters/csv-source.ts'
import { createHostReader } from '../../../agent/adapters/host-source.ts'
import { createZmqSource } from '../../../agent/adapters/zmq-source.ts'
import type { RawTelemetry, SourceSink } from '../../../agent/ports.ts'
import { parseTime } from '../../../shared/codec/recording-text.ts'
import { decodeTelemetry } from '../../../shared/codec/telemetry.ts'
import type { CsvSourceConfig } from '../../../shared/config/types.ts'
import { systemClock } from '../../../shared/lib/clock.ts'
import type { FrameResult } from '../../../shared/model/input.ts'
import { freePort } from '../../support/bench-folder.ts'

/** Takes everything in and decodes it; settles when `until` holds. */
function collect(
  until: (results: FrameResult[]) => boolean,
): SourceSink & { results: FrameResult[]; raw: RawTelemetry[]; done: Promise<void>; isEnded: boolean } {
  let settle = (): void => {}
  const done = new Promise<void>((resolve) => {
    settle = resolve
  })
  const sink = {
    results: [] as FrameResult[],
    raw: [] as RawTelemetry[],
    isEnded: false,
    done,
    async deliver(raw: RawTelemetry) {
      sink.raw.push(raw)
      for (const message of raw.messages) sink.results.push(decodeTelemetry({ ...raw, message, nowUs: raw.nowUs ?? 0 }))
      if (until(sink.results)) settle()
    },
    async tick() {},
    ended() {
      sink.isEnded = true
      settle()
    },
  }
  return sink
}

function temporary(t: { teardown(fn: () => void): unknown }): string {
  const folder = mkdtempSync(join(tmpdir(), 'hb-sources-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const csv = (more: Partial<CsvSourceConfig> = {}): CsvSourceConfig => ({
  name: 'file',
  type: 'csv',
  file: 'x.csv',
  time_column: 'when',
  ignore_columns: ['label'],
  speed: 'max',
  rows_from: 0,
  ...more,
})

t.test(
  'a recording gives a frame a row: blank is no sample, rubbish is NaN, a row without a time is handed on',
  async (t) => {
    const path = join(temporary(t), 'x.csv')
    writeFileSync(
      path,
      'when;flow;Pressure bar;label\n2020-03-09 10:14:33;32.5;1e-2;0\n2020-03-09 10:14:34.25;;2;1\n2020-03-09 10:14:35;abc;3;0\nnonsense;1;2;0\n2020-02-30 00:00:00;1;2;0\n',
    )
    const sink = collect(() => false)
    const source = createCsvSource({ rig: 'r', config: csv(), path, clock: systemClock(), resumeAfter: () => -1 })
    await source.start(sink)
    await sink.done
    const frames = sink.results.flatMap((r) => (r.ok ? [r.frame] : []))
    t.same(
      frames.map((f) => f.channels),
      [['flow', 'Pressure bar'], ['Pressure bar'], ['flow', 'Pressure bar']],
    )
    t.same([...frames[0]!.timeUs], [Date.UTC(2020, 2, 9, 10, 14, 33) * 1000])
    t.equal(frames[1]!.timeUs[0], Date.UTC(2020, 2, 9, 10, 14, 34) * 1000 + 250_000)
    t.same([...frames[0]!.value], [32.5, 0.01])
    t.ok(Number.isNaN(frames[2]!.value[0]))
    t.same(
      sink.results.slice(3).map((r) => r.ok),
      [false, false],
      'both bad rows reach the ledger',
    )
    t.same(
      frames.map((f) => f.seq),
      [0, 1, 2],
    )
    t.equal(sink.raw[0]!.nowUs, frames[0]!.timeUs[0], 'its own time is the clock')
    t.ok(sink.isEnded)
    await source.stop()
  },
)

t.test('a recording goes on behind the row that was journaled last, within its rows', async (t) => {
  const path = join(temporary(t), 'x.csv')
  writeFileSync(
    path,
    `when,flow\n${Array.from({ length: 10 }, (_, k) => `${1_700_000_000_000_000 + k},${k}`).join('\n')}\n`,
  )
  const sink = collect(() => false)
  const asked: string[] = []
  const source = createCsvSource({
    rig: 'r',
    config: csv({ rows_from: 2, rows_to: 8 }),
    path,
    clock: systemClock(),
    resumeAfter: (name, epoch) => {
      asked.push(`${name}/${epoch}`)
      return 4
    },
  })
  await source.start(sink)
  await sink.done
  t.same(
    sink.results.flatMap((r) => (r.ok ? [r.frame.value[0]] : [])),
    [5, 6, 7],
  )
  t.match(asked, [/^file\/[0-9a-f]{16}$/])
  const missing = createCsvSource({
    rig: 'r',
    config: csv({ time_column: 'nowhere' }),
    path,
    clock: systemClock(),
    resumeAfter: () => -1,
  })
  await t.rejects(missing.start(sink), { code: 'CSV_HEADER' })
})

t.test('times of recordings: UTC, whole microseconds, and nothing that is no day', async (t) => {
  t.equal(parseTime('1700000000000000'), 1_700_000_000_000_000)
  t.equal(parseTime('2020-03-09T10:14:33Z'), parseTime('2020-03-09 10:14:33.000000'))
  for (const text of ['', 'x', '2020-13-01 00:00:00', '2021-02-29 00:00:00', '2020-01-01 24:00:00', '2020-01-01'])
    t.equal(parseTime(text), null, text)
})

t.test('a pull source takes what is pushed; a subscriber takes its own topic', async (t) => {
  const [pull, sub] = [await freePort(), await freePort()]
  const common = { type: 'zmq', encoding: 'json', provenance: 'live' } as const
  const clock = systemClock()
  const pulled = collect((r) => r.length >= 300)
  const a = createZmqSource({
    rig: 'r',
    config: { ...common, name: 'a', pattern: 'pull', endpoint: `tcp://127.0.0.1:${pull}` },
    clock,
  })
  await a.start(pulled)
  const push = new Push({ linger: 0 })
  push.connect(`tcp://127.0.0.1:${pull}`)
  for (let k = 0; k < 300; k += 1) await push.send(JSON.stringify({ channel: 'flow', t_us: k, value: k }))
  await pulled.done
  t.same(
    pulled.results.map((r) => r.ok && r.frame.value[0]),
    Array.from({ length: 300 }, (_, k) => k),
    'in order',
  )
  t.ok(pulled.raw.length < 300, 'several at once')
  push.close()
  await a.stop()
  await a.stop()

  const publisher = new Publisher({ linger: 0 })
  await publisher.bind(`tcp://127.0.0.1:${sub}`)
  const heard = collect((r) => r.length >= 1)
  const b = createZmqSource({
    rig: 'r',
    config: { ...common, name: 'b', pattern: 'sub', endpoint: `tcp://127.0.0.1:${sub}` },
    clock,
  })
  await b.start(heard)
  let isHeard = false
  void heard.done.then(() => {
    isHeard = true
  })
  for (let k = 0; k < 100 && !isHeard; k += 1) {
    await publisher.send(['other', JSON.stringify({ channel: 'x', t_us: 1, value: 1 })])
    await publisher.send(['r', JSON.stringify({ channel: 'flow', t_us: 1, value: 1 })])
    await clock.sleep(20)
  }
  t.ok(heard.results.every((r) => r.ok && r.frame.channels?.[0] === 'flow'))
  publisher.close()
  await b.stop()
})

t.test('the sensors of a machine: rates need two readings, what is not there is left out', async (t) => {
  const root = temporary(t)
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  put('proc/stat', 'cpu  100 0 100 800 0 0 0 0 0 0\n')
  put('proc/loadavg', '0.50 0.40 0.30 1/100 1\n')
  put('proc/meminfo', 'MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n')
  put('proc/diskstats', '   8       0 sda 1 0 100 0 1 0 200 0 0 0 0\n   8       1 sda1 1 0 999 0 1 0 999 0 0 0 0\n')
  put(
    'proc/net/dev',
    'Inter-|\n face |\n    lo: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n  eth0: 1000 0 0 0 0 0 0 0 2000 0 0 0 0 0 0 0\n',
  )
  put('sys/class/hwmon/hwmon0/temp1_input', '42500\n')
  const read = createHostReader(root)
  t.same(Object.fromEntries(read(0)), { load_1m: 0.5, mem_available_ratio: 0.25, temp_hwmon0_1: 42.5 })
  put('proc/stat', 'cpu  150 0 150 900 0 0 0 0 0 0\n')
  put('proc/diskstats', '   8       0 sda 1 0 102 0 1 0 204 0 0 0 0\n')
  put('proc/net/dev', 'Inter-|\n face |\n  eth0: 3000 0 0 0 0 0 0 0 1000 0 0 0 0 0 0 0\n')
  const second = read(2_000_000)
  t.equal(second.get('cpu_busy_ratio'), 0.5)
  t.equal(second.get('disk_read_bytes_per_s'), 512)
  t.equal(second.get('disk_write_bytes_per_s'), 1024)
  t.equal(second.get('net_rx_bytes_per_s'), 1000)
  t.notOk(second.has('net_tx_bytes_per_s'), 'a counter that went back was reset: nothing is known')
  t.equal(createHostReader(join(root, 'nowhere'))(0).size, 0)
})
