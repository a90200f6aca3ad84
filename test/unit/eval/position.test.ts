import t from 'tap'
import { normalInPlaceOf, positionCheck, positionRun, withoutFaults } from '../../../scripts/eval/position.ts'
import { faultsOf } from '../../../scripts/eval/recording.ts'
import { parseSkab } from '../../../scripts/eval/skab.ts'
import { skabText } from '../../support/small-corpus.ts'

const FAULT = { from: 560, to: 645, channel: 2, by: 40 }
const text = skabText({ seed: 3, begin: '2020-03-09 10:00:00', rows: 700, fault: FAULT })
const recording = parseSkab('valve1/0.csv', text, { labelled: true })
const own = { recording, from: 0, to: 400 }
const meanOf = (rows: readonly Float64Array[], c: number): number =>
  rows.reduce((sum, row) => sum + row[c]!, 0) / rows.length

t.test('in place of a fault are blocks of the baseline at the level of the rows before it', (t) => {
  const made = normalInPlaceOf({ own, fault: FAULT, seed: 1 })
  t.equal(made.length, FAULT.to - FAULT.from)
  t.strictSame(normalInPlaceOf({ own, fault: FAULT, seed: 1 }), made, 'the same at every evaluation')
  t.notSame(normalInPlaceOf({ own, fault: FAULT, seed: 2 }), made)
  const before = recording.rows.slice(FAULT.from - 20, FAULT.from)
  for (let c = 0; c < 3; c += 1)
    for (let block = 0; block < 80; block += 20)
      t.ok(
        Math.abs(meanOf(made.slice(block, block + 20), c) - meanOf(before, c)) < 1e-9,
        `block ${block}, channel ${c}`,
      )
  // What is between neighbours is as it was in some place of the baseline, in all channels at once.
  const steps = (rows: readonly Float64Array[]): string[] =>
    rows
      .slice(1)
      .map((row, k) => row.map((value, c) => value - rows[k]![c]!))
      .map((step) => [...step].map((x) => x.toFixed(6)).join(' '))
  const known = new Set(steps(recording.rows.slice(0, 400)))
  t.ok(steps(made.slice(0, 20)).every((step) => known.has(step)))
  t.end()
})

t.test('all else stays as it was, times included', (t) => {
  const watched = { timesMs: recording.timesMs.slice(400), rows: recording.rows.slice(400) }
  const faults = faultsOf(recording.anomaly, 400)
  const replaced = withoutFaults(watched, { own, faults, seed: 1, firstRow: 400 })
  t.equal(replaced.timesMs, watched.timesMs)
  t.strictSame(replaced.rows.slice(0, 160), watched.rows.slice(0, 160))
  t.strictSame(replaced.rows.slice(245), watched.rows.slice(245))
  t.ok(
    replaced.rows.slice(160, 245).every((row) => row[2]! < 30),
    'the fault is gone',
  )
  t.end()
})

t.test('alarms in place of faults may exceed those in normal rows by five points', (t) => {
  const truth = Uint8Array.from({ length: 200 }, (_, row) => (row >= 100 ? 1 : 0))
  const alarms = (until: number) => Uint8Array.from(truth, (_, row) => (row >= 100 && row < until ? 1 : 0))
  const run = (until: number) =>
    positionRun(truth, { original: truth.map((_, row) => (row < 10 ? 1 : 0)), replaced: alarms(until) })
  const kept = positionCheck([run(115)])
  t.match(kept, { pass: true, far_in_place_of_faults: 15, far_on_normal_rows: 10, far_before_fault: 10 })
  t.match(positionCheck([run(116)]), { pass: false, far_in_place_of_faults: 16 })
  t.match(
    positionCheck([run(100), run(130)]),
    { pass: true, far_in_place_of_faults: 15 },
    'rows of all runs are one pool',
  )
  t.end()
})

t.test('what a fault leaves behind is no place to hide: the rows before it count by themselves', (t) => {
  const truth = Uint8Array.from({ length: 300 }, (_, row) => (row >= 100 && row < 200 ? 1 : 0))
  const restless = (from: number, to: number) => truth.map((_, row) => (row >= from && row < to ? 1 : 0))
  const run = (replaced: Uint8Array) => positionRun(truth, { original: restless(200, 280), replaced })
  t.match(positionCheck([run(restless(100, 130))]), {
    pass: false,
    far_in_place_of_faults: 30,
    far_on_normal_rows: 40,
    far_before_fault: 0,
  })
  t.match(positionCheck([run(restless(100, 105))]), { pass: true, far_in_place_of_faults: 5 })
  const early = positionRun(truth, { original: restless(0, 100), replaced: restless(100, 160) })
  t.match(positionCheck([early]), { pass: false, far_on_normal_rows: 50, far_before_fault: 100 }, 'both must hold')
  const atOnce = Uint8Array.from({ length: 200 }, (_, row) => (row < 100 ? 1 : 0))
  const first = positionRun(atOnce, { original: new Uint8Array(200), replaced: new Uint8Array(200) })
  t.match(positionCheck([first]), { pass: true, far_before_fault: null }, 'nothing before it')
  t.end()
})
