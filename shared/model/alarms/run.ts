import type { Micros } from '../../units.ts'
import type { ConditionValue } from '../action.ts'
import type { Comparison } from '../actions-policy.ts'
import { type AlarmDefinition, type AlarmLevel, comparedWith } from '../alarm.ts'

/** How far one level of an alarm has come. Times are event times; −1: not running. */
export type Run = {
  active: boolean
  /** Known slides, the newest in the lowest bit; 1: TRUE. */
  history: number
  /** Since when k-of-n has held with every slide known. */
  heldSinceUs: Micros
  /** Slides in a row that were known to be FALSE while active, and when they began. */
  clearSlides: number
  clearSinceUs: Micros
}

export function createRun(): Run {
  return { active: false, history: 0, heldSinceUs: -1, clearSlides: 0, clearSinceUs: -1 }
}

/** One slide of one level. `isGap`: nothing is known of the time since the slide before. `limit`: that of the mode in force. */
export type RunSlide = Readonly<{
  value: ConditionValue
  measured: number | null
  limit: Readonly<{ op: Comparison; value: number }> | null
  endUs: Micros
  isGap: boolean
}>

/** Whether a condition is known (SE-05): everything else counts neither for raising nor for clearing. */
export function isKnown(value: ConditionValue): value is 'TRUE' | 'FALSE' {
  return value === 'TRUE' || value === 'FALSE'
}

/** Takes in one slide. Only known slides raise or clear; what is unknown leaves an active level active (AL-2, AL-3, AL-11). */
export function stepRun(run: Run, level: AlarmLevel, definition: AlarmDefinition, slide: RunSlide): void {
  if (slide.isGap) breakTime(run)
  if (!isKnown(slide.value) || (slide.isGap && definition.onUnknown === 'reset')) {
    breakTime(run)
    if (definition.onUnknown === 'reset') run.history = 0
  }
  if (!isKnown(slide.value)) return
  if (run.active) stepClear(run, level, definition, slide)
  else stepRaise(run, level, slide)
}

/** Forgets how near a level came, as nobody has known for too long. What is active stays so. */
export function forgetRun(run: Run): void {
  breakTime(run)
  if (!run.active) run.history = 0
}

function breakTime(run: Run): void {
  run.heldSinceUs = -1
  run.clearSlides = 0
  run.clearSinceUs = -1
}

function stepRaise(run: Run, { persistence, heldUs }: AlarmLevel, { value, endUs }: RunSlide): void {
  run.history = ((run.history << 1) | (value === 'TRUE' ? 1 : 0)) & bitsOf(persistence.n)
  if (!(countOf(run.history) >= persistence.k)) {
    run.heldSinceUs = -1
    return
  }
  if (run.heldSinceUs < 0) run.heldSinceUs = endUs
  run.active = endUs - run.heldSinceUs >= heldUs
}

function stepClear(run: Run, level: AlarmLevel, { clear }: AlarmDefinition, slide: RunSlide): void {
  const isGood = slide.value === 'FALSE' && isPastDeadband(level, slide)
  if (!isGood) {
    run.clearSlides = 0
    run.clearSinceUs = -1
    return
  }
  if (run.clearSlides === 0) run.clearSinceUs = slide.endUs
  run.clearSlides += 1
  if (!(run.clearSlides >= clear.slides && slide.endUs - run.clearSinceUs >= clear.us)) return
  Object.assign(run, createRun())
}

/** Whether a value is as far on the good side of its limit as the deadband asks for; one that nobody measured is not. */
function isPastDeadband({ deadband }: AlarmLevel, { measured, limit }: RunSlide): boolean {
  if (deadband === 0 || limit === null) return true
  if (measured === null) return false
  const isUpper = limit.op === '>' || limit.op === '>='
  const back = isUpper ? limit.value - deadband : limit.value + deadband
  return comparedWith(measured, limit.op, back) === 'FALSE'
}

/** Whether what was seen so far may still help to raise a level: fewer than `k` further slides would do, or time alone. */
export function isPending({ active, history }: Run, { persistence: { k, n } }: AlarmLevel): boolean {
  if (active) return false
  if (countOf(history) >= k) return true
  for (let more = 1; more < k; more += 1) if (countOf(history & bitsOf(n - more)) >= k - more) return true
  return false
}

function bitsOf(n: number): number {
  return (1 << n) - 1
}

function countOf(history: number): number {
  let count = 0
  for (let rest = history; rest > 0; rest >>= 1) count += rest & 1
  return count
}
