import { HbError } from '../../shared/errors/hb-error.ts'
import { ACTIONS, type Action } from '../../shared/model/action.ts'
import { BREAK_GLASS_STEPS, FOUND_OUTCOMES, type PolicyOrder } from '../../shared/model/action-input.ts'
import type { RigPolicy } from '../../shared/model/actions-policy.ts'
import { type Order, TWO_PERSON_ORDERS } from '../../shared/model/order.ts'
import { unknownWord } from '../../shared/protocol/alarm-order.ts'
import { needsSecond } from '../core/safety/warrant.ts'

type About = Pick<Order, 'kind' | 'subject' | 'value'>

/** Whether an order about actions does nothing until a second person has confirmed it (SE-18, SE-22, SE-23, SE-27). */
export function actionNeedsTwo(policy: RigPolicy | null, { kind, subject, value }: About): boolean {
  if (kind === 'rearm') return policy?.rules.find(({ id }) => id === subject)?.rearm === 'two_person'
  if (kind !== 'manual') return TWO_PERSON_ORDERS.includes(kind)
  const hazard = policy?.hazards.find((one) => one.action === subject && one.target === value) ?? null
  return needsSecond(subject as Action, hazard)
}

/**
 * What the safety kernel is told of an order. `by` are the people behind it, the one who confirmed last.
 *
 * @throws HbError ORDER_REFUSED for words that the kernel has no meaning for
 */
export function policyOrder(order: Order, by: readonly string[]): PolicyOrder {
  const { kind, subject, value, config, reason, untilUs } = order
  const one = by.join(' and ')
  switch (kind) {
    case 'arm':
      return { kind, config, untilUs, by }
    case 'disarm':
    case 'off':
    case 'passive':
      return { kind, by: one, reason }
    case 'cancel':
      return { kind, key: subject, by: one, reason }
    case 'approve':
      return { kind, key: subject, by }
    case 'rearm':
      return { kind, rule: subject, by }
    case 'perm_off':
      if (value !== 'ask' && value !== 'confirm') throw unknownWord(order, value, 'ask or confirm')
      return { kind, rule: subject, step: value, by: one, reason }
    case 'inhibit':
      return { kind, ...inhibited(order), untilUs, by, reason }
    case 'action_ack':
      return { kind, key: subject, outcome: outcomeNamed(order), by, reason }
    case 'uninhibit':
      return { kind, ...inhibited(order), by, reason }
    case 'break_glass':
      if (!isStep(value)) throw unknownWord(order, value, BREAK_GLASS_STEPS.join(', '))
      return { kind, step: value, typed: subject, config, untilUs, by: one, reason }
    case 'manual':
    case 'dry_run':
      return { kind, action: actionNamed(order, subject), target: value, params: {}, by, reason }
    default:
      throw new HbError('ORDER_REFUSED', { reason: 'not_taken_here', order: kind, rig: order.rig })
  }
}

function isStep(value: string): value is (typeof BREAK_GLASS_STEPS)[number] {
  return (BREAK_GLASS_STEPS as readonly string[]).includes(value)
}

/** `rule:ID` or `action:NAME`. */
function inhibited(order: Order): Readonly<{ rule: string | null; action: Action | null }> {
  const [what, ...rest] = order.subject.split(':')
  const name = rest.join(':')
  if (what === 'rule') return { rule: name, action: null }
  if (what === 'action') return { rule: null, action: actionNamed(order, name) }
  throw unknownWord(order, order.subject, 'rule:ID or action:NAME')
}

function outcomeNamed(order: Order): (typeof FOUND_OUTCOMES)[number] {
  const outcome = FOUND_OUTCOMES.find((name) => name === order.value)
  if (outcome === undefined) throw unknownWord(order, order.value, FOUND_OUTCOMES.join(' or '))
  return outcome
}

function actionNamed(order: Order, text: string): Action {
  const action = ACTIONS.find((name) => name === text)
  if (action === undefined) throw unknownWord(order, text, ACTIONS.join(', '))
  return action
}
