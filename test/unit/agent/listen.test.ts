import t from 'tap'
import { createObservation } from '../../../agent/field/observation.ts'
import { propose, roundRate, timeBase, widened } from '../../../agent/field/proposal.ts'
import { compileSettings } from '../../../agent/pipeline/compile-settings.ts'
import { encodeFrame } from '../../../shared/codec/telemetry.ts'
import { createScreen, styled } from '../../../shared/lib/screen.ts'

const T0 = 1_767_225_600_000_000
const ASK = {
  deployment: 'field',
  agent: 'agent-1',
  program: 'bring-up',
  endpoint: 'tcp://127.0.0.1:5555',
  pattern: 'pull',
  bind: undefined,
  encoding: 'json',
  source: 'daq',
  marginPercent: 50,
  heardSeconds: 10,
  madeAt: '2026-01-01T00:00:00.000Z',
} as const

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

t.test('a stream is described by listening: rates, ranges, units, and why messages would be refused', async (t) => {
  const heard = createObservation({ rig: null, origin: 'daq', encoding: 'json' })
  for (let k = 0; k < 200; k += 1) {
    const nowUs = T0 + k * 50_000
    heard.take(json({ rig: 'bench', channel: 'flow', t_us: nowUs - 3_000, value: 30 + (k % 3), unit: 'L/min' }), nowUs)
    if (k % 20 === 0) heard.take(json({ rig: 'bench', channel: 'temp', t_us: nowUs - 3_000, value: 5 }), nowUs)
  }
  const last = heard.take(json({ rig: 'bench', channel: 'temp', t_us: T0, value: null }), T0 + 10_000_000)
  t.match(last, { decoded: { rig: 'bench', channels: 1 }, refused: null, remarks: ['not_a_number'] })
  t.match(heard.take(json({ rig: 'other', channel: 'x', t_us: T0, value: 1 }), T0), {
    decoded: null,
    refused: { reason: 'wrong_rig' },
  })
  t.match(heard.take(Buffer.from('\u001b[2Jhostile'), T0), { refused: { reason: 'malformed_json' } })
  t.equal(heard.rig, 'bench')
  const [flow, temp] = heard.channels()
  t.match(flow, { channel: 'flow', samples: 200, range: { min: 30, max: 32 }, units: ['L/min'] })
  t.equal(roundRate(flow!.rateHz!), 20)
  t.match(temp, { channel: 'temp', range: { min: 5, max: 5 }, units: [], notNumbers: 1 })
  t.same(Object.fromEntries(heard.refused), { not_a_number: 1, wrong_rig: 1, malformed_json: 1 })
})

t.test('gaps and repetitions of a publisher are counted, and a late frame fills its gap', async (t) => {
  const heard = createObservation({ rig: 'r', origin: 'daq', encoding: 'cbor' })
  const frame = (seq: number): Uint8Array =>
    encodeFrame({
      rig: 'r',
      source: 'daq',
      epoch: 'e',
      seq,
      channels: ['a'],
      cid: null,
      timeUs: Float64Array.of(T0 + seq * 1_000, T0 + seq * 1_000 + 500),
      value: Float64Array.of(1, 2),
    })
  for (const seq of [5, 6, 9, 8, 9]) heard.take(frame(seq), T0 + 10_000)
  t.match(heard.sources(), [{ messages: 5, missing: 1, repeated: 1, spanUs: 500 }])
})

