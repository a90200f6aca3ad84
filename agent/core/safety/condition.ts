import type { ConditionValue } from '../../../shared/model/action.ts'
import type { Comparison, Condition, Look } from '../../../shared/model/actions-policy.ts'
import type { MetricVerdict } from '../../../shared/model/verdict.ts'
import type { Micros } from '../../../shared/units.ts'
import type { MetricSeen, Seen } from './seen.ts'

/** Most slides that persistence looks back over; a condition that asks for more is INVALID. */
export const PERSISTENCE_SLIDES_MAX = 1024

/** What is remembered of a condition. Plain data. */
export type ConditionState = {
  id: string
  /** One letter a slide, newest last: T, F, S (STALE), I (INVALID), N (INSUFFICIENT). At most `n` of them. */
  history: string
  /** End of the slide since which it is TRUE without a break, persistence included; null while it is not. */
  heldFromUs: Micros | null
  /** Event time at which it was last known, or first looked at. */
  knownUs: Micros
}

/** What one look says now, without persistence. `why` is '' for TRUE and FALSE. */
export type Observation = Readonly<{
  value: ConditionValue
  why: string
  /** Age of the newest sample behind it; null for what is not one metric. */
  ageUs: Micros | null
}>

/** A condition at this moment, persistence included. */
export type Member = Readonly<{
  condition: Condition
  value: ConditionValue
  why: string
  ageUs: Micros | null
  heldFromUs: Micros | null
  knownUs: Micros
}>

const LETTERS: Readonly<Record<ConditionValue, string>> = {
  TRUE: 'T',
  FALSE: 'F',
  STALE: 'S',
  INVALID: 'I',
  INSUFFICIENT: 'N',
}

export function isKnown(value: ConditionValue): boolean {
  return value === 'TRUE' || value === 'FALSE'
}

export function createCondition(condition: Condition): ConditionState {
  return { id: condition.id, history: '', heldFromUs: null, knownUs: -1 }
}

/**
 * The value of k of the newest n slides (safety-engine.md 4): TRUE when k are TRUE whatever the unknown ones were, FALSE when
 * k cannot have been, unknown otherwise. Slides that were not there yet are unknown.
 *
 * @returns INVALID for a k or n that makes no sense.
 */
export function kOfN(history: string, k: number, n: number): ConditionValue {
  if (!(k >= 1 && k <= n && n <= PERSISTENCE_SLIDES_MAX)) return 'INVALID'
  const count = (letter: string): number => {
    let found = 0
    for (let i = Math.max(0, history.length - n); i < history.length; i += 1) if (history[i] === letter) found += 1
    return found
  }
  const yes = count('T')
  if (yes >= k) return 'TRUE'
  if (n - count('F') < k) return 'FALSE'
  if (count('I') > 0) return 'INVALID'
  return count('S') > 0 ? 'STALE' : 'INSUFFICIENT'
}

/** Looks at what is seen. Everything is stated as what must hold, so that NaN and absence are unknown, never FALSE. */
export function observe(condition: Condition, seen: Seen): Observation {
  const { look } = condition
  if (seen.clockStepped) return unknown('STALE', 'CLOCK_STEP')
  if (look.kind === 'overall') return observeOverall(look, seen)
  if (look.kind === 'event') return observeEvent(seen)
  const metric = seen.metric(look.metric)
  if (metric === null) return unknown('STALE', `STALE:${look.metric} never seen`)
  const old = staleness(look.metric, metric, condition.freshUs)
  if (old !== null) return unknown('STALE', old)
  if (metric.verdict === 'INVALID') return unknown('INVALID', `INVALID:${look.metric}`)
  if (metric.verdict === 'STALE') return unknown('STALE', `STALE:${look.metric}`)
  return look.kind === 'window' ? observeWindow(look, metric) : observeVerdict(look, metric)
}

function unknown(value: ConditionValue, why: string): Observation {
  return { value, why, ageUs: null }
}

function known(isTrue: boolean, ageUs: Micros | null): Observation {
  return { value: isTrue ? 'TRUE' : 'FALSE', why: '', ageUs }
}

/** Both clocks must say that it is fresh: one alone is wrong after a step, the other after a delayed delivery (SE-08). */
function staleness(name: string, { ageUs, arrivalAgeUs }: MetricSeen, freshUs: Micros): string | null {
  if (ageUs === null || arrivalAgeUs === null) return `STALE:${name} never seen`
  const most = Math.floor(freshUs / 1000)
  if (!(ageUs <= freshUs)) return `STALE:${name} ${Math.floor(ageUs / 1000)}ms>${most}`
  if (!(arrivalAgeUs <= freshUs)) return `STALE:${name} arrival ${Math.floor(arrivalAgeUs / 1000)}ms>${most}`
  return null
}

