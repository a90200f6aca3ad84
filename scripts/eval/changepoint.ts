/**
 * The changepoint score of the SKAB leaderboard: NAB's idea with windows of 60 s to the right of every labelled change,
 * and a reward that falls from the begin of a window to its end along a tanh, from the full reward to the penalty of a
 * false alarm.
 *
 * Predictions are the rows at which the verdict changes. In a window only the first counts; rows outside of all windows
 * are false alarms. Where windows overlap, the later one loses the part.
 *
 * Source: the formulas of `core/metrics.py` of waico/SKAB (`chp_score` with window_width 60s, "righter", "cut right
 * window", scale_func "improved"), read and written anew.
 */
export type ChangepointRun = Readonly<{ timesMs: readonly number[]; changepoint: Uint8Array; verdict: Uint8Array }>

/** Sums of one or more runs for each profile; to be joined by {@link addChangepoints}. */
export type ChangepointSums = Readonly<{ windows: number; score: readonly number[] }>

export type ChangepointScore = Readonly<{ standard: number; low_fp: number; low_fn: number }>

export const WINDOW_MS = 60_000
/** Reward of a hit, and penalties of a false alarm and of a miss: standard, low false alarms, low misses. */
const PROFILES = [
  { hit: 1, falseAlarm: -0.11, miss: -1 },
  { hit: 1, falseAlarm: -0.22, miss: -1 },
  { hit: 1, falseAlarm: -0.11, miss: -2 },
] as const
/** The reward is a table of so many places along the window. */
const PLACES = 1000

type Window = { fromMs: number; toMs: number }

export function scoreChangepoints({ timesMs, changepoint, verdict }: ChangepointRun): ChangepointSums {
  const windows = windowsOf(timesMs.filter((_, row) => changepoint[row] === 1))
  const predictedMs = timesMs.filter((_, row) => verdict[row] !== (row === 0 ? 0 : verdict[row - 1]))
  const hits: number[] = []
  for (const { fromMs, toMs } of windows) {
    const first = predictedMs.find((ms) => ms >= fromMs && ms <= toMs)
    if (first !== undefined) hits.push(placeOf(first, { fromMs, toMs }))
  }
  // A cut window begins where the one before ends, so a row on the border is in both and never outside.
  const outside = predictedMs.filter((ms) => !windows.some(({ fromMs, toMs }) => ms >= fromMs && ms <= toMs))
  const missed = windows.length - hits.length
  const score = PROFILES.map(({ hit, falseAlarm, miss }) =>
    hits.reduce((sum, place) => sum + rewardAt(place, hit, falseAlarm), falseAlarm * outside.length + miss * missed),
  )
  return { windows: windows.length, score }
}

function windowsOf(truthMs: readonly number[]): Window[] {
  const windows = truthMs.map((ms): Window => ({ fromMs: ms, toMs: ms + WINDOW_MS }))
  for (let k = 1; k < windows.length; k += 1)
    if (windows[k - 1]!.toMs >= windows[k]!.fromMs) windows[k]!.fromMs = windows[k - 1]!.toMs
  return windows
}

function placeOf(ms: number, { fromMs, toMs }: Window): number {
  return Math.min(PLACES - 1, Math.floor(((ms - fromMs) / (toMs - fromMs)) * PLACES))
}

/** From `hit` at the first place to `falseAlarm` at the last. */
function rewardAt(place: number, hit: number, falseAlarm: number): number {
  const x = -Math.PI / 2 + (Math.PI * place) / (PLACES - 1)
  const half = (hit - falseAlarm) / 2
  return (-half * Math.tanh(x)) / Math.tanh(Math.PI / 2) + half + falseAlarm
}

export function addChangepoints(all: Iterable<ChangepointSums>): ChangepointSums {
  let windows = 0
  const score = PROFILES.map(() => 0)
  for (const sums of all) {
    windows += sums.windows
    for (const [profile, value] of sums.score.entries()) score[profile]! += value
  }
  return { windows, score }
}

/** From 0, what never alarming gets, to 100, what alarming at every change and nowhere else gets; null without a change. */
export function changepointScore({ windows, score }: ChangepointSums): ChangepointScore | null {
  if (windows === 0) return null
  const [standard, lowFp, lowFn] = PROFILES.map(({ hit, miss }, profile) => {
    const nothing = windows * miss
    return (100 * (score[profile]! - nothing)) / (windows * hit - nothing)
  })
  return { standard: standard!, low_fp: lowFp!, low_fn: lowFn! }
}
