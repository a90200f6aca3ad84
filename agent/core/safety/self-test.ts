import { CONDITION_VALUES, type ConditionValue } from '../../../shared/model/action.ts'
import type { Dominance } from '../../../shared/model/hazard-vote.ts'
import { tally } from './vote.ts'

/** What 2oo3 and 2oo2 must say of each number of TRUE and of unknown members: demand, no demand, or protection lost. */
type Says = 'demand' | 'none' | 'lost'

/** The truth table of the votes that hard actions take, written down apart from the code that counts (SE-02, SE-03). */
function expected(members: 2 | 3, dominance: Dominance, yes: number, unknown: number): Says {
  if (unknown >= 2 || (members === 2 && unknown === 1)) return 'lost'
  if (unknown === 1 && dominance === 'must_work') return yes >= 1 ? 'demand' : 'none'
  return yes >= 2 ? 'demand' : 'none'
}

/**
 * Votes against their truth table, every member in every value (SE-37): a program whose gates do not hold must not be armed.
 *
 * @returns what differs, as `VOTE DOMINANCE values`; empty when all is well
 */
export function gatesThatFail(count: typeof tally = tally): string[] {
  const failing: string[] = []
  for (const dominance of ['must_work', 'must_not_work'] as const)
    for (const members of [2, 3] as const) {
      const vote = members === 2 ? '2oo2' : '2oo3'
      for (const values of valuesOf(members)) {
        const yes = values.filter((value) => value === 'TRUE').length
        const unknown = values.filter((value) => value !== 'TRUE' && value !== 'FALSE').length
        const said = count(vote, values, dominance)
        const says: Says = said.lost ? 'lost' : said.demand ? 'demand' : 'none'
        const isSafe = !(said.lost && said.demand)
        if (says !== expected(members, dominance, yes, unknown) || !isSafe)
          failing.push(`${vote} ${dominance} ${values.join(' ')}`)
      }
    }
  return failing
}

function valuesOf(members: number): ConditionValue[][] {
  let all: ConditionValue[][] = [[]]
  for (let k = 0; k < members; k += 1)
    all = all.flatMap((values) => CONDITION_VALUES.map((value) => [...values, value]))
  return all
}
