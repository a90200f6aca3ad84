import { addCounts, type Counts, countRows, ratesOf } from './confusion.ts'
import type { Recording } from './recording.ts'
import { BASELINE_ROWS } from './skab.ts'
import { roundRates } from './summary.ts'

/** Rows between which nearly every fault of the corpus lies: who alarms there has seen nothing and looks good. */
const CLOCK = { from: 572, to: 974 }

/** Known results of detectors that look at nothing, for known sets of files: whoever scores must come to the same. */
type Known = Readonly<{
  files: ReadonlySet<string>
  always: Readonly<{ tp: number; fp: number; f1: string }>
  clock: readonly string[]
}>

const numbered = (group: string, numbers: readonly number[]): string[] => numbers.map((n) => `${group}/${n}.csv`)
const upTo = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, k) => from + k * step)

const KNOWN: readonly Known[] = [
  {
    files: new Set([...numbered('valve1', upTo(0, 14, 2)), ...numbered('other', [1, 3, 5, 7, 9, 11])]),
    always: { tp: 5286, fp: 4615, f1: '0.696' },
    clock: ['0.972', '4.5', '1.8'],
  },
  {
    files: new Set([
      ...numbered('valve1', upTo(0, 15)),
      ...numbered('valve2', upTo(0, 3)),
      ...numbered('other', upTo(1, 14)),
    ]),
    always: { tp: 12_771, fp: 11_030, f1: '0.698' },
    clock: ['0.930', '9.8', '5.7'],
  },
]

/** Scores what sees nothing, on rows 400 and on. `self_test` holds them to what is known of these files, if it is. */
export function anchorsOf(recordings: readonly Recording[]) {
  const always = countsOf(recordings, () => true)
  const clock = countsOf(recordings, (row) => row >= CLOCK.from && row < CLOCK.to)
  const ids = new Set(recordings.map(({ id }) => id))
  const known = KNOWN.find(({ files }) => files.size === ids.size && [...files].every((id) => ids.has(id)))
  return {
    always_alarm: { ...roundRates(ratesOf(always)), ...always },
    clock: { ...roundRates(ratesOf(clock)), ...clock },
    self_test: known === undefined ? 'these files are not known' : selfTest(known, { always, clock }),
  }
}

function countsOf(recordings: readonly Recording[], alarms: (row: number) => boolean): Counts {
  return addCounts(
    recordings.map(({ anomaly }) => {
      const verdict = Uint8Array.from(anomaly, (_, row) => (alarms(row) ? 1 : 0))
      return countRows(anomaly.subarray(BASELINE_ROWS), verdict.subarray(BASELINE_ROWS))
    }),
  )
}

function selfTest(known: Known, { always, clock }: Readonly<{ always: Counts; clock: Counts }>): string {
  const rates = ratesOf(clock)
  const found = [
    always.tp,
    always.fp,
    ratesOf(always).f1.toFixed(3),
    rates.f1.toFixed(3),
    rates.far.toFixed(1),
    rates.mar.toFixed(1),
  ]
  const wanted = [known.always.tp, known.always.fp, known.always.f1, ...known.clock]
  return found.join(' ') === wanted.join(' ') ? 'passed' : `failed: ${found.join(' ')} instead of ${wanted.join(' ')}`
}
