import type { RigPolicy } from '../../../shared/model/actions-policy.ts'
import { lower, type Run } from './run.ts'

/** Whether a policy still has what an alarm is about. */
type Has = (policy: RigPolicy, subject: string) => boolean

/** `RULE`, `RULE/escalation`, or `manual:ACTION:TARGET` for what people order. */
const hasAction: Has = ({ rules, hazards }, subject) => {
  if (subject.startsWith('manual:'))
    return hazards.some(({ action, target }) => subject === `manual:${action}:${target}`)
  const [id, part] = subject.split('/')
  return rules.some((rule) => rule.id === id && (part === undefined || rule.escalation !== null))
}

const hasTarget: Has = ({ targets }, subject) => targets.some(({ name }) => name === subject)

/** `rule:ID` or `action:NAME`. */
const hasInhibited: Has = ({ rules, hazards }, subject) => {
  const [what, name] = subject.split(':')
  return what === 'rule' ? rules.some(({ id }) => id === name) : hazards.some(({ action }) => action === name)
}

/** By the word before the colon. An alarm without a subject is about the rig. */
const HAS: ReadonlyMap<string, Has> = new Map([
  ['protection_lost', hasAction],
  ['vote_degraded', hasAction],
  ['denied', hasAction],
  ['budget', hasAction],
  ['early_differs', hasAction],
  ['verify_failed', hasAction],
  ['action_failed', hasAction],
  ['unknown_outcome', hasAction],
  ['inhibited', hasInhibited],
  ['inhibit_expired', hasInhibited],
  ['permit_lost', hasTarget],
  ['proof_overdue', hasTarget],
  ['stranger', hasTarget],
])

const GONE = 'it is no longer in the policy'

/** Ends alarms whose rule, action or target a policy no longer has, and bypasses of rules that are gone (SE-39). */
export function endOfGone(run: Pick<Run, 'state' | 'out'>, policy: RigPolicy): void {
  const { state, out } = run
  // An action that nobody may order now may be there again with the next policy; a rule is another one then.
  const gone = state.inhibits.filter(({ subject }) => subject.startsWith('rule:') && !hasInhibited(policy, subject))
  state.inhibits = state.inhibits.filter((one) => !gone.includes(one))
  for (const { subject, untilUs, by } of gone)
    out.push({ kind: 'inhibit', subject, active: false, untilUs, by, reason: GONE, count: state.inhibited })
  for (const { id } of [...state.alarms]) {
    const [about, ...rest] = id.split(':')
    const subject = rest.join(':')
    const isInForce = about === 'inhibited' && state.inhibits.some((one) => one.subject === subject)
    if (!isInForce && HAS.get(about!)?.(policy, subject) === false) lower(run, id, GONE)
  }
}
