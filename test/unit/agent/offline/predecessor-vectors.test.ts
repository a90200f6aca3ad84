import t, { type Test } from 'tap'
import { compareRuns, type RunComparison } from '../../../../agent/core/offline/compare-runs.ts'
import type { MetricRules, RunMetric, RunMetrics } from '../../../../agent/core/offline/run-metric.ts'
import { canonicalMetrics, type MetricNaming } from '../../../../agent/core/offline/run-units.ts'
import { samplesOf } from '../../../../agent/offline/run-samples.ts'
import { predecessorVectors, VECTORS_ABSENT } from '../../../support/predecessor-vectors.ts'

type Raw = Readonly<Record<string, { value?: number | string | null; unit?: string | null; tags?: string | null }>>
type Expected = Readonly<{
  status: string
  drift: readonly Record<string, unknown>[]
  warnings: readonly string[]
  fail: readonly string[]
  invariant_violations: readonly Record<string, unknown>[]
  distribution_drifts: readonly Record<string, unknown>[]
  top_drivers?: readonly Record<string, unknown>[]
}>
type Vector = Readonly<{
  id: string
  registry_metrics: Readonly<Record<string, MetricRules & { fail_threshold?: number }>>
  current: Raw
  baseline: Raw
  distribution_enabled: boolean
  expected: Expected
  deviate?: string
}>
type Normalise = Readonly<{
  raw: Raw
  registry: { metrics: Readonly<Record<string, MetricNaming>> }
  expected: { metrics: Readonly<Record<string, { value: number | null; unit: string | null }>>; warnings: string[] }
  deviate?: string
}>

const compared = predecessorVectors('compare') as readonly Vector[] | null
const normalised = predecessorVectors('normalize') as readonly Normalise[] | null

function metricsOf(raw: Raw): RunMetrics {
  return new Map(
    Object.entries(raw).map(([name, { value, unit, tags }]): [string, RunMetric] => [
      name,
      {
        value: value === null || value === undefined || value === '' ? null : Number(value),
        unit: unit ?? null,
        ...samplesOf(tags),
      },
    ]),
  )
}

function compare(vector: Vector): RunComparison {
  const rules = new Map(
    Object.entries(vector.registry_metrics).map(([metric, { fail_threshold: max, ...rest }]): [string, MetricRules] => [
      metric,
      max === undefined ? rest : { ...rest, fail_max: max },
    ]),
  )
  return compareRuns(metricsOf(vector.current), metricsOf(vector.baseline), {
    rules,
    distribution: vector.distribution_enabled,
  })
}

/** Only what the predecessor says is compared; numbers to 1e-12 of their size. */
function matches(found: unknown, expected: unknown): boolean {
  if (typeof expected === 'number' && typeof found === 'number')
    return Math.abs(found - expected) <= 1e-12 * Math.max(1, Math.abs(expected))
  if (Array.isArray(expected))
    return Array.isArray(found) && found.length === expected.length && expected.every((e, k) => matches(found[k], e))
  if (typeof expected === 'object' && expected !== null)
    return (
      typeof found === 'object' &&
      found !== null &&
      Object.entries(expected).every(([key, value]) => matches((found as Record<string, unknown>)[key], value))
    )
  return found === expected
}

const same = (t: Test, { id, expected }: Vector, found: RunComparison, keys = Object.keys(expected)): void => {
  for (const key of keys) {
    const [a, b] = [found[key as keyof RunComparison], expected[key as keyof Expected]]
    t.ok(matches(a, b), `${id} ${key}`, { found: a, expected: b })
  }
}

const without = (warnings: readonly string[], word: RegExp): string[] =>
  warnings.filter((warning) => !word.test(warning))
const OURS = /^(critical metric without|no percentage at|unit mismatch|value is not)/

