import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ACTION_TEXT_MAX, ORDER_PEOPLE_MAX } from '../../shared/codec/action-input.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeJournalInput, encodeJournalInput, type JournalInput } from '../../shared/codec/journal-input.ts'
import { fromHex, toHex } from '../../shared/crypto/digest.ts'
import type { AlarmOrder } from '../../shared/model/action-input.ts'
import type { Canonical } from '../../shared/model/decision.ts'

const FILE = join(import.meta.dirname, '..', 'vectors', 'alarm-orders-1.json')
const bare = { alarm: 'pressure-high', forUs: 0, oneShot: false, by: ['Ada'], reason: 'seen' }
const seen = { occurrence: 3, severity: 'CRITICAL' } as const
const none = { occurrence: 0, severity: null } as const

const ORDERS: readonly AlarmOrder[] = [
  { kind: 'alarm_ack', ...bare, ...seen },
  { kind: 'alarm_confirm', ...bare, ...seen },
  { kind: 'alarm_shelve', ...bare, ...seen, severity: null, forUs: 60_000_000, oneShot: true },
  { kind: 'alarm_unshelve', ...bare, ...seen, severity: 'UNKNOWN' },
  { kind: 'alarm_out', ...bare, ...none, by: ['Ada', 'Bob'] },
  { kind: 'alarm_in', ...bare, ...none },
]
const input = (order: AlarmOrder): JournalInput => ({
  ...{ kind: 'policy', nowUs: 1_700_000_000_000_000, rig: 'r', order },
  statements: [new Uint8Array([0xd2, 0x84])],
})

const raw = (kind: string, ...fields: Canonical[]): Canonical[] => [7, 1, 5, 'r', kind, fields, []]
const REFUSED: Readonly<Record<string, Canonical[]>> = {
  'an alarm without a name': raw('alarm_ack', null, 3, 'WARNING', 0, false, ['Ada'], ''),
  'a field less': raw('alarm_ack', 'a', 3, 'WARNING', 0, false, ['Ada']),
  'a field more': raw('alarm_ack', 'a', 3, 'WARNING', 0, false, ['Ada'], '', ''),
  'another severity': raw('alarm_ack', 'a', 3, 'GRAVE', 0, false, ['Ada'], ''),
  'half an occurrence': raw('alarm_ack', 'a', 0.5, 'WARNING', 0, false, ['Ada'], ''),
  nobody: raw('alarm_ack', 'a', 3, 'WARNING', 0, false, [], ''),
  'too many': raw('alarm_ack', 'a', 3, 'WARNING', 0, false, Array<string>(ORDER_PEOPLE_MAX + 1).fill('Ada'), ''),
  'a time that is of no shelf': raw('alarm_ack', 'a', 3, 'WARNING', 9, false, ['Ada'], ''),
  'once that is of no shelf': raw('alarm_unshelve', 'a', 3, 'WARNING', 0, true, ['Ada'], ''),
  'a shelf until before it began': raw('alarm_shelve', 'a', 3, 'WARNING', -1, false, ['Ada'], ''),
  'out of service for what was seen': raw('alarm_out', 'a', 3, null, 0, false, ['Ada'], ''),
  'a longer reason': raw('alarm_in', 'a', 0, null, 0, false, ['Ada'], 'x'.repeat(ACTION_TEXT_MAX + 1)),
  'another order': raw('alarm_mute', 'a', 0, null, 0, false, ['Ada'], ''),
}

const made = Object.fromEntries(ORDERS.map((order) => [order.kind, toHex(encodeJournalInput(input(order)))]))
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(made, null, 2)}\n`)

t.test('orders about alarms have the bytes they were given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string>
  t.same(made, pinned)
  for (const order of ORDERS) t.same(decodeJournalInput(fromHex(pinned[order.kind]!)!), input(order), order.kind)
})

t.test('what is no such order, or past a bound, is refused', async (t) => {
  for (const [what, body] of Object.entries(REFUSED))
    t.throws(() => decodeJournalInput(canonicalBytes(body)), { code: 'JOURNAL_INPUT_SHAPE' }, what)
})
