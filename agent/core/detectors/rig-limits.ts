import type { DetectorFit } from '../../../shared/model/baseline.ts'
import { longestKept, REPLAY_FIT_RATIO } from './replay.ts'
import { reverseSteps, rowOfSteps, type StepTable, sliceSteps } from './steps.ts'
import { RIG_STREAMS, type RigStream } from './streams.ts'

/**
 * Fits the detectors of the whole rig and adds the limit of each of its channels to `fits`; the numbers are of the rig.
 *
 * @returns those fits, and of each replayed segment the largest score of an event stream in what an event takes.
 */
export function fitRig(
  segments: readonly StepTable[],
  fits: readonly DetectorFit[][],
): { rig: DetectorFit[]; inEvents: number[] } {
  const inEvents = segments.map(() => 0)
  // A channel that nothing is known of has no part in a relation, and all the others would have none without it.
  if (fits.some((of) => of.length === 0)) return { rig: [], inEvents }
  const rig = RIG_STREAMS.flatMap((stream): DetectorFit[] => {
    const { name, version, limitMin, fit, eventRatio } = stream.detector
    const numbers = fit(segments)
    if (numbers === null) return []
    const replays = segments.map((_, k) => replayRig(stream, segments.slice(0, k + 1)))
    const inLimits = segments.map(() => 0)
    fits.forEach((of, c) => {
      const maxima = replays.map((largest) => largest[c]!)
      const limit = maxima.reduce((a, b) => Math.max(a, b), limitMin)
      maxima.forEach((max, k) => {
        inLimits[k] = Math.max(inLimits[k]!, max / limit)
      })
      of.push({ detector: name, version, numbers: [], maxima, limit })
    })
    if (stream.use === 'event')
      inLimits.forEach((max, k) => {
        inEvents[k] = Math.max(inEvents[k]!, max / eventRatio(numbers))
      })
    return [{ detector: name, version, numbers, maxima: inLimits, limit: 1 }]
  })
  return { rig, inEvents }
}

/**
 * The score that each channel kept up on the half of the newest segment that was not fitted on, both ways in time; the
 * segments before it help as they did when it was young. Zeros where there was too little to fit on.
 */
function replayRig({ detector, rule }: RigStream, segments: readonly StepTable[]): Float64Array {
  const newest = segments.at(-1)!
  const { channels, rows } = newest
  const half = Math.floor(rows * REPLAY_FIT_RATIO)
  const largest = new Float64Array(channels)
  for (const table of [newest, reverseSteps(newest)]) {
    const fitted = detector.fit([...segments.slice(0, -1), sliceSteps(table, 0, half)])
    if (fitted === null) continue
    const numbers = Float64Array.from(fitted)
    const state = new Float64Array(detector.fields(numbers))
    detector.begin(numbers, state)
    const to = { held: new Uint8Array(channels), scores: new Float64Array(channels) }
    const columns = Array.from({ length: channels }, () => new Float64Array(rows - half))
    for (let row = half; row < rows; row += 1) {
      detector.step(numbers, state, rowOfSteps(table, row), to)
      to.scores.forEach((score, c) => {
        columns[c]![row - half] = score
      })
    }
    columns.forEach((column, c) => {
      largest[c] = Math.max(largest[c]!, longestKept(column, column.length, rule.onRows))
    })
  }
  return largest
}
