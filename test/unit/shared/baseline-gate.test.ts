import t from 'tap'
import type { ConfigError } from '../../../shared/config/problems.ts'
import { defaultQualityPolicy, parseQualityPolicy } from '../../../shared/config/quality-policy.ts'
import { ACTIONS } from '../../../shared/model/action.ts'
import { type BaselineRecord, QUANTILE_RATIOS } from '../../../shared/model/baseline.ts'
import { type CertificateBasis, mayArm } from '../../../shared/model/baseline-arming.ts'
import {
  checkQuality,
  FEW_SEGMENTS_CONFIDENCE_MAX,
  isSameGate,
  matchContext,
  recheckGate,
} from '../../../shared/model/baseline-gate.ts'
import { outlierShare } from '../../../shared/model/contamination.ts'
import { baselineMetric, baselineRecord, baselineSegment, CONTEXT } from '../../support/certified-baselines.ts'

const { policy, digest } = defaultQualityPolicy()
const utf8 = new TextEncoder()
const gateOf = (change: Partial<BaselineRecord>, environment = 1) =>
  checkQuality({ ...baselineRecord(), ...change }, { policy, digest, environment })
const metrics = (...changes: Parameters<typeof baselineMetric>[0][]) => ({
  metrics: changes.map((change) => baselineMetric(change)),
})
const problemsOf = (text: string) => {
  try {
    parseQualityPolicy('policy.yaml', utf8.encode(text))
    return []
  } catch (error) {
    return (error as ConfigError).problems
  }
}
const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-12

t.test('a sound baseline passes, and its confidence is the product of what is shown', (t) => {
  const gate = gateOf({})
  t.same([gate.passed, gate.reasons], [true, []])
  t.ok(near(gate.confidence, 20 / 21), 'nothing but the number of segments limits it')
  t.equal(
    gate.confidence,
    gate.inputs.reduce((product, { score }) => product * score, 1),
  )
  t.same(
    gate.inputs.map(({ name, value, bound }) => [name, Number(value.toFixed(9)), bound]),
    [
      ['sample_size', 36_000, 10],
      ['effective_n', 4000, 5],
      ['time_span_sec', 72_000, 3600],
      ['stability', 0, 0],
      ['constant_channels', 0, 0],
      ['alerts', 0, 0],
      ['environment_match_score', 1, 0.7],
      ['gap_sec', 0.2, 10],
      ['step_statistic', 4, 20],
      ['contaminated', 0, 0.01],
      ['detectable_shift', 0.5, 1],
      ['level_move', 0, 1],
      ['segments', 20, 5],
    ],
  )
  t.end()
})

t.test('every criterion refuses with its reason, and says the same again from the record', (t) => {
  const hour = baselineSegment({ source: 'run-9' })
  const table: readonly [string, Partial<BaselineRecord>, number, string][] = [
    ['samples', metrics({ count: 9 }), 1, 'sample_size 9 < 10'],
    ['effective samples', metrics({ effectiveCount: 3.21 }), 1, 'effective_n 3.21 < 5: flow'],
    ['a too short baseline', { segments: [baselineSegment({ toUs: 60_000_000 })] }, 1, 'time_span_sec 60 < 3600'],
    [
      'an unstable metric',
      metrics({ mean: 1, sd: 1.5, min: 0.1, max: 9 }),
      1,
      'stability check failed: flow 1.5 > 0.5',
    ],
    ['alerts', { segments: [{ ...hour, alerts: 2 }] }, 1, 'unresolved alerts in window'],
    ['another environment', {}, 0.5, 'environment_match_score 0.5 < 0.7'],
    ['a gap', { segments: [{ ...hour, gapUs: 12_500_000 }] }, 1, 'gap_sec 12.5 > 10: run-9'],
    ['a step', metrics({ stepStatistic: 31.5 }), 1, 'step_statistic 31.5 > 20: flow'],
    [
      'a baseline too loose to protect',
      metrics({ detectableShift: 3 }),
      1,
      'baseline too loose to protect flow: detectable_shift 3 > 1 l/min',
    ],
    [
      'a level that moved from one segment to the next',
      metrics({ mean: 30 }),
      1,
      'the level of flow moved by 2 l/min while it was nominal, its tolerance is 1; leave out what is not one state',
    ],
    [
      'a ramp within the newest segment',
      metrics({ noise: 0.0001, quantiles: QUANTILE_RATIOS.map((r) => 31 + 3 * r) }),
      1,
      'the level of flow moved by 1.334 l/min while it was nominal, its tolerance is 1; leave out what is not one state',
    ],
    ['no segment', { segments: [baselineSegment({ used: false })] }, 1, 'no segment was used'],
  ]
  for (const [what, change, environment, reason] of table) {
    const gate = gateOf(change, environment)
    t.equal(gate.passed, false, what)
    t.ok(gate.reasons.includes(reason), `${what}: ${gate.reasons.join(' | ')}`)
    const record = { ...baselineRecord(change), gate }
    t.ok(isSameGate(recheckGate(record, policy), gate), `${what}, computed again`)
  }
  t.end()
})

