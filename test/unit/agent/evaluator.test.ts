import fc from 'fast-check'
import t from 'tap'
import { missingOf } from '../../../agent/core/accept.ts'
import type { EvaluatorInput } from '../../../agent/core/step.ts'
import { metricCounts, totalCounts } from '../../../agent/core/totals.ts'
import { createPrng } from '../../../shared/lib/prng.ts'
import { FIELD, MOMENTS_FIELDS } from '../../../shared/math/moments.ts'
import type { Frame } from '../../../shared/model/telemetry.ts'
import {
  collected,
  configInput,
  digestOfRun,
  evaluatorSettings,
  feed,
  frameInput,
  frameOf,
  LATENESS_US,
  metricSettings,
  RIG,
  rigOf,
  rigSettings,
  runEvaluator,
  SLIDE_US,
  steadyInputs,
  T0,
  tickInput,
  ticks,
} from '../../support/evaluator-rig.ts'

type Arrival = { frame: Frame; firstUs: number; lastUs: number }

/** Frames of three publishers that share channel b and instants, one of them without sequence numbers, for one second. */
function arrivals(): Arrival[] {
  const prng = createPrng(7)
  const out: Arrival[] = []
  const add = (frame: Frame) =>
    out.push({ frame, firstUs: frame.timeUs[0]!, lastUs: frame.timeUs[frame.timeUs.length - 1]! })
  for (let k = 0; k < 25; k += 1) {
    const times = [0, 10_000, 20_000, 30_000].map((d) => T0 + k * 40_000 + d)
    const some = () => times.map(() => (prng.int(6) === 0 ? -0 : prng.normal() * 3 + 10))
    add(frameOf({ source: 'daq-1', seq: k, channels: ['a', 'b'], times, values: [some(), some()] }))
    add(
      frameOf({
        source: 'daq-2',
        seq: k,
        channels: ['b', 'c'],
        times,
        values: [some(), times.map((at) => (k > 12 ? 90 : 1) + (at % 7))],
      }),
    )
  }
  for (let k = 0; k < 100; k += 1) {
    add(
      frameOf({
        source: 'gauge',
        channels: ['d'],
        times: [T0 + k * 10_000],
        values: [[k % 9 === 0 ? 0 : prng.normal()]],
      }),
    )
    // The same instant said twice with two values, and zero once more with the other sign.
    if (k % 5 === 0)
      add(frameOf({ source: 'gauge', channels: ['d'], times: [T0 + k * 10_000], values: [[prng.normal()]] }))
    if (k % 9 === 0) add(frameOf({ source: 'gauge', channels: ['d'], times: [T0 + k * 10_000], values: [[-0]] }))
  }
  return out
}

const SPAN_US = 30_000

/** Inputs in which no sample arrives more than the lateness behind a newer one; in order and without repeats for `seed` null. */
function arrivalInputs(all: readonly Arrival[], seed: number | null): EvaluatorInput[] {
  const prng = createPrng(seed ?? 0)
  const timed: { nowUs: number; input: (nowUs: number) => EvaluatorInput }[] = []
  const take = (arrival: Arrival) => {
    const nowUs = arrival.lastUs + (seed === null ? 0 : prng.int(LATENESS_US - SPAN_US + 1))
    timed.push({ nowUs, input: (now) => frameInput(now, arrival.frame) })
  }
  for (const arrival of all) {
    take(arrival)
    if (seed !== null && prng.int(8) === 0) take(arrival)
  }
  for (let at = T0; at <= T0 + 1_200_000; at += SLIDE_US) timed.push({ nowUs: at, input: tickInput })
  const order = timed.map((entry) => ({ entry, tie: seed === null ? 0 : prng.nextUint32() }))
  order.sort((x, y) => x.entry.nowUs - y.entry.nowUs || x.tie - y.tie)
  return [tickInput(T0), ...order.map(({ entry }) => entry.input(entry.nowUs)), tickInput(T0 + 2_000_000)]
}

const PERMUTED = evaluatorSettings([
  rigSettings([
    metricSettings('a', { failMax: 10 }),
    metricSettings('b'),
    metricSettings('c', { failMax: 50, invariantMax: 96 }),
    metricSettings('d', { invariantMax: 2 }),
  ]),
])

