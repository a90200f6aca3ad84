import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Push } from 'zeromq'
import { FileJournal, TOLD_MAX } from '../../../agent/adapters/file-journal.ts'
import { systemFiles } from '../../../agent/adapters/files.ts'
import { CONNECTIONS_MAX, createSmallServer } from '../../../agent/adapters/http-listen.ts'
import { ASIDE_MAX, batchBody, putAside, readOutboxFile } from '../../../agent/adapters/outbox-files.ts'
import { MESSAGE_BYTES_MAX, openTelemetrySocket } from '../../../agent/adapters/zmq-source.ts'
import { FINDINGS_MAX } from '../../../agent/core/settings.ts'
import { createBatcher, GAPS_MAX } from '../../../agent/pipeline/batcher.ts'
import { DAMAGE_UNTOLD_MAX, DamageWatch } from '../../../agent/pipeline/damage-watch.ts'
import { createEvaluation } from '../../../agent/pipeline/evaluation.ts'
import { declareLoss, SPANS_MAX } from '../../../agent/pipeline/loss.ts'
import type { OutboxEntry } from '../../../agent/ports.ts'
import { encodeJournalInput } from '../../../shared/codec/journal-input.ts'
import { encodeRecord } from '../../../shared/codec/record-file.ts'
import { PROBLEMS_MAX } from '../../../shared/config/problems.ts'
import { generateSigner, readPublicKey } from '../../../shared/crypto/sign.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import { createLogger, LINES_OF_EVENT_MAX } from '../../../shared/log/logger.ts'
import { openThinned } from '../../../shared/protocol/batch.ts'
import { itemsFrom } from '../../support/agent-double.ts'
import { freePort } from '../../support/bench-folder.ts'
import { inRuntime, RUNTIME } from '../../support/config-texts.ts'
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
const ID = new Uint8Array(16)
const { signer } = generateSigner()
const key = readPublicKey(signer.spki)
const until = async (holds: () => boolean): Promise<boolean> => {
  for (let k = 0; k < 200 && !holds(); k += 1) await new Promise((done) => setTimeout(done, 25))
  return holds()
}

