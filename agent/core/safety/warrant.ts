import { type Action, HARD_ACTIONS } from '../../../shared/model/action.ts'
import { type Harm, isAtLeast } from '../../../shared/model/hazard-vote.ts'

declare const PROVEN: unique symbol

/** That one condition was TRUE, or lost, when the gates were evaluated. Only this file makes one. */
export type Proof = Readonly<{ condition: string; says: 'TRUE' | 'LOST' }> & { readonly [PROVEN]: true }

/** Two people who are not the same, of whom one confirmed what the other ordered. */
export type TwoPersons = readonly [string, string] & { readonly [PROVEN]: true }

/**
 * What a release rests on (SE-04). A hard action needs two distinct proofs, or one and the word of two people; there is no
 * other way to make one, and nothing is released without one.
 */
export type Warrant =
  | Readonly<{ kind: 'gentle' }>
  | Readonly<{ kind: 'two_proofs'; first: Proof; second: Proof }>
  | Readonly<{ kind: 'proof_and_persons'; proof: Proof; persons: TwoPersons }>
  /** Ordered by one person and confirmed by another (SE-23). */
  | Readonly<{ kind: 'persons'; persons: TwoPersons }>
  /** Ordered by one person under break-glass, on a rig that two had armed (SE-26). */
  | Readonly<{ kind: 'break_glass'; person: string; armed: TwoPersons }>

export function isHard(action: Action): boolean {
  return HARD_ACTIONS.includes(action)
}

export function proofOf(condition: string, says: Proof['says']): Proof {
  return { condition, says } as Proof
}

/** @returns null unless two different people are named. */
export function twoPersons(by: readonly string[]): TwoPersons | null {
  const [first, second] = [...new Set(by.filter((name) => name !== ''))]
  return first === undefined || second === undefined ? null : ([first, second] as unknown as TwoPersons)
}

/** What an automatic action may be released on. @returns null when it is not enough. */
export function warrantOf(action: Action, proofs: readonly Proof[], persons: TwoPersons | null): Warrant | null {
  if (!isHard(action)) return { kind: 'gentle' }
  const [first, ...others] = proofs
  if (first === undefined) return null
  const second = others.find(({ condition }) => condition !== first.condition)
  if (second !== undefined) return { kind: 'two_proofs', first, second }
  return persons === null ? null : { kind: 'proof_and_persons', proof: first, persons }
}

/** Whether an action that a person orders takes a second one (SE-23): a hard one, and one of which any error is grave. */
export function needsSecond(action: Action, hazard: Harm | null): boolean {
  if (isHard(action) || hazard === null) return true
  return isAtLeast(hazard.inadvertent, 'critical') || isAtLeast(hazard.omission, 'critical')
}

/** One person under break-glass, and the two who armed the rig. */
export type OnePerson = Readonly<{ person: string; armed: TwoPersons }>

/** What an ordered action may be released on. @returns null when it is not enough. */
export function orderedWarrant(
  { action, hazard }: Readonly<{ action: Action; hazard: Harm | null }>,
  by: readonly string[],
  glass: OnePerson | null,
): Warrant | null {
  if (!needsSecond(action, hazard)) return by.some((name) => name !== '') ? { kind: 'gentle' } : null
  const persons = twoPersons(by)
  if (persons !== null) return { kind: 'persons', persons }
  return glass === null ? null : { kind: 'break_glass', ...glass }
}
