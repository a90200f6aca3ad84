import t from 'tap'
import { LEVEL } from '../../../../agent/core/detectors/level.ts'
import { skipMonitor, stepMonitor } from '../../../../agent/core/detectors/monitor.ts'
import { fitDetectors } from '../../../../agent/core/detectors/replay-limits.ts'
import {
  BASELINE_ROWS,
  faulty,
  fittedMonitor,
  monitorOf,
  noisy,
  type Signal,
  stepRow,
  stepTable,
  walking,
  watch,
} from '../../../support/detector-rig.ts'

const FAULT = 600
const rig = (first: Signal): Signal[] => [first, noisy(2), noisy(3, -5, 0.1)]

t.test('a step of the level is an alarm of its channel in seconds, and none before it', async (t) => {
  for (const [sigmas, within] of [
    [2, 16],
    [5, 8],
    [-5, 8],
  ] as const) {
    const signals = rig(faulty(noisy(1), () => sigmas, FAULT))
    const found = watch(fittedMonitor(signals), signals, BASELINE_ROWS, 900)
    t.equal(found.length, 1, `${sigmas} sigmas are one alarm`)
    t.ok(found[0]!.from > FAULT && found[0]!.from <= FAULT + within, `told at row ${found[0]!.from}`)
    t.equal(found[0]!.driver, 0)
    t.equal(found[0]!.to, 899, 'and it lasts as long as the level is away')
  }
})

t.test('a ramp is an alarm before it is over', async (t) => {
  const signals = rig(faulty(noisy(1), (row) => Math.min(row / 30, 10), FAULT))
  const found = watch(fittedMonitor(signals), signals, BASELINE_ROWS, 1000)
  t.ok(found[0]!.from > FAULT && found[0]!.from < FAULT + 200, `told at row ${found[0]?.from}`)
  t.equal(found[0]!.driver, 0)
})

t.test('what comes back is well again in seconds and watched for the next time', async (t) => {
  const back = FAULT + 300
  const again = back + 300
  for (const rest of [0, -3, 1.5]) {
    const fault: Signal = (row) => (row < 300 ? 20 : row >= 600 ? 20 : rest)
    const signals = rig(faulty(noisy(1), fault, FAULT))
    const found = watch(fittedMonitor(signals), signals, BASELINE_ROWS, again + 100)
    t.equal(found.length, 2, `two alarms with ${rest} left over: ${JSON.stringify(found)}`)
    t.ok(found[0]!.to >= back && found[0]!.to <= back + 25, `over at row ${found[0]!.to}`)
    t.ok(found[1]!.from > again && found[1]!.from <= again + 8)
  }
})

t.test(
  'a level that wandered in its baseline may go on wandering, and the noise of its neighbour stays told',
  async (t) => {
    const signals = [walking(7, { rows: 3000, step: 0.3 }), faulty(noisy(8), () => 4, 2500)]
    const found = watch(fittedMonitor(signals), signals, BASELINE_ROWS, 3000)
    t.same(
      found.map(({ driver }) => driver),
      [1],
      JSON.stringify(found),
    )
  },
)

t.test('a channel in alarm does not keep the others from following', async (t) => {
  const drifts: Signal = (row) => noisy(4)(row) + row / 200
  const signals = [faulty(noisy(1), () => 20, FAULT, FAULT + 2000), drifts, noisy(3)]
  const found = watch(fittedMonitor(signals), signals, BASELINE_ROWS, FAULT + 2300)
  t.equal(found.length, 1, JSON.stringify(found))
  t.ok(found[0]!.to < FAULT + 2025, 'what drifted meanwhile is not in alarm when the fault is over')
})

t.test('what followed the driver is over with it, what was in alarm before it is not', async (t) => {
  const follows = faulty(noisy(2), () => 6, FAULT + 20)
  const signals = [faulty(noisy(1), () => 40, FAULT, FAULT + 200), follows, noisy(3)]
  const after = watch(fittedMonitor(signals), signals, BASELINE_ROWS, FAULT + 500)
  t.equal(after.length, 1)
  t.ok(after[0]!.to < FAULT + 225, `the consequence ends with its cause, at ${after[0]!.to}`)
  const precedes = faulty(noisy(2), () => 6, FAULT - 20)
  const before = [signals[0]!, precedes, noisy(3)]
  t.equal(watch(fittedMonitor(before), before, BASELINE_ROWS, FAULT + 500).at(-1)!.to, FAULT + 499)
})

t.test('two channels that are both far out need not be beyond limits that one odd segment has put high', async (t) => {
  const odd = [faulty(noisy(21), () => 5, 300, 340), noisy(22), noisy(23)]
  const odd2 = [noisy(31), faulty(noisy(32), () => 5, 300, 340), noisy(33)]
  const others = Array.from({ length: 10 }, (_, k) => [noisy(40 + 3 * k), noisy(41 + 3 * k), noisy(42 + 3 * k)])
  const before = [odd, odd2, ...others].map((signals) => stepTable(signals, 0, BASELINE_ROWS))
  const shifted = (both: boolean) => [
    faulty(noisy(1), () => 1.6, FAULT),
    both ? faulty(noisy(2), () => 1.6, FAULT) : noisy(2),
    noisy(3),
  ]
  const one = shifted(false)
  t.same(watch(fittedMonitor(one, before), one, BASELINE_ROWS, FAULT + 60), [], 'one alone is within its limit')
  const two = shifted(true)
  const found = watch(fittedMonitor(two, before), two, BASELINE_ROWS, FAULT + 60)
  t.ok(found.length > 0 && found[0]!.from > FAULT, 'both together are an alarm')
})