function folderFor(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'hb-edges-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const journalIn = (folder: string): FileJournal =>
  new FileJournal(systemFiles, { folder, id: ID, segmentBytes: 1e9, bytesMax: 1e9, neededFrom: () => 1 })

t.test('a ZeroMQ message beyond its bound never arrives, and the publisher is heard again afterwards', async (t) => {
  const endpoint = `tcp://127.0.0.1:${await freePort()}`
  const pull = await openTelemetrySocket('', { name: 'daq', pattern: 'pull', endpoint, bind: true })
  const sizes: number[] = []
  const reading = (async () => {
    for await (const parts of pull) sizes.push(parts.at(-1)!.length)
  })()
  const push = new Push({ linger: 0, reconnectInterval: 10, sendHighWaterMark: 10 })
  push.connect(endpoint)
  await push.send(new Uint8Array(1000))
  t.ok(await until(() => sizes.length === 1))
  await push.send(new Uint8Array(MESSAGE_BYTES_MAX + 1))
  let sent = 0
  // What went out behind it into the connection that ends is lost with it.
  for (; sent < 100 && sizes.length < 2; sent += 1) {
    await push.send(new Uint8Array(2000))
    await new Promise((done) => setTimeout(done, 50))
  }
  t.same([...new Set(sizes)], [1000, 2000], 'the connection was closed and made anew; the long one was never here')
  pull.close()
  push.close()
  await reading
  driven += 1
})

t.test('findings of a decision: past the bound they are a number, and the decision stands', async (t) => {
  const names = Array.from({ length: FINDINGS_MAX + 76 }, (_, k) => `m${String(k).padStart(4, '0')}`)
  const out = collected()
  const metrics = names.map((name) => metricSettings(name, { failMax: 1, windows: [0] }))
  feed(out, configInput(T0, evaluatorSettings([rigSettings(metrics, { windowsUs: [250_000] })])))
  feed(out, tickInput(T0))
  const fill = (from: number, value: (k: number) => number): void => {
    for (let at = from; at < from + 500_000; at += 50_000) {
      const times = Array.from({ length: 5 }, (_, i) => at + i * 10_000)
      const values = names.map((_, k) => times.map(() => value(k)))
      feed(out, frameInput(at + 50_000, frameOf({ seq: at - T0, channels: names, times, values })))
      feed(out, tickInput(at + 50_000))
    }
  }
  fill(T0, () => 5)
  const coreOf = (k: number) =>
    out.items.filter(({ kind }) => kind === 'record').at(k)!.values[0] as {
      drivers: unknown[]
      more: number
      verdict: string
    }
  t.match(coreOf(-1), { verdict: 'FAIL', more: 76 })
  t.equal(coreOf(-1).drivers.length, FINDINGS_MAX)
  fill(T0 + 500_000, (k) => (k === 0 ? 5 : 0))
  fill(T0 + 1_000_000, (k) => (k === 0 ? 5 : 0))
  t.match(coreOf(-1), { verdict: 'FAIL', more: 0, drivers: { length: 1 } }, 'and with fewer there is none left over')
  driven += 1
})

t.test('spans told as unreadable: of more the oldest is told again', async (t) => {
  const journal = journalIn(folderFor(t))
  const span = (k: number) => ({ from: 10 * k + 1, to: 10 * k + 2 })
  for (let k = 0; k < TOLD_MAX + 44; k += 1) journal.saveTold([span(k)])
  t.ok(journal.isNews(span(0)) && journal.isNews(span(43)))
  t.notOk(journal.isNews(span(44)) || journal.isNews(span(TOLD_MAX + 43)))
  t.equal((Reflect.get(journal, 'told') as unknown[]).length, TOLD_MAX)
  journal.saveTold([span(0)])
  t.notOk(journal.isNews(span(0)), 'and then it is known again')
  await journal.close()
  driven += 1
})

t.test('spans on their way into a header: of more the newest are one, and nothing is left out', async (t) => {
  const gaps: { from: number; to: number }[] = []
  const saved: { from: number; to: number }[] = []
  const watch = new DamageWatch({
    journal: { isNews: () => true, saveTold: (spans) => void saved.push(...spans), scrub: async function* () {} },
    clock: createVirtualClock(1),
    gap: (gap) => void gaps.push(gap),
    found: () => undefined,
    broken: () => undefined,
  })
  const spans = Array.from({ length: 1000 }, (_, k) => ({ from: 10 * k + 1, to: 10 * k + 2 }))
  watch.tell(spans)
  t.equal(watch.unreadable, 2000, 'counted one by one')
  watch.told()
  t.equal(saved.length, DAMAGE_UNTOLD_MAX)
  for (const { from, to } of spans) if (!saved.some((s) => s.from <= from && s.to >= to)) t.fail(`${from} is left out`)
  watch.tell([{ from: 99_001, to: 99_002 }])
  watch.told()
  t.same(saved.slice(DAMAGE_UNTOLD_MAX), [{ from: 99_001, to: 99_002 }], 'with room again each by itself')
  driven += 1
})

t.test('spans named by a loss: the last one stands for all behind it', async (t) => {
  const folder = folderFor(t)
  const journal = journalIn(folder)
  const body = encodeJournalInput({ kind: 'tick', nowUs: T0 })
  for (let k = 0; k < 1000; k += 1) journal.append([body])
  await journal.close()
  const [name] = readdirSync(folder).filter((one) => one.endsWith('.hbj'))
  const bytes = new Uint8Array(readFileSync(join(folder, name!)))
  const size = bytes.length / 1000
  // Every second record from the second on, and the last one is whole.
  for (let k = 1; k < 999; k += 2) bytes[k * size + 30] = bytes[k * size + 30]! ^ 1
  writeFileSync(join(folder, name!), bytes)
  const damaged = journalIn(folder)
  const outbox = { last: () => null, lastDecisionSeq: 0 }
  const loss = await declareLoss(
    { journal: damaged, outbox: outbox as never, key, nowUs: T0, decisionsSince: () => 0 },
    {
      evaluation: createEvaluation(),
      newest: undefined,
      unreadable: { fromSeq: 2, toSeq: 2, reason: 'x' },
      uncertain: false,
    },
  )
  const { unreadable } = loss!.input
  t.equal(unreadable.length, SPANS_MAX)
  t.match(unreadable[0], { fromSeq: 2, toSeq: 2 })
  t.match(unreadable.at(-1), { fromSeq: 2 * SPANS_MAX, toSeq: 998 })
  await damaged.close()
  driven += 1
})

t.test('damaged outbox files put aside: the oldest goes', async (t) => {
  const folder = folderFor(t)
  const entry: OutboxEntry = {
    epoch: 1,
    batchSeq: 1,
    firstSeq: 1,
    count: 1,
    madeUs: 1,
    cose: new Uint8Array(9),
    records: new Uint8Array(9),
    seed: new Uint8Array(32),
  }
  const names = Array.from({ length: ASIDE_MAX + 5 }, (_, k) => `${String(k + 1).padStart(16, '0')}.hbo`)
  for (const [k, name] of names.entries()) {
    const bad = encodeRecord(2 * k + 2, batchBody(entry), ID)
    bad[40] = bad[40]! ^ 1
    writeFileSync(join(folder, name), Buffer.concat([encodeRecord(2 * k + 1, batchBody(entry), ID), bad]))
    putAside(systemFiles, { folder, name, owner: ID })
    const kept = [...readOutboxFile(new Uint8Array(readFileSync(join(folder, name))), ID)]
    t.same(
      kept.map(({ kind }) => kind),
      ['batch'],
      'what can be read of it is kept',
    )
  }
  const aside = readdirSync(folder).filter((name) => name.endsWith('.damaged'))
  t.same(
    aside.sort(),
    names.slice(-ASIDE_MAX).map((name) => `${name}.damaged`),
  )
  driven += 1
})

t.test(
  'connections to health and control: one more is closed and counted, and there is room when others go',
  async (t) => {
    const server = createSmallServer({ 'GET /live': () => ({ code: 200, body: { live: true } }) })
    const address = await server.listen({ host: '127.0.0.1', port: 0 })
    t.teardown(() => server.close())
    const { port } = new URL(address)
    const open = (): Socket => connect(Number(port), '127.0.0.1').on('error', () => undefined)
    const inside = Array.from({ length: CONNECTIONS_MAX }, open)
    t.ok(await until(() => inside.every((socket) => !socket.connecting)))
    const surplus = Array.from({ length: 10 }, open)
    t.ok(await until(() => surplus.every((socket) => socket.destroyed || socket.closed || socket.readableEnded)))
    t.ok(await until(() => server.turnedAway === 10), `${server.turnedAway} counted`)
    t.ok(
      inside.every((socket) => !socket.destroyed),
      'the others stay',
    )
    for (const socket of inside.slice(0, 5)) socket.destroy()
    await new Promise((done) => setTimeout(done, 100))
    t.equal((await fetch(`${address}/live`)).status, 200)
    for (const socket of inside) socket.destroy()
    driven += 1
  },
)

t.test('mistakes of a configuration: past the bound the rest is not looked for, and fewer are all there', async (t) => {
  const wrong = (n: number): string => RUNTIME + Array.from({ length: n }, (_, k) => `wrong_${k}: 1\n`).join('')
  const many = inRuntime(wrong(PROBLEMS_MAX * 3))
  t.ok(many.length >= PROBLEMS_MAX && many.length <= PROBLEMS_MAX + 10, `${many.length} of ${PROBLEMS_MAX * 3}`)
  t.equal(inRuntime(wrong(20)).length, 20)
  driven += 1
})

function batcherInto(entries: OutboxEntry[], batchBytesMax: number) {
  const outbox = {
    epoch: 1,
    head: null,
    lastBatchSeq: 0,
    chainedThrough: 0,
    batchBytesMax,
    async append(entry: OutboxEntry) {
      entries.push(entry)
      outbox.lastBatchSeq = entry.batchSeq
      outbox.chainedThrough = entry.firstSeq + entry.count - 1
    },
  }
  const exe = async (): Promise<Uint8Array> => new Uint8Array(32)
  const digest = new Uint8Array(32)
  return createBatcher({
    identity: {
      deployment: 'demo',
      agent: 'bench-1',
      signer,
      bootId: 'b',
      code: { exe, version: '0', node: '0', evaluator: 1, execArgvEmpty: true },
    },
    journal: { id: ID, sync: async () => undefined } as never,
    outbox: outbox as never,
    clock: { nowUs: () => 1, wallUs: () => 1, monotonicUs: () => 1 },
    itemsMax: 100_000,
    firstJournalSeq: 1,
    context: () => ({
      span: { firstUs: 0, lastUs: 1, watermarkUs: 1 },
      config: digest,
      baselines: [],
      counters: { received: 0, evaluated: 0, late: 0, duplicate: 0, rejected: 0, shed: 0, missing: 0 },
      flags: { breakGlass: false, simulation: false, degraded: false },
      run: '',
      journalSeq: 1,
    }),
    sealed: () => undefined,
    failed: () => undefined,
  })
}

t.test('gaps of one header: of more, those of a kind are one, and none is left out', async (t) => {
  const entries: OutboxEntry[] = []
  const batcher = batcherInto(entries, 1e6)
  const gaps = Array.from({ length: 1000 }, (_, k) => ({ from: 10 * k, to: 10 * k + 5, reason: `kind_${k % 3}` }))
  for (const gap of gaps) batcher.gap(gap)
  t.equal(batcher.gapsWaiting, GAPS_MAX)
  for (const item of itemsFrom(1, 'r', 'PASS')) batcher.add(item)
  await batcher.flush()
  const told = openThinned(entries[0]!.cose, key).header.gaps
  t.equal(told.length, GAPS_MAX)
  for (const { from, to, reason } of gaps)
    if (!told.some((g) => g.reason === reason && g.from <= from && g.to >= to)) t.fail(`${reason} ${from} is left out`)
  t.ok(entries[0]!.cose.length < 4096, `the header has ${entries[0]!.cose.length} bytes`)
  t.equal(batcher.gapsWaiting, 0, 'and there is room again')
  driven += 1
})

t.test(
  'bytes of one batch: what waited long is cut into batches that fit, and a decision that does not goes alone',
  async (t) => {
    const entries: OutboxEntry[] = []
    const max = 20_000
    const batcher = batcherInto(entries, max)
    const note = (seq: number): string => (seq === 301 ? 'x'.repeat(2 * max) : '')
    for (let seq = 1; seq <= 1000; seq += 10) {
      const [record, range] = itemsFrom(seq, 'r', 'FAIL')
      const [core, measured, names, limits, persons] = record!.values
      batcher.add({ ...record!, values: [core, measured, names, limits, persons, note(seq)] })
      batcher.add(range!)
    }
    await batcher.flush()
    let next = 1
    let alone = 0
    for (const { firstSeq, count, records } of entries) {
      t.equal(firstSeq, next, 'every decision once, in order')
      next += count
      if (records!.length > max) alone += count === 1 ? 1 : 100
    }
    t.equal(next, 1001)
    t.equal(alone, 1, 'the one that is larger by itself is alone')
    t.ok(entries.length < 60, `${entries.length} batches`)
    for (const item of itemsFrom(1001, 'r', 'PASS')) batcher.add(item)
    await batcher.flush()
    t.equal(entries.at(-1)!.count, 10)
    driven += 1
  },
)

t.test('lines of one event: more are counted and said as a number, and others are not held back', async (t) => {
  const lines: { event: string; n?: number; of?: string; lines?: number }[] = []
  const clock = createVirtualClock(1)
  const destination = { write: (text: string) => void lines.push(JSON.parse(text) as (typeof lines)[number]) }
  const log = createLogger({ name: 'x', level: 'info', destination, clock })
  for (let n = 0; n < 100_000; n += 1) log.info({ event: 'flood', n }, 'again')
  log.warn({ event: 'other' }, 'once')
  t.equal(lines.filter(({ event }) => event === 'flood').length, LINES_OF_EVENT_MAX)
  t.equal(lines.at(-1)?.event, 'other')
  await clock.advance(10_000_000)
  log.info({ event: 'flood', n: -1 }, 'again')
  t.match(lines.slice(-2), [
    { event: 'lines_shed', of: 'flood', lines: 100_000 - LINES_OF_EVENT_MAX },
    { event: 'flood', n: -1 },
  ])
  for (let n = 0; n < 1000; n += 1) log.info({ event: `made-up-${n}` }, 'x')
  t.ok(lines.length < 1000, 'names that are made up do not get round it')
  driven += 1
})

t.test('all of them were driven', async (t) => {
  t.equal(driven, 11)
  t.comment(`counted: caps at the edges of the agent driven | ${driven} | declared behaviour, counted, room afterwards`)
})
