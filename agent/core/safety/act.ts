import type { ActionState } from '../../../shared/model/action.ts'
import type { ActionParams } from '../../../shared/model/action-input.ts'
import type { ActionOn, Hazard } from '../../../shared/model/actions-policy.ts'
import type { Canonical } from '../../../shared/model/decision.ts'
import type { Micros } from '../../../shared/units.ts'
import { armReasons } from './arming.ts'
import { spend } from './budget.ts'
import { createCondition, type Member } from './condition.ts'
import { type Asked, basisOf, type Gates, gatesOfEscalation, isSame, preempts } from './gate.ts'
import { hazardOf, lower, move, type Run, raiseAnew, ruleOf, say, targetOf } from './run.ts'
import type { DoneAction, OpenAction, RuleState } from './state.ts'
import { isOmissionGrave } from './vote.ts'
import { proofOf, type Warrant } from './warrant.ts'

/** What is known of an action before it is one. */
export type Proposal = ActionOn &
  Readonly<{
    origin: OpenAction['origin']
    rule: string
    episode: number
    /** End of the slide that it is about. */
    endUs: Micros
    /** The arrival that it rests on, '' when its slide has closed. */
    arrival: string
    /** Event time at which the episode began, and which of its proposals this is: both make the key of an action its own. */
    startUs: Micros
    number: number
    params: ActionParams
    hazard: Hazard | null
    deadlineUs: Micros
    vetoUs: Micros
    by: readonly string[]
    reason: string
  }>

/**
 * The key by which peers know an action (SE-14, and the target): the same for every attempt, another for every episode and
 * proposal. The start of the episode is part of it, so that a state that was lost and counts anew repeats no old key.
 */
function keyOfProposal({ policy, seen, keyOf }: Run, proposal: Proposal): string {
  const { origin, rule, episode, startUs, number, action, target, params } = proposal
  const who: Canonical = { rig: policy.rig, config: seen.config, rule, origin }
  return keyOf({ ...who, episode, start_us: startUs, proposal: number, action, target, params })
}

/** Opens an action and carries it as far as its gates let it. */
export function propose(run: Run, proposal: Proposal, gates: Gates, members: readonly Member[]): OpenAction {
  const { seen, state } = run
  const { origin, rule, episode, action, target, params, endUs, deadlineUs, vetoUs, by, reason, hazard } = proposal
  const verify = hazard?.verify ?? null
  const open: OpenAction = {
    ...{ key: keyOfProposal(run, proposal), origin, rule, episode, action, target, params: { ...params } },
    ...{ state: 'PROPOSED', attempt: 1, endUs, proposedUs: seen.nowUs, deadlineUs },
    vetoUntilUs: seen.nowUs + vetoUs,
    basis: basisOf(run),
    proofs: gates.proofs.map(({ condition }) => condition),
    by: [...by],
    reason,
    arrival: proposal.arrival,
    progress: 0,
    verifyFromUs: null,
    verifyUntilUs: null,
    verify: verify === null ? null : createCondition(verify.condition),
  }
  state.open.push(open)
  const reasons = [...(open.arrival === '' ? [] : [`PROVISIONAL:${open.arrival}`]), ...(gates.passed ?? [])]
  say(run, open, null, { reasons, members, note: reason })
  if (gates.denied.length > 0) move(run, open, 'deny', { reasons: gates.denied, members })
  else if (gates.passive.length > 0) move(run, open, 'would', { reasons: gates.passive, members })
  else if (vetoUs > 0) move(run, open, 'hold', { reasons: [`VETO ${Math.floor(vetoUs / 1000)}ms`], members })
  else pass(run, open, members)
  return open
}

/** Makes room for it. One that waited in its veto window passes now; for one that has passed already that is all. */
function pass(run: Run, open: OpenAction, members: readonly Member[]): void {
  supersedeLower(run, open)
  move(run, open, 'pass', { members })
}

/** What is cancelled does not come back by itself: its rule has used its shot, though it did not act. */
function supersedeLower(run: Run, higher: OpenAction): void {
  for (const one of [...run.state.open]) {
    if (one === higher || !preempts(run.policy, higher, one)) continue
    if (move(run, one, 'supersede', { reasons: [`PREEMPTED:${higher.action}:${higher.target}`] })) withdraw(run, one)
  }
}

/** The shot of a rule is used without having been fired. */
export function withdraw(run: Run, open: OpenAction): void {
  const of = open.origin === 'rule' ? ruleOf(run, open.rule) : null
  if (of !== null) of.memory.shot = 'spent'
}

/** What was released and never left has used nothing up but its budget. */
export function giveBack(run: Run, open: OpenAction): void {
  const of = open.origin === 'rule' ? ruleOf(run, open.rule) : null
  if (of === null) return
  of.memory.shot = 'ready'
  of.memory.acted = false
}

/** What an action is released on, and what a break-glass passed of its gates. */
type Released = Readonly<{ warrant: Warrant; passed?: readonly string[] }>

/**
 * Releases an action. There is no other way to RELEASED, and a {@link Warrant} for a hard action can only be made of two
 * distinct proofs, or of one and two people (SE-04).
 */
export function release(
  run: Run,
  open: OpenAction,
  { warrant, passed = [] }: Released,
  members: readonly Member[],
): void {
  pass(run, open, members)
  move(run, open, 'release', { reasons: passed, note: warrant.kind, members })
  const { action, target } = open
  spend(run.policy.budgets, run.state.budgets, { action, target, nowUs: run.seen.nowUs })
  const of = open.origin === 'rule' ? ruleOf(run, open.rule) : null
  if (of === null) return
  of.memory.shot = 'spent'
  of.memory.acted = true
}

