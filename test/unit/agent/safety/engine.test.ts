import t from 'tap'
import { BUDGET_SPENDS_MAX } from '../../../../agent/core/safety/budget.ts'
import { PERSISTENCE_SLIDES_MAX } from '../../../../agent/core/safety/condition.ts'
import {
  createSafety,
  DENIALS_NOTED_MAX,
  DONE_MAX,
  INHIBITS_MAX,
  LATE_NOTED_MAX,
  MANUAL_OPEN_MAX,
  PROGRESS_NOTED_MAX,
  PROPOSALS_MAX,
} from '../../../../agent/core/safety/state.ts'
import {
  actionsIn,
  alarmsIn,
  armedRig,
  budget,
  FTTI_US,
  over,
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

t.test('the state of a rig that has seen nothing', async (t) => {
  const conditions = [over('p_a')]
  const interlock = { id: 'relief', assume: over('p_b'), guarantee: over('p_c'), blocks: [] }
  const fresh = (id: string) => ({ id, history: '', heldFromUs: null, knownUs: -1 })
  t.same(createSafety(policy({ rules: [rule({ conditions })], interlocks: [interlock], budgets: [budget()] })), {
    rig: 'loop',
    endUs: null,
    arm: { state: 'PASSIVE', untilUs: 0, config: '', by: [] },
    rules: [
      {
        id: 'over_pressure',
        members: [fresh('p_a_high')],
        episode: 0,
        startUs: 0,
        inEpisode: false,
        clearFromUs: null,
        shot: 'ready',
        acted: false,
        needsPerson: false,
        proposals: 0,
        said: [],
        escalated: false,
        early: null,
        permOff: false,
        permAskedUs: null,
      },
    ],
    interlocks: [{ id: 'relief', assume: fresh('p_b_high'), guarantee: fresh('p_c_high') }],
    budgets: [{ spentUs: [], latchedUs: null }],
    ...{
      open: [],
      done: [],
      inhibits: [],
      inhibited: 0,
      glass: null,
      glassAsked: null,
      glasses: 0,
      manuals: 0,
      alarms: [],
      latesDropped: 0,
    },
  })
})

t.test('what is bounded is bounded as docs/internals/limits.md says', async (t) => {
  t.same(
    [MANUAL_OPEN_MAX, DONE_MAX, LATE_NOTED_MAX, PROGRESS_NOTED_MAX, DENIALS_NOTED_MAX, PROPOSALS_MAX, INHIBITS_MAX],
    [8, 256, 4, 16, 8, 1000, 32],
  )
  t.same([PERSISTENCE_SLIDES_MAX, BUDGET_SPENDS_MAX], [1024, 1000])
})

t.test('a rule for show never acts', async (t) => {
  const rig = armedRig(policy({ rules: [rule({ dryRun: true })] }))
  rig.slides(3, HIGH)
  t.same(statesIn(rig.said), ['PROPOSED', 'WOULD_HAVE_DONE'])
  t.same(actionsIn(rig.said)[1]!.reasons, ['DRY_RUN'])
})
