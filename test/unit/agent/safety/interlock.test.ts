import t from 'tap'
import { interlockVerdict } from '../../../../agent/core/safety/gate.ts'
import { CONDITION_VALUES } from '../../../../shared/model/action.ts'
import type { Interlock } from '../../../../shared/model/actions-policy.ts'
import { actionsIn, armedRig, over, policy, type Reading } from '../../../support/safety-rig.ts'

const interlock = (change: Partial<Interlock> = {}): Interlock => ({
  id: 'relief',
  assume: over('p_c', { id: 'assume', persistence: { k: 1, n: 1 } }),
  guarantee: over('flow', { id: 'guarantee', persistence: { k: 1, n: 1 } }),
  blocks: [{ action: 'shutdown', target: 'pump' }],
  ...change,
})

// verifies SE-10
t.test('an interlock permits what it knows to be safe and nothing else', async (t) => {
  const say = { TRUE: 'T', FALSE: 'F', STALE: '?', INVALID: '?', INSUFFICIENT: '?' } as const
  const expected: Record<string, string> = {
    'F T': 'inactive',
    'F F': 'inactive',
    'F ?': 'inactive',
    'T T': 'verified',
    '? T': 'verified',
    'T F': 'violated',
    'T ?': 'unknown',
    '? F': 'unknown',
    '? ?': 'unknown',
  }
  for (const assume of CONDITION_VALUES)
    for (const guarantee of CONDITION_VALUES)
      t.equal(
        interlockVerdict(assume, guarantee),
        expected[`${say[assume]} ${say[guarantee]}`],
        `${assume} => ${guarantee}`,
      )
})

// verifies SE-10
t.test('an interlock blocks the actions it names, and names the channel that is in the way', async (t) => {
  const of = (flow: Reading | null, p_c: Reading | null, change: Partial<Interlock> = {}) => {
    const rig = armedRig(policy({ interlocks: [interlock(change)] }))
    rig.slides(3, { p_a: 9, p_b: 9, p_c, flow })
    return actionsIn(rig.said).at(-1)!
  }
  const low = { value: 5 }
  const high = { value: 9 }
  t.equal(of(low, low).state, 'GATE_PASSED', 'inactive')
  t.equal(of(high, high).state, 'GATE_PASSED', 'verified')
  t.same(of(low, high).reasons, ['INTERLOCK:relief flow FALSE'])
  t.same(of(null, high).reasons, ['INTERLOCK:relief flow STALE'])
  t.same(of({ value: Number.NaN }, high).reasons, ['INTERLOCK:relief flow INVALID'])
  t.same(of(low, null).reasons, ['INTERLOCK:relief p_c STALE'], 'what is unknown is named, not what is known')
  t.same(of(null, null).reasons, ['INTERLOCK:relief flow STALE'])
  t.equal(of(low, high, { blocks: [{ action: 'shutdown', target: 'fan' }] }).state, 'GATE_PASSED')
  t.equal(of(low, high, { blocks: [{ action: 'abort', target: 'pump' }] }).state, 'GATE_PASSED')
  t.equal(of(low, high, { blocks: [] }).state, 'GATE_PASSED')
  const lasting = { assume: over('p_c', { id: 'assume', persistence: { k: 2, n: 2 } }) }
  t.same(of(low, high, lasting).reasons, ['INTERLOCK:relief flow FALSE'], 'it was so for as long as it asks')
  const brief = armedRig(policy({ interlocks: [interlock(lasting)] }))
  brief.slides(1, { p_a: 9, p_b: 9, p_c: 5 })
  brief.slides(1, { p_a: 9, p_b: 9, p_c: 9 })
  t.equal(actionsIn(brief.said).at(-1)!.state, 'GATE_PASSED', 'and not before')
  const held = { guarantee: over('flow', { id: 'guarantee', persistence: { k: 2, n: 2 } }) }
  t.equal(of(high, high, held).state, 'GATE_PASSED')
  const verdict = over('flow', {
    look: { kind: 'verdict', metric: 'flow', verdicts: ['PASS'] },
    persistence: { k: 1, n: 1 },
  })
  t.same(of({ verdict: 'FAIL' }, high, { guarantee: verdict }).reasons, ['INTERLOCK:relief flow FALSE'])
  const event = over('flow', { look: { kind: 'event' }, persistence: { k: 1, n: 1 } })
  t.same(of(low, high, { guarantee: event }).reasons, ['INTERLOCK:relief event FALSE'])
})
