import fc from 'fast-check'
import t from 'tap'
import { LEVEL } from '../../../agent/core/detectors/level.ts'
import { createPersistence, departureLasts } from '../../../agent/core/persistence.ts'
import { type MetricSettings, type RigSettings, STATE_LAYOUT } from '../../../agent/core/settings.ts'
import { createRigState } from '../../../agent/core/state.ts'
import type { EvaluatorInput } from '../../../agent/core/step.ts'
import { compileSettings } from '../../../agent/pipeline/compile-settings.ts'
import type { Mode } from '../../../shared/model/verdict.ts'
import { filesOf, REGISTRY, RUNTIME } from '../../support/config-texts.ts'
import { cutEverywhere } from '../../support/cuts.ts'
import {
  configInput,
  evaluatorSettings,
  feedAll,
  judgedAt,
  mergedInputs,
  metricBaseline,
  metricSettings,
  RIG,
  rigSettings,
  SLIDE_US,
  steadyInputs,
  T0,
  windowBaseline,
} from '../../support/evaluator-rig.ts'

const modeInput = (nowUs: number, mode: Mode): EvaluatorInput => ({
  kind: 'mode',
  nowUs,
  rig: RIG,
  mode,
  reason: '',
  operator: 'Ada',
  source: 'test',
})

/** A rig of one metric with other settings in maintenance. */
function byMode(
  nominal: Partial<MetricSettings>,
  maintenance: Partial<MetricSettings>,
  more: Partial<RigSettings> = {},
) {
  const [a, b] = [metricSettings('a', nominal), metricSettings('a', { ...nominal, ...maintenance })]
  return rigSettings([a], {
    metricsByMode: new Map([
      ['nominal', [a]],
      ['maintenance', [b]],
    ]),
    ...more,
  })
}

/** Three seconds at a level, the mode changing to maintenance at the first and back at the second. */
function throughModes(rig: RigSettings, value: number): EvaluatorInput[] {
  return [
    configInput(T0, evaluatorSettings([rig])),
    ...mergedInputs(steadyInputs({ fromUs: T0, toUs: T0 + 3_000_000, value: () => value }), [
      modeInput(T0 + 1_000_000, 'maintenance'),
      modeInput(T0 + 2_000_000, 'nominal'),
    ]),
  ]
}

const LIMITS = byMode({ invariantMax: 5 }, { invariantMax: 20 })

t.test('limits of a mode apply from the next slide after the mode has changed', async (t) => {
  const out = feedAll(throughModes(LIMITS, 10))
  const changes = out.decisions.flatMap((d, k) =>
    d.verdict === out.decisions[k - 1]?.verdict ? [] : [[d.mode, d.verdict]],
  )
  t.same(changes.slice(1), [
    ['nominal', 'FAIL'],
    ['maintenance', 'PASS'],
    ['nominal', 'FAIL'],
  ])
  const [, toMaintenance] = out.decisions.filter((d, k) => d.mode !== out.decisions[k - 1]?.mode)
  t.ok(toMaintenance!.timeUs - (T0 + 1_000_000) <= SLIDE_US, 'not a slide later than the order')
})

t.test('what is required, and whether limits alone judge, goes by the mode too', async (t) => {
  const rig = byMode({ baselineRequired: true, required: true }, { baselineRequired: false, required: false })
  const out = feedAll(throughModes(rig, 1))
  const of = (mode: Mode) => out.decisions.filter((d) => d.mode === mode).at(-1)!
  t.match(of('nominal'), { verdict: 'NO_BASELINE', limitsOnly: false })
  t.match(of('maintenance'), { verdict: 'PASS', limitsOnly: true })
})

t.test('a fault that stands while the mode changes is unknown until it is told again, and never PASS', async (t) => {
  const level = { detector: LEVEL.name, version: LEVEL.version, numbers: [1, 0.01, 0, 0.0001], maxima: [1], limit: 4 }
  const known = { ...metricBaseline('a', { mean: 1, spread: 1, limit: 50 }), detectors: [level] }
  const rig = rigSettings([metricSettings('a', { baselineRequired: true })], {
    baseline: windowBaseline(new Uint8Array(32).fill(6), [known]),
    stepUs: 100_000,
    settleUs: 500_000,
  })
  const value = (_: number, us: number) => (us > T0 + 5_000_000 ? 9 : 1)
  const out = feedAll([
    configInput(T0, evaluatorSettings([rig])),
    ...mergedInputs(steadyInputs({ fromUs: T0, toUs: T0 + 14_000_000, value }), [
      modeInput(T0 + 8_000_000, 'maintenance'),
      modeInput(T0 + 9_000_000, 'nominal'),
    ]),
  ])
  const grounds = (fromUs: number, toUs: number) => [
    ...new Set(
      out.decisions
        .filter((d) => d.mode === 'nominal' && d.timeUs > T0 + fromUs && d.timeUs <= T0 + toUs)
        .map((d) => d.findings[0]?.ground ?? d.verdict),
    ),
  ]
  t.same(grounds(300_000, 4_500_000), ['warming_up', 'PASS'], 'after a start as well')
  t.same(grounds(7_000_000, 8_000_000), ['level'])
  t.same(grounds(9_100_000, 14_000_000), ['settling', 'warming_up', 'level'])
})

t.test('a second look judges a slide by the mode that it was in', async (t) => {
  const rig = byMode({ invariantMax: 5 }, { invariantMax: 20 }, { latePolicy: 'revise', reviseWithinUs: 500_000 })
  const out = feedAll(throughModes(rig, 10))
  t.same(out.revisions, [], 'nothing was late')
  t.ok(out.state.rigs[0]!.slower!.counts.confirmed > 30)
})

