import t from 'tap'
import { JSON_SAMPLES_MAX } from '../../../shared/codec/json-samples.ts'
import { channelListId, decodeTelemetry, encodeFrame, FRAME_BYTES_MAX } from '../../../shared/codec/telemetry.ts'
import { encodeTransport } from '../../../shared/codec/transport.ts'
import { createPrng } from '../../../shared/lib/prng.ts'
import { FRAME_REFUSALS } from '../../../shared/model/telemetry.ts'
import { frameOf, RIG, T0 } from '../../support/evaluator-rig.ts'

const TEXT = new TextEncoder()

function decode(message: Uint8Array, encoding: 'cbor' | 'json' = 'cbor') {
  return decodeTelemetry({ rig: RIG, origin: 'bench', encoding, provenance: 'live', message, nowUs: T0 })
}

function json(value: unknown) {
  return decode(TEXT.encode(JSON.stringify(value)), 'json')
}

const FRAME = frameOf({
  seq: 7,
  channels: ['a', 'b'],
  times: [T0, T0 + 1],
  values: [
    [1, Number.NaN],
    [-0.5, 4],
  ],
  quality: Uint8Array.from([0, 1, 2, 3]),
  unit: 'bar',
})
const FIELDS = {
  v: 1,
  rig: RIG,
  source: 'daq',
  epoch: 'e1',
  seq: 7,
  ch: ['a', 'b'],
  t: Float64Array.from([T0, T0 + 1]),
  x: new Float64Array(4),
}

t.test('a frame comes back as it was sent, with its names, with their digest, or with both', async (t) => {
  t.same(decode(encodeFrame(FRAME)), { ok: true, frame: FRAME })
  const byId = { ...FRAME, channels: null, cid: channelListId(['a', 'b']) }
  t.same(decode(encodeFrame(byId)), { ok: true, frame: byId })
  const list = frameOf({ seq: 1, channels: ['a', 'b'], cid: channelListId(['a', 'b']), times: [], values: [] })
  t.same(decode(encodeFrame(list)), { ok: true, frame: list })
  for (const numbers of [
    [1, 2, 3, 4],
    Float32Array.from([1, 2, 3, 4]),
    Int16Array.from([1, 2, 3, 4]),
    BigInt64Array.from([1n, 2n, 3n, 4n]),
  ]) {
    t.match(decode(encodeTransport({ ...FIELDS, x: numbers, t: [T0, T0 + 1] })), {
      ok: true,
      frame: { value: Float64Array.from([1, 2, 3, 4]), timeUs: FIELDS.t },
    })
  }
})

t.test('a frame that is not what it should be is refused for the reason', async (t) => {
  const refused: readonly (readonly [string, Record<string, unknown>])[] = [
    ['wrong_version', { v: 2 }],
    ['wrong_version', { v: undefined }],
    ['wrong_version', { v: '1' }],
    ['wrong_rig', { rig: 'rig-z' }],
    ['wrong_rig', { rig: 5 }],
    ['bad_name', { source: '' }],
    ['bad_name', { source: 'A b' }],
    ['bad_name', { source: 5 }],
    ['bad_name', { ch: ['a', ' b'] }],
    ['bad_name', { ch: ['a', 'x\ny'] }],
    ['bad_name', { ch: ['a', 'x'.repeat(129)] }],
    ['bad_name', { ch: ['a', 5] }],
    ['wrong_shape', { epoch: '' }],
    ['wrong_shape', { epoch: 'x'.repeat(65) }],
    ['wrong_shape', { epoch: 5 }],
    ['wrong_shape', { seq: -1 }],
    ['wrong_shape', { seq: 1.5 }],
    ['wrong_shape', { seq: '7' }],
    ['wrong_shape', { ch: [] }],
    ['wrong_shape', { ch: ['a', 'a'] }],
    ['wrong_shape', { ch: 'ab' }],
    ['wrong_shape', { ch: undefined }],
    ['wrong_shape', { cid: new Uint8Array(31) }],
    ['unknown_cid', { cid: new Uint8Array(32) }],
    ['wrong_shape', { x: new Float64Array(3) }],
    ['wrong_shape', { x: undefined }],
    ['wrong_shape', { x: ['a', 'b', 'c', 'd'] }],
    ['wrong_shape', { x: {} }],
    ['wrong_shape', { x: [1, 2, 3, null] }],
    ['wrong_shape', { t: 'now' }],
    ['wrong_shape', { t: [] }],
    ['wrong_shape', { q: new Uint8Array(3) }],
    ['wrong_shape', { q: Uint8Array.from([0, 0, 0, 4]) }],
    ['wrong_shape', { unit: 5 }],
  ]
  for (const [reason, change] of refused) {
    const fields = Object.fromEntries(
      Object.entries({ ...FIELDS, ...change }).filter(([, value]) => value !== undefined),
    )
    t.match(
      decode(encodeTransport(fields)),
      { ok: false, rig: RIG, reason },
      `${reason} ${JSON.stringify(change).slice(0, 60)}`,
    )
  }
  for (const other of [[1], 'text', 5, null, Float64Array.from([1])])
    t.match(decode(encodeTransport(other)), { ok: false, reason: 'wrong_shape' })
  t.match(decode(new Uint8Array(FRAME_BYTES_MAX + 1)), { ok: false, reason: 'too_large' })
  const long = encodeTransport({ ...FIELDS, t: new Float64Array(65_537), x: new Float64Array(131_074) })
  t.match(decode(long), { ok: false, reason: 'wrong_shape' }, 'more times than a frame may have')
  t.match(decode(new Uint8Array(0)), { ok: false, reason: 'malformed_cbor' })
})

