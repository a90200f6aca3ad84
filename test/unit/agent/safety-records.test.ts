import t from 'tap'
import { createPassDetail } from '../../../agent/pipeline/pass-detail.ts'
import { canonicalBytes } from '../../../shared/codec/canonical.ts'
import { DOMAIN, digestOf, toHex } from '../../../shared/crypto/digest.ts'
import type { Canonical, DecisionItem } from '../../../shared/model/decision.ts'
import { buildRecords } from '../../../shared/protocol/batch-records.ts'
import { actingInputs } from '../../support/acting-inputs.ts'
import { type Collected, collected, feed } from '../../support/evaluator-rig.ts'

type Fields = Readonly<Record<string, Canonical>>
const coreOf = ({ values }: DecisionItem): Fields => values[0] as Fields
const isSafety = (item: DecisionItem): boolean => coreOf(item)['v'] === 5

function acted(): Collected & { numbers: (number | null)[] } {
  const out = { ...collected(), numbers: [] as (number | null)[] }
  for (const input of actingInputs())
    for (const effect of feed(out, input))
      if (effect.kind === 'safety' && effect.change.kind !== 'alarm_state') out.numbers.push(effect.seq)
  return out
}

t.test('what is said of actions stands in the one sequence of decisions, without a gap', async (t) => {
  const { items, state, numbers, decisions } = acted()
  let next = 1
  for (const item of items) {
    t.equal(item.kind === 'record' ? item.seq : item.first, next)
    next = (item.kind === 'record' ? item.seq : item.last) + 1
  }
  t.equal(state.decisionSeq, next - 1)
  const records = items.filter(isSafety)
  t.same(
    records.map((item) => coreOf(item)['seq']),
    numbers,
    'each has the number that the shell is told',
  )
  t.equal(decisions.length + records.length, state.decisionSeq, 'nothing shares a number')
  t.ok(records.every((item) => item.kind === 'record'))
})

t.test('each is a link of the chain, as a decision is', async (t) => {
  const { items } = acted()
  let linked = 0
  items.forEach((item, k) => {
    // Between a record and a range behind it are links that are not handed out one by one.
    const before = items[k - 1]
    if (!isSafety(item) || before === undefined) return
    t.same(item.chain, digestOf(DOMAIN.chain, before.chain, canonicalBytes(item.values as unknown as Canonical)))
    linked += 1
  })
  t.ok(linked > 10)
})

// verifies SE-07
t.test('a denial is a record with its machine-readable grounds', async (t) => {
  const denied = acted().items.find((item) => coreOf(item)['state'] === 'GATE_DENIED')
  t.match(denied, { kind: 'record' })
  t.match(coreOf(denied!), { kind: 'action', action: 'shutdown', target: 'pump', rule: 'over_pressure', episode: 2 })
  t.same(coreOf(denied!)['reasons'], ['INHIBITED:rule:over_pressure'])
})

t.test('every kind of change is there, in the words of its state', async (t) => {
  const said = acted()
    .items.filter(isSafety)
    .map((item) => coreOf(item))
    .map(({ kind, state, is, id, subject }) => `${kind} ${state ?? is ?? id ?? subject}`)
  for (const what of [
    'refused rig-a',
    'arm ARMED',
    'action PROPOSED',
    'action RELEASED',
    'action SENT',
    'action VERIFIED',
    'rule rearmed',
    'inhibit rule:over_pressure',
    'alarm denied:over_pressure',
    'arm PASSIVE',
  ])
    t.ok(said.includes(what), what)
})

t.test('names of people and what they wrote are in no core', async (t) => {
  const records = acted().items.filter(isSafety)
  for (const { values } of records)
    t.notMatch(Buffer.from(canonicalBytes(values[0])).toString('latin1'), /ada|bob|zoe|shift ends|valve is/)
  const armed = records.find((item) => coreOf(item)['state'] === 'ARMED')!
  t.same(armed.values.slice(1), [null, null, null, ['ada', 'bob'], 'ordered'])
  const proposed = records.find((item) => coreOf(item)['state'] === 'PROPOSED')!
  t.same(proposed.values[3], { ramp_s: 2 })
})

t.test('the same inputs give the same bytes', async (t) => {
  const bytes = (): string[] => acted().items.map(({ values }) => toHex(canonicalBytes(values as unknown as Canonical)))
  t.same(bytes(), bytes())
})

t.test('a batch in which something was said of actions keeps its detail', async (t) => {
  const seed = new Uint8Array(32).fill(5)
  const repeats = createPassDetail()
  const { items } = acted()
  const kept = items.map((item) => ({ safety: isSafety(item), repeats: repeats(buildRecords([item], seed).records) }))
  t.notOk(kept.some(({ safety, repeats: repeated }) => safety && repeated))
  t.ok(
    kept.some(({ repeats: repeated }) => repeated),
    'and others do not',
  )
})
