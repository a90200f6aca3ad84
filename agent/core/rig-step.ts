import type { ArmState } from '../../shared/model/action.ts'
import { isAlarmOrder } from '../../shared/model/action-input.ts'
import type { FrameResult } from '../../shared/model/input.ts'
import { AGENT } from '../../shared/model/order.ts'
import type { InjectedRefusal } from '../../shared/model/telemetry.ts'
import type { Mode } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import { acceptFrame, refuseFrame } from './accept.ts'
import { overallVerdict, rankFindings, type Slide } from './decide.ts'
import { type Judgement, judgeMetric } from './judge.ts'
import { type LateSample, takeLate } from './late.ts'
import { book } from './ledger.ts'
import { clearMismatches } from './mismatch.ts'
import { clearTree } from './pane-tree.ts'
import { emptyAll } from './panes.ts'
import { forgetAllDepartures } from './persistence.ts'
import { replaceChannel } from './replaced.ts'
import { noteFirst, type Revision, restartSlower, reviseClosed } from './revise.ts'
import { orderAlarm } from './rig-alarms.ts'
import type { RigChange } from './rig-change.ts'
import { actOnArrival, actOnInput, actOnSlide, noteArrival, tellInjected } from './rig-safety.ts'
import type { SafetyInput } from './safety/changes.ts'
import type { InjectedNote } from './safety/injected.ts'
import type { Digests } from './settings.ts'
import { closePanes } from './slide.ts'
import type { RigState } from './state.ts'
import type { EvaluatorInput } from './step.ts'
import { changeMode, eventIn, skipSteps, watchSlide } from './watch.ts'
import { clearWindow } from './windows.ts'

/** When an input is: its time, what is wrong with the time since the one before, and whether it may start a rig. */
export type Time = Readonly<{
  nowUs: Micros
  gap: 'agent_down' | 'time_jump' | null
  starts: boolean
  /** The wall clock was stepped: what it dated before cannot be compared with what it dates now. */
  stepped: boolean
}>

/** What happens on one rig, before it has a place among what happens on others. */
export type RigOutcome =
  | Revision
  /** What the safety kernel and the alarms have to say, when and in which mode. */
  | Readonly<{ kind: 'safety'; nowUs: Micros; mode: Mode; changes: readonly RigChange[] }>
  | Readonly<{ kind: 'late'; samples: readonly LateSample[]; more: number }>
  /** `judgements` are for looking only; null where nobody will. */
  | Readonly<{ kind: 'slide'; slide: Slide; judgements: readonly Judgement[] | null }>
  /** Slides `fromUs` to `toUs` that were never evaluated; windows fill anew from `originUs`. */
  | Readonly<{ kind: 'gap'; fromUs: Micros; toUs: Micros; originUs: Micros; reason: string; dropped: number }>

/** Inputs that change something on a rig. */
export type RigInput = Exclude<EvaluatorInput, { kind: 'config' | 'loss' }>

/*
 * One input on one rig is three calls: what its time alone brings about, what it brings itself, and what is complete
 * then. None of them looks at anything but this rig, so rigs can be evaluated apart, each seeing the time of every input.
 */

/** Takes what an input brings to this rig, if anything. */
export function takeOnRig(
  rig: RigState,
  input: RigInput,
  { nowUs, outcomes, digests }: Readonly<{ nowUs: Micros; outcomes: RigOutcome[]; digests: Digests }>,
): void {
  const id = rig.settings.rig
  if (input.kind === 'frame') {
    for (const result of input.results) {
      if (rigOf(result) !== id) continue
      const note = takeFrame(rig, result, nowUs)
      if (note !== null) pushSafety(outcomes, { rig, nowUs }, tellInjected(rig, note))
    }
    outcomes.push(...takeLate(rig))
  } else if (input.kind === 'mode' && input.rig === id) changeMode(rig, input.mode, nowUs)
  else if (input.kind === 'run' && input.rig === id) changeRun(rig, input)
  else if (input.kind === 'channel' && input.rig === id) replaceChannel(rig, input, nowUs)
  else if (input.kind === 'policy' && isAlarmOrder(input.order)) {
    if (input.rig === id) pushSafety(outcomes, { rig, nowUs }, orderAlarm(rig, input.order, nowUs))
  } else {
    const about = safetyInput(input, rig)
    if (about !== null) pushSafety(outcomes, { rig, nowUs }, actOnInput(rig, about, nowUs, digests))
  }
}

