import type { JournalFile, JournalInput } from '../../shared/codec/journal-input.ts'
import { invariant } from '../../shared/lib/assert.ts'
import type { Action, ActionState } from '../../shared/model/action.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import type { Micros } from '../../shared/units.ts'
import { createRigSafety } from '../core/rig-safety.ts'
import type { ActionChange } from '../core/safety/changes.ts'
import type { RigState } from '../core/state.ts'
import type { Effect } from '../core/step.ts'
import { checkpointBody, createEvaluation, type Evaluation, evaluate, restoreEvaluation } from './evaluation.ts'
import { type Replayed, type ReplaySource, replay } from './replay.ts'

/** Proposals, done actions and misses that are listed one by one; further ones are counted alone. */
export const TRIAL_LISTED_MAX = 1_000

/** What a rule would have done, or why not. `conditions` are those of its vote when it was proposed. */
export type TrialProposal = Readonly<
  Pick<ActionChange, 'rig' | 'rule' | 'episode' | 'action' | 'target' | 'endUs' | 'state' | 'reasons' | 'conditions'>
>

/** An action that the recorded agent released, and how it stands at the end of the journal. */
export type TrialDone = Readonly<{
  key: string
  rig: string
  rule: string
  action: Action
  target: string
  endUs: Micros
  state: ActionState
}>

/** An unbroken run of slides with the overall verdict FAIL in which no rule was in an episode. */
export type TrialMiss = Readonly<{ rig: string; fromUs: Micros; toUs: Micros; slides: number }>

export type RuleScore = Readonly<{
  rig: string
  rule: string
  action: Action
  target: string
  /** Episodes in which it would have acted, and proposals that were denied. */
  would: number
  denied: number
  /** Actions of it that were released when the journal was recorded. */
  did: number
  /** null where nothing was evaluated. */
  perHour: number | null
  /** null: the policy expects nothing. */
  expectedPerHour: number | null
  /** Most that the expectation allows in this time; null without one. */
  allowed: number | null
  broken: boolean
}>

export type RigScore = Readonly<{ rig: string; slides: number; hours: number; failSlides: number; missed: number }>

export type Trial = Readonly<{
  rigs: readonly RigScore[]
  rules: readonly RuleScore[]
  proposals: Listed<TrialProposal>
  done: Listed<TrialDone>
  misses: Listed<TrialMiss>
  /** Records that cannot be read: what happened in them was not tried. */
  unreadable: readonly Readonly<{ fromSeq: number; toSeq: number; reason: string }>[]
}>

/** `more` were left out of `list`. */
export type Listed<T> = Readonly<{ list: readonly T[]; more: number }>

export type TrialOptions = Readonly<{
  /** Files of the configuration to try; null: those that the journal holds. */
  files: readonly JournalFile[] | null
  /** Called with the number of each record. */
  report?: (seq: number) => void
  /** Instead of {@link TRIAL_LISTED_MAX}. */
  listedMax?: number
}>

/**
 * Runs a journal again as if nobody had ever armed anything: orders, acknowledgements and steps of actions are left out, so
 * every rule says what it would have done or why not, and nothing it did changes what comes after. Beside it the journal runs
 * as it was recorded, for what really was done.
 *
 * @throws HbError STATE_NOT_RECOVERABLE, and what a configuration that does not compile gives
 */
export async function tryPolicy(
  source: ReplaySource,
  { files, report, listedMax = TRIAL_LISTED_MAX }: TrialOptions,
): Promise<Trial> {
  const score = new Score(listedMax)
  let tried: Evaluation | null = null
  for await (const recorded of replay(source)) {
    report?.(recorded.seq)
    score.recorded(recorded)
    if (tried === null && recorded.evaluation.files.length > 0 && recorded.input.kind !== 'config')
      tried = adopted(recorded, files)
    else if (recorded.unreadable !== null) tried = adopted(recorded, files)
    else {
      tried ??= createEvaluation()
      const input = inputOfTrial(recorded.input, tried, files)
      if (input !== null)
        score.tried(evaluate(tried, recorded.seq, input, (rig, verdict) => score.closed(rig, verdict)))
    }
  }
  return score.finish(tried)
}

