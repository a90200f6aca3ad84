import type { Rule } from '../../../shared/model/actions-policy.ts'
import { isAtLeast } from '../../../shared/model/hazard-vote.ts'
import { escalate, propose } from './act.ts'
import { settleEarly } from './early.ts'
import { followEpisode, isNew, isUnderWay, proposalOf, type Slide, shed } from './episode.ts'
import { type Gates, gatesOfRule } from './gate.ts'
import { type View, viewOf, whys } from './grounds.ts'
import { hazardOf, lower, type Run, raise } from './run.ts'
import { PROPOSALS_MAX, type RuleState } from './state.ts'
import { isOmissionGrave } from './vote.ts'

/** Judges one rule at a slide: alarms about its vote, its episode, and what its demand comes to. */
export function stepRule(run: Run, rule: Rule, memory: RuleState, slide: Slide): void {
  const hazard = hazardOf(run.policy, rule.action, rule.target)
  const view = viewOf(rule, memory, hazard, run.seen)
  watchVote(run, view)
  settleEarly(run, view, memory)
  followEpisode(run, view, memory)
  if (view.demand === null || memory.shot === 'spent' || isUnderWay(run, rule)) {
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
  propose(run, proposalOf(run, view, memory, ''), gates, view.members)
  if (gates.warrant !== null) slide.passed += 1
  if (gates.denied.some((reason) => reason.startsWith('BUDGET:')) && gates.passive.length === 0)
    escalate(run, memory, { proofs: gates.proofs.map(({ condition }) => condition), why: 'BUDGET' })
}

function full(gates: Gates): Gates {
  return { ...gates, denied: [...gates.denied, `PROPOSALS:${PROPOSALS_MAX}`], warrant: null }
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
