import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ACTION_TEXT_MAX } from '../../shared/codec/action-input.ts'
import { canonicalBytes } from '../../shared/codec/canonical.ts'
import { decodeJournalInput, encodeJournalInput, type JournalInput } from '../../shared/codec/journal-input.ts'
import { fromHex, toHex } from '../../shared/crypto/digest.ts'
import type { Canonical } from '../../shared/model/decision.ts'

/** What the agent itself journals about a target: one word and how it stands, the same shape for each kind. */
type Kind = Readonly<{ kind: 'permit' | 'proof'; yes: string; no: string; input(stands: boolean): JournalInput }>
const about = { nowUs: 1_700_000_000_000_000, rig: 'r', statements: [] }
const KINDS: readonly Kind[] = [
  {
    ...{ kind: 'permit', yes: 'lost', no: 'held' },
    input: (lost) => ({ kind: 'policy', ...about, order: { kind: 'permit', target: 'pump', lost } }),
  },
  {
    ...{ kind: 'proof', yes: 'overdue', no: 'proved' },
    input: (overdue) => ({ kind: 'policy', ...about, order: { kind: 'proof', target: 'pump', overdue } }),
  },
]

type Vectors = { inputs: Record<string, string>; refused: Record<string, string> }

for (const { kind, yes, no, input } of KINDS)
  t.test(
    `what the agent journals of a ${kind} has its bytes once and for all, and no other shape is taken`,
    async (t) => {
      const inputs: Readonly<Record<string, JournalInput>> = { [yes]: input(true), [no]: input(false) }
      const body = (...fields: Canonical[]): Canonical[] => [7, 1, 5, 'r', kind, fields, []]
      const past = body('x'.repeat(ACTION_TEXT_MAX + 1), true)
      const refused: Readonly<Record<string, Canonical[]>> = {
        'a number for a target': body(7, true),
        'a word for how it stands': body('pump', yes),
        'a number for how it stands': body('pump', 1),
        'nothing for how it stands': body('pump', null),
        'a field less': body('pump'),
        'a field more': body('pump', true, ''),
      }
      const hexOf = <T>(of: Readonly<Record<string, T>>, bytes: (one: T) => Uint8Array): Record<string, string> =>
        Object.fromEntries(Object.entries(of).map(([what, one]) => [what, toHex(bytes(one))]))
      const made: Vectors = { inputs: hexOf(inputs, encodeJournalInput), refused: hexOf(refused, canonicalBytes) }
      const file = join(import.meta.dirname, '..', 'vectors', `${kind}-orders-1.json`)
      const isNew = !existsSync(file)
      if (isNew) writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`)
      t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
      const pinned = JSON.parse(readFileSync(file, 'utf8')) as Vectors
      t.same(made, pinned)
      for (const [what, hex] of Object.entries(pinned.inputs))
        t.same(decodeJournalInput(fromHex(hex)!), inputs[what], what)
      for (const bytes of [...Object.values(pinned.refused).map((hex) => fromHex(hex)!), canonicalBytes(past)])
        t.throws(() => decodeJournalInput(bytes), { code: 'JOURNAL_INPUT_SHAPE' })
    },
  )
