import type { Decision, DecisionItem } from '../../shared/model/decision.ts'
import type { Input, Loss } from '../../shared/model/input.ts'
import type { Micros } from '../../shared/units.ts'
import type { Judgement } from './judge.ts'
import type { LateEffect } from './late.ts'
import { book } from './ledger.ts'
import { emptyAll } from './panes.ts'
import { leaveWindows, rebased } from './rebase.ts'
import { closeRange } from './record.ts'
import { restartSlower } from './revise.ts'
import type { RigChange } from './rig-change.ts'
import { actUnder } from './rig-safety.ts'
import {
  advanceRig,
  completeRig,
  jumpGap,
  originOf,
  type RigOutcome,
  startOf,
  type Time,
  takeOnRig,
} from './rig-step.ts'
import { type RevisedEffect, sequenceOutcome } from './sequence.ts'
import { CLOCK_STEP_US, type Digests, type EvaluatorSettings, GAP_US } from './settings.ts'
import { createRigState, type EvaluatorState, noRecord, type RigState } from './state.ts'
import { totalCounts } from './totals.ts'

/** What the evaluator is fed: {@link Input}, with a configuration already turned into settings by the shell. */
export type EvaluatorInput =
  | Exclude<Input, { kind: 'config' }>
  | Readonly<{ kind: 'config'; nowUs: Micros; settings: EvaluatorSettings }>

/** What the shell is asked to do, in this order. The evaluator does none of it. */
export type Effect =
  /** A finished piece of the sequence, to be signed in a batch. */
  | Readonly<{ kind: 'item'; item: DecisionItem }>
  /** The decision of a slide, for the live view and the pins. Not every one becomes a record. `judgements` are for looking only. */
  | Readonly<{ kind: 'decided'; decision: Decision; judgements: readonly Judgement[] | null }>
  /** Slides that were never evaluated: the agent was not there, or time jumped. */
  | Readonly<{ kind: 'gap'; rig: string; fromUs: Micros; toUs: Micros; reason: string; dropped: number }>
  | RevisedEffect
  | LateEffect
  /** An action, an arming or an alarm changes: to be written down, and carried out as it says. */
  | Readonly<{ kind: 'safety'; rig: string; change: RigChange }>
  | Readonly<{ kind: 'request_action'; rig: string; seq: number; action: 'notify'; outcome: 'would_have_done' }>

/**
 * Takes one input and says what to do about it. The state is changed in place: it is this function's own, nobody else
 * touches it, and `snapshot.ts` makes the value of it that a checkpoint keeps.
 *
 * Equal states and inputs give equal effects, down to the last bit: recovery, replay and evidence are this function
 * again. It has no clock; time is `nowUs` of the inputs and never goes back.
 */
export function step(state: EvaluatorState, input: EvaluatorInput, digests: Digests): Effect[] {
  const effects: Effect[] = []
  const time = advanceClock(state, input)
  if (input.kind === 'config') {
    configure(state, input.settings, time, effects)
    return effects
  }
  if (input.kind === 'loss') {
    resumeAfterLoss(state, input, effects)
    return effects
  }
  const outcomes: RigOutcome[] = []
  for (let index = 0; index < state.rigs.length; index += 1) {
    advanceRig(state.rigs[index]!, time, outcomes, digests)
    takeOutcomes(state, { index, outcomes, effects }, digests)
  }
  for (let index = 0; index < state.rigs.length; index += 1) {
    takeOnRig(state.rigs[index]!, input, { nowUs: time.nowUs, outcomes, digests })
    takeOutcomes(state, { index, outcomes, effects }, digests)
  }
  for (let index = 0; index < state.rigs.length; index += 1) {
    completeRig(state.rigs[index]!, time.nowUs, outcomes, digests)
    takeOutcomes(state, { index, outcomes, effects }, digests)
  }
  effects.push(...closeAtStop(state, input))
  return effects
}

function takeOutcomes(
  state: EvaluatorState,
  { index, outcomes, effects }: { index: number; outcomes: RigOutcome[]; effects: Effect[] },
  digests: Digests,
): void {
  for (const outcome of outcomes) effects.push(...sequenceOutcome(state, index, outcome, digests))
  outcomes.length = 0
}

/** An orderly stop ends the open range, so that all that was decided can be signed. */
export function closeAtStop(state: EvaluatorState, input: Readonly<{ kind: string; command?: string }>): Effect[] {
  if (input.kind !== 'operator' || input.command !== 'agent_stop') return []
  return closeRange(state).map((item) => ({ kind: 'item', item }))
}

