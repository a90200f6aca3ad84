import type { Decision, DecisionItem } from '../../shared/model/decision.ts'
import type { FrameResult, Input, Loss } from '../../shared/model/input.ts'
import type { Micros } from '../../shared/units.ts'
import { acceptFrame, refuseFrame } from './accept.ts'
import { decisionValues, isLimitsOnly, overallVerdict, rankFindings, sayingKey } from './decide.ts'
import { type Judgement, judgeMetric } from './judge.ts'
import { type LateEffect, takeLate } from './late.ts'
import { book } from './ledger.ts'
import { clearTree } from './pane-tree.ts'
import { emptyAll } from './panes.ts'
import { closeRange, recordDecision } from './record.ts'
import { noteFirst, type RevisedEffect, restartSlower, reviseClosed } from './revise.ts'
import { type Digests, type EvaluatorSettings, GAP_US } from './settings.ts'
import { closePanes } from './slide.ts'
import { createRigState, type EvaluatorState, type RigState } from './state.ts'
import { totalCounts } from './totals.ts'

/** What the evaluator is fed: {@link Input}, with a configuration already turned into settings by the shell. */
export type EvaluatorInput =
  | Exclude<Input, { kind: 'config' }>
  | Readonly<{ kind: 'config'; nowUs: Micros; settings: EvaluatorSettings }>

/** What the shell is asked to do, in this order. The evaluator does none of it. */
export type Effect =
  /** A finished piece of the sequence, to be signed in a batch. */
  | Readonly<{ kind: 'item'; item: DecisionItem }>
  /** The decision of a slide, for the live view and the pins. Not every one becomes a record. */
  | Readonly<{ kind: 'decided'; decision: Decision; judgements: readonly Judgement[] }>
  /** Slides that were never evaluated: the agent was not there, or time jumped. */
  | Readonly<{ kind: 'gap'; rig: string; fromUs: Micros; toUs: Micros; reason: string; dropped: number }>
  | RevisedEffect
  | LateEffect
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
  const { nowUs } = time
  if (input.kind === 'config') {
    configure(state, input.settings, time, effects)
    return effects
  }
  if (input.kind === 'loss') {
    resumeAfterLoss(state, input, effects)
    return effects
  }
  for (const rig of state.rigs) prepareRig(state, rig, time, effects, digests)
  if (input.kind === 'frame') {
    for (const result of input.results) takeFrame(state, result, nowUs)
    for (const rig of state.rigs) effects.push(...takeLate(rig))
  }
  if (input.kind === 'mode')
    withRig(state, input.rig, (rig) => {
      rig.mode = input.mode
    })
  if (input.kind === 'run') withRig(state, input.rig, (rig) => changeRun(rig, input))
  for (const rig of state.rigs) closeByWatermark(state, rig, nowUs, effects, digests)
  if (input.kind === 'operator' && input.command === 'agent_stop')
    for (const item of closeRange(state)) effects.push({ kind: 'item', item })
  return effects
}

/** `nowUs` of an input, what it was before, and whether a start of the agent lies between. */
type Time = Readonly<{ nowUs: Micros; gap: 'agent_down' | 'time_jump' | null; starts: boolean }>

/** Moves to the time of an input. A clock that went back is counted and the time of before is kept. */
function advanceClock(state: EvaluatorState, input: EvaluatorInput): Time {
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
  }
}

function configure(state: EvaluatorState, settings: EvaluatorSettings, time: Time, effects: Effect[]): void {
  // A range says "as the last full record": it may not reach across a change of what is in force.
  for (const item of closeRange(state)) effects.push({ kind: 'item', item })
  const before = new Map(state.rigs.map((rig) => [rig.settings.rig, rig]))
  state.settings = settings
  state.rigs = settings.rigs.map((rigSettings) => {
    const rig = createRigState(rigSettings)
    const old = before.get(rigSettings.rig)
    if (old === undefined) return rig
    // What was open or joined belongs to the settings it was made under. What the rig is doing, and which frames it
    // had, do not; nor does what became of its samples so far.
    for (const dropped of emptyAll(old.panes).entries()) book(old.ledger, dropped[0], 'shed', dropped[1])
    rig.settled = totalCounts(old)
    Object.assign(rig, {
      mode: old.mode,
      run: old.run,
      sources: old.sources,
      closedUs: gridOf(rig, old.closedUs),
      originUs: originOf(rig, time.nowUs),
    })
    restartSlower(rig, old)
    if (time.gap !== null && old.closedUs >= 0)
      jumpGap(
        rig,
        { toUs: Math.max(rig.closedUs, startOf(rig, time.nowUs)), originUs: rig.originUs, reason: time.gap },
        effects,
      )
    return rig
  })
}

function startOf(rig: RigState, nowUs: Micros): Micros {
  const { slideUs, latenessUs } = rig.settings
  // A recording may begin at time zero; a negative time would mean a rig that has not begun.
  return Math.max(0, Math.floor((nowUs - latenessUs - slideUs) / slideUs) * slideUs)
}

/** A slide of another width begins where both grids meet or later: nothing is decided twice. −1 stays −1. */
function gridOf(rig: RigState, closedUs: Micros): Micros {
  const { slideUs } = rig.settings
  return closedUs < 0 ? closedUs : Math.floor((closedUs + slideUs - 1) / slideUs) * slideUs
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
  for (const rig of state.rigs) {
    rig.recordKey = ''
    if (rig.closedUs < 0) continue
    const toUs = gridOf(rig, Math.max(rig.closedUs, loss.throughUs))
    jumpGap(rig, { toUs, originUs: originOf(rig, Math.max(toUs, state.nowUs)), reason: 'data_lost' }, effects)
  }
}

