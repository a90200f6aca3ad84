import type { ActionState } from '../../../shared/model/action.ts'
import type { ActionAck, ActionStep, AnswerStatus, TimedStage } from '../../../shared/model/action-input.ts'
import { followFailure, followSuccess, mayResend, release, subjectOf } from './act.ts'
import type { Member } from './condition.ts'
import { earlyViewOf } from './early.ts'
import { basisOf, basisReasons, type Gates, gatesOfEscalation, gatesOfOrder, gatesOfRule } from './gate.ts'
import { viewOf } from './grounds.ts'
import { isBeforeSent } from './lifecycle.ts'
import { changeOf, findOpen, hazardOf, lower, move, type Run, raise, raiseAnew, refuse, ruleOf, say } from './run.ts'
import { LATE_NOTED_MAX, type OpenAction, PROGRESS_NOTED_MAX } from './state.ts'
import { lookForEffect } from './verify.ts'
import { isOmissionGrave } from './vote.ts'
import { proofOf, twoPersons } from './warrant.ts'

/** Why an input is not followed; empty when it is. */
type Refusal = readonly string[]
const TAKEN: Refusal = []

/** Does what the shell says of an action. What fits no open action is noted beside the ended one, or refused. */
export function takeStep(run: Run, step: ActionStep): void {
  const open = findOpen(run, step.key)
  const reasons = open === null ? takeLate(run, step.kind, step.key, wordOf(step)) : followStep(run, open, step)
  if (reasons.length > 0) refuse(run, step.kind, step.key, reasons)
}

function followStep(run: Run, open: OpenAction, step: ActionStep): Refusal {
  switch (step.kind) {
    case 'release':
      return tryRelease(run, open)
    case 'sent':
      return takeSent(run, open)
    case 'timeout':
      return takeTimeout(run, open, step.stage)
    case 'unknown':
      return takeUnknown(run, open)
    case 'answer':
      return takeAnswer(run, open, step.status)
  }
}

function wordOf(step: ActionStep): string {
  return step.kind === 'answer' ? `answer ${step.status}` : step.kind
}

/** Evaluates the gates again on what is seen now, and releases or cancels (SE-09). */
export function tryRelease(run: Run, open: OpenAction): Refusal {
  const { nowUs } = run.seen
  if (!['GATE_HELD', 'GATE_PASSED', 'PENDING_APPROVAL'].includes(open.state)) return [`STATE:${open.state}`]
  if (!(nowUs >= open.vetoUntilUs)) return [`VETO ${Math.floor((open.vetoUntilUs - nowUs) / 1000)}ms`]
  if (!(nowUs <= open.deadlineUs)) {
    expire(run, open)
    return TAKEN
  }
  if (open.state === 'PENDING_APPROVAL' && twoPersons(open.by) === null) return [`TWO_PERSON ${open.by.length}/2`]
  const { gates, members } = gatesNow(run, open)
  const reasons = [...basisReasons(open.basis, basisOf(run)), ...gates.denied, ...gates.passive]
  if (reasons.length > 0 || gates.warrant === null) {
    move(run, open, 'cancel', { reasons, members })
    return TAKEN
  }
  open.proofs = gates.proofs.map(({ condition }) => condition)
  if (open.origin === 'manual') open.deadlineUs = nowUs + (hazardOf(run.policy, open.action, open.target)?.fttiUs ?? 0)
  release(run, open, { ...gates, warrant: gates.warrant }, members)
  return TAKEN
}

function gatesNow(run: Run, open: OpenAction): Readonly<{ gates: Gates; members: readonly Member[] }> {
  const { action, target, origin } = open
  const hazard = hazardOf(run.policy, action, target)
  const asked = { action, target, hazard, self: open }
  const of = ruleOf(run, open.rule)
  if (origin === 'manual' || of === null) return { gates: gatesOfOrder(run, asked, open.by), members: [] }
  if (origin === 'escalation') {
    const inherited = open.proofs.map((id) => proofOf(id, 'TRUE'))
    return { gates: gatesOfEscalation(run, asked, inherited, of), members: [] }
  }
  const early = open.arrival === '' ? null : earlyViewOf(of.rule, of.memory, hazard, run)
  const view = early ?? viewOf(of.rule, of.memory, hazard, run.seen)
  return { gates: gatesOfRule(run, view, of.memory, asked), members: view.members }
}

