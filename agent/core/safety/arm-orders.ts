import type { PolicyOrder } from '../../../shared/model/action-input.ts'
import { AGENT, ARM_SPAN_MAX_US } from '../../../shared/model/order.ts'
import { revokeAll } from './act.ts'
import { inhibitReasons } from './gate.ts'
import { viewOf } from './grounds.ts'
import { hazardOf, lower, type Run, raise } from './run.ts'
import { isOmissionGrave } from './vote.ts'
import { twoPersons } from './warrant.ts'

type OrderOf<Kind extends PolicyOrder['kind']> = Extract<PolicyOrder, { kind: Kind }>

/** Why an order is not followed; empty when it is. */
type Refusal = readonly string[]
const FOLLOWED: Refusal = []

/** Two people, for what is in force now, for a while (SE-22). */
export function arm(run: Run, { config, untilUs, by }: OrderOf<'arm'>): Refusal {
  const { state, seen } = run
  const persons = twoPersons(by)
  const reasons: string[] = []
  if (persons === null) reasons.push('TWO_PERSON 1/2')
  if (config !== seen.config) reasons.push('CONFIG_CHANGED')
  if (seen.clockStepped) reasons.push('CLOCK_STEP')
  // Somebody looks at what it would have done before it does anything.
  if (state.arm.state === 'OFF') reasons.push('OFF')
  if (!(untilUs > seen.nowUs)) reasons.push('ARM_PAST')
  if (!(untilUs - seen.nowUs <= ARM_SPAN_MAX_US)) reasons.push('ARM_TOO_LONG')
  reasons.push(...unprotected(run))
  if (persons === null || reasons.length > 0) return reasons
  state.arm = { state: 'ARMED', untilUs, config, by: [...persons] }
  run.out.push({ kind: 'arm', state: 'ARMED', reason: 'ordered', untilUs, by: persons })
  lower(run, 'arm_dropped', 'armed again')
  lower(run, 'break_glass_over', 'two people have armed it since')
  return FOLLOWED
}

/**
 * Rules that must work and whose vote is lost, or not there yet (SE-37): armed now, the rig would go to its safe state at once,
 * or look protected and not be. Who wants to arm it all the same takes such a rule out with an inhibit, which is counted and shown.
 */
function unprotected({ state, policy, seen }: Run): string[] {
  return policy.rules.flatMap((rule, index) => {
    const memory = state.rules[index]!
    const hazard = hazardOf(policy, rule.action, rule.target)
    const bypasses = [...inhibitReasons(state, `rule:${rule.id}`), ...inhibitReasons(state, `action:${rule.action}`)]
    const isOut = memory.permOff || rule.dryRun || bypasses.length > 0
    if (isOut || hazard === null || !isOmissionGrave(hazard)) return []
    return viewOf(rule, memory, hazard, seen).tally.lost ? [`PROTECTION_LOST:${rule.id}`] : []
  })
}

/** How the reason begins when the agent disarms because what is in memory is not what was put there (SE-40). */
const INTEGRITY = 'INTEGRITY'

/** One person, one act, at once (SE-25). */
export function disarm(run: Run, { by, reason }: OrderOf<'disarm'>): Refusal {
  const isBroken = by === AGENT && reason.startsWith(INTEGRITY)
  // What is off stays off, unless nobody can say that somebody put it there.
  if (run.state.arm.state === 'OFF' && !isBroken) return FOLLOWED
  setArm(run, 'PASSIVE', { by: [by], reason })
  if (isBroken) {
    raise(run, 'arm_dropped', 'CRITICAL', `no longer armed: ${reason}`)
    lower(run, 'off', reason)
  }
  revokeAll(run, 'DISARMED')
  return FOLLOWED
}

/** One person, one act: nothing is judged or done any more, and an alarm stands for that (SE-21). */
export function switchOff(run: Run, { by, reason }: OrderOf<'off' | 'passive'>): Refusal {
  const reasons = [...(by === '' ? ['NO_PERSON'] : []), ...(reason === '' ? ['NO_REASON'] : [])]
  if (run.state.arm.state === 'OFF') reasons.push('OFF')
  if (reasons.length > 0) return reasons
  setArm(run, 'OFF', { by: [by], reason })
  revokeAll(run, 'OFF')
  raise(run, 'off', 'WARNING', `rules are not judged: ${reason}`)
  return FOLLOWED
}

/** Back to PASSIVE, by one person: it is judged again, and nothing is armed by it. */
export function switchOn(run: Run, { by, reason }: OrderOf<'off' | 'passive'>): Refusal {
  if (by === '') return ['NO_PERSON']
  if (run.state.arm.state !== 'OFF') return [`NOT_OFF:${run.state.arm.state}`]
  setArm(run, 'PASSIVE', { by: [by], reason })
  lower(run, 'off', reason)
  return FOLLOWED
}

function setArm(
  run: Run,
  state: 'OFF' | 'PASSIVE',
  { by, reason }: Readonly<{ by: readonly string[]; reason: string }>,
): void {
  run.state.arm = { state, untilUs: 0, config: '', by: [] }
  run.out.push({ kind: 'arm', state, reason, untilUs: 0, by })
}

/** The arm ends by itself: at its time, and with any change of what it was given for (SE-22). */
export function watchArm(run: Run): void {
  const { state, seen } = run
  const { arm: was } = state
  if (was.state !== 'ARMED') return
  const isChanged = was.config !== seen.config
  if (!isChanged && seen.nowUs < was.untilUs) return
  const reason = isChanged ? 'CONFIG_CHANGED' : 'ARM_EXPIRED'
  setArm(run, 'PASSIVE', { by: [], reason })
  raise(run, 'arm_dropped', 'CRITICAL', `no longer armed: ${reason}`)
  revokeAll(run, reason)
}
