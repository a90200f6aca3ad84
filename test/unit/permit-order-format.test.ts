import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ACTION_TEXT_MAX } from '../../shared/codec/action-input.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeJournalInput, encodeJournalInput, type JournalInput } from '../../shared/codec/journal-input.ts'
import { fromHex, toHex } from '../../shared/crypto/digest.ts'
import type { Canonical } from '../../shared/model/decision.ts'

const FILE = join(import.meta.dirname, '..', 'vectors', 'permit-orders-1.json')
const about = { nowUs: 1_700_000_000_000_000, rig: 'r' }

const INPUTS: Readonly<Record<string, JournalInput>> = {
  lost: { kind: 'policy', ...about, order: { kind: 'permit', target: 'pump', lost: true }, statements: [] },
  held: { kind: 'policy', ...about, order: { kind: 'permit', target: 'pump', lost: false }, statements: [] },
}

const permit = (...fields: Canonical[]): Canonical[] => [7, 1, 5, 'r', 'permit', fields, []]
const REFUSED: Readonly<Record<string, Canonical[]>> = {
  'a number for a target': permit(7, true),
  'a target past the bound': permit('x'.repeat(ACTION_TEXT_MAX + 1), true),
  'a word for how it stands': permit('pump', 'lost'),
  'a number for how it stands': permit('pump', 1),
  'nothing for how it stands': permit('pump', null),
  'a field less': permit('pump'),
  'a field more': permit('pump', true, ''),
}

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

t.test('what the agent journals of permits has its bytes once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(vectors(), pinned)
  for (const [what, body] of Object.entries(pinned.inputs))
    t.same(decodeJournalInput(fromHex(body)!), INPUTS[what], what)
})

t.test('what has another shape is refused', async (t) => {
  for (const body of Object.values(pinned.refused))
    t.throws(() => decodeJournalInput(fromHex(body)!), { code: 'JOURNAL_INPUT_SHAPE' })
  for (const [what, body] of Object.entries(REFUSED))
    t.throws(() => decodeJournalInput(canonicalBytes(body)), { code: 'JOURNAL_INPUT_SHAPE' }, what)
})
