import t from 'tap'
import { isActive } from '../../../../agent/core/detectors/alarm.ts'
import {
  arraysOfMonitor,
  createMonitor,
  eventOf,
  type Monitor,
  stepMonitor,
  voiceOf,
} from '../../../../agent/core/detectors/monitor.ts'
import { manyChannelsRatio } from '../../../../agent/core/detectors/replay.ts'
import { fitDetectors } from '../../../../agent/core/detectors/replay-limits.ts'
import { rowOfSteps, type StepTable } from '../../../../agent/core/detectors/steps.ts'
import { noiseAt } from '../../../../shared/lib/prng.ts'
import { stepTable } from '../../../support/step-tables.ts'

const BREAKS = 500
const MENDED = 560

/** Three channels that go together; from `BREAKS` to `MENDED` the second one shows what it showed 400 rows before. */
function tableOf(from: number, to: number): StepTable {
  const row = (k: number) => {
    const demand = noiseAt(5, 0, k)
    return [demand, 2 * demand, -demand].map((x, c) => x + 0.1 * noiseAt(5, c + 1, k))
  }
  return stepTable(
    Array.from({ length: to - from }, (_, k) => {
      const values = row(from + k)
      if (from + k >= BREAKS && from + k < MENDED) values[1] = row(from + k - 400)[1]!
      return values
    }),
  )
}

const FITTED = fitDetectors([tableOf(0, 400)], 3)

function run(monitor: Monitor, table: StepTable) {
  return Array.from({ length: table.rows }, (_, row) => {
    stepMonitor(monitor, rowOfSteps(table, row))
    return { ...eventOf(monitor), voice: voiceOf(monitor, 1)?.stream ?? null }
  })
}

function created(rig = FITTED.rig): Monitor {
  return createMonitor({ channels: FITTED.channels, rig, warmUpRows: 15 })
}

t.test(
  'a broken relation is an event of its channel that no single level would tell, and ends when it is mended',
  async (t) => {
    const monitor = created()
    const events = run(monitor, tableOf(400, 700))
    t.ok(
      events.slice(0, BREAKS - 400).every(({ state }) => state !== 'alarm'),
      'nothing before',
    )
    const during = events.slice(BREAKS - 400, MENDED - 400)
    t.ok(during.filter(({ state }) => state === 'alarm').length > 40)
    const first = during.find(({ state }) => state === 'alarm')!
    t.match(first, { stream: 'multivariate', channel: 1, voice: 'multivariate' })
    t.ok(first.score > 1)
    t.ok(events.slice(-100).every(({ state, stream }) => state === 'nominal' && stream === null))
    const level = monitor.channels.find(({ stream }) => stream.detector.name === 'level')!
    t.notOk(isActive(level.latches))
  },
)

t.test('nearer than an event takes it is in alarm and no event', async (t) => {
  const unrest = 10_000
  const restless = FITTED.rig.map((fit) =>
    fit.detector === 'multivariate' ? { ...fit, numbers: fit.numbers.with(1, unrest) } : fit,
  )
  const monitor = created(restless)
  const events = run(monitor, tableOf(400, 550))
  t.ok(events.every(({ state }) => state !== 'alarm'))
  t.ok(isActive(monitor.rig[0]!.latches))
  t.ok(events.at(-1)!.score < 1)
  t.equal(events.at(-1)!.voice, 'multivariate', 'people see it')
})

t.test('limits are of channels, by replay, and no replayed segment was an event', async (t) => {
  const [multivariate] = FITTED.rig.filter(({ detector }) => detector === 'multivariate')
  t.equal(multivariate!.limit, 1)
  for (const fits of FITTED.channels) {
    const fit = fits.find(({ detector }) => detector === 'multivariate')!
    t.ok(fit.limit >= 4)
    t.same(fit.numbers, [])
    t.equal(fit.maxima.length, 1)
    t.ok(fit.maxima[0]! > 0 && fit.maxima[0]! <= fit.limit)
  }
  t.ok(FITTED.rigMaxima.every((max) => max <= 1))
})

t.test('a checkpoint holds all a monitor remembers', async (t) => {
  const table = tableOf(400, 700)
  const whole = run(created(), table)
  const part = (from: number, to: number): StepTable => ({
    ...table,
    rows: to - from,
    mean: table.mean.subarray(from * 3),
    min: table.min.subarray(from * 3),
    max: table.max.subarray(from * 3),
    first: table.first.subarray(from * 3),
    last: table.last.subarray(from * 3),
  })
  for (const cut of [50, 110, 130, 165]) {
    const before = created()
    run(before, part(0, cut))
    const after = created()
    const saved = arraysOfMonitor(before)
    arraysOfMonitor(after).forEach((array, k) => {
      array.set(saved[k]!)
    })
    t.same(run(after, part(cut, 300)), whole.slice(cut))
  }
})

t.test('many channels are many chances: the least limit of event streams grows with them', async (t) => {
  t.same([1, 8, 16, 52].map(manyChannelsRatio), [1, 1, 1.3, 1 + 0.6 * (1 - 8 / 52)])
  const noise = stepTable(
    Array.from({ length: 200 }, (_, row) => Array.from({ length: 16 }, (_, c) => noiseAt(9, c, row))),
  )
  for (const fits of fitDetectors([noise], 16).channels) {
    const limit = (name: string) => fits.find(({ detector }) => detector === name)!.limit
    t.ok(limit('level') >= 3 * 1.3)
  }
})
