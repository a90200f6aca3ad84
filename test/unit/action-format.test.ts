import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  ACTION_PARAMS_MAX,
  ACTION_TEXT_MAX,
  ORDER_PEOPLE_MAX,
  STATEMENT_BYTES_MAX,
  STATEMENTS_MAX,
} from '../../shared/codec/action-input.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeJournalInput, encodeJournalInput, type JournalInput } from '../../shared/codec/journal-input.ts'
import { fromHex, toHex } from '../../shared/crypto/digest.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import { ACK_STATUSES, ANSWER_STATUSES, type PolicyOrder, TIMED_STAGES } from '../../shared/model/action-input.ts'
import type { Canonical } from '../../shared/model/decision.ts'

const FILE = join(import.meta.dirname, '..', 'vectors', 'formats-6.json')
const KEY = 'ab'.repeat(32)
const about = { nowUs: 1_700_000_000_000_000, rig: 'r' }

const ORDERS: readonly PolicyOrder[] = [
  { kind: 'cancel', key: KEY, by: 'Ada', reason: 'not now' },
  { kind: 'approve', key: KEY, by: ['Ada', 'Bob'] },
  { kind: 'rearm', rule: 'over_pressure', by: ['Ada'] },
  { kind: 'arm', config: 'cd'.repeat(32), untilUs: 1_700_000_000_000_000, by: ['Ada', 'Bob'] },
  { kind: 'disarm', by: 'Ada', reason: '' },
  { kind: 'perm_off', rule: 'over_pressure', step: 'ask', by: 'Ada', reason: 'valve removed' },
  { kind: 'inhibit', rule: 'over_pressure', action: null, untilUs: 9, by: ['Ada', 'Bob'], reason: 'test' },
  { kind: 'inhibit', rule: null, action: 'shutdown', untilUs: 9, by: ['Ada', 'Bob'], reason: 'test' },
  {
    kind: 'manual',
    action: 'isolate',
    target: 'pump',
    params: { hold: true, level: 0.5, side: 'left' },
    by: ['Ada', 'Bob'],
    reason: 'leak',
  },
  { kind: 'dry_run', action: 'isolate', target: 'pump', params: {}, by: ['Ada'], reason: 'rehearsal' },
  { kind: 'action_ack', key: KEY, outcome: 'completed', by: ['Ada', 'Bob'], reason: 'looked' },
  { kind: 'action_ack', key: KEY, outcome: 'failed', by: ['Ada', 'Bob'], reason: 'looked' },
]

const INPUTS: Readonly<Record<string, JournalInput>> = {
  ...Object.fromEntries(
    ACK_STATUSES.map((status) => [
      `ack ${status}`,
      { kind: 'ack', ...about, key: KEY, status, from: 'pump-plc', message: 'ok' },
    ]),
  ),
  release: { kind: 'action_transition', ...about, step: { kind: 'release', key: KEY } },
  sent: { kind: 'action_transition', ...about, step: { kind: 'sent', key: KEY } },
  unknown: { kind: 'action_transition', ...about, step: { kind: 'unknown', key: KEY } },
  ...Object.fromEntries(
    TIMED_STAGES.map((stage) => [
      `timeout ${stage}`,
      { kind: 'action_transition', ...about, step: { kind: 'timeout', key: KEY, stage } },
    ]),
  ),
  ...Object.fromEntries(
    ANSWER_STATUSES.map((status) => [
      `answer ${status}`,
      { kind: 'action_transition', ...about, step: { kind: 'answer', key: KEY, status } },
    ]),
  ),
  ...Object.fromEntries(
    ORDERS.map((order, k) => [
      `order ${k + 1} ${order.kind}`,
      { kind: 'policy', ...about, order, statements: [new Uint8Array([0xd2, 0x84])] },
    ]),
  ),
}

const order = (kind: string, ...fields: Canonical[]): Canonical[] => [7, 1, 5, 'r', kind, fields, []]
const step = (...fields: Canonical[]): Canonical[] => [9, 1, 5, 'r', ...fields]
const ack = (...fields: Canonical[]): Canonical[] => [4, 1, 5, ...fields]
const long = 'x'.repeat(ACTION_TEXT_MAX + 1)
const manual = (pairs: Canonical): Canonical[] => order('manual', 'abort', 'pump', pairs, ['Ada'], '')

