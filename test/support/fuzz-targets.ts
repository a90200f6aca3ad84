import { frameOf } from '../../agent/adapters/csv-source.ts'
import { createLineReader } from '../../agent/adapters/line-reader.ts'
import { readOutboxFile } from '../../agent/adapters/outbox-files.ts'
import { checkpointBody, createEvaluation, evaluate, restoreEvaluation } from '../../agent/pipeline/evaluation.ts'
import { decodeBaseline, encodeBaseline } from '../../shared/codec/baseline-record.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeJournalInput, encodeJournalInput } from '../../shared/codec/journal-input.ts'
import { encodeRecord, readRecords } from '../../shared/codec/record-file.ts'
import { cellsOf, headerOf, parseTime } from '../../shared/codec/recording-text.ts'
import { checkSigned, decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { decodeTelemetry, encodeFrame, rigIn } from '../../shared/codec/telemetry.ts'
import { checkTransport, decodeTransport } from '../../shared/codec/transport.ts'
import { parseRuntimeFiles } from '../../shared/config/load.ts'
import { coseIdentity, openCose, signCose } from '../../shared/crypto/cose.ts'
import { equalBytes } from '../../shared/crypto/digest.ts'
import { generateSigner, readPublicKey } from '../../shared/crypto/sign.ts'
import { BATCH_TYP, openBatch } from '../../shared/protocol/batch.ts'
import { readRecordMap } from '../../shared/protocol/batch-records.ts'
import { DOWNLINK_TYP, openDownlink, signDownlink } from '../../shared/protocol/downlink.ts'
import { readAgentMessage, readCollectorMessage, writeMessage } from '../../shared/protocol/messages.ts'
import { openReceipt, RECEIPT_TYP, signReceipt } from '../../shared/protocol/receipt.ts'
import { createStickWriter, openManifest, readStick } from '../../shared/protocol/stick.ts'
import { createBatchMaker } from './agent-double.ts'
import { baselineRecord } from './baseline-record.ts'
import { REGISTRY, RUNTIME } from './config-texts.ts'
import type { FuzzTarget } from './fuzz.ts'
import { actuatorTargets } from './fuzz-actuator.ts'
import { baselineTargets } from './fuzz-baselines.ts'
import { fleetTargets } from './fuzz-fleet.ts'

const NOW_US = 1_800_000_000_000_000
const OWNER = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
const utf8 = new TextEncoder()
const signer = generateSigner().signer
const key = readPublicKey(signer.spki)
const batch = createBatchMaker({ signer, deployment: 'demo', agent: 'bench-1' })()
const receipt = signReceipt(
  { agent: 'bench-1', epoch: 1, batchSeq: 1, identity: batch.identity, recvUs: NOW_US },
  signer,
)
const downlink = signDownlink(
  { kind: 'slice_request', agent: 'bench-1', id: 'bench-1:1', rig: 'r', fromUs: 0, toUs: 9 },
  signer,
)
const frame = encodeFrame({
  rig: 'r',
  source: 'daq',
  epoch: 'e',
  seq: 3,
  channels: ['flow', 'pressure'],
  cid: null,
  timeUs: Float64Array.of(NOW_US, NOW_US + 1000),
  value: Float64Array.of(32.5, 33, 1, 2),
  quality: Uint8Array.of(0, 0, 0, 0),
})

/** A reader that throws for what it does not take has taken what it returns from. */
const did = (_answer: unknown): true => true

/** Everything that reads bytes of somebody else, or of a disk. */
export function fuzzTargets(): FuzzTarget[] {
  return [
    ...telemetryTargets(),
    ...actuatorTargets(),
    ...fileTargets(),
    ...messageTargets(),
    ...signedTargets(),
    ...baselineTargets(),
    ...fleetTargets(),
    ...textTargets(),
  ]
}

const about = { rig: 'r', origin: 'daq', provenance: 'live', nowUs: NOW_US } as const

function telemetryTargets(): FuzzTarget[] {
  const samples = [
    `{"channel":"flow","t_us":${NOW_US},"value":1.5}`,
    `[{"channel":"flow","t_us":${NOW_US},"value":1e300,"unit":"bar","q":0,"source":"x","rig":"r"}]`,
    '{"channel":"ä","t_us":1,"value":-0}',
  ]
  return [
    {
      name: 'telemetry, CBOR',
      seeds: [frame],
      share: 240,
      run: (bytes) => {
        rigIn(bytes, 'cbor')
        const read = decodeTelemetry({ ...about, encoding: 'cbor', message: bytes })
        return read.ok && !checkTransport(bytes).ok ? 'taken although it is outside of the profile' : read.ok
      },
    },
    {
      name: 'telemetry, JSON',
      seeds: samples.map((sample) => utf8.encode(sample)),
      words: [
        '1e999',
        '-0',
        '""',
        'null',
        '[[[[',
        '{"__proto__":1}',
        '\\ud800',
        '9007199254740993',
        ',',
        ':',
        '}',
        ']',
      ],
      share: 200,
      run: (bytes) => {
        rigIn(bytes, 'json')
        return decodeTelemetry({ ...about, encoding: 'json', message: bytes, time: 'arrival' }).ok
      },
    },
  ]
}

function journalInputs(): Uint8Array[] {
  return [
    encodeJournalInput({ kind: 'frame', ...about, encoding: 'cbor', messages: [frame] }),
    encodeJournalInput({ kind: 'tick', nowUs: NOW_US }),
    encodeJournalInput({ kind: 'operator', nowUs: 1, command: 'agent_start', bootId: 'b', version: '1' }),
    encodeJournalInput({
      kind: 'loss',
      nowUs: 1,
      resumesAfter: 3,
      signedThrough: 2,
      decisionSeq: 9,
      chain: new Uint8Array(32),
      throughUs: 4,
      unreadable: [{ fromSeq: 4, toSeq: 5, reason: 'bad_body' }],
    }),
    encodeJournalInput({
      kind: 'policy',
      nowUs: 1,
      rig: 'r',
      order: { kind: 'manual', action: 'abort', target: 't', params: { a: 1, b: true }, by: ['Ada'], reason: '' },
      statements: [new Uint8Array([1])],
    }),
    encodeJournalInput({
      kind: 'action_transition',
      nowUs: 1,
      rig: 'r',
      step: { kind: 'timeout', key: 'k', stage: 'send' },
    }),
  ]
}

function fileTargets(): FuzzTarget[] {
  const inputs = journalInputs()
  const { epoch, batchSeq, firstSeq, count, cose, records } = batch
  const entry = canonicalBytes([1, epoch, batchSeq, firstSeq, count, 1, cose, records, new Uint8Array(32)])
  const evaluation = createEvaluation()
  evaluate(evaluation, 1, { kind: 'config', nowUs: NOW_US, files: configFiles(utf8.encode(RUNTIME)) })
  evaluate(evaluation, 2, { kind: 'tick', nowUs: NOW_US + 500_000 })
  const file = Buffer.concat(inputs.map((body, k) => encodeRecord(k + 1, body, OWNER)))
  return [
    {
      name: 'journal input',
      seeds: inputs,
      share: 80,
      run: (bytes) => equalBytes(encodeJournalInput(decodeJournalInput(bytes)), bytes) || 'comes back as other bytes',
    },
    {
      name: 'record file',
      seeds: [new Uint8Array(file)],
      share: 60,
      run: (bytes) => {
        let at = 0
        for (const record of readRecords(bytes, { owner: OWNER })) {
          const [from, to] = record.kind === 'record' ? [record.offset, record.end] : [record.from, record.to]
          if (from !== at || to <= from) return `goes from ${at} to ${from}–${to}`
          at = to
        }
        return at === bytes.length || `ends at ${at} of ${bytes.length}`
      },
    },
    {
      name: 'outbox file',
      seeds: [encodeRecord(1, entry, OWNER), encodeRecord(2, canonicalBytes([2, 1, 1, receipt]), OWNER)],
      share: 40,
      run: (bytes) => [...readOutboxFile(bytes, OWNER)].every(({ kind }) => kind !== 'damage'),
    },
    {
      name: 'saved state',
      seeds: [checkpointBody(evaluation)],
      share: 10,
      run: (bytes) => !('refused' in restoreEvaluation(bytes)),
    },
    {
      name: 'stick',
      seeds: [stick()],
      share: 20,
      run: (bytes) => did(openManifest(readStick('stick', bytes, 'batches'), 'batches', key)),
    },
  ]
}

function stick(): Uint8Array {
  const parts: Uint8Array[] = []
  const writer = createStickWriter('batches', (bytes) => void parts.push(bytes))
  writer.batch(batch)
  writer.finish(
    { deployment: 'demo', agent: 'bench-1', madeUs: 1, version: '0', rigs: [{ rig: 'r', program: 'p' }] },
    signer,
  )
  return new Uint8Array(Buffer.concat(parts))
}

function messageTargets(): FuzzTarget[] {
  const { epoch, batchSeq, cose, records } = batch
  const agent = [
    writeMessage({
      t: 'hello',
      v: 1,
      agent: 'bench-1',
      deployment: 'demo',
      epoch: 1,
      spki: signer.spki,
      boot_id: 'b',
      version: '0',
      programs: ['demo'],
      rigs: [{ rig: 'r', program: 'demo' }],
    }),
    writeMessage({ t: 'batch', epoch, batch_seq: batchSeq, cose, records }),
    writeMessage({ t: 'vitals', vitals: '{}' }),
  ]
  const collector = [
    writeMessage({ t: 'resume', epoch: 1, batch_seq: 0, credit: 64 }),
    writeMessage({ t: 'receipt', epoch: 1, batch_seq: 1, receipt }),
    writeMessage({ t: 'refusal', code: 'X', detail: 'y' }),
    writeMessage({ t: 'downlink', cose: downlink }),
  ]
  return [
    { name: 'message of an agent', seeds: agent, share: 60, run: (bytes) => readAgentMessage(bytes).ok },
    { name: 'message of a collector', seeds: collector, share: 40, run: (bytes) => readCollectorMessage(bytes).ok },
    { name: 'profile transport', seeds: [...agent, frame], share: 40, run: (bytes) => did(decodeTransport(bytes)) },
  ]
}

/** Payloads are changed and signed again: behind the signature stands somebody who has the key. */
function signedTargets(): FuzzTarget[] {
  const again = (typ: string, cose: Uint8Array): { seeds: Uint8Array[]; sign(payload: Uint8Array): Uint8Array } => {
    const { payload, issuer, subject } = openCose(cose, { typ, key })
    return { seeds: [payload], sign: (changed) => signCose({ typ, issuer, subject, payload: changed, signer }) }
  }
  const header = again(BATCH_TYP, batch.cose)
  const given = again(RECEIPT_TYP, receipt)
  const asked = again(DOWNLINK_TYP, downlink)
  const values = [batch.records, header.seeds[0]!, canonicalBytes([1, -1, 1.5, null, 'é', new Map([['a', 1]])])]
  return [
    {
      name: 'profile signed',
      seeds: values,
      share: 100,
      run: (bytes) => {
        if (!checkSigned(bytes).ok) return false
        return equalBytes(canonicalBytes(decodeSigned(bytes)), bytes) || 'comes back as other bytes'
      },
    },
    { name: 'records of a batch', seeds: [batch.records], share: 30, run: (bytes) => did(readRecordMap(bytes)) },
    {
      name: 'COSE of a batch',
      seeds: [batch.cose],
      share: 15,
      run: (bytes) => {
        const opened = openBatch({ cose: bytes, records: batch.records, key })
        if (!equalBytes(coseIdentity(bytes), opened.identity)) return 'another identity'
        return equalBytes(bytes, batch.cose) || 'changed bytes keep a signature'
      },
    },
    {
      name: 'payload of a batch, signed again',
      seeds: header.seeds,
      share: 15,
      run: (bytes) => did(openBatch({ cose: header.sign(bytes), records: batch.records, key })),
    },
    {
      name: 'receipt, signed again',
      seeds: given.seeds,
      share: 10,
      run: (bytes) => did(openReceipt(given.sign(bytes), key)),
    },
    {
      name: 'downlink, signed again',
      seeds: asked.seeds,
      share: 10,
      run: (bytes) => did(openDownlink(asked.sign(bytes), { key, agent: 'bench-1' })),
    },
    {
      name: 'baseline',
      seeds: [encodeBaseline(baselineRecord())],
      share: 10,
      run: (bytes) => did(decodeBaseline(bytes)),
    },
  ]
}

const configFiles = (runtime: Uint8Array, registry: Uint8Array = utf8.encode(REGISTRY)) => [
  { name: 'runtime.yaml', bytes: runtime },
  { name: 'loop.registry.yaml', bytes: registry },
]

const YAML_WORDS = [
  '&a',
  '*a',
  '<<: *a',
  '!!js/function',
  '- ',
  ': ',
  '\t',
  '"',
  '|\n',
  '{',
  '}',
  '1e999',
  '.nan',
  '~',
  '0x10',
  'true',
  '\u0000',
  '---\n',
  '%YAML 9',
  '[[[[[[[[',
  'rigs:',
]

function textTargets(): FuzzTarget[] {
  const table = 'time;flow;pressure\n2020-03-09 10:14:33;1.5;"2"\n2020-03-09 10:14:34;;x\n'
  return [
    {
      name: 'runtime.yaml',
      seeds: [utf8.encode(RUNTIME)],
      words: YAML_WORDS,
      share: 6,
      run: (bytes) => did(parseRuntimeFiles(configFiles(bytes))),
    },
    {
      name: 'registry',
      seeds: [utf8.encode(REGISTRY)],
      words: YAML_WORDS,
      share: 6,
      run: (bytes) => did(parseRuntimeFiles(configFiles(utf8.encode(RUNTIME), bytes))),
    },
    {
      name: 'rows of a recording',
      seeds: [utf8.encode(table), utf8.encode(table.replaceAll(';', ','))],
      words: ['""', '"', ';', ',', '\r\n', '\uFEFF', 'NaN', '1e400', '-', '2020-13-40', '\u2028'],
      share: 40,
      run: readTable,
    },
  ]
}

/** A table as the sources read it: lines, a header, cells, times, frames. */
function readTable(bytes: Uint8Array): boolean {
  const reader = createLineReader({ bytesMax: 4096 })
  const lines = [...reader.push(bytes), ...[reader.rest()].filter((line) => line !== null)].map((line) =>
    Buffer.from(line.bytes).toString(),
  )
  const header = headerOf(lines[0] ?? '', { path: 'table', time_column: 'time', ignore_columns: [] })
  for (const [seq, line] of lines.slice(1).entries()) {
    const cells = cellsOf(line, header.delimiter)
    const timeUs = cells === null ? null : parseTime(cells[header.time] ?? '')
    if (cells === null || timeUs === null) continue
    const message = encodeFrame(frameOf(cells, { rig: 'r', source: 's', epoch: 'e', seq, timeUs, header }))
    decodeTelemetry({ ...about, encoding: 'cbor', message })
  }
  return true
}
