import { channelListId } from '../../shared/codec/telemetry.ts'
import { encodeTransport } from '../../shared/codec/transport.ts'
import type { FrameRefusal, SampleRefusal } from '../../shared/model/telemetry.ts'

/** One hostile thing a publisher may send: the messages, and what must become of them. */
export type TelemetryCase = Readonly<{
  name: string
  encoding: 'cbor' | 'json'
  /** Made when asked for, and only then. */
  messages(): readonly Uint8Array[]
  /** Reason that is counted, or the column of the ledger that grows; `received` for what is taken as it is. */
  expect: FrameRefusal | SampleRefusal | 'late' | 'received'
}>

const TEXT = new TextEncoder()
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const repeated = (byte: number, count: number): Uint8Array => new Uint8Array(count).fill(byte)
const joined = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))
const YEAR_US = 365 * 86_400_000_000
/** Bytes of a stream nobody sent: what follows a claim of a length is never there. */
const ONE_MIB = 1024 * 1024

type Fields = Record<string, unknown>
type Make = () => Uint8Array

/** A good frame of one sample of the pressure, with some of its fields changed; `undefined` leaves one out. */
function frame(rig: string, nowUs: number, change: Fields = {}): Uint8Array {
  const whole: Fields = {
    v: 1,
    rig,
    source: 'daq',
    epoch: `life-${Math.floor(nowUs)}-${JSON.stringify(Object.keys(change))}`.slice(0, 60),
    seq: 0,
    ch: ['Pressure'],
    t: Float64Array.of(nowUs),
    x: Float64Array.of(1),
    ...change,
  }
  return encodeTransport(Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined)))
}

/** Frames that are no CBOR of the profile: refused before anything is built from them. */
function malformedCases(rig: string, nowUs: number): [string, Make][] {
  const good = frame(rig, nowUs)
  const inMap = (value: string): Uint8Array => joined(bytes('a1 61 76'), bytes(value))
  return [
    ['nothing at all', () => new Uint8Array(0)],
    ['a key twice', () => bytes('a2 6176 01 6176 01')],
    ['an array without a length', () => inMap('9f 01 ff')],
    ['a map without a length', () => bytes('bf 6176 01 ff')],
    ['a text without a length', () => inMap('7f 6161 ff')],
    ['bytes without a length', () => inMap('5f 4101 ff')],
    ['text that is no UTF-8', () => inMap('62 c328')],
    ['a lone surrogate', () => inMap('63 eda080')],
    ['an overlong form of NUL', () => inMap('62 c080')],
    ['bytes after the end', () => joined(good, Uint8Array.of(0))],
    ['two frames in one', () => joined(good, good)],
    ['a cut frame', () => good.subarray(0, good.length - 3)],
    ['a number of 400 KB', () => joined(bytes('a1 6176 c2 5a 00061a80'), repeated(0xff, 400_000))],
    ['a negative number of 400 KB', () => joined(bytes('a1 6176 c3 5a 00061a80'), repeated(0xff, 400_000))],
    [
      'a regular expression that never ends',
      () => joined(inMap('d81b 82 66'), TEXT.encode('RegExp'), bytes('66'), TEXT.encode('(a+)+$')),
    ],
    ['an error made of bytes', () => joined(inMap('d81b 82 65'), TEXT.encode('Error'), bytes('61 78'))],
    ['a value that is its own part', () => inMap('d81c 81 d81d 00')],
    ['a definition of records', () => inMap('d9 dfff 83 00 81 6161 01')],
    ['a date', () => inMap('c1 1a 514b67b0')],
    ['a typed array that is no bytes', () => inMap('d856 83 01 02 03')],
    ['a typed array with half an element', () => inMap('d856 47 01020304050607')],
    ['100 000 levels', () => repeated(0x81, 100_000)],
    ['2^31 bytes claimed', () => inMap('5a 80000000')],
    ['2^31 characters claimed', () => inMap('7a 80000000')],
    ['2^31 elements claimed', () => inMap('9a 80000000')],
    ['2^31 entries claimed', () => bytes('ba 80000000')],
    ['2^63 elements claimed', () => inMap('9b 8000000000000000')],
    ['2^64 bytes claimed in a typed array', () => inMap('d856 5b ffffffffffffffff')],
    ['a head that is reserved', () => inMap('1c')],
    ['a value that is undefined', () => inMap('f7')],
    ['a key that is a number', () => bytes('a1 01 02')],
    ['a map of a MiB of empty maps', () => joined(bytes('9a 00100000'), repeated(0xa0, ONE_MIB))],
    ['a MiB of noise', () => Uint8Array.from({ length: ONE_MIB }, (_, k) => (k * 2_654_435_761) >>> 13)],
    ['a MiB of zeros', () => new Uint8Array(ONE_MIB)],
    ['JSON where CBOR is due', () => TEXT.encode('{"channel":"Pressure","t_us":1,"value":1}')],
  ]
}

