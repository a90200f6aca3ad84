import t from 'tap'
import { type MessageConfig, readMessage } from '../../../agent/adapters/mqtt-messages.ts'
import { createPacketMeter } from '../../../agent/adapters/mqtt-stream.ts'
import { isMarkSigned, signSamplesMark } from '../../../shared/codec/injected-mark.ts'
import { decodeTelemetry } from '../../../shared/codec/telemetry.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import { generateSigner, readPublicKey } from '../../../shared/crypto/sign.ts'
import { isTopic, TOPIC_FILTER_PATTERN, topicMatches } from '../../../shared/model/mqtt-topic.ts'
import { lengthBytes, publishBytes } from '../../support/broker-double.ts'

const CONFIG: MessageConfig = {
  encoding: 'json',
  time_unit: 's',
  time: 'source',
  message_bytes_max: 400,
  topic_map: { 'rig/p1': 'pressure' },
}
const NOW = 1_800_000_000_000_000

/** What the evaluator reads in a message: channel=value@time for each sample, or why it is refused. */
function read(payload: string | Uint8Array, more: Partial<MessageConfig> & { topic?: string } = {}): string {
  const { topic = 'hb/metrics/x', ...config } = more
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload
  const message = readMessage(bytes, { rig: 'bench', topic, row: 7, config: { ...CONFIG, ...config } })
  const time = config.time === 'arrival' ? { time: 'arrival' as const } : {}
  const about = { rig: 'bench', origin: 'bus', provenance: 'live', nowUs: NOW, ...time } as const
  const result = decodeTelemetry({ ...about, encoding: message.encoding, message: message.bytes })
  if (!result.ok) return `${result.reason}: ${result.detail}`
  const { channels, timeUs, value, unit } = result.frame
  const said = channels!.map((name, c) => `${name}=${value[c * timeUs.length]}`).join(' ')
  return `${said}@${timeUs[0]}${unit === undefined ? '' : ` ${unit}`}`
}

t.test('messages of the predecessor and of ours say the same', async (t) => {
  const said = 'flow=1.5@1700000000250000 L/min'
  t.equal(read('{"channel":"flow","t_us":1700000000250000,"value":1.5,"unit":"L/min"}'), said)
  for (const time of ['"timestamp":1700000000.25', '"event_time":1700000000.25', '"ts":"2023-11-14T22:13:20.25Z"'])
    for (const name of ['metric', 'name'])
      t.equal(read(`{${time},"${name}":"flow","value":1.5,"unit":"L/min","tags":{"a":1}}`), said, `${time} ${name}`)
  t.equal(read('metric=flow value=1.5 unit=L/min ts=1700000000.25'), said)
  t.equal(read('name=flow, value=1.5, unit=L/min, timestamp=2023-11-14T22:13:20.25Z\n'), said)
  t.equal(read('{"metric":"flow","value":1.5,"unit":"L/min","ts":1700000000250}', { time_unit: 'ms' }), said)
  t.equal(read('[{"metric":"a","value":1,"ts":3},{"metric":"b","value":2,"ts":3}]'), 'a=1 b=2@3000000')
  t.equal(read('a=1 b=2.5e1; ts=3'), 'a=1 b=25@3000000')
})

t.test('the mark of injected samples comes through every form that has room for it', async (t) => {
  const signer = generateSigner('testbed')
  const mark = (channels: readonly string[]): string =>
    toHex(signSamplesMark({ rig: 'bench', timesUs: [3_000_000] }, channels, signer.signer).signature)
  const [flow, both] = [mark(['flow']), mark(['a', 'b'])]
  for (const payload of [
    `{"channel":"flow","t_us":3000000,"value":1,"injected":"${flow}"}`,
    `{"metric":"flow","ts":3,"value":1,"injected":"${flow}"}`,
    `metric=flow value=1 ts=3 injected=${flow}`,
    `flow=1, ts=1970-01-01T00:00:03Z, injected=${flow}`,
    `a=1 b=2 ts=3 injected=${both}`,
    `[{"name":"a","ts":3,"value":1,"injected":"${both}"},{"name":"b","ts":3,"value":2,"injected":"${both}"}]`,
  ]) {
    const config = { ...CONFIG, message_bytes_max: 1000 }
    const { bytes } = readMessage(new TextEncoder().encode(payload), { rig: 'bench', topic: 'x', row: 1, config })
    const about = { rig: 'bench', origin: 'bus', encoding: 'json', provenance: 'live', nowUs: NOW } as const
    const read = decodeTelemetry({ ...about, message: bytes })
    t.ok(
      read.ok && isMarkSigned(read.frame, read.frame.injected!, readPublicKey(signer.signer.spki)),
      payload.slice(0, 30),
    )
  }
})