t.test('a thousand orders of arrival within the lateness, with repeats, give the same bytes', async (t) => {
  const all = arrivals()
  const reference = runEvaluator(PERMUTED, arrivalInputs(all, null))
  const expected = digestOfRun(reference)
  t.ok(new Set(reference.decisions.map((d) => d.verdict)).size >= 2, 'the recording has more than one verdict')
  let duplicates = 0
  let orders = 0
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
      orders += 1
      const out = runEvaluator(PERMUTED, arrivalInputs(all, seed))
      const counts = totalCounts(rigOf(out))
      duplicates += counts.duplicate
      if (counts.late > 0 || counts.pending > 0) throw new Error(JSON.stringify(counts))
      return digestOfRun(out) === expected
    }),
    { numRuns: 1000, seed: 20 },
  )
  t.ok(duplicates > 1000, 'repeats were really sent')
  t.comment(`counted: orders of arrival | ${orders} | the same bytes`)
})

type Kept = { timeUs: number; value: number; source: string; seq: number }

/** Moments of a window straight from its samples, summed exactly enough by Neumaier's sum in two passes. */
function oracle(samples: readonly Kept[]): {
  count: number
  mean: number
  m2: number
  min: number
  max: number
  first: number
  last: number
} {
  const sorted = [...samples].sort(
    (a, b) => a.timeUs - b.timeUs || (a.source < b.source ? -1 : a.source > b.source ? 1 : a.seq - b.seq),
  )
  const values = sorted.map((s) => s.value)
  const mean = neumaier(values) / values.length
  // The rounding of the mean is taken back out of the squares.
  const d = values.map((v) => v - mean)
  const m2 = neumaier(d.map((x) => x * x)) - neumaier(d) ** 2 / d.length
  return {
    count: values.length,
    mean,
    m2,
    min: Math.min(...values),
    max: Math.max(...values),
    first: values[0]!,
    last: values[values.length - 1]!,
  }
}

function neumaier(values: readonly number[]): number {
  let sum = 0
  let rest = 0
  for (const v of values) {
    const next = sum + v
    rest += Math.abs(sum) >= Math.abs(v) ? sum - next + v : v - next + sum
    sum = next
  }
  return sum + rest
}

function near(found: number, expected: number, scale: number): boolean {
  return Math.abs(found - expected) <= 1e-12 * scale
}

/** Compares the joined windows of the slide that was closed last with the oracle. @returns windows compared. */
function compareWindows(out: ReturnType<typeof collected>, kept: readonly (readonly Kept[])[]): number {
  const rig = rigOf(out)
  let compared = 0
  rig.settings.windowsUs.forEach((widthUs, w) => {
    kept.forEach((samples, m) => {
      const inside = samples.filter((s) => s.timeUs >= rig.closedUs - widthUs && s.timeUs < rig.closedUs)
      const row = Array.from(rig.windowRows[w]!.subarray(m * MOMENTS_FIELDS, (m + 1) * MOMENTS_FIELDS))
      if (row[FIELD.count] !== inside.length)
        throw new Error(`count ${row[FIELD.count]} of window ${widthUs}, should be ${inside.length}`)
      if (inside.length === 0) return
      const e = oracle(inside)
      const scale = Math.max(Math.abs(e.min), Math.abs(e.max))
      const exact =
        row[FIELD.min] === e.min &&
        row[FIELD.max] === e.max &&
        row[FIELD.first] === e.first &&
        row[FIELD.last] === e.last
      if (!exact || !near(row[FIELD.mean]!, e.mean, scale) || !near(row[FIELD.m2]!, e.m2, e.m2))
        throw new Error(`row ${row} should be ${JSON.stringify(e)}`)
      compared += 1
    })
  })
  return compared
}

