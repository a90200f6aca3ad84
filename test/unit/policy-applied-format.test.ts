import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeJournalInput, encodeJournalInput, inputKindOf } from '../../shared/codec/journal-input.ts'
import { fromHex, toHex } from '../../shared/crypto/digest.ts'
import type { Canonical } from '../../shared/model/decision.ts'
import { APPLIED_SOURCES, type PolicyApplied } from '../../shared/model/input.ts'

const FILE = join(import.meta.dirname, '..', 'vectors', 'formats-7.json')
const APPLIED: PolicyApplied = {
  ...{ kind: 'policy_applied', nowUs: 1_700_000_000_000_000, source: 'rollout', policy: 'bundle' },
  ...{
    version: '20270131120000',
    digest: 'ab'.repeat(32),
    by: 'ada, grace',
    reason: 'wider limits after the new pump',
  },
}
const FIELDS = ['peer', 'p', '1', 'ab'.repeat(32), 'Ada', 'why'] as const
const changed = (at: number, value: Canonical): Canonical[] => FIELDS.map((field, k) => (k === at ? value : field))

type Vectors = { applied: Record<string, string>; refused: Record<string, string> }

function vectors(): Vectors {
  const refused: Record<string, Canonical[]> = {
    'comes from nowhere': changed(0, 'collector'),
    'has a number for a version': changed(2, 1),
    'has nobody': changed(4, null),
    'has a field less': FIELDS.slice(1),
    'has a field more': [...FIELDS, ''],
  }
  const bodies = Object.entries(refused).map(([what, fields]) => [what, toHex(canonicalBytes([13, 1, 5, ...fields]))])
  const applied = APPLIED_SOURCES.map((source) => [source, toHex(encodeJournalInput({ ...APPLIED, source }))])
  return { applied: Object.fromEntries(applied), refused: Object.fromEntries(bodies) }
}

const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(vectors(), null, 2)}\n`)
const pinned = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors

t.test('who put what in force and why has the bytes it was given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  for (const source of APPLIED_SOURCES)
    t.same(decodeJournalInput(fromHex(pinned.applied[source]!)!), { ...APPLIED, source })
  t.equal(inputKindOf(fromHex(pinned.applied['peer']!)!), 'policy_applied')
})

t.test('what is no such input is refused', async (t) => {
  for (const [what, body] of Object.entries(pinned.refused))
    t.throws(() => decodeJournalInput(fromHex(body)!), { code: 'JOURNAL_INPUT_SHAPE' }, what)
  t.throws(() => decodeJournalInput(canonicalBytes([13, 2, 5, ...FIELDS])), { code: 'JOURNAL_INPUT_UNKNOWN' })
})