t.test('a JSON sample gives a frame without a sequence', async (t) => {
  t.match(json({ channel: 'a', t_us: T0, value: 1.5 }), {
    ok: true,
    frame: {
      rig: RIG,
      source: 'bench',
      seq: -1,
      channels: ['a'],
      timeUs: Float64Array.from([T0]),
      value: Float64Array.from([1.5]),
    },
  })
  t.match(json({ channel: 'a', t_us: T0, value: null, source: 'x', q: 1, unit: 'bar', rig: RIG }), {
    ok: true,
    frame: { source: 'x', value: Float64Array.from([Number.NaN]), unit: 'bar' },
  })
})

t.test('JSON that is no sample is refused for the reason', async (t) => {
  const good = { channel: 'a', t_us: T0, value: 1 }
  const refused: readonly (readonly [string, unknown])[] = [
    ['wrong_shape', []],
    ['wrong_shape', null],
    ['wrong_shape', 5],
    ['wrong_shape', 'x'],
    ['wrong_shape', [good, null]],
    ['wrong_shape', [[good]]],
    ['wrong_rig', { ...good, rig: 'rig-z' }],
    ['bad_name', { ...good, channel: '' }],
    ['bad_name', { ...good, channel: 5 }],
    ['bad_time', { ...good, t_us: '1' }],
    ['bad_time', { ...good, t_us: null }],
    ['wrong_shape', { ...good, value: '1' }],
    ['wrong_shape', { ...good, value: undefined }],
    ['wrong_shape', { ...good, q: 4 }],
    ['wrong_shape', { ...good, q: 'good' }],
    ['wrong_shape', { ...good, unit: 1 }],
    ['bad_name', { ...good, source: 'No Id' }],
    ['wrong_shape', Array.from({ length: JSON_SAMPLES_MAX + 1 }, () => good)],
  ]
  for (const [reason, value] of refused)
    t.match(json(value), { ok: false, reason }, `${reason} ${JSON.stringify(value).slice(0, 60)}`)
  for (const text of ['', '{', 'NaN', '{"a":1}x', '\u0000'])
    t.match(decode(TEXT.encode(text), 'json'), { ok: false, reason: 'malformed_json' })
  t.match(decode(Uint8Array.from([0x22, 0xff, 0x22]), 'json'), { ok: false, reason: 'malformed_json' })
  t.match(decode(TEXT.encode('['.repeat(200_000)), 'json'), { ok: false })
  t.match(json(JSON.parse('{"__proto__":{"channel":"a"},"t_us":1,"value":1}')), { ok: false, reason: 'bad_name' })
})

t.test('no bytes make the decoder throw, and none are taken that do not fit together', async (t) => {
  const prng = createPrng(70)
  const seeds = [
    encodeFrame(FRAME),
    encodeFrame({ ...FRAME, channels: null, cid: channelListId(['a', 'b']) }),
    TEXT.encode(
      JSON.stringify([
        { channel: 'a', t_us: T0, value: 1, q: 1, unit: 'bar' },
        { channel: 'b', t_us: T0, value: null, q: 0, unit: 'bar' },
      ]),
    ),
  ]
  const reasons = new Set<string>()
  let taken = 0
  for (let k = 0; k < 40_000; k += 1) {
    const mutated = k % 4 !== 0
    const seed = seeds[prng.int(3)]!
    const message = mutated
      ? seed.slice(0, prng.int(3) === 0 ? prng.int(seed.length) : seed.length)
      : Uint8Array.from({ length: prng.int(60) }, () => prng.int(256))
    if (mutated && message.length > 0)
      for (let n = prng.int(3); n >= 0; n -= 1) message[prng.int(message.length)] = prng.int(256)
    const result = decode(message, seed === seeds[2] || (!mutated && k % 8 === 0) ? 'json' : 'cbor')
    if (!result.ok) {
      reasons.add(result.reason)
      if (!FRAME_REFUSALS.includes(result.reason) || result.detail.length > 400) t.fail(result.reason)
      continue
    }
    taken += 1
    const { channels, timeUs, value, quality } = result.frame
    const fits =
      channels === null ? value.length % timeUs.length === 0 : value.length === channels.length * timeUs.length
    if (!fits || (quality !== undefined && quality.length !== value.length))
      t.fail(Buffer.from(message).toString('hex'))
  }
  t.ok(taken > 1000, `${taken} were taken`)
  for (const reason of ['malformed_cbor', 'malformed_json', 'wrong_version', 'wrong_shape', 'wrong_rig', 'bad_name'])
    t.ok(reasons.has(reason), `${reason} was met`)
})
