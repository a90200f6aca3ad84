import type { Hazard, Rule } from '../../../shared/model/actions-policy.ts'
import { isAtLeast } from '../../../shared/model/hazard-vote.ts'
import { escalate, type Proposal, propose } from './act.ts'
import { type Gates, gatesOfRule } from './gate.ts'
import { type View, viewOf, whys } from './grounds.ts'
import { hazardOf, lower, type Run, raise } from './run.ts'
import { DENIALS_NOTED_MAX, PROPOSALS_MAX, type RuleState } from './state.ts'
import { isOmissionGrave } from './vote.ts'
import { isHard } from './warrant.ts'

/** What the rules of one slide share: how many actions passed (SE-32). */
export type Slide = { passed: number }

/** Judges one rule at a slide: alarms about its vote, its episode, and what its demand comes to. */
export function stepRule(run: Run, rule: Rule, memory: RuleState, slide: Slide): void {
  const hazard = hazardOf(run.policy, rule.action, rule.target)
  const view = viewOf(rule, memory, hazard, run.seen)
  watchVote(run, view)
  followEpisode(run, view, memory)
  const isUnderWay = run.state.open.some((one) => one.origin === 'rule' && one.rule === rule.id)
  if (view.demand === null || memory.shot === 'spent' || isUnderWay) {
    lower(run, `denied:${rule.id}`, 'no demand is denied')
    lower(run, `budget:${rule.id}`, 'no demand is denied')
    return
  }
  const asked = { action: rule.action, target: rule.target, hazard, self: null }
  const asks = gatesOfRule(run, view, memory, asked)
  const gates = memory.proposals < PROPOSALS_MAX ? shed(run, rule, asks, slide) : full(asks)
  warnOfDenial(run, view, gates)
  if (gates.warrant === null && !isNew(memory, gates)) return
  memory.proposals += 1
  propose(run, proposalOf(run, rule, memory, hazard), gates, view.members)
  if (gates.warrant !== null) slide.passed += 1
  if (gates.denied.some((reason) => reason.startsWith('BUDGET:')) && gates.passive.length === 0)
    escalate(run, memory, { proofs: gates.proofs.map(({ condition }) => condition), why: 'BUDGET' })
}

function proposalOf({ seen }: Run, rule: Rule, memory: RuleState, hazard: Hazard | null): Proposal {
  const { id, action, target, params, vetoUs } = rule
  const { episode, startUs, proposals } = memory
  return {
    ...{ origin: 'rule', rule: id, episode, startUs, number: proposals, action, target, params, hazard },
    ...{ deadlineUs: seen.nowUs + (hazard?.fttiUs ?? 0), vetoUs, by: [], reason: '' },
  }
}

/** Beyond the bound of one slide gentle actions wait for the next; what is hard never does (SE-32). */
function shed({ policy }: Run, { action }: Rule, gates: Gates, { passed }: Slide): Gates {
  if (gates.warrant === null) return gates
  if (isHard(action) || passed < policy.releasesMax) return gates
  return { ...gates, denied: [`SHED:${policy.releasesMax}`], warrant: null }
}

function full(gates: Gates): Gates {
  return { ...gates, denied: [...gates.denied, `PROPOSALS:${PROPOSALS_MAX}`], warrant: null }
}

/** Whether this denial, figures aside, was not recorded in this episode yet. Takes it down. */
function isNew(memory: RuleState, { denied, passive }: Gates): boolean {
  const short = [...denied, '|', ...passive].map((reason) => reason.split(' ')[0]).join(',')
  if (memory.said.includes(short) || memory.said.length >= DENIALS_NOTED_MAX) return false
  memory.said.push(short)
  return true
}

/** Nothing degrades silently, and a protection that is lost is an alarm as bad as what it protects from (SE-03, SE-36). */
function watchVote(run: Run, { rule, hazard, members, tally }: View): void {
  const isArmed = run.state.arm.state === 'ARMED'
  // Before windows are full for the first time nobody relies on it, unless the rig is armed.
  const isWarming = !isArmed && members.every(({ value }) => value !== 'STALE' && value !== 'INVALID')
  const isGrave = hazard === null || isOmissionGrave(hazard) || isAtLeast(hazard.inadvertent, 'critical')
  const why = whys(members).join(', ')
  if (tally.lost && !isWarming) {
    const text = `protection lost: ${rule.action} ${rule.target} by ${rule.id}, vote ${rule.vote} is ${tally.architecture}: ${why}`
    raise(run, `protection_lost:${rule.id}`, isGrave ? 'CRITICAL' : 'WARNING', text)
  } else if (!tally.lost) lower(run, `protection_lost:${rule.id}`, `vote ${tally.architecture}`)
  if (tally.degraded && !isWarming)
    raise(run, `vote_degraded:${rule.id}`, 'WARNING', `${rule.vote} of ${rule.id} is ${tally.architecture}: ${why}`)
  else if (!tally.degraded) lower(run, `vote_degraded:${rule.id}`, `vote ${tally.architecture}`)
}

/** A must-work action that is denied is an alarm (SE-07), and so is a budget that is used up (SE-19). */
function warnOfDenial(run: Run, { rule, hazard }: View, { denied, passive }: Gates): void {
  const text = `${rule.action} ${rule.target}: ${denied.join(', ')}`
  const isGrave = hazard === null || isOmissionGrave(hazard)
  const severity = isGrave && passive.length === 0 ? 'CRITICAL' : 'WARNING'
  if (denied.length > 0 && isGrave) raise(run, `denied:${rule.id}`, severity, text)
  else lower(run, `denied:${rule.id}`, 'no demand is denied')
  if (denied.some((reason) => reason.startsWith('BUDGET:'))) raise(run, `budget:${rule.id}`, severity, text)
  else lower(run, `budget:${rule.id}`, 'within budget')
}

/**
 * Follows the demand through its episode (SE-18): it begins with the demand, and ends when the cause is known to be gone for
 * as long as the rule asks. What is unknown neither ends it nor counts towards its end.
 */
function followEpisode(run: Run, { rule, tally, demand }: View, memory: RuleState): void {
  const { endUs } = run.seen
  if (demand !== null) {
    memory.clearFromUs = null
    if (memory.inEpisode) return
    memory.inEpisode = true
    memory.episode += 1
    memory.startUs = endUs
    memory.proposals = 0
    memory.said = []
    memory.escalated = false
    return
  }
  if (!memory.inEpisode) return
  if (!tally.gone) memory.clearFromUs = null
  else memory.clearFromUs ??= endUs
  const isUnderWay = run.state.open.some((one) => one.rule === rule.id)
  if (memory.clearFromUs === null || isUnderWay || !(endUs - memory.clearFromUs >= rule.clearUs)) return
  memory.inEpisode = false
  memory.clearFromUs = null
  if (memory.shot !== 'spent') return
  if (rule.rearm === 'auto' && !memory.needsPerson) rearm(run, memory, [], 'the cause is gone')
  else memory.shot = 'cleared'
}

/** Gives a rule its shot back. */
export function rearm(run: Run, memory: RuleState, by: readonly string[], reason: string): void {
  memory.shot = 'ready'
  memory.acted = false
  memory.needsPerson = false
  run.out.push({ kind: 'rule', rule: memory.id, is: 'rearmed', by, reason })
  for (const subject of [memory.id, `${memory.id}/escalation`]) {
    for (const about of ['verify_failed', 'action_failed', 'denied']) lower(run, `${about}:${subject}`, reason)
  }
}
