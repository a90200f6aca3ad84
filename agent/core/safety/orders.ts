import type { PolicyOrder } from '../../../shared/model/action-input.ts'
import { AGENT, CONFIRM_WITHIN_US } from '../../../shared/model/order.ts'
import { giveBack, type Proposal, propose, settledBy, withdraw } from './act.ts'
import { arm, disarm, switchOff, switchOn } from './arm-orders.ts'
import { breakGlass, glassOf } from './break-glass.ts'
import { rearm, waiting } from './episode.ts'
import { gatesOfOrder } from './gate.ts'
import { inhibit, inhibitSubject, uninhibit } from './inhibits.ts'
import { isBeforeSent } from './lifecycle.ts'
import { changeOf, findOpen, hazardOf, lower, move, type Run, raise, refuse, ruleOf, say, targetOf } from './run.ts'
import { type DoneAction, MANUAL_OPEN_MAX } from './state.ts'
import { takeStatus, tryRelease } from './steps.ts'
import { needsSecond, twoPersons } from './warrant.ts'

type OrderOf<Kind extends PolicyOrder['kind']> = Extract<PolicyOrder, { kind: Kind }>

/** Why an order is not followed; empty when it is. */
type Refusal = readonly string[]
const FOLLOWED: Refusal = []

/** Does what people order, or refuses with everything that stands against it. Who they are was verified before. */
export function takeOrder(run: Run, order: PolicyOrder): void {
  const reasons = follow(run, order)
  if (reasons.length > 0) refuse(run, order.kind, nameOf(run, order), reasons)
}

/** What each order does. */
const FOLLOW: Readonly<{ [Kind in PolicyOrder['kind']]: (run: Run, order: OrderOf<Kind>) => Refusal }> = {
  cancel,
  approve,
  rearm: rearmRule,
  arm,
  disarm,
  perm_off: permOff,
  inhibit,
  uninhibit,
  off: switchOff,
  passive: switchOn,
  manual,
  dry_run: manual,
  action_ack: acknowledge,
  break_glass: breakGlass,
  proof,
  permit,
}

function follow(run: Run, order: PolicyOrder): Refusal {
  return (FOLLOW[order.kind] as (run: Run, order: PolicyOrder) => Refusal)(run, order)
}

/** What an order is about, in one word. */
function nameOf({ policy }: Run, order: PolicyOrder): string {
  if (order.kind === 'cancel' || order.kind === 'approve' || order.kind === 'action_ack') return order.key
  if (order.kind === 'rearm' || order.kind === 'perm_off') return order.rule
  if (order.kind === 'inhibit' || order.kind === 'uninhibit') return inhibitSubject(order)
  if (order.kind === 'proof' || order.kind === 'permit') return order.target
  return order.kind === 'manual' || order.kind === 'dry_run' ? `${order.action}:${order.target}` : policy.rig
}

/** One person, one act, before it is with the peer (SE-25). The demand that asked for it does not ask again. */
function cancel(run: Run, { key, by, reason }: OrderOf<'cancel'>): Refusal {
  const open = findOpen(run, key)
  if (open === null) return ['UNKNOWN_KEY']
  if (by === '') return ['NO_PERSON']
  if (!isBeforeSent(open.state)) return [`AFTER_SENT:${open.state}`]
  // No person cancels what could not be carried out: while the demand lasts it is proposed anew.
  if (by === AGENT) giveBack(run, open)
  else withdraw(run, open)
  move(run, open, 'cancel', { reasons: [`BY:${by}`], note: reason })
  return FOLLOWED
}

function approve(run: Run, { key, by }: OrderOf<'approve'>): Refusal {
  const open = findOpen(run, key)
  if (open === null) return ['UNKNOWN_KEY']
  if (open.state !== 'PENDING_APPROVAL') return [`STATE:${open.state}`]
  if (!(run.seen.nowUs <= open.deadlineUs)) return ['APPROVAL_LATE']
  const persons = twoPersons([...open.by, ...by])
  if (persons === null) return ['TWO_PERSON 1/2']
  open.by = [...persons]
  say(run, open, open.state, { reasons: [`BY:${persons.join(',')}`], note: 'approved' })
  // Nobody has to ask for what two people want: the gates are evaluated again, and it goes.
  tryRelease(run, open)
  return FOLLOWED
}

function rearmRule(run: Run, { rule: id, by }: OrderOf<'rearm'>): Refusal {
  const of = ruleOf(run, id)
  if (of === null) return ['UNKNOWN_RULE']
  const { rule, memory } = of
  const reasons: string[] = []
  // A shot that is there takes nobody; what waits for a person does, wherever the shot is.
  const isWaiting = memory.needsPerson || waiting(run, memory).length > 0
  if (memory.shot === 'spent') reasons.push('NOT_CLEARED')
  if (memory.shot === 'ready' && !isWaiting) reasons.push('NOT_SPENT')
  // Its cause is back: to arm it now would be to fire it.
  if (memory.inEpisode && memory.shot === 'cleared') reasons.push('NOT_CLEARED')
  if (!by.some((name) => name !== '')) reasons.push('NO_PERSON')
  else if (rule.rearm === 'two_person' && twoPersons(by) === null) reasons.push('TWO_PERSON 1/2')
  if (reasons.length > 0) return reasons
  rearm(run, memory, by, 'ordered')
  return FOLLOWED
}