/** Frames that are whole CBOR and no frames. */
function shapeCases(rig: string, nowUs: number): [string, Make, TelemetryCase['expect']][] {
  const f = (change: Fields): Uint8Array => frame(rig, nowUs, change)
  const wide = Array.from({ length: 4096 }, (_, k) => `ghost-${k}`)
  const polluting = joined(bytes('a1 69'), TEXT.encode('__proto__'), frame(rig, nowUs))
  return [
    ['a frame whose only key is __proto__', () => polluting, 'wrong_version'],
    ['a rig named __proto__', () => f({ rig: '__proto__' }), 'wrong_rig'],
    ['a source named ../../etc/passwd', () => f({ source: '../../etc/passwd' }), 'bad_name'],
    ['keys constructor and toString beside good ones', () => f({ constructor: 1, toString: { x: 1 } }), 'received'],
    ['a channel named __proto__', () => f({ ch: ['__proto__'] }), 'unknown_channel'],
    ['a channel named constructor', () => f({ ch: ['constructor'] }), 'unknown_channel'],
    ['a channel whose name looks like another (Cyrillic)', () => f({ ch: ['\u0420ressure'] }), 'unknown_channel'],
    ['a channel named in another Unicode form', () => f({ ch: ['Pre\u0301ssure'] }), 'unknown_channel'],
    ['a channel with a right-to-left override', () => f({ ch: ['\u202eerusserP'] }), 'unknown_channel'],
    ['a channel that is a script', () => f({ ch: ['<script>alert(1)</script>'] }), 'unknown_channel'],
    ['a channel with a line feed', () => f({ ch: ['Pressure\n'] }), 'bad_name'],
    ['4 097 channels', () => f({ ch: [...wide, 'one more'], x: new Float64Array(4097) }), 'wrong_shape'],
    ['4 096 channels that nobody knows', () => f({ ch: wide, x: new Float64Array(4096) }), 'unknown_channel'],
    ['65 537 times', () => f({ t: new Float64Array(65_537), x: new Float64Array(65_537) }), 'wrong_shape'],
    ['a longer frame than may be', () => new Uint8Array(4 * ONE_MIB + 1), 'too_large'],
    ['a list of names that is not announced', () => f({ ch: undefined, cid: repeated(7, 32) }), 'unknown_cid'],
    ['a digest of other names', () => f({ cid: repeated(7, 32) }), 'unknown_cid'],
    ['a sequence number beyond 2^53', () => f({ seq: 2n ** 63n }), 'wrong_shape'],
    ['a small sequence number in 64 bits', () => f({ seq: 5n }), 'received'],
    ['a unit of another quantity', () => f({ unit: 'parsec' }), 'unit_mismatch'],
  ]
}

/** Values and times that are whole frames and no measurements, or ones at the edge of what is. */
function sampleCases(rig: string, nowUs: number): [string, Make, TelemetryCase['expect']][] {
  const at = (t: number): Uint8Array =>
    frame(rig, nowUs, { t: Float64Array.of(t), epoch: `at-${t}-${nowUs}`.slice(0, 60) })
  const of = (x: number): Uint8Array =>
    frame(rig, nowUs, { x: Float64Array.of(x), epoch: `of-${x}-${nowUs}`.slice(0, 60) })
  const q = (quality: number): Uint8Array =>
    frame(rig, nowUs, { q: Uint8Array.of(quality), epoch: `q-${quality}-${nowUs}` })
  return [
    ['NaN', () => of(Number.NaN), 'not_a_number'],
    ['infinity', () => of(Number.POSITIVE_INFINITY), 'not_a_number'],
    ['minus infinity', () => of(Number.NEGATIVE_INFINITY), 'not_a_number'],
    ['the largest double', () => of(Number.MAX_VALUE), 'not_a_number'],
    ['minus zero', () => of(-0), 'received'],
    ['a denormal', () => of(5e-324), 'received'],
    ['the largest value that is one', () => of(1e140), 'received'],
    ['a bad quality', () => q(2), 'quality_bad'],
    ['a missing quality', () => q(3), 'quality_missing'],
    ['a time that is NaN', () => at(Number.NaN), 'bad_time'],
    ['a time that is infinite', () => at(Number.POSITIVE_INFINITY), 'bad_time'],
    ['a time with a fraction', () => at(nowUs + 0.5), 'bad_time'],
    ['a time beyond 2^53', () => at(2 ** 60), 'bad_time'],
    ['a time of 1970', () => at(0), 'late'],
    ['a time before 1970', () => at(-nowUs), 'late'],
    ['a time ten years ahead', () => at(nowUs + 10 * YEAR_US), 'future'],
    ['a time ten years behind', () => at(nowUs - 10 * YEAR_US), 'late'],
    ['the last whole time', () => at(Number.MAX_SAFE_INTEGER), 'future'],
    ['a time in milliseconds', () => at(Math.floor(nowUs / 1000)), 'suspect_ms'],
    ['a time in seconds', () => at(Math.floor(nowUs / 1e6)), 'suspect_s'],
    ['a time in nanoseconds', () => at(nowUs * 1000), 'suspect_ns'],
  ]
}

