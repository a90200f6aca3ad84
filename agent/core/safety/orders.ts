import type { PolicyOrder } from '../../../shared/model/action-input.ts'
import { ARM_SPAN_MAX_US, CONFIRM_WITHIN_US, INHIBIT_SPAN_MAX_US } from '../../../shared/model/order.ts'
import { giveBack, type Proposal, propose, revokeAll, withdraw } from './act.ts'
import { breakGlass, glassOf } from './break-glass.ts'
import { rearm } from './episode.ts'
import { gatesOfOrder } from './gate.ts'
import { isBeforeSent } from './lifecycle.ts'
import { findOpen, hazardOf, lower, move, type Run, raise, refuse, ruleOf, say } from './run.ts'
import { INHIBITS_MAX, MANUAL_OPEN_MAX } from './state.ts'
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

function follow(run: Run, order: PolicyOrder): Refusal {
  switch (order.kind) {
    case 'cancel':
      return cancel(run, order)
    case 'approve':
      return approve(run, order)
    case 'rearm':
      return rearmRule(run, order)
    case 'arm':
      return arm(run, order)
    case 'disarm':
      return disarm(run, order)
    case 'perm_off':
      return permOff(run, order)
    case 'inhibit':
      return inhibit(run, order)
    case 'manual':
    case 'dry_run':
      return manual(run, order)
    case 'action_ack':
      return acknowledge(run, order)
    case 'break_glass':
      return breakGlass(run, order)
  }
}

/** What an order is about, in one word. */
function nameOf({ policy }: Run, order: PolicyOrder): string {
  if (order.kind === 'cancel' || order.kind === 'approve' || order.kind === 'action_ack') return order.key
  if (order.kind === 'rearm' || order.kind === 'perm_off') return order.rule
  if (order.kind === 'inhibit') return inhibitSubject(order)
  return order.kind === 'manual' || order.kind === 'dry_run' ? `${order.action}:${order.target}` : policy.rig
}

function inhibitSubject({ rule, action }: OrderOf<'inhibit'>): string {
  return rule === null ? `action:${action}` : `rule:${rule}`
}

/** Who cancels what could not be carried out. No person does: while the demand lasts it is proposed anew. */
const SHELL = 'agent'

/** One person, one act, before it is with the peer (SE-25). The demand that asked for it does not ask again. */
function cancel(run: Run, { key, by, reason }: OrderOf<'cancel'>): Refusal {
  const open = findOpen(run, key)
  if (open === null) return ['UNKNOWN_KEY']
  if (by === '') return ['NO_PERSON']
  if (!isBeforeSent(open.state)) return [`AFTER_SENT:${open.state}`]
  if (by === SHELL) giveBack(run, open)
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
  if (memory.shot !== 'cleared') reasons.push(memory.shot === 'ready' ? 'NOT_SPENT' : 'NOT_CLEARED')
  // Its cause is back: to arm it now would be to fire it.
  if (memory.inEpisode && memory.shot === 'cleared') reasons.push('NOT_CLEARED')
  if (!by.some((name) => name !== '')) reasons.push('NO_PERSON')
  else if (rule.rearm === 'two_person' && twoPersons(by) === null) reasons.push('TWO_PERSON 1/2')
  if (reasons.length > 0) return reasons
  rearm(run, memory, by, 'ordered')
  return FOLLOWED
}

/** Two people, for what is in force now, for a while (SE-22). */
function arm(run: Run, { config, untilUs, by }: OrderOf<'arm'>): Refusal {
  const { state, seen } = run
  const persons = twoPersons(by)
  const reasons: string[] = []
  if (persons === null) reasons.push('TWO_PERSON 1/2')
  if (config !== seen.config) reasons.push('CONFIG_CHANGED')
  if (seen.clockStepped) reasons.push('CLOCK_STEP')
  if (!(untilUs > seen.nowUs)) reasons.push('ARM_PAST')
  if (!(untilUs - seen.nowUs <= ARM_SPAN_MAX_US)) reasons.push('ARM_TOO_LONG')
  if (persons === null || reasons.length > 0) return reasons
  state.arm = { state: 'ARMED', untilUs, config, by: [...persons] }
  run.out.push({ kind: 'arm', state: 'ARMED', reason: 'ordered', untilUs, by: persons })
  lower(run, 'arm_dropped', 'armed again')
  lower(run, 'break_glass_over', 'two people have armed it since')
  return FOLLOWED
}

/** One person, one act, at once (SE-25). */
function disarm(run: Run, { by, reason }: OrderOf<'disarm'>): Refusal {
  run.state.arm = { state: 'PASSIVE', untilUs: 0, config: '', by: [] }
  run.out.push({ kind: 'arm', state: 'PASSIVE', reason, untilUs: 0, by: [by] })
  revokeAll(run, 'DISARMED')
  return FOLLOWED
}

/** The arm ends by itself: at its time, and with any change of what it was given for (SE-22). */
export function watchArm(run: Run): void {
  const { state, seen } = run
  const { arm: was } = state
  if (was.state !== 'ARMED') return
  const isChanged = was.config !== seen.config
  if (!isChanged && seen.nowUs < was.untilUs) return
  const reason = isChanged ? 'CONFIG_CHANGED' : 'ARM_EXPIRED'
  state.arm = { state: 'PASSIVE', untilUs: 0, config: '', by: [] }
  run.out.push({ kind: 'arm', state: 'PASSIVE', reason, untilUs: 0, by: [] })
  raise(run, 'arm_dropped', 'CRITICAL', `no longer armed: ${reason}`)
  revokeAll(run, reason)
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

/** A bypass: two people, a reason, an end, counted and shown (SE-27). */
function inhibit(run: Run, order: OrderOf<'inhibit'>): Refusal {
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

/**
 * What two people found of an action that was handed over, where its peer does not say it. It moves the action as its peer
 * would have: where a channel shows the effect, that still decides, and a failure leads to what the policy declares.
 */
function acknowledge(run: Run, { key, outcome, by, reason }: OrderOf<'action_ack'>): Refusal {
  const open = findOpen(run, key)
  if (open === null) {
    const done = run.state.done.find((one) => one.key === key)
    return [done === undefined ? 'UNKNOWN_KEY' : `ENDED:${done.state}`]
  }
  const persons = twoPersons(by)
  if (persons === null) return ['TWO_PERSON 1/2']
  if (isBeforeSent(open.state)) return [`NOT_SENT:${open.state}`]
  return takeStatus(run, open, outcome, { note: reason, reasons: [`BY:${persons.join(',')}`] })
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
