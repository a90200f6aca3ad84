import t from 'tap'
import type { MetricSettings } from '../../../agent/core/settings.ts'
import {
  evaluatorSettings,
  metricSettings,
  rigSettings,
  runEvaluator,
  steadyInputs,
  T0,
  ticks,
  verdictsOf,
} from '../../support/evaluator-rig.ts'

const SECOND = 1_000_000

const settingsOf = (more: Partial<MetricSettings>) => evaluatorSettings([rigSettings([metricSettings('a', more)])])

t.test(
  'a channel is STALE at the slide end nearest to its deadline: half a slide early or late, never more',
  async (t) => {
    // Samples on a grid of 5 ms, so that the last one lies 5, 10 … 50 ms before the end of a slide.
    for (let lastMs = 0; lastMs < 50; lastMs += 5) {
      const newest = T0 + SECOND + lastMs * 1000
      const deadline = newest + 800_000
      const out = runEvaluator(settingsOf({ idleAfterUs: 800_000, nominalRateHz: 20 }), [
        ...steadyInputs({ fromUs: T0, toUs: newest + 5_000, rateHz: 200 }),
        ...ticks(newest + 5_000, T0 + 3 * SECOND),
      ])
      const told = out.decisions.find((_, k) => out.judgements[k]![0]?.finding?.ground === 'silent')!.timeUs
      t.ok(told - deadline > -25_000 && told - deadline <= 25_000, `${(told - deadline) / 1000} ms`)
    }
  },
)

t.test('a channel at its nominal rate is never STALE, however narrow its idle_after; NaN is silent', async (t) => {
  for (const idleAfterUs of [10_000, 20_000, 49_000, 51_000]) {
    const out = runEvaluator(settingsOf({ idleAfterUs }), steadyInputs({ fromUs: T0, toUs: T0 + 2 * SECOND }))
    t.notOk(verdictsOf(out, 'a').slice(9).includes('STALE'), `${idleAfterUs} µs`)
  }
  const out = runEvaluator(
    settingsOf({ nominalRateHz: Number.NaN }),
    steadyInputs({ fromUs: T0, toUs: T0 + 2 * SECOND }),
  )
  t.ok(
    verdictsOf(out, 'a')
      .slice(9)
      .every((v) => v === 'STALE'),
    'what is no number does not hold',
  )
})
