import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { SafetyChange } from '../../agent/core/safety/changes.ts'
import { isEvidence, safetyValues } from '../../agent/core/safety-record.ts'
import { toHex } from '../../shared/crypto/digest.ts'
import type { DecisionItem } from '../../shared/model/decision.ts'
import { buildRecords } from '../../shared/protocol/batch-records.ts'
import { T0 } from '../support/evaluator-rig.ts'

const FILE = join(import.meta.dirname, '..', 'vectors', 'safety-5.json')

/** One of each kind; texts, names and numbers are any. */
const CHANGES: readonly SafetyChange[] = [
  {
    kind: 'action',
    key: 'ab'.repeat(32),
    rig: 'loop',
    rule: 'over_pressure',
    episode: 3,
    action: 'shutdown',
    target: 'pump',
    params: { ramp_s: 1.5, soft: true },
    state: 'CANCELLED',
    reasons: ['BY:ada', 'NOT_PERSISTED 2/3'],
    endUs: T0,
    nowUs: T0 + 30_000,
    deadlineUs: T0 + 2_000_000,
    attempt: 1,
    from: 'GATE_PASSED',
    note: 'not now',
    conditions: [{ id: 'p_a_high', value: 'TRUE' }],
  },
  { kind: 'arm', state: 'ARMED', reason: 'ordered', untilUs: T0 + 60_000_000, by: ['ada', 'bob'] },
  { kind: 'alarm', id: 'arm_dropped', severity: 'CRITICAL', active: true, text: 'no longer armed' },
  { kind: 'refused', input: 'arm', subject: 'loop', reasons: ['TWO_PERSON 1/2'] },
  { kind: 'rule', rule: 'over_pressure', is: 'perm_off', by: ['ada'], reason: 'worn out' },
  { kind: 'inhibit', subject: 'action:abort', active: true, untilUs: T0, by: ['ada', 'bob'], reason: 'r', count: 2 },
]

function made(): DecisionItem[] {
  const config = new Uint8Array(32).fill(1)
  return CHANGES.map((change, k) => {
    const values = safetyValues({ seq: 30 + k, rig: 'loop', nowUs: T0 + k, mode: 'nominal', config }, change)
    // The evaluator that made the first ones; the layout is what is pinned.
    const core = { ...(values[0] as Record<string, never>), code: 3 }
    return { kind: 'record', seq: 30 + k, values: [core, ...values.slice(1)] as never, chain: config }
  })
}

const found = { records: toHex(buildRecords(made(), new Uint8Array(32).fill(5)).records) }
const isNew = !existsSync(FILE)
if (isNew) writeFileSync(FILE, `${JSON.stringify(found, null, 2)}\n`)

t.test('what is said of actions has the bytes it was given once and for all', async (t) => {
  t.notOk(isNew, 'the vectors were missing and are made anew: look at them before they are committed')
  t.same(found, JSON.parse(readFileSync(FILE, 'utf8')))
})

t.test('what a peer repeats without being followed is no evidence; what people order is', async (t) => {
  const refused = (input: Extract<SafetyChange, { kind: 'refused' }>['input']): boolean =>
    isEvidence({ kind: 'refused', input, subject: 's', reasons: ['r'] })
  for (const input of ['ack', 'release', 'sent', 'timeout', 'unknown', 'answer'] as const)
    t.notOk(refused(input), input)
  for (const input of ['cancel', 'approve', 'rearm', 'arm', 'disarm', 'perm_off', 'inhibit', 'manual'] as const)
    t.ok(refused(input), input)
  for (const input of ['dry_run', 'action_ack'] as const) t.ok(refused(input), input)
  for (const change of CHANGES) t.ok(isEvidence(change), change.kind)
})
