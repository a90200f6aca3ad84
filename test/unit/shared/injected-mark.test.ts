import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isMarkSigned, signMark, signSamplesMark } from '../../../shared/codec/injected-mark.ts'
import { encodeSample } from '../../../shared/codec/json-samples.ts'
import { channelListId, decodeTelemetry, encodeFrame } from '../../../shared/codec/telemetry.ts'
import { encodeTransport } from '../../../shared/codec/transport.ts'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import { generateSigner, readPublicKey, signerFromPem } from '../../../shared/crypto/sign.ts'
import type { FrameResult } from '../../../shared/model/input.ts'
import type { Frame } from '../../../shared/model/telemetry.ts'

/** A key for vectors only; signatures of Ed25519 are the same every time. */
const PEM = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`
const signer = signerFromPem(PEM)
const key = readPublicKey(signer.spki)
const FRAME = {
  ...{ rig: 'r', source: 'daq', epoch: 'e', seq: 3, channels: ['flow', 'pressure'], cid: null },
  ...{ timeUs: Float64Array.of(1_700_000_000_000_000), value: Float64Array.of(32.5, 4) },
}
const MARK = signMark(FRAME, ['pressure'], signer)

function decode(message: Uint8Array): FrameResult {
  return decodeTelemetry({ rig: 'r', origin: 'bench', encoding: 'cbor', provenance: 'live', message, nowUs: 0 })
}

/** A frame with `inj` in another form than encoders give it. */
function withMark(inj: unknown): Uint8Array {
  const { rig, source, epoch, seq, channels, timeUs, value } = FRAME
  return encodeTransport({ v: 1, rig, source, epoch, seq, ch: channels, t: timeUs, x: value, inj })
}

const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'injected-1.json')
const INVALID: Readonly<Record<string, unknown>> = {
  'no list': 'pressure',
  'a list without a signature': [['pressure']],
  'a short signature': [['pressure'], new Uint8Array(63)],
  'no channels': [[], MARK.signature],
  'a channel twice': [['pressure', 'pressure'], MARK.signature],
  'a channel that the frame has not': [['thrust'], MARK.signature],
  'a name that is none': [[''], MARK.signature],
  'one field more': [['pressure'], MARK.signature, 1],
}

function vectors() {
  return {
    key: toHex(signer.spki),
    valid: toHex(encodeFrame({ ...FRAME, injected: MARK })),
    invalid: Object.fromEntries(Object.entries(INVALID).map(([name, inj]) => [name, toHex(withMark(inj))])),
  }
}

const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as ReturnType<typeof vectors>

t.test('a marked frame has the bytes it was given once and for all, and reads back as what it says', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  const read = decode(fromHex(pinned.valid)!)
  t.same(read, { ok: true, frame: { ...FRAME, provenance: 'live', injected: MARK } })
  t.ok(read.ok && isMarkSigned(read.frame, read.frame.injected!, key))
})

t.test('a mark of another form refuses its frame', async (t) => {
  for (const [name, bytes] of Object.entries(pinned.invalid)) {
    const read = decode(fromHex(bytes)!)
    t.ok(!read.ok && ['wrong_shape', 'bad_name'].includes(read.reason), name)
  }
})

t.test('a mark is about one frame and these channels, under one key', async (t) => {
  const changed: Partial<Frame>[] = [{ rig: 'other' }, { source: 'other' }, { epoch: 'f' }, { seq: 4 }]
  for (const change of changed)
    t.notOk(isMarkSigned({ ...FRAME, ...change }, MARK, key), `another ${Object.keys(change)[0]}`)
  t.notOk(isMarkSigned(FRAME, { ...MARK, channels: ['flow'] }, key), 'other channels')
  t.notOk(isMarkSigned(FRAME, { ...MARK, channels: ['flow', 'pressure'] }, key), 'more channels')
  t.notOk(isMarkSigned(FRAME, MARK, readPublicKey(generateSigner().signer.spki)), 'another key')
  t.same(signMark(FRAME, ['pressure', 'flow', 'pressure'], signer), signMark(FRAME, ['flow', 'pressure'], signer))
})

t.test('a frame that names its channels by digest may be marked too', async (t) => {
  const frame = { ...FRAME, channels: null, cid: channelListId(FRAME.channels) }
  const read = decode(encodeFrame({ ...frame, injected: signMark(frame, ['flow'], signer) }))
  t.ok(read.ok && isMarkSigned(read.frame, read.frame.injected!, key))
})

const T_US = 1_700_000_000_000_000
/** Samples in JSON, without a mark: what `injected` is put into. */
const SAMPLES: Readonly<Record<string, readonly Record<string, unknown>[]>> = {
  one: [{ channel: 'flow', t_us: T_US, value: 32.5 }],
  'channels of one time': [
    { channel: 'pressure', t_us: T_US, value: 4 },
    { channel: 'flow', t_us: T_US, value: 32.5 },
  ],
  'times of one channel': [
    { channel: 'flow', t_us: T_US, value: 32.5 },
    { channel: 'flow', t_us: T_US + 50_000, value: 33 },
  ],
}
const SAMPLES_FILE = join(import.meta.dirname, '..', '..', 'vectors', 'injected-samples-1.json')

function decodeJson(text: string, time?: 'arrival'): FrameResult {
  const about = { rig: 'r', origin: 'bus', encoding: 'json', provenance: 'live', nowUs: T_US + 7 } as const
  return decodeTelemetry({ ...about, ...(time === undefined ? {} : { time }), message: new TextEncoder().encode(text) })
}

/** A message whose samples of these channels are marked, by the mark of all its times. */
function markedText(name: string, channels: readonly string[], mark = samplesMark(name, channels)): string {
  const said = SAMPLES[name]!.map((one) =>
    channels.includes(String(one['channel'])) ? { ...one, injected: mark } : one,
  )
  return JSON.stringify(said.length === 1 ? said[0] : said)
}

function samplesMark(name: string, channels: readonly string[], rig = 'r'): string {
  const timesUs = [...new Set(SAMPLES[name]!.map((one) => Number(one['t_us'])))]
  return toHex(signSamplesMark({ rig, timesUs }, channels, signer).signature)
}

function samplesVectors() {
  const one = samplesMark('one', ['flow'])
  const withMark = (injected: unknown): string => JSON.stringify({ ...SAMPLES['one']![0], injected })
  const [first, second] = SAMPLES['times of one channel']!
  return {
    key: toHex(signer.spki),
    valid: {
      one: markedText('one', ['flow']),
      'one channel of two': markedText('channels of one time', ['pressure']),
      'both channels': markedText('channels of one time', ['flow', 'pressure']),
      'times of one channel': markedText('times of one channel', ['flow']),
    },
    /** Refused when they are read. */
    malformed: {
      'true alone': withMark(true),
      'a short text': withMark(one.slice(2)),
      'capital letters': withMark(one.toUpperCase()),
      'no hex': withMark(`${one.slice(1)}g`),
      'a list as in frames': withMark([['flow'], one]),
      'two marks in one message': JSON.stringify([
        { ...first, injected: one },
        { ...second, injected: samplesMark('times of one channel', ['flow']) },
      ]),
      'a time that is no whole number': JSON.stringify({ ...SAMPLES['one']![0], t_us: 0.5, injected: one }),
      'a time beyond whole numbers': withMark(one).replace(`${T_US}`, '1e300'),
    },
    /** Marks of a good form that the key has not signed for their message. */
    forged: {
      'another time': withMark(one).replace(`${T_US}`, `${T_US + 1}`),
      'another channel': withMark(one).replace('flow', 'pressure'),
      'another rig': withMark(samplesMark('one', ['flow'], 'other')),
      'one channel more': markedText('channels of one time', ['flow', 'pressure'], one),
      'a time more': markedText('times of one channel', ['flow'], one),
      'the mark of a frame': withMark(toHex(signMark(FRAME, ['flow'], signer).signature)),
      nobody: withMark('0'.repeat(128)),
    },
  }
}

const areSamplesNew = !existsSync(SAMPLES_FILE)
if (areSamplesNew) writeFileSync(SAMPLES_FILE, `${JSON.stringify(samplesVectors(), null, 2)}\n`)
const pinnedSamples = JSON.parse(readFileSync(SAMPLES_FILE, 'utf8')) as ReturnType<typeof samplesVectors>

t.test(
  'marked samples in JSON are what they were once and for all, and their mark is that of the injector',
  async (t) => {
    t.notOk(areSamplesNew, 'the vectors were missing and are made anew: look at them before they are committed')
    t.same(samplesVectors(), pinnedSamples)
    for (const [name, text] of Object.entries(pinnedSamples.valid)) {
      const read = decodeJson(text)
      t.ok(read.ok && isMarkSigned(read.frame, read.frame.injected!, key), name)
    }
    const some = decodeJson(pinnedSamples.valid['one channel of two'])
    t.match(some, {
      frame: { channels: ['pressure', 'flow'], seq: -1, injected: { channels: ['pressure'], timesUs: [T_US] } },
    })
    const injected = signSamplesMark({ rig: 'r', timesUs: [T_US] }, ['flow'], signer)
    const bytes = encodeSample({ channel: 'flow', timeUs: T_US, value: 32.5, injected })
    t.equal(new TextDecoder().decode(bytes), pinnedSamples.valid.one)
  },
)

t.test('a mark of samples that cannot be one refuses its message as forged', async (t) => {
  for (const [name, text] of Object.entries(pinnedSamples.malformed))
    t.match(decodeJson(text), { ok: false, reason: 'taint_forged' }, name)
})

t.test('a mark of samples is about one message of one rig, its times and these channels', async (t) => {
  for (const [name, text] of Object.entries(pinnedSamples.forged)) {
    const read = decodeJson(text)
    t.ok(read.ok && read.frame.injected !== undefined && !isMarkSigned(read.frame, read.frame.injected, key), name)
  }
  const elsewhere = decodeJson(pinnedSamples.valid.one)
  t.ok(elsewhere.ok && !isMarkSigned({ ...FRAME, seq: -1 }, { ...elsewhere.frame.injected!, timesUs: [] }, key))
  const { timesUs: _, ...asFrame } = elsewhere.ok ? elsewhere.frame.injected! : MARK
  t.notOk(isMarkSigned(FRAME, asFrame, key), 'nor is it the mark of a frame')
})

t.test('samples that are dated by their arrival keep the mark of the times that they say', async (t) => {
  const read = decodeJson(pinnedSamples.valid.one, 'arrival')
  t.ok(read.ok && read.frame.timeUs[0] === T_US + 7 && isMarkSigned(read.frame, read.frame.injected!, key))
})