/** What the trial is told of an input; null: nothing. */
function inputOfTrial(input: JournalInput, { files }: Evaluation, wanted: TrialOptions['files']): JournalInput | null {
  if (input.kind === 'policy' || input.kind === 'action_transition' || input.kind === 'ack') return null
  if (input.kind !== 'config' || wanted === null) return input
  // The configuration on trial is in force from the first one on; what was changed while recording is not on trial.
  return files.length > 0 ? null : { ...input, files: wanted }
}

/**
 * Goes on from where the recording stands, because what was before cannot be run again. What the rules remember there comes
 * of orders and actions, which are not part of a trial: they begin anew.
 */
function adopted({ evaluation, seq }: Replayed, files: TrialOptions['files']): Evaluation {
  const copy = restoreEvaluation(checkpointBody(evaluation))
  invariant(!('refused' in copy), 'a state that was just written is read again')
  for (const rig of copy.state.rigs) if (rig.safety !== null) Object.assign(rig.safety, createRigSafety(rig.settings))
  if (files !== null) evaluate(copy, seq, { kind: 'config', nowUs: copy.state.nowUs, files })
  return copy
}

type Slides = {
  slideUs: Micros
  slides: number
  failSlides: number
  missed: number
  /** The newest closed slide, which is judged when the kernel has seen it. */
  pending: Readonly<{ rig: RigState; endUs: Micros; verdict: OverallVerdict }> | null
  run: { fromUs: Micros; toUs: Micros; slides: number; covered: boolean } | null
}

class List<T> {
  readonly list: T[] = []
  more = 0
  private readonly most: number
  constructor(most: number) {
    this.most = most
  }
  add(one: T): void {
    if (this.list.length < this.most) this.list.push(one)
    else this.more += 1
  }
}

/** Counts by rig and rule; a space is in neither name. */
class Counts {
  private readonly counts = new Map<string, number>()
  add({ rig, rule }: Readonly<{ rig: string; rule: string }>): void {
    this.counts.set(`${rig} ${rule}`, this.of({ rig, rule }) + 1)
  }
  of({ rig, rule }: Readonly<{ rig: string; rule: string }>): number {
    return this.counts.get(`${rig} ${rule}`) ?? 0
  }
}

class Score {
  private readonly rigs = new Map<string, Slides>()
  private readonly proposals: List<TrialProposal>
  private readonly misses: List<TrialMiss>
  private readonly listedMax: number
  /** By key, released ones alone. */
  private readonly done = new Map<string, TrialDone>()
  private doneMore = 0
  private readonly would = new Counts()
  private readonly denied = new Counts()
  private readonly did = new Counts()
  private readonly unreadable: Trial['unreadable'][number][] = []

  constructor(listedMax: number) {
    this.listedMax = listedMax
    this.proposals = new List(listedMax)
    this.misses = new List(listedMax)
  }

  /** Takes what the recorded agent did at an input. */
  recorded({ effects, unreadable }: Replayed): void {
    if (unreadable !== null) this.unreadable.push(unreadable)
    for (const { key, rig, rule, action, target, endUs, state, from } of actionsIn(effects)) {
      const isReleased = state === 'RELEASED' && from !== 'RELEASED'
      if (isReleased) this.did.add({ rig, rule })
      if (isReleased && this.done.size >= this.listedMax) this.doneMore += 1
      else if (isReleased || this.done.has(key)) this.done.set(key, { key, rig, rule, action, target, endUs, state })
    }
  }

