import t from 'tap'
import type { PolicyOrder } from '../../../../shared/model/action-input.ts'
import {
  actionsIn,
  alarmsIn,
  DONE,
  hazard,
  policy,
  refusalsIn,
  rigIn,
  rule,
  statesIn,
} from '../../../support/safety-rig.ts'

type Found = Extract<PolicyOrder, { kind: 'action_ack' }>
const found = (key: string, change: Partial<Found> = {}): Found => ({
  ...{ kind: 'action_ack', key, outcome: 'completed', by: ['ada', 'bob'], reason: 'looked at the pump' },
  ...change,
})
/** A shutdown that no channel shows. */
const UNSEEN = policy({ hazards: [hazard('shutdown', 'pump', { verify: null })] })

// verifies SE-15, SE-16
t.test('two people say what came of an action that was handed over, and of no other', async (t) => {
  const table: [string, Found['outcome'], string[], string[]][] = [
    ['GATE_PASSED', 'completed', [], ['NOT_SENT:GATE_PASSED']],
    ['RELEASED', 'failed', [], ['NOT_SENT:RELEASED']],
    ['SENT', 'completed', ['COMPLETED'], []],
    ['ACCEPTED', 'failed', ['FAILED'], []],
    ['STARTED', 'completed', ['COMPLETED'], []],
    ['COMPLETED', 'completed', [], ['BACKWARD:completed in COMPLETED']],
    ['UNKNOWN_OUTCOME', 'completed', ['COMPLETED'], []],
    ['UNKNOWN_OUTCOME', 'failed', ['FAILED'], []],
  ]
  for (const [state, outcome, states, reasons] of table) {
    const rig = rigIn(state)
    const said = rig.input(found(rig.key(), { outcome }))
    t.same([statesIn(said), refusalsIn(said)], [states, reasons], `${outcome} in ${state}`)
    if (states.length > 0) t.match(actionsIn(said)[0], { note: 'looked at the pump', reasons: ['BY:ada,bob'] })
  }
})

// verifies SE-15
t.test('one person, or an action that nobody knows or that has ended, moves nothing', async (t) => {
  const rig = rigIn('UNKNOWN_OUTCOME')
  const key = rig.key()
  for (const by of [['ada'], ['ada', 'ada'], [''], []])
    t.same(refusalsIn(rig.input(found(key, { by }))), ['TWO_PERSON 1/2'])
  t.match(rig.input(found('x')), [{ kind: 'refused', input: 'action_ack', subject: 'x', reasons: ['UNKNOWN_KEY'] }])
  t.equal(rig.state.open[0]?.state, 'UNKNOWN_OUTCOME')
  rig.input(found(key, { outcome: 'failed' }))
  t.same(refusalsIn(rig.input(found(key))), ['ENDED:FAILED'])
})

// verifies SE-17
t.test('where a channel shows the effect it still decides; where none does, it is what people say', async (t) => {
  const seen = rigIn('UNKNOWN_OUTCOME')
  t.same(alarmsIn(seen.input(found(seen.key()))), ['-unknown_outcome:over_pressure'])
  t.same(seen.state.open[0]?.state, 'COMPLETED', 'not yet VERIFIED')
  t.same(statesIn(seen.slides(6, DONE)), ['VERIFIED'])
  const unseen = rigIn('UNKNOWN_OUTCOME', UNSEEN)
  const said = actionsIn(unseen.input(found(unseen.key())))
  t.match(said, [
    { state: 'COMPLETED', reasons: ['BY:ada,bob'] },
    { state: 'VERIFIED', reasons: ['BY:ada,bob'], note: 'no channel shows it; people say so' },
  ])
  const peer = rigIn('STARTED', UNSEEN)
  t.match(actionsIn(peer.ack('completed'))[1], { state: 'VERIFIED', note: 'no channel shows it; its peer says so' })
})

// verifies SE-17
t.test('a failure that people found leads to what the policy declares', async (t) => {
  const withNext = policy({
    rules: [rule({ escalation: { action: 'isolate', target: 'inlet' } })],
  })
  const rig = rigIn('UNKNOWN_OUTCOME', withNext)
  const said = rig.input(found(rig.key(), { outcome: 'failed' }))
  t.same(statesIn(said), ['FAILED', 'PROPOSED', 'GATE_PASSED'])
  t.equal(actionsIn(said)[1]?.action, 'isolate')
  t.ok(alarmsIn(said).includes('+action_failed:over_pressure CRITICAL'))
})
