import type { Hazard, Rule } from '../../../shared/model/actions-policy.ts'
import { dominanceOf } from '../../../shared/model/hazard-vote.ts'
import { propose } from './act.ts'
import { advance, isKnown, type Member, memberNow } from './condition.ts'
import { beginEpisode, isNew, proposalOf, type Slide, shed } from './episode.ts'
import { gatesOfRule } from './gate.ts'
import { groundsOf, type View } from './grounds.ts'
import { changeOf, findOpen, hazardOf, lower, type Run, raise } from './run.ts'
import type { RuleState } from './state.ts'
import { type Tally, tally } from './vote.ts'
import { isHard } from './warrant.ts'

/** The arrival that is judged, and what rules share at it. */
type Arrived = Readonly<{ arrival: string; slide: Slide }>

/**
 * Proposes what a rule on the fast path asks for on samples whose slide has not closed (SE-29). It brings an action forward
 * and does nothing else: it begins an episode when every gate agrees, or when only nobody has armed it, and leaves everything
 * else (denials, degraded and lost votes, alarms, the end of the episode) to the slide that closes.
 */
export function stepEarly(run: Run, rule: Rule, memory: RuleState, { arrival, slide }: Arrived): void {
  // An open action of it, and a shot that is spent, are denied by the gates.
  if (!rule.fastPath || memory.inEpisode) return
  const { action, target } = rule
  const hazard = hazardOf(run.policy, action, target)
  const view = earlyViewOf(rule, memory, hazard, run)
  if (view === null) return
  const gates = shed(run, rule, gatesOfRule(run, view, memory, { action, target, hazard, self: null }), slide)
  if (gates.denied.length > 0) return
  beginEpisode(memory, view.seen.endUs)
  memory.proposals = 1
  // The slide that closes says the same and does not repeat it.
  if (gates.warrant === null) isNew(memory, gates)
  else slide.passed += 1
  const open = propose(run, proposalOf(run, view, memory, arrival), gates, view.members)
  memory.early = { key: open.key, endUs: open.endUs }
}

/** The first slide that has not closed in which a rule makes a demand that can be proved; null when there is none. */
export function earlyViewOf(
  rule: Rule,
  memory: RuleState,
  hazard: Hazard | null,
  { seen, state, policy }: Run,
): View | null {
  const slides = seen.early?.(rule) ?? []
  const closed = rule.conditions.map((condition, k) => memberNow(memory.members[k]!, condition, seen))
  // What is remembered is that of the closed slides, and stays so.
  const members = rule.conditions.map((_, k) => ({ ...memory.members[k]! }))
  let beforeUs = state.endUs
  for (const early of slides) {
    const gapUs = beforeUs === null ? null : early.endUs - beforeUs
    beforeUs = early.endUs
    const now = rule.conditions.map((condition, k) => {
      advance(members[k]!, condition, early, gapUs)
      return memberNow(members[k]!, condition, early)
    })
    const votes = votesOf(rule, hazard, now, closed)
    if (!votes.demand) continue
    const view: View = { rule, hazard, members: now, tally: votes, demand: 'vote', seen: early }
    const { reasons } = groundsOf(view, { hard: isHard(rule.action), testbed: policy.testbed })
    if (reasons.length === 0) return view
  }
  return null
}

/**
 * The vote as far as the samples have come. A member of which not enough has arrived is no member that is unknown: it makes no
 * demand, and degrades the vote only when the closed slide did not know it either.
 */
function votesOf(rule: Rule, hazard: Hazard | null, now: readonly Member[], closed: readonly Member[]): Tally {
  const values = now.map(({ value }, k) => (isKnown(value) || !isKnown(closed[k]!.value) ? value : 'FALSE'))
  return tally(rule.vote, values, hazard === null ? 'must_not_work' : dominanceOf(hazard))
}

/** Holds what was proposed early against its slide, now that it has closed. Nothing is undone: it is said beside it. */
export function settleEarly(run: Run, { rule, demand }: View, memory: RuleState): void {
  const { early } = memory
  const { seen, state, out } = run
  if (early === null || seen.endUs < early.endUs) return
  memory.early = null
  const says = seen.endUs > early.endUs ? 'unseen' : demand === null ? 'differs' : 'agrees'
  const about = findOpen(run, early.key) ?? state.done.find(({ key }) => key === early.key)
  if (about !== undefined)
    out.push(
      changeOf(run, about, { state: about.state, from: about.state, reasons: [`CLOSED:${says}`], note: NOTE[says] }),
    )
  const text = `${rule.action} ${rule.target} was asked for on samples as they arrived; ${NOTE[says]}`
  if (says === 'agrees') lower(run, `early_differs:${rule.id}`, text)
  else raise(run, `early_differs:${rule.id}`, 'WARNING', text)
}

const NOTE = {
  agrees: 'its slide has closed and says the same',
  differs: 'its slide has closed and does not say so',
  unseen: 'its slide was never evaluated',
} as const
