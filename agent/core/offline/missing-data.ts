import type { RunVerdict } from './compare-runs.ts'
import type { RunMetrics, RunRules } from './run-metric.ts'

/** What a run that lacks metrics is worth, as `baseline_policy.missing_data` says. */
export type MissingData = Readonly<{ min_coverage: number; mode: 'ignore' | 'degrade' | 'fail' }>

export type Coverage = Readonly<{ status: RunVerdict; coverage: number; isReduced: boolean }>

/** The share of what was to be measured that has a usable value: of the baseline's metrics, else of the registry's. */
export function coverageOf(current: RunMetrics, baseline: RunMetrics, rules: RunRules): number {
  const wanted = baseline.size > 0 ? [...baseline.keys()] : [...rules.keys()]
  if (wanted.length === 0) return current.size === 0 ? 0 : 1
  const present = wanted.filter((metric) => Number.isFinite(current.get(metric)?.value ?? Number.NaN))
  return present.length / wanted.length
}

/**
 * The verdict after the share of data is weighed. Too little of it can only make a verdict worse: `degrade` takes a pass
 * away (the predecessor made a failed run pass with it), `fail` fails, `ignore` only says so.
 */
export function weighCoverage(status: RunVerdict, coverage: number, policy: MissingData | undefined): Coverage {
  if (policy === undefined || coverage >= policy.min_coverage) return { status, coverage, isReduced: false }
  const worse = { ignore: status, degrade: degraded(status), fail: 'FAIL' as const }[policy.mode]
  return { status: worse, coverage, isReduced: true }
}

function degraded(status: RunVerdict): RunVerdict {
  return status === 'PASS' || status === 'PASS_WITH_DRIFT' || status === 'NO_BASELINE' ? 'NO_TEST' : status
}
