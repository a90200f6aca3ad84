import type { PolicyOrder } from '../../../shared/model/action-input.ts'
import { ACTION_GLASS_SPAN_MAX_US, CONFIRM_WITHIN_US } from '../../../shared/model/order.ts'
import { armReasons } from './arming.ts'
import { lower, type Run, raise } from './run.ts'
import type { Seen } from './seen.ts'
import type { SafetyState } from './state.ts'
import { type OnePerson, twoPersons } from './warrant.ts'

type Order = Extract<PolicyOrder, { kind: 'break_glass' }>

/**
 * Opens a break-glass in two acts of one person, or closes it (SE-26). What two people have not armed it does not move: it
 * stands for the second person of an order by hand, never for an arming.
 *
 * @returns why the order is not followed; empty when it is
 */
export function breakGlass(run: Run, order: Order): readonly string[] {
  const { step, by } = order
  if (by === '') return ['NO_PERSON']
  if (step === 'close') {
    run.state.glassAsked = null
    if (run.state.glass === null) return ['NOT_OPEN']
    closeGlass(run, 'CLOSED')
    return []
  }
  const reasons = mayOpen(run, order)
  if (reasons.length > 0) return reasons
  return step === 'ask' ? ask(run, order) : open(run, order)
}

function mayOpen({ state, seen, policy }: Run, { typed, config, untilUs, reason }: Order): string[] {
  const { nowUs } = seen
  return [
    ...(reason === '' ? ['NO_REASON'] : []),
    ...(typed === policy.rig ? [] : [`RIG:${typed}`]),
    ...(config === seen.config ? [] : ['CONFIG_CHANGED']),
    ...(seen.clockStepped ? ['CLOCK_STEP'] : []),
    ...(untilUs > nowUs ? [] : ['GLASS_PAST']),
    ...(untilUs - nowUs <= ACTION_GLASS_SPAN_MAX_US ? [] : ['GLASS_TOO_LONG']),
    // It is not prolonged: it ends, and somebody says again why there is another.
    ...(state.glass === null ? [] : ['ALREADY_OPEN']),
    ...armReasons(state, seen),
  ]
}

/** Asking again forgets what was asked before. */
function ask({ state, seen }: Run, { by, reason, untilUs, config }: Order): readonly string[] {
  state.glassAsked = { by, reason, untilUs, config, askedUs: seen.nowUs }
  return []
}

function open(run: Run, { by, config, untilUs }: Order): readonly string[] {
  const { state, seen, out } = run
  const asked = state.glassAsked
  if (asked === null) return ['NOT_ASKED']
  if (asked.by !== by) return [`ASKED_BY_ANOTHER`]
  state.glassAsked = null
  if (asked.config !== config) return ['CONFIG_CHANGED']
  if (asked.untilUs !== untilUs) return ['UNTIL_DIFFERS']
  if (!(seen.nowUs - asked.askedUs <= CONFIRM_WITHIN_US)) return ['ASKED_TOO_LONG_AGO']
  const { reason } = asked
  state.glass = { by, reason, untilUs, config }
  state.glasses += 1
  out.push({ kind: 'break_glass', active: true, untilUs, by: [by], reason, why: '', count: state.glasses })
  lower(run, 'break_glass_over', 'there is another')
  raise(run, 'break_glass', 'WARNING', `${by} may order by hand alone: ${reason}`)
  return []
}

/** Ends it when its time is over, and with everything that it was opened under: the arming, what is in force, the clock. */
export function watchGlass(run: Run): void {
  const { state, seen } = run
  if (state.glass === null) return
  if (state.arm.state !== 'ARMED') closeGlass(run, 'NOT_ARMED')
  else if (state.glass.config !== seen.config) closeGlass(run, 'CONFIG_CHANGED')
  else if (seen.clockStepped) closeGlass(run, 'CLOCK_STEP')
  else if (!(seen.nowUs < state.glass.untilUs)) closeGlass(run, 'EXPIRED')
}

/** Ends it, and has somebody look at what was done under it. */
export function closeGlass(run: Pick<Run, 'state' | 'out'>, why: string): void {
  const { state, out } = run
  if (state.glass === null) return
  const { by, reason, untilUs } = state.glass
  state.glass = null
  out.push({ kind: 'break_glass', active: false, untilUs, by: [by], reason, why, count: state.glasses })
  lower(run, 'break_glass', why)
  raise(run, 'break_glass_over', 'WARNING', `break-glass of ${by} is over (${why}): look at what was done under it`)
}

/** Who may order alone at this moment; null unless these are exactly the person of the break-glass. */
export function glassOf(state: SafetyState, seen: Seen, by: readonly string[]): OnePerson | null {
  const { glass, arm } = state
  const armed = twoPersons(arm.by)
  if (glass === null || armed === null || armReasons(state, seen).length > 0) return null
  const isHis = by.length > 0 && by.every((name) => name === glass.by)
  const holds = isHis && glass.config === seen.config && seen.nowUs < glass.untilUs && !seen.clockStepped
  return holds ? { person: glass.by, armed } : null
}
