import type { ActionState } from '../../../shared/model/action.ts'
import type { RigPolicy, Rule } from '../../../shared/model/actions-policy.ts'
import type { Micros } from '../../../shared/units.ts'
import { closeGlass } from './break-glass.ts'
import type { SafetyChange } from './changes.ts'
import { endOfGone } from './gone.ts'
import { createSafety, DONE_MAX, type DoneAction, type OpenAction, type RuleState, type SafetyState } from './state.ts'
import { isHard } from './warrant.ts'

export type CarriedOver = Readonly<{ kernel: SafetyState; changes: readonly SafetyChange[] }>

/**
 * What is remembered under another configuration (SE-39). Under the same policy everything stays: an arming ends by itself
 * because the digest in it is another. Under another policy counters of what stayed the same stay, a rule has fired what it
 * has fired, actions that were not sent are cancelled, those that were are revoked and their outcome is a matter for people,
 * and nothing is armed. What people took off stays off. An alarm about what is no longer there is over, and so is a bypass of it.
 */
export function carryOver(
  old: SafetyState,
  { before, now, nowUs }: Readonly<{ before: RigPolicy; now: RigPolicy; nowUs: Micros }>,
): CarriedOver {
  if (JSON.stringify(before) === JSON.stringify(now)) return { kernel: old, changes: [] }
  const kernel = createSafety(now)
  const same = <T>(list: readonly T[], one: T): boolean =>
    list.some((other) => JSON.stringify(other) === JSON.stringify(one))
  now.rules.forEach((rule, k) => {
    const at = before.rules.findIndex(({ id }) => id === rule.id)
    if (at < 0) return
    const [was, memory] = [before.rules[at]!, old.rules[at]!]
    kernel.rules[k] = same([was], rule) ? { ...memory, early: null } : edited(kernel.rules[k]!, memory, was)
  })
  now.budgets.forEach((budget, k) => {
    const at = before.budgets.findIndex((other) => same([other], budget))
    if (at >= 0) kernel.budgets[k] = old.budgets[at]!
  })
  const { state } = old.arm
  Object.assign(kernel, {
    arm: state === 'OFF' ? old.arm : kernel.arm,
    done: [...old.done, ...old.open.map(doneOf)].slice(-DONE_MAX),
    inhibits: old.inhibits,
    inhibited: old.inhibited,
    glass: old.glass,
    glasses: old.glasses,
    manuals: old.manuals,
    alarms: old.alarms.map((one) => ({ ...one })),
    latesDropped: old.latesDropped,
  })
  const changes: SafetyChange[] = old.open.map((open) => endOf(old.rig, open, nowUs))
  if (state === 'ARMED') changes.push({ kind: 'arm', state: 'PASSIVE', reason: 'CONFIG_CHANGED', untilUs: 0, by: [] })
  closeGlass({ state: kernel, out: changes }, 'CONFIG_CHANGED')
  endOfGone({ state: kernel, out: changes }, now)
  return { kernel, changes }
}

/** States before anything left the agent. */
const NOT_SENT: readonly ActionState[] = ['PROPOSED', 'GATE_HELD', 'GATE_PASSED', 'PENDING_APPROVAL', 'RELEASED']

/**
 * A rule that was edited sees anew and has done what it has done: its episode lasts until the new conditions are known to be
 * clear, and what waits for a person goes on waiting. Only PERM_OFF ends with the policy that it was said under (SE-21).
 */
function edited(fresh: RuleState, memory: RuleState, was: Rule): RuleState {
  const { episode, startUs, inEpisode, shot, acted, needsPerson, proposals, escalated } = memory
  // As the rule is hard now it has done nothing that was hard.
  const kept = { episode, startUs, inEpisode, shot, needsPerson, proposals, escalated }
  return { ...fresh, ...kept, acted: acted && isHard(was.action) }
}

/** Its peer may still say something of it, and people what came of it. */
function doneOf({
  key,
  rule,
  episode,
  action,
  target,
  params,
  attempt,
  endUs,
  deadlineUs,
  state,
}: OpenAction): DoneAction {
  const about = { key, rule, episode, action, target, params, attempt, endUs, deadlineUs }
  return { ...about, state: stateAfter(state), lates: 0 }
}

function stateAfter(from: ActionState): 'CANCELLED' | 'REVOKED' {
  return NOT_SENT.includes(from) ? 'CANCELLED' : 'REVOKED'
}

function endOf(rig: string, open: OpenAction, nowUs: Micros): SafetyChange {
  const { key, rule, episode, action, target, params, endUs, deadlineUs, attempt, state: from } = open
  return {
    ...{ kind: 'action', key, rig, rule, episode, action, target, params },
    state: stateAfter(from),
    ...{ reasons: ['CONFIG_CHANGED'], endUs, nowUs, deadlineUs, attempt, from, note: '', conditions: [] },
  }
}
