import t from 'tap'
import { bandOf } from '../../../agent/core/detectors/bands.ts'
import { LEVEL } from '../../../agent/core/detectors/level.ts'
import type { Baseline, RigSettings } from '../../../agent/core/settings.ts'
import { monitorOf } from '../../../agent/core/state.ts'
import type { EvaluatorInput } from '../../../agent/core/step.ts'
import { totalCounts } from '../../../agent/core/totals.ts'
import { cutEverywhere } from '../../support/cuts.ts'
import {
  configInput,
  evaluatorSettings,
  feedAll,
  metricBaseline,
  metricSettings,
  rigOf,
  rigSettings,
  SLIDE_US,
  steadyInputs,
  T0,
  windowBaseline,
} from '../../support/evaluator-rig.ts'

const SWITCH_US = T0 + 3_000_000
const END_US = T0 + 6_000_000

/** A golden baseline around a level, with what the level detector knows. */
function baselineAt(mean: number, tag: number): Baseline {
  const metric = metricBaseline('a', { mean, spread: 1, limit: 4 })
  const fit = { detector: LEVEL.name, version: LEVEL.version, numbers: [mean, 0.01, 1e-6, 0.01], maxima: [], limit: 6 }
  const baseline = windowBaseline(new Uint8Array(32).fill(tag), [{ ...metric, detectors: [fit] }])
  return { ...baseline, kind: 'golden' }
}

/** The same, that no detector knows. */
const windowsAt = (mean: number, tag: number): Baseline => ({
  ...windowBaseline(new Uint8Array(32).fill(tag), [metricBaseline('a', { mean, spread: 1, limit: 4 })]),
  kind: 'golden',
})

const rig = (baseline: Baseline, more: Partial<RigSettings> = {}): RigSettings =>
  rigSettings([metricSettings('a', { baselineRequired: true, deviationLimit: 4 })], {
    baseline,
    stepUs: 200_000,
    ...more,
  })

/** Six seconds at 5 bar; half way another configuration comes. */
function switched(from: RigSettings, to: RigSettings): EvaluatorInput[] {
  const steady = [...steadyInputs({ fromUs: T0, toUs: END_US, value: () => 5 })]
  const at = steady.findIndex(({ nowUs }) => nowUs >= SWITCH_US)
  return [
    configInput(T0, evaluatorSettings([from])),
    ...steady.slice(0, at),
    configInput(SWITCH_US, evaluatorSettings([to], 2)),
    ...steady.slice(at),
  ]
}

t.test('another baseline is compared with from the next slide on, and nobody waits for a window to fill', async (t) => {
  const out = feedAll(switched(rig(windowsAt(5, 1)), rig(windowsAt(50, 2))))
  const times = out.decisions.map(({ timeUs }) => timeUs)
  t.ok(
    times.every((timeUs, k) => k === 0 || timeUs - times[k - 1]! === SLIDE_US),
    'no slide is missing or decided twice',
  )
  const named = out.decisions.map(({ values }) => (values[0] as { baseline: Uint8Array }).baseline[0])
  const first = named.indexOf(2)
  t.ok(first > 0 && named.slice(first).every((tag) => tag === 2), 'one slide names the old one, the next the new one')
  const after = out.decisions.slice(first)
  t.notOk(after.some(({ verdict }) => verdict === 'NO_TEST'))
  t.equal(out.decisions[first - 1]!.verdict, 'PASS')
  t.equal(after.at(-1)!.verdict, 'PASS_WITH_DRIFT', 'and the new one is what it is held against')
  t.equal(totalCounts(rigOf(out)).shed, 0, 'no sample is lost over it')
  t.ok(
    out.items.some((item) => item.kind === 'record' && item.seq === out.decisions[first]!.seq),
    'it says so in full',
  )
})

t.test('what is decided around it does not depend on where evaluation is cut', async (t) => {
  for (const latePolicy of ['drop', 'revise'] as const) {
    const more: Partial<RigSettings> =
      latePolicy === 'revise' ? { latePolicy, reviseWithinUs: 4 * SLIDE_US } : { latePolicy }
    const { cuts, differs } = cutEverywhere(switched(rig(baselineAt(5, 1), more), rig(baselineAt(5.5, 2), more)), 12)
    t.equal(differs, null, latePolicy)
    t.ok(cuts > 50)
    t.comment(`counted: cuts around a change of baselines (${latePolicy}) | ${cuts} | the same bytes`)
  }
})

t.test('detectors begin anew with what they are told by, and only then', async (t) => {
  const bandAt = (to: RigSettings) => bandOf(monitorOf(rigOf(feedAll(switched(rig(baselineAt(5, 1)), to))))!, 0)!
  t.ok(Math.abs(bandAt(rig(baselineAt(50, 2))).level - 5) > 1, 'the level comes from the new one')
  const rolling: Baseline = { ...baselineAt(5, 3), kind: 'rolling' }
  const from = rig(baselineAt(5, 1), { rolling })
  const kept = feedAll(switched(from, rig(baselineAt(5, 1), { rolling })))
  const whole = feedAll([
    configInput(T0, evaluatorSettings([from])),
    ...steadyInputs({ fromUs: T0, toUs: END_US, value: () => 5 }),
  ])
  t.same(
    bandOf(monitorOf(rigOf(kept))!, 0),
    bandOf(monitorOf(rigOf(whole))!, 0),
    'the same baselines again change nothing of what they remember',
  )
  t.match(bandOf(monitorOf(rigOf(kept))!, 0), { stream: 'level', level: Number, reach: Number })
})

t.test(
  'until detectors of the new one have seen enough nobody knows, and that is all that is waited for',
  async (t) => {
    const out = feedAll(switched(rig(baselineAt(5, 1)), rig(baselineAt(5.1, 2))))
    const after = out.decisions.filter(({ timeUs }) => timeUs > SWITCH_US)
    const unknown = after.filter(({ verdict }) => verdict === 'NO_TEST')
    t.ok(unknown.length > 0)
    t.same([...new Set(unknown.flatMap(({ findings }) => findings.map(({ ground }) => ground)))], ['warming_up'])
  },
)

t.test('a configuration that changes more than baselines lets the rig begin anew', async (t) => {
  const out = feedAll(switched(rig(baselineAt(5, 1)), rig(baselineAt(5, 1), { windowsUs: [500_000, 1_000_000] })))
  const after = out.decisions.filter(({ timeUs }) => timeUs >= SWITCH_US)
  t.ok(
    after.some(({ verdict }) => verdict === 'NO_TEST'),
    'windows of other widths have to fill',
  )
  t.ok(totalCounts(rigOf(out)).shed > 0)
})
