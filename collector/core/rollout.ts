import type { ConfigState } from '../../shared/model/config-state.ts'
import type { Micros, Millis } from '../../shared/units.ts'
import { healthOf } from './rollout-health.ts'

/** What a rollout is to do. `agents` in the order in which they get it; `stages`: how many have it after each. */
export type RolloutPlan = Readonly<{
  id: string
  digest: string
  agents: readonly string[]
  stages: readonly number[]
  soakUs: Micros
  withinUs: Micros
}>

/**
 * | phase | event → next |
 * |---|---|
 * | waiting | its turn, connected → offered |
 * | offered | taken, or it says that it runs it → taken; refused → refused; no answer, or away → waiting |
 * | taken | the rollout fails → going_back |
 * | going_back | gone back, or it answers that it runs something else → back; refused → not_back |
 * | refused | says that it runs it → going_back |
 * | back, not_back | ends |
 *
 * When a rollout fails, who is `offered` goes back as well: whether it took it is not known.
 */
export type AgentPhase = 'waiting' | 'offered' | 'taken' | 'refused' | 'going_back' | 'back' | 'not_back'
export type RolloutStatus = 'RUNNING' | 'ROLLING_BACK' | 'COMPLETED' | 'ROLLED_BACK'

export type RolloutAgent = {
  readonly agent: string
  phase: AgentPhase
  connected: boolean
  /** What it said when it was offered the bundle, and what it says now. */
  before: ConfigState | null
  now: ConfigState | null
  /** Not asked again before; times are of the rollout. */
  againUs: Micros
  /** Last asked for; −1: not in this connection. */
  askedUs: Micros
  /** When it said how it is. */
  saidUs: Micros
  /** Since when it is well; −1: it is not. */
  wellUs: Micros
  armed: string[]
  /** Why it is not further, in words. */
  detail: string
}

/** Plain data: kept as JSON. Times are of the rollout, which stand still while the collector is down. */
export type RolloutState = {
  readonly plan: RolloutPlan
  status: RolloutStatus
  nowUs: Micros
  /** Stage under way, from 0, and since when. */
  stage: number
  stageUs: Micros
  /** When it failed; −1: it did not. */
  failedUs: Micros
  reasons: string[]
  agents: RolloutAgent[]
}

export type RolloutInput = Readonly<{ nowUs: Micros }> &
  Readonly<
    | { kind: 'tick' }
    | { kind: 'said'; agent: string; said: ConfigState }
    | { kind: 'left'; agent: string }
    | ({ kind: 'answer'; agent: string } & RolloutAnswer)
    | { kind: 'abort'; by: string; reason: string }
    | { kind: 'broken'; reason: string }
  >
export type RolloutAnswer = Readonly<{
  what: 'offer' | 'back'
  taken: boolean
  againMs: Millis
  reasons: readonly string[]
}>

/** What is to be done, in this order, after the state is kept. A note is a line of the record. */
export type RolloutEffect =
  | Readonly<{ kind: 'offer'; agent: string }>
  | Readonly<{ kind: 'back'; agent: string; reason: string }>
  | Readonly<{ kind: 'note'; agent: string; what: string; detail: string }>

/** An answer that does not come within this is asked for again. */
export const ANSWER_US: Micros = 60_000_000
/** Agents that are not reached within this after a failure are rolled back when they come; the rollout ends without them. */
export const BACK_US: Micros = 30_000_000
/** Reasons kept of a failure; every agent has one at most beside. */
const REASONS_MAX = 16

export function startRollout(plan: RolloutPlan): RolloutState {
  const agents = plan.agents.map(
    (agent): RolloutAgent => ({
      ...{
        agent,
        phase: 'waiting',
        connected: false,
        before: null,
        now: null,
        againUs: 0,
        askedUs: -1,
        saidUs: -1,
        wellUs: -1,
      },
      ...{ armed: [], detail: '' },
    }),
  )
  return { plan, status: 'RUNNING', nowUs: 0, stage: 0, stageUs: 0, failedUs: -1, reasons: [], agents }
}

/** A rollout as it was kept: nobody is connected, and who was asked is asked again. */
export function resumeRollout(kept: RolloutState): RolloutState {
  for (const one of kept.agents) gone(one)
  return kept
}

