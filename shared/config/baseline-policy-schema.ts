import { type Static, Type } from 'typebox'
import { BASELINE_STRATEGIES, CONTEXT_FIELDS } from '../model/baseline-selection.ts'
import { ApprovalSchema } from './operator-schema.ts'
import { closed, oneOf } from './schema-parts.ts'

const name = (description: string) => Type.String({ minLength: 1, maxLength: 128, description })

/** `baseline_policy.yaml`: which run or certificate a run is compared with. Keys of the predecessor keep their names. */
export const BaselinePolicySchema = closed({
  version: Type.Optional(
    Type.Union([Type.String({ minLength: 1, maxLength: 32 }), Type.Number()], { description: 'Edition of this file.' }),
  ),
  baseline_policy: closed(
    {
      strategy: oneOf(
        BASELINE_STRATEGIES,
        '`last_pass`: the run with verdict PASS whose context matches best; `tag`, `golden`: what the tag names; `explicit`: the run of `run_id`; `rolling`: the newest rolling baseline, and `last_pass` where there is none.',
        'last_pass',
      ),
      fallback: oneOf(
        ['latest', 'none'],
        'What `last_pass` takes where no run passed: `latest` is the newest run whatever its verdict.',
        'none',
      ),
      warn_on_mismatch: Type.Boolean({
        default: true,
        description:
          'Whether a tag whose registry differs is told in `warning`; anything but `true` is a mistake. It is never compared with.',
      }),
      tag: Type.Optional(name('Tag of the baseline; with a tag every strategy but `explicit` and `rolling` is `tag`.')),
      run_id: Type.Optional(name('Run that `explicit` names.')),
      dual_baseline: closed(
        {
          use_golden_for_hard_gates: Type.Boolean({
            default: true,
            description: 'Whether hard gates ask the golden baseline; anything but `true` is a mistake.',
          }),
          use_rolling_for_early_warning: Type.Boolean({
            default: true,
            description: 'Whether a rolling baseline, where there is one, is named for early warning.',
          }),
        },
        'Both baselines of a run.',
      ),
      governance: ApprovalSchema,
      distribution_drift_enabled: Type.Boolean({
        default: true,
        description: 'Whether distributions are compared where both sides have samples.',
      }),
      context_match: Type.Array(oneOf(CONTEXT_FIELDS, 'Field of `run_meta.json`.'), {
        default: [...CONTEXT_FIELDS],
        minItems: 1,
        maxItems: CONTEXT_FIELDS.length,
        description: 'Context fields whose equality makes a match better. `operating_mode` must be equal in any case.',
      }),
      missing_data: closed(
        {
          min_coverage: Type.Number({
            minimum: 0,
            maximum: 1,
            default: 0,
            description: 'Least share of the metrics of the baseline that a run must have.',
          }),
          mode: oneOf(
            ['ignore', 'degrade', 'fail'],
            'What too few metrics do to a verdict. None of them makes a verdict better.',
            'fail',
          ),
        },
        'Runs that lack metrics.',
      ),
    },
    'How a baseline is chosen.',
  ),
})

/** A checked policy, as the file has it, with its defaults. */
export type BaselinePolicy = Static<typeof BaselinePolicySchema>['baseline_policy']
