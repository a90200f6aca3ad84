import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { FileJournal, PINS_MAX } from '../../../agent/adapters/file-journal.ts'
import { FileOutbox } from '../../../agent/adapters/file-outbox.ts'
import { systemFiles } from '../../../agent/adapters/files.ts'
import {
  CHANNEL_LISTS_MAX,
  DEDUPE_WINDOW,
  MISSING_MAX,
  OPEN_SAMPLES_MAX,
  SOURCES_MAX,
} from '../../../agent/core/settings.ts'
import { missingFrames } from '../../../agent/core/sources.ts'
import { totalCounts } from '../../../agent/core/totals.ts'
import { createIntake } from '../../../agent/pipeline/intake.ts'
import { createTimeIndex, MARKS_MAX } from '../../../agent/pipeline/time-index.ts'
import { decodeTelemetry } from '../../../shared/codec/telemetry.ts'
import { encodeTransport } from '../../../shared/codec/transport.ts'
import { signCose } from '../../../shared/crypto/cose.ts'
import { generateSigner } from '../../../shared/crypto/sign.ts'
import { HbError } from '../../../shared/errors/hb-error.ts'
import {
  collected,
  configInput,
  evaluatorSettings,
  feed,
  frameInput,
  frameOf,
  metricSettings,
  rigSettings,
  T0,
  tickInput,
} from '../../support/evaluator-rig.ts'

let driven = 0
const SECOND = 1_000_000

function rig() {
  const out = collected()
  feed(out, configInput(T0, evaluatorSettings([rigSettings([metricSettings('a')])])))
  feed(out, tickInput(T0))
  const counts = () => totalCounts(out.state.rigs[0]!)
  const balances = (): boolean => {
    const { received, evaluated, late, duplicate, rejected, shed, pending } = counts()
    return received === evaluated + late + duplicate + rejected + shed + pending
  }
  return { out, counts, balances, state: () => out.state.rigs[0]! }
}

