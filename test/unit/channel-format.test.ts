import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeJournalInput, encodeJournalInput, inputKindOf } from '../../shared/codec/journal-input.ts'
import { fromHex, toHex } from '../../shared/crypto/digest.ts'
import type { Canonical } from '../../shared/model/decision.ts'
import type { ChannelReplaced } from '../../shared/model/input.ts'

const FILE = join(import.meta.dirname, '..', 'vectors', 'formats-5.json')

const REPLACED: ChannelReplaced = {
  kind: 'channel',
  nowUs: 1_700_000_000_000_000,
  rig: 'r',
  command: 'replace',
  channel: 'Volume Flow RateRMS',
  serial: 'PT-7/0042',
  calDate: '2026-01-31',
  calDue: '2027-01-31',
  operator: 'Ada',
  reason: 'drifted',
}

const FIELDS = ['r', 'replace', 'flow', 'S', '2026-01-31', '2027-01-31', 'Ada', ''] as const
const changed = (at: number, value: Canonical): Canonical[] => FIELDS.map((field, k) => (k === at ? value : field))

/** `replaced`: the journal input; `refused`: bodies of the kind that are no such input. */
type Vectors = { replaced: string; refused: Record<string, string> }

function vectors(): Vectors {
  const refused: Record<string, Canonical[]> = {
    'is of another command': changed(1, 'remove'),
    'is calibrated on no day': changed(4, '2026-02-30'),
    'is due on no day': changed(5, '2027-1-31'),
    'is due never': changed(5, null),
    'has a field less': FIELDS.slice(1),
    'has a field more': [...FIELDS, ''],
    'has a number for a name': changed(2, 7),
  }
  const bodies = Object.entries(refused).map(([what, fields]) => [what, toHex(canonicalBytes([12, 1, 5, ...fields]))])
  return { replaced: toHex(encodeJournalInput(REPLACED)), refused: Object.fromEntries(bodies) }
}

const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors

t.test('a replaced sensor has the bytes it was given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  t.same(decodeJournalInput(fromHex(pinned.replaced)!), REPLACED)
  t.equal(inputKindOf(fromHex(pinned.replaced)!), 'channel')
})

t.test('what is no such input is refused', async (t) => {
  for (const [what, body] of Object.entries(pinned.refused))
    t.throws(() => decodeJournalInput(fromHex(body)!), { code: 'JOURNAL_INPUT_SHAPE' }, what)
  t.throws(() => decodeJournalInput(canonicalBytes([12, 2, 5, ...FIELDS])), { code: 'JOURNAL_INPUT_UNKNOWN' })
})
