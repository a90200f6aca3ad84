import t from 'tap'
import type { MetricSettings } from '../../../agent/core/settings.ts'
import type { EvaluatorInput } from '../../../agent/core/step.ts'
import { metricCounts } from '../../../agent/core/totals.ts'
import { createPrng } from '../../../shared/lib/prng.ts'
import {
  type Collected,
  configInput,
  digestOfRun,
  evaluatorSettings,
  feed,
  findingOf,
  frameInput,
  frameOf,
  judgedAt,
  LATENESS_US,
  mergedInputs,
  metricBaseline,
  metricSettings,
  rigOf,
  rigSettings,
  runEvaluator,
  SLIDE_US,
  steadyInputs,
  T0,
  tickInput,
  ticks,
  verdictsOf,
  windowBaseline,
} from '../../support/evaluator-rig.ts'

const SECOND = 1_000_000

function rigWith(metrics: readonly MetricSettings[], baselines: ReturnType<typeof metricBaseline>[] = []) {
  const baseline = baselines.length === 0 ? null : windowBaseline(new Uint8Array(32).fill(9), baselines)
  return evaluatorSettings([rigSettings(metrics, { baseline })])
}

t.test('a silent channel is STALE at its idle_after, to the slide, and holds up no other', async (t) => {
  const settings = rigWith([metricSettings('a'), metricSettings('b')])
  const a = steadyInputs({ fromUs: T0, toUs: T0 + 4 * SECOND, channels: ['a'], source: 'one' })
  const b = steadyInputs({ fromUs: T0, toUs: T0 + 1.5 * SECOND, channels: ['b'], source: 'two' })
  const out = runEvaluator(settings, mergedInputs(a, b))
  const newest = T0 + 1.5 * SECOND - 10_000
  const idle = 1_000_000
  // Newest T0 + 1.49 s, deadline T0 + 2.49 s: the slide end before it is 40 ms early, the one behind it 10 ms late.
  const last = Math.floor((newest + idle) / SLIDE_US) * SLIDE_US
  t.not(judgedAt(out, 'b', last)?.verdict, 'STALE')
  t.not(judgedAt(out, 'b', last)?.verdict, 'PASS', 'an emptying window is no PASS either')
  t.equal(judgedAt(out, 'b', last + SLIDE_US)?.verdict, 'STALE')
  t.equal(judgedAt(out, 'b', last + SLIDE_US)?.finding?.ground, 'silent')
  t.ok(
    verdictsOf(out, 'a')
      .slice(9)
      .every((v) => v === 'PASS'),
  )

  // Once idle, the other channel's slides close as soon as if it were alone.
  const lag = (run: Collected) => run.state.nowUs - rigOf(run).closedUs
  t.equal(lag(out), lag(runEvaluator(rigWith([metricSettings('a')]), a)))
  t.ok(lag(out) <= LATENESS_US + 2 * SLIDE_US)
})

t.test('slides close by the tick at lateness and one slide, whatever a channel owes', async (t) => {
  const a = steadyInputs({ fromUs: T0, toUs: T0 + 2 * SECOND, channels: ['a'], source: 'one' })
  const b = steadyInputs({ fromUs: T0, toUs: T0 + SECOND, channels: ['b'], source: 'two' })
  const out = runEvaluator(rigWith([metricSettings('a'), metricSettings('b')]), [])
  for (const input of mergedInputs(a, b)) {
    feed(out, input)
    if (rigOf(out).closedUs >= 0) t.ok(rigOf(out).closedUs + 2 * SLIDE_US + LATENESS_US > out.state.nowUs)
  }
})

/** A second of good samples, a second in which every tenth is as told, and a good second again. */
function spoiled(parts: { value?: number; quality?: number }): Collected {
  const bad = (at: number) => at >= T0 + SECOND && at < T0 + 2 * SECOND && Math.floor(at / 10_000) % 10 === 0
  return runEvaluator(
    rigWith([metricSettings('a')]),
    steadyInputs({
      fromUs: T0,
      toUs: T0 + 4 * SECOND,
      channels: ['a'],
      value: (_, at) => (parts.value !== undefined && bad(at) ? parts.value : 1),
      ...(parts.quality === undefined ? {} : { quality: (at) => (bad(at) ? parts.quality! : 0) }),
    }),
  )
}

