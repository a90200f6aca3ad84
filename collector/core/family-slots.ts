import type { BaselineKind } from '../../shared/model/baseline.ts'
import { type BookState, currentOf, slotOf, type Tagged } from '../../shared/model/baseline-book.ts'
import type { BaselineSubject } from '../../shared/model/baseline-statement.ts'
import type { Micros } from '../../shared/units.ts'

/** Slots of a book that rigs of a family may share, by programme, family, mode and role. */
export type FamilySlots = ReadonlyMap<string, readonly string[]>

/** Made once for a state of the book: rigs say twice a second what they have. */
export function familySlots({ requests }: BookState): FamilySlots {
  const slots = new Map<string, string[]>()
  for (const request of requests.values()) {
    if (request.family === '') continue
    const shared = keyOf(request, request.as)
    const slot = slotOf(request, request.as)
    const known = slots.get(shared) ?? []
    if (!known.includes(slot)) slots.set(shared, [...known, slot])
  }
  return slots
}

/**
 * The baseline in force for a rig: one that was made on itself goes before what it shares, and of what its family shares,
 * whichever of its rigs that was made on, the newest counts.
 */
export function currentFor(
  state: BookState,
  families: FamilySlots,
  { of, role, nowUs }: Readonly<{ of: BaselineSubject; role: BaselineKind; nowUs: Micros }>,
): Tagged | null {
  const alone = currentOf(state, slotOf({ ...of, family: '' }, role), nowUs)
  if (alone !== null || of.family === '') return alone
  const own = currentOf(state, slotOf(of, role), nowUs)
  if (own !== null) return own
  const shared = (families.get(keyOf(of, role)) ?? []).flatMap((slot) => currentOf(state, slot, nowUs) ?? [])
  return shared.reduce<Tagged | null>(
    (newest, one) => (newest !== null && newest.atUs >= one.atUs ? newest : one),
    null,
  )
}

function keyOf({ program, family, mode }: BaselineSubject, role: BaselineKind): string {
  return [program, family, mode, role].join(' ')
}