/** What an input says to the kernel of a rig; null for one that is about something else. */
function safetyInput(input: RigInput, { settings: { rig }, safety }: RigState): SafetyInput | null {
  // An agent begins and ends PASSIVE: people arm it as it is then (SE-21, SE-38).
  if (input.kind === 'operator') return toPassive(safety?.kernel.arm.state ?? 'PASSIVE', input.command)
  if (input.kind === 'action_transition') return input.rig === rig ? input.step : null
  if (input.kind === 'policy') return input.rig === rig && !isAlarmOrder(input.order) ? input.order : null
  return input.kind === 'ack' && input.rig === rig ? input : null
}

function toPassive(state: ArmState, reason: string): SafetyInput | null {
  if (state === 'PASSIVE') return null
  return { kind: state === 'OFF' ? 'passive' : 'disarm', by: AGENT, reason }
}

function pushSafety(
  outcomes: RigOutcome[],
  { rig, nowUs }: Readonly<{ rig: RigState; nowUs: Micros }>,
  changes: readonly RigChange[],
): void {
  if (changes.length > 0) outcomes.push({ kind: 'safety', nowUs, mode: rig.mode, changes })
}

function rigOf(result: FrameResult): string {
  return result.ok ? result.frame.rig : result.rig
}

/** @returns what is to be said of injected samples that were not taken; null for anything else */
function takeFrame(rig: RigState, result: FrameResult, nowUs: Micros): InjectedNote | null {
  rig.ledger.framesReceived += 1
  if (!result.ok) {
    const { reason, detail } = result
    refuseFrame(rig, reason, nowUs, detail)
    return reason === 'taint_forged' ? { why: reason, text: `${TEXT_OF[reason]}: ${detail}`, nowUs } : null
  }
  const why = acceptFrame(rig, result.frame, nowUs)
  noteArrival(rig, result.frame)
  return why === null ? null : { why, text: `${TEXT_OF[why]}, from ${result.frame.source}`, nowUs }
}

const TEXT_OF: Readonly<Record<InjectedRefusal, string>> = {
  injected_refused: 'injected samples came to a rig that is no testbed; none was taken',
  taint_forged: 'samples came under a mark that is not that of the injector; none was taken',
}