t.test('a window with rubbish in it is INVALID and never PASS', async (t) => {
  const rubbish = [
    { value: Number.NaN },
    { value: Number.POSITIVE_INFINITY },
    { value: Number.NEGATIVE_INFINITY },
    { value: 1e300 },
    { value: -1.7e308 },
    { quality: 2 },
    { quality: 200 },
  ]
  for (const parts of rubbish) {
    const out = spoiled(parts)
    const name = JSON.stringify(parts)
    // The shortest window still holds rubbish of the last 250 ms; a tenth of it, so one in every 100 ms.
    for (let end = T0 + 1.1 * SECOND; end <= T0 + 2 * SECOND; end += SLIDE_US)
      t.equal(judgedAt(out, 'a', end)?.verdict, 'INVALID', name)
    t.equal(out.decisions.find((d) => d.timeUs === T0 + 1.5 * SECOND)?.verdict, 'NO_TEST')
    t.equal(judgedAt(out, 'a', T0 + 3 * SECOND)?.verdict, 'PASS', 'and it passes')
    t.equal(metricCounts(rigOf(out), 0).rejected, 10)
    t.equal(rigOf(out).ledger.refusals.get(parts.quality === undefined ? 'not_a_number' : 'quality_bad')?.count, 10)
  }
  t.ok(
    verdictsOf(spoiled({ quality: 1 }), 'a')
      .slice(9)
      .every((v) => v === 'PASS'),
    'a suspect sample is one that is used',
  )
})

t.test('samples that their source calls missing leave the window unfilled', async (t) => {
  const missing = (at: number) => (at >= T0 + SECOND && at < T0 + 2 * SECOND ? 3 : 0)
  const out = runEvaluator(
    rigWith([metricSettings('a', { idleAfterUs: 5 * SECOND })]),
    steadyInputs({ fromUs: T0, toUs: T0 + 4 * SECOND, quality: missing }),
  )
  for (let end = T0 + 1.1 * SECOND; end <= T0 + 2 * SECOND; end += SLIDE_US)
    t.equal(judgedAt(out, 'a', end)?.verdict, 'INSUFFICIENT')
  t.equal(judgedAt(out, 'a', T0 + 1.5 * SECOND)?.finding?.ground, 'window_not_filled')
  t.equal(rigOf(out).ledger.refusals.get('quality_missing')?.count, 100)
  t.equal(out.decisions.find((d) => d.timeUs === T0 + 1.5 * SECOND)?.verdict, 'NO_TEST')
})

t.test('without a baseline that can be used a metric that asks for one is NO_BASELINE and never PASS', async (t) => {
  const inputs = steadyInputs({ fromUs: T0, toUs: T0 + 3 * SECOND })
  const level = { mean: 1, spread: 0.1, limit: 5 }
  const useless = [
    [],
    [metricBaseline('b', level)],
    [metricBaseline('a', { ...level, unit: 'Pa' })],
    [metricBaseline('a', { ...level, widthsUs: [777_000] })],
  ]
  for (const baselines of useless) {
    const out = runEvaluator(rigWith([metricSettings('a', { baselineRequired: true })], baselines), inputs)
    t.notOk(verdictsOf(out, 'a').includes('PASS'))
    t.ok(
      verdictsOf(out, 'a')
        .slice(9)
        .every((v) => v === 'NO_BASELINE'),
    )
    t.equal(out.decisions[out.decisions.length - 1]?.verdict, 'NO_BASELINE')
    t.notOk(out.decisions.some((d) => d.verdict === 'PASS' || d.verdict === 'PASS_WITH_DRIFT' || d.limitsOnly))
  }
  const known = runEvaluator(
    rigWith([metricSettings('a', { baselineRequired: true })], [metricBaseline('a', level)]),
    inputs,
  )
  t.equal(known.decisions[known.decisions.length - 1]?.verdict, 'PASS')
})

t.test('limits fail on both sides, at the value and not before', async (t) => {
  const last = (limits: Partial<MetricSettings>, value: number) => {
    const out = runEvaluator(
      rigWith([metricSettings('a', limits)]),
      steadyInputs({ fromUs: T0, toUs: T0 + 2 * SECOND, value: () => value }),
    )
    const finding = findingOf(out, 'a')
    return finding === null ? 'PASS' : `${finding.verdict} ${finding.ground} ${finding.limit}`
  }
  const invariant = { invariantMin: -5, invariantMax: 5 }
  t.same(
    [-5.0001, -5, 0, 5, 5.0001].map((v) => last(invariant, v)),
    ['FAIL invariant_min -5', 'PASS', 'PASS', 'PASS', 'FAIL invariant_max 5'],
  )
  const fail = { failMin: -5, failMax: 5 }
  t.same(
    [-5.0001, -5, 0, 5, 5.0001].map((v) => last(fail, v)),
    ['FAIL fail_min -5', 'PASS', 'PASS', 'PASS', 'FAIL fail_max 5'],
  )
  t.same(
    [2.9999, 3].map((v) => last({ invariantEq: 3 }, v)),
    ['FAIL invariant_eq 3', 'PASS'],
  )
  t.same(
    [-1, 0].map((v) => last({ failMin: 0 }, v)),
    ['FAIL fail_min 0', 'PASS'],
  )
})

