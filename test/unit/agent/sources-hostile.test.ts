import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { Publisher, Push } from 'zeromq'
import { createCsvSource } from '../../../agent/adapters/csv-source.ts'
import { createHostReader } from '../../../agent/adapters/host-source.ts'
import { createZmqSource } from '../../../agent/adapters/zmq-source.ts'
import type { RawTelemetry, SourceSink, TelemetrySource } from '../../../agent/ports.ts'
import { RECORD_BODY_MAX_BYTES } from '../../../shared/codec/record-file.ts'
import { parseTime } from '../../../shared/codec/recording-text.ts'
import { decodeTelemetry } from '../../../shared/codec/telemetry.ts'
import { systemClock } from '../../../shared/lib/clock.ts'
import { freePort } from '../../support/bench-folder.ts'

const MIB = 1024 * 1024
const clock = systemClock()

function temporary(t: { teardown(fn: () => void): unknown }): string {
  const folder = mkdtempSync(join(tmpdir(), 'hb-sources-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What became of a recording: each delivery as the frames by number and the refusals by text. */
async function play(path: string, resumeAfter = -1): Promise<string[][]> {
  const deliveries: string[][] = []
  await new Promise<void>((ended, failed) => {
    const sink: SourceSink = {
      async deliver(raw) {
        const told = raw.messages.map((message) => {
          const result = decodeTelemetry({ ...raw, message, nowUs: 0 })
          return result.ok ? `${result.frame.seq}: ${[...result.frame.value]}` : `${result.reason} ${result.detail}`
        })
        deliveries.push(told)
      },
      async tick() {},
      ended,
    }
    recording(path, resumeAfter).start(sink).catch(failed)
  })
  return deliveries
}

function recording(path: string, resumeAfter = -1): TelemetrySource {
  return createCsvSource({
    rig: 'r',
    path,
    clock,
    resumeAfter: () => resumeAfter,
    config: {
      name: 'file',
      type: 'csv',
      file: 'x.csv',
      time_column: 'when',
      ignore_columns: [],
      speed: 'max',
      rows_from: 0,
    },
  })
}

const at = (row: number): number => 1_700_000_000_000_000 + row

t.test('a row that cannot be read costs itself, whatever quotes or lengths are in it', async (t) => {
  const path = join(temporary(t), 'x.csv')
  const long = 'x'.repeat(3 * MIB)
  writeFileSync(
    path,
    `\uFEFFwhen;flow\r\n${at(0)};1\r\n"${at(1)};2\r\n\r\n"${at(2)}";"3"\r\n${long};4\r\n${at(4)};a"b\r\n${at(5)};6`,
  )
  const deliveries = await play(path)
  t.same(
    deliveries.map((told) => told.map((text) => text.slice(0, 20))),
    [['0: 1'], [`bad_row row 1: "${at(1)}`.slice(0, 20), '2: 3'], ['bad_row row 3: xxxxx', '4: NaN'], ['5: 6']],
  )
})

t.test('a row that cannot be read is counted once, however often the agent is killed', async (t) => {
  const path = join(temporary(t), 'x.csv')
  writeFileSync(path, `when;flow\n${at(0)};1\nbad;2\nworse;3\n${at(3)};4\n${at(4)};5\n`)
  const whole = (await play(path)).flat()
  const cut = await play(path)
  for (const [kept, resumeAfter] of [
    [1, 0],
    [2, 3],
  ] as const) {
    const before = cut.slice(0, kept).flat()
    t.same([...before, ...(await play(path, resumeAfter)).flat()], whole, `killed after row ${resumeAfter}`)
  }
})

t.test('a recording that could not be told apart is refused at the start', async (t) => {
  const folder = temporary(t)
  const path = join(folder, 'x.csv')
  const sink: SourceSink = { deliver: async () => {}, tick: async () => {}, ended: () => {} }
  writeFileSync(path, `when;flow;flow\n${at(0)};1;2\n`)
  await t.rejects(recording(path).start(sink), { code: 'CSV_HEADER', context: { found: 'two columns named flow' } })
  await t.rejects(recording(folder).start(sink), { code: 'CONFIG_MISSING' }, 'a folder is no recording')
  for (const text of ['2020-00-15 00:00:00', '0020-03-01 00:00:00', '2020-04-31 00:00:00', '2020-01-00 00:00:00'])
    t.equal(parseTime(text), null, text)
  t.equal(parseTime('2020-02-29 23:59:59.999999'), Date.UTC(2020, 1, 29, 23, 59, 59) * 1000 + 999_999)
})

async function pullSource(t: { teardown(fn: () => Promise<void>): unknown }, sink: SourceSink): Promise<Push> {
  const endpoint = `tcp://127.0.0.1:${await freePort()}`
  const source = createZmqSource({
    rig: 'r',
    clock,
    config: { name: 'a', type: 'zmq', pattern: 'pull', encoding: 'cbor', provenance: 'live', endpoint },
  })
  await source.start(sink)
  const push = new Push({ linger: 0 })
  push.connect(endpoint)
  t.teardown(async () => {
    push.close()
    await source.stop()
  })
  return push
}

t.test(
  'messages handed on together fit a journal record, and a huge one is still refused for its length',
  async (t) => {
    const raws: RawTelemetry[] = []
    let received = 0
    let settle = (): void => {}
    const all = new Promise<void>((resolve) => {
      settle = resolve
    })
    const push = await pullSource(t, {
      async deliver(raw) {
        raws.push(raw)
        received += raw.messages.length
        if (received === 13) settle()
      },
      tick: async () => {},
      ended: () => {},
    })
    await push.send(new Uint8Array(40 * MIB))
    for (let k = 0; k < 12; k += 1) await push.send(new Uint8Array(4 * MIB))
    await all
    const sizes = raws.map((raw) => raw.messages.reduce((sum, message) => sum + message.length, 0))
    t.ok(Math.max(...sizes) <= RECORD_BODY_MAX_BYTES / 2, String(sizes))
    const huge = decodeTelemetry({ ...raws[0]!, message: raws[0]!.messages[0]!, nowUs: 0 })
    t.match(huge, { ok: false, reason: 'too_large' })
  },
)

t.test('while a delivery is not through, no other one begins, and none overtakes it', async (t) => {
  let running = 0
  let most = 0
  const order: number[] = []
  let settle = (): void => {}
  const all = new Promise<void>((resolve) => {
    settle = resolve
  })
  const push = await pullSource(t, {
    async deliver(raw) {
      running += 1
      most = Math.max(most, running)
      await clock.sleep(40)
      for (const message of raw.messages) order.push(message[0]!)
      running -= 1
      if (order.length === 20) settle()
    },
    tick: async () => {},
    ended: () => {},
  })
  for (let k = 0; k < 20; k += 1) {
    await push.send(Uint8Array.of(k))
    await clock.sleep(8)
  }
  await all
  t.equal(most, 1)
  t.same(
    order,
    Array.from({ length: 20 }, (_, k) => k),
  )
})

t.test('a subscriber does not take what was published for a rig whose name only begins like its own', async (t) => {
  const endpoint = `tcp://127.0.0.1:${await freePort()}`
  const publisher = new Publisher({ linger: 0 })
  await publisher.bind(endpoint)
  const channels: string[] = []
  let settle = (): void => {}
  const heard = new Promise<void>((resolve) => {
    settle = resolve
  })
  const source = createZmqSource({
    rig: 'loop',
    clock,
    config: { name: 'b', type: 'zmq', pattern: 'sub', encoding: 'json', provenance: 'live', endpoint },
  })
  await source.start({
    async deliver(raw) {
      for (const message of raw.messages) channels.push(JSON.parse(Buffer.from(message).toString()).channel)
      settle()
    },
    tick: async () => {},
    ended: () => {},
  })
  t.teardown(async () => {
    publisher.close()
    await source.stop()
  })
  let isHeard = false
  void heard.then(() => {
    isHeard = true
  })
  const sample = (channel: string): string => JSON.stringify({ channel, t_us: 1, value: 1 })
  for (let k = 0; k < 200 && !isHeard; k += 1) {
    await publisher.send(['loop-2', sample('of the other')])
    await publisher.send(['loop', sample('mine')])
    await clock.sleep(20)
  }
  await heard
  t.same(new Set(channels), new Set(['mine']))
})

t.test('a port that is taken is named with its address', async (t) => {
  const endpoint = `tcp://127.0.0.1:${await freePort()}`
  const config = { name: 'a', type: 'zmq', pattern: 'pull', encoding: 'cbor', provenance: 'live', endpoint } as const
  const sink: SourceSink = { deliver: async () => {}, tick: async () => {}, ended: () => {} }
  const [first, second] = [createZmqSource({ rig: 'r', config, clock }), createZmqSource({ rig: 'r', config, clock })]
  await first.start(sink)
  t.teardown(() => first.stop())
  await t.rejects(second.start(sink), { code: 'PORT_TAKEN', context: { endpoint, source: 'a', rig: 'r' } })
  await second.stop()
})

t.test('a sensor that does not answer has no reading, and a share stays one', async (t) => {
  const root = temporary(t)
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  mkdirSync(join(root, 'sys/class/hwmon/hwmon0/temp1_input'), { recursive: true })
  put('sys/class/hwmon/hwmon0/temp2_input', '\n')
  put('sys/class/hwmon/hwmon0/temp3_input', '-5000\n')
  put('proc/loadavg', '')
  put('proc/stat', 'cpu  100 0 100 800 50 0 0 0 0 0\n')
  const read = createHostReader(root)
  t.same(Object.fromEntries(read(0)), { temp_hwmon0_3: -5 }, 'unknown is not 0')
  put('proc/stat', 'cpu  200 0 100 800 20 0 0 0 0 0\n')
  t.equal(read(1_000_000).get('cpu_busy_ratio'), 1, 'the count of waiting for IO went back')
})
