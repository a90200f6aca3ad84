import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isEvidence, safetyValues } from '../../agent/core/safety-record.ts'
import { ACTION_TEXT_MAX } from '../../shared/codec/action-input.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeJournalInput, encodeJournalInput, type JournalInput } from '../../shared/codec/journal-input.ts'
import { fromHex, toHex } from '../../shared/crypto/digest.ts'
import { BREAK_GLASS_STEPS, type PolicyOrder } from '../../shared/model/action-input.ts'
import type { Canonical, DecisionItem } from '../../shared/model/decision.ts'
import { buildRecords } from '../../shared/protocol/batch-records.ts'

const FILE = join(import.meta.dirname, '..', 'vectors', 'action-orders-2.json')
const CONFIG = 'cd'.repeat(32)
const AT_US = 1_700_000_000_000_000

const glass = (step: (typeof BREAK_GLASS_STEPS)[number]): PolicyOrder => {
  const config = step === 'close' ? '' : CONFIG
  return { kind: 'break_glass', step, typed: 'r', config, untilUs: AT_US, by: 'Ada', reason: 'alone' }
}
const by = ['Ada', 'Bob']
const ORDERS: Readonly<Record<string, PolicyOrder>> = {
  ...Object.fromEntries(BREAK_GLASS_STEPS.map((step) => [`break_glass ${step}`, glass(step)])),
  'uninhibit a rule': { kind: 'uninhibit', rule: 'over_pressure', action: null, by, reason: 'done' },
  'uninhibit an action': { kind: 'uninhibit', rule: null, action: 'shutdown', by, reason: 'done' },
  off: { kind: 'off', by: 'Ada', reason: 'in the workshop' },
  passive: { kind: 'passive', by: 'Ada', reason: 'back' },
}
const input = (order: PolicyOrder): JournalInput => {
  return { kind: 'policy', nowUs: AT_US, rig: 'r', order, statements: [new Uint8Array([0xd2, 0x84])] }
}
const CHANGE = {
  kind: 'break_glass',
  active: true,
  untilUs: AT_US,
  by: ['Ada'],
  reason: 'alone',
  why: '',
  count: 2,
} as const

const raw = (kind: string, ...fields: Canonical[]): Canonical[] => [7, 1, 5, 'r', kind, fields, []]
const REFUSED: Readonly<Record<string, Canonical[]>> = {
  'another step': raw('break_glass', 'open', 'r', CONFIG, 9, 'Ada', ''),
  'a field less': raw('break_glass', 'ask', 'r', CONFIG, 9, 'Ada'),
  'a field more': raw('break_glass', 'ask', 'r', CONFIG, 9, 'Ada', '', ''),
  'no digest': raw('break_glass', 'ask', 'r', '', 9, 'Ada', ''),
  'a digest to close': raw('break_glass', 'close', 'r', CONFIG, 9, 'Ada', ''),
  'a broken time': raw('break_glass', 'ask', 'r', CONFIG, 9.5, 'Ada', ''),
  'two people': raw('break_glass', 'ask', 'r', CONFIG, 9, ['Ada', 'Bob'], ''),
  'a longer reason': raw('break_glass', 'ask', 'r', CONFIG, 9, 'Ada', 'x'.repeat(ACTION_TEXT_MAX + 1)),
  'uninhibit of both': raw('uninhibit', 'r1', 'abort', ['Ada'], ''),
  'uninhibit of neither': raw('uninhibit', null, null, ['Ada'], ''),
  'uninhibit by nobody': raw('uninhibit', 'r1', null, [], ''),
  'uninhibit with an end': raw('uninhibit', 'r1', null, ['Ada'], '', 9),
  'off by two': raw('off', ['Ada', 'Bob'], ''),
  'passive without a reason': raw('passive', 'Ada'),
}

function record(): DecisionItem {
  const config = new Uint8Array(32).fill(1)
  const values = safetyValues({ seq: 30, rig: 'r', nowUs: AT_US, mode: 'nominal', config }, CHANGE)
  // The evaluator that made the first one; the layout is what is pinned.
  const core = { ...(values[0] as Record<string, never>), code: 4 }
  return { kind: 'record', seq: 30, values: [core, ...values.slice(1)] as never, chain: config }
}

const made = {
  inputs: Object.fromEntries(
    Object.entries(ORDERS).map(([what, order]) => [what, toHex(encodeJournalInput(input(order)))]),
  ),
  refused: Object.fromEntries(
    Object.entries(REFUSED).flatMap(([what, body]) => {
      const bytes = canonicalBytes(body)
      return bytes.length <= 512 ? [[what, toHex(bytes)]] : []
    }),
  ),
  record: toHex(buildRecords([record()], new Uint8Array(32).fill(5)).records),
}
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(made, null, 2)}\n`)

// verifies SE-26
t.test(
  'orders about a break-glass, a bypass and OFF, and the record of a break-glass, have the bytes they were given once and for all',
  async (t) => {
    t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
    const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as typeof made
    t.same(made, pinned)
    for (const [what, order] of Object.entries(ORDERS))
      t.same(decodeJournalInput(fromHex(pinned.inputs[what]!)!), input(order), what)
    t.ok(isEvidence(CHANGE))
    for (const { kind } of Object.values(ORDERS))
      t.ok(isEvidence({ kind: 'refused', input: kind, subject: 'r', reasons: ['R'] }), kind)
  },
)

t.test('what is no such order, or past a bound, is refused', async (t) => {
  for (const [what, body] of Object.entries(REFUSED))
    t.throws(() => decodeJournalInput(canonicalBytes(body)), { code: 'JOURNAL_INPUT_SHAPE' }, what)
})
