import type { MetricVerdict, Mode, OverallVerdict } from '../../shared/model/verdict.ts'

/** The severities of dashboard.md 7.2; each is a class in `style.css` and says how its chip is filled. */
export type Tone = 'crit' | 'dist' | 'warn' | 'watch' | 'norm' | 'unknown' | 'off'
export type GlyphName = 'triangle' | 'diamond' | 'square' | 'dot' | 'check' | 'hourglass' | 'void' | 'filling' | 'clock'

/** How a state looks: never by colour alone, always a shape and a word beside it. */
export type Look = Readonly<{ tone: Tone; glyph: GlyphName; text: string; meaning: string }>

/**
 * States of a rig as the page sorts and counts them, worst first. The overall verdicts, and `LOST`: the rig has not been
 * heard of for {@link RIG_LOST_MS}. A rig that was failing when it was lost stays FAIL, with its age.
 */
export const RIG_STATES = ['FAIL', 'LOST', 'NO_TEST', 'NO_BASELINE', 'PASS_WITH_DRIFT', 'PASS'] as const
export type RigState = (typeof RIG_STATES)[number]

/** Four vitals of a rig (2 Hz) that did not come: what stands on the tile is history, and looks like it. */
export const RIG_LOST_MS = 2_000
/** The page has heard nothing at all from the collector: dashboard.md 7.3. */
export const LINK_LOST_MS = 2_000

const RIG_LOOKS: Readonly<Record<RigState, Look>> = {
  FAIL: { tone: 'crit', glyph: 'triangle', text: 'FAIL', meaning: 'a limit is broken' },
  LOST: {
    tone: 'unknown',
    glyph: 'hourglass',
    text: 'LOST',
    meaning: 'nothing heard from the rig: its state is not known',
  },
  NO_TEST: {
    tone: 'unknown',
    glyph: 'void',
    text: 'NO TEST',
    meaning: 'a required channel is silent, invalid or not filled',
  },
  NO_BASELINE: { tone: 'unknown', glyph: 'void', text: 'NO BASELINE', meaning: 'there is nothing to compare with' },
  PASS_WITH_DRIFT: { tone: 'warn', glyph: 'square', text: 'DRIFT', meaning: 'within limits, away from the baseline' },
  PASS: { tone: 'norm', glyph: 'check', text: 'PASS', meaning: 'every judged window holds' },
}

const METRIC_LOOKS: Readonly<Record<MetricVerdict, Look>> = {
  FAIL: { tone: 'crit', glyph: 'triangle', text: 'FAIL', meaning: 'a limit is broken' },
  INVALID: { tone: 'unknown', glyph: 'void', text: 'INVAL', meaning: 'the samples cannot be used' },
  STALE: { tone: 'unknown', glyph: 'hourglass', text: 'STALE', meaning: 'the channel is silent past its deadline' },
  INSUFFICIENT: { tone: 'unknown', glyph: 'filling', text: 'FILL', meaning: 'too few samples to judge' },
  NO_BASELINE: { tone: 'unknown', glyph: 'void', text: 'NO BASE', meaning: 'there is nothing to compare with' },
  DRIFT: { tone: 'warn', glyph: 'square', text: 'DRIFT', meaning: 'within limits, away from the baseline' },
  PASS: { tone: 'norm', glyph: 'check', text: 'PASS', meaning: 'every judged window holds' },
}

/** A word this page does not know is an unknown state, loud like every other. */
function unheardOf(word: string): Look {
  return {
    tone: 'unknown',
    glyph: 'void',
    text: word.slice(0, 12) || '?',
    meaning: 'this page does not know this state',
  }
}

export function rigLook(state: RigState): Look {
  return RIG_LOOKS[state]
}

export function verdictLook(verdict: OverallVerdict | string): Look {
  return Object.hasOwn(RIG_LOOKS, verdict) ? RIG_LOOKS[verdict as RigState] : unheardOf(verdict)
}

export function metricLook(verdict: MetricVerdict | string): Look {
  return Object.hasOwn(METRIC_LOOKS, verdict) ? METRIC_LOOKS[verdict as MetricVerdict] : unheardOf(verdict)
}

const MODE_LETTERS: Readonly<Record<Mode, string>> = {
  startup: 'S',
  nominal: 'N',
  degraded: 'D',
  fallback: 'F',
  maintenance: 'M',
  test: 'T',
  emergency: 'E',
}

/** The letter of a mode for small places; a mode the page does not know has `?`, never the letter of another. */
export function modeLetter(mode: string): string {
  return Object.hasOwn(MODE_LETTERS, mode) ? MODE_LETTERS[mode as Mode] : '?'
}

/** Modes in which the rig does not do what it was set up to do: shown in amber wherever the mode is shown. */
export function isUnusualMode(mode: string): boolean {
  return !['startup', 'nominal', 'test'].includes(mode)
}
