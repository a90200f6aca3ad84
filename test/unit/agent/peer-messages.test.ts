import t from 'tap'
import {
  actionRequest,
  decisionSnapshot,
  driftEvent,
  healthEvent,
  type Sender,
} from '../../../agent/pipeline/peer-messages.ts'
import { DRIFT_SPACING_US, PeerOutlet } from '../../../agent/pipeline/peer-outlet.ts'
import type { PeerEvent } from '../../../agent/pipeline/peer-queue.ts'
import { ACTIONS } from '../../../shared/model/action.ts'
import { OVERALL_VERDICTS } from '../../../shared/model/verdict.ts'
import { PEER_METRICS_MAX } from '../../../shared/protocol/peer-contract.ts'
import { readOutbound } from '../../../shared/protocol/peer-reader.ts'
import { actionRequest as requestOf } from '../../support/actuator-process.ts'
import { decisionOf, findingOf } from '../../support/peer-decisions.ts'

const sender: Sender = { systemId: 'bench-1', messageId: 'boot-1', nowUs: 1_767_225_600_000_042 }
const isOfContract = (message: unknown): boolean | string => {
  const read = readOutbound(new TextEncoder().encode(JSON.stringify(message)))
  return read.ok || read.detail
}

t.test('every verdict becomes messages of the contract, whatever a decision leaves unsaid', async (t) => {
  const bare = { values: [null, null, null, null, null, null] } as const
  const run = { run: 'r-1', article: '', procedure: '', operator: '', startedUs: 0, note: '' }
  for (const verdict of OVERALL_VERDICTS)
    for (const change of [{}, bare, { run }])
      for (const isArmed of [false, true]) {
        const decision = decisionOf(verdict, ['pressure'], change)
        t.equal(isOfContract(healthEvent(decision, sender, true)), true, `health ${verdict}`)
        t.equal(isOfContract(decisionSnapshot(decision, sender, isArmed)), true, `snapshot ${verdict}`)
        const drift = driftEvent(decision, sender, isArmed)
        if (verdict === 'NO_TEST' || verdict === 'NO_BASELINE') t.equal(drift, null)
        else t.equal(isOfContract(drift), true, `drift ${verdict}`)
      }
})

t.test('an event says what the decision says', async (t) => {
  const decision = decisionOf('FAIL', ['pressure', 'flow'])
  t.match(healthEvent(decision, sender, false), {
    ...{ type: 'HEALTH_EVENT', timestamp: '2026-01-01T00:00:00.000042Z', system_id: 'bench-1', message_id: 'boot-1' },
    ...{
      severity: 'high',
      decision_id: '7',
      status: 'FAIL',
      payload: { rig: 'loop', mode: 'nominal', changed: false },
    },
    primary_issue: 'pressure RMS was 8.4 bar over 1 s, above its limit of 8 bar',
  })
  t.match(driftEvent(decision, sender, true), {
    ...{ status: 'FAIL', drift_metrics: ['pressure', 'flow'], confidence: 0.99, baseline_confidence: 0.75 },
    ...{ action_allowed: true, recommended_action: 'notify', payload: { more: 0 } },
  })
  t.match(decisionSnapshot(decision, sender, false), {
    config_ref: { code: 3, config: '01'.repeat(32), baseline: '02'.repeat(32) },
    ...{ input_slice_ref: { slice: '03'.repeat(32) }, action_allowed: false },
  })
  t.match(
    decisionSnapshot(
      { ...decision, values: [{ event: ['alarm', 1, Number.NaN] }, null, null, null, null, null] },
      sender,
      false,
    ),
    {
      ...{ confidence: null, baseline_confidence: null, config_ref: { code: null, config: null, baseline: null } },
    },
  )
})