t.test('every window equals what a loop over its samples gives', async (t) => {
  const settings = evaluatorSettings([
    rigSettings([metricSettings('a', { windows: [0, 1, 2, 3] }), metricSettings('b', { windows: [0, 1, 2, 3] })], {
      windowsUs: [50_000, 250_000, 700_000, 1_650_000],
    }),
  ])
  let compared = 0
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.integer({ min: 0, max: 40 }), (seed, phase) => {
      const prng = createPrng(seed)
      const out = collected()
      const start = T0 + phase * SLIDE_US
      feed(out, configInput(start, settings))
      feed(out, tickInput(start))
      const kept: Kept[][] = [[], []]
      const seqs = [0, 0]
      for (let at = start + 10_000; at < start + 3_000_000; at += 30_000) {
        for (let k = prng.int(4); k > 0; k -= 1) {
          const s = prng.int(2)
          const channel = prng.int(2)
          const times = Array.from({ length: 1 + prng.int(4) }, () => at - prng.int(LATENESS_US)).sort((a, b) => a - b)
          const values = times.map(() => prng.normal() * 5 + 3)
          feed(
            out,
            frameInput(
              at,
              frameOf({
                source: `daq-${s}`,
                seq: seqs[s]!,
                channels: [channel === 0 ? 'a' : 'b'],
                times,
                values: [values],
              }),
            ),
          )
          times.forEach((timeUs, i) => {
            kept[channel]!.push({ timeUs, value: values[i]!, source: `daq-${s}`, seq: seqs[s]! + i / 10 })
          })
          seqs[s] = seqs[s]! + 1
        }
        const before = out.decisions.length
        feed(out, tickInput(at))
        if (totalCounts(rigOf(out)).late > 0) throw new Error('a sample became late')
        if (out.decisions.length > before) compared += compareWindows(out, kept)
      }
    }),
    { numRuns: 100, seed: 21 },
  )
  t.ok(compared > 10_000, `${compared} windows were compared`)
})

t.test('the ramp on which the predecessor gave 104.5 gives 149.5', async (t) => {
  const settings = evaluatorSettings([
    rigSettings([metricSettings('a', { nominalRateHz: 10, windows: [0] })], {
      windowsUs: [10_000_000],
      slideUs: 1_000_000,
    }),
  ])
  const out = runEvaluator(settings, [tickInput(T0)])
  let means: number[] = []
  for (let i = 0; i < 230; i += 1) {
    feed(out, frameInput(T0 + i * 100_000, frameOf({ seq: i, times: [T0 + i * 100_000], values: [[i]] })))
    if (rigOf(out).closedUs === T0 + 20_000_000) means = [...means, rigOf(out).windowRows[0]![FIELD.mean]!]
  }
  t.ok(means.length > 0)
  t.equal(means[0], 149.5)
  t.equal(rigOf(out).windowRows[0]![FIELD.count], 100)
})

const ONE = evaluatorSettings([rigSettings([metricSettings('a', { unitFactors: new Map([['kPa', 0.01]]) })])])

/** A steady second, then what is to be tried at T0 + 1 s, then another second. */
function disturbed(frames: readonly Frame[]): ReturnType<typeof collected> {
  return runEvaluator(ONE, [
    ...steadyInputs({ fromUs: T0, toUs: T0 + 1_000_000 }),
    frameInput(T0 + 1_000_000, ...frames),
    ...steadyInputs({ fromUs: T0 + 1_000_000, toUs: T0 + 2_000_000, seqFrom: 50 }),
  ])
}

t.test('one sample a day ahead costs only itself', async (t) => {
  const calm = disturbed([])
  for (const aheadUs of [5_000_001, 3_600_000_000, 86_400_000_000, 10 * 86_400_000_000]) {
    const out = disturbed([frameOf({ source: 'mad', seq: 0, times: [T0 + 1_000_000 + aheadUs], values: [[77]] })])
    t.equal(digestOfRun(out), digestOfRun(calm), 'decisions are those without it')
    t.equal(rigOf(out).ledger.refusals.get('future')?.count, 1)
    t.equal(metricCounts(rigOf(out), 0).rejected, 1)
    t.match(rigOf(out).ledger.refusals.get('future')?.example, /77/)
  }
})

t.test('times in milliseconds, seconds and nanoseconds are told apart from late and future ones', async (t) => {
  const now = T0 + 1_000_000
  const wrong = [
    ['suspect_ms', now / 1000],
    ['suspect_s', now / 1_000_000],
    ['suspect_s', now / 1_000_000 + 0.5],
    ['suspect_ns', now * 1000],
  ] as const
  for (const [reason, time] of wrong) {
    const out = disturbed([frameOf({ source: 'mad', seq: 0, times: [time, time], values: [[1, 2]] })])
    t.equal(digestOfRun(out), digestOfRun(disturbed([])))
    t.equal(rigOf(out).ledger.refusals.get(reason)?.count, 2, `${reason} for ${time}`)
  }
  for (const time of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -now]) {
    const out = disturbed([frameOf({ source: 'mad', seq: 0, times: [time, time + 1], values: [[1, 2]] })])
    t.equal(digestOfRun(out), digestOfRun(disturbed([])), `time ${time}`)
    const counts = metricCounts(rigOf(out), 0)
    t.equal(counts.rejected + counts.late, 2)
  }
  const halves = disturbed([frameOf({ source: 'mad', seq: 0, times: [now + 0.5, now + 1.5], values: [[1, 2]] })])
  t.equal(
    rigOf(halves).ledger.refusals.get('bad_time')?.count,
    2,
    'a frame full of half microseconds is refused as one of them is',
  )
})