t.test('the settings of every mode come from the registry, one list for modes without changes', (t) => {
  const registry = `${REGISTRY}programs:
  demo: { metrics: { flow: { fail_max: 300 } } }
mode_overrides:
  maintenance: { metrics: { flow: { fail_max: 500, drift_persistence: 9, drift_persistence_of: 40, drift_clear_slides: 3 } } }
`
  const rig = compileSettings(filesOf(RUNTIME, registry)).rigs[0]!
  const flow = (mode: Mode) => rig.metricsByMode!.get(mode)!.find((m) => m.metric === 'flow')!
  t.match(flow('nominal'), { failMax: 300, persistenceSlides: 5 })
  t.match(flow('maintenance'), { failMax: 500, persistenceSlides: 9, persistenceOf: 40, clearSlides: 3 })
  t.equal(rig.metricsByMode!.get('nominal'), rig.metricsByMode!.get('test'))
  t.same(rig.metrics, rig.metricsByMode!.get('nominal'))
  t.equal(compileSettings(filesOf()).rigs[0]!.metricsByMode, undefined, 'nothing of it where no mode changes anything')
  t.end()
})

/** The same rule from the whole past of one window: written for being read, not for being quick. */
function lastsByHand(
  past: readonly boolean[],
  { of, m, clear }: { of: number | null; m: number; clear: number },
): boolean {
  let drift = false
  past.forEach((_, k) => {
    const seen = past.slice(0, k + 1)
    const holds =
      of === null
        ? seen.slice(-m).length === m && seen.slice(-m).every(Boolean)
        : seen.slice(-of).filter(Boolean).length >= m
    const quiet = seen.slice(-clear).length === clear && seen.slice(-clear).every((d) => !d)
    drift = holds || (drift && !quiet)
  })
  return drift
}

t.test('m of n slides with hysteresis: the same as counted by hand', (t) => {
  const asked = fc.record({
    of: fc.option(fc.integer({ min: 1, max: 70 })),
    m: fc.integer({ min: 1, max: 12 }),
    clear: fc.integer({ min: 1, max: 8 }),
  })
  let drifted = 0
  fc.assert(
    fc.property(asked, fc.array(fc.boolean(), { minLength: 1, maxLength: 150, size: 'max' }), (rule, past) => {
      const { of, m, clear } = { ...rule, of: rule.of === null ? null : Math.max(rule.of, rule.m) }
      const settings = metricSettings('a', {
        persistenceSlides: m,
        clearSlides: clear,
        ...(of === null ? {} : { persistenceOf: of }),
      })
      const rig = createRigState(rigSettings([metricSettings('0'), settings]))
      return past.every((departs, k) => {
        const lasts = departureLasts(rig, 3, departs, settings)
        if (lasts) drifted += 1
        return lasts === lastsByHand(past.slice(0, k + 1), { of, m, clear })
      })
    }),
    { numRuns: 300 },
  )
  t.ok(drifted > 1000)
  t.equal(createPersistence(rigSettings([metricSettings('a')])), null, 'a rig that does not ask for it keeps nothing')
  t.end()
})

/** Departs from its baseline in two of three slides: never three in a row. */
function flicker(more: Partial<MetricSettings>, untilUs = T0 + 4_000_000): EvaluatorInput[] {
  const metric = metricSettings('a', { windows: [0], baselineRequired: true, ...more })
  const baseline = windowBaseline(new Uint8Array(32).fill(6), [
    metricBaseline('a', { mean: 1, spread: 0.1, limit: 5, widthsUs: [SLIDE_US] }),
  ])
  const rig = rigSettings([metric], { baseline, windowsUs: [SLIDE_US] })
  const value = (_: number, us: number) => (us < untilUs && Math.floor(us / SLIDE_US) % 3 !== 0 ? 3 : 1)
  return [configInput(T0, evaluatorSettings([rig])), ...steadyInputs({ fromUs: T0, toUs: T0 + 6_000_000, value })]
}

t.test('a drift that flickers is told by m of n, and ends when it was quiet for long enough', async (t) => {
  const verdicts = (more: Partial<MetricSettings>) => {
    const out = feedAll(flicker(more))
    return (us: number) => judgedAt(out, 'a', T0 + us)
  }
  const inRow = verdicts({ persistenceSlides: 3 })
  t.equal(inRow(3_000_000)?.verdict, 'PASS', 'three in a row never come')
  const ofTen = verdicts({ persistenceSlides: 5, persistenceOf: 10, clearSlides: 20 })
  t.equal(ofTen(3_000_000)?.verdict, 'DRIFT')
  const kept = [0, 1, 2].map((k) => ofTen(3_000_000 + k * SLIDE_US)!)
  t.same(
    kept.map((j) => j.verdict),
    ['DRIFT', 'DRIFT', 'DRIFT'],
    'between departures too',
  )
  const between = kept.find((j) => j.finding!.ground === 'not_cleared')
  t.match(between?.finding, { baselineMean: 1, ratio: null, windowUs: SLIDE_US })
  t.equal(ofTen(4_950_000)?.verdict, 'DRIFT', 'nineteen quiet slides')
  t.equal(ofTen(5_050_000)?.verdict, 'PASS', 'twenty-one')
})

t.test('a state is whole with it: cut at every input and gone on with', async (t) => {
  const { cuts, differs } = cutEverywhere(flicker({ persistenceSlides: 5, persistenceOf: 40, clearSlides: 20 }), 30)
  t.equal(differs, null)
  const modes = cutEverywhere(throughModes(LIMITS, 10), 30)
  t.equal(modes.differs, null)
  t.ok(cuts + modes.cuts > 500)
  t.equal(STATE_LAYOUT, 7)
})
