import type { Condition, Hazard, Rule } from '../../../shared/model/actions-policy.ts'
import { dominanceOf, isMustWork } from '../../../shared/model/hazard-vote.ts'
import type { Micros } from '../../../shared/units.ts'
import { type Member, memberNow } from './condition.ts'
import { dependenceReasons } from './independence.ts'
import type { Seen } from './seen.ts'
import type { RuleState } from './state.ts'
import { type Tally, tally } from './vote.ts'
import { type Proof, proofOf } from './warrant.ts'

/** A rule as it stands at this moment. */
export type View = Readonly<{
  rule: Rule
  hazard: Hazard | null
  members: readonly Member[]
  tally: Tally
  /** What asks for the action: the vote, the loss of what must work, or nothing. */
  demand: 'vote' | 'loss' | null
  /** What it was judged by. */
  seen: Seen
}>

export function viewOf(rule: Rule, memory: RuleState, hazard: Hazard | null, seen: Seen): View {
  const members = rule.conditions.map((condition, index) => memberNow(memory.members[index]!, condition, seen))
  const dominance = hazard === null ? 'must_not_work' : dominanceOf(hazard)
  const votes = tally(
    rule.vote,
    members.map(({ value }) => value),
    dominance,
  )
  const isLoss =
    votes.architecture === 'lost' &&
    hazard !== null &&
    isMustWork(hazard) &&
    hazard.onUnknown === 'safe_state' &&
    members.every((member) => isLost(member, seen))
  return { rule, hazard, members, tally: votes, demand: votes.demand ? 'vote' : isLoss ? 'loss' : null, seen }
}

/**
 * A member that is known is not lost; one that warms up is not lost either, and what was known a moment ago is not lost
 * before data of that age would be stale.
 */
function isLost({ value, knownUs, condition }: Member, { endUs }: Seen): boolean {
  if (value === 'TRUE' || value === 'FALSE') return true
  return value !== 'INSUFFICIENT' && endUs - knownUs > condition.freshUs
}

export type Grounds = Readonly<{ proofs: readonly Proof[]; reasons: readonly string[] }>

/** For what is to be proved: whether a hard action is to rest on it, and whether the rig is a declared testbed. */
type For = Readonly<{ hard: boolean; testbed: boolean }>

/** What a demand can be proved by (SE-04, SE-06, SE-08, SE-12), or why it cannot. */
export function groundsOf(view: View, { hard, testbed }: For): Grounds {
  const { members, demand, seen } = view
  if (demand === null) return { proofs: [], reasons: ['NO_DEMAND', ...whys(members)] }
  if (demand === 'loss') {
    const lost = members.find(({ value }) => value !== 'TRUE' && value !== 'FALSE')!
    return { proofs: [proofOf(lost.condition.id, 'LOST')], reasons: [] }
  }
  const usable: Member[] = []
  const reasons: string[] = []
  for (const member of members) {
    if (member.value !== 'TRUE') continue
    const bad = hard ? provenanceReason(member.condition, seen, testbed) : null
    if (bad === null) usable.push(member)
    else reasons.push(bad)
  }
  if (view.tally.needed !== 1) return twoOf(view, usable, reasons)
  if (!hard) return { proofs: usable.map(proofOfMember), reasons: [] }
  return oneOf(view, usable, reasons)
}

export function whys(members: readonly Member[]): string[] {
  return members.filter(({ why }) => why !== '').map(({ why }) => why)
}

/** Only what a rig really measures moves it; a declared testbed may also be moved by what it simulates (SE-12). */
export function provenanceReason({ id, look }: Condition, seen: Seen, testbed: boolean): string | null {
  if (look.kind === 'overall' || look.kind === 'event') return `UNATTRIBUTED:${id}`
  const provenance = seen.metric(look.metric)?.provenance ?? 'none'
  if (provenance === 'live') return null
  if (testbed && (provenance === 'simulated' || provenance === 'injected')) return null
  return `PROVENANCE:${provenance} ${look.metric}`
}

/** Two members that are independent and coincide, or what keeps each pair from it. */
function twoOf({ rule, seen }: View, usable: readonly Member[], before: readonly string[]): Grounds {
  const reasons = [...before]
  for (let a = 0; a < usable.length; a += 1) {
    for (let b = a + 1; b < usable.length; b += 1) {
      const bad = pairReasons(usable[a]!, usable[b]!, rule, seen)
      if (bad.length === 0) return { proofs: [usable[a]!, usable[b]!].map(proofOfMember), reasons: [] }
      reasons.push(...bad)
    }
  }
  return { proofs: [], reasons: [...new Set(reasons)] }
}

function pairReasons(a: Member, b: Member, rule: Rule, seen: Seen): string[] {
  const apartUs = Math.abs((a.ageUs ?? 0) - (b.ageUs ?? 0))
  const reasons = dependenceReasons(a.condition, b.condition, seen)
  if (!(apartUs <= rule.coincidenceUs)) reasons.push(`COINCIDENCE ${ms(apartUs)}ms>${ms(rule.coincidenceUs)}`)
  return reasons
}

/** One member is enough; two are taken where there are two, because a hard action then needs no one's word. */
function oneOf(view: View, usable: readonly Member[], before: readonly string[]): Grounds {
  const two = twoOf(view, usable, [])
  if (two.proofs.length === 2) return two
  const reasons = [...before]
  for (const member of usable) {
    const bad = singleSampleReason(member, view.seen)
    if (bad === null) return { proofs: [proofOfMember(member)], reasons: [] }
    reasons.push(bad)
  }
  return { proofs: [], reasons }
}

/**
 * No single sample starts a hard action (SE-04): what stands alone is TRUE for as long as its window is wide, so that no
 * sample is in both the first window that said so and the last.
 */
function singleSampleReason({ condition, heldFromUs }: Member, seen: Seen): string | null {
  const widthUs = widthOf(condition, seen)
  const heldUs = heldFromUs === null ? 0 : seen.endUs - heldFromUs
  if (widthUs > 0 && heldUs >= widthUs) return null
  return `SINGLE_SAMPLE:${condition.id} ${ms(heldUs)}ms<${ms(widthUs)}`
}

/** Width of the window that a condition looks at; of the widest that its metric is judged by, for a verdict. */
export function widthOf({ look }: Condition, seen: Seen): Micros {
  if (look.kind === 'window') return look.windowUs
  if (look.kind !== 'verdict') return 0
  return (seen.metric(look.metric)?.windows ?? []).reduce((widest, { windowUs }) => Math.max(widest, windowUs), 0)
}

function proofOfMember({ condition }: Member): Proof {
  return proofOf(condition.id, 'TRUE')
}

function ms(us: Micros): number {
  return Math.floor(us / 1000)
}