/** It is of no use any more. Its rule keeps the shot: while the demand lasts it is proposed anew. */
export function expire(run: Run, open: OpenAction): void {
  const hazard = hazardOf(run.policy, open.action, open.target)
  const { nowUs } = run.seen
  const lateMs = Math.floor((nowUs - open.deadlineUs) / 1000)
  const wasReleased = open.state === 'RELEASED'
  if (!move(run, open, 'expire', { reasons: [`DEADLINE ${lateMs}ms late`] })) return
  if (wasReleased) followFailure(run, open, 'was not handed over in time')
  if (wasReleased || open.origin === 'manual') return
  const severity = hazard === null || isOmissionGrave(hazard) ? 'CRITICAL' : 'WARNING'
  raiseAnew(run, `action_failed:${subjectOf(open)}`, severity, `${open.action} ${open.target}: EXPIRED before release`)
}

function takeSent(run: Run, open: OpenAction): Refusal {
  if (!move(run, open, 'sent')) return [`STATE:${open.state}`]
  lookForEffect(run, open, run.seen.nowUs)
  return TAKEN
}

/** States in which each time limit runs; in any other it has been overtaken. It is SENT while it is being handed over. */
const RUNS_IN: Readonly<Record<TimedStage, readonly ActionState[]>> = {
  send: ['RELEASED', 'SENT'],
  accept: ['SENT'],
  start: ['ACCEPTED'],
  complete: ['STARTED'],
}

function takeTimeout(run: Run, open: OpenAction, stage: TimedStage): Refusal {
  // Nobody answers and nothing shows it: that is all that will ever be known.
  const isForgotten = open.state === 'UNKNOWN_OUTCOME' && open.verify === null
  if (!isForgotten && !RUNS_IN[stage].includes(open.state)) return [`STAGE_PASSED:${stage} ${open.state}`]
  const isUnheard = stage === 'send' || stage === 'accept'
  if (!isForgotten && isUnheard && mayResend(run, open)) {
    resend(run, open, `TIMEOUT:${stage}`)
    return TAKEN
  }
  move(run, open, 'timeout', { reasons: [`TIMEOUT:${stage}`] })
  followFailure(run, open, stage)
  return TAKEN
}

function resend(run: Run, open: OpenAction, reason: string): void {
  open.attempt += 1
  move(run, open, 'resend', { reasons: [reason], note: `attempt ${open.attempt}` })
}

/** After a restart: handed over, and nobody knows what came of it (SE-15). What its peer said meanwhile is lost. */
function takeUnknown(run: Run, open: OpenAction): Refusal {
  if (!move(run, open, 'unknown')) return [`STATE:${open.state}`]
  becomeUnknown(run, open)
  return TAKEN
}

function becomeUnknown(run: Run, open: OpenAction): void {
  const hazard = hazardOf(run.policy, open.action, open.target)
  const severity = hazard === null || isOmissionGrave(hazard) ? 'CRITICAL' : 'WARNING'
  const text = `${open.action} ${open.target}: handed over, outcome unknown`
  raiseAnew(run, `unknown_outcome:${subjectOf(open)}`, severity, text)
  lookForEffect(run, open, open.verifyFromUs ?? run.seen.nowUs)
}

function takeAnswer(run: Run, open: OpenAction, status: AnswerStatus): Refusal {
  if (status !== 'unknown_key') return takeStatus(run, open, status, { note: '' })
  if (open.state === 'UNKNOWN_OUTCOME') {
    takeNeverHad(run, open)
    return TAKEN
  }
  // It had said that it took it, and has forgotten.
  const isForgotten = open.state === 'ACCEPTED' || open.state === 'STARTED'
  if (!isForgotten || !move(run, open, 'unknown', { reasons: ['UNKNOWN_KEY'] })) return [`STATE:${open.state}`]
  becomeUnknown(run, open)
  return TAKEN
}

