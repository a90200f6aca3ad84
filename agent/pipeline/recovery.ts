import type { VerifyKey } from '../../shared/crypto/sign.ts'
import type { Micros } from '../../shared/units.ts'
import type { ActionChange } from '../core/safety/changes.ts'
import type { Effect } from '../core/step.ts'
import type { Checkpoints, Journal, Outbox } from '../ports.ts'
import type { BatchItem } from './batcher.ts'
import { createEvaluation, type Evaluation, emittedThrough, evaluate, restoreEvaluation } from './evaluation.ts'
import { isOnPath, walkJournal } from './journal-walk.ts'
import { type DeclaredLoss, declareLoss, lossGaps } from './loss.ts'
import { type Outgoing, outgoingOf } from './outgoing.ts'

/** What recovery found. `items` were decided before the stop but are in no batch that can still be sent. */
export type Recovered = Readonly<{
  evaluation: Evaluation
  items: readonly BatchItem[]
  gaps: readonly Gap[]
  /** What became of actions in what was run again: for the ledger, nothing of it is carried out. */
  actions: readonly ActionChange[]
  /** Journal position of the checkpoint that was used; 0 when the journal was run from its beginning. */
  fromSeq: number
  /** First journal record that `items` may come from. */
  firstJournalSeq: number
  replayed: number
  /** Checkpoints that were passed over, newest first, and why. */
  passedOver: readonly { journalSeq: number; why: string }[]
  /** What had to be given up, written to the journal; null when evaluation goes on exactly where it was. */
  loss: DeclaredLoss | null
}>

/** Something a batch header says was not there: times of slides, or numbers of records or decisions. */
export type Gap = Readonly<{ from: number; to: number; reason: string }>

export type RecoveryOptions = Readonly<{
  journal: Journal
  checkpoints: Checkpoints
  outbox: Outbox
  /** Key of the batches in the outbox. */
  key: VerifyKey
  /** Time of a loss that has to be written down: of the wall clock, or null where recordings drive time. */
  nowUs: Micros | null
  /** Most decisions that can have been made since a time; bounds the numbers that are passed over. */
  decisionsSince(timeUs: Micros): number
  /** Ends the chain of batches and begins the next epoch. */
  renewChain(reason: string): void
  progress?(seq: number, lastSeq: number): void
}>

/** Inputs between two reports of progress. */
const PROGRESS_EVERY = 10_000
/** Saved states that are tried, newest first. */
const CANDIDATES_MAX = 16
/** Inputs that are run again to sign decisions anew that a damaged outbox has lost: a start must stay short. */
const REGENERATE_INPUTS_MAX = 20_000

/**
 * Brings the evaluator to where it was: the newest checkpoint that can be used, then the journal after it. What was
 * decided then and is in a batch already is passed over, the rest is handed out to be signed; so nothing is lost and
 * nothing is said twice (K1).
 *
 * Damage never ends in a guess and never in an agent that does not start: what is missing is declared as a loss in the
 * journal, and evaluation goes on from the last state that is certain, with numbers that no signed decision has.
 */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { journal, outbox } = options
  const passedOver: { journalSeq: number; why: string }[] = []
  const candidates = await candidatesOf(options, passedOver)
  const newest = candidates[0]
  // Saved states are kept only when everything decided up to them is in the outbox.
  const outboxLost = newest !== undefined && emittedThrough(newest.state) > outbox.lastDecisionSeq
  if (outbox.chainBroken || outboxLost) options.renewChain(outbox.chainBroken ? 'damaged batches' : 'missing batches')
  const outgoing = outgoingOf(outbox, options.key)
  const evaluation = startingPoint(options, { candidates, passedOver, outgoing })
  const fromSeq = evaluation.journalSeq
  const run = await runOn(options, evaluation, outgoing)
  const loss = await declareLoss(options, {
    evaluation,
    newest,
    unreadable: run.unreadable,
    uncertain: outboxLost || outgoing.uncertain,
  })
  const gaps = [...run.gaps]
  if (loss !== null) {
    outgoing.offer(loss.effects)
    gaps.push(...lossGaps(loss))
    for (const effect of loss.effects) if (effect.kind === 'gap') gaps.push(gapOf(effect))
  }
  const firstJournalSeq = Math.min(outgoing.firstJournalSeq, fromSeq + 1, journal.lastSeq)
  const items = outgoing.items()
  const { actions, replayed } = run
  return { evaluation, items, gaps, actions, fromSeq, firstJournalSeq, replayed, passedOver, loss }
}

