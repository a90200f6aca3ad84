import t from 'tap'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  FTTI_US,
  policy,
  rule,
  SafetyRig,
  SLIDE_US,
  statesIn,
  T0,
} from '../../../support/safety-rig.ts'

const HIGH = { p_a: 9, p_b: 9, p_c: 5 }

// verifies SE-02, SE-09, SE-17
t.test('two of three pressures that are high shut the pump down, and it is seen that it stopped', async (t) => {
  const rig = armedRig()
  rig.said.length = 0
  rig.slides(1, HIGH)
  t.same(statesIn(rig.said), [], 'one slide of two is no demand')
  rig.slides(1)
  t.same(statesIn(rig.said), ['PROPOSED', 'GATE_PASSED'])
  const key = rig.key()
  rig.input({ kind: 'release', key })
  rig.input({ kind: 'sent', key })
  rig.ack('accepted')
  rig.ack('started')
  rig.slides(3, { ...HIGH, flow: 0 })
  rig.ack('completed')
  rig.slides(4)
  t.same(statesIn(rig.said), [
    ...['PROPOSED', 'GATE_PASSED', 'RELEASED', 'SENT', 'ACCEPTED', 'STARTED', 'COMPLETED', 'VERIFIED'],
  ])
  const changes = actionsIn(rig.said)
  t.ok(changes.every((one) => one.key === key && one.rig === 'loop' && one.rule === 'over_pressure'))
  t.ok(changes.every((one) => one.episode === 1 && one.attempt === 1 && one.endUs === T0 + 7 * SLIDE_US))
  t.equal(changes[0]!.from, null)
  t.equal(changes[0]!.deadlineUs, changes[0]!.nowUs + FTTI_US)
  t.same(changes[0]!.conditions, [
    { id: 'p_a_high', value: 'TRUE' },
    { id: 'p_b_high', value: 'TRUE' },
    { id: 'p_c_high', value: 'FALSE' },
  ])
  t.same(alarmsIn(rig.said), [])
  t.same(rig.state.open, [])
})

// verifies SE-18, G11
t.test('what nobody armed says what it would have done, and keeps its shot', async (t) => {
  const rig = new SafetyRig()
  rig.slides(5)
  rig.slides(10, HIGH)
  t.same(statesIn(rig.said), ['PROPOSED', 'WOULD_HAVE_DONE'], 'once an episode')
  t.same(actionsIn(rig.said)[1]!.reasons, ['NOT_ARMED:PASSIVE'])
  rig.arm()
  rig.said.length = 0
  rig.slides(1)
  t.same(statesIn(rig.said), ['PROPOSED', 'GATE_PASSED'])
})

// verifies SE-07
t.test(
  'two pressures through one card deny, name the card, and are an alarm because omission is critical',
  async (t) => {
    const rig = armedRig()
    const on = (metric: string) => ({
      value: 9,
      trail: { metric, leaves: [`T-${metric}`], groups: ['daq:9'], declared: true },
    })
    rig.said.length = 0
    rig.slides(3, { p_a: on('p_a'), p_b: on('p_b') })
    t.same(statesIn(rig.said), ['PROPOSED', 'GATE_DENIED'])
    t.same(actionsIn(rig.said)[1]!.reasons, ['NOT_INDEPENDENT:daq:9'])
    t.same(alarmsIn(rig.said), ['+denied:over_pressure CRITICAL'])
    rig.said.length = 0
    rig.slides(1, { p_a: 9, p_b: 9 })
    t.same(statesIn(rig.said), ['PROPOSED', 'GATE_PASSED'], 'a denial spends nothing')
  },
)

t.test('a rule for show never acts', async (t) => {
  const rig = armedRig(policy({ rules: [rule({ dryRun: true })] }))
  rig.slides(3, HIGH)
  t.same(statesIn(rig.said), ['PROPOSED', 'WOULD_HAVE_DONE'])
  t.same(actionsIn(rig.said)[1]!.reasons, ['DRY_RUN'])
})
