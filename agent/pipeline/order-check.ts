import { HbError } from '../../shared/errors/hb-error.ts'
import type { RigPolicy } from '../../shared/model/actions-policy.ts'
import { type AlarmState, entriesOf } from '../../shared/model/alarms/state.ts'
import { ARM_SPAN_MAX_US, INHIBIT_SPAN_MAX_US, type Order } from '../../shared/model/order.ts'
import { alarmOrder, isOfAlarm } from '../../shared/protocol/alarm-order.ts'
import type { Micros } from '../../shared/units.ts'
import type { SafetyState } from '../core/safety/state.ts'
import type { EvaluatorState } from '../core/state.ts'
import { policyOrder } from './action-orders.ts'

type Rigs = Pick<EvaluatorState, 'rigs'>
type About = Readonly<{ order: Order; policy: RigPolicy; config: string; kernel: SafetyState; nowUs: Micros }>

/**
 * Looks at an order about actions or alarms before it waits for a second person: what can be known of it now, and would be
 * refused when that person has confirmed it. What may change until then is left to the kernel, which looks at everything again.
 *
 * @throws HbError RIG_UNKNOWN, POLICY_MISSING, ORDER_REFUSED, ORDER_NOT_FOLLOWED
 */
export function requireFollowable(state: Rigs, { order, nowUs }: Readonly<{ order: Order; nowUs: Micros }>): void {
  const { rig, kind } = order
  const found = state.rigs.find(({ settings }) => settings.rig === rig)
  if (found === undefined)
    throw new HbError('RIG_UNKNOWN', { rig, known: state.rigs.map(({ settings }) => settings.rig).join(', ') })
  const { safety } = found
  if (found.settings.safety === undefined || safety === null) throw new HbError('POLICY_MISSING', { rig })
  const { policy, config } = found.settings.safety
  const reasons = isOfAlarm(order)
    ? alarmReasons(safety.alarms, order)
    : against({ order, policy, config, kernel: safety.kernel, nowUs })
  if (reasons.length > 0) throw new HbError('ORDER_NOT_FOLLOWED', { order: kind, rig, reasons: reasons.join(', ') })
}

/** Of an order about an alarm. @throws HbError ORDER_REFUSED for words without a meaning */
export function alarmReasons(alarms: AlarmState, order: Order): string[] {
  const { alarm } = alarmOrder(order, [])
  return entriesOf(alarms).some(({ id }) => id === alarm) ? [] : ['unknown_alarm']
}

/** In the words of the kernel. */
function against({ order: signed, policy, config, kernel, nowUs }: About): string[] {
  const order = policyOrder(signed, [])
  switch (order.kind) {
    case 'arm':
      return [
        ...(order.config === config ? [] : ['CONFIG_CHANGED']),
        ...spanReasons(order.untilUs - nowUs, { what: 'ARM', mostUs: ARM_SPAN_MAX_US }),
      ]
    case 'inhibit':
      return [
        ...(order.rule === null || policy.rules.some(({ id }) => id === order.rule) ? [] : ['UNKNOWN_RULE']),
        ...spanReasons(order.untilUs - nowUs, { what: 'INHIBIT', mostUs: INHIBIT_SPAN_MAX_US }),
      ]
    case 'uninhibit':
      return kernel.inhibits.some(({ subject }) => subject === signed.subject) ? [] : ['NOT_INHIBITED']
    case 'approve':
    case 'action_ack':
      return [...kernel.open, ...kernel.done].some(({ key }) => key === order.key) ? [] : ['UNKNOWN_KEY']
    case 'manual': {
      const { action, target } = order
      const isDeclared = policy.hazards.some((hazard) => hazard.action === action && hazard.target === target)
      return [
        ...(isDeclared ? [] : [`UNDECLARED:${action}:${target}`]),
        ...(policy.targets.some(({ name }) => name === target) ? [] : [`NO_TARGET:${target}`]),
      ]
    }
    default:
      return []
  }
}

function spanReasons(spanUs: Micros, { what, mostUs }: Readonly<{ what: string; mostUs: Micros }>): string[] {
  if (!(spanUs > 0)) return [`${what}_PAST`]
  return spanUs <= mostUs ? [] : [`${what}_TOO_LONG`]
}
