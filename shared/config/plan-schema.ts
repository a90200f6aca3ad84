import { Type } from 'typebox'
import { closed, oneOf } from './schema-parts.ts'

export const BASELINE_MODES = ['explicit', 'last_known_good', 'rolling'] as const
/** How a value of a run is held against an assertion. */
export const PLAN_ASSERT_OPS = ['<', '<=', '>', '>=', '==', '!=', 'in', 'not_in'] as const
export const SCENARIOS_MAX = 1000

/** Names of plans, requirements and scenarios: they become names of folders. */
export const PLAN_NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'

const name = (description: string) =>
  Type.String({ pattern: PLAN_NAME_PATTERN, form: '1 to 63 of A-Z, a-z, 0-9, `_` and `-`', description })
const path = (description: string) =>
  Type.String({ minLength: 1, maxLength: 4096, description: `${description} Relative to this file.` })
const value = Type.Number({ minimum: -1e300, maximum: 1e300 })

/** `plans/*.yaml`: scenarios with their runs, what each is held against, and which requirements they show. */
export const PlanSchema = closed({
  plan_id: name('Name of the plan.'),
  requirements: Type.Array(
    closed({
      id: name('Name of the requirement.'),
      scenarios: Type.Array(name('Id of a scenario.'), {
        description: 'Scenarios that show it; it holds when all of them pass.',
        minItems: 1,
        maxItems: SCENARIOS_MAX,
      }),
    }),
    { description: 'What the scenarios are to show.', default: [], maxItems: SCENARIOS_MAX },
  ),
  scenarios: Type.Array(
    closed({
      id: name('Name of the scenario; its results lie in `results/ID`.'),
      run_artifact_dir: path('Folder of the run.'),
      baseline_mode: oneOf(
        BASELINE_MODES,
        '`explicit`: the run in `baseline_artifact_dir`. `last_known_good`: the golden run of `baseline_key`, else its newest PASS. `rolling`: the newest PASS of `baseline_key`.',
        'explicit',
      ),
      baseline_artifact_dir: Type.Optional(path('Folder of the baseline, for `explicit`.')),
      baseline_key: Type.Optional(name('Name under which good runs are kept in `baselines.json`.')),
      asserts: Type.Optional(path('File of assertions.')),
      set_golden: Type.Boolean({
        default: false,
        description:
          'Whether the run becomes the golden one of `baseline_key` when it is PASS. It serves comparisons alone: a run arms nothing.',
      }),
    }),
    { description: 'Runs and what they are held against.', minItems: 1, maxItems: SCENARIOS_MAX },
  ),
})

/** `asserts/*.yaml`: what values of a run must be, whatever its baseline. */
export const AssertsSchema = closed({
  asserts: Type.Array(
    closed({
      id: name('Name of the assertion.'),
      metric: Type.String({ minLength: 1, maxLength: 128, description: 'Metric, by its name in the registry.' }),
      op: oneOf(PLAN_ASSERT_OPS, 'How it is held against `value`; `in` and `not_in` take a list.'),
      value: Type.Union([value, Type.Array(value, { maxItems: SCENARIOS_MAX })], {
        description: 'In the unit of the registry.',
      }),
      severity: Type.String({
        default: 'error',
        maxLength: 63,
        description: 'Told with the result; a failed assertion fails the scenario whatever it is.',
      }),
    }),
    { description: 'Every one must hold.', minItems: 1, maxItems: SCENARIOS_MAX },
  ),
})
