import type { RigPolicy } from '../../../shared/model/actions-policy.ts'
import type { Micros } from '../../../shared/units.ts'
import { watchArm } from './arm-orders.ts'
import { watchGlass } from './break-glass.ts'
import type { SafetyChange, SafetyInput } from './changes.ts'
import { advance } from './condition.ts'
import { stepEarly } from './early.ts'
import type { Slide } from './episode.ts'
import { priorityOf } from './gate.ts'
import { watchInhibits } from './inhibits.ts'
import { watchInjected } from './injected.ts'
import { takeOrder } from './orders.ts'
import { stepRule } from './rules.ts'
import type { Run } from './run.ts'
import type { KeyOf, Seen } from './seen.ts'
import type { SafetyState } from './state.ts'
import { expire, takeAck, takeStep } from './steps.ts'
import { stepVerify } from './verify.ts'

/**
 * Takes in one closed slide: conditions move on, effects are looked for, and rules propose what their gates let pass.
 *
 * Equal state, policy and slides give equal changes, whatever happened outside. `state` is changed in place.
 */
export function safetyAtSlide(state: SafetyState, policy: RigPolicy, seen: Seen, keyOf: KeyOf): SafetyChange[] {
  const run: Run = { state, policy, seen, keyOf, out: [] }
  const gapUs = state.endUs === null ? null : seen.endUs - state.endUs
  watchArm(run)
  watchInhibits(run)
  watchGlass(run)
  watchInjected(run)
  advanceAll(run, gapUs)
  state.endUs = seen.endUs
  for (const open of [...state.open]) {
    if (!(seen.nowUs <= open.deadlineUs)) expire(run, open)
    stepVerify(run, open, gapUs)
  }
  // What is off is looked at, so that it knows how things are when it is not, and asks for nothing.
  if (state.arm.state === 'OFF') return run.out
  const slide: Slide = { passed: 0 }
  for (const index of inPriority(policy)) stepRule(run, policy.rules[index]!, state.rules[index]!, slide)
  return run.out
}

/**
 * Takes in samples that arrived, before the slides they are in have closed: what the rules on the fast path propose on them
 * (SE-29). `arrival` says which they were.
 */
export function safetyAtArrival(
  state: SafetyState,
  policy: RigPolicy,
  arrival: string,
  seen: Seen,
  keyOf: KeyOf,
): SafetyChange[] {
  const run: Run = { state, policy, seen, keyOf, out: [] }
  if (state.arm.state === 'OFF') return run.out
  const slide: Slide = { passed: 0 }
  for (const index of inPriority(policy)) stepEarly(run, policy.rules[index]!, state.rules[index]!, { arrival, slide })
  return run.out
}

/** Takes in what the shell did, a peer acknowledged or people ordered, judged by what is seen at that time. */
export function safetyAtInput(
  state: SafetyState,
  policy: RigPolicy,
  input: SafetyInput,
  seen: Seen,
  keyOf: KeyOf,
): SafetyChange[] {
  const run: Run = { state, policy, seen, keyOf, out: [] }
  watchArm(run)
  watchInhibits(run)
  watchGlass(run)
  switch (input.kind) {
    case 'ack':
      takeAck(run, input)
      break
    case 'release':
    case 'sent':
    case 'timeout':
    case 'unknown':
    case 'answer':
      takeStep(run, input)
      break
    default:
      takeOrder(run, input)
      // What was disarmed has no break-glass any more.
      watchGlass(run)
  }
  return run.out
}

function advanceAll({ state, policy, seen }: Run, gapUs: Micros | null): void {
  policy.rules.forEach(({ conditions }, index) => {
    conditions.forEach((condition, k) => {
      advance(state.rules[index]!.members[k]!, condition, seen, gapUs)
    })
  })
  policy.interlocks.forEach(({ assume, guarantee }, index) => {
    advance(state.interlocks[index]!.assume, assume, seen, gapUs)
    advance(state.interlocks[index]!.guarantee, guarantee, seen, gapUs)
  })
}

/** Rules by the priority of their actions, then as the policy has them (SE-20). */
function inPriority(policy: RigPolicy): number[] {
  const of = policy.rules.map((rule, index) => ({ index, priority: priorityOf(policy, rule.action) }))
  // Sorting keeps the order of equals.
  return of.sort((a, b) => a.priority - b.priority).map(({ index }) => index)
}