/** Whether agents may still be waited for: it runs, or somebody has yet to go back. */
export function isLive({ status, agents }: RolloutState): boolean {
  return status === 'RUNNING' || status === 'ROLLING_BACK' || agents.some(({ phase }) => phase === 'going_back')
}

/** Takes one input and says what to do about it. The state is changed in place. */
export function stepRollout(state: RolloutState, input: RolloutInput): RolloutEffect[] {
  const effects: RolloutEffect[] = []
  state.nowUs = Math.max(state.nowUs, input.nowUs)
  if (input.kind === 'abort' && state.status === 'RUNNING')
    fail(state, [`aborted by ${input.by}: ${input.reason}`], effects)
  if (input.kind === 'broken' && state.status === 'RUNNING') fail(state, [input.reason], effects)
  if ('agent' in input) {
    const one = state.agents.find(({ agent }) => agent === input.agent)
    if (one !== undefined) hear(state, one, input, effects)
  }
  if (state.status === 'RUNNING') advance(state, effects)
  goBack(state, effects)
  return effects
}

type FromAgent = Extract<RolloutInput, { agent: string }>

function hear(state: RolloutState, one: RolloutAgent, input: FromAgent, effects: RolloutEffect[]): void {
  if (input.kind === 'left') {
    gone(one)
  } else if (input.kind === 'said') said(state, one, input.said, effects)
  else if (input.what === 'offer') offerAnswered(state, one, input, effects)
  else backAnswered(state, one, input, effects)
}

function gone(one: RolloutAgent): void {
  Object.assign(one, { connected: false, askedUs: -1, wellUs: -1 })
  // Whether it came through is not known: it is asked again, and an agent that has it says so.
  if (one.phase === 'offered') one.phase = 'waiting'
}

function said(state: RolloutState, one: RolloutAgent, now: ConfigState, effects: RolloutEffect[]): void {
  const runsIt = now.bundle.digest === state.plan.digest
  Object.assign(one, { connected: true, now, saidUs: state.nowUs })
  // Asked, and the answer was lost. One that was not asked yet, and had it from somebody else, is asked at its turn.
  const wasAsked = one.phase === 'offered' || (one.phase === 'waiting' && one.before !== null)
  if (runsIt && wasAsked && state.status === 'RUNNING') move(one, 'taken', 'it runs it', effects)
  // It refused, and runs it all the same: its disk failed behind the activation.
  if (runsIt && one.phase === 'refused') {
    move(one, 'going_back', 'it refused it, and runs it', effects)
    Object.assign(one, { askedUs: -1, againUs: 0 })
  }
  if (one.phase === 'taken')
    for (const { rig, arm } of now.rigs) if (runsIt && arm === 'ARMED' && !one.armed.includes(rig)) one.armed.push(rig)
}

function offerAnswered(
  state: RolloutState,
  one: RolloutAgent,
  { taken, againMs, reasons }: RolloutAnswer,
  effects: RolloutEffect[],
): void {
  if (one.phase !== 'offered') return
  if (taken) move(one, 'taken', '', effects)
  else if (againMs > 0)
    Object.assign(one, { phase: 'waiting', againUs: state.nowUs + againMs * 1000, detail: reasons[0] ?? '' })
  else {
    move(one, 'refused', reasons.join('\n'), effects)
    fail(state, [`${one.agent} refused it: ${reasons[0] ?? 'without a reason'}`], effects)
  }
}

function backAnswered(
  state: RolloutState,
  one: RolloutAgent,
  { taken, againMs, reasons }: RolloutAnswer,
  effects: RolloutEffect[],
): void {
  if (one.phase !== 'going_back') return
  const isElsewhere = reasons.some((reason) => reason.startsWith('not_in_force'))
  if (taken || isElsewhere) move(one, 'back', isElsewhere ? 'it does not run it' : '', effects)
  else if (againMs > 0) Object.assign(one, { askedUs: -1, againUs: state.nowUs + againMs * 1000 })
  else move(one, 'not_back', reasons.join('\n'), effects)
}

function move(one: RolloutAgent, phase: AgentPhase, detail: string, effects: RolloutEffect[]): void {
  Object.assign(one, { phase, detail, wellUs: -1 })
  effects.push({ kind: 'note', agent: one.agent, what: phase, detail })
}

