import type { Micros } from '../../shared/units.ts'

/** Updates that are permitted in any minute, and the least time between two (predecessor 1.14). */
export const UPDATES_PER_MINUTE_MAX = 10
export const UPDATE_SPACING_US: Micros = 6_000_000
const MINUTE_US: Micros = 60_000_000

/**
 * How often a peer may change something. Only what was permitted counts: a call that is denied neither spends nor gives
 * back anything, so that a storm neither gets through nor locks out for longer than the bound says (D20).
 */
export class UpdateLimiter {
  /** When updates were permitted within the last minute, oldest first. */
  private permittedUs: Micros[] = []

  /** `nowUs` is monotonic. @returns whether the update is permitted now */
  permit(nowUs: Micros): boolean {
    const within = this.permittedUs.filter((us) => nowUs - us < MINUTE_US)
    const last = within.at(-1)
    const isSpaced = last === undefined || nowUs - last >= UPDATE_SPACING_US
    if (!(nowUs >= 0 && isSpaced && within.length < UPDATES_PER_MINUTE_MAX)) return false
    this.permittedUs = [...within, nowUs]
    return true
  }
}
