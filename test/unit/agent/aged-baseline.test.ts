import t from 'tap'
import { baselineSeen } from '../../../agent/core/rig-safety.ts'
import type { ActionChange } from '../../../agent/core/safety/changes.ts'
import { baselineReasons } from '../../../agent/core/safety/gate.ts'
import type { Baseline, RigSettings } from '../../../agent/core/settings.ts'
import type { CertificateBasis } from '../../../shared/model/baseline-arming.ts'
import { actingInputs, actingRig } from '../../support/acting-inputs.ts'
import { baselineMetric } from '../../support/certified-baselines.ts'
import { collected, configInput, evaluatorSettings, feed, T0 } from '../../support/evaluator-rig.ts'
import { seenAt } from '../../support/safety-rig.ts'

const DAY_US = 86_400_000_000
const golden = actingRig().baseline!
const { maxAgeS } = golden.about.policy
const MAX_AGE_US = maxAgeS * 1_000_000

/** What hard gates say of a baseline so long after its data ended. */
function reasonsAt(baseline: Baseline, ageUs: number): string[] {
  const seen = seenAt(T0, {}, { baseline: baselineSeen(baseline, baseline.toUs + ageUs) })
  return baselineReasons({ action: 'shutdown', minConfidence: 0.5 }, seen, 2)
}

const basisWith = (change: Partial<CertificateBasis>): Partial<Baseline> => {
  const basis = { ...golden.basis!, ...change }
  return { basis, confidence: basis.confidence * basis.decay }
}

const wandering = {
  ...golden.about,
  metrics: [baselineMetric({ sd: 1, effectiveCount: 100, wander: 1e-6, tolerance: 1 })],
}

// verifies SE-11
t.test(
  'age and wander lower what a baseline is worth to the gates, beside what was stated, until nothing is left',
  (t) => {
    const rows: readonly [string, Partial<Baseline>, number, number, string[]][] = [
      ['fresh', {}, 0, 0.95, []],
      ['made of data of a time to come', {}, -DAY_US, 0.95, []],
      ['half of its age', {}, MAX_AGE_US / 2, 0.95, []],
      ['three quarters of it', {}, (MAX_AGE_US * 3) / 4, 0.475, ['CONF 0.475<0.5']],
      ['all of it', {}, MAX_AGE_US, 0, ['CONF 0<0.5', 'BASELINE:no_confidence', 'BASELINE:stale']],
      ['more than a year', {}, 800 * DAY_US, 0, ['CONF 0<0.5', 'BASELINE:no_confidence', 'BASELINE:stale']],
      ['stated half', basisWith({ decay: 0.6 }), 0, 0.57, []],
      ['stated half, and aged', basisWith({ decay: 0.6 }), (MAX_AGE_US * 5) / 8, 0.4275, ['CONF 0.4275<0.5']],
      ['stated to be stale', basisWith({ decay: 0 }), 0, 0, ['CONF 0<0.5', 'BASELINE:no_confidence', 'BASELINE:stale']],
      // A hundredth of the tolerance's square is unknown from the start, and a millionth more with every second.
      ['wandered a little', { about: wandering }, 190_000_000_000, 0.76, []],
      ['wandered past its tolerance', { about: wandering }, 990_000_000_000, 0, []],
    ]
    for (const [name, change, ageUs, confidence, reasons] of rows) {
      const baseline = { ...golden, ...change }
      const about =
        change.about === undefined
          ? baseline.about
          : { ...change.about, policy: { ...golden.about.policy, maxAgeS: 1e9 } }
      const seen = baselineSeen({ ...baseline, about }, baseline.toUs + ageUs)
      t.ok(Math.abs(seen.confidence - confidence) < 1e-12, `${name}: ${seen.confidence}`)
      t.ok(Math.abs(seen.basis!.decay - confidence / golden.basis!.confidence) < 1e-12, `${name}: ${seen.basis!.decay}`)
      t.equal(seen.basis!.confidence, golden.basis!.confidence, `${name}: the gate gave what it gave`)
      if (change.about === undefined) t.same(reasonsAt(baseline, ageUs), reasons, name)
    }
    t.same(baselineSeen({ ...golden, basis: undefined } as never, T0).basis, null)
    const glass = { ...golden, validUntilUs: T0 + 1 }
    t.same([baselineSeen(glass, T0).kind, baselineSeen(glass, T0 + 1).kind], ['golden', 'draft'])
    t.end()
  },
)

/** Steps of the shutdown, with what they say, when the inputs of fixed numbers come to a rig with this baseline. */
function stepsOf(change: Partial<Baseline>): ActionChange[] {
  const out = collected()
  const settings = actingRig()
  const rig: RigSettings = { ...settings, baseline: { ...settings.baseline!, ...change } }
  const [, ...inputs] = actingInputs()
  feed(out, configInput(T0, evaluatorSettings([rig])))
  for (const input of inputs) feed(out, input)
  return out.safety.filter((one): one is ActionChange => one.kind === 'action')
}

// verifies SE-11
t.test('a rig that two people armed is not shut down on a baseline that has grown too old, and says why', (t) => {
  const states = (change: Partial<Baseline>) => stepsOf(change).map(({ state }) => state)
  t.ok(states({}).includes('RELEASED'))
  t.ok(states({ toUs: T0 - MAX_AGE_US / 2 }).includes('RELEASED'))
  for (const [ageUs, reasons] of [
    [MAX_AGE_US * 0.6, [/^CONF 0\.7\d*<0\.9$/]],
    [MAX_AGE_US - 3_000_000, [/^CONF/, 'BASELINE:no_confidence', 'BASELINE:stale']],
    [800 * DAY_US, [/^CONF 0<0\.9$/, 'BASELINE:no_confidence', 'BASELINE:stale']],
  ] as const) {
    const steps = stepsOf({ toUs: T0 - ageUs })
    t.notOk(
      steps.some(({ state }) => state === 'RELEASED'),
      `${ageUs}`,
    )
    t.match(steps.find(({ state }) => state === 'GATE_DENIED')?.reasons, reasons)
  }
  t.end()
})
