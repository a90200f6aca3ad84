import type { Outcome } from '../core/result.ts'
import type { Within } from '../core/scenario.ts'
import type { Run } from './run-folder.ts'
import { saidIn, seconds, uncoveredIn, unknownIn, windowOf } from './run-times.ts'
import type { Said } from './said.ts'

type Fixed = Readonly<{ text: string; expected: string; optional?: boolean }>
type Found = Readonly<{ observed: string; atUs?: number | null; margin?: number | null }>

export function outcome(is: Outcome['is'], { text, expected, optional = false }: Fixed, found: Found): Outcome {
  const { observed, atUs = null, margin = null } = found
  return { text, is, expected, observed, at_us: atUs, margin, optional }
}

/** Words for a time limit; '' for none. */
export function limitText(within: Within | null): string {
  return within === null ? '' : ` within ${Number((within.us / 1_000_000).toFixed(6))} s of ${within.of}`
}

/** Something that was said, at the times of a record, and in words. `isUnknown`: it may have been said there. */
export type Candidate = Readonly<{ said: Said; words: string; isUnknown?: boolean }>

/**
 * Judges that something was said within a time. Missed only when it is known that it was not: the anchor was there, the run
 * went on to the limit, and no record of that time is missing.
 */
export function judgeSought(
  run: Run,
  what: Readonly<{ text: string; within: Within | null; optional: boolean }>,
  candidates: readonly Candidate[],
): Outcome {
  const { within, optional } = what
  const fixed = { text: `${what.text}${limitText(within)}`, optional, expected: expectedText(within) }
  const window = windowOf(run, within)
  if (window === null) return outcome('unknown', fixed, { observed: `${within!.of} was not seen` })
  const hits = candidates
    .map(({ said, words, isUnknown }) => ({ atUs: saidIn(run, said, window), words, isUnknown: isUnknown === true }))
    .filter((hit): hit is typeof hit & { atUs: number } => hit.atUs !== null)
    .sort((a, b) => a.atUs - b.atUs)
  const met = hits.find(({ isUnknown }) => !isUnknown)
  if (met !== undefined) {
    const margin = within === null ? null : within.us > 0 ? (window.toUs - met.atUs) / within.us : 0
    return outcome('met', fixed, { observed: `${met.words} at ${seconds(met.atUs)}`, atUs: met.atUs, margin })
  }
  const [maybe] = hits
  const why =
    maybe === undefined
      ? (unknownIn(run, window) ?? (window.toUs > run.facts.simulated_us ? 'the run ended before the limit' : null))
      : `${maybe.words} at ${seconds(maybe.atUs)}, whose detail is not there`
  if (why !== null) return outcome('unknown', fixed, { observed: why })
  const later = candidates
    .map(({ said, words }) => ({ atUs: saidIn(run, said, { fromUs: window.toUs, toUs: Infinity }), words }))
    .filter(({ atUs }) => atUs !== null)
    .sort((a, b) => a.atUs! - b.atUs!)[0]
  if (later === undefined) {
    const uncovered = uncoveredIn(run, { fromUs: Math.max(0, window.fromUs), toUs: window.toUs })
    return uncovered === null
      ? outcome('missed', fixed, { observed: 'not once' })
      : outcome('unknown', fixed, { observed: `not once; ${uncovered}` })
  }
  const late = `${later.words} at ${seconds(later.atUs!)}, ${seconds(later.atUs! - window.toUs)} late`
  return outcome('missed', fixed, { observed: late, atUs: later.atUs })
}

function expectedText(within: Within | null): string {
  return within === null ? 'once in the run' : `by ${limitText(within).trim()}`.replace('by within', 'within')
}