if (compared === null || normalised === null) {
  t.comment(VECTORS_ABSENT)
  t.pass(VECTORS_ABSENT)
} else {
  const of = (id: string): Vector => compared.find((vector) => vector.id === id)!

  t.test('every vector without a reason to deviate is matched, in every key and order', async (t) => {
    const vectors = compared.filter(({ deviate }) => deviate === undefined)
    t.equal(compared.length, 103)
    t.equal(vectors.length, 61)
    for (const vector of vectors) same(t, vector, compare(vector))
  })

  t.test('a fail limit holds for a metric that is not critical', async (t) => {
    const found = compare(of('H10'))
    t.same([found.status, found.fail], ['FAIL', ['a']])
  })

  t.test('a metric is in the list of failures once', async (t) => {
    for (const vector of compared.filter(({ deviate }) => deviate?.includes('fail list must be a set'))) {
      const found = compare(vector)
      for (const metric of new Set(vector.expected.fail)) t.ok(found.fail.includes(metric), `${vector.id} ${metric}`)
      t.equal(new Set(found.fail).size, found.fail.length, vector.id)
      t.equal(found.status, 'FAIL', vector.id)
      if (vector.deviate === 'fail list must be a set')
        same(t, vector, { ...found, fail: [] }, ['status', 'invariant_violations'])
    }
  })

  t.test('a critical metric that is absent fails', async (t) => {
    const found = compare(of('H17'))
    t.same([found.status, found.fail], ['FAIL', ['a']])
    t.same(found.warnings, ['missing current metric: a', 'critical metric without a usable value: a'])
    for (const vector of compared.filter(({ deviate }) => deviate?.includes('missing critical'))) {
      const absent = Object.entries(vector.registry_metrics).filter(
        ([metric, rules]) => rules.critical === true && !(metric in vector.current),
      )
      t.ok(absent.length > 0, vector.id)
      const { status, fail } = compare(vector)
      t.equal(status, 'FAIL', vector.id)
      for (const [metric] of absent) t.ok(fail.includes(metric), `${vector.id} ${metric}`)
    }
  })

  t.test('a run without a baseline is NO_BASELINE, and FAIL where limits say so', async (t) => {
    const vectors = compared.filter(({ deviate }) => deviate?.startsWith('no baseline'))
    t.equal(vectors.length, 5)
    for (const vector of vectors) {
      const found = compare(vector)
      t.equal(found.status, vector.expected.status === 'FAIL' ? 'FAIL' : 'NO_BASELINE', vector.id)
      same(t, vector, found, ['drift', 'warnings', 'invariant_violations', 'distribution_drifts'])
    }
  })

  t.test('at a baseline of zero the percent rule says so, and is never silence', async (t) => {
    const alone = compare(of('H20'))
    t.equal(alone.status, 'PASS_WITH_DRIFT')
    t.match(alone.drift, [{ metric: 'a', delta: 1000, percent_change: null, drift_percent: 10, severity: 'DRIFT' }])
    t.same(alone.warnings, ['no percentage at a baseline of zero: a; any difference counts'])
    for (const vector of compared.filter(({ deviate }) => deviate?.includes('percent rule at zero baseline'))) {
      const found = compare(vector)
      const theirs = new Set(vector.expected.drift.map(({ metric }) => metric))
      for (const [metric, rules] of Object.entries(vector.registry_metrics)) {
        const [value, base] = [vector.current[metric]?.value, vector.baseline[metric]?.value]
        if (typeof value !== 'number' || typeof base !== 'number') continue
        const isZero = rules.drift_percent !== undefined && base === 0 && value !== 0
        t.equal(
          found.warnings.some((w) => w.startsWith(`no percentage at a baseline of zero: ${metric};`)),
          isZero,
        )
        const counts = isZero && rules.drift_threshold === undefined && Math.abs(value) >= (rules.min_effect ?? 0)
        t.equal(
          found.drift.some((d) => d.metric === metric),
          counts || theirs.has(metric),
          `${vector.id} ${metric}`,
        )
      }
      same(t, vector, { ...found, warnings: without(found.warnings, OURS) }, ['warnings', 'invariant_violations'])
    }
  })

  t.test('two units are NO_TEST', async (t) => {
    const found = compare(of('H21'))
    t.same([found.status, found.no_test], ['NO_TEST', ['a']])
    t.match(found.warnings, ['unit mismatch: a is in s, its baseline in ms'])
  })

  t.test('samples that are the same have the same distribution, ties or not', async (t) => {
    const found = compare(of('H24'))
    t.same([found.status, found.distribution_drifts], ['PASS', []])
  })

  t.test('drivers are ranked by their limits, not by their units', async (t) => {
    const vector = of('H27')
    same(t, vector, compare(vector))
    const metrics = { ...vector, registry_metrics: { ...vector.registry_metrics, c: { drift_threshold: 0.01 } } }
    t.same(
      compare(metrics).top_drivers.map(({ metric_name: name }) => name),
      ['c', 'b', 'a'],
    )
  })

  t.test('names and units become those of the registry', async (t) => {
    t.equal(normalised.length, 8)
    for (const [k, { raw, registry, expected, deviate }] of normalised.entries()) {
      if (deviate !== undefined) continue
      const found = canonicalMetrics(metricsOf(raw), new Map(Object.entries(registry.metrics)))
      t.same(found.warnings, expected.warnings, `normalize ${k}`)
      t.equal(found.metrics.size, Object.keys(expected.metrics).length, `normalize ${k}`)
      for (const [metric, { value, unit }] of Object.entries(expected.metrics))
        t.ok(matches(found.metrics.get(metric), { value, unit }), `normalize ${k} ${metric}`)
    }
  })

  t.test('a unit that nothing converts makes the metric NO_TEST and says what to do', async (t) => {
    const deviating = normalised.filter(({ deviate }) => deviate !== undefined)
    t.equal(deviating.length, 2)
    for (const { raw, registry } of deviating) {
      const { metrics, warnings } = canonicalMetrics(metricsOf(raw), new Map(Object.entries(registry.metrics)))
      t.match(warnings, [/^unit of \w+: .*cannot be converted to `ms`; correct the unit in the run or add it/])
      t.equal(compareRuns(metrics, metrics, { rules: new Map(), distribution: true }).status, 'NO_TEST')
    }
  })
}
