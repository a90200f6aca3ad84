import t from 'tap'
import { defaultQualityPolicy, parseQualityPolicy } from '../../../shared/config/quality-policy.ts'
import { createPrng } from '../../../shared/lib/prng.ts'
import type { BaselineRecord } from '../../../shared/model/baseline.ts'
import { CREEP_DISTANCE_MAX, CREEP_SUM_MAX, creepOf } from '../../../shared/model/baseline-creep.ts'
import { DECAY_EVERY_US, decayOf, isDecayDue } from '../../../shared/model/baseline-decay.ts'
import { laxerThan } from '../../../shared/model/policy-strictness.ts'
import { baselineMetric, baselineRecord } from '../../support/certified-baselines.ts'

const { decay: policy } = defaultQualityPolicy().policy
const DAY_US = 86_400_000_000
const RECORD = baselineRecord({
  metrics: ['flow', 'pressure', 'speed', 'torque'].map((metric) => baselineMetric({ metric, wander: 0 })),
})
const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9
const levels = (...means: readonly number[]) => means.map((mean, k) => ({ metric: RECORD.metrics[k]!.metric, mean }))
const at = (days: number, current: Parameters<typeof decayOf>[1]['current'] = null, record = RECORD) =>
  decayOf(record, { nowUs: record.toUs + days * DAY_US, current }, policy)
/** What a level of which nothing is known but its error leaves. */
const fresh = at(0).factor

t.test('age takes nothing in the first half of what is permitted, and everything at its end', async (t) => {
  t.ok(near(fresh, 1 - 0.0625 / 4000), 'nothing but the error of the level')
  t.same(at(3.5).factor, fresh)
  t.ok(near(at(5.25).factor, fresh / 2))
  t.equal(at(7).factor, 0)
  t.equal(at(700).factor, 0)
  t.match(at(5.25).reasons, ['age_sec 454000 of 605000', 'wander 0.00395 of the tolerance of flow'])
  t.equal(at(-1).factor, fresh, 'data of the future is not old')
})

t.test('a level that wandered past what can be borne is known no better than not at all', async (t) => {
  // 1 l/min is borne; 1e-5 a step of a second comes to that after about 28 hours.
  const wandering = { ...RECORD, metrics: RECORD.metrics.map((m) => ({ ...m, wander: 1e-5 })) }
  const [early, late] = [at(0.5, null, wandering), at(1.5, null, wandering)]
  t.ok(early.factor > 0.5 && early.factor < 0.6, `${early.factor}`)
  t.match(early.reasons, [/^wander 0\.657 of the tolerance of flow$/])
  t.equal(late.factor, 0)
  const open = { ...wandering, metrics: wandering.metrics.map((m) => ({ ...m, tolerance: null })) }
  t.equal(at(1.5, null, open).factor, 1, 'where nothing is stated nothing can be spent')
})

t.test('metrics that moved count evenly until half of them did', async (t) => {
  t.equal(at(0, levels(32, 32, 32, 32)).factor, fresh)
  const one = at(0, levels(32, 34, 32, 32))
  t.ok(near(one.factor, fresh / 2))
  t.ok(one.reasons.includes('drifted_metrics 1 of 4: pressure'))
  t.equal(at(0, levels(32, 34, 32, 30)).factor, 0)
  t.equal(at(0, levels(32, Number.NaN, 32, 30)).factor, 0, 'a level that is no number has moved')
  const spreads = { ...RECORD, metrics: RECORD.metrics.map((m) => ({ ...m, tolerance: null })) }
  t.equal(at(0, levels(32.7, 32, 32, 32), spreads).factor, 1, 'three spreads where no tolerance is stated')
  t.equal(at(0, levels(32.8, 32, 32, 32), spreads).factor, 0.5)
})

t.test('metrics that are gone lower it, and too few in common leave nothing', async (t) => {
  t.ok(near(at(0, levels(32, 32, 32)).factor, fresh * 0.75))
  t.ok(near(at(0, levels(32, 32)).factor, fresh * 0.5))
  t.equal(at(0, levels(32)).factor, 0)
  t.equal(at(0, []).factor, 0)
  t.same(at(0, null, { ...RECORD, metrics: [] }), { factor: 0, reasons: ['the baseline knows no metric'], terms: [] })
})

t.test('the product of what is shown is the factor, and the policy says when', async (t) => {
  const all = at(5.25, levels(32, 34, 32))
  t.equal(
    all.factor,
    all.terms.reduce((product, { score }) => product * score, 1),
  )
  t.same(
    all.terms.map(({ name }) => name),
    ['age_sec', 'wander', 'common_metrics', 'drifted_metrics'],
  )
  const short = parseQualityPolicy('p', new TextEncoder().encode('decay: {max_age_s: 3600}\n')).policy.decay
  t.equal(decayOf(RECORD, { nowUs: RECORD.toUs + 3_600_000_000, current: null }, short).factor, 0)
})

