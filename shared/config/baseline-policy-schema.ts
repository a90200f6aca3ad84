import { Type } from 'typebox'
import { BASELINE_STRATEGIES, CONTEXT_FIELDS } from '../model/baseline-selection.ts'
import { closed, oneOf } from './schema-parts.ts'

export const MISSING_DATA_MODES = ['ignore', 'degrade', 'fail'] as const

/** `baseline_policy.yaml`: which baseline a run is compared with. Keys of the predecessor keep their names. */
export const BaselinePolicySchema = closed({
  baseline_policy: closed({
    strategy: oneOf(
      BASELINE_STRATEGIES,
      '`last_pass`: the best match among runs that were PASS. `tag`: the run that `tag` names. `golden`: the run tagged golden. `rolling`: the newest rolling baseline of the program, and without one as `last_pass`. `explicit`: what the command names.',
      'last_pass',
    ),
    fallback: oneOf(
      ['latest', 'none'],
      'Without any PASS: `latest` takes the newest run whatever came of it, with a warning. `none` is NO_BASELINE.',
      'none',
    ),
    warn_on_mismatch: Type.Boolean({
      default: true,
      description: 'A mismatching registry is never compared with, and always told; anything but `true` is a mistake.',
    }),
    tag: Type.Optional(
      Type.String({ minLength: 1, maxLength: 63, description: 'Name of a run, given for each program by itself.' }),
    ),
    context_match: Type.Array(oneOf(CONTEXT_FIELDS, 'A field of run_meta.json.'), {
      description:
        'Fields that decide which run matches best. Mode, program and registry are no votes: what differs in them is never chosen.',
      default: [...CONTEXT_FIELDS],
      maxItems: CONTEXT_FIELDS.length,
    }),
    distribution_drift_enabled: Type.Boolean({
      default: true,
      description: 'Whether samples are compared as distributions where a metric has `distribution_drift`.',
    }),
    dual_baseline: closed(
      {
        use_golden_for_hard_gates: Type.Boolean({
          default: true,
          description: 'Whether FAIL and slow drift are judged by golden.',
        }),
        use_rolling_for_early_warning: Type.Boolean({
          default: true,
          description: 'Whether events are judged by rolling as well.',
        }),
      },
      'Golden and rolling beside each other.',
    ),
    governance: closed(
      {
        require_approval: Type.Boolean({
          default: true,
          description: 'Whether a baseline needs approvals; anything but `true` is a mistake.',
        }),
        approvals_required: Type.Integer({
          minimum: 1,
          maximum: 16,
          default: 2,
          description: 'Approvals by different people, none of them who proposed it.',
        }),
        approvers: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
          description: 'Who may approve; empty for every operator that is trusted.',
          default: [],
          maxItems: 256,
        }),
      },
      'Who makes a baseline one.',
    ),
    missing_data: closed(
      {
        min_coverage: Type.Number({
          minimum: 0,
          maximum: 1,
          default: 0,
          description: 'Share of the metrics of the baseline that a run must have.',
        }),
        mode: oneOf(
          MISSING_DATA_MODES,
          'Below it: `fail` is FAIL, `degrade` takes PASS away and leaves everything worse as it is, `ignore` only tells.',
          'degrade',
        ),
      },
      'What a run that misses metrics is worth.',
    ),
  }),
})