t.test('a channel comes from the message or from the map, never from the topic', async (t) => {
  t.equal(read('{"ts":3,"value":2}', { topic: 'rig/p1' }), 'pressure=2@3000000')
  t.equal(read('2.5', { topic: 'rig/p1', time: 'arrival' }), `pressure=2.5@${NOW}`)
  t.equal(read('{"ts":3,"value":2,"metric":"flow"}', { topic: 'rig/p1' }), 'flow=2@3000000')
  t.match(read('2.5', { time: 'arrival' }), 'bad_row: row 7: hb/metrics/x: no channel, and none in `topic_map`')
  t.match(read('2.5', { topic: '__proto__', time: 'arrival' }), /^bad_row/)
})

t.test('what cannot be read is refused with its reason, and no time is made up', async (t) => {
  for (const [payload, refused] of [
    ['{"metric":"flow","value":1}', /^bad_time/],
    ['{"metric":"flow","value":1,"ts":"yesterday"}', /^bad_time/],
    ['{"metric":"flow","value":1,"ts":"1700000000"}', /^bad_time/],
    ['{"metric":"flow","value":"1","ts":3}', /^wrong_shape/],
    ['{"metric":"flow","value":true,"ts":3}', /^wrong_shape/],
    ['{"metric":"flow","ts":3}', /^wrong_shape/],
    ['{"metric":4,"value":1,"ts":3}', /^bad_name/],
    ['{"metric":"flow","value":NaN,"ts":3}', /^malformed_json/],
    ['{"rig":"other","metric":"flow","value":1,"ts":3}', /^wrong_rig/],
    ['{"metric":"flow","value":1,"ts":3,"injected":true}', /^taint_forged/],
    ['{"metric":"flow","value":1,"ts":3,"hb_injected":1}', /^taint_forged/],
    ['flow=1 ts=3 hb_injected=1', /^taint_forged/],
    ['{"channel":"flow","value":1,"t_us":3000000,"hb_injected":1}', /^taint_forged/],
    ['metric=flow value=1 ts=3 injected=true', /^taint_forged/],
    ['[1, 2]', /^wrong_shape/],
    ['[]', /^wrong_shape/],
    ['{', /^malformed_json/],
    ['', /^bad_row/],
    ['nan', /^bad_row/],
    ['flow 1.5', /^bad_row/],
    ['flow=1 flow=2 ts=3', /^bad_row/],
    ['metric=flow ts=3', /^bad_row/],
    ['flow=high ts=3', /^wrong_shape/],
    [`{"metric":"${'x'.repeat(500)}"}`, /^bad_row.*more than 400/],
  ] as const)
    t.match(read(payload), refused, payload.slice(0, 60))
  t.match(read(new Uint8Array([0xff, 0xfe])), /^malformed_json/)
  t.match(read('{"metric":"flow","value":null,"ts":3}'), 'flow=NaN@3000000')
  t.match(read('not a frame', { encoding: 'cbor' }), /^malformed_cbor/)
})

t.test('topics and filters', async (t) => {
  const filter = new RegExp(TOPIC_FILTER_PATTERN)
  for (const good of ['a', 'a/b', '#', '+', 'a/#', '+/b/#', 'a//b', '/a']) t.ok(filter.test(good), good)
  for (const bad of ['', 'a#', 'a/#/b', 'a+/b', '$SYS/#', '$share/g/a', 'a/+b']) t.notOk(filter.test(bad), bad)
  for (const [one, topic, matches] of [
    ['hb/metrics/#', 'hb/metrics/a/b', true],
    ['hb/metrics/#', 'hb/metrics', true],
    ['hb/metrics/#', 'hb/metricsx', false],
    ['+/p1', 'rig/p1', true],
    ['+/p1', 'rig/a/p1', false],
    ['a/b', 'a', false],
    ['a', 'a/b', false],
  ] as const)
    t.equal(topicMatches(one, topic), matches, `${one} ${topic}`)
  t.ok(isTopic('a/b'))
  for (const bad of ['', 'a/#', '+', '$SYS/x', 'a'.repeat(300)]) t.notOk(isTopic(bad), bad.slice(0, 9))
})

t.test('packets are followed by their lengths, however they are cut', async (t) => {
  const lengths = [0, 5, 127, 128, 20_000, 2_100_000]
  const bytes = Buffer.concat(lengths.map((n) => Buffer.from([0x30, ...lengthBytes(n), ...new Uint8Array(n)])))
  for (const size of [1, 3, 1000, bytes.length]) {
    const meter = createPacketMeter()
    const seen = new Set<number>()
    for (let k = 0; k < bytes.length; k += size) seen.add(meter(bytes.subarray(k, k + size)))
    t.equal(Math.max(...seen), 2_100_000, `in pieces of ${size}`)
    if (size === 1) for (const length of lengths) t.ok(seen.has(length), `${length}`)
  }
  const meter = createPacketMeter()
  meter(publishBytes({ topic: 'a', text: 'b' }))
  t.equal(meter(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1])), Number.POSITIVE_INFINITY, 'no such length')
})
