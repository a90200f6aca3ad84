import type { ChannelDetector } from './detector.ts'
import type { StepTable } from './steps.ts'

/**
 * A channel that repeats one value: how many steps it has been the same, in longest runs of nominal data. A fixed number
 * of steps would be an alarm at every coarsely quantised channel and late at a fine one.
 */
const RUN_MIN_STEPS = 10
const FIT_STEPS_MIN = 40

const LONGEST = 0

const LAST = 0
const RUN = 1
const SEEN = 2
const FIELDS = 3

export const STUCK: ChannelDetector = {
  name: 'stuck',
  version: 1,
  fields: FIELDS,
  meanSteps: 1,
  limitMin: 3,
  /** Nothing for a channel that never changes: that it stays the same is no news. */
  fit(segments, channel) {
    let longest = 0
    let steps = 0
    let changes = 0
    for (const segment of segments) {
      const seen = runsOf(segment, channel)
      longest = Math.max(longest, seen.longest)
      steps += seen.steps
      changes += seen.changes
    }
    return steps < FIT_STEPS_MIN || changes === 0 ? null : [Math.max(longest, RUN_MIN_STEPS)]
  },
  begin(_numbers, state, at) {
    state.fill(0, at, at + FIELDS)
  },
  step({ fits, state, scores }, { mean, min, max, last }) {
    for (let c = 0, at = 0; c < fits.length; c += 1, at += FIELDS) {
      const fit = fits[c]!
      if (fit === null || Number.isNaN(mean[c]!)) continue
      scores[c] = takeStep(state, at, min[c]!, max[c]!, last[c]!) / fit.numbers[LONGEST]!
    }
  },
  skip(_numbers, state, at) {
    state[at + SEEN] = 0
    state[at + RUN] = 0
  },
}

/** @returns steps in a row in which the value has been the same as before. */
function takeStep(state: Float64Array, at: number, min: number, max: number, last: number): number {
  const isSame = state[at + SEEN]! > 0 && min === max && max === state[at + LAST]!
  const run = isSame ? state[at + RUN]! + 1 : 0
  state[at + RUN] = run
  state[at + LAST] = last
  state[at + SEEN] = 1
  return run
}

function runsOf(table: StepTable, channel: number): { longest: number; steps: number; changes: number } {
  const state = new Float64Array(3)
  const seen = { longest: 0, steps: 0, changes: 0 }
  for (let row = 0; row < table.rows; row += 1) {
    const k = row * table.channels + channel
    if (Number.isNaN(table.mean[k]!)) continue
    const run = takeStep(state, 0, table.min[k]!, table.max[k]!, table.last[k]!)
    if (run === 0 && seen.steps > 0) seen.changes += 1
    seen.longest = Math.max(seen.longest, run)
    seen.steps += 1
  }
  return seen
}
