import type { PolicyOrder } from '../../../shared/model/action-input.ts'
import { INHIBIT_SPAN_MAX_US } from '../../../shared/model/order.ts'
import { lower, type Run, raise, ruleOf } from './run.ts'
import { INHIBITS_MAX } from './state.ts'
import { twoPersons } from './warrant.ts'

type OrderOf<Kind extends PolicyOrder['kind']> = Extract<PolicyOrder, { kind: Kind }>

/** Why an order is not followed; empty when it is. */
type Refusal = readonly string[]
const FOLLOWED: Refusal = []

/** `rule:ID` or `action:NAME`. */
export function inhibitSubject({ rule, action }: Pick<OrderOf<'inhibit'>, 'rule' | 'action'>): string {
  return rule === null ? `action:${action}` : `rule:${rule}`
}

/** A bypass: two people, a reason, an end, counted and shown (SE-27). */
export function inhibit(run: Run, order: OrderOf<'inhibit'>): Refusal {
  const { rule, action, untilUs, by, reason } = order
  const { state, seen } = run
  const subject = inhibitSubject(order)
  const persons = twoPersons(by)
  const reasons: string[] = []
  if ((rule === null) === (action === null)) reasons.push('ONE_SUBJECT')
  if (rule !== null && ruleOf(run, rule) === null) reasons.push('UNKNOWN_RULE')
  if (persons === null) reasons.push('TWO_PERSON 1/2')
  if (reason === '') reasons.push('NO_REASON')
  if (!(untilUs > seen.nowUs)) reasons.push('INHIBIT_PAST')
  if (!(untilUs - seen.nowUs <= INHIBIT_SPAN_MAX_US)) reasons.push('INHIBIT_TOO_LONG')
  const others = state.inhibits.filter((one) => one.subject !== subject)
  if (others.length >= INHIBITS_MAX) reasons.push('INHIBITS_FULL')
  if (persons === null || reasons.length > 0) return reasons
  state.inhibits = [...others, { subject, untilUs, by: [...persons], reason }]
  state.inhibited += 1
  const count = state.inhibited
  run.out.push({ kind: 'inhibit', subject, active: true, untilUs, by: persons, reason, count })
  lower(run, `inhibit_expired:${subject}`, 'inhibited again')
  raise(run, `inhibited:${subject}`, 'WARNING', `${subject} is inhibited: ${reason}`)
  return FOLLOWED
}

/** Two people again: who was kept from harm by the bypass may still be where it reaches. */
export function uninhibit(run: Run, order: OrderOf<'uninhibit'>): Refusal {
  const { by, reason } = order
  const { state } = run
  const subject = inhibitSubject(order)
  const persons = twoPersons(by)
  const was = state.inhibits.find((one) => one.subject === subject)
  const reasons: string[] = []
  if (persons === null) reasons.push('TWO_PERSON 1/2')
  if (reason === '') reasons.push('NO_REASON')
  if (was === undefined) reasons.push('NOT_INHIBITED')
  if (persons === null || was === undefined || reasons.length > 0) return reasons
  state.inhibits = state.inhibits.filter((one) => one !== was)
  const { untilUs } = was
  run.out.push({ kind: 'inhibit', subject, active: false, untilUs, by: persons, reason, count: state.inhibited })
  lower(run, `inhibited:${subject}`, reason)
  return FOLLOWED
}

/** Ends bypasses whose time is over, and says so (SE-27). */
export function watchInhibits(run: Run): void {
  const { state, seen } = run
  const over = state.inhibits.filter(({ untilUs }) => seen.nowUs >= untilUs)
  state.inhibits = state.inhibits.filter(({ untilUs }) => !(seen.nowUs >= untilUs))
  for (const { subject, untilUs, by, reason } of over) {
    run.out.push({ kind: 'inhibit', subject, active: false, untilUs, by, reason, count: state.inhibited })
    lower(run, `inhibited:${subject}`, 'its time is over')
    raise(run, `inhibit_expired:${subject}`, 'WARNING', `${subject} is no longer inhibited`)
  }
}
