import t from 'tap'
import { matchScore } from '../../../agent/baseline-metrics.ts'
import type { Baseline, MetricSettings } from '../../../agent/core/settings.ts'
import { DecayGauge, type DecayTold } from '../../../agent/pipeline/decay-gauge.ts'
import { defaultQualityPolicy } from '../../../shared/config/quality-policy.ts'
import { DECAY_EVERY_US } from '../../../shared/model/baseline-decay.ts'
import { baselineMetric } from '../../support/certified-baselines.ts'
import {
  evaluatorSettings,
  metricBaseline,
  metricSettings,
  rigOf,
  rigSettings,
  runEvaluator,
  steadyInputs,
  T0,
  windowBaseline,
} from '../../support/evaluator-rig.ts'

const DAY_US = 86_400_000_000
const { decay: policy } = defaultQualityPolicy().policy

function baselineOf(change: Partial<Baseline> = {}): Baseline {
  return {
    ...windowBaseline(new Uint8Array(32).fill(1), [metricBaseline('a', { mean: 5, spread: 1, limit: 4 })]),
    toUs: T0,
    about: {
      inputs: [],
      metrics: [baselineMetric({ metric: 'a', unit: 'bar', mean: 5, wander: 0, tolerance: null })],
      stepUs: 1_000_000,
      policy,
    },
    ...change,
  }
}

/** A rig whose windows are full at a level. */
function rigAt(value: number, baseline: Baseline) {
  const settings = rigSettings([metricSettings('a')], { baseline })
  const inputs = steadyInputs({ fromUs: T0, toUs: T0 + 2_000_000, value: () => value })
  return rigOf(runEvaluator(evaluatorSettings([settings]), inputs))
}

t.test(
  'what is left is computed at the start and every hour of event time, and told when it has changed',
  async (t) => {
    const told: DecayTold[] = []
    const gauge = new DecayGauge((what) => told.push(what))
    const rig = rigAt(5, baselineOf())
    t.equal(gauge.of(rig, 'golden').factor, 1, 'before the first look nothing has decayed')
    gauge.look(rig, T0, 'PASS')
    t.same([gauge.of(rigAt(5, baselineOf()), 'golden').factor, told.length], [1, 0], 'what is whole is not told')
    const lateUs = T0 + DECAY_EVERY_US - 1
    gauge.look(rigAt(500, baselineOf()), lateUs, 'PASS')
    t.equal(gauge.of(rigAt(5, baselineOf()), 'golden').factor, 1, 'within the hour it is not looked at again')
    gauge.look(rigAt(500, baselineOf()), T0 + DECAY_EVERY_US, 'PASS')
    t.equal(gauge.of(rigAt(5, baselineOf()), 'golden').factor, 0, 'every metric has moved')
    t.match(told, [{ rig: 'rig-a', role: 'golden', decay: { factor: 0, reasons: [/drifted_metrics 1 of 1: a/] } }])
    gauge.look(rigAt(500, baselineOf()), T0 + 2 * DECAY_EVERY_US, 'PASS')
    t.equal(told.length, 1, 'and is told once')
  },
)

t.test('a rig that is not well says nothing of its levels, and age counts all the same', async (t) => {
  const gauge = new DecayGauge(() => undefined)
  gauge.look(rigAt(500, baselineOf()), T0, 'FAIL')
  t.equal(gauge.of(rigAt(5, baselineOf()), 'golden').factor, 1)
  gauge.look(rigAt(500, baselineOf()), T0 + 1, 'PASS')
  t.equal(gauge.of(rigAt(5, baselineOf()), 'golden').factor, 0, 'the first look that knows levels is made up for')
  const old = new DecayGauge(() => undefined)
  old.look(rigAt(5, baselineOf()), T0 + policy.maxAgeS * 1_000_000 + DAY_US, 'FAIL')
  t.match(old.of(rigAt(5, baselineOf()), 'golden'), { factor: 0, reasons: [/^age_sec/] })
})

t.test('each mode has what is left of its own baseline, and levels of another mode count for nothing', async (t) => {
  const told: DecayTold[] = []
  const gauge = new DecayGauge((what) => told.push(what))
  const moved = rigAt(500, baselineOf())
  gauge.look(moved, T0, 'PASS')
  const inTest = { ...baselineOf({ mode: 'test' }), digest: new Uint8Array(32).fill(2) }
  const settings = {
    ...moved.settings,
    modeBaselines: new Map([['test', { baseline: inTest, rolling: null }] as const]),
  }
  const widestUs = settings.windowsUs.at(-1)!
  const other = { ...moved, settings, mode: 'test' as const, settles: Float64Array.of(T0 + 1, 0) }
  gauge.look(other, T0 + widestUs, 'PASS')
  t.equal(gauge.of(other, 'golden').factor, 1, 'windows hold what was before the rig had settled')
  gauge.look(moved, T0 + widestUs, 'PASS')
  t.same([gauge.of(moved, 'golden').factor, told.length], [0, 1], 'back in the mode nothing is told again')
  gauge.look(other, T0 + widestUs + 1, 'PASS')
  t.same([gauge.of(other, 'golden').factor, told.length], [0, 2])
  t.equal(told[1]!.baseline, inTest)
})

t.test('the match of a baseline is the share of metrics that ask for one, by its environment', async (t) => {
  const asking = (metric: string, more: Partial<MetricSettings> = {}) =>
    metricSettings(metric, { baselineRequired: true, ...more })
  const score = (metrics: readonly MetricSettings[], baseline: Baseline | null) =>
    matchScore(rigSettings(metrics, { baseline }), 'nominal')
  t.equal(score([metricSettings('a')], baselineOf()), null, 'a rig that asks for none is none of it')
  t.equal(score([asking('a')], baselineOf()), 1)
  t.equal(score([asking('a'), asking('b')], baselineOf()), 0.5)
  t.equal(score([asking('a', { unit: 'Pa' })], baselineOf()), 0, 'in another unit it knows nothing')
  t.equal(score([asking('a')], null), 0)
  t.equal(score([asking('a')], baselineOf({ mode: 'test' })), 0, 'of another mode it says nothing')
  const inTest = { baseline: baselineOf({ mode: 'test' }), rolling: null }
  const both = rigSettings([asking('a')], { modeBaselines: new Map([['test', inTest]]) })
  t.same([matchScore(both, 'nominal'), matchScore(both, 'test')], [0, 1], 'the one of the mode counts')
  const environment = { name: 'environment_match', value: 0.8, bound: 0.7, score: 0.8 }
  t.equal(score([asking('a')], baselineOf({ about: { ...baselineOf().about, inputs: [environment] } })), 0.8)
})
