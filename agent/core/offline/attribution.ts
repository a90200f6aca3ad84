import type { DistributionDrift } from './compare-runs.ts'
import { type Difference, sampleLimit } from './drift-rule.ts'
import type { MetricRules, RunMetric } from './run-metric.ts'
import { type Confidence, confidenceOf, type Onset, onsetOf, type SampleStats, sampleStats } from './sample-stats.ts'

/** Persistence of a metric whose registry names none. */
const PERSISTENCE = 5
const EVIDENCE_AROUND = 3
const EVIDENCE_MAX = 2 * EVIDENCE_AROUND + 1

type Stats = Pick<SampleStats, 'mean' | 'median' | 'p95'>

/** Why a metric stands out, with the predecessor's keys. */
export type Attribution = Readonly<{
  metric_name: string
  direction: 'up' | 'down'
  effect_size: Readonly<{ delta: number; percent: number | null; zscore: number | null; ks?: number }>
  baseline_stats: Stats | null
  current_stats: Stats | null
  confidence: Confidence
  /** Null when the run kept no samples. */
  onset: Onset | null
  raw_features: readonly string[]
  /** With other columns of `signals.csv`; null without one. The predecessor correlated a metric with itself. */
  raw_feature_correlations: readonly Readonly<{ feature: string; corr: number }>[] | null
  corr_method: 'pearson' | null
  n_points_used: number
  correlation_note: string
  evidence: readonly Readonly<{ index: number; value: number; drift_score: number }>[]
  /** Rules that judged it, as the predecessor lists them: those in force, passed or not. {@link passed_rules} says which were. */
  decision_basis: readonly ('drift_threshold' | 'drift_percent' | 'critical' | 'distribution_ks')[]
  passed_rules: readonly ('drift_threshold' | 'drift_percent')[]
  /** As the predecessor says it: spreads, else percent, else the difference. Not comparable between metrics. */
  score: number
  score_type: 'zscore' | 'percent' | 'delta'
  /** The difference in limits of the metric: what drivers are ranked by. */
  drift_score: number
  warn_threshold: number | null
  fail_threshold: number | null
  persistence_cycles: number
  drift_threshold: number | null
  drift_percent: number | null
  flagged: true
  failed: boolean
}>

type Flagged = Readonly<{
  metric: string
  rules: MetricRules
  current: RunMetric
  baseline: RunMetric
  difference: Difference
  failed: boolean
  ks: DistributionDrift | null
}>

/** What is told of a metric that drifted, failed or changed its distribution. Both sides have a value. */
export function attribute({ metric, rules, current, baseline, difference, failed, ks }: Flagged): Attribution {
  const { delta, percent } = difference
  const before = sampleStats(baseline.samples)
  const now = sampleStats(current.samples)
  const zscore = before !== null && before.std > 0 ? delta / before.std : null
  const persistence = rules.drift_persistence ?? PERSISTENCE
  const limit = sampleLimit(baseline.value!, rules)
  const level = baseline.value!
  const onset = now === null ? null : onsetOf(current.samples, { level, limit, persistence })
  const [score, type] = scoreOf(zscore, percent, delta)
  return {
    metric_name: metric,
    direction: delta < 0 ? 'down' : 'up',
    effect_size: { delta, percent, zscore, ...(ks === null ? {} : { ks: ks.statistic }) },
    baseline_stats: plain(before),
    current_stats: plain(now),
    confidence: confidenceOf(current.samples, baseline.samples),
    onset,
    raw_features: rules.source_columns ?? [],
    raw_feature_correlations: null,
    corr_method: null,
    n_points_used: current.samples.length,
    correlation_note: 'not computed: one value of a run has no other signal to correlate with',
    evidence: evidenceOf(current.samples, { level, limit, from: onset?.first_exceed_index ?? null }),
    decision_basis: [
      ...(['drift_threshold', 'drift_percent'] as const).filter(
        (rule) => difference.drifts && rules[rule] !== undefined,
      ),
      ...(failed ? (['critical'] as const) : []),
      ...(ks === null ? [] : (['distribution_ks'] as const)),
    ],
    passed_rules: difference.passed,
    score,
    score_type: type,
    drift_score: Math.max(difference.effect, ks === null ? 0 : ks.statistic / ks.threshold),
    warn_threshold: limit,
    fail_threshold: rules.fail_max ?? rules.invariant_max ?? null,
    persistence_cycles: persistence,
    drift_threshold: rules.drift_threshold ?? null,
    drift_percent: rules.drift_percent ?? null,
    flagged: true,
    failed,
  }
}

/** What failed first, then what is furthest beyond its own limit: no unit weighs more than another. */
export function byRank(a: Attribution, b: Attribution): number {
  if (a.failed !== b.failed) return a.failed ? -1 : 1
  return b.drift_score - a.drift_score || (a.metric_name < b.metric_name ? -1 : 1)
}

function scoreOf(zscore: number | null, percent: number | null, delta: number): [number, Attribution['score_type']] {
  if (zscore !== null) return [Math.abs(zscore), 'zscore']
  return percent === null ? [Math.abs(delta), 'delta'] : [Math.abs(percent), 'percent']
}

function plain(stats: SampleStats | null): Stats | null {
  return stats === null ? null : { mean: stats.mean, median: stats.median, p95: stats.p95 }
}

type Around = Readonly<{ level: number; limit: number | null; from: number | null }>

/** The samples around the one that left first, else the first ones, each with its distance in limits. */
function evidenceOf(samples: readonly number[], { level, limit, from }: Around): Attribution['evidence'] {
  const first = from === null ? 0 : Math.max(0, from - EVIDENCE_AROUND)
  const end = from === null ? EVIDENCE_MAX : from + EVIDENCE_AROUND + 1
  return samples.slice(first, end).map((value, k) => {
    const distance = Math.abs(value - level)
    return { index: first + k, value, drift_score: limit !== null && limit > 0 ? distance / limit : distance }
  })
}
