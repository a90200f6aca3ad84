import type { JournalInput } from '../../shared/codec/journal-input.ts'
import type { Micros } from '../../shared/units.ts'
import type { Effect } from '../core/step.ts'
import { checkpointBody, type Evaluation, emittedThrough, evaluate } from './evaluation.ts'
import { type Mark, markOf, type Token } from './pulse.ts'

/** Told what an input asks for, in order of inputs, and the marks of all workers when it came with a token. */
export type Told = (effects: readonly Effect[], input: InputHead, journalSeq: number, marks: readonly Mark[]) => void

/** What of an input is still of interest when its effects are there. */
export type InputHead = Readonly<{ kind: JournalInput['kind']; nowUs: Micros; command?: string }>

/** A state to be saved, taken between two inputs. `emitted` is the last decision that has left it in an item. */
export type SavedState = Readonly<{ journalSeq: number; body: Uint8Array; emitted: number }>

/**
 * What evaluates journaled inputs: here and at once, or on other threads and a moment later. Effects come in the same
 * order and with the same bytes.
 */
export interface Evaluator {
  /** State as far as effects have been told. */
  readonly evaluation: Evaluation
  /** Time of the newest input taken, which may be ahead of what has been told. */
  readonly nowUs: Micros
  /** Takes the input `seq` of the journal, whose record has this body. */
  take(seq: number, input: JournalInput, body: Uint8Array, token?: Token | null): void
  /** Workers that have not answered yet; where there are none, nothing is ever waited for. */
  readonly awaited: readonly string[]
  /** Inputs taken that no round has begun with; always 0 where there are no threads. */
  readonly waiting: number
  /** Settles when there is room for more; null while there is. */
  room(): Promise<void> | null
  /** Settles when nothing is being evaluated any more, also of what came meanwhile. */
  settled(): Promise<void>
  /** Settles when what was taken so far has been told, whatever goes on coming; null when it has. */
  told(): Promise<void> | null
  /** The state between two inputs; null before there is a configuration. */
  save(): Promise<SavedState | null>
  close(): Promise<void>
}

/** Evaluates where it is called, so that everything has been told when `take` returns. */
export function directEvaluator(evaluation: Evaluation, told: Told): Evaluator {
  return {
    evaluation,
    get nowUs() {
      return evaluation.state.nowUs
    },
    take(seq, input, _body, token = null) {
      const effects = evaluate(evaluation, seq, input)
      told(effects, input, seq, token === null ? [] : [markOf(token, [...evaluation.state.rigs.entries()])])
    },
    awaited: [],
    waiting: 0,
    room: () => null,
    settled: async () => undefined,
    told: () => null,
    async save() {
      if (evaluation.state.settings === null) return null
      const { journalSeq, state } = evaluation
      return { journalSeq, body: checkpointBody(evaluation), emitted: emittedThrough(state) }
    },
    close: async () => undefined,
  }
}