/** Everything is done that can be, as far as the stages allow it. */
function advance(state: RolloutState, effects: RolloutEffect[]): void {
  const { plan } = state
  const members = state.agents.slice(0, plan.stages[state.stage])
  for (const one of members) offer(state, one, effects)
  const waits: string[] = []
  for (const one of members) {
    const health =
      one.phase === 'taken' ? healthOf({ digest: plan.digest, ageUs: state.nowUs - one.saidUs, ...one }) : null
    if (health?.is === 'bad') {
      fail(state, [`${one.agent} ${health.why}`], effects)
      return
    }
    if (health?.is === 'good') one.wellUs = one.wellUs < 0 ? state.nowUs : one.wellUs
    else {
      one.wellUs = -1
      waits.push(`${one.agent} ${health?.why ?? whyNotTaken(one)}`)
    }
  }
  const wellUs = Math.max(...members.map((one) => one.wellUs))
  if (waits.length === 0 && state.nowUs - wellUs >= plan.soakUs) passed(state, effects)
  else if (state.nowUs - state.stageUs > plan.withinUs)
    fail(state, [`stage ${state.stage + 1} did not pass within ${plan.withinUs / 1e6} s`, ...waits], effects)
}

function offer(state: RolloutState, one: RolloutAgent, effects: RolloutEffect[]): void {
  const { nowUs } = state
  const isLate = one.phase === 'offered' && nowUs - one.askedUs >= ANSWER_US
  if (!(one.phase === 'waiting' || isLate) || !one.connected || one.now === null || nowUs < one.againUs) return
  const isFirst = one.before === null
  one.before ??= one.now
  Object.assign(one, { phase: 'offered', askedUs: nowUs, detail: '' })
  if (isFirst) effects.push({ kind: 'note', agent: one.agent, what: 'offered', detail: '' })
  effects.push({ kind: 'offer', agent: one.agent })
}

function whyNotTaken({ phase, connected, detail }: RolloutAgent): string {
  if (!connected) return 'is not connected'
  return phase === 'offered' ? 'has not answered' : `has not taken it${detail === '' ? '' : `: ${detail}`}`
}

function passed(state: RolloutState, effects: RolloutEffect[]): void {
  const count = state.plan.stages[state.stage]!
  effects.push({ kind: 'note', agent: '', what: 'stage_passed', detail: `${state.stage + 1}: ${count} agents` })
  if (state.stage + 1 === state.plan.stages.length) {
    state.status = 'COMPLETED'
    effects.push({ kind: 'note', agent: '', what: 'COMPLETED', detail: '' })
    return
  }
  Object.assign(state, { stage: state.stage + 1, stageUs: state.nowUs })
  advance(state, effects)
}

/** Everybody who has it, or may have it, goes back. */
function fail(state: RolloutState, reasons: readonly string[], effects: RolloutEffect[]): void {
  Object.assign(state, { status: 'ROLLING_BACK', failedUs: state.nowUs, reasons: reasons.slice(0, REASONS_MAX) })
  effects.push({ kind: 'note', agent: '', what: 'ROLLING_BACK', detail: reasons.join('\n') })
  for (const one of state.agents) {
    // Asked before it went away: it may have come through.
    const mayHaveIt =
      one.phase === 'taken' || one.phase === 'offered' || (one.phase === 'waiting' && one.before !== null)
    if (mayHaveIt) Object.assign(one, { phase: 'going_back', askedUs: -1, againUs: 0, detail: '' })
  }
}

function goBack(state: RolloutState, effects: RolloutEffect[]): void {
  if (state.failedUs < 0) return
  const { nowUs } = state
  const reason = state.reasons[0] ?? ''
  for (const one of state.agents) {
    const isAsked = one.askedUs >= 0 && nowUs - one.askedUs < ANSWER_US
    if (one.phase !== 'going_back' || !one.connected || isAsked || nowUs < one.againUs) continue
    one.askedUs = nowUs
    effects.push({ kind: 'back', agent: one.agent, reason })
  }
  if (state.status !== 'ROLLING_BACK') return
  const owed = state.agents.filter(({ phase }) => phase === 'going_back').map(({ agent }) => agent)
  if (owed.length > 0 && nowUs - state.failedUs < BACK_US) return
  state.status = 'ROLLED_BACK'
  const detail = owed.length === 0 ? '' : `when they come: ${owed.join(', ')}`
  effects.push({ kind: 'note', agent: '', what: 'ROLLED_BACK', detail })
}
