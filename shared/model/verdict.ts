/** What is known of one metric in one slide. Worst first: the order decides which of two verdicts a metric gets. */
export const METRIC_VERDICTS = ['FAIL', 'INVALID', 'STALE', 'INSUFFICIENT', 'NO_BASELINE', 'DRIFT', 'PASS'] as const
export type MetricVerdict = (typeof METRIC_VERDICTS)[number]

/** What is known of a rig in one slide, worst first (decisions 6). */
export const OVERALL_VERDICTS = ['FAIL', 'NO_TEST', 'NO_BASELINE', 'PASS_WITH_DRIFT', 'PASS'] as const
export type OverallVerdict = (typeof OVERALL_VERDICTS)[number]

/** Exit codes of commands that give a verdict (decisions 23). */
export const VERDICT_EXIT: Readonly<Record<OverallVerdict, number>> = {
  PASS: 0,
  PASS_WITH_DRIFT: 10,
  FAIL: 20,
  NO_TEST: 30,
  NO_BASELINE: 30,
}

/** The operational modes, as the predecessor names them. */
export const MODES = ['startup', 'nominal', 'degraded', 'fallback', 'maintenance', 'test', 'emergency'] as const
export type Mode = (typeof MODES)[number]
