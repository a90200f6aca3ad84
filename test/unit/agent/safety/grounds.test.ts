import t from 'tap'
import type { SafetyChange } from '../../../../agent/core/safety/changes.ts'
import type { Action, Severity } from '../../../../shared/model/action.ts'
import { PROVENANCES } from '../../../../shared/model/telemetry.ts'
import {
  actionsIn,
  armedRig,
  FRESH_US,
  hazard,
  metricSeen,
  over,
  policy,
  type Reading,
  type Readings,
  rule,
  type SafetyRig,
  statesIn,
  WINDOW_US,
} from '../../../support/safety-rig.ts'

const onCard = (metric: string, card: string, value = 9): Reading => ({
  value,
  trail: { metric, leaves: [`T-${metric}`], groups: [`daq:${card}`], declared: true },
})

// verifies SE-12
t.test('a declared testbed acts on what it simulates, and any rig tells people of anything', async (t) => {
  for (const provenance of ['simulated', 'injected'] as const) {
    const rig = armedRig(policy({ testbed: true }))
    rig.slides(3, { p_a: { value: 9, provenance }, p_b: { value: 9, provenance } })
    t.same(statesIn(rig.said), ['PROPOSED', 'GATE_PASSED'], provenance)
  }
  for (const provenance of PROVENANCES) {
    const rig = armedRig(policy({ rules: [rule({ action: 'notify' })] }))
    rig.slides(3, { p_a: { value: 9, provenance }, p_b: { value: 9, provenance } })
    t.same(statesIn(rig.said), ['PROPOSED', 'GATE_PASSED'], `notify of ${provenance}`)
  }
})

// verifies SE-12
t.test('what is said of the whole rig moves nothing hard', async (t) => {
  for (const look of [{ kind: 'event' }, { kind: 'overall', verdicts: ['FAIL'] }] as const) {
    const conditions = [over('x', { id: 'whole', look, persistence: { k: 1, n: 1 } })]
    const of = (action: Action) => policy({ rules: [rule({ action, vote: '1ooN', conditions })] })
    const hard = armedRig(of('abort'))
    hard.slides(20, {}, { event: 'alarm', verdict: 'FAIL' })
    t.same(actionsIn(hard.said)[1]?.reasons, ['UNATTRIBUTED:whole'])
    const gentle = armedRig(of('degrade'))
    gentle.slides(1, {}, { event: 'alarm', verdict: 'FAIL' })
    t.same(statesIn(gentle.said), ['PROPOSED', 'GATE_PASSED'])
  }
})

// verifies SE-06
t.test('any independent pair is enough, whichever of three it is', async (t) => {
  const metrics = ['p_a', 'p_b', 'p_c']
  for (const alone of metrics) {
    const readings = Object.fromEntries(metrics.map((one) => [one, onCard(one, one === alone ? '1' : '2')]))
    const rig = armedRig()
    rig.slides(3, readings)
    t.same(statesIn(rig.said), ['PROPOSED', 'GATE_PASSED'], `${alone} apart from the others`)
    t.equal(rig.state.open[0]!.proofs.length, 2)
    t.ok(rig.state.open[0]!.proofs.includes(`${alone}_high`))
  }
  const rig = armedRig()
  rig.slides(3, Object.fromEntries(metrics.map((one) => [one, onCard(one, '2')])))
  t.same(actionsIn(rig.said)[1]?.reasons, ['NOT_INDEPENDENT:daq:2'], 'said once')
})

// verifies SE-04
t.test(
  'one member of a one-of-N vote acts under two people and for as long as its window is wide, never for one sample',
  async (t) => {
    const conditions = [over('p_a', { persistence: { k: 1, n: 1 } }), over('p_b', { persistence: { k: 1, n: 1 } })]
    const must = policy({ rules: [rule({ vote: '1ooN', conditions })] })
    const spike = armedRig(must)
    // A sample is in the window for 250 ms: five slides of 50 ms.
    spike.slides(5, { p_a: 9 })
    spike.slides(20, {})
    t.same(statesIn(spike.said), ['PROPOSED', 'GATE_DENIED'])
    t.same(actionsIn(spike.said)[1]?.reasons, ['SINGLE_SAMPLE:p_a_high 0ms<250'])
    const lasting = armedRig(must)
    lasting.slides(6, { p_a: 9 })
    t.same(statesIn(lasting.said), ['PROPOSED', 'GATE_DENIED', 'PROPOSED', 'GATE_PASSED'])
    const said = lasting.input({ kind: 'release', key: lasting.key() })
    t.match(actionsIn(said)[0], { state: 'RELEASED', note: 'proof_and_persons' })
    const both = armedRig(must)
    both.slides(1, { p_a: 9, p_b: 9 })
    t.match(actionsIn(both.input({ kind: 'release', key: both.key() }))[0], { note: 'two_proofs' })
    const apart = armedRig(must)
    apart.slides(6, { p_a: 9, p_b: { value: 9, ageUs: 300_000 } })
    const alone = apart.input({ kind: 'release', key: apart.key() })
    t.match(actionsIn(alone)[0], { note: 'proof_and_persons' }, 'two that do not coincide are one and one')
    const late = armedRig(must)
    late.slides(6, { p_a: { value: 9, provenance: 'late' } })
    t.same(actionsIn(late.said)[1]?.reasons, ['PROVENANCE:late p_a'])
    const gentle = armedRig(policy({ rules: [rule({ vote: '1ooN', action: 'degrade', conditions })] }))
    gentle.slides(1, { p_a: 9 })
    t.same(statesIn(gentle.said), ['PROPOSED', 'GATE_PASSED'])
  },
)

