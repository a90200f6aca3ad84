import t from 'tap'
import { createRigState } from '../../../agent/core/state.ts'
import { requireFollowable } from '../../../agent/pipeline/order-check.ts'
import { isHbError } from '../../../shared/errors/hb-error.ts'
import { ARM_SPAN_MAX_US, INHIBIT_SPAN_MAX_US, type Order } from '../../../shared/model/order.ts'
import { actingRig } from '../../support/acting-inputs.ts'
import { RIG, rigSettings } from '../../support/evaluator-rig.ts'

const NOW_US = 1_700_000_000_000_000
const HOUR_US = 3_600_000_000

const order = (change: Partial<Order>): Order => ({
  ...{ id: 'ab', kind: 'arm', deployment: 'lab', agent: 'bench-1', boot: 'b', rig: RIG, subject: '', value: '' },
  ...{ config: 'c0ffee', reason: 'run 12', atUs: NOW_US, untilUs: NOW_US + HOUR_US, by: 'cd' },
  ...change,
})

function foundIn(change: Partial<Order>): string {
  const rig = createRigState(actingRig())
  rig.safety!.kernel.inhibits.push({
    subject: 'rule:of_before',
    untilUs: NOW_US + 1,
    by: ['ada', 'grace'],
    reason: 'x',
  })
  rig.safety!.kernel.done.push({ key: 'k-done' } as never)
  const bare = createRigState(rigSettings([], { rig: 'bare' }))
  try {
    requireFollowable({ rigs: [rig, bare] }, { order: order(change), nowUs: NOW_US })
    return 'waits'
  } catch (error) {
    if (!isHbError(error)) throw error
    return [error.code, error.context['reason'] ?? error.context['reasons'] ?? ''].join(' ').trim()
  }
}

// verifies SE-22, SE-23, SE-27, REQ-SEC-004
t.test('what would be refused when a second person has confirmed it does not wait for one', async (t) => {
  const table: readonly [found: string, change: Partial<Order>][] = [
    ['waits', {}],
    ['RIG_UNKNOWN', { rig: 'nope' }],
    ['POLICY_MISSING', { rig: 'bare' }],
    ['waits', { untilUs: NOW_US + ARM_SPAN_MAX_US }],
    ['ORDER_NOT_FOLLOWED ARM_TOO_LONG', { untilUs: NOW_US + ARM_SPAN_MAX_US + 1 }],
    ['ORDER_NOT_FOLLOWED ARM_PAST', { untilUs: NOW_US }],
    ['ORDER_NOT_FOLLOWED CONFIG_CHANGED, ARM_PAST', { config: 'dead', untilUs: 0 }],
    ['waits', { kind: 'inhibit', subject: 'rule:over_pressure' }],
    ['waits', { kind: 'inhibit', subject: 'action:shutdown', untilUs: NOW_US + INHIBIT_SPAN_MAX_US }],
    ['ORDER_REFUSED unknown_word', { kind: 'inhibit', subject: 'foo' }],
    ['ORDER_REFUSED unknown_word', { kind: 'inhibit', subject: 'action:explode' }],
    ['ORDER_NOT_FOLLOWED UNKNOWN_RULE', { kind: 'inhibit', subject: 'rule:nope' }],
    [
      'ORDER_NOT_FOLLOWED INHIBIT_TOO_LONG',
      { kind: 'inhibit', subject: 'rule:over_pressure', untilUs: NOW_US + INHIBIT_SPAN_MAX_US + 1 },
    ],
    ['ORDER_NOT_FOLLOWED NOT_INHIBITED', { kind: 'uninhibit', subject: 'rule:over_pressure' }],
    ['waits', { kind: 'uninhibit', subject: 'rule:of_before' }],
    ['waits', { kind: 'manual', subject: 'shutdown', value: 'pump' }],
    ['ORDER_REFUSED unknown_word', { kind: 'manual', subject: 'explode', value: 'pump' }],
    ['ORDER_NOT_FOLLOWED UNDECLARED:abort:pump', { kind: 'manual', subject: 'abort', value: 'pump' }],
    [
      'ORDER_NOT_FOLLOWED UNDECLARED:shutdown:horn, NO_TARGET:horn',
      { kind: 'manual', subject: 'shutdown', value: 'horn' },
    ],
    ['ORDER_NOT_FOLLOWED UNKNOWN_KEY', { kind: 'approve', subject: 'k' }],
    ['ORDER_REFUSED unknown_word', { kind: 'action_ack', subject: 'k-done', value: 'perhaps' }],
    ['ORDER_NOT_FOLLOWED UNKNOWN_KEY', { kind: 'action_ack', subject: 'k', value: 'failed' }],
    ['waits', { kind: 'action_ack', subject: 'k-done', value: 'failed' }],
    ['waits', { kind: 'rearm', subject: 'over_pressure' }],
    ['waits', { kind: 'alarm_out', subject: 'rig-fail' }],
    ['ORDER_NOT_FOLLOWED unknown_alarm', { kind: 'alarm_out', subject: 'nope' }],
  ]
  for (const [found, change] of table) t.equal(foundIn(change), found, JSON.stringify(change))
})
