import { Type } from 'typebox'
import { COMPARISONS } from '../model/actions-policy.ts'
import { METRIC_VERDICTS, OVERALL_VERDICTS } from '../model/verdict.ts'
import { ms, oneOf } from './schema-parts.ts'

const HOUR_MS = 3_600_000

/** A number of a metric, in its own unit; -0 and 0 are equal. */
export const quantity = (description: string) => Type.Number({ minimum: -1e300, maximum: 1e300, description })

/**
 * What conditions of rules, guards and levels of alarms look at, one of four: a window against a number, verdicts of a
 * metric, the verdict of the rig, or its event streams.
 */
export const look = {
  metric: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Metric of the registry.' })),
  window_ms: Type.Optional(
    ms('Window of the metric that is compared; one of those it is judged by.', { minimum: 1, maximum: HOUR_MS }),
  ),
  of: Type.Optional(
    oneOf(['mean', 'min', 'max'] as const, 'What of the window is compared; `mean` when it is left out.'),
  ),
  op: Type.Optional(
    oneOf(COMPARISONS, 'How it is compared with `value`: `>=` and `<=` include it. 0 and -0 are equal.'),
  ),
  value: Type.Optional(quantity('Number it is compared with, in the unit of the metric.')),
  verdict: Type.Optional(
    Type.Array(oneOf(METRIC_VERDICTS, 'Verdict.'), {
      description: 'Instead of a window: TRUE while the verdict of the metric is one of these.',
      minItems: 1,
      maxItems: METRIC_VERDICTS.length,
    }),
  ),
  overall: Type.Optional(
    Type.Array(oneOf(OVERALL_VERDICTS, 'Verdict.'), {
      description: 'Instead of a metric: TRUE while the verdict of the rig is one of these.',
      minItems: 1,
      maxItems: OVERALL_VERDICTS.length,
    }),
  ),
  event: Type.Optional(
    Type.Literal(true, { description: 'Instead of a metric: TRUE while the event streams of the rig are in alarm.' }),
  ),
}
