import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { anchorsOf } from '../../../scripts/eval/anchors.ts'
import { bootstrapDifference, bootstrapRates, percentile } from '../../../scripts/eval/bootstrap.ts'
import { addCounts, countRows, meanRates, ratesOf } from '../../../scripts/eval/confusion.ts'
import { delaysOf, eventsOf, falseAlarmsOf } from '../../../scripts/eval/events.ts'
import { checkGoals } from '../../../scripts/eval/goals.ts'
import { type RunScore, scoreRun } from '../../../scripts/eval/run-score.ts'
import { expectedDrivers, readSkab } from '../../../scripts/eval/skab.ts'
import { countsOfFiles, driverHits, summarize } from '../../../scripts/eval/summary.ts'
import { ROOT } from '../../../scripts/sources.ts'

const DATA = join(ROOT, '..', 'shared', 'data', 'skab')
const bits = (text: string): Uint8Array => Uint8Array.from(text, Number)
const seconds = (count: number): number[] => Array.from({ length: count }, (_, k) => k * 1000)

t.test('rows are counted one by one, and rates are those of the pooled counts', (t) => {
  const counts = countRows(bits('0011110000'), bits('0100111100'))
  t.strictSame(counts, { tp: 2, fp: 3, fn: 2, tn: 3 })
  t.strictSame(ratesOf(counts), { f1: 2 / 4.5, far: 50, mar: 50, j: 0 })
  const pooled = addCounts([counts, { tp: 10, fp: 0, fn: 0, tn: 10 }])
  t.strictSame(pooled, { tp: 12, fp: 3, fn: 2, tn: 13 })
  t.strictSame(ratesOf({ tp: 0, fp: 0, fn: 0, tn: 0 }), { f1: 0, far: 0, mar: 0, j: 1 })
  t.equal(meanRates([ratesOf(counts), ratesOf(pooled)]).far, (50 + (100 * 3) / 16) / 2)
  t.end()
})

t.test('a fault is found by any alarm in it, and not anew when an alarm stood before', (t) => {
  const drivers = Int16Array.from([0, 0, 0, 2, 1, 1, 0, 0, 0, 0, 0, 0])
  const run = { timesMs: seconds(12), truth: bits('001111000110'), drivers }
  const [first, second] = eventsOf({ ...run, verdict: bits('000111001110') })
  t.strictSame(first, { found: true, alreadyAlarmed: false, delayMs: 1000, driver: 2, driverOfMostRows: 1 })
  t.strictSame(second, { found: true, alreadyAlarmed: true, delayMs: null, driver: null, driverOfMostRows: null })
  const missed = eventsOf({ ...run, verdict: bits('100000111000') })
  t.strictSame(
    missed.map(({ found, alreadyAlarmed }) => [found, alreadyAlarmed]),
    [
      [false, false],
      [false, true],
    ],
  )
  t.strictSame(delaysOf([first!, second!]), { p50: 1, p90: 1 })
  t.strictSame(delaysOf(missed), { p50: null, p90: null })
  t.end()
})

t.test('false alarms are counted where they begin, and a gap in a recording is not time that was watched', (t) => {
  const timesMs = [0, 1000, 2000, 3000, 103_000, 104_000]
  const { alarms, rowsAlarmed, rows, hours } = falseAlarmsOf(timesMs, bits('110010'))
  t.strictSame([alarms, rowsAlarmed, rows], [2, 3, 6])
  t.equal(hours, 14_000 / 3_600_000, 'of the gap of 100 s ten are counted')
  t.end()
})

t.test('a driver hits when it is one of the channels on which the fault can show', (t) => {
  t.strictSame(expectedDrivers('valve2/3.csv'), ['Volume Flow RateRMS'])
  t.strictSame(expectedDrivers('other/4.csv'), ['Volume Flow RateRMS'])
  t.strictSame(expectedDrivers('other/9.csv'), ['Accelerometer1RMS', 'Accelerometer2RMS'])
  t.equal(expectedDrivers('other/11.csv').length, 4)
  t.equal(expectedDrivers('other/13.csv').length, 3)
  t.strictSame(expectedDrivers('other/14.csv'), ['Volume Flow RateRMS', 'Thermocouple'])
  t.strictSame(expectedDrivers('pumps/1.csv'), [], 'nothing is known of other folders')
  const event = { found: true, alreadyAlarmed: false, delayMs: 0, driver: 0, driverOfMostRows: 1 }
  const missed = { ...event, found: false, driver: null, driverOfMostRows: null }
  const run = (id: string, events: RunScore['events']) => ({ ...scored(id, 0), events })
  const runs = [run('valve1/0.csv', [event, missed]), run('other/5.csv', [event]), run('pumps/1.csv', [event])]
  const hits = driverHits(runs, {
    channels: () => ['Volume Flow RateRMS', 'Accelerometer1RMS'],
    expected: expectedDrivers,
  })
  t.strictSame(hits, { at_detection: 0.5, of_most_rows: 0.5, events: 2 })
  t.end()
})

/** A run of ten rows with a fault in its middle, scored as if `verdict` had been said of it. */
function scored(id: string, start: number, verdict = '0000111000'): RunScore {
  const anomaly = bits('0000111000')
  const rows = seconds(10).map(() => new Float64Array(1))
  const recording = { id, timesMs: seconds(10), channels: ['a'], rows, anomaly, changepoint: bits('0000100000') }
  const alarm = bits(verdict)
  const rest = {
    warmingUp: 0,
    scores: new Float64Array(10),
    streams: new Map(),
    answers: [],
    behind: 0,
    lateVerdicts: 0,
  }
  const stats = { nsPerValue: null, bytesPerChannel: null }
  const group = id.split('/')[0]!
  return scoreRun({ recording, firstRow: 0, start, group }, { ...rest, stats, alarm, drivers: new Int16Array(10) })
}

