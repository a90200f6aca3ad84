import t from 'tap'
import { encodeBundle, openBundle } from '../../../shared/codec/baseline-bundle.ts'
import { encodeBaseline } from '../../../shared/codec/baseline-record.ts'
import { defaultQualityPolicy } from '../../../shared/config/quality-policy.ts'
import { toHex } from '../../../shared/crypto/digest.ts'
import type { Action } from '../../../shared/model/action.ts'
import type { BaselineRecord } from '../../../shared/model/baseline.ts'
import { explainBaseline } from '../../../shared/model/baseline-explain.ts'
import type { Statement } from '../../../shared/model/baseline-statement.ts'
import {
  baselineRecord,
  baselineSegment,
  createStatementMaker,
  type TestPerson,
  TRUST,
} from '../../support/certified-baselines.ts'

type Said = readonly [TestPerson, Statement['kind'], Partial<Statement>?]
const ALL: readonly Said[] = [
  ['ada', 'propose'],
  ['grace', 'review'],
  ['kay', 'approve'],
]

/** The three sentences about a record after what was said of it. */
function explained(record: BaselineRecord, said: readonly Said[], action: Action = 'shutdown') {
  const maker = createStatementMaker(record)
  for (const [person, kind, change] of said) maker.say(person, kind, change)
  const policy = defaultQualityPolicy().bytes
  const bytes = encodeBundle({ record: encodeBaseline(record), policy, statements: maker.said })
  const opened = openBundle(bytes, { ...TRUST, nowUs: record.madeUs + 60_000_000 })
  const names = new Map(TRUST.operators.map(({ name, key }) => [toHex(key.keyId), name]))
  return explainBaseline(
    {
      digest: 'ab'.repeat(32),
      subject: record,
      as: record.kind,
      basis: opened.basis,
      gate: record.gate,
      request: opened.request,
      decayReason: opened.statements.findLast(({ kind }) => kind === 'decay')?.reason ?? '',
      problems: opened.problems.map(({ text }) => text),
      nameOf: (key) => names.get(key) ?? key,
      utc: (us) => `t+${(us - record.madeUs) / 1_000_000}`,
    },
    action,
  )
}

const few = (count: number, change = {}) =>
  baselineRecord({
    segments: Array.from({ length: count }, () => baselineSegment(change)),
    rigMaxima: Array.from({ length: count }, () => 0.5),
  })

t.test('three sentences say who stands for a baseline, what its confidence is made of, and that it may', async (t) => {
  t.same(explained(baselineRecord(), ALL), [
    'Baseline abababababab of rig water-loop (programme pumps, mode nominal) counts as golden: ada proposed it, grace reviewed it and kay approved it (keys distinct, persons unproven).',
    'Its confidence is 0.952, the product of 0.952 for segments 20 (bound 5) and 1 for each of the other 12 inputs, and its gate was passed.',
    'It may arm a shutdown: 20 nominal segments were replayed, of 19 asked for.',
  ])
})

t.test('of too few segments the third says how many more, or what else would do', async (t) => {
  const [, second, third] = explained(few(7, { alerts: -1 }), ALL)
  t.equal(
    second,
    'Its confidence is 0.438, the product of 0.5 for alerts -1 (bound 0), 0.875 for segments 7 (bound 5) and 1 for each of the other 11 inputs, and its gate was passed.',
  )
  t.equal(
    third,
    'It may not arm a shutdown, because 7 nominal segments were replayed; shutdown needs 19 of them, or two independent streams; what is missing: 12 more replayed nominal segments, or a second independent stream that says the same.',
  )
  t.equal(explained(few(7), ALL, 'rate_limit')[2], 'It may arm a rate_limit.')
  t.match(explained(few(3), ALL, 'isolate')[2], /^It may not arm an isolate, because 3 nominal segments .* 16 more/)
})

t.test('a draft is said to be one, with what it waits for', async (t) => {
  const [first, , third] = explained(baselineRecord(), ALL.slice(0, 2))
  t.match(
    first,
    /is meant to be golden and counts as a draft: ada proposed it, grace reviewed it and an approval is missing/,
  )
  t.equal(
    third,
    'It may not arm a shutdown, because a draft never arms anything; what is missing: it waits for an approval.',
  )
  t.match(explained(baselineRecord(), [])[0], /counts as a draft: it was never proposed \(keys distinct/)
  t.match(
    explained(baselineRecord(), [...ALL, ['ada', 'expire', { reason: 'pump was changed' }]])[0],
    /it is expired \("pump was changed"\)/,
  )
})

t.test('a break-glass and decay are told with who and why', async (t) => {
  const record = few(20, { toUs: 60_000_000 })
  const untilUs = record.madeUs + 3_600_000_000
  const [first, second, third] = explained(record, [
    ...ALL.slice(0, 2),
    ['kay', 'break_glass', { untilUs, reason: 'the rig leaves', operator: 'Kay L.' }],
    ['kay', 'approve'],
    ['ada', 'decay', { factor: 0.5, reason: 'age_sec 500000 of 605000' }],
  ])
  t.match(first, 'kay for Kay L. broke the glass around its gate until t+3600 ("the rig leaves")')
  t.match(
    second,
    'of which decay leaves 0.5 (age_sec 500000 of 605000), and its gate was not passed: time_span_sec 1200 < 3600.',
  )
  t.match(third, 'because it was approved around its gate, and then only notify and degrade may follow')
})
