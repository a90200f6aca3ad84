import t from 'tap'
import { BaselineDownlinks } from '../../../collector/baseline-downlinks.ts'
import { BaselineBook } from '../../../collector/baselines.ts'
import { type DecayChange, DecayWatch } from '../../../collector/decay-watch.ts'
import type { BaselineStore, StoredDecay } from '../../../collector/store/baselines.ts'
import { openBundle } from '../../../shared/codec/baseline-bundle.ts'
import { encodeBaseline } from '../../../shared/codec/baseline-record.ts'
import { defaultQualityPolicy } from '../../../shared/config/quality-policy.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import { createVirtualClock } from '../../../shared/lib/clock.ts'
import type { BaselineRecord } from '../../../shared/model/baseline.ts'
import { DECAY_EVERY_US } from '../../../shared/model/baseline-decay.ts'
import type { Statement, StatementKind } from '../../../shared/model/baseline-statement.ts'
import type { BaselineDownlink } from '../../../shared/protocol/downlink.ts'
import {
  baselineMetric,
  baselineRecord,
  createStatementMaker,
  digestHex,
  type TestPerson,
  TRUST,
} from '../../support/certified-baselines.ts'

const POLICY = defaultQualityPolicy().bytes
const GOLDEN = baselineRecord()
const DRAFT = '99'.repeat(32)

type Said = readonly (readonly [TestPerson, StatementKind])[]

/** What is said of records, one after the other, as one chain. */
function saidOf(records: readonly BaselineRecord[], said: Said): Uint8Array[] {
  const chain: Uint8Array[] = []
  let before: Partial<Statement> = {}
  for (const record of records) {
    const maker = createStatementMaker(record)
    for (const [person, kind] of said) {
      const atUs = record.madeUs + (chain.length + 1) * 1_000_000
      const { id } = maker.say(person, kind, { ...before, seq: chain.length + 1, atUs })
      before = { prev: id }
      chain.push(maker.said.at(-1)!)
    }
  }
  return chain
}

/** A book in memory that holds these records and what is said of each. */
async function bookWith(records: readonly BaselineRecord[], said: Said) {
  const clock = createVirtualClock(records[0]!.toUs)
  const chain = saidOf(records, said)
  const byDigest = new Map(records.map((record) => [digestHex(record), record]))
  const decays: StoredDecay[] = []
  let number = 0
  const store = {
    book: async () => ({ book: '0b'.repeat(16), trust: '', madeUs: 0 }),
    digests: async () => [...byDigest.keys()],
    record: async (digest: string) => {
      const record = byDigest.get(digest)!
      return { digest, storedUs: 0, bytes: encodeBaseline(record), policy: POLICY }
    },
    statements: async () => chain.map((bytes, k) => ({ seq: k + 1, id: '', digest: '', recvUs: 0, bytes })),
    replaceRows: async () => undefined,
    add: async () => undefined,
    decays: async () => decays,
    noteDecay: async (more: readonly StoredDecay[]) => void decays.push(...more),
    nextNumber: async () => ++number,
  } as unknown as BaselineStore
  const book = await BaselineBook.open({ store, trust: TRUST, clock, changed: () => undefined })
  return { book, store, clock, decays }
}

const APPROVED = [
  ['ada', 'propose'],
  ['grace', 'review'],
  ['kay', 'approve'],
] as const

const saying = (golden: object | null, more: object = {}) => ({
  rig: 'water-loop',
  program: 'pumps',
  vitals: { baselines: { mode: 'nominal', family: '', golden, rolling: null, ...more } },
})

async function linked(records: readonly BaselineRecord[], said: Said) {
  const at = await bookWith(records, said)
  const sent: BaselineDownlink[] = []
  const answers: unknown[] = []
  const events = {
    baselineSent: () => undefined,
    baselineAnswered: (facts: unknown) => void answers.push(facts),
    broken: (where: string, error: unknown) => t.fail(`${where}: ${String(error)}`),
  }
  const links = new BaselineDownlinks({ ...at, events })
  const session = () => links.session('bench-1', (downlink) => void sent.push(downlink))
  const settled = () => new Promise((done) => setImmediate(done))
  return { ...at, sent, answers, session, settled }
}