export function gapOf({ fromUs, toUs, reason }: Extract<Effect, { kind: 'gap' }>): Gap {
  return { from: fromUs, to: toUs, reason }
}

type Run = {
  gaps: Gap[]
  actions: ActionChange[]
  replayed: number
  unreadable: { fromSeq: number; toSeq: number; reason: string } | null
}

/** Runs the journal on until its end, or until a record that is needed cannot be read. */
async function runOn(options: RecoveryOptions, evaluation: Evaluation, outgoing: Outgoing): Promise<Run> {
  const { journal, outbox } = options
  const run: Run = { gaps: [], actions: [], replayed: 0, unreadable: null }
  for await (const walked of walkJournal(journal, evaluation.journalSeq)) {
    if (walked.kind === 'unreadable') {
      run.unreadable = walked
      break
    }
    const effects = evaluate(evaluation, walked.seq, walked.input)
    outgoing.offer(effects)
    for (const effect of effects)
      if (effect.kind === 'safety' && effect.change.kind === 'action') run.actions.push(effect.change)
    // A gap that an earlier batch has told already is not told again.
    if (evaluation.state.decisionSeq >= outbox.lastDecisionSeq) {
      for (const effect of effects) if (effect.kind === 'gap') run.gaps.push(gapOf(effect))
      if (walked.input.kind === 'loss') run.gaps.push(...lossGaps({ seq: walked.seq, input: walked.input }))
    }
    run.replayed += 1
    if (run.replayed % PROGRESS_EVERY === 0) options.progress?.(walked.seq, journal.lastSeq)
  }
  return run
}

/** Saved states that are whole, of this evaluator and on the path that evaluation took; newest first. */
async function candidatesOf(
  { journal, checkpoints }: RecoveryOptions,
  passedOver: { journalSeq: number; why: string }[],
): Promise<Evaluation[]> {
  const candidates: Evaluation[] = []
  for await (const checkpoint of checkpoints.newest()) {
    if (candidates.length + passedOver.length >= CANDIDATES_MAX) break
    const { journalSeq } = checkpoint
    const evaluation = isOnPath(journal.cuts, journalSeq)
      ? restoreEvaluation(checkpoint.body)
      : { refused: 'given up in a loss' }
    if ('refused' in evaluation) passedOver.push({ journalSeq, why: evaluation.refused })
    else candidates.push(evaluation)
  }
  return candidates
}

/**
 * Where to run from: the newest saved state before which nothing is left to be signed and behind which the journal goes
 * on. When there is none, the newest one: what was decided before it and is in no batch is then declared lost.
 */
function startingPoint(
  { journal }: RecoveryOptions,
  {
    candidates,
    passedOver,
    outgoing,
  }: { candidates: Evaluation[]; passedOver: { journalSeq: number; why: string }[]; outgoing: Outgoing },
): Evaluation {
  const [newest] = candidates
  for (const candidate of candidates) {
    const { journalSeq, state } = candidate
    const isAhead = emittedThrough(state) >= outgoing.firstMissing
    // Running from further back is of use only when the journal still goes on to where the newest one stands.
    const isFar = candidate !== newest && !reaches(journal, { from: journalSeq, to: newest!.journalSeq })
    // One that is newer than the journal has nothing to be run behind it: it stands for what is lost there.
    const isBehind = journalSeq + 1 < journal.firstSeq
    if (!isAhead && !isFar && !isBehind) return candidate
    passedOver.push({ journalSeq, why: isAhead ? 'newer than the outbox' : 'older than the journal' })
  }
  const canBegin =
    newest === undefined || (journal.firstSeq <= 1 && reaches(journal, { from: 0, to: newest.journalSeq }))
  return canBegin ? createEvaluation() : newest
}

function reaches(journal: Journal, { from, to }: { from: number; to: number }): boolean {
  return journal.lastSeq >= to && journal.lastSeq - from <= REGENERATE_INPUTS_MAX
}
