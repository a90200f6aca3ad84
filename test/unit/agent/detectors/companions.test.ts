import t from 'tap'
import {
  BASELINE_ROWS,
  faulty,
  fittedMonitor,
  noisy,
  type Signal,
  stepTable,
  walking,
  watch,
  watchStream,
} from '../../../support/detector-rig.ts'

const FAULT = 600
const seen = (signals: Signal[], stream: string, to = FAULT + 200) =>
  watchStream(fittedMonitor(signals), signals, { stream, from: BASELINE_ROWS, to })

t.test('variance tells a channel that became noisy and one that became quiet, and nothing else', async (t) => {
  const louder = (times: number): Signal[] => [(row) => (row < FAULT ? noisy(1)(row) : noisy(1, 10, times)(row))]
  for (const [times, within] of [
    [4, 20],
    [0.1, 40],
  ] as const) {
    const found = seen(louder(times), 'variance')
    t.equal(found.length, 1, `noise × ${times}`)
    t.ok(found[0]!.from > FAULT && found[0]!.from <= FAULT + within, `told at row ${found[0]!.from}`)
  }
  t.same(seen([noisy(1)], 'variance', 3000), [])
  t.same(seen([faulty(noisy(1), () => 5, FAULT)], 'variance'), [], 'a level that moved is not noise')
  const back = seen(
    [(row) => (row < FAULT || row >= FAULT + 100 ? noisy(1)(row) : noisy(1, 10, 4)(row))],
    'variance',
    900,
  )
  t.ok(back[0]!.to < FAULT + 170, `over at row ${back[0]!.to}`)
})

t.test('spike tells a single sample in its own row', async (t) => {
  const found = seen([faulty(noisy(1), () => -20, FAULT, FAULT + 1)], 'spike')
  t.equal(found.length, 1)
  t.equal(found[0]!.from, FAULT)
  t.ok(found[0]!.to <= FAULT + 15)
  t.same(seen([noisy(1)], 'spike', 5000), [])
  t.same(
    watch(fittedMonitor([noisy(1)]), [faulty(noisy(1), () => 20, FAULT, FAULT + 1)], BASELINE_ROWS, 700),
    [],
    'the level is not moved by one sample',
  )
})

t.test('stuck tells a channel that repeats itself for longer than it ever did', async (t) => {
  const stuck = (signal: Signal): Signal[] => [(row) => signal(Math.min(row, FAULT))]
  const fine = seen(stuck(noisy(1)), 'stuck')
  t.equal(fine.length, 1)
  t.equal(fine[0]!.from, FAULT + 31)
  // Repeats itself for up to a dozen steps or two while nothing is wrong.
  const coarse: Signal = (row) => (noisy(5, 0, 1)(Math.floor(row / 4)) > 0 ? 32 : 33)
  t.same(seen([coarse], 'stuck', 3000), [])
  t.equal(seen(stuck(coarse), 'stuck', FAULT + 400).length, 1)
  t.same(seen([() => 5], 'stuck', 3000), [], 'what never changed may go on so')
})

t.test('golden tells a drift so slow that the level follows it', async (t) => {
  const before = Array.from({ length: 4 }, (_, k) => stepTable([noisy(60 + k)], 0, BASELINE_ROWS))
  const signals = [faulty(noisy(1), (row) => row / 3000, FAULT)]
  const golden = watchStream(fittedMonitor(signals, before), signals, {
    stream: 'golden',
    from: BASELINE_ROWS,
    to: 6000,
  })
  t.equal(golden.length, 1)
  t.ok(golden[0]!.from > FAULT && golden[0]!.from < 4500, `told at row ${golden[0]!.from}`)
  t.equal(golden[0]!.to, 5999, 'and nothing but a new baseline makes it well')
  t.same(watch(fittedMonitor(signals, before), signals, BASELINE_ROWS, 6000), [], 'no event')
  const calm = [noisy(1)]
  t.same(watchStream(fittedMonitor(calm, before), calm, { stream: 'golden', from: BASELINE_ROWS, to: 6000 }), [])
})

t.test('golden leaves a level alone that is elsewhere in every run', async (t) => {
  const run = (seed: number, level: number): Signal[] => [noisy(seed, level)]
  const before = [9, 11, 10.5, 9.5, 10.2].map((level, k) => stepTable(run(70 + k, level), 0, BASELINE_ROWS))
  const signals = run(1, 11)
  t.same(watchStream(fittedMonitor(signals, before), signals, { stream: 'golden', from: BASELINE_ROWS, to: 2000 }), [])
  const alone = [walking(3, { rows: 2000, step: 0.2 })]
  t.same(
    watchStream(fittedMonitor(alone), alone, { stream: 'golden', from: BASELINE_ROWS, to: 2000 }),
    [],
    'nor one of which only one run is known, for as long as it walks as it did',
  )
})