t.test('a look is due every hour of event time, and when time went back', async (t) => {
  t.same(
    [0, DECAY_EVERY_US - 1, DECAY_EVERY_US, -1].map((us) => isDecayDue(1000, 1000 + us)),
    [false, false, true, true],
  )
})

/** A golden record and rolling ones with these levels, each known to `error` spreads. */
function rig(levels: readonly number[], { error, golden = 0 }: { error: number; golden?: number }) {
  const record = (level: number): BaselineRecord => ({
    ...RECORD,
    metrics: [baselineMetric({ mean: 32 + 0.25 * level, effectiveCount: 1 / (error * error) })],
  })
  return { golden: record(golden), rolling: levels.map(record) }
}

function caughtAt(levels: readonly number[], known: { error: number; golden?: number }): number {
  const { golden, rolling } = rig(levels, known)
  return levels.findIndex((_, k) => creepOf(golden, rolling.slice(0, k + 1))[0]!.ground !== null)
}

t.test('a creep of 0.2 spreads a run is caught before 1.5 in total, up and down', async (t) => {
  for (const sign of [1, -1]) {
    const creep = Array.from({ length: 8 }, (_, k) => sign * 0.2 * (k + 1))
    const run = caughtAt(creep, { error: 0.05 })
    t.ok(run >= 0 && Math.abs(creep[run]!) < 1.5, `caught at ${creep[run]} spreads`)
  }
  const { golden, rolling } = rig([0.2, 0.4, 0.6, 0.8, 1, 1.2], { error: 0.05 })
  const found = creepOf(golden, rolling)[0]!
  t.equal(found.ground, 'golden_cusum')
  t.ok(found.sumUp > CREEP_SUM_MAX && found.distance < CREEP_DISTANCE_MAX && found.sumDown === 0 && found.isSure)
  t.match(creepOf(golden, rig([1.3], { error: 0.05 }).rolling), [{ ground: 'golden_distance' }])
  t.match(creepOf(golden, rig([0.5], { error: 0.3 }).rolling), [{ ground: null, isSure: false }])
})

t.test('honest noise is no creep: measured rates', async (t) => {
  const prng = createPrng(31)
  const normal = (): number => Array.from({ length: 12 }, () => prng.int(1_000_000) / 1e6).reduce((a, b) => a + b, -6)
  const RIGS = 1000
  for (const { error, falseMax, lateMax } of [
    { error: 0.07, falseMax: 0.002, lateMax: 0.002 },
    { error: 0.14, falseMax: 0.015, lateMax: 0.05 },
  ]) {
    let alarms = 0
    let late = 0
    for (let k = 0; k < RIGS; k += 1) {
      const known = { error, golden: error * normal() }
      const noise = Array.from({ length: 20 }, () => error * normal())
      if (caughtAt(noise, known) >= 0) alarms += 1
      const run = caughtAt(
        noise.slice(0, 8).map((e, j) => 0.2 * (j + 1) + e),
        known,
      )
      if (run < 0 || 0.2 * (run + 1) >= 1.5) late += 1
    }
    t.ok(alarms / RIGS <= falseMax, 'false')
    t.ok(late / RIGS <= lateMax, 'late')
    t.comment(
      `counted: creep, levels known to ${error} spreads | ${alarms} of ${RIGS} rigs falsely in 20 runs | ${late} of ${RIGS} creeps of 0.2 a run not before 1.5`,
    )
  }
})

t.test(
  'a policy by which a baseline would hold longer than is wanted is laxer, one by which it is over sooner is not',
  (t) => {
    const wanted = 'decay: { max_age_s: 3600, max_drift_spreads: 2, min_common_ratio: 0.8 }'
    const laxer = (own: string, asked = wanted): string[] => {
      const [policy, than] = [own, asked].map(
        (text) => parseQualityPolicy('p', new TextEncoder().encode(`version: 1\n${text}\n`)).policy,
      )
      return laxerThan(policy!, than!)
    }
    t.same(laxer(wanted), [])
    t.same(laxer('decay: { max_age_s: 60, max_drift_spreads: 1, min_common_ratio: 1 }'), [])
    t.same(laxer(wanted.replace('3600', '3601')), ['decay.max_age_s 3601 > 3600'])
    t.same(laxer(wanted.replace('2', '2.5')), ['decay.max_drift_spreads 2.5 > 2'])
    t.same(laxer(wanted.replace('0.8', '0.7')), ['decay.min_common_ratio 0.7 < 0.8'])
    t.same(
      laxer(''),
      ['decay.max_age_s 604800 > 3600', 'decay.max_drift_spreads 3 > 2', 'decay.min_common_ratio 0.5 < 0.8'],
      'one that says nothing of it has the defaults',
    )
    t.same(
      laxer('decay: { max_age_s: 691200 }', ''),
      ['decay.max_age_s 691200 > 604800'],
      'which also are what is wanted',
    )
    t.same(laxer(wanted, ''), [])
    t.end()
  },
)
