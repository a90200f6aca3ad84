import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { decodeJournalInput, encodeJournalInput, type JournalInput } from '../../../shared/codec/journal-input.ts'
import { encodeRecord } from '../../../shared/codec/record-file.ts'
import { encodeFrame } from '../../../shared/codec/telemetry.ts'
import { fromHex, toHex } from '../../../shared/crypto/digest.ts'
import { readPublicKey, signerFromPem } from '../../../shared/crypto/sign.ts'
import { type BatchHeader, buildBatch, genesisPrev, openBatch } from '../../../shared/protocol/batch.ts'
import { openDownlink, signDownlink } from '../../../shared/protocol/downlink.ts'
import { openReceipt, signReceipt } from '../../../shared/protocol/receipt.ts'

/** A key for vectors only; signatures of Ed25519 are the same every time. */
const PEM = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`
const signer = signerFromPem(PEM)
const key = readPublicKey(signer.spki)
const digest = (n: number): Uint8Array => new Uint8Array(32).fill(n)

const INPUTS: readonly JournalInput[] = [
  {
    kind: 'frame',
    nowUs: 1_700_000_000_000_000,
    rig: 'r',
    origin: 'daq',
    encoding: 'cbor',
    provenance: 'live',
    messages: [new Uint8Array([1, 2])],
  },
  { kind: 'tick', nowUs: 1_700_000_000_050_000 },
  { kind: 'mode', nowUs: 1, rig: 'r', mode: 'test', reason: 'x', operator: 'Ada', source: 'cli' },
  { kind: 'operator', nowUs: 2, command: 'agent_start', bootId: 'b', version: '0.1.0' },
  { kind: 'config', nowUs: 3, files: [{ name: 'runtime.yaml', bytes: new Uint8Array([97]) }] },
  {
    kind: 'run',
    nowUs: 4,
    rig: 'r',
    command: 'start',
    run: 'run-1',
    article: 'SN',
    procedure: 'P',
    operator: 'Ada',
    note: '',
  },
]
const HEADER: BatchHeader = {
  deployment: 'demo',
  agent: 'bench-1',
  epoch: 1,
  batchSeq: 1,
  prev: genesisPrev({ deployment: 'demo', agent: 'bench-1', epoch: 1, spki: signer.spki }),
  firstSeq: 1,
  count: 4,
  span: { firstUs: 0, lastUs: 200_000, watermarkUs: 200_000 },
  clock: { monoUs: 7, wallUs: 8, bootId: 'b', sync: 'unknown', errorUs: null },
  code: { exe: digest(1), version: '0.1.0', node: '24.0.0', evaluator: 1, execArgvEmpty: true },
  config: digest(2),
  baselines: [digest(3)],
  gaps: [{ from: 1, to: 2, reason: 'agent_down' }],
  counters: { received: 6, evaluated: 5, late: 1, duplicate: 0, rejected: 0, shed: 0, missing: 0 },
  flags: { breakGlass: false, simulation: true, degraded: false },
  journal: { id: new Uint8Array(16), first: 1, last: 9 },
  run: 'run-1',
}
const ITEMS = [
  {
    kind: 'record' as const,
    seq: 1,
    values: [{ v: 1, verdict: 'PASS' }, [], {}, [], 'Ada', ''] as const,
    chain: digest(9),
  },
  {
    kind: 'range' as const,
    first: 2,
    last: 4,
    count: 3,
    values: [{ v: 1, unchanged: [['r', 1, 'PASS']] }, null, null, null, null, null] as const,
    chain: digest(8),
  },
]

/** Every format as bytes. A change here is another format: it needs a new version and a new file of vectors. */
function vectors(): Record<string, string> {
  const batch = buildBatch({ header: HEADER, items: ITEMS, seed: new Uint8Array(32).fill(5), signer })
  const frame = encodeFrame({
    rig: 'r',
    source: 'daq',
    epoch: 'e',
    seq: 3,
    channels: ['flow'],
    cid: null,
    timeUs: Float64Array.of(1_700_000_000_000_000),
    value: Float64Array.of(32.5),
  })
  return {
    ...Object.fromEntries(INPUTS.map((input) => [`journal input ${input.kind}`, toHex(encodeJournalInput(input))])),
    'record file': toHex(encodeRecord(258, new Uint8Array([1, 2, 3]))),
    'batch cose': toHex(batch.cose),
    'batch records': toHex(batch.records),
    'batch identity': toHex(batch.identity),
    receipt: toHex(
      signReceipt({ agent: 'bench-1', epoch: 1, batchSeq: 1, identity: batch.identity, recvUs: 9 }, signer),
    ),
    downlink: toHex(
      signDownlink({ kind: 'slice_request', agent: 'bench-1', id: 'bench-1:1', rig: 'r', fromUs: 0, toUs: 9 }, signer),
    ),
    'telemetry frame': toHex(frame),
  }
}

const FILE = join(import.meta.dirname, '..', '..', 'vectors', 'formats-1.json')
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
// The baseline of version 1 stands there too, and is no longer written: see baseline-record.test.ts.
const { baseline: _, ...pinned } = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string>

t.test('every format has the bytes it was given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
})

t.test('pinned bytes read back as what they say', async (t) => {
  for (const input of INPUTS)
    t.same(decodeJournalInput(fromHex(pinned[`journal input ${input.kind}`]!)!), input, input.kind)
  const opened = openBatch({ cose: fromHex(pinned['batch cose']!)!, records: fromHex(pinned['batch records']!)!, key })
  t.same(opened.header, HEADER)
  t.same(
    opened.items.map((item) => item.kind),
    ['record', 'range'],
  )
  t.equal(openReceipt(fromHex(pinned['receipt']!)!, key).batchSeq, 1)
  t.equal(openDownlink(fromHex(pinned['downlink']!)!, { key, agent: 'bench-1' }).id, 'bench-1:1')
})

t.test('an unknown kind or version is refused with its number, another shape with its reason', async (t) => {
  const input = (...fields: Parameters<typeof canonicalBytes>): Uint8Array => canonicalBytes(...fields)
  t.throws(() => decodeJournalInput(input([99, 1, 5])), { code: 'JOURNAL_INPUT_UNKNOWN', context: { kind: '99' } })
  t.throws(() => decodeJournalInput(input([2, 2, 5])), { code: 'JOURNAL_INPUT_UNKNOWN', context: { version: '2' } })
  t.throws(
    () => decodeJournalInput(input([8, 1, 5])),
    { code: 'JOURNAL_INPUT_UNKNOWN' },
    'a kind that is numbered and not written yet',
  )
  t.throws(() => decodeJournalInput(input([2, 1, 5, 'more'])), { code: 'JOURNAL_INPUT_SHAPE' })
  t.throws(() => decodeJournalInput(input({ a: 1 })), { code: 'JOURNAL_INPUT_SHAPE' })
  t.throws(() => decodeJournalInput(new Uint8Array([0x83, 2, 1])), { code: 'CBOR_REFUSED' })
})