t.test('a rig that says another baseline than the one in force is sent it, once a session', async (t) => {
  const { sent, answers, session, settled } = await linked([GOLDEN], APPROVED)
  const first = session()
  for (let k = 0; k < 5; k += 1) first.heard(saying({ digest: DRAFT, kind: 'draft' }))
  await settled()
  t.equal(sent.length, 1)
  t.match(sent[0], { kind: 'baseline', agent: 'bench-1', rig: 'water-loop', role: 'golden', number: 1 })
  t.equal(openBundle(sent[0]!.bundle, { ...TRUST, nowUs: GOLDEN.toUs }).effectiveKind, 'golden')
  const answer = { t: 'baseline_answer', v: 1, id: sent[0]!.id, rig: 'water-loop', role: 'golden' } as const
  t.equal(first.answered({ ...answer, id: 'other', taken: true, reason: '' }), false, 'to what nobody asked')
  t.equal(first.answered({ ...answer, taken: false, reason: 'no' }), true)
  t.equal(first.answered({ ...answer, taken: true, reason: '' }), false, 'a second answer')
  t.match(answers, [{ agent: 'bench-1', rig: 'water-loop', taken: false, reason: 'no' }])
  first.heard(saying({ digest: DRAFT, kind: 'draft' }))
  await settled()
  t.equal(sent.length, 1, 'what was refused is not sent again')
  session().heard(saying(null))
  await settled()
  t.match(sent[1], { number: 2 }, 'but to the next session, with a number of its own')
})

t.test('who has it already, has another rig or mode, or does not say, is sent nothing', async (t) => {
  const { sent, session, settled } = await linked([GOLDEN], APPROVED)
  const one = session()
  one.heard(saying({ digest: digestHex(GOLDEN), kind: 'golden' }))
  one.heard(saying(null, { mode: 'test' }))
  one.heard({ ...saying(null), rig: 'boiler' })
  one.heard({ ...saying(null), program: 'valves' })
  for (const vitals of [{}, { baselines: null }, { baselines: { mode: 'news' } }, { baselines: 7 }])
    one.heard({ rig: 'water-loop', program: 'pumps', vitals })
  await settled()
  t.same(sent, [])
  one.heard(saying({ digest: digestHex(GOLDEN), kind: 'draft' }))
  await settled()
  t.equal(sent.length, 1, 'the same record without its statements counts as a draft there')
})

t.test('what is not approved is not sent, and what was taken back is told', async (t) => {
  const open = await linked([GOLDEN], APPROVED.slice(0, 2))
  open.session().heard(saying({ digest: DRAFT, kind: 'draft' }))
  await open.settled()
  t.same(open.sent, [])
  const gone = await linked([GOLDEN], [...APPROVED, ['ada', 'expire']])
  const one = gone.session()
  one.heard(saying({ digest: DRAFT, kind: 'golden' }))
  await gone.settled()
  t.same(gone.sent, [], 'a golden one that is not of this book is none of its business')
  one.heard(saying({ digest: digestHex(GOLDEN), kind: 'golden' }))
  await gone.settled()
  t.match(gone.sent, [{ role: 'golden' }])
  t.equal(openBundle(gone.sent[0]!.bundle, { ...TRUST, nowUs: GOLDEN.toUs }).effectiveKind, 'draft')
})

t.test('a family shares what was made on any of its rigs, and what a rig has of its own goes before', async (t) => {
  const inFamily = { ...saying(null, { family: 'loops' }), rig: 'spare' }
  const sentTo = async (records: readonly BaselineRecord[], said: object) => {
    const { session, settled, sent, book } = await linked(records, APPROVED)
    t.equal(book.log.entries.filter(({ refused }) => refused === null).length, 3 * records.length)
    session().heard(said as typeof inFamily)
    await settled()
    return sent.map(({ bundle }) => toHex(openBundle(bundle, { ...TRUST, nowUs: GOLDEN.toUs }).digest))
  }
  const anywhere = baselineRecord({ rig: '', family: 'loops' })
  const onOther = baselineRecord({ family: 'loops', madeUs: GOLDEN.madeUs + 1 })
  const own = baselineRecord({ rig: 'spare' })
  t.same(await sentTo([anywhere], inFamily), [digestHex(anywhere)])
  t.same(await sentTo([anywhere], { ...saying(null, { family: 'others' }), rig: 'spare' }), [])
  t.same(await sentTo([anywhere], { ...saying(null), rig: 'spare' }), [], 'a rig of no family')
  t.same(await sentTo([anywhere, onOther], inFamily), [digestHex(onOther)], 'the newest of the family')
  t.same(await sentTo([own, anywhere, onOther], inFamily), [digestHex(own)])
  t.same(await sentTo([onOther, anywhere], { ...inFamily, rig: 'water-loop' }), [digestHex(onOther)])
})

