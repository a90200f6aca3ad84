import { SEVERITIES, type Severity } from './action.ts'
import type { Vote } from './actions-policy.ts'

/** How bad an action is when it comes unasked, and when it does not come (SE-01). */
export type Harm = Readonly<{ inadvertent: Severity; omission: Severity }>

/** Whether one severity is at least another. */
export function isAtLeast(severity: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least)
}

/**
 * How the conditions of an action vote (SE-02): what is worse decides, and where both are critical, or both equally bad,
 * neither error is acceptable. Null: nothing is at stake, and any vote will do.
 */
export function voteFor({ inadvertent, omission }: Harm): Vote | null {
  if (inadvertent === 'none' && omission === 'none') return null
  if (isAtLeast(inadvertent, 'critical') && isAtLeast(omission, 'critical')) return '2oo3'
  if (inadvertent === omission) return '2oo3'
  return isAtLeast(omission, inadvertent) ? '1ooN' : '2oo2'
}

/** Whether the action must work: not doing it is as bad as doing it unasked, or worse. */
export function isMustWork(harm: Harm): boolean {
  const vote = voteFor(harm)
  return vote === '1ooN' || vote === '2oo3'
}

/** What a vote falls towards when members are unknown: what must work falls towards acting, what must not work away from it. */
export type Dominance = 'must_work' | 'must_not_work'

/** Which way a hazard is worse. On a tie the gentler way: less is done to the hardware. */
export function dominanceOf({ omission, inadvertent }: Harm): Dominance {
  return isAtLeast(inadvertent, omission) ? 'must_not_work' : 'must_work'
}

/** Conditions a vote is about: exactly so many, or at least one. */
export const VOTE_CONDITIONS: Readonly<Record<Vote, number | null>> = { '1ooN': null, '2oo2': 2, '2oo3': 3 }

/** The chosen architecture in words, as SE-02 wants it said. */
export const VOTE_WORDS: Readonly<Record<Vote, string>> = {
  '1ooN': 'any one condition is enough (1ooN, must-work): not acting would be worse than acting unasked',
  '2oo2': 'both conditions must agree (2oo2, must-not-work): acting unasked would be worse than not acting',
  '2oo3': 'two of three conditions must agree (2oo3): neither acting unasked nor not acting is acceptable',
}
