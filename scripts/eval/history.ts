import { beginMs, endMs, type Part, partsOf, type Recording } from './recording.ts'
import { BASELINE_ROWS, campaignOf, type SkabCorpus } from './skab.ts'
import type { Segment } from './trial.ts'

/** Whether the gate rejected a part when it was asked about it alone. */
export type IsRejected = (part: Part) => boolean

/** The baseline rows of a run that begins to be watched `BASELINE_ROWS` behind `start`; null when it is too short. */
export function ownBaseline(recording: Recording, start: number): Part | null {
  const to = start + BASELINE_ROWS
  return recording.rows.length >= to ? { recording, from: start, to } : null
}

/** Everything that could be an earlier run for some file, whenever it was. */
export function donorsOf(corpus: SkabCorpus, start: number): Part[] {
  const labelled = [...corpus.labelled.values()].flatMap((recording) => ownBaseline(recording, start) ?? [])
  return [...labelled, ...corpus.normal.flatMap((recording) => partsOf(recording, BASELINE_ROWS))]
}

/**
 * What was known of the rig before a run: rows of the same campaign whose last one is earlier in real time than the
 * first one of the run, and only rows that are nobody's test rows. Oldest first.
 */
export function earlierSegments(own: Part, donors: readonly Part[], isRejected: IsRejected): Segment[] {
  return donors
    .filter(
      (donor) =>
        donor.recording.id !== own.recording.id &&
        campaignOf(beginMs(donor)) === campaignOf(beginMs(own)) &&
        endMs(donor) < beginMs(own) &&
        !isRejected(donor),
    )
    .sort((a, b) => beginMs(a) - beginMs(b))
    .map((part) => ({ part, shiftMs: 0 }))
}

/** Key by which the answer of the gate about a part is remembered. */
export const partKey = ({ recording, from, to }: Part): string => `${recording.id} ${from} ${to}`