t.test('bad input: a constant channel is refused with what to do, unless the policy names it', (t) => {
  const constant = metrics({ metric: 'valve', mean: 1, sd: 0, min: 1, max: 1, noise: 0, effectiveCount: 1 })
  const reasons = gateOf(constant).reasons
  t.same(reasons, [
    'constant channel valve: every sample was 1 l/min; look at its sensor, or name it in allow_constant',
  ])
  const allowing = parseQualityPolicy('p', utf8.encode('acceptance_criteria:\n  allow_constant: [valve]\n'))
  const gate = checkQuality({ ...baselineRecord(), ...constant }, { ...allowing, environment: 1 })
  t.same(gate.reasons, [])
  t.end()
})

t.test('bad input: a contaminated baseline is refused by the share of samples that lie apart', (t) => {
  const sound = baselineMetric()
  t.equal(outlierShare(sound), 0)
  const withTop = (top: readonly number[]): number[] => [
    ...sound.quantiles.slice(0, QUANTILE_RATIOS.length - top.length),
    ...top,
  ]
  const fivePercent = baselineMetric({ quantiles: withTop([40, 40, 40]), max: 40 })
  t.ok(outlierShare(fivePercent) >= 0.05 && outlierShare(fivePercent) <= 0.1, 'between the ranks around it')
  const [reason] = gateOf({ metrics: [fivePercent] }).reasons
  t.match(
    reason,
    /^contaminated flow: \d\.\d+ % of its samples lie apart from the rest, at most 1 %; leave out the segment/,
  )
  const below = baselineMetric({ quantiles: [-10, -10, ...sound.quantiles.slice(2)], min: -10 })
  t.ok(outlierShare(below) >= 0.01 && outlierShare(below) <= 0.05, 'on the lower side as well')
  const single = baselineMetric({ quantiles: withTop([90]), max: 90 })
  t.equal(outlierShare(single), 1 / 36_000, 'one spike is one sample, and passes')
  t.ok(gateOf({ metrics: [single] }).passed)
  t.end()
})

t.test('bad input: half a fault moves no quantile apart, and is found by its step', (t) => {
  const gate = gateOf(
    metrics({ sd: 6, noise: 0.06, stepStatistic: 90, quantiles: [26, 26, 26, 26, 26, 32, 38, 38, 38, 38, 38] }),
  )
  t.ok(gate.reasons.some((reason) => reason.startsWith('step_statistic 90 > 20')))
  t.end()
})

t.test(
  'a channel around zero has no coefficient of variation: it is steady when it is noise, or within its tolerance',
  (t) => {
    const around = { mean: 0.05, sd: 0.25, min: -0.6, max: 0.7, noise: 0.0625, tolerance: null } as const
    const quantiles = baselineMetric().quantiles.map((q) => q - 31.95)
    t.same(gateOf(metrics(around)).reasons, [])
    t.match(gateOf(metrics({ ...around, noise: 0.001 })).reasons, ['stability check failed: flow 5 > 0.5'])
    t.same(gateOf(metrics({ ...around, noise: 0.001, tolerance: 0.6, quantiles })).reasons, [])
    t.match(gateOf(metrics({ ...around, mean: 0, noise: 0.001 })).reasons, [/flow has a mean of 0/])
    t.end()
  },
)