t.test('the headline is the mean over the starts, each of which is pooled over the files', (t) => {
  const runs = [scored('a/1.csv', 0), scored('b/1.csv', 0, '0000000000'), scored('a/1.csv', 40), scored('b/1.csv', 40)]
  const headline = summarize(runs)
  t.equal(headline.by_start['0']?.f1, 0.6667)
  t.equal(headline.by_start['40']?.f1, 1)
  t.equal(headline.f1, 0.8333)
  t.equal(headline.by_group['b']?.mar, 50)
  t.strictSame(headline.events, { total: 2, found: 1.5, already_alarmed: 0, found_anew: 1.5 })
  t.equal(headline.by_start['40']?.nab?.standard, 100)
  t.end()
})

t.test('a run whose baseline was rejected counts as one of which nothing was said', (t) => {
  const run = scored('a/1.csv', 0)
  const recording = { anomaly: bits('0011'), changepoint: bits('0010'), timesMs: seconds(4), rows: [], channels: [] }
  const rejected = scoreRun({ recording: { id: 'a/2.csv', ...recording }, firstRow: 0, start: 0, group: 'a' }, ['gap'])
  t.strictSame(rejected.counts, { tp: 0, fp: 0, fn: 2, tn: 2 })
  t.strictSame(rejected.rejected, ['gap'])
  t.strictSame(
    rejected.events.map(({ found }) => found),
    [false],
  )
  t.equal(summarize([run, rejected]).mar, 40)
  t.end()
})

t.test('bootstrap intervals are the same at every run, and hold what they must', (t) => {
  const files = [5, 8, 9, 10, 2, 7].map((tp) => [{ tp, fp: 3, fn: 10 - tp, tn: 20 }])
  const once = bootstrapRates(files)!
  t.strictSame(bootstrapRates(files), once)
  const point = ratesOf(addCounts(files.flat()))
  for (const key of ['f1', 'far', 'mar', 'j'] as const)
    t.ok(once[key][0] <= point[key] && point[key] <= once[key][1], key)
  t.ok(once.f1[1] - once.f1[0] > 0.05, 'six files that differ say little')
  t.strictSame(
    once.far.map((value) => value.toFixed(6)),
    ['13.043478', '13.043478'],
    'what is alike in all files is certain',
  )
  const better = files.map(([counts]) => [{ ...counts!, tp: counts!.tp + 1, fn: counts!.fn - 1 }])
  t.ok(bootstrapDifference(better, files)!.f1[0] > 0, 'better in every file is better')
  const other = files.toReversed()
  const difference = bootstrapDifference(other, files)!
  t.ok(difference.f1[0] < 0 && difference.f1[1] > 0, 'the same figures in other files are no improvement')
  t.equal(bootstrapRates([]), null)
  t.strictSame([percentile([1, 2, 3, 4], 0.5), percentile([1, 2, 3, 4], 0.9), percentile([1], 0.025)], [2, 4, 1])
  t.strictSame(
    countsOfFiles([scored('b/1.csv', 40), scored('b/1.csv', 0), scored('a/1.csv', 0)]).map((f) => f.length),
    [2, 2],
  )
  t.end()
})

t.test('a goal is missed by a figure beyond its bound and by one that is not there', (t) => {
  const goals = new Map([
    ['f1', { min: 0.8 }],
    ['nab.standard', { min: 34 }],
    ['far', { max: 10 }],
    ['alarms_per_hour', { max: 1.5 }],
  ])
  const result = { f1: 0.8, nab: { standard: 33.9 }, far: 10, alarms_per_hour: null }
  t.strictSame(
    checkGoals(result, goals).map(({ met }) => met),
    [true, false, true, false],
  )
  t.end()
})

t.test('the scorer comes to the known figures of what looks at nothing', (t) => {
  const given = [
    ...[0, 2, 4, 6, 8, 10, 12, 14].map((n) => `valve1/${n}.csv`),
    ...[1, 3, 5, 7, 9, 11].map((n) => `other/${n}.csv`),
  ]
  if (!existsSync(DATA)) {
    t.comment('the SKAB recordings are not beside the project: the known figures were not compared')
    t.end()
    return
  }
  const { labelled } = readSkab(DATA)
  const recordings = given.flatMap((id) => labelled.get(id) ?? [])
  t.equal(recordings.length, 14)
  const { always_alarm, clock, self_test } = anchorsOf(recordings)
  t.match(always_alarm, { tp: 5286, fp: 4615, fn: 0, tn: 0 })
  t.equal(always_alarm.f1.toFixed(3), '0.696')
  t.strictSame([clock.f1.toFixed(3), clock.far.toFixed(1), clock.mar.toFixed(1)], ['0.972', '4.5', '1.8'])
  t.equal(self_test, 'passed')
  t.match(anchorsOf(recordings.slice(1)).self_test, 'not known')
  const moved = recordings.map((r) => ({ ...r, anomaly: r.anomaly.toReversed() }))
  t.match(anchorsOf(moved).self_test, /^failed/, 'wrong labels are noticed')
  t.end()
})