t.test('one sample past an invariant fails, however good the mean is, and whatever else is wrong', async (t) => {
  const out = runEvaluator(
    rigWith([metricSettings('a', { invariantMax: 5 })]),
    steadyInputs({
      fromUs: T0,
      toUs: T0 + 2 * SECOND,
      value: (_, at) => (at === T0 + SECOND ? 6 : at === T0 + SECOND + 10_000 ? Number.NaN : 1),
    }),
  )
  for (let end = T0 + SECOND + SLIDE_US; end <= T0 + SECOND + 250_000; end += SLIDE_US)
    t.equal(judgedAt(out, 'a', end)?.verdict, 'FAIL')
  t.equal(judgedAt(out, 'a', T0 + SECOND + 300_000)?.verdict, 'PASS')
  t.equal(out.actions.length, 1, 'an action is asked for once when a failure begins')
})

t.test('numbers near the ends of what a double holds neither stop the evaluator nor pass', async (t) => {
  const prng = createPrng(5)
  const tiny = 5e-324
  const settings = rigWith(
    [
      metricSettings('a', { failMin: -tiny, failMax: tiny }),
      metricSettings('b', { baselineRequired: true }),
      metricSettings('c', { invariantMin: 0, invariantMax: tiny }),
    ],
    [metricBaseline('b', { mean: 1e139, spread: tiny, limit: 5 })],
  )
  const out = runEvaluator(
    settings,
    steadyInputs({
      fromUs: T0,
      toUs: T0 + 2 * SECOND,
      channels: ['a', 'b', 'c'],
      value: () => (prng.next() < 0.5 ? -1e140 : 1e140 * prng.next()),
    }),
  )
  t.same(
    ['a', 'b', 'c'].map((m) => findingOf(out, m)?.verdict),
    ['FAIL', 'DRIFT', 'FAIL'],
  )
})

/** Channels a, b, c at the level of their baseline; b leaves it by 4.9 spreads and c by eight, both at T0 + 2 s. */
function drifting(silent: (at: number) => boolean = () => false): {
  settings: ReturnType<typeof rigWith>
  inputs: EvaluatorInput[]
} {
  const level = { mean: 10, spread: 0.1, limit: 4, widthsUs: [250_000] }
  const names = ['a', 'b', 'c']
  const settings = rigWith(
    names.map((m) => metricSettings(m, { baselineRequired: true, persistenceSlides: 7, windows: [0] })),
    names.map((m) => metricBaseline(m, level)),
  )
  const all = steadyInputs({
    fromUs: T0,
    toUs: T0 + 6 * SECOND,
    channels: names,
    value: (c, at) => 10 + (at < T0 + 2 * SECOND ? 0 : [0, 0.49, 0.8][c]!),
  })
  return {
    settings,
    inputs: all.map((input) => (input.kind === 'frame' && silent(input.nowUs) ? tickInput(input.nowUs) : input)),
  }
}

t.test('drift is said after as many slides as it must last, and the channel furthest off comes first', async (t) => {
  const { settings, inputs } = drifting()
  const out = runEvaluator(settings, inputs)
  // Means of five panes: c is past 4 spreads (0.4) with three new panes of five (0.48), b with all five (0.49).
  const first = (metric: string) => out.decisions[verdictsOf(out, metric).indexOf('DRIFT')]?.timeUs
  t.equal(first('c'), T0 + 2 * SECOND + 3 * SLIDE_US + 6 * SLIDE_US)
  t.equal(first('b'), T0 + 2 * SECOND + 5 * SLIDE_US + 6 * SLIDE_US)
  t.notOk(verdictsOf(out, 'a').includes('DRIFT'))
  const end = out.decisions[out.decisions.length - 1]!
  t.equal(end.verdict, 'PASS_WITH_DRIFT')
  t.same(
    end.findings.map((f) => f.metric),
    ['c', 'b'],
  )
  t.ok(Math.abs(end.findings[0]!.deviation! - 8) < 1e-9)
  t.ok(Math.abs(end.findings[0]!.ratio! - 2) < 1e-9)
})

t.test('slides of a departure that silence interrupts do not add up', async (t) => {
  // Frames of 150 ms, then 300 ms of nothing: the window departs, empties, and departs again.
  const { settings, inputs } = drifting((at) => at > T0 + 2 * SECOND && (at - T0) % 600_000 >= 300_000)
  const out = runEvaluator(settings, inputs)
  const slides = verdictsOf(out, 'c')
  let departed = 0
  for (let k = 0; k < slides.length; k += 1) {
    departed = slides[k] === 'PASS' || slides[k] === 'DRIFT' ? departed + 1 : 0
    if (slides[k] === 'DRIFT') t.ok(departed >= 7, `slide ${k}`)
  }
  t.ok(slides.includes('INSUFFICIENT'))
})

