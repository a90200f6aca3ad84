import { firstFrom, type OpenSamples, type SampleRun } from './open-samples.ts'
import { add, addAll, COUNT, LAST, LAST_TIME, SUM, SUM_SQUARES } from './pane-row.ts'

/** Parts whose objects are kept for the next pane. */
const PARTS_KEPT_MAX = 4096
const NO_RUN: SampleRun = {
  time: new Float64Array(0),
  value: new Float64Array(0),
  timeAt: 0,
  valueAt: 0,
  count: 0,
  seq: 0,
  source: 0,
  own: false,
}

type SummedPanes = Readonly<{ rows: Float64Array; parts: Part[]; samples: readonly OpenSamples[]; slideUs: number }>

/**
 * Sums a pane again in (event time, source, seq) order. Runs that do not reach into each other follow one another as they
 * are; only where they do are their samples put in order one by one.
 */
export function sumAgain(
  { rows, parts, samples, slideUs }: SummedPanes,
  { channel, pane, at }: { channel: number; pane: number; at: number },
  sources: readonly string[],
): void {
  const count = collectParts(parts, samples[channel]!, pane * slideUs, (pane + 1) * slideUs)
  rows[at + COUNT] = 0
  rows[at + SUM] = 0
  rows[at + SUM_SQUARES] = 0
  for (let k = 0; k < count; ) {
    const end = clusterEnd(parts, k, count)
    if (end === k + 1) addPart(rows, at, parts[k]!)
    else addCluster(rows, at, parts.slice(k, end), sources)
    k = end
  }
  // Frames are not kept alive by what was only written down here.
  for (let k = 0; k < count; k += 1) parts[k]!.run = NO_RUN
  if (parts.length > PARTS_KEPT_MAX) parts.length = PARTS_KEPT_MAX
}

/** What of a run lies in a pane; `place` is where its first sample stands in order of arrival. */
export type Part = { run: SampleRun; from: number; count: number; place: number; firstUs: number; lastUs: number }

/**
 * Writes down what of the runs lies in a pane, in order of first times and then of arrival. Runs come nearly in this order,
 * so each is put where it belongs from the end; the objects of the last time are used again.
 *
 * @returns how many there are
 */
function collectParts(parts: Part[], open: OpenSamples, fromUs: number, toUs: number): number {
  let place = 0
  let found = 0
  for (const run of open.runs) {
    const arrived = place
    place += run.count
    if (run.time[run.timeAt]! >= toUs || run.time[run.timeAt + run.count - 1]! < fromUs) continue
    const from = firstFrom(run, fromUs)
    const count = firstFrom(run, toUs) - from
    if (count === 0) continue
    if (found === parts.length) parts.push({ run, from: 0, count: 0, place: 0, firstUs: 0, lastUs: 0 })
    const part = parts[found]!
    part.run = run
    part.from = from
    part.count = count
    part.place = arrived + from
    part.firstUs = run.time[run.timeAt + from]!
    part.lastUs = run.time[run.timeAt + from + count - 1]!
    let k = found
    for (; k > 0 && parts[k - 1]!.firstUs > part.firstUs; k -= 1) parts[k] = parts[k - 1]!
    parts[k] = part
    found += 1
  }
  return found
}

/** First part after those that part `k` reaches into, directly or through others. */
function clusterEnd(parts: readonly Part[], k: number, count: number): number {
  let newest = parts[k]!.lastUs
  let end = k + 1
  while (end < count && !(parts[end]!.firstUs > newest)) {
    newest = Math.max(newest, parts[end]!.lastUs)
    end += 1
  }
  return end
}

function addPart(rows: Float64Array, at: number, { run, from, count, lastUs }: Part): void {
  const first = run.valueAt + from
  if (count === 1) add(rows, at, run.value[first]! + 0)
  else addAll(rows, at, run.value, first, count)
  rows[at + LAST] = run.value[first + count - 1]! + 0
  rows[at + LAST_TIME] = lastUs
}

type Placed = { timeUs: number; value: number; seq: number; name: string; place: number }

/** Adds samples of parts that reach into each other; those without a sequence at one instant go by value. */
function addCluster(rows: Float64Array, at: number, parts: readonly Part[], sources: readonly string[]): void {
  const placed: Placed[] = []
  for (const { run, from, count, place } of parts)
    for (let i = 0; i < count; i += 1)
      placed.push({
        timeUs: run.time[run.timeAt + from + i]!,
        value: run.value[run.valueAt + from + i]! + 0,
        seq: run.seq,
        name: sources[run.source]!,
        place: place + i,
      })
  placed.sort((a, b) => {
    if (a.timeUs !== b.timeUs) return a.timeUs - b.timeUs
    if (a.name !== b.name) return a.name < b.name ? -1 : 1
    if (a.seq !== b.seq) return a.seq - b.seq
    if (a.seq < 0 && a.value !== b.value) return a.value - b.value
    return a.place - b.place
  })
  for (const { value } of placed) add(rows, at, value)
  const newest = placed[placed.length - 1]!
  rows[at + LAST] = newest.value
  rows[at + LAST_TIME] = newest.timeUs
}
