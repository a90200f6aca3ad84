import type { Decision, Finding } from '../../shared/model/decision.ts'
import type { OverallVerdict } from '../../shared/model/verdict.ts'

/** A finding of a metric; the rest of it is plausible. */
export function findingOf(metric: string, verdict: Finding['verdict'] = 'FAIL'): Finding {
  return {
    ...{ metric, channel: `${metric} RMS`, verdict, windowUs: 1_000_000, ground: 'fail_max', unit: 'bar', count: 100 },
    ...{ mean: 8.4, min: 8.1, max: 8.9, limit: 8, baselineMean: 5, baselineSpread: 0.1, deviation: 34, ratio: 1.05 },
    ageUs: 1000,
  }
}

/** A decision about `loop`, as the evaluator hands it out. */
export function decisionOf(
  verdict: OverallVerdict,
  metrics: readonly string[] = [],
  change: Partial<Decision> = {},
): Decision {
  const core = {
    ...{ v: 3, seq: 7, rig: 'loop', verdict, code: 3 },
    config: new Uint8Array(32).fill(1),
    baseline: new Uint8Array(32).fill(2),
    slice: new Uint8Array(32).fill(3),
    baseline_confidence: 0.75,
    event: ['alarm', 1.5, 0.99],
    action: { type: 'notify', outcome: 'would_have_done' },
  }
  return {
    ...{ seq: 7, rig: 'loop', timeUs: 1_767_225_600_000_000, verdict, mode: 'nominal', limitsOnly: false, run: null },
    findings: metrics.map((metric) => findingOf(metric, verdict === 'FAIL' ? 'FAIL' : 'DRIFT')),
    values: [core, null, null, null, null, null],
    ...change,
  }
}