/** JSON samples. */
function jsonCases(nowUs: number): [string, () => string, TelemetryCase['expect']][] {
  const sample = (change: Fields): string => JSON.stringify({ channel: 'Pressure', t_us: nowUs, value: 1, ...change })
  const text = (field: string, literal: string): string => sample({ [field]: 'HERE' }).replace('"HERE"', literal)
  return [
    ['no JSON', () => 'NaN', 'malformed_json'],
    ['a byte order mark', () => `\ufeff\ufeff${sample({})}`, 'malformed_json'],
    ['200 000 levels', () => '['.repeat(200_000), 'malformed_json'],
    ['two values', () => sample({}) + sample({}), 'malformed_json'],
    ['a MiB of text where a name is due', () => sample({ channel: 'x'.repeat(ONE_MIB - 200) }), 'bad_name'],
    ['a key twice', () => sample({}).replace('{', '{"value":"x","value":2,').replace(',"value":1', ''), 'received'],
    ['__proto__ in place of the fields', () => `{"__proto__":${sample({})}}`, 'bad_name'],
    ['a lone surrogate', () => text('channel', '"\\ud800"'), 'unknown_channel'],
    ['a value of 1e999', () => text('value', '1e999'), 'not_a_number'],
    ['a value of null', () => sample({ value: null }), 'not_a_number'],
    ['a value that is text', () => sample({ value: '1' }), 'wrong_shape'],
    ['a value of 100 000 digits', () => text('value', '9'.repeat(100_000)), 'not_a_number'],
    ['a time of 1e999', () => text('t_us', '1e999'), 'bad_time'],
    ['a time that is text', () => sample({ t_us: 'now' }), 'bad_time'],
    ['a time in milliseconds', () => sample({ t_us: Math.floor(nowUs / 1000) }), 'suspect_ms'],
    ['a time in seconds', () => sample({ t_us: nowUs / 1e6 }), 'suspect_s'],
    ['4 097 samples', () => `[${Array.from({ length: 4097 }, () => sample({})).join(',')}]`, 'wrong_shape'],
    ['another rig', () => sample({ rig: 'loop-cbor' }), 'wrong_rig'],
  ]
}

/** Floods: many messages that are each in order. */
function floodCases(rig: string, nowUs: number): [string, () => Uint8Array[], TelemetryCase['expect']][] {
  const lists = (): Uint8Array[] =>
    Array.from({ length: 300 }, (_, k) => {
      const names = [`flood-${k}`]
      const cid = new Uint8Array(Buffer.from(channelListId(names), 'hex'))
      return frame(rig, nowUs, { ch: names, cid, t: undefined, x: undefined, seq: k, epoch: `lists-${nowUs}` })
    })
  const again = frame(rig, nowUs, { epoch: `again-${nowUs}` })
  return [
    ['300 lists of channels', lists, 'sources_full'],
    [
      '200 lives of a source',
      () => Array.from({ length: 200 }, (_, k) => frame(rig, nowUs, { epoch: `l-${k}-${nowUs}` })),
      'received',
    ],
    ['the same frame twice', () => [again, again], 'duplicate_frame'],
    [
      'sequence numbers that leap to 2^53 in two lives',
      () =>
        ['a', 'b'].flatMap((life) =>
          [0, Number.MAX_SAFE_INTEGER].map((seq) => frame(rig, nowUs, { seq, epoch: `leap-${life}-${nowUs}` })),
        ),
      'received',
    ],
  ]
}

/** Everything hostile a publisher may send to a rig `rig` at about `nowUs`. */
export function telemetryCases(rig: string, nowUs: number): TelemetryCase[] {
  const one = ([name, message, expect]: [string, Make, TelemetryCase['expect']]): TelemetryCase => ({
    name,
    encoding: 'cbor',
    messages: () => [message()],
    expect,
  })
  return [
    ...malformedCases(rig, nowUs).map(([name, message]) => one([name, message, 'malformed_cbor'])),
    ...[...shapeCases(rig, nowUs), ...sampleCases(rig, nowUs)].map(one),
    ...floodCases(rig, nowUs).map(([name, messages, expect]) => ({
      name,
      encoding: 'cbor' as const,
      messages,
      expect,
    })),
    ...jsonCases(nowUs).map(([name, text, expect]) => ({
      name: `JSON: ${name}`,
      encoding: 'json' as const,
      messages: () => [TEXT.encode(text())],
      expect,
    })),
  ]
}