function folderFor(t: { teardown(fn: () => void): unknown }): string {
  const folder = mkdtempSync(join(tmpdir(), 'hb-caps-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

t.test('samples of open panes: past the bound of a channel they are shed and counted, and then taken again', (t) => {
  const { out, counts, balances } = rig()
  const perFrame = 1000
  for (let k = 0; k <= OPEN_SAMPLES_MAX / perFrame; k += 1) {
    const times = Array.from({ length: perFrame }, (_, i) => T0 + k * perFrame + i)
    feed(out, frameInput(T0 + 100_000, frameOf({ seq: k, times, values: [times.map(() => 1)] })))
  }
  const sent = (Math.floor(OPEN_SAMPLES_MAX / perFrame) + 1) * perFrame
  t.equal(counts().received, sent)
  t.equal(counts().shed, sent - OPEN_SAMPLES_MAX)
  t.ok(balances())
  feed(out, tickInput(T0 + SECOND))
  feed(out, frameInput(T0 + SECOND, frameOf({ seq: 500, times: [T0 + SECOND], values: [[1]] })))
  t.equal(counts().shed, sent - OPEN_SAMPLES_MAX, 'there is room when the panes are closed')
  t.ok(balances())
  driven += 1
  t.end()
})

t.test('lives of publishers: the one not heard for longest makes room, and what it left out stays counted', (t) => {
  const { out, state, balances } = rig()
  for (let k = 0; k < SOURCES_MAX * 3; k += 1) {
    const nowUs = T0 + k * 1000
    for (const seq of [1, 3])
      feed(out, frameInput(nowUs, frameOf({ epoch: `life-${k}`, seq, times: [nowUs + seq], values: [[1]] })))
  }
  t.equal(state().sources.slots.length, SOURCES_MAX)
  t.equal(missingFrames(state().sources), SOURCES_MAX * 3)
  t.ok(balances())
  driven += 1
  t.end()
})

t.test('numbers of frames: leaps are bounded, and old numbers are duplicates', (t) => {
  const { out, state, counts } = rig()
  const take = (seq: number, at: number) => feed(out, frameInput(T0, frameOf({ seq, times: [T0 + at], values: [[1]] })))
  take(0, 1)
  take(Number.MAX_SAFE_INTEGER, 2)
  t.equal(missingFrames(state().sources), MISSING_MAX)
  take(Number.MAX_SAFE_INTEGER - DEDUPE_WINDOW, 3)
  t.equal(counts().duplicate, 1, 'too old to be told from a repeat')
  driven += 1
  t.end()
})

t.test('channel lists: one more than are remembered is refused and counted', (t) => {
  const { out, state } = rig()
  for (let k = 0; k <= CHANNEL_LISTS_MAX; k += 1)
    feed(out, frameInput(T0, frameOf({ seq: k, channels: ['a'], cid: `${k}`, times: [T0 + k], values: [[1]] })))
  t.equal(state().sources.lists.size, CHANNEL_LISTS_MAX)
  t.equal(state().ledger.refusals.get('sources_full')?.count, 1)
  driven += 1
  t.end()
})

t.test('channels nobody knows: a hundred thousand names cost one counter', (t) => {
  const { out, state, counts, balances } = rig()
  for (let k = 0; k < 1000; k += 1) {
    const channels = Array.from({ length: 100 }, (_, c) => `x${k}-${c}`)
    feed(out, frameInput(T0, frameOf({ seq: k, channels, times: [T0 + k], values: channels.map(() => [1]) })))
  }
  t.equal(counts().rejected, 100_000)
  t.equal(state().ledger.refusals.size, 1)
  t.ok(balances())
  driven += 1
  t.end()
})

t.test('a message: more channels, times or bytes than one may have are refused with their reason', (t) => {
  const refused = (fields: Record<string, unknown>): string => {
    const message = encodeTransport({ v: 1, rig: 'r', source: 's', epoch: 'e', seq: 1, ...fields })
    const read = decodeTelemetry({ rig: 'r', origin: 'o', encoding: 'cbor', provenance: 'live', message, nowUs: T0 })
    return read.ok ? 'taken' : read.reason
  }
  const names = Array.from({ length: 4097 }, (_, k) => `c${k}`)
  t.not(refused({ ch: names, t: Float64Array.of(T0), x: new Float64Array(4097) }), 'taken')
  t.not(refused({ ch: ['a'], t: new Float64Array(65_537), x: new Float64Array(65_537) }), 'taken')
  t.not(refused({ ch: ['a'], t: new Float64Array(1), x: new Float64Array(600_000) }), 'taken')
  driven += 1
  t.end()
})

t.test('what came too late is counted, however much it is', (t) => {
  const { out, counts, balances } = rig()
  feed(out, tickInput(T0 + SECOND))
  const before = process.memoryUsage().arrayBuffers
  for (let k = 0; k < 2000; k += 1) {
    const times = Array.from({ length: 50 }, (_, i) => T0 + k + i * 100)
    feed(out, frameInput(T0 + SECOND, frameOf({ seq: k, times, values: [times.map(() => 1)] })))
  }
  t.equal(counts().late, 100_000)
  t.ok(balances())
  t.ok(process.memoryUsage().arrayBuffers - before < 64_000_000)
  driven += 1
  t.end()
})

t.test('pins: more spans than are kept are joined, and nothing that was pinned is let go by that', async (t) => {
  const folder = folderFor(t)
  const journal = new FileJournal(systemFiles, {
    folder,
    id: new Uint8Array(16),
    segmentBytes: 1_000_000,
    bytesMax: 1_000_000,
    neededFrom: () => 1,
  })
  for (let k = 0; k < 5_000; k += 1) journal.append([new Uint8Array(1)])
  for (let k = 0; k < 1_000; k += 1) journal.pin(k * 5 + 1, k * 5 + 2)
  journal.savePins()
  await journal.close()
  const again = new FileJournal(systemFiles, {
    folder,
    id: new Uint8Array(16),
    segmentBytes: 1_000_000,
    bytesMax: 1_000_000,
    neededFrom: () => 1,
  })
  const spans = Reflect.get(again, 'pins') as { from: number; to: number }[]
  t.ok(spans.length <= PINS_MAX, `${spans.length} spans`)
  for (let k = 0; k < 1_000; k += 1)
    if (!spans.some(({ from, to }) => from <= k * 5 + 1 && to >= k * 5 + 2)) t.fail(`pin ${k} is gone`)
  await again.close()
  driven += 1
})

t.test(
  'the outbox: nothing without a receipt goes; at the bound batches are refused until receipts make room',
  async (t) => {
    const folder = folderFor(t)
    mkdirSync(folder, { recursive: true })
    const options = { folder, epoch: 1, keyEpoch: 1, owner: new Uint8Array(16), bytesMax: 20 * 1024 * 1024 }
    const outbox = new FileOutbox(systemFiles, options)
    const { signer } = generateSigner()
    const cose = signCose({ typ: 'x', issuer: 'a', subject: 'b', payload: new Uint8Array(1_000_000), signer })
    const append = (batchSeq: number): Promise<void> =>
      outbox.append({
        epoch: 1,
        batchSeq,
        firstSeq: batchSeq,
        count: 1,
        madeUs: 1,
        cose,
        records: new Uint8Array(1),
        seed: new Uint8Array(32),
      })
    let kept = 0
    const full = await (async () => {
      for (; kept < 1000; kept += 1) await append(kept + 1)
    })().catch((error: unknown) => error)
    t.match(full, { code: 'OUTBOX_FULL' })
    t.ok(kept > 10 && outbox.bytes <= options.bytesMax, `${kept} batches`)
    t.equal(outbox.pending().batches, kept, 'every batch that was taken is there')
    for (let seq = 1; seq <= kept; seq += 1) await outbox.receipted(seq, new Uint8Array(8))
    await append(kept + 1)
    t.equal(outbox.pending().batches, 1, 'and with receipts there is room again')
    t.ok(readdirSync(folder).length >= 1)
    driven += 1
  },
)

t.test('inputs while nothing may be taken: counted, said, not evaluated; and taken again', (t) => {
  const evaluated: number[] = []
  let full = true
  const said: string[] = []
  const intake = createIntake({
    journal: { append: () => ({ first: 1, last: 1 }) } as never,
    evaluate: (seq) => void evaluated.push(seq),
    refused: ({ code }) => void said.push(code),
    takesAgain: (n) => void said.push(`again after ${n}`),
    blocked: () => (full ? new HbError('OUTBOX_FULL', { waiting: 100_000 }) : null),
  })
  for (let k = 0; k < 3; k += 1) t.equal(intake.take({ kind: 'tick', nowUs: T0 + k }), null)
  full = false
  t.equal(intake.take({ kind: 'tick', nowUs: T0 + 9 }), 1)
  t.same(said, ['OUTBOX_FULL', 'OUTBOX_FULL', 'OUTBOX_FULL', 'again after 3'])
  t.equal(intake.refusals.count, 3)
  t.same(evaluated, [1])
  driven += 1
  t.end()
})

t.test('the index of times forgets its oldest marks', (t) => {
  const index = createTimeIndex()
  for (let k = 0; k < MARKS_MAX + 100; k += 1) index.note(T0 + k * SECOND, k + 1)
  t.ok((index.before(T0 + (MARKS_MAX + 99) * SECOND) ?? 0) > MARKS_MAX)
  t.equal(index.before(T0 + 5 * SECOND), null)
  driven += 1
  t.end()
})

t.test('all of them were driven', (t) => {
  t.equal(driven, 11)
  t.comment(`counted: caps of the agent driven | ${driven} | declared behaviour, counted, room again afterwards`)
  t.end()
})
