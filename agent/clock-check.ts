import type { LoadedRuntime } from '../shared/config/load.ts'
import { HbError } from '../shared/errors/hb-error.ts'
import { BATCH_COUNT_MAX } from '../shared/protocol/batch.ts'
import { EARLIEST_US, LATEST_US, type Micros } from '../shared/units.ts'

/** How far behind its own last input a clock may be at a start: a year. */
const BEHIND_MAX_US: Micros = 365 * 86_400_000_000

/** Refuses a wall clock that nobody can have set. @throws HbError CLOCK_OFF */
export function checkClock({ config }: LoadedRuntime, nowUs: Micros): void {
  if (config.clock === 'recording' || clockProblem(nowUs) === null) return
  throw new HbError('CLOCK_OFF', {
    found: new Date(nowUs / 1000).toISOString(),
    expected: `${new Date(EARLIEST_US / 1000).toISOString()} or later`,
  })
}

/** Why no clock says that; null when one may. */
export function clockProblem(nowUs: Micros): string | null {
  return nowUs >= EARLIEST_US && nowUs <= LATEST_US
    ? null
    : `${nowUs} us is not between ${new Date(EARLIEST_US / 1000).toISOString()} and ${new Date(LATEST_US / 1000).toISOString()}`
}

/**
 * Refuses a clock that is far before what the agent has evaluated already; one that is moved from outside may not be before it
 * at all. @throws HbError CLOCK_OFF
 */
export function checkNotBefore({ config }: LoadedRuntime, nowUs: Micros, evaluatedUs: Micros): void {
  const behindMaxUs = config.clock === 'external' ? 0 : BEHIND_MAX_US
  if (config.clock === 'recording' || nowUs >= evaluatedUs - behindMaxUs) return
  throw new HbError('CLOCK_OFF', {
    found: new Date(nowUs / 1000).toISOString(),
    expected: `${new Date(evaluatedUs / 1000).toISOString()}, when this agent last ran, or later`,
  })
}

/** Decisions of a recording's clock know no time of the wall: more than any batch may stand for are passed over. */
const DECISIONS_UNKNOWN_MAX = BATCH_COUNT_MAX

/** Most decisions that can have been made between two times of the wall clock. */
export function decisionsSince({ config }: LoadedRuntime, fromUs: Micros, nowUs: Micros): number {
  if (config.clock === 'recording') return DECISIONS_UNKNOWN_MAX
  const slides = config.rigs.map((rig) => Math.ceil(Math.max(0, nowUs - fromUs) / (rig.slide_ms * 1000)) + 2)
  return slides.reduce((a, b) => a + b, 0)
}
