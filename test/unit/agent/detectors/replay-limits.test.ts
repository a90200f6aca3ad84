import t from 'tap'
import { fitDetectors } from '../../../../agent/core/detectors/replay-limits.ts'
import { reverseSteps } from '../../../../agent/core/detectors/steps.ts'
import { CHANNEL_STREAMS } from '../../../../agent/core/detectors/streams.ts'
import type { DetectorFit } from '../../../../shared/model/baseline.ts'
import {
  BASELINE_ROWS,
  faulty,
  monitorOf,
  noisy,
  type Signal,
  stepTable,
  walking,
  watch,
} from '../../../support/detector-rig.ts'

const level = (fits: readonly DetectorFit[]) => fits.find(({ detector }) => detector === 'level')!
const table = (signals: readonly Signal[]) => stepTable(signals, 0, BASELINE_ROWS)

t.test('limits are the largest that came up while nothing was wrong, never less than the least', async (t) => {
  const calm = table([noisy(1), noisy(2)])
  const odd = table([faulty(noisy(3), () => 4, 250, 300), noisy(4)])
  const fitted = fitDetectors([calm, odd, calm], 2)
  const [first, second] = [level(fitted.channels[0]!), level(fitted.channels[1]!)]
  t.equal(first.maxima.length, 3, 'one a segment')
  t.equal(first.limit, first.maxima[1])
  t.ok(first.limit > 3)
  t.equal(second.limit, 3)
  t.equal(fitted.rigMaxima.length, 3)
  t.equal(fitted.rigMaxima[1], 1, 'in limits: the segment that made the limit is at it')
})

t.test('either half of a segment is watched', async (t) => {
  const early = table([faulty(noisy(3), () => 4, 60, 110)])
  t.ok(level(fitDetectors([early], 1).channels[0]!).limit > 3)
})

t.test('what came up for fewer rows than an alarm needs is none of a limit', async (t) => {
  const glitch = table([faulty(noisy(3, 10, 0.01), () => 5, 300, 301)])
  const burst = table([faulty(noisy(3, 10, 0.01), () => 5, 300, 303)])
  const of = (segment: typeof glitch) => level(fitDetectors([segment], 1).channels[0]!).maxima[0]!
  // One sample moves the mean of fifteen for fifteen rows, so only the first rows differ; both are far out.
  t.ok(of(glitch) < of(burst))
})

t.test('a table backwards in time backwards again is the table', async (t) => {
  const signals = [noisy(1), noisy(2)]
  const whole = { ...table(signals), first: table([noisy(3), noisy(4)]).mean }
  t.same(reverseSteps(reverseSteps(whole)), whole)
  t.equal(reverseSteps(whole).last[0], whole.first[(BASELINE_ROWS - 1) * 2])
})

t.test('support is ranked, so that one odd segment does not undo it', async (t) => {
  const calm = Array.from({ length: 12 }, (_, k) => table([noisy(10 + k), noisy(40 + k)]))
  const odd = table([faulty(noisy(3), () => 6, 300), faulty(noisy(4), () => 6, 300)])
  const support = (segments: typeof calm) =>
    fitDetectors(segments, 2).rig.find(({ detector }) => detector === 'level_support')!
  t.ok(support([...calm, odd]).maxima.at(-1)! > 10)
  t.equal(support([...calm, odd]).limit, 3)
  t.ok(support([odd, calm[0]!]).limit > 10, 'of two nobody knows which one is odd')
})

t.test('every stream has its numbers for a channel, and none for one with too little', async (t) => {
  const signals = [noisy(1), (row: number) => (row % 20 === 0 ? row : Number.NaN)]
  const { channels, rig } = fitDetectors([table(signals)], 2)
  const namesOf = (fits: readonly DetectorFit[]) => fits.map(({ detector }) => detector)
  for (const { detector } of CHANNEL_STREAMS) {
    t.ok(namesOf(channels[0]!).includes(detector.name), detector.name)
    t.notOk(namesOf(channels[1]!).includes(detector.name), detector.name)
  }
  t.ok(namesOf(rig).includes('level_support'))
  t.same(namesOf(rig), [...namesOf(rig)].sort(), 'by name')
  t.same(fitDetectors([], 1), { channels: [[]], rig: [], rigMaxima: [] })
})

t.test('fresh nominal segments pass limits no more often than 1 in M + 1 a channel', async (t) => {
  const channels = 4
  const runs = 60
  const segmentsOf = (run: number, k: number): Signal[] =>
    Array.from({ length: channels }, (_, c) =>
      walking(10_000 + 97 * run + 13 * k + c, { rows: BASELINE_ROWS, step: 0.05 }),
    )
  let alarmed = 0
  for (let run = 0; run < runs; run += 1) {
    const before = Array.from({ length: 5 }, (_, k) => table(segmentsOf(run, k)))
    const fresh = segmentsOf(run, 9)
    const half = fitDetectors([...before, stepTable(fresh, 0, BASELINE_ROWS / 2)], channels)
    if (watch(monitorOf(half), fresh, BASELINE_ROWS / 2, BASELINE_ROWS).length > 0) alarmed += 1
  }
  // Four channels of which each may: at most 1 − (6/7)^4 = 46 % of segments, if every limit were at its replays.
  t.ok(alarmed / runs <= 0.46, `${alarmed} of ${runs}`)
})