t.test('every mode has what is sent for it, and a rig that goes to and fro is sent each once', async (t) => {
  const inTest = baselineRecord({ mode: 'test' })
  const { session, settled, sent, answers } = await linked([GOLDEN, inTest], APPROVED)
  const one = session()
  for (let k = 0; k < 3; k += 1) {
    one.heard(saying(null))
    one.heard(saying(null, { mode: 'test' }))
  }
  await settled()
  t.equal(sent.length, 2)
  const about = { t: 'baseline_answer', v: 1, rig: 'water-loop', role: 'golden', taken: true, reason: '' } as const
  for (const { id } of sent)
    t.equal(one.answered({ ...about, id }), true, 'an answer may come when the mode is another')
  t.match(answers, [{ baseline: digestHex(GOLDEN) }, { baseline: digestHex(inTest) }])
})

t.test('a book that is damaged sends nothing', async (t) => {
  const { store, clock } = await bookWith([GOLDEN], APPROVED)
  const broken = { ...store, record: async () => undefined } as unknown as BaselineStore
  const book = await BaselineBook.open({ store: broken, trust: TRUST, clock, changed: () => undefined })
  t.ok(book.damage)
  const events = { baselineSent: () => undefined, baselineAnswered: () => undefined, broken: () => undefined }
  const links = new BaselineDownlinks({ book, store, clock, events })
  links.session('bench-1', () => t.fail('nothing is sent')).heard(saying({ digest: digestHex(GOLDEN), kind: 'golden' }))
  t.end()
})

t.test('baselines in force are looked at every hour, and what is left of them is told and kept', async (t) => {
  const record = baselineRecord({ metrics: [baselineMetric({ wander: 0, tolerance: null })] })
  const { book, store, clock, decays } = await bookWith([record], APPROVED)
  const told: DecayChange[] = []
  let looked = 0
  let channels: object[] = []
  let mode = 'nominal'
  const watch = new DecayWatch({
    ...{ book, store, clock },
    fleet: { vitals: () => [{ program: 'pumps', rig: 'water-loop', mode, verdict: 'PASS', channels }] },
    changed: (change) => void told.push(change),
    looked: () => {
      looked += 1
    },
    broken: (error) => t.fail(String(error)),
  })
  const pass = async (ms: number): Promise<void> => {
    await clock.advance(ms * 1000)
    for (let k = 0; k < 20; k += 1) await new Promise((done) => setImmediate(done))
  }
  const mean = (value: number) => [
    {
      metric: 'flow',
      windows: [
        { state: 'judged', mean: value },
        { state: 'filling', mean: 0 },
      ],
    },
  ]
  await watch.start()
  channels = mean(32)
  await pass(6_000)
  t.same([looked, watch.found.get(digestHex(record))?.factor, told.length], [1, 1, 0])
  channels = mean(99)
  await pass(DECAY_EVERY_US / 1000 - 10_000)
  t.equal(looked, 1, 'not before the hour is over')
  mode = 'test'
  await pass(20_000)
  t.same([looked, watch.found.get(digestHex(record))?.factor], [2, 1], 'of another mode levels say nothing')
  mode = 'nominal'
  await pass(DECAY_EVERY_US / 1000)
  t.same([looked, watch.found.get(digestHex(record))?.factor], [3, 0])
  t.match(told, [{ rig: 'water-loop', factor: 0, was: 1, reasons: /drifted_metrics 1 of 1: flow/ }])
  t.equal(decays.length, 3, 'every look is kept')
  for (let k = 0; k < 5; k += 1) watch.soon()
  await pass(10)
  t.same([looked, told.length], [4, 1], 'at once when something came into force, and told once')
  await watch.stop()
  const again = new DecayWatch({
    ...{ book, store, clock, fleet: { vitals: () => [] } },
    ...{ changed: () => t.fail('it was told before the stop'), looked: () => undefined, broken: () => undefined },
  })
  await again.start()
  t.equal(again.found.get(digestHex(record))?.factor, 0, 'a start goes on with what was found')
  await again.stop()
})