function observeWindow(look: Extract<Look, { kind: 'window' }>, metric: MetricSeen): Observation {
  const window = metric.windows.find(({ windowUs }) => windowUs === look.windowUs)
  if (window === undefined) return unknown('INVALID', `INVALID:${look.metric} no window of ${look.windowUs}us`)
  if (!window.filled) return unknown('INSUFFICIENT', `INSUFFICIENT:${look.metric}`)
  const measured = window[look.of]
  if (!(Number.isFinite(measured) && Number.isFinite(look.value)))
    return unknown('INVALID', `INVALID:${look.metric} not a number`)
  return known(compare(measured, look.op, look.value), metric.ageUs)
}

const UNKNOWN_VERDICTS: Partial<Record<MetricVerdict, ConditionValue>> = {
  INVALID: 'INVALID',
  STALE: 'STALE',
  INSUFFICIENT: 'INSUFFICIENT',
  NO_BASELINE: 'INVALID',
}

/** A verdict that says that nothing is known makes nothing TRUE, even when the policy names it (SE-05). */
function observeVerdict(look: Extract<Look, { kind: 'verdict' }>, metric: MetricSeen): Observation {
  const value = UNKNOWN_VERDICTS[metric.verdict]
  if (value !== undefined) return unknown(value, `${metric.verdict}:${look.metric}`)
  return known(look.verdicts.includes(metric.verdict), metric.ageUs)
}

function observeOverall(look: Extract<Look, { kind: 'overall' }>, { verdict }: Seen): Observation {
  if (verdict === 'NO_TEST') return unknown('STALE', 'STALE:overall NO_TEST')
  if (verdict === 'NO_BASELINE') return unknown('INVALID', 'INVALID:overall NO_BASELINE')
  return known(look.verdicts.includes(verdict), null)
}

function observeEvent({ event }: Seen): Observation {
  if (event === null) return unknown('INVALID', 'INVALID:event no streams')
  if (event === 'warming_up') return unknown('INSUFFICIENT', 'INSUFFICIENT:event warming up')
  return known(event === 'alarm', null)
}

function compare(measured: number, op: Comparison, value: number): boolean {
  if (op === '>') return measured > value
  if (op === '>=') return measured >= value
  if (op === '<') return measured < value
  return measured <= value
}

/**
 * Takes in one slide. `gapUs` is the time since the slide before, null for the first: when it is longer than data stay fresh,
 * or no step forwards, something was not seen in between, and what lasts has been interrupted (G6).
 */
export function advance(state: ConditionState, condition: Condition, seen: Seen, gapUs: Micros | null): void {
  const { k, n } = condition.persistence
  const isBroken = gapUs !== null && !(gapUs > 0 && gapUs <= condition.freshUs)
  const { value, ageUs } = observe(condition, seen)
  const longer = `${state.history}${isBroken ? LETTERS.STALE : ''}${LETTERS[value]}`
  state.history = longer.slice(-Math.max(1, Math.min(n, PERSISTENCE_SLIDES_MAX)))
  const isTrue = valueNow(state.history, k, n) === 'TRUE'
  if (!isTrue) state.heldFromUs = null
  else if (state.heldFromUs === null || isBroken) state.heldFromUs = seen.endUs
  if (isKnown(value)) state.knownUs = seen.endUs - Math.max(0, ageUs ?? 0)
  else if (state.knownUs < 0) state.knownUs = seen.endUs
}

/** What is not seen now is unknown now, however often it was TRUE before: silence satisfies nothing. */
function valueNow(history: string, k: number, n: number): ConditionValue {
  const value = kOfN(history, k, n)
  if (value !== 'TRUE') return value
  const newest = history[history.length - 1]
  if (newest === LETTERS.STALE) return 'STALE'
  if (newest === LETTERS.INVALID) return 'INVALID'
  return newest === LETTERS.INSUFFICIENT ? 'INSUFFICIENT' : value
}

/** A condition judged on what is seen now, in place of what the newest slide said. Changes nothing. */
export function memberNow(state: ConditionState, condition: Condition, seen: Seen): Member {
  const { k, n } = condition.persistence
  const now = observe(condition, seen)
  const history = `${state.history.slice(0, -1)}${LETTERS[now.value]}`
  const value = valueNow(history, k, n)
  const { heldFromUs, knownUs } = state
  return { condition, value, why: explain(condition, now, value, history), ageUs: now.ageUs, heldFromUs, knownUs }
}

function explain(condition: Condition, now: Observation, value: ConditionValue, history: string): string {
  if (now.why !== '') return now.why
  if (value === 'TRUE') return ''
  const { k, n } = condition.persistence
  if (now.value === 'TRUE') {
    const yes = history.slice(-n).split(LETTERS.TRUE).length - 1
    return `NOT_PERSISTED:${condition.id} ${yes}/${k}`
  }
  return value === 'FALSE' ? `FALSE:${condition.id}` : `${value}:${condition.id} within ${n} slides`
}