// verifies SE-04
t.test('a verdict that stands alone holds for as long as the widest window of its metric', async (t) => {
  const look = { kind: 'verdict', metric: 'p_a', verdicts: ['FAIL'] } as const
  const conditions = [over('p_a', { look, persistence: { k: 1, n: 1 } })]
  const rig = armedRig(policy({ rules: [rule({ vote: '1ooN', conditions })] }))
  const narrow = metricSeen('p_a').windows[0]!
  const windows = [{ ...narrow, windowUs: 400_000 }, narrow]
  rig.slides(8, { p_a: { verdict: 'FAIL', windows } })
  t.same(statesIn(rig.said), ['PROPOSED', 'GATE_DENIED'])
  t.same(statesIn(rig.slides(1)), ['PROPOSED', 'GATE_PASSED'])
  const none = armedRig(policy({ rules: [rule({ vote: '1ooN', conditions })] }))
  none.slides(20, { p_a: { verdict: 'FAIL', windows: [] } })
  t.same(actionsIn(none.said)[1]?.reasons, ['SINGLE_SAMPLE:p_a_high 0ms<0'], 'without a window nothing is known of it')
  t.equal(WINDOW_US, 250_000)
})

// verifies SE-03
t.test('what must work and is blind goes to its safe state where that is declared, under two people', async (t) => {
  const conditions = [over('p_a'), over('p_b')]
  const of = (onUnknown: 'safe_state' | 'alarm') =>
    policy({
      rules: [rule({ vote: '1ooN', conditions })],
      hazards: [hazard('shutdown', 'pump', { inadvertent: 'marginal', onUnknown })],
    })
  const blind: Readings = { p_a: { value: 5, ageUs: FRESH_US + 1 }, p_b: null }
  const lost = (said: readonly SafetyChange[]): string[] =>
    said.flatMap((one) => (one.kind === 'alarm' && one.active ? [`${one.id} ${one.severity}`] : []))
  const safe = armedRig(of('safe_state'))
  safe.said.length = 0
  safe.slides(3, blind)
  t.same(lost(safe.said), ['protection_lost:over_pressure CRITICAL'])
  t.same(statesIn(safe.said), [], 'not for data that are late once')
  safe.slides(8)
  t.same(statesIn(safe.said), ['PROPOSED', 'GATE_PASSED'])
  const released = safe.input({ kind: 'release', key: safe.key() })
  t.match(actionsIn(released)[0], { state: 'RELEASED', note: 'proof_and_persons' })
  const loud = armedRig(of('alarm'))
  loud.said.length = 0
  loud.slides(40, blind)
  t.same(statesIn(loud.said), [])
  t.same(lost(loud.said), ['protection_lost:over_pressure CRITICAL'])
  const warming = armedRig(of('safe_state'))
  warming.slides(40, { p_a: { filled: false }, p_b: null })
  t.same(statesIn(warming.said), [], 'one that warms up is not lost')
  const half = armedRig(of('safe_state'))
  half.slides(40, { p_a: 5, p_b: null })
  t.same(statesIn(half.said), [], 'one that still sees is enough')
  const three = { ...of('safe_state'), rules: [rule({ vote: '1ooN', conditions: [over('p_c'), ...conditions] })] }
  const last = armedRig(three)
  last.slides(40, { ...blind, p_c: 5 })
  t.same(statesIn(last.said), ['PROPOSED', 'GATE_PASSED'], 'two that are lost, though the third is low')
  t.same(last.state.open[0]?.proofs, ['p_a_high'], 'and it is proved by one that is lost')
  const edge = armedRig(of('safe_state'))
  edge.slides(1, { p_a: { value: 5, ageUs: 0 }, p_b: { value: 5, ageUs: 0 } })
  edge.slides(FRESH_US / 50_000, { p_a: null, p_b: null })
  t.same(statesIn(edge.said), [], 'as old as may be is not lost')
  edge.slides(1)
  t.same(statesIn(edge.said), ['PROPOSED', 'GATE_PASSED'])
  const stepped = armedRig(of('safe_state'))
  stepped.slides(40, { p_a: 5, p_b: 5 }, { clockStepped: true })
  t.same(actionsIn(stepped.said)[1]?.reasons, ['CLOCK_STEP'], 'a clock that was stepped stops nothing')
  const weighed = (inadvertent: Severity, omission: Severity): SafetyRig => {
    const declared = hazard('shutdown', 'pump', { onUnknown: 'safe_state', inadvertent, omission })
    const rig = armedRig(policy({ rules: [rule({ vote: '1ooN', conditions })], hazards: [declared] }))
    rig.slides(40, blind)
    return rig
  }
  t.same(statesIn(weighed('critical', 'critical').said), ['PROPOSED', 'GATE_PASSED'], 'both as bad: as declared')
  t.same(statesIn(weighed('critical', 'marginal').said), [], 'what must not work is not done blindly')
  t.same(statesIn(weighed('none', 'none').said), [])
})