/** The peer says that it never had it: it is sent again if that is safe, and otherwise its effect decides. */
function takeNeverHad(run: Run, open: OpenAction): void {
  if (mayResend(run, open)) {
    resend(run, open, 'UNKNOWN_KEY')
    lower(run, `unknown_outcome:${subjectOf(open)}`, 'the peer never had it; sent again')
  } else say(run, open, open.state, { reasons: ['UNKNOWN_KEY'], note: 'the effect decides' })
}

/** Takes an acknowledgement. Only the target of the action may say anything about it (SE-41). */
export function takeAck(run: Run, ack: ActionAck): void {
  const reasons = followAck(run, ack)
  if (reasons.length > 0) refuse(run, 'ack', ack.key, reasons)
}

function followAck(run: Run, { key, status, from, message }: ActionAck): Refusal {
  const open = findOpen(run, key)
  const target = open?.target ?? run.state.done.find((one) => one.key === key)?.target
  if (target === undefined) return ['UNKNOWN_KEY']
  if (from !== target) {
    raise(run, `stranger:${target}`, 'WARNING', `${from} acknowledged an action that ${target} was asked for`)
    return [`IDENTITY:${from}`]
  }
  lower(run, `stranger:${target}`, `${target} speaks for itself`)
  return open === null ? takeLate(run, 'ack', key, status) : takeStatus(run, open, status, { note: message })
}

/** Moves an action by what is said of it, by its peer or by people who looked; a stage is never gone back, nor said twice. */
export function takeStatus(
  run: Run,
  open: OpenAction,
  status: ActionAck['status'],
  said: Readonly<{ note: string; reasons?: readonly string[] }>,
): Refusal {
  const before = open.state
  if (status === 'progress') {
    if (open.progress >= PROGRESS_NOTED_MAX) return ['PROGRESS_FULL']
    open.progress += 1
  }
  if (!move(run, open, status, said)) {
    const word = isBeforeSent(before) ? 'NOT_RELEASED' : 'BACKWARD'
    return [`${word}:${status} in ${before}`]
  }
  const { nowUs } = run.seen
  lower(run, `unknown_outcome:${subjectOf(open)}`, open.state)
  if (open.state === 'REJECTED' || open.state === 'FAILED') {
    followFailure(run, open, said.note)
    return TAKEN
  }
  // Relative to its start; to the stage before or after it when the peer left that out.
  const isFirst = before === 'RELEASED' || before === 'SENT' || before === 'UNKNOWN_OUTCOME'
  if (isFirst || (open.state === 'STARTED' && before === 'ACCEPTED')) lookForEffect(run, open, nowUs)
  if (open.state === 'COMPLETED' && open.verify === null) believe(run, open, said.reasons)
  return TAKEN
}

/** Where no channel shows an effect, whoever says that it was done is believed. */
function believe(run: Run, open: OpenAction, reasons: readonly string[] | undefined): void {
  const note = `no channel shows it; ${reasons === undefined ? 'its peer says' : 'people say'} so`
  if (move(run, open, 'verified', { note, ...(reasons === undefined ? {} : { reasons }) })) followSuccess(run, open)
}

/** What comes after the end is noted beside it and rewrites nothing (SE-16). */
function takeLate(run: Run, input: 'ack' | ActionStep['kind'], key: string, word: string): Refusal {
  const done = run.state.done.find((one) => one.key === key)
  if (done === undefined) return ['UNKNOWN_KEY']
  if (input === 'release' || input === 'timeout') return [`STATE:${done.state}`]
  if (done.lates >= LATE_NOTED_MAX) {
    run.state.latesDropped += 1
    return ['LATE_DROPPED']
  }
  done.lates += 1
  const note = `${word} came after the end; the end stands`
  run.out.push(changeOf(run, done, { state: done.state, from: done.state, reasons: [`LATE:${word}`], note }))
  return TAKEN
}