t.test('few segments cap confidence, and nobody knowing of alerts halves it', (t) => {
  const of = (n: number, alerts = 0) =>
    gateOf({
      segments: Array.from({ length: n }, () => baselineSegment({ alerts })),
      rigMaxima: Array.from({ length: n }, () => 0.5),
    })
  t.same(
    [1, 2, 4].map((n) => of(n).confidence),
    [FEW_SEGMENTS_CONFIDENCE_MAX, FEW_SEGMENTS_CONFIDENCE_MAX, FEW_SEGMENTS_CONFIDENCE_MAX],
  )
  t.ok(near(of(5).confidence, 5 / 6))
  t.ok(near(of(5, -1).confidence, 5 / 12))
  t.same(of(5, -1).reasons, [], 'a table of numbers is not refused for it')
  t.equal(gateOf({ rigMaxima: [] }).confidence, 0, 'segments that were not replayed are none')
  t.end()
})

t.test('weights say how much of a shortfall counts', (t) => {
  const weighed = parseQualityPolicy('p', utf8.encode('confidence_weights:\n  environment_match: 0.2\n'))
  const gate = checkQuality(baselineRecord(), { ...weighed, environment: 0.75 })
  t.ok(near(gate.confidence, (1 - 0.2 * 0.25) * (20 / 21)))
  t.end()
})

t.test('context is compared where both sides say something', (t) => {
  t.same(matchContext(CONTEXT, CONTEXT), { matched: 6, possible: 6, score: 1 })
  t.same(matchContext(CONTEXT, { ...CONTEXT, environment: 'field', scenario_id: '' }), {
    matched: 4,
    possible: 5,
    score: 0.8,
  })
  const open = Object.fromEntries(Object.keys(CONTEXT).map((key) => [key, ''])) as typeof CONTEXT
  t.same(matchContext(CONTEXT, open), { matched: 0, possible: 0, score: 1 })
  t.end()
})

t.test('every mistake of a policy is told at once; the old key names the new one', (t) => {
  const text = [
    'require_quality_gate: false',
    'acceptance_criteria:',
    '  min_time_in_state_sec: 60',
    '  min_sample_sise: 5',
    '  hard_segments: 3',
    '  stability: {max_coefficient_of_variation: 0}',
    'confidence_weights: {sample_size: 2}',
  ].join('\n')
  const problems = problemsOf(text)
  t.match(
    problems.map(({ key, hint }) => [key, hint ?? '']),
    [
      ['require_quality_gate', /break-glass/],
      ['acceptance_criteria.min_time_in_state_sec', 'write `min_time_in_state_s`; its value stays, in seconds'],
      ['acceptance_criteria.min_sample_sise', /min_sample_size/],
      ['acceptance_criteria.hard_segments', ''],
      ['acceptance_criteria.stability.max_coefficient_of_variation', ''],
      ['confidence_weights.sample_size', ''],
    ],
  )
  t.equal(problems.length, 6)
  t.match(problemsOf('acceptance_criteria: {min_segments: 30}'), [
    { found: '19', expected: 'at least `min_segments` (30)' },
  ])
  t.same(
    problemsOf(
      'require_quality_gate: true\nconfidence_weights: {sample_size: 0.2, stability: 0.3, no_alerts: 0.3, environment_match: 0.2}\n',
    ),
    [],
  )
  t.end()
})

t.test('what a baseline may arm, the whole table', (t) => {
  const basis = (change: Partial<CertificateBasis>): CertificateBasis => ({
    kind: 'golden',
    segments: 20,
    minSegments: 5,
    hardSegments: 19,
    confidence: 0.9,
    decay: 1,
    breakGlass: false,
    ...change,
  })
  const armed = (change: Partial<CertificateBasis>, streams = 1): string =>
    ACTIONS.filter((action) => mayArm(basis(change), action, streams).allowed).join(' ')
  const all = ACTIONS.join(' ')
  t.same(
    [
      armed({}),
      armed({ segments: 18 }),
      armed({ segments: 18 }, 2),
      armed({ segments: 4 }, 2),
      armed({ kind: 'draft' }, 2),
      armed({ decay: 0 }, 2),
      armed({ confidence: Number.NaN }, 2),
      armed({ breakGlass: true }, 2),
      armed({ kind: 'rolling' }),
    ],
    [
      all,
      'notify degrade failover rate_limit',
      all,
      'notify degrade',
      'notify',
      'notify',
      'notify',
      'notify degrade',
      all,
    ],
  )
  t.match(mayArm(basis({ segments: 7 }), 'shutdown', 1), {
    reason: 'baseline_confidence_below_min_for_critical',
    text: '7 nominal segments were replayed; shutdown needs 19 of them, or two independent streams',
  })
  t.end()
})