t.test('what is in no metric or in another unit is counted, with the first as an example', async (t) => {
  const at = T0 + 1_000_000
  const out = disturbed([
    frameOf({ source: 'x', seq: 0, channels: ['ghost'], times: [at, at + 1], values: [[1, 2]] }),
    frameOf({ source: 'x', seq: 1, channels: ['spectre'], times: [at], values: [[1]] }),
    frameOf({ source: 'x', seq: 2, unit: 'kPa', times: [at + 2], values: [[100]] }),
  ])
  t.equal(
    digestOfRun(out),
    digestOfRun(disturbed([frameOf({ source: 'x', seq: 2, times: [at + 2], values: [[1]] })])),
    'a stated unit is converted',
  )
  t.equal(rigOf(out).ledger.refusals.get('unknown_channel')?.count, 3)
  t.match(rigOf(out).ledger.refusals.get('unknown_channel')?.example, /ghost/)
  const mismatch = disturbed([
    frameOf({ source: 'x', seq: 0, unit: 'psi', times: [at], values: [[1]] }),
    frameOf({ source: 'x', seq: 1, unit: 'K', times: [at], values: [[1]] }),
  ])
  t.equal(rigOf(mismatch).ledger.refusals.get('unit_mismatch')?.count, 2)
  t.match(rigOf(mismatch).ledger.refusals.get('unit_mismatch')?.example, /psi/)
  t.ok(
    mismatch.decisions.some((d) => d.verdict === 'NO_TEST'),
    'a metric that gets another unit is not passed',
  )
})

t.test('a recording that begins at time zero is taken in whole', async (t) => {
  const settings = evaluatorSettings([rigSettings([metricSettings('a')])])
  const out = runEvaluator(settings, steadyInputs({ fromUs: 0, toUs: 2_000_000 }), 0)
  for (const input of ticks(2_000_000, 9_000_000)) feed(out, input)
  const counts = metricCounts(rigOf(out), 0)
  t.equal(counts.evaluated, 200)
  t.equal(counts.pending, 0)
  t.equal(rigOf(out).settings.rig, RIG)
})

t.test('a recording that begins at time zero with long frames leaves no sample behind', async (t) => {
  const settings = evaluatorSettings([rigSettings([metricSettings('a')])])
  const times = (from: number, to: number) => Array.from({ length: (to - from) / 10_000 }, (_, k) => from + k * 10_000)
  const [first, second] = [times(0, 100_000), times(100_000, 320_000)]
  const out = runEvaluator(
    settings,
    [
      frameInput(100_000, frameOf({ seq: 0, times: first, values: [first] })),
      frameInput(320_000, frameOf({ seq: 1, times: second, values: [second] })),
      ...ticks(350_000, 2_000_000),
    ],
    0,
  )
  const { received, evaluated } = metricCounts(rigOf(out), 0)
  t.same({ received, evaluated }, { received: 32, evaluated: 32 })
})

t.test('frames that a publisher numbered and never sent are missing until they arrive', async (t) => {
  const out = runEvaluator(ONE, [tickInput(T0)])
  const send = (seq: number) => {
    feed(out, frameInput(T0 + seq, frameOf({ seq, times: [T0 + seq], values: [[1]] })))
    return missingOf(rigOf(out))
  }
  // What was sent before the first frame heard is not missing; a frame that comes late or twice is counted once.
  t.same([5, 6, 10, 8, 8, 3, 9, 7, 5000, 10, 4999].map(send), [0, 0, 3, 2, 2, 2, 1, 0, 4989, 4989, 4988])
  t.equal(metricCounts(rigOf(out), 0).duplicate, 2)
})