t.test('metrics are named once, worst first, so many as fit; what is unknown is no drift', async (t) => {
  const many = Array.from({ length: PEER_METRICS_MAX + 3 }, (_, k) => `m${k}`)
  const event = driftEvent(decisionOf('FAIL', [...many, 'm0']), sender, false)!
  t.same(event.drift_metrics, many.slice(0, PEER_METRICS_MAX))
  t.equal(event.payload.more, 3)
  t.equal(isOfContract(event), true)
  const stale = { findings: [findingOf('a', 'STALE'), findingOf('b', 'DRIFT')] }
  t.same(driftEvent(decisionOf('PASS_WITH_DRIFT', [], stale), sender, false)!.drift_metrics, ['b'])
})

// verifies SE-14
t.test('a request for every action keeps its key, its parameters and what is left of its time', async (t) => {
  for (const action of ACTIONS) {
    const request = { ...requestOf(), action, params: { level: 2, hard: true }, attempt: 3, budgetMs: 12.5 }
    const message = actionRequest(request, sender)
    t.equal(isOfContract(message), true, action)
    t.match(message, {
      ...{ action_type: action, action_id: request.key, target: request.target, params: { level: 2, hard: true } },
      ...{ payload: { rig: request.rig, attempt: 3, budget_ms: 12.5 }, action_allowed: true },
      severity:
        { notify: 'medium', isolate: 'critical', abort: 'critical', shutdown: 'critical' }[action as 'abort'] ?? 'high',
    })
  }
})

function outlet(healthEveryUs = 5_000_000) {
  const told: PeerEvent[] = []
  let nowUs = 1_000_000_000
  const made = new PeerOutlet({
    ...{ healthEveryUs, monotonicUs: () => nowUs, sender: () => sender },
    offer: (event) => told.push(event),
  })
  return {
    decide(...args: Parameters<typeof decisionOf>): string[] {
      told.length = 0
      made.decided(decisionOf(...args), false)
      nowUs += 50_000
      return told.map((event) => `${event.type} ${event.type === 'DECISION_SNAPSHOT' ? event.decision : event.status}`)
    },
    pass(us: number) {
      nowUs += us
    },
  }
}

t.test('a peer is told of changes, and how a rig is again while it is decided about', async (t) => {
  const { decide, pass } = outlet()
  t.same(decide('PASS'), ['HEALTH_EVENT PASS', 'DECISION_SNAPSHOT PASS'])
  for (let k = 0; k < 20; k += 1) t.same(decide('PASS'), [], 'quiet when well')
  t.same(decide('FAIL', ['p']), ['HEALTH_EVENT FAIL', 'DRIFT_EVENT FAIL', 'DECISION_SNAPSHOT FAIL'])
  t.same(decide('FAIL', ['p']), [])
  t.same(decide('FAIL', ['p'], { rig: 'other' }).length, 3, 'each rig by itself')
  pass(5_000_000)
  t.same(decide('FAIL', ['p']), ['HEALTH_EVENT FAIL'])
  t.same(decide('NO_TEST'), ['HEALTH_EVENT NO_TEST', 'DECISION_SNAPSHOT NO_TEST'])
  t.same(decide('FAIL', ['p']), ['HEALTH_EVENT FAIL', 'DRIFT_EVENT FAIL', 'DECISION_SNAPSHOT FAIL'], 'said again')
  t.same(decide('PASS'), ['HEALTH_EVENT PASS', 'DRIFT_EVENT PASS', 'DECISION_SNAPSHOT PASS'], 'that it is over')
})

t.test('metrics that flutter are told together; a change of the verdict never waits', async (t) => {
  const { decide, pass } = outlet(3_600_000_000)
  decide('FAIL', ['p'])
  t.same(decide('FAIL', ['p', 'q']), [])
  t.same(decide('FAIL', ['q']), [])
  pass(DRIFT_SPACING_US)
  t.same(decide('FAIL', ['q']), ['DRIFT_EVENT FAIL'])
  t.same(decide('FAIL', ['q']), [])
  t.ok(decide('PASS_WITH_DRIFT', ['q']).includes('DRIFT_EVENT PASS_WITH_DRIFT'))
})
