import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { disguiseOf } from '../../../scripts/eval/disguise.ts'
import { evaluateSkab, type SkabOrder } from '../../../scripts/eval/evaluate-skab.ts'
import { readSkab } from '../../../scripts/eval/skab.ts'
import { CHANNELS, fakeBench, type RunOrder, writeSkab } from '../../support/small-corpus.ts'

const ALL = ['valve1/0.csv', 'valve1/1.csv', 'other/5.csv']
/** What does not depend on other files is seen on one, without runs in which nothing is wrong. */
const ONE = ['valve1/0.csv']
const SHORT = { 'anomaly-free/anomaly-free.csv': { seed: 4, begin: '2020-02-08 13:00:00', rows: 500 } }

type Given = Readonly<{
  behaviour: string
  order?: Partial<SkabOrder>
  extra?: Readonly<Record<string, RunOrder>>
  seen?: string
  answerWithinMs?: number
}>

/** Evaluates the fake evaluator on a small corpus. */
async function evaluate(folder: string, { behaviour, order = {}, extra = {}, seen, answerWithinMs }: Given) {
  const corpus = join(folder, 'corpus')
  writeSkab(corpus, { ...(order.score === ALL ? {} : SHORT), ...extra })
  const bench = fakeBench(join(folder, 'bench'), behaviour)
  const env = seen === undefined ? {} : { FAKE_EVALUATOR_SEEN: seen }
  const evaluated = await evaluateSkab(
    { ...bench, evaluator: { ...bench.evaluator, env }, answerWithinMs: answerWithinMs ?? bench.answerWithinMs },
    { corpus, score: ONE, mode: 'self', starts: [0], ...order },
    () => undefined,
  )
  const left = readdirSync(join(folder, 'bench')).filter((name) => name !== 'fake-evaluator.mjs')
  return { ...evaluated, left }
}

const FAULT = { from: 560, to: 640, channel: 2, by: 40 }

t.test('an honest evaluator breaks no rule, and leaves nothing behind', async (t) => {
  const { result, broken, left } = await evaluate(t.testdir({}), {
    behaviour: 'honest',
    order: { mode: 'history', starts: [0, 40], score: ALL },
  })
  t.strictSame(broken, [])
  t.strictSame(left, [])
  t.strictSame(result.sameness, { again: true, without_jit: true, permuted: true, restored: true, runs: 2 })
  t.ok(result.f1 > 0.9 && result.far < 5 && result.mar === 0, `F1 ${result.f1}`)
  t.match(result.events, { total: 3, found: 3, already_alarmed: 0 })
  t.match([result.driver_hit, result.ns_per_value, result.bytes_per_channel], [1, 100, 500])
  t.strictSame(Object.keys(result.by_start), ['0', '40'])
  t.strictSame(Object.keys(result.by_group), ['other', 'valve1'])
  t.match(result.score_digest, /^[0-9a-f]{64}$/)
  t.equal(result.files.length, 6)
  t.strictSame(
    result.segments.map(({ earlier }) => earlier),
    [0, 1, 5, 0, 1, 5],
    'earlier runs that were known',
  )
  t.match(result.false_alarms, { alarms: 0, slices: 3, slices_rejected: 0, rows: 2250, earlier_only: { slices: 3 } })
})

t.test('who waits for the next row before answering gets none', async (t) => {
  const evaluating = evaluate(t.testdir({}), { behaviour: 'clairvoyant', answerWithinMs: 500 })
  await t.rejects(evaluating, { exitCode: 70, message: /no answer within 500 ms .* the next row is not shown before/ })
})

t.test('an answer to a row that was not shown yet ends the evaluation', async (t) => {
  await t.rejects(evaluate(t.testdir({}), { behaviour: 'foretelling' }), {
    exitCode: 70,
    message: /answers nothing it was shown/,
  })
})

t.test('a verdict that is changed later stays what it was, and the change is counted', async (t) => {
  const honest = await evaluate(t.testdir({}), { behaviour: 'honest' })
  const folder = join(t.testdirName, 'again')
  const revising = await evaluate(folder, { behaviour: 'revising' })
  t.strictSame(revising.result.files, honest.result.files)
  t.equal(revising.result.score_digest, honest.result.score_digest)
  t.equal(revising.result.rows.late_verdicts_ignored, revising.result.rows.scored - ONE.length)
})

t.test('who looks at the clock and not at the rows alarms where nothing is wrong', async (t) => {
  const { result, broken } = await evaluate(t.testdir({}), { behaviour: 'clock' })
  t.equal(result.mar, 0, 'it finds every fault')
  t.equal(result.position_check.pass, false)
  t.ok(result.position_check.far_in_place_of_faults > 95)
  t.match(broken, [/^position check: /])
})

