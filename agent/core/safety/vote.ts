import type { ConditionValue } from '../../../shared/model/action.ts'
import type { Vote } from '../../../shared/model/actions-policy.ts'
import { type Dominance, type Harm, isAtLeast, VOTE_CONDITIONS } from '../../../shared/model/hazard-vote.ts'
import { isKnown } from './condition.ts'

/** How many of the known members make a demand; 'lost': too many are unknown for the vote to protect anything. */
type Needed = number | 'lost'

/**
 * The degradation table (SE-03), by how many members are unknown: 2oo3 becomes 1oo2 or 2oo2, then it is lost. A vote of one
 * of N goes on with the members that are left until two, or all, are unknown.
 */
export const DEGRADATION: Readonly<Record<Vote, Readonly<Record<Dominance, readonly Needed[]>>>> = {
  '2oo3': { must_work: [2, 1, 'lost', 'lost'], must_not_work: [2, 2, 'lost', 'lost'] },
  '2oo2': { must_work: [2, 'lost', 'lost'], must_not_work: [2, 'lost', 'lost'] },
  '1ooN': { must_work: [1, 1, 'lost'], must_not_work: [1, 1, 'lost'] },
}

export type Tally = Readonly<{
  /** Enough of the known members are TRUE. */
  demand: boolean
  /** TRUE members that a demand takes, after degradation; 0 when the vote is lost or malformed. */
  needed: number
  /** At least one member is unknown, and the vote goes on without it. */
  degraded: boolean
  /** Too many are unknown: there is no protection. */
  lost: boolean
  /** There would be no demand even if all unknown members were TRUE: the cause is known to be gone. */
  gone: boolean
  /** The vote as it stands, for people: `2oo3`, `1oo2`, `lost`, `malformed`. */
  architecture: string
}>

/** Whether harm is done when the action does not come (SE-07, SE-15). */
export function isOmissionGrave({ omission }: Pick<Harm, 'omission'>): boolean {
  return isAtLeast(omission, 'critical')
}

/** Counts the votes. A wrong number of members is no vote at all: it makes no demand and counts as lost. */
export function tally(vote: Vote, values: readonly ConditionValue[], dominance: Dominance): Tally {
  const members = VOTE_CONDITIONS[vote]
  if (values.length === 0 || (members !== null && values.length !== members))
    return { demand: false, needed: 0, degraded: false, lost: true, gone: false, architecture: 'malformed' }
  const unknown = values.filter((value) => !isKnown(value)).length
  const yes = values.filter((value) => value === 'TRUE').length
  const row = DEGRADATION[vote][dominance]
  const needed = row[Math.min(unknown, row.length - 1)]!
  const gone = yes + unknown < (row[0] as number)
  // One of N that is TRUE is a demand, whatever the others would say.
  if (vote === '1ooN' && yes > 0) return { ...standing(vote, 1, values.length, unknown), demand: true, gone }
  if (needed === 'lost' || unknown === values.length)
    return { demand: false, needed: 0, degraded: false, lost: true, gone, architecture: 'lost' }
  return { ...standing(vote, needed, values.length, unknown), demand: yes >= needed, gone }
}

function standing(vote: Vote, needed: number, members: number, unknown: number): Omit<Tally, 'demand' | 'gone'> {
  const architecture = unknown === 0 ? vote : `${needed}oo${members - unknown}`
  return { needed, degraded: unknown > 0, lost: false, architecture }
}