const REFUSED: Readonly<Record<string, Canonical[]>> = {
  'ack of another status': ack('r', 'k', 'ok', 'p', ''),
  'ack with a field less': ack('r', 'k', 'failed', 'p'),
  'ack with a field more': ack('r', 'k', 'failed', 'p', '', ''),
  'ack with a number for a key': ack('r', 7, 'failed', 'p', ''),
  'ack with a message past the bound': ack('r', 'k', 'failed', 'p', long),
  'step of another kind': step('begin', 'k', ''),
  'step with a name of every object': step('constructor', 'k', ''),
  'release with a word': step('release', 'k', 'send'),
  'timeout of another stage': step('timeout', 'k', 'verify'),
  'timeout of no stage': step('timeout', 'k', ''),
  'answer of another status': step('answer', 'k', 'no_answer'),
  'step with a field less': step('release', 'k'),
  'step with a key past the bound': step('release', long, ''),
  'order of another kind': order('delete', 'k', 'Ada', ''),
  'order with a name of every object': order('constructor', 'k', 'Ada', ''),
  'cancel with a field more': order('cancel', 'k', 'Ada', '', ''),
  'cancel by a list': order('cancel', 'k', ['Ada'], ''),
  'approval by nobody': order('approve', 'k', []),
  'approval by too many': order('approve', 'k', Array<string>(ORDER_PEOPLE_MAX + 1).fill('Ada')),
  'approval by a number': order('approve', 'k', [7]),
  'rearm of no rule': order('rearm', null, ['Ada']),
  'arming for no digest': order('arm', 'cd', 9, ['Ada', 'Bob']),
  'arming without an end': order('arm', 'cd'.repeat(32), null, ['Ada', 'Bob']),
  'arming until before all time': order('arm', 'cd'.repeat(32), -1, ['Ada', 'Bob']),
  'arming until a broken time': order('arm', 'cd'.repeat(32), 9.5, ['Ada', 'Bob']),
  'disarm without a reason': order('disarm', 'Ada', null),
  'perm_off of another step': order('perm_off', 'r1', 'do', 'Ada', ''),
  'inhibit of both': order('inhibit', 'r1', 'abort', 9, ['Ada'], ''),
  'inhibit of neither': order('inhibit', null, null, 9, ['Ada'], ''),
  'inhibit of another action': order('inhibit', null, 'explode', 9, ['Ada'], ''),
  'manual of another action': order('manual', 'explode', 'pump', [], ['Ada'], ''),
  'dry run of another action': order('dry_run', 'explode', 'pump', [], ['Ada'], ''),
  'outcome of another word': order('action_ack', 'k', 'started', ['Ada', 'Bob'], ''),
  'outcome by nobody': order('action_ack', 'k', 'failed', [], ''),
  'outcome without a reason': order('action_ack', 'k', 'failed', ['Ada', 'Bob']),
  'manual with a list for a parameter': manual([['a', [1]]]),
  'manual with nothing for a parameter': manual([['a', null]]),
  'manual with parameters out of order': manual([
    ['b', 1],
    ['a', 1],
  ]),
  'manual with a parameter twice': manual([
    ['a', 1],
    ['a', 1],
  ]),
  'manual with a parameter past what is exact': manual([['a', 2n ** 60n]]),
  'manual with too many parameters': manual(
    Array.from({ length: ACTION_PARAMS_MAX + 1 }, (_, k): Canonical => [String(k + 100), 1]),
  ),
  'manual with a pair of three': manual([['a', 1, 2]]),
  'policy without statements': [7, 1, 5, 'r', 'disarm', ['Ada', '']],
  'policy with an empty statement': [7, 1, 5, 'r', 'disarm', ['Ada', ''], [new Uint8Array(0)]],
  'policy with a text for a statement': [7, 1, 5, 'r', 'disarm', ['Ada', ''], ['d284']],
  'policy with too large a statement': [7, 1, 5, 'r', 'disarm', ['Ada', ''], [new Uint8Array(STATEMENT_BYTES_MAX + 1)]],
  'policy with too many statements': [
    7,
    1,
    5,
    'r',
    'disarm',
    ['Ada', ''],
    Array<Uint8Array>(STATEMENTS_MAX + 1).fill(new Uint8Array(1)),
  ],
}

/** `inputs`: what is read back as it was; `refused`: bodies of the kinds that are no such input. */
type Vectors = { inputs: Record<string, string>; refused: Record<string, string> }

function vectors(): Vectors {
  const short = Object.entries(REFUSED).filter(([, body]) => canonicalBytes(body).length <= 512)
  return {
    inputs: Object.fromEntries(Object.entries(INPUTS).map(([what, input]) => [what, toHex(encodeJournalInput(input))])),
    refused: Object.fromEntries(short.map(([what, body]) => [what, toHex(canonicalBytes(body))])),
  }
}

const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors

t.test('inputs about actions have the bytes they were given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  for (const [what, body] of Object.entries(pinned.inputs))
    t.same(decodeJournalInput(fromHex(body)!), INPUTS[what], what)
})

t.test('what is no such input, or past a bound, is refused', async (t) => {
  for (const [what, body] of Object.entries(pinned.refused))
    t.throws(() => decodeJournalInput(fromHex(body)!), { code: 'JOURNAL_INPUT_SHAPE' }, what)
  for (const [what, body] of Object.entries(REFUSED)) t.ok(isRefused(body), what)
  for (const kind of [4, 7, 9])
    t.throws(() => decodeJournalInput(canonicalBytes([kind, 2, 5, 'r'])), { code: 'JOURNAL_INPUT_UNKNOWN' })
})

function isRefused(body: Canonical): boolean {
  try {
    decodeJournalInput(canonicalBytes(body))
    return false
  } catch (error) {
    return isHbError(error)
  }
}

t.test('what could not be read again is never written', async (t) => {
  const message = (text: string): JournalInput => ({ ...INPUTS['ack failed']!, message: text }) as JournalInput
  t.doesNotThrow(() => encodeJournalInput(message('x'.repeat(ACTION_TEXT_MAX))))
  t.throws(() => encodeJournalInput(message(long)), { name: 'InvariantError' })
  const param = (value: number): JournalInput => ({
    kind: 'policy',
    ...about,
    order: { kind: 'manual', action: 'abort', target: 'pump', params: { a: value }, by: ['Ada'], reason: '' },
    statements: [],
  })
  t.doesNotThrow(() => encodeJournalInput(param(2 ** 53 - 1)))
  t.throws(() => encodeJournalInput(param(2 ** 53)), { name: 'InvariantError' })
})