/** From when on samples can be there: windows are due when they reach back no further than this. */
function originOf(rig: RigState, nowUs: Micros): Micros {
  const { slideUs } = rig.settings
  return Math.floor((nowUs + slideUs - 1) / slideUs) * slideUs
}

/** Starts a rig at its first frame or tick, jumps over a gap, and closes the slides whose time is up. */
function prepareRig(state: EvaluatorState, rig: RigState, time: Time, effects: Effect[], digests: Digests): void {
  const { slideUs, latenessUs } = rig.settings
  if (rig.closedUs < 0) {
    if (!time.starts) return
    rig.closedUs = startOf(rig, time.nowUs)
    rig.originUs = originOf(rig, time.nowUs)
    restartSlower(rig)
  } else if (time.gap !== null) {
    jumpGap(
      rig,
      { toUs: Math.max(rig.closedUs, startOf(rig, time.nowUs)), originUs: originOf(rig, time.nowUs), reason: time.gap },
      effects,
    )
  }
  while (rig.closedUs + slideUs + latenessUs + slideUs <= time.nowUs) closeSlide(state, rig, effects, digests)
}

function jumpGap(
  rig: RigState,
  { toUs, originUs, reason }: { toUs: Micros; originUs: Micros; reason: string },
  effects: Effect[],
): void {
  const dropped = emptyAll(rig.panes)
  let total = 0
  for (let m = 0; m < dropped.length; m += 1) {
    book(rig.ledger, m, 'shed', dropped[m]!)
    total += dropped[m]!
  }
  clearTree(rig.tree)
  rig.departures.fill(0)
  rig.firstUs.fill(-1)
  effects.push({ kind: 'gap', rig: rig.settings.rig, fromUs: rig.closedUs, toUs, reason, dropped: total })
  rig.closedUs = toUs
  rig.originUs = originUs
  restartSlower(rig)
}

/** Closes slides while every channel that is not idle has promised to send nothing older (decisions 3). */
function closeByWatermark(
  state: EvaluatorState,
  rig: RigState,
  nowUs: Micros,
  effects: Effect[],
  digests: Digests,
): void {
  if (rig.closedUs < 0) return
  const { slideUs, latenessUs, metrics } = rig.settings
  let complete = Number.POSITIVE_INFINITY
  for (let m = 0; m < metrics.length; m += 1) {
    const newest = rig.newestSeenUs[m]!
    if (newest < 0 || nowUs - newest > metrics[m]!.idleAfterUs) continue
    complete = Math.min(complete, newest - latenessUs)
  }
  if (complete === Number.POSITIVE_INFINITY) return
  while (rig.closedUs + slideUs <= complete) closeSlide(state, rig, effects, digests)
}

function closeSlide(state: EvaluatorState, rig: RigState, effects: Effect[], digests: Digests): void {
  decide(state, rig, closePanes(rig, digests), effects, digests)
  effects.push(...reviseClosed(state, rig, digests))
}

function decide(state: EvaluatorState, rig: RigState, slice: Uint8Array, effects: Effect[], digests: Digests): void {
  const settings = state.settings!
  const endUs = rig.closedUs
  const judgements = rig.settings.metrics.map((_, m) => judgeMetric(rig, m, endUs))
  const verdict = overallVerdict(rig, judgements)
  const findings = rankFindings(judgements)
  const key = sayingKey(rig, verdict, findings)
  state.decisionSeq += 1
  const seq = state.decisionSeq
  // Asked for once when a failure begins, not every 50 ms while it lasts.
  const action = verdict === 'FAIL' && !rig.recordKey.startsWith('["FAIL"') ? ('notify' as const) : null
  const values = decisionValues(settings, rig, { seq, endUs, verdict, findings, slice, action })
  for (const item of recordDecision(state, rig, { seq, endUs, key, verdict, values }, digests))
    effects.push({ kind: 'item', item })
  noteFirst(rig, { seq, endUs, verdict, findings })
  if (action !== null)
    effects.push({ kind: 'request_action', rig: rig.settings.rig, seq, action, outcome: 'would_have_done' })
  const decision: Decision = {
    seq,
    rig: rig.settings.rig,
    timeUs: endUs,
    verdict,
    mode: rig.mode,
    limitsOnly: isLimitsOnly(rig),
    findings,
    run: rig.run,
    values,
  }
  effects.push({ kind: 'decided', decision, judgements })
}

function takeFrame(state: EvaluatorState, result: FrameResult, nowUs: Micros): void {
  const id = result.ok ? result.frame.rig : result.rig
  withRig(state, id, (rig) => {
    rig.ledger.framesReceived += 1
    if (result.ok) acceptFrame(rig, result.frame, nowUs)
    else refuseFrame(rig, result.reason, nowUs, result.detail)
  })
}

function changeRun(rig: RigState, input: Extract<EvaluatorInput, { kind: 'run' }>): void {
  if (input.command === 'stop') rig.run = null
  else if (input.command === 'start') {
    rig.run = {
      run: input.run,
      article: input.article,
      procedure: input.procedure,
      operator: input.operator,
      startedUs: input.nowUs,
      note: '',
    }
  } else if (rig.run !== null) rig.run = { ...rig.run, note: input.note }
}

/** Does nothing for a rig that is not configured: the shell refuses such inputs before they are journaled. */
function withRig(state: EvaluatorState, id: string, act: (rig: RigState) => void): void {
  const rig = state.rigs.find((r) => r.settings.rig === id)
  if (rig !== undefined) act(rig)
}