t.test('a jump of time is a gap, what was open is shed, and windows fill anew', async (t) => {
  const settings = rigWith([metricSettings('a')])
  const out = runEvaluator(settings, steadyInputs({ fromUs: T0, toUs: T0 + 2 * SECOND }))
  const before = rigOf(out).closedUs
  const pending = metricCounts(rigOf(out), 0).pending
  const later = T0 + 100 * SECOND
  for (const input of steadyInputs({ fromUs: later, toUs: later + 3 * SECOND, seqFrom: 1000 })) feed(out, input)
  t.equal(out.gaps.length, 1)
  t.match(out.gaps[0], { kind: 'gap', rig: 'rig-a', fromUs: before, reason: 'time_jump', dropped: pending })
  t.equal(out.gaps[0]!.toUs % SLIDE_US, 0)
  const after = out.decisions.filter((d) => d.timeUs > before)
  t.equal(after[0]!.timeUs, out.gaps[0]!.toUs + SLIDE_US, 'evaluation goes on where the gap ends')
  t.equal(after[0]!.verdict, 'NO_TEST')
  t.equal(judgedAt(out, 'a', later + 150_000)?.verdict, 'INSUFFICIENT', 'nothing from before the gap fills the window')
  t.equal(judgedAt(out, 'a', later + 200_000)?.verdict, 'PASS')
  t.equal(rigOf(out).windowRows[1]![0], 100)
  t.equal(metricCounts(rigOf(out), 0).shed, pending)
})

t.test('a clock that goes back is counted and time stands still until it has caught up', async (t) => {
  const settings = rigWith([metricSettings('a')])
  const out = runEvaluator(settings, steadyInputs({ fromUs: T0, toUs: T0 + 2 * SECOND }))
  const { nowUs } = out.state
  const seq = out.state.decisionSeq
  feed(out, tickInput(nowUs - 700_000))
  feed(out, tickInput(nowUs - 900_000))
  t.same(out.state.clockBack, { count: 2, worstUs: 900_000 })
  t.equal(out.state.nowUs, nowUs)
  t.equal(out.state.decisionSeq, seq)
  feed(out, tickInput(nowUs + SLIDE_US))
  t.ok(out.state.decisionSeq > seq)
})

t.test('another configuration goes on after the slides that were closed, on its own grid', async (t) => {
  const out = runEvaluator(rigWith([metricSettings('a')]), steadyInputs({ fromUs: T0, toUs: T0 + 1.1 * SECOND }))
  const before = rigOf(out).closedUs
  t.equal(before % 100_000, 50_000, 'between slides of the next configuration')
  const other = evaluatorSettings(
    [
      rigSettings([metricSettings('a')], {
        slideUs: 100_000,
        windowsUs: [300_000, 1_000_000],
        maxFutureUs: 60 * SECOND,
      }),
    ],
    2,
  )
  feed(out, configInput(out.state.nowUs, other))
  for (const input of steadyInputs({ fromUs: T0 + 1.1 * SECOND, toUs: T0 + 4 * SECOND, seqFrom: 500 })) feed(out, input)
  const after = out.decisions.filter((d) => d.timeUs > before)
  t.ok(after.length > 20)
  t.ok(after.every((d) => d.timeUs % 100_000 === 0))
  t.equal(after[after.length - 1]?.verdict, 'PASS')
  const times = out.decisions.map((d) => d.timeUs)
  t.same(
    times,
    [...new Set(times)].sort((a, b) => a - b),
    'no slide is decided twice',
  )
  feed(out, frameInput(out.state.nowUs, frameOf({ seq: 5000, times: [out.state.nowUs + 59 * SECOND], values: [[1]] })))
  const ahead = rigOf(out).closedUs
  t.ok(ahead > out.state.nowUs, 'the only channel is far ahead of the clock')
  feed(out, configInput(out.state.nowUs + 20 * SECOND, rigWith([metricSettings('a')])))
  t.ok(rigOf(out).closedUs >= ahead, 'a gap never goes back')
})

t.test('names are the same whichever Unicode form they come in', async (t) => {
  const composed = 'K\u00f6rper'
  const decomposed = 'Ko\u0308rper'
  const run = (name: string, channel: string) =>
    digestOfRun(
      runEvaluator(rigWith([metricSettings(name)]), [
        ...steadyInputs({ fromUs: T0, toUs: T0 + SECOND, channels: [channel] }),
        ...ticks(T0 + SECOND, T0 + 3 * SECOND),
      ]),
    )
  const expected = run(composed, composed)
  t.equal(run(composed, decomposed), expected)
  t.equal(run(decomposed, composed), expected)
})