/** Starts, notes or stops the test run that a rig is in. */
export function changeRun(rig: Pick<RigState, 'run'>, input: Extract<EvaluatorInput, { kind: 'run' }>): void {
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

/** Starts a rig at its first frame or tick, jumps over a gap, and closes the slides whose time is up. */
export function advanceRig(rig: RigState, time: Time, outcomes: RigOutcome[], digests: Digests): void {
  const { slideUs, latenessUs } = rig.settings
  if (time.stepped && rig.safety !== null) rig.safety.steppedUs = time.nowUs
  if (rig.closedUs < 0) {
    if (!time.starts) return
    rig.closedUs = startOf(rig, time.nowUs)
    rig.originUs = originOf(rig, time.nowUs)
    restartSlower(rig)
  } else if (time.gap !== null) {
    outcomes.push(
      jumpGap(rig, {
        toUs: Math.max(rig.closedUs, startOf(rig, time.nowUs)),
        originUs: originOf(rig, time.nowUs),
        reason: time.gap,
      }),
    )
  }
  while (rig.closedUs + slideUs + latenessUs + slideUs <= time.nowUs)
    closeSlide(rig, { nowUs: time.nowUs, outcomes, digests })
}

/** Where evaluation begins at a time: the slide that is due next. */
export function startOf(rig: RigState, nowUs: Micros): Micros {
  const { slideUs, latenessUs } = rig.settings
  // A recording may begin at time zero; a negative time would mean a rig that has not begun.
  return Math.max(0, Math.floor((nowUs - latenessUs - slideUs) / slideUs) * slideUs)
}

/** From when on samples can be there: windows are due when they reach back no further than this. */
export function originOf(rig: RigState, nowUs: Micros): Micros {
  const { slideUs } = rig.settings
  return Math.floor((nowUs + slideUs - 1) / slideUs) * slideUs
}

/** Drops what was open and begins anew at `toUs`. */
export function jumpGap(
  rig: RigState,
  { toUs, originUs, reason }: { toUs: Micros; originUs: Micros; reason: string },
): Extract<RigOutcome, { kind: 'gap' }> {
  const samples = emptyAll(rig.panes)
  let dropped = 0
  for (let m = 0; m < samples.length; m += 1) {
    book(rig.ledger, m, 'shed', samples[m]!)
    dropped += samples[m]!
  }
  clearTree(rig.tree)
  rig.windows.forEach(clearWindow)
  forgetAllDepartures(rig)
  clearMismatches(rig)
  rig.firstUs.fill(-1)
  const fromUs = rig.closedUs
  skipSteps(rig, toUs - fromUs)
  rig.closedUs = toUs
  rig.originUs = originUs
  restartSlower(rig)
  return { kind: 'gap', fromUs, toUs, originUs, reason, dropped }
}

/** Does what is due when an input has been taken: closes slides that are complete, then looks at what is not (SE-29). */
export function completeRig(rig: RigState, nowUs: Micros, outcomes: RigOutcome[], digests: Digests): void {
  closeComplete(rig, nowUs, outcomes, digests)
  if (rig.safety !== null && rig.safety.arrival !== '')
    pushSafety(outcomes, { rig, nowUs }, actOnArrival(rig, nowUs, digests))
}

/** Closes slides while every channel that is not idle has promised to send nothing older (decisions 3). */
function closeComplete(rig: RigState, nowUs: Micros, outcomes: RigOutcome[], digests: Digests): void {
  if (rig.closedUs < 0) return
  const { slideUs, latenessUs, metrics } = rig.settings
  let complete = Number.POSITIVE_INFINITY
  for (let m = 0; m < metrics.length; m += 1) {
    const newest = rig.newestSeenUs[m]!
    if (newest < 0 || nowUs - newest > metrics[m]!.idleAfterUs) continue
    complete = Math.min(complete, newest - latenessUs)
  }
  if (complete === Number.POSITIVE_INFINITY) return
  while (rig.closedUs + slideUs <= complete) closeSlide(rig, { nowUs, outcomes, digests })
}

type Closing = Readonly<{ nowUs: Micros; outcomes: RigOutcome[]; digests: Digests }>

function closeSlide(rig: RigState, { nowUs, outcomes, digests }: Closing): void {
  const slice = closePanes(rig, digests)
  const endUs = rig.closedUs
  watchSlide(rig)
  const judgements = rig.settings.metrics.map((_, m) => judgeMetric(rig, m, endUs))
  const { mode, run } = rig
  const verdict = overallVerdict(rig, judgements)
  const slide = { endUs, verdict, findings: rankFindings(judgements), slice, mode, run, event: eventIn(rig) }
  outcomes.push({ kind: 'slide', slide, judgements })
  digests.closed?.(rig, verdict)
  pushSafety(outcomes, { rig, nowUs }, actOnSlide(rig, { slide, judgements, nowUs }, digests))
  noteFirst(rig, slide)
  outcomes.push(...reviseClosed(rig, digests))
}
