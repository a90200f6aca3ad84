import { Type } from 'typebox'
import { closed, METRICS_MAX } from './schema-parts.ts'

const DAY_S = 86_400
const metrics = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { description, default: [], maxItems: METRICS_MAX })
const share = (description: string, initial: number) =>
  Type.Number({ minimum: 0, maximum: 1, default: initial, description })
const weight = (description: string) => share(`How much of a shortfall of ${description} lowers confidence.`, 1)

/** `baseline_quality_policy.yaml`: when a baseline may be certified. Keys of the predecessor keep their names. */
export const QualityPolicySchema = closed({
  version: Type.Literal(1, { description: 'Version of this file.', default: 1 }),
  require_quality_gate: Type.Boolean({
    default: true,
    description:
      'Whether a baseline must pass the gate; anything but `true` is a mistake. The way around is break-glass.',
  }),
  acceptance_criteria: closed(
    {
      min_sample_size: Type.Integer({
        minimum: 1,
        maximum: 1_000_000_000,
        default: 10,
        description: 'Samples of every metric.',
      }),
      min_effective_n: Type.Number({
        minimum: 1,
        maximum: 1e9,
        default: 5,
        description: 'Samples of every metric once their autocorrelation is counted.',
      }),
      min_time_in_state_s: Type.Number({
        minimum: 0,
        maximum: 366 * DAY_S,
        default: 3600,
        description: 'Nominal time in all segments that are used.',
      }),
      stability: closed(
        {
          max_coefficient_of_variation: Type.Number({
            exclusiveMinimum: 0,
            maximum: 1000,
            default: 0.5,
            description:
              'Standard deviation over mean of every metric. A metric within its stated tolerance passes, and so does one on both sides of zero that is hardly wider than its noise.',
          }),
          exclude_metrics: metrics('Metrics that are not asked to be stable, nor for `min_effective_n`.'),
        },
        'Whether the rig was in one state.',
      ),
      allow_constant: metrics('Metrics that may be the same in every sample.'),
      no_unresolved_alerts: Type.Boolean({
        default: true,
        description: 'Whether every slide of the segments must have been PASS when it was recorded.',
      }),
      min_environment_match_score: share('Share of the stated context fields that must be those of the rig.', 0.7),
      max_gap_s: Type.Number({
        exclusiveMinimum: 0,
        maximum: DAY_S,
        default: 10,
        description: 'Longest silence inside a segment.',
      }),
      max_step_statistic: Type.Number({
        exclusiveMinimum: 0,
        maximum: 1e6,
        default: 20,
        description: 'Difference of the two halves of any metric, in spreads of block means.',
      }),
      max_contaminated: share('Share of samples of any metric that may lie apart from the rest.', 0.01),
      require_tolerance: Type.Boolean({
        default: false,
        description:
          'Whether every metric must state a tolerance. A stated one must not be less than the smallest shift that is sure to be told.',
      }),
      min_segments: Type.Integer({
        minimum: 5,
        maximum: 1000,
        default: 5,
        description:
          'Replayed nominal segments below which confidence is capped and only notify and degrade may follow.',
      }),
      hard_segments: Type.Integer({
        minimum: 19,
        maximum: 1000,
        default: 19,
        description: 'The same for shutdown, abort and isolate on one stream alone.',
      }),
    },
    'What is computed from the data.',
  ),
  decay: closed(
    {
      max_age_s: Type.Number({
        minimum: 1,
        maximum: 3660 * DAY_S,
        default: 7 * DAY_S,
        description: 'Age at which nothing is left of the confidence; it begins to fall at half of it.',
      }),
      max_drift_spreads: Type.Number({
        exclusiveMinimum: 0,
        maximum: 1e6,
        default: 3,
        description: 'Distance at which a metric without a stated tolerance has moved.',
      }),
      min_common_ratio: share('Share of its metrics that the rig must still have.', 0.5),
    },
    'How a baseline loses its confidence.',
  ),
  confidence_weights: closed(
    {
      sample_size: weight('samples'),
      effective_n: weight('effective samples'),
      stability: weight('stability'),
      no_alerts: weight('alerts, or of nobody knowing of them,'),
      environment_match: weight('matching context'),
      step_statistic: weight('the step statistic'),
      contamination: weight('samples that lie apart'),
      detectable_shift: weight('what can be told'),
    },
    'Confidence is the product of all scores, each weighed with this, and of M/(M+1) for M replayed segments.',
  ),
})
