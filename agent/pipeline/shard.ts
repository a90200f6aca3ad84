import { decodeJournalInput } from '../../shared/codec/journal-input.ts'
import { decodeSigned } from '../../shared/codec/signed-cbor.ts'
import type { Canonical } from '../../shared/model/decision.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'
import { arraysOfMonitor } from '../core/detectors/monitor.ts'
import type { Judgement } from '../core/judge.ts'
import { advanceRig, completeRig, type RigOutcome, type Time, takeOnRig } from '../core/rig-step.ts'
import { restoreRig, snapshotRig } from '../core/snapshot.ts'
import type { RigState } from '../core/state.ts'
import { evaluatorDigests } from './digests.ts'
import { receivedSettings, type SentSettings } from './injected-trust.ts'
import { type Mark, markOf, type Token } from './pulse.ts'
import { rigInput } from './rig-input.ts'
import { type RigView, refusalsOf, viewOf } from './rig-view.ts'

/** Rigs that are evaluated apart: their place among all rigs, settings, and state as the bytes of a snapshot. */
export type ShardRig = Readonly<{ index: number; settings: SentSettings; state: Uint8Array }>
export type ShardStart = Readonly<{ rigs: readonly ShardRig[] }>

/** Inputs that are evaluated together: the time of each, and the record's body of those that bring something to these rigs. */
export type ShardRound = Readonly<{
  times: readonly Time[]
  bodies: readonly (readonly [input: number, body: Uint8Array])[]
  /** Tokens of the dead-man, each behind the input it came with. */
  tokens: readonly (readonly [input: number, token: Token])[]
  /** Somebody looks: windows and judgements of the last slide of each rig are wanted. */
  look: boolean
  /** The state after the round is wanted. */
  save: boolean
}>

/** What was found at the end of a slide, for who looks. */
export type Shown = Readonly<{
  judgements: readonly Judgement[]
  windowRows: readonly Float64Array[]
  newestUs: Float64Array
  /** What the detectors remember, in the order of `arraysOfMonitor`. */
  monitors: readonly Float64Array[]
}>

/** What time brought about on each rig, then what the input said, then what was complete by it. */
type Phase = 0 | 1 | 2

/** An outcome and where it belongs: input by input, phase by phase, rig by rig. */
export type ShardOutcome = Readonly<{
  input: number
  phase: Phase
  rig: number
  outcome: RigOutcome
  shown: Shown | null
}>

export type ShardReply = Readonly<{
  outcomes: readonly ShardOutcome[]
  views: readonly (readonly [rig: number, view: RigView])[]
  states: readonly (readonly [rig: number, state: Canonical])[] | null
  marks: readonly (readonly [input: number, mark: Mark])[]
}>

type ShardedRig = {
  readonly index: number
  readonly rig: RigState
  /** Refusals that the last view told of. */
  refused: number
  /** The last slide. */
  verdict: OverallVerdict | null
  judgements: readonly Judgement[]
}

/** A part of the rigs, evaluated apart from the others. Pure but for its state; lives on a thread of its own. */
export class Shard {
  private readonly rigs: ShardedRig[]

  constructor({ rigs }: ShardStart) {
    this.rigs = rigs.map(({ index, settings: sent, state }) => {
      const settings = receivedSettings(sent)
      const rig = restoreRig(decodeSigned(state), settings)
      if (rig === null) throw new Error(`rig ${settings.rig}: a state of other settings`)
      return { index, rig, refused: -1, verdict: null, judgements: [] }
    })
  }

  take({ times, bodies, tokens, look, save }: ShardRound): ShardReply {
    const outcomes: ShardOutcome[] = []
    const marks: [number, Mark][] = []
    let next = 0
    for (let input = 0; input < times.length; input += 1) {
      const body = bodies[next]?.[0] === input ? bodies[next++]![1] : null
      this.step(body, times[input]!, (phase, rig, outcome) => {
        outcomes.push({ input, phase, rig: rig.index, ...this.seen(rig, outcome) })
      })
      const token = tokens[marks.length]
      if (token?.[0] === input)
        marks.push([
          input,
          markOf(
            token[1],
            this.rigs.map(({ index, rig }) => [index, rig] as const),
          ),
        ])
    }
    if (look) this.showLast(outcomes)
    const views = this.rigs.map((at): [number, RigView] => {
      const view = viewOf(at.rig, at.refused, look)
      at.refused = refusalsOf(at.rig)
      return [at.index, view]
    })
    const states = save ? this.rigs.map(({ index, rig }): [number, Canonical] => [index, snapshotRig(rig)]) : null
    return { outcomes, views, states, marks }
  }

  private step(
    body: Uint8Array | null,
    time: Time,
    found: (phase: Phase, rig: ShardedRig, outcome: RigOutcome) => void,
  ): void {
    const outcomes: RigOutcome[] = []
    for (const at of this.rigs) {
      advanceRig(at.rig, time, outcomes, evaluatorDigests)
      for (const outcome of outcomes.splice(0)) found(0, at, outcome)
    }
    if (body !== null) {
      const input = rigInput(decodeJournalInput(body) as Parameters<typeof rigInput>[0])
      for (const at of this.rigs) {
        takeOnRig(at.rig, input, { nowUs: time.nowUs, outcomes, digests: evaluatorDigests })
        for (const outcome of outcomes.splice(0)) found(1, at, outcome)
      }
    }
    for (const at of this.rigs) {
      completeRig(at.rig, time.nowUs, outcomes, evaluatorDigests)
      for (const outcome of outcomes.splice(0)) found(2, at, outcome)
    }
  }

  /** Windows are there only until the next slide: a change of verdict is shown as it is, other slides lose what is for looking. */
  private seen(at: ShardedRig, outcome: RigOutcome): Pick<ShardOutcome, 'outcome' | 'shown'> {
    if (outcome.kind !== 'slide') return { outcome, shown: null }
    const { slide, judgements } = outcome
    const changed = slide.verdict !== at.verdict
    at.verdict = slide.verdict
    at.judgements = judgements!
    return {
      outcome: { kind: 'slide', slide, judgements: null },
      shown: changed ? shownOf(at) : null,
    }
  }

  private showLast(outcomes: ShardOutcome[]): void {
    for (const at of this.rigs) {
      const last = outcomes.findLastIndex((o) => o.rig === at.index && o.outcome.kind === 'slide')
      if (last >= 0 && outcomes[last]!.shown === null) outcomes[last] = { ...outcomes[last]!, shown: shownOf(at) }
    }
  }
}

function shownOf({ rig, judgements }: ShardedRig): Shown {
  return {
    judgements,
    windowRows: rig.windowRows.map((rows) => rows.slice()),
    newestUs: rig.newestUs.slice(),
    monitors: [...rig.monitors.values()].flatMap(arraysOfMonitor).map((array) => array.slice()),
  }
}
