import { canonicalBytes } from '../../shared/codec/canonical.ts'
import type { JournalFile, JournalInput } from '../../shared/codec/journal-input.ts'
import { type CborCaps, decodeSigned } from '../../shared/codec/signed-cbor.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import type { Canonical } from '../../shared/model/decision.ts'
import { type Digests, EVALUATOR_VERSION, STATE_LAYOUT } from '../core/settings.ts'
import { restoreState, snapshotState } from '../core/snapshot.ts'
import { createState, type EvaluatorState } from '../core/state.ts'
import { type Effect, step } from '../core/step.ts'
import { compileSettings } from './compile-settings.ts'
import { evaluatorDigests } from './digests.ts'
import { evaluatorInput } from './feed.ts'

/**
 * The evaluator between two inputs: its state, the configuration files it runs under, and the journal position it has
 * taken in. Running, recovery and replay are this and nothing else.
 */
export type Evaluation = { state: EvaluatorState; files: readonly JournalFile[]; journalSeq: number }

export function createEvaluation(): Evaluation {
  return { state: createState(), files: [], journalSeq: 0 }
}

/** A saved state is our own and proved by its digest; it may be as large as `config check` lets a rig be. */
export const CHECKPOINT_CAPS: CborCaps = { bytesMax: 2 ** 31, depthMax: 16, itemsMax: 20_000_000 }

/** Looks at a rig when it has closed a slide, and at the configuration it did so under; see {@link Digests}. */
export type OnClosed = (
  ...closed: [...Parameters<NonNullable<Digests['closed']>>, files: readonly JournalFile[]]
) => void

/** Takes the journaled input `journalSeq`. */
export function evaluate(evaluation: Evaluation, journalSeq: number, input: JournalInput, closed?: OnClosed): Effect[] {
  const digests: Digests =
    closed === undefined
      ? evaluatorDigests
      : { ...evaluatorDigests, closed: (rig, verdict) => closed(rig, verdict, evaluation.files) }
  const effects = step(evaluation.state, evaluatorInput(input), digests)
  if (input.kind === 'config') evaluation.files = input.files
  evaluation.journalSeq = journalSeq
  return effects
}

/** Last decision that has left the evaluator in an item; those after it are in the open range of the state. */
export function emittedThrough(state: EvaluatorState): number {
  return state.range === null ? state.decisionSeq : state.range.first - 1
}

/**
 * Body of a checkpoint: signed-profile CBOR of `[state layout, evaluator version, journal seq, [[name, bytes]…], state]`.
 * It holds the bytes of the configuration, because the record of them may be gone from the journal by then. `rigs` are given where they are evaluated elsewhere.
 */
export function checkpointBody(evaluation: Evaluation, rigs?: readonly Canonical[]): Uint8Array {
  const files = evaluation.files.map((file) => [file.name, file.bytes] as const)
  return canonicalBytes([
    STATE_LAYOUT,
    EVALUATOR_VERSION,
    evaluation.journalSeq,
    files,
    snapshotState(evaluation.state, rigs),
  ])
}

function decoded(body: Uint8Array): { value: unknown } | { refused: string } {
  try {
    return { value: decodeSigned(body, CHECKPOINT_CAPS) }
  } catch (error) {
    if (isHbError(error)) return { refused: error.message }
    throw error
  }
}

/** @returns the evaluation a checkpoint holds, or why it cannot be used. Never half of one, never a guess (decisions 5). */
export function restoreEvaluation(body: Uint8Array): Evaluation | { refused: string } {
  const read = decoded(body)
  if ('refused' in read) return read
  const { value } = read
  if (!Array.isArray(value) || value.length !== 5) return { refused: 'another shape' }
  const [layout, version, journalSeq, named, snapshot] = value as [
    number,
    number,
    number,
    [string, Uint8Array][],
    never,
  ]
  if (layout !== STATE_LAYOUT) return { refused: `state layout ${layout}, this program has ${STATE_LAYOUT}` }
  if (version !== EVALUATOR_VERSION)
    return { refused: `evaluator version ${version}, this program has ${EVALUATOR_VERSION}` }
  const files = named.map(([name, bytes]) => ({ name, bytes }))
  if (files.length === 0) return { refused: 'no configuration' }
  const state = restoreState(snapshot, compileSettings(files))
  return state === null ? { refused: 'a state of another configuration' } : { state, files, journalSeq }
}
