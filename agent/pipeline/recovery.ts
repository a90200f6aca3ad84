import { decodeJournalInput } from '../../shared/codec/journal-input.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { DecisionItem } from '../../shared/model/decision.ts'
import type { Effect } from '../core/step.ts'
import type { Checkpoints, Journal } from '../ports.ts'
import { seqRange } from './batcher.ts'
import { createEvaluation, type Evaluation, emittedThrough, evaluate, restoreEvaluation } from './evaluation.ts'

/** What recovery found. `items` were decided before the stop but are not durable in any batch. */
export type Recovered = Readonly<{
  evaluation: Evaluation
  items: readonly DecisionItem[]
  gaps: readonly Extract<Effect, { kind: 'gap' }>[]
  /** Journal position of the checkpoint that was used; 0 when the journal was run from its beginning. */
  fromSeq: number
  replayed: number
  /** Checkpoints that were passed over, newest first, and why. */
  passedOver: readonly { journalSeq: number; why: string }[]
}>

export type RecoveryOptions = Readonly<{
  journal: Journal
  checkpoints: Checkpoints
  /** Last decision that is durable in the outbox. */
  lastDecisionSeq: number
  progress?(seq: number, lastSeq: number): void
}>

/** Inputs between two reports of progress. */
const PROGRESS_EVERY = 10_000

/**
 * Brings the evaluator to where it was: the newest checkpoint that can be used, then the journal after it. What was
 * decided then and is already durable in the outbox is passed over, the rest is handed out to be signed; so nothing is
 * lost and nothing is said twice (K1).
 *
 * @throws HbError STATE_NOT_RECOVERABLE when records are missing that the evaluation needs: it never goes on from a
 * guess.
 */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { journal, lastDecisionSeq } = options
  const passedOver: { journalSeq: number; why: string }[] = []
  const start = await startingPoint(options, passedOver)
  const items: DecisionItem[] = []
  const gaps: Extract<Effect, { kind: 'gap' }>[] = []
  let replayed = 0
  let next = start.journalSeq + 1
  const fromSeq = start.journalSeq
  for await (const record of journal.read(next)) {
    if (record.kind === 'damage' || record.seq !== next) {
      throw new HbError('STATE_NOT_RECOVERABLE', {
        missing_from: next,
        reason: record.kind === 'damage' ? record.reason : 'records are missing',
      })
    }
    for (const effect of evaluate(start, record.seq, decodeJournalInput(record.body))) {
      if (effect.kind === 'item' && seqRange(effect.item).last > lastDecisionSeq) items.push(effect.item)
      // A gap that an earlier batch has told already is not told again.
      if (effect.kind === 'gap' && start.state.decisionSeq >= lastDecisionSeq) gaps.push(effect)
    }
    next += 1
    replayed += 1
    if (replayed % PROGRESS_EVERY === 0) options.progress?.(record.seq, journal.lastSeq)
  }
  if (emittedThrough(start.state) < lastDecisionSeq) {
    throw new HbError('STATE_NOT_RECOVERABLE', {
      decided: emittedThrough(start.state),
      signed: lastDecisionSeq,
      reason: 'more was signed than the journal gives',
    })
  }
  return { evaluation: start, items, gaps, fromSeq, replayed, passedOver }
}

async function startingPoint(
  { journal, checkpoints, lastDecisionSeq }: RecoveryOptions,
  passedOver: { journalSeq: number; why: string }[],
): Promise<Evaluation> {
  for await (const checkpoint of checkpoints.newest()) {
    const why = refusalOf(checkpoint.journalSeq)
    const evaluation = why === null ? restoreEvaluation(checkpoint.body) : { refused: why }
    if ('refused' in evaluation) passedOver.push({ journalSeq: checkpoint.journalSeq, why: evaluation.refused })
    // Items between the last durable one and this point would be lost: an older point has to be taken.
    else if (emittedThrough(evaluation.state) > lastDecisionSeq)
      passedOver.push({ journalSeq: checkpoint.journalSeq, why: 'newer than the outbox' })
    else return evaluation
  }
  if (journal.firstSeq > 1)
    throw new HbError('STATE_NOT_RECOVERABLE', {
      first_record: journal.firstSeq,
      reason: 'no usable checkpoint, and the journal does not reach back to its beginning',
    })
  return createEvaluation()

  function refusalOf(journalSeq: number): string | null {
    if (journalSeq > journal.lastSeq) return 'newer than the journal'
    return journalSeq + 1 >= journal.firstSeq ? null : 'older than the journal'
  }
}