/** What an alarm about an action is named by: bounded by what the policy names. */
export function subjectOf({ origin, rule, action, target }: OpenAction): string {
  if (origin === 'manual') return `manual:${action}:${target}`
  return origin === 'rule' ? rule : `${rule}/escalation`
}

/** After an end that was not the one hoped for: somebody is told, and what the policy declares is proposed (SE-16, SE-17). */
export function followFailure(run: Run, open: OpenAction, why: string): void {
  const hazard = hazardOf(run.policy, open.action, open.target)
  const isUnseen = open.state === 'VERIFY_FAILED'
  const isCritical = isUnseen || hazard === null || isOmissionGrave(hazard)
  const id = `${isUnseen ? 'verify_failed' : 'action_failed'}:${subjectOf(open)}`
  raiseAnew(run, id, isCritical ? 'CRITICAL' : 'WARNING', `${open.action} ${open.target}: ${open.state} ${why}`)
  lower(run, `unknown_outcome:${subjectOf(open)}`, open.state)
  const of = open.origin === 'rule' ? ruleOf(run, open.rule) : null
  if (of !== null && isUnseen) of.memory.needsPerson = true
  const next = of ?? nextAfter(run, open)
  if (next !== null) escalate(run, next.memory, { proofs: open.proofs, why: `${open.state} of ${open.key}` })
}

/** After an effect was seen, or its peer or people say so where none can be: what stood against it before is over. */
export function followSuccess(run: Run, open: OpenAction): void {
  const subject = subjectOf(open)
  lower(run, `unknown_outcome:${subject}`, open.state)
  lower(run, `action_failed:${subject}`, open.state)
  // A person ordered it again and it worked; a rule's own alarm waits for the one who arms it again.
  if (open.origin === 'manual') lower(run, `verify_failed:${subject}`, open.state)
}

/** What stands against an order by hand until it works, or until people say what came of it; nothing for what a rule asked for. */
export function settledBy({ state }: Run, done: DoneAction): readonly string[] {
  const { rule, action, target } = done
  const newest = state.done.findLast((one) => one.rule === '' && isSame(one, done) && LEFT_OPEN.includes(one.state))
  if (rule !== '' || newest !== done) return []
  const ids = ['unknown_outcome', 'action_failed', 'verify_failed'].map(
    (about) => `${about}:manual:${action}:${target}`,
  )
  return ids.filter((id) => state.alarms.some((one) => one.id === id))
}

/** Ends after which an alarm may stand. */
const LEFT_OPEN: readonly ActionState[] = ['VERIFY_FAILED', 'FAILED', 'REJECTED', 'TIMED_OUT', 'EXPIRED', 'REVOKED']

/** After an escalation that failed: what follows where a rule has the same action of its own. */
function nextAfter(run: Run, open: OpenAction): ReturnType<typeof ruleOf> {
  if (open.origin !== 'escalation') return null
  const next = run.policy.rules.find((one) => isSame(one, open) && one.escalation !== null)
  return next === undefined ? null : ruleOf(run, next.id)
}

/** Proposes the escalation of a rule, once an episode. */
export function escalate(
  run: Run,
  memory: RuleState,
  { proofs, why }: Readonly<{ proofs: readonly string[]; why: string }>,
): void {
  const { seen, policy } = run
  const of = ruleOf(run, memory.id)
  if (of === null || of.rule.escalation === null || memory.escalated) return
  memory.escalated = true
  const { action, target } = of.rule.escalation
  const hazard = hazardOf(policy, action, target)
  const asked: Asked = { action, target, hazard, self: null }
  const inherited = proofs.map((id) => proofOf(id, 'TRUE'))
  const gates = gatesOfEscalation(run, asked, inherited, of)
  const { id, episode, startUs, proposals } = memory
  const proposal: Proposal = {
    ...{ origin: 'escalation', rule: id, episode, startUs, number: proposals, action, target, params: {}, hazard },
    ...{ endUs: seen.endUs, arrival: '' },
    ...{ deadlineUs: seen.nowUs + (hazard?.fttiUs ?? 0), vetoUs: 0, by: [], reason: why },
  }
  propose(run, proposal, gates, [])
  if (gates.denied.length > 0)
    raiseAnew(run, `denied:${id}/escalation`, 'CRITICAL', `${action} ${target}: ${gates.denied.join(', ')}`)
}

/** Whether an action may be handed over once more under the same key (SE-14, SE-16): never when it might then be done twice. */
export function mayResend(run: Run, open: OpenAction): boolean {
  const { state, seen } = run
  const target = targetOf(run.policy, open.target)
  if (target === null || target.nonIdempotent || !(open.attempt <= target.retries)) return false
  if (armReasons(state, seen).length > 0) return false
  let backOffUs = target.backOffUs
  for (let attempt = 1; attempt < open.attempt; attempt += 1) backOffUs *= 2
  return seen.nowUs + backOffUs < open.deadlineUs
}

/** Ends all that is not yet with a peer, because nobody permits it any more (SE-25). */
export function revokeAll(run: Run, reason: string): void {
  // What is with a peer has no such change in the table, and stays.
  for (const open of [...run.state.open]) move(run, open, 'revoke', { reasons: [reason] })
}