  /** Takes what the trial said at an input. */
  tried(effects: readonly Effect[]): void {
    for (const { rig, rule, episode, action, target, endUs, state, from, reasons, conditions } of actionsIn(effects)) {
      // What is noted beside a state is no other proposal.
      if (state === 'PROPOSED' || state === from) continue
      const counts = state === 'WOULD_HAVE_DONE' ? this.would : this.denied
      counts.add({ rig, rule })
      // Nobody arms a trial: that it was not armed is no news.
      const news = reasons.filter((reason) => !reason.startsWith('NOT_ARMED'))
      this.proposals.add({ rig, rule, episode, action, target, endUs, state, reasons: news, conditions })
    }
  }

  /** Takes a slide that the trial closed, before its rules have seen it. */
  closed(rig: RigState, verdict: OverallVerdict): void {
    if (rig.safety === null) return
    const { rig: id, slideUs } = rig.settings
    const of = this.rigs.get(id) ?? { slideUs, slides: 0, failSlides: 0, missed: 0, pending: null, run: null }
    this.rigs.set(id, of)
    this.judge(id, of)
    of.pending = { rig, endUs: rig.closedUs, verdict }
  }

  private judge(id: string, of: Slides): void {
    if (of.pending === null) return
    const { rig, endUs, verdict } = of.pending
    of.slides += 1
    of.pending = null
    if (verdict !== 'FAIL') {
      this.endRun(id, of)
      return
    }
    of.failSlides += 1
    of.run ??= { fromUs: endUs, toUs: endUs, slides: 0, covered: false }
    of.run.toUs = endUs
    of.run.slides += 1
    of.run.covered ||= rig.safety?.kernel.rules.some(({ inEpisode }) => inEpisode) ?? false
  }

  private endRun(rig: string, of: Slides): void {
    const { run } = of
    of.run = null
    if (run === null || run.covered) return
    of.missed += 1
    this.misses.add({ rig, fromUs: run.fromUs, toUs: run.toUs, slides: run.slides })
  }

  /** `tried` is the trial at its end; null when the journal is empty. */
  finish(tried: Evaluation | null): Trial {
    for (const [id, of] of this.rigs) {
      this.judge(id, of)
      this.endRun(id, of)
    }
    const ruled = (tried?.state.rigs ?? []).filter(({ safety }) => safety !== null)
    const rigs = ruled.map(({ settings: { rig } }): RigScore => {
      const { slideUs, slides, failSlides, missed } = this.rigs.get(rig) ?? NOTHING_CLOSED
      return { rig, slides, hours: (slides * slideUs) / HOUR_US, failSlides, missed }
    })
    return {
      rigs,
      rules: ruled.flatMap((rig, k) => this.rulesOf(rig, rigs[k]!.hours)),
      proposals: this.proposals,
      done: { list: [...this.done.values()], more: this.doneMore },
      misses: this.misses,
      unreadable: this.unreadable,
    }
  }

  private rulesOf({ settings: { rig, safety } }: RigState, hours: number): RuleScore[] {
    return (safety?.policy.rules ?? []).map(({ id: rule, action, target, expectedPerHour = null }) => {
      const of = { rig, rule }
      const would = this.would.of(of)
      const allowed = expectedPerHour === null ? null : allowedIn(hours, expectedPerHour)
      return {
        ...{ rig, rule, action, target, would, denied: this.denied.of(of), did: this.did.of(of) },
        perHour: hours > 0 ? would / hours : null,
        ...{ expectedPerHour, allowed, broken: allowed !== null && !(would <= allowed) },
      }
    })
  }
}

const HOUR_US = 3_600_000_000
const NOTHING_CLOSED = { slideUs: 0, slides: 0, failSlides: 0, missed: 0 } as const

/** One occurrence refutes no rate, however short the time; an expectation of none is refuted by one. */
function allowedIn(hours: number, expectedPerHour: number): number {
  return expectedPerHour > 0 ? Math.max(1, Math.floor(hours * expectedPerHour)) : 0
}

function actionsIn(effects: readonly Effect[]): ActionChange[] {
  return effects.flatMap((effect) =>
    effect.kind === 'safety' && effect.change.kind === 'action' ? [effect.change] : [],
  )
}