t.test('scores that depend on the order or the names of channels are told', async (t) => {
  const { result, broken } = await evaluate(t.testdir({}), { behaviour: 'order' })
  t.match(result.sameness, { again: true, without_jit: true, permuted: false, restored: true })
  t.match(broken, [/^permuted: row 0 had score /])
})

t.test('an evaluator that does not go on from its saved state is told', async (t) => {
  const { result, broken } = await evaluate(t.testdir({}), { behaviour: 'forgetful' })
  t.match(result.sameness, { again: true, without_jit: true, permuted: true, restored: false })
  t.match(broken, [/^restored: /])
})

t.test('one that counts its rows wrongly is not believed', async (t) => {
  await t.rejects(evaluate(t.testdir({}), { behaviour: 'miscounting' }), {
    exitCode: 70,
    message: /its saved state has/,
  })
})

t.test('scores that are not the same twice, or not the same without a JIT, are told', async (t) => {
  const restless = await evaluate(t.testdir({}), { behaviour: 'restless' })
  t.equal(restless.result.sameness.again, false)
  const jit = await evaluate(join(t.testdirName, 'jit'), { behaviour: 'jit' })
  t.match(jit.result.sameness, { again: true, without_jit: false, permuted: true, restored: true })
  t.match(jit.broken, [/^without_jit: row 0 had score/])
})

t.test('a rejected baseline counts as never alarming, and is nobody else’s earlier run', async (t) => {
  const step = { seed: 9, begin: '2020-03-09 10:30:00', rows: 700, fault: FAULT, stepAt: 200 }
  const order = { mode: 'history' as const, score: ['valve1/1.csv', 'valve1/2.csv'] }
  const { result, broken } = await evaluate(t.testdir({}), {
    behaviour: 'picky',
    order,
    extra: { 'valve1/2.csv': step },
  })
  t.strictSame(broken, [])
  t.strictSame(result.rejected.runs, [{ id: 'valve1/2.csv', start: 0, reasons: ['a step in the baseline'] }])
  t.equal(result.mar, 50, 'in the headline all of its fault was missed')
  t.equal(result.rejected.left_out?.mar, 0, 'beside it, it is left out')
  t.match(
    result.segments.map(({ id, earlier }) => [id, earlier]),
    [
      ['valve1/1.csv', 1],
      ['valve1/2.csv', 1],
    ],
    'valve1/1 began after valve1/2 and does not know it',
  )
})

t.test('no baseline without a gate that said why is no rejection', async (t) => {
  await t.rejects(evaluate(t.testdir({}), { behaviour: 'no-gate' }), {
    exitCode: 70,
    message: /no gate said why \(exit 70\)/,
  })
})

t.test('nothing that is shown tells which run it is, when it was, or what was wrong', async (t) => {
  const folder = t.testdir({})
  const seen = join(folder, 'seen.txt')
  await evaluate(folder, { behaviour: 'honest', seen, order: { mode: 'history', score: ALL } })
  t.ok(existsSync(seen))
  const text = readFileSync(seen, 'utf8')
  for (const word of [...CHANNELS, 'valve', 'other', 'anomaly', 'changepoint', 'csv', '2020-', 'RMS', 'skab'])
    t.notOk(text.includes(word), `it never says ${word}`)
  const { labelled } = readSkab(join(folder, 'corpus'))
  const times = [...labelled.values()].flatMap(({ timesMs }) => timesMs)
  t.ok(
    times.every((ms) => !text.includes(String(ms))),
    'no time is the real one',
  )
  t.match(text, /"t_ms":1\d{12},"ch":\{"c000":/)
})

t.test('a disguise is fixed by the file; the other one turns every pair of channels round', (t) => {
  const given = { id: 'valve1/0.csv', channels: 8, firstMs: 5000 }
  const first = disguiseOf({ ...given, permutation: 0 })
  t.strictSame(disguiseOf({ ...given, permutation: 0 }), first)
  const other = disguiseOf({ ...given, permutation: 1 })
  t.equal(other.offsetMs, first.offsetMs)
  t.equal(first.offsetMs % 1000, 0)
  t.strictSame(first.order.toSorted(), [0, 1, 2, 3, 4, 5, 6, 7])
  t.strictSame(other.order, first.order.toReversed())
  const sorted = ({ names }: typeof first): number[] =>
    names.map((_, c) => c).sort((a, b) => (names[a]! < names[b]! ? -1 : 1))
  t.strictSame(sorted(other), sorted(first).toReversed())
  const next = disguiseOf({ ...given, id: 'valve1/1.csv', permutation: 0 })
  t.not(next.offsetMs, first.offsetMs)
  t.notSame(next.order, first.order)
  t.end()
})
