import { decodeJournalInput, type JournalInput } from '../../shared/codec/journal-input.ts'
import { isHbError } from '../../shared/errors/hb-error.ts'
import type { Journal, JournalCut } from '../ports.ts'

/** The next input for an evaluator, or why there is none. */
export type Walked =
  | Readonly<{ kind: 'input'; seq: number; input: JournalInput }>
  | Readonly<{ kind: 'unreadable'; fromSeq: number; toSeq: number; reason: string }>

/**
 * Inputs after record `afterSeq` in the order in which they were evaluated: where a loss was declared, from the record
 * it resumes after straight to the loss. Ends at the last record, or with the first that is needed and cannot be read.
 *
 * @throws HbError JOURNAL_INPUT_UNKNOWN: a kind of another version is no damage, and is never passed over.
 */
export async function* walkJournal(
  journal: Pick<Journal, 'read' | 'lastSeq' | 'cuts'>,
  afterSeq: number,
): AsyncGenerator<Walked> {
  for (let at = afterSeq; ; ) {
    const from = cutAfter(journal.cuts, at)?.seq ?? at + 1
    if (from > journal.lastSeq) return
    const to = nextCutPoint(journal.cuts, from) ?? journal.lastSeq
    for await (const record of journal.read(from, to)) {
      const walked = record.kind === 'damage' ? ({ ...record, kind: 'unreadable' } as const) : readRecord(record, at)
      yield walked
      if (walked.kind === 'unreadable') return
      at = walked.seq
    }
  }
}

/** Whether evaluation once stood after this record: false between the record that a loss resumes after and the loss. */
export function isOnPath(cuts: readonly JournalCut[], seq: number): boolean {
  return !cuts.some((cut) => cut.resumesAfter < seq && seq < cut.seq)
}

/** The newest loss that resumes after a record: an older one there was itself lost. */
function cutAfter(cuts: readonly JournalCut[], seq: number): JournalCut | undefined {
  return cuts.findLast((cut) => cut.resumesAfter === seq)
}

function nextCutPoint(cuts: readonly JournalCut[], from: number): number | undefined {
  const points = cuts.map((cut) => cut.resumesAfter).filter((seq) => seq >= from)
  return points.length === 0 ? undefined : Math.min(...points)
}

function readRecord(record: { seq: number; body: Uint8Array }, at: number): Walked {
  const unreadable = (reason: string): Walked => ({
    kind: 'unreadable',
    fromSeq: record.seq,
    toSeq: record.seq,
    reason,
  })
  try {
    const input = decodeJournalInput(record.body)
    // Another state than this one is what it goes on from.
    if (input.kind === 'loss' && input.resumesAfter !== at) return unreadable('follows on another state')
    return { kind: 'input', seq: record.seq, input }
  } catch (error) {
    if (!isHbError(error) || error.code === 'JOURNAL_INPUT_UNKNOWN') throw error
    return unreadable(error.code)
  }
}