t.test('a channel that never changed is silent for ever, and its first change is an alarm', async (t) => {
  // 0.1 added up is not a multiple of 0.1.
  const signals = [
    faulty(
      () => 0.1,
      () => 0.001,
      FAULT,
      FAULT + 50,
    ),
    () => 0,
    () => -1e9,
  ]
  t.same(watch(fittedMonitor(signals), signals, BASELINE_ROWS, FAULT), [])
  const found = watch(fittedMonitor(signals), signals, BASELINE_ROWS, FAULT + 300)
  t.equal(found.length, 1)
  t.ok(found[0]!.from >= FAULT + 2 && found[0]!.from <= FAULT + 5, `told at row ${found[0]!.from}`)
  t.ok(found[0]!.to < FAULT + 75, 'and it is over when the value is back')
})

t.test('a coarsely quantised channel may change between its values', async (t) => {
  const quantised: Signal = (row) => Math.round(noisy(5, 32, 0.4)(row))
  const signals = [faulty(quantised, () => 2, FAULT), noisy(2)]
  const found = watch(fittedMonitor(signals), signals, BASELINE_ROWS, 700)
  t.equal(found.length, 1)
  t.ok(found[0]!.from > FAULT && found[0]!.from < FAULT + 15)
})

t.test('a row in which a channel has no step is not one of its rows', async (t) => {
  const whole = noisy(1)
  // Two of three rows are empty; those that are left show what the whole signal shows in as many rows.
  const thinned = faulty(
    (row) => (row % 3 === 0 ? whole(row / 3) : Number.NaN),
    () => 0,
    0,
  )
  const monitors = [fittedMonitor([whole]), fittedMonitor([whole])]
  for (let row = 0; row < 300; row += 1) stepMonitor(monitors[0]!, stepRow([whole], row))
  for (let row = 0; row < 900; row += 1) stepMonitor(monitors[1]!, stepRow([thinned], row))
  t.same(monitors[1]!.channels[0]!.state, monitors[0]!.channels[0]!.state)
})

t.test('a gap in time makes the reference old, and leaves an alarm as it is', async (t) => {
  const [signals, monitor] = [rig(noisy(1)), fittedMonitor(rig(noisy(1)))]
  watch(monitor, signals, BASELINE_ROWS, FAULT)
  const before = monitor.channels[0]!.state[1]!
  skipMonitor(monitor, 1000)
  t.ok(monitor.channels[0]!.state[1]! > before, 'it is known less well')
  const broken = rig(faulty(noisy(1), () => 1.5, FAULT))
  const alarmed = fittedMonitor(broken)
  t.equal(watch(alarmed, broken, BASELINE_ROWS, FAULT + 60).length, 1)
  skipMonitor(alarmed, 60)
  t.same(watch(alarmed, broken, FAULT + 120, FAULT + 200), [{ from: FAULT + 120, to: FAULT + 199, driver: 0 }])
})

t.test('one channel and 512 are watched alike', async (t) => {
  for (const channels of [1, 512]) {
    const signals = Array.from({ length: channels }, (_, c) => noisy(100 + c))
    signals[channels - 1] = faulty(signals[channels - 1]!, () => 8, FAULT)
    const found = watch(fittedMonitor(signals), signals, BASELINE_ROWS, FAULT + 60).filter(({ to }) => to >= FAULT)
    t.equal(found.at(-1)!.driver, channels - 1)
  }
})

t.test('how fast the level wanders is known from all segments, and one odd segment does not blind', async (t) => {
  const calm = Array.from({ length: 6 }, (_, k) => stepTable([noisy(50 + k)], 0, BASELINE_ROWS))
  const odd = stepTable([walking(9, { rows: BASELINE_ROWS, step: 3 })], 0, BASELINE_ROWS)
  const own = stepTable([noisy(1)], 0, BASELINE_ROWS)
  const wander = (segments: readonly ReturnType<typeof stepTable>[]) => LEVEL.fit(segments, 0)![2]!
  t.ok(wander([odd, ...calm, own]) < 3 * wander([...calm, own]))
  t.ok(wander([odd, odd, odd, own]) > 100 * wander([own]), 'what most of them show counts')
  t.equal(LEVEL.fit([], 0), null)
  t.equal(LEVEL.fit([stepTable([noisy(1)], 0, 39)], 0), null, 'too little to say anything')
})

t.test('the shift that a baseline promises to tell is told', async (t) => {
  const signals = [noisy(1), noisy(2)]
  const fitted = fitDetectors([stepTable(signals, 0, BASELINE_ROWS)], 2)
  const level = fitted.channels[0]!.find(({ detector }) => detector === 'level')!
  const shift = LEVEL.detectableShift!(level.numbers, level.limit)
  let told = 0
  for (let seed = 0; seed < 40; seed += 1) {
    const broken = [faulty(noisy(1000 + seed), () => 1.3 * shift, BASELINE_ROWS + 20), noisy(2)]
    if (watch(monitorOf(fitted), broken, BASELINE_ROWS, BASELINE_ROWS + 80).length > 0) told += 1
  }
  t.ok(told >= 36, `${told} of 40`)
})