t.test('a proposal is one that `config check` takes, whatever was heard', async (t) => {
  const cases: { channel: string; rateHz: number; values: readonly number[]; unit?: string }[][] = [
    [{ channel: 'flow', rateHz: 100, values: [30, 31] }],
    [{ channel: 'slow one: "quoted" #x', rateHz: 0.02, values: [1e-9, 2e-9], unit: 'm³/h' }],
    [
      { channel: 'fast', rateHz: 1000, values: [-1e12, 1e12] },
      { channel: 'slow', rateHz: 0.01, values: [0] },
      { channel: 'zero', rateHz: 1, values: [0, 0] },
      { channel: 'nan', rateHz: 1, values: [Number.NaN] },
      { channel: 'once an hour', rateHz: 0.0002, values: [1] },
      { channel: 'true', rateHz: 7.77, values: [-5, -4.5], unit: ' bar ' },
    ],
    Array.from({ length: 400 }, (_, k) => ({ channel: `c${k}`, rateHz: k % 2 === 0 ? 10 : 0.003, values: [k, -k] })),
  ]
  let metrics = 0
  for (const channels of cases) {
    const proposal = propose(
      {
        rig: 'bench',
        sources: () => [],
        channels: () =>
          channels.map(({ channel, rateHz, values, unit }) => ({
            channel,
            samples: 100,
            rateHz,
            range: values.every(Number.isFinite)
              ? { min: Math.min(...values), max: Math.max(...values), last: values[0]! }
              : null,
            units: unit === undefined ? [] : [unit],
            notNumbers: 0,
          })),
      },
      ASK,
    )
    const files = [
      { name: 'runtime.yaml', bytes: Buffer.from(proposal.runtime) },
      { name: 'metric_registry.yaml', bytes: Buffer.from(proposal.registry) },
    ]
    const { rigs } = compileSettings(files)
    t.equal(rigs[0]!.metrics.length, proposal.metrics.length)
    t.ok(rigs[0]!.metrics.every((m) => m.windows.length > 0 && !m.baselineRequired))
    for (const m of proposal.metrics) {
      if (m.seen === null) t.equal(m.min, null)
      else if (!(m.min! < m.seen.min && m.max! > m.seen.max)) t.fail(`${m.metric}: the limits hold what was seen`)
    }
    metrics += proposal.metrics.length
  }
  t.comment(`counted: proposed metrics | ${metrics} | in ${cases.length} proposals, each read back`)
})

t.test('a unit is never guessed, and a source that states two states none', async (t) => {
  const facts = { samples: 10, rateHz: 10, range: { min: 0, max: 1, last: 1 }, notNumbers: 0 }
  const channels = () => [
    { channel: 'a', units: ['V'], ...facts },
    { channel: 'b', units: [], ...facts },
    { channel: 'c', units: ['V', 'mV'], ...facts },
  ]
  const { metrics, review, registry } = propose({ rig: null, channels, sources: () => [] }, ASK)
  t.same(
    metrics.map((m) => [m.unit, m.unitKnown]),
    [
      ['V', true],
      ['unknown', false],
      ['unknown', false],
    ],
  )
  t.match(registry, 'unit: "unknown" # the source states none')
  t.equal(review.filter((line) => /states no unit/.test(line)).length, 2)
})

t.test('the time base follows from what was measured, and another unit of time is asked about', async (t) => {
  const source = { source: 'daq', messages: 9, missing: 0, repeated: 0, oldestUs: 0, spanUs: 0, looksLike: null }
  t.same(timeBase([{ ...source, behindUs: 3_000 }]), { time: 'source', remarks: [] })
  t.match(timeBase([{ ...source, behindUs: -3_600_000_000 }]), { time: 'arrival', remarks: [/1 h ahead of the clock/] })
  t.match(timeBase([{ ...source, behindUs: 9_000_000 }]), { time: 'arrival', remarks: [/9 s behind/] })
  t.match(timeBase([{ ...source, behindUs: T0, looksLike: 'ms' }]), { time: 'arrival', remarks: [/did you mean ms\?/] })
  t.equal(timeBase([{ ...source, behindUs: null }]).time, 'source')
  t.equal(timeBase([{ ...source, behindUs: Number.NaN }]).time, 'arrival', 'unknown is never good')
})

t.test('rates and limits are rounded so that they still hold', async (t) => {
  t.same([99.4, 100.7, 33.4, 0.0994, 1234].map(roundRate), [100, 100, 33, 0.1, 1200])
  t.same(widened({ min: 30, max: 32 }, 50), { min: 29, max: 33 })
  t.same(widened({ min: 5, max: 5 }, 50), { min: 4.75, max: 5.25 })
  const zero = widened({ min: 0, max: 0 }, 50)
  t.ok(zero.min < 0 && zero.max > 0, 'a level of nothing has room around it too')
})

t.test('a screen is redrawn in one write, cut to its size, and foreign text cannot command it', async (t) => {
  const written: string[] = []
  const screen = createScreen({ isTTY: true, columns: 10, rows: 3, write: (text: string) => written.push(text) })
  const paint = styled({ isTTY: true, write: () => undefined }, false)
  screen.draw([paint('bad', 'FAIL and more'), 'b'])
  screen.draw(['1', '2', '3', '4'])
  screen.close()
  screen.close()
  t.equal(written.length, 3, 'one write a drawing, one to give the terminal back')
  t.match(written[0], '\u001b[31mFAIL and m\u001b[0m')
  t.match(written[1], '… 2 more lines'.slice(0, 10))
  t.notMatch(written[1], '\u001b[?1049h')
  t.equal(styled({ isTTY: true, write: () => undefined }, true)('bad', 'x'), 'x', 'without colour the text is the same')
})
