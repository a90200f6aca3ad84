import { encodeJournalInput } from '../../shared/codec/journal-input.ts'
import type { VerifyKey } from '../../shared/crypto/sign.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import type { Loss } from '../../shared/model/input.ts'
import { openBatch, openThinned } from '../../shared/protocol/batch.ts'
import type { Micros } from '../../shared/units.ts'
import type { Effect } from '../core/step.ts'
import type { Journal, Outbox } from '../ports.ts'
import { type Evaluation, emittedThrough, evaluate } from './evaluation.ts'
import type { Gap } from './recovery.ts'

/** A loss as it stands in the journal, and what the evaluator made of it. */
export type DeclaredLoss = Readonly<{ seq: number; input: Loss; effects: readonly Effect[] }>

export type LossOptions = Readonly<{
  journal: Journal
  outbox: Outbox
  key: VerifyKey
  nowUs: Micros | null
  decisionsSince(timeUs: Micros): number
}>

type Span = Loss['unreadable'][number]

/** Spans of unreadable records that a loss names; the last one stands for all behind it. */
export const SPANS_MAX = 64
/** Records that are read to say exactly which of them are gone: a start must stay short. */
const SCAN_RECORDS_MAX = 20_000

/**
 * Declares what cannot be had any more, when there is such a thing: appends a loss to the journal and lets the evaluator
 * go on behind it.
 *
 * @returns null when evaluation stands where it stood before the stop.
 */
export async function declareLoss(
  options: LossOptions,
  {
    evaluation,
    newest,
    unreadable,
    uncertain,
  }: { evaluation: Evaluation; newest: Evaluation | undefined; unreadable: Span | null; uncertain: boolean },
): Promise<DeclaredLoss | null> {
  const { journal, outbox } = options
  const last = lastSigned(options)
  const top = Math.max(journal.lastSeq, evaluation.journalSeq, last?.journalSeq ?? 0)
  const stands =
    unreadable === null &&
    evaluation.journalSeq === top &&
    journal.lastSeq === top &&
    emittedThrough(evaluation.state) >= outbox.lastDecisionSeq
  if (stands) return null
  const spans = await unreadableSpans(journal, { afterSeq: evaluation.journalSeq, top, first: unreadable })
  const input = lossInput(options, { evaluation, newest, last, spans, uncertain })
  const seq = journal.appendCut({
    body: encodeJournalInput(input),
    resumesAfter: input.resumesAfter,
    afterSeq: top,
  })
  await journal.sync()
  return { seq, input, effects: evaluate(evaluation, seq, input) }
}

/** What a batch header tells of a loss: records that cannot be read, and records that were not evaluated. */
export function lossGaps({ seq, input }: { seq: number; input: Loss }): Gap[] {
  const from = input.resumesAfter + 1
  return [
    ...input.unreadable.map(({ fromSeq, toSeq }) => ({ from: fromSeq, to: toSeq, reason: 'journal_lost' })),
    ...(seq > from ? [{ from, to: seq - 1, reason: 'journal_not_evaluated' }] : []),
  ]
}

function lossInput(
  { outbox, nowUs, decisionsSince }: LossOptions,
  at: {
    evaluation: Evaluation
    /** The newest saved state, whether evaluation goes on from it or not. */
    newest: Evaluation | undefined
    last: LastSigned | null
    spans: Span[]
    uncertain: boolean
  },
): Loss {
  const { state, journalSeq } = at.evaluation
  const signedThrough = outbox.lastDecisionSeq
  const saved = at.newest?.state ?? state
  const isAhead = signedThrough > state.decisionSeq
  const known = Math.max(signedThrough, state.decisionSeq, saved.decisionSeq)
  const knownUs = Math.max(at.last?.throughUs ?? 0, state.nowUs, saved.nowUs)
  return {
    kind: 'loss',
    nowUs: Math.max(state.nowUs, nowUs ?? 0),
    resumesAfter: journalSeq,
    signedThrough,
    // Batches of which nothing is left may have carried higher numbers: those are passed over too.
    decisionSeq: known + (at.uncertain ? decisionsSince(knownUs) : 0),
    chain: (isAhead ? at.last?.chain : null) ?? state.chain,
    throughUs: Math.max(at.last?.throughUs ?? 0, ...saved.rigs.map((rig) => Math.max(0, rig.closedUs))),
    unreadable: at.spans,
  }
}

/** `chain` null: the newest batch was thinned, and the rolling digest with it. */
type LastSigned = Readonly<{ journalSeq: number; throughUs: Micros; chain: Uint8Array | null }>

/** What the newest batch says of where the evaluator was. */
function lastSigned({ outbox, key }: LossOptions): LastSigned | null {
  const entry = outbox.last()
  if (entry === null) return null
  try {
    const { cose, records } = entry
    const { header } = openThinned(cose, key)
    const chain = records === null ? null : openBatch({ cose, records, key }).items.at(-1)!.chain
    return { journalSeq: header.journal.last, throughUs: header.span.lastUs, chain }
  } catch (error) {
    if (isHbError(error)) return null
    throw error
  }
}

async function unreadableSpans(
  journal: Journal,
  { afterSeq, top, first }: { afterSeq: number; top: number; first: Span | null },
): Promise<Span[]> {
  const spans: Span[] = []
  const from = first?.fromSeq ?? afterSeq + 1
  if (first !== null && journal.lastSeq - from > SCAN_RECORDS_MAX) spans.push(first)
  else if (from <= journal.lastSeq) {
    for await (const record of journal.read(from)) {
      if (record.kind !== 'damage') continue
      const { fromSeq, toSeq, reason } = record
      const before = spans.length === SPANS_MAX ? spans.pop()! : null
      spans.push(before === null ? { fromSeq, toSeq, reason } : { ...before, toSeq })
    }
    // A record that is whole and says what no input can say.
    if (first !== null && !spans.some((span) => span.fromSeq <= first.fromSeq && span.toSeq >= first.fromSeq))
      spans.unshift({ fromSeq: first.fromSeq, toSeq: first.toSeq, reason: first.reason })
  }
  if (journal.lastSeq < top)
    spans.push({ fromSeq: journal.lastSeq + 1, toSeq: top, reason: 'records behind the end of the journal' })
  return spans
}