/** Moves to the time of an input. A clock that went back is counted and the time of before is kept. */
export function advanceClock(
  state: Pick<EvaluatorState, 'nowUs' | 'clockBack'>,
  input: Readonly<{ kind: string; nowUs: Micros }>,
): Time {
  const beforeUs = state.nowUs
  if (input.nowUs < beforeUs) {
    state.clockBack.count += 1
    state.clockBack.worstUs = Math.max(state.clockBack.worstUs, beforeUs - input.nowUs)
  }
  state.nowUs = Math.max(beforeUs, input.nowUs)
  const jumped = beforeUs > 0 && state.nowUs - beforeUs > GAP_US
  const down = input.kind === 'operator' || input.kind === 'config'
  return {
    nowUs: state.nowUs,
    gap: jumped ? (down ? 'agent_down' : 'time_jump') : null,
    starts: input.kind === 'frame' || input.kind === 'tick',
    stepped: (jumped && !down) || beforeUs - input.nowUs > CLOCK_STEP_US,
  }
}

function configure(state: EvaluatorState, settings: EvaluatorSettings, time: Time, effects: Effect[]): void {
  // A range says "as the last full record": it may not reach across a change of what is in force.
  for (const item of closeRange(state)) effects.push({ kind: 'item', item })
  const before = new Map(state.rigs.map((rig) => [rig.settings.rig, rig]))
  state.settings = settings
  state.records = settings.rigs.map(noRecord)
  state.firsts = settings.rigs.map(() => [])
  const ruledAnew = (rig: RigState, old: RigState): void => {
    for (const change of actUnder(rig, old, time.nowUs)) effects.push({ kind: 'safety', rig: rig.settings.rig, change })
  }
  state.rigs = settings.rigs.map((rigSettings) => {
    const old = before.get(rigSettings.rig)
    if (old !== undefined && time.gap === null && leaveWindows(old.settings, rigSettings)) {
      const rig = rebased(old, rigSettings)
      ruledAnew(rig, old)
      return rig
    }
    const rig = createRigState(rigSettings)
    if (old === undefined) return rig
    // What was open or joined belongs to the settings it was made under. What the rig is doing, and which frames it
    // had, do not; nor does what became of its samples so far.
    for (const dropped of emptyAll(old.panes).entries()) book(old.ledger, dropped[0], 'shed', dropped[1])
    rig.settled = totalCounts(old)
    Object.assign(rig, {
      mode: old.mode,
      run: old.run,
      sources: old.sources,
      replaced: old.replaced,
      closedUs: gridOf(rig, old.closedUs),
      originUs: originOf(rig, time.nowUs),
    })
    ruledAnew(rig, old)
    restartSlower(rig, old)
    if (time.gap !== null && old.closedUs >= 0)
      pushGap(
        rig,
        { toUs: Math.max(rig.closedUs, startOf(rig, time.nowUs)), originUs: rig.originUs, reason: time.gap },
        effects,
      )
    return rig
  })
}

/** A slide of another width begins where both grids meet or later: nothing is decided twice. −1 stays −1. */
function gridOf(rig: RigState, closedUs: Micros): Micros {
  const { slideUs } = rig.settings
  return closedUs < 0 ? closedUs : Math.floor((closedUs + slideUs - 1) / slideUs) * slideUs
}

function pushGap(
  rig: RigState,
  to: Readonly<{ toUs: Micros; originUs: Micros; reason: string }>,
  effects: Effect[],
): void {
  const { fromUs, toUs, reason, dropped } = jumpGap(rig, to)
  effects.push({ kind: 'gap', rig: rig.settings.rig, fromUs, toUs, reason, dropped })
}

/**
 * Goes on behind what was lost. Every number that may stand under a signature is passed over, nothing that was open is
 * carried along, no slide that was decided is decided again, and the first decision of each rig says everything anew.
 * Mode, run and what sources have sent stay as they were last known.
 */
function resumeAfterLoss(state: EvaluatorState, loss: Loss, effects: Effect[]): void {
  if (state.range !== null && loss.signedThrough >= state.range.first) state.range = null
  for (const item of closeRange(state)) effects.push({ kind: 'item', item })
  state.decisionSeq = Math.max(state.decisionSeq, loss.decisionSeq)
  state.chain = loss.chain
  state.rigs.forEach((rig, index) => {
    state.records[index] = noRecord()
    state.firsts[index] = []
    if (rig.closedUs < 0) return
    const toUs = gridOf(rig, Math.max(rig.closedUs, loss.throughUs))
    pushGap(rig, { toUs, originUs: originOf(rig, Math.max(toUs, state.nowUs)), reason: 'data_lost' }, effects)
  })
}
