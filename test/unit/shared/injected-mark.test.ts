import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isMarkSigned, signMark } from '../../../shared/codec/injected-mark.ts'
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