/** One rule, in two steps, for as long as this policy is in force (SE-21). */
function permOff(run: Run, { rule: id, step, by, reason }: OrderOf<'perm_off'>): Refusal {
  const of = ruleOf(run, id)
  const { nowUs } = run.seen
  if (of === null) return ['UNKNOWN_RULE']
  const { memory } = of
  if (by === '') return ['NO_PERSON']
  if (memory.permOff) return ['PERM_OFF']
  if (step === 'ask') {
    // One item at a time: asking for another forgets the first.
    for (const one of run.state.rules) one.permAskedUs = null
    memory.permAskedUs = nowUs
    return FOLLOWED
  }
  const askedUs = memory.permAskedUs
  if (askedUs === null) return ['NOT_ASKED']
  memory.permAskedUs = null
  if (!(nowUs - askedUs <= CONFIRM_WITHIN_US)) return ['ASKED_TOO_LONG_AGO']
  memory.permOff = true
  run.out.push({ kind: 'rule', rule: id, is: 'perm_off', by: [by], reason })
  for (const open of [...run.state.open])
    if (open.rule === id && isBeforeSent(open.state)) move(run, open, 'revoke', { reasons: ['PERM_OFF'] })
  return FOLLOWED
}

/**
 * What two people found of an action that was handed over, where its peer does not say it. It moves the action as its peer
 * would have: where a channel shows the effect, that still decides, and a failure leads to what the policy declares.
 */
function acknowledge(run: Run, { key, outcome, by, reason }: OrderOf<'action_ack'>): Refusal {
  const open = findOpen(run, key)
  if (open === null) {
    const done = run.state.done.find((one) => one.key === key)
    return done === undefined ? ['UNKNOWN_KEY'] : acknowledgeEnded(run, done, by, `${outcome}: ${reason}`)
  }
  const persons = twoPersons(by)
  if (persons === null) return ['TWO_PERSON 1/2']
  if (isBeforeSent(open.state)) return [`NOT_SENT:${open.state}`]
  return takeStatus(run, open, outcome, { note: reason, reasons: [`BY:${persons.join(',')}`] })
}

/** Of what people ordered and what has ended badly they say what came of it: the end stands, and nothing stands against it any more. */
function acknowledgeEnded(run: Run, done: DoneAction, by: readonly string[], note: string): Refusal {
  const { state } = done
  const settled = settledBy(run, done)
  if (settled.length === 0) return [`ENDED:${state}`]
  const persons = twoPersons(by)
  if (persons === null) return ['TWO_PERSON 1/2']
  run.out.push(changeOf(run, done, { state, from: state, reasons: [`BY:${persons.join(',')}`], note }))
  for (const id of settled) lower(run, id, note)
  return FOLLOWED
}

/**
 * An action that people order (SE-23): a hard one waits for a second person, and for a limited time. A dry run goes through
 * the same gates and ends there.
 */
function manual(run: Run, { kind, action, target, params, by, reason }: OrderOf<'manual' | 'dry_run'>): Refusal {
  const { state, seen, policy } = run
  const persons = [...new Set(by.filter((name) => name !== ''))]
  if (persons.length === 0) return ['NO_PERSON']
  if (state.open.filter(({ origin }) => origin === 'manual').length >= MANUAL_OPEN_MAX) return ['MANUAL_FULL']
  const hazard = hazardOf(policy, action, target)
  const gates = gatesOfOrder(run, { action, target, hazard, self: null }, persons)
  const isOne = twoPersons(persons) === null && glassOf(state, seen, persons) === null
  const isAlone = isOne && needsSecond(action, hazard)
  const isDry = kind === 'dry_run'
  state.manuals += 1
  const proposal: Proposal = {
    ...{ origin: 'manual', rule: '', episode: state.manuals, startUs: seen.nowUs, number: 1, action, target, params },
    ...{ endUs: seen.endUs, arrival: '' },
    ...{ hazard, deadlineUs: seen.nowUs + CONFIRM_WITHIN_US, vetoUs: 0, by: persons, reason },
  }
  const denied = gates.denied.filter((one) => !(isAlone && one === 'NO_WARRANT'))
  const dry = isDry ? [...(isAlone ? ['TWO_PERSON 1/2'] : []), 'DRY_RUN'] : []
  const open = propose(run, proposal, { ...gates, denied, passive: [...gates.passive, ...dry] }, [])
  if (isAlone) move(run, open, 'ask', { reasons: ['TWO_PERSON 1/2'] })
  return FOLLOWED
}

/** The shell says how the proof test of a target stands (SE-42): overdue is an alarm until it was good. */
function proof(run: Run, { target, overdue }: OrderOf<'proof'>): Refusal {
  if (targetOf(run.policy, target) === null) return ['UNKNOWN_TARGET']
  const id = `proof_overdue:${target}`
  if (overdue) raise(run, id, 'WARNING', `the proof test of ${target} is overdue: its rigs cannot be armed`)
  else lower(run, id, 'it was proved')
  return FOLLOWED
}

/** The shell says how a permit stands (SE-33): lost is an alarm until it is held again, which takes people who arm. */
function permit(run: Run, { target, lost }: OrderOf<'permit'>): Refusal {
  const id = `permit_lost:${target}`
  // What no policy knows any more can end, and not begin.
  if (lost && targetOf(run.policy, target) === null) return ['UNKNOWN_TARGET']
  if (lost)
    raise(run, id, 'CRITICAL', `the permit of ${target} is lost: it does what was declared for that until people arm`)
  else lower(run, id, 'the permit is held')
  return FOLLOWED
}
