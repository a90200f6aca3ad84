import { Type } from 'typebox'
import { closed, id, oneOf } from '../../shared/config/schema-parts.ts'
import { EARLIEST_US, LATEST_US } from '../../shared/units.ts'
import { EXPECTATIONS_MAX, ExpectationSchema } from './expectation-schema.ts'
import { RIG_PARTS } from './rig-schema.ts'
import { SetupStepSchema, STEPS_MAX, TeardownStepSchema, TimedStepSchema } from './step-schema.ts'

/** Ids of scenarios. */
export const SCENARIO_ID_PATTERN = '^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$'
export const SEED_MAX = 4_294_967_295
/** Values of one parameter; parameters of one matrix. */
const VALUES_MAX = 256
const TEXT = 512
/** Days of event time are not for a bench. */
const DURATION_MAX_S = 86_400

const reason = (description: string) => Type.String({ minLength: 3, maxLength: TEXT, description })
const names = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 63 }), { description, default: [], maxItems: 64 })
const scalar = Type.Union([
  Type.Number({ minimum: -1e300, maximum: 1e300 }),
  Type.String({ minLength: 1, maxLength: 200 }),
])

export const SeedSchema = Type.Integer({
  minimum: 0,
  maximum: SEED_MAX,
  default: 1,
  description: 'Seed of all chance.',
})
export const ClockSchema = closed(
  {
    mode: oneOf(
      ['lockstep', 'free_run'] as const,
      '`lockstep`: the bench moves the time of the agent; `free_run`: on the wall, for true latency.',
      'lockstep',
    ),
    quantum_ms: Type.Integer({ minimum: 1, maximum: 1000, default: 5, description: 'The bench moves on by so much.' }),
    duration_s: Type.Number({ exclusiveMinimum: 0, maximum: DURATION_MAX_S, description: 'Length of the run.' }),
    begin_us: Type.Optional(
      Type.Integer({
        minimum: EARLIEST_US,
        maximum: LATEST_US,
        description: 'Event time of the start in lock-step, µs since 1970; by default 2026-06-01 UTC.',
      }),
    ),
  },
  'How time goes.',
)

export const ParamsSchema = closed(
  {
    set: Type.Record(Type.String(), scalar, {
      description: 'Values by name, for `$` and the name in braces anywhere in the file; one may refer to others.',
      default: {},
    }),
    matrix: Type.Record(Type.String(), Type.Array(scalar, { minItems: 1, maxItems: VALUES_MAX }), {
      description:
        'One run for each combination: of `seed`, `quantum_ms`, `duration_s`, `FAULT.PARAMETER`, and names of `set`.',
      default: {},
    }),
    pairwise: Type.Boolean({
      default: false,
      description: 'Instead: as few runs as it takes for every two values of two parameters to meet.',
    }),
  },
  'Values that change from run to run.',
)

/** `*.scenario.yaml`. */
export const ScenarioSchema = closed({
  hil: Type.Literal(1, { description: 'Version of this file.' }),
  id: Type.String({
    pattern: SCENARIO_ID_PATTERN,
    maxLength: 63,
    form: 'an id as SCN-ACT-014',
    description: 'Id, once in all files.',
  }),
  title: Type.String({ minLength: 3, maxLength: TEXT, description: 'What it shows, in a line.' }),
  verifies: names('Requirements and hazards that it shows (requirements.yaml).'),
  tags: names('Words to choose it by.'),
  skip: Type.Optional(reason('Why it is not run.')),
  xfail: Type.Optional(reason('Why it is expected to fail.')),
  rig: id('Rig: `rigs/NAME/rig.yaml` in a folder above.'),
  seed: SeedSchema,
  clock: ClockSchema,
  ...RIG_PARTS,
  params: Type.Optional(ParamsSchema),
  setup: Type.Array(SetupStepSchema, { description: 'First, in order.', default: [], maxItems: STEPS_MAX }),
  steps: Type.Array(TimedStepSchema, {
    description: 'What happens, in order of time.',
    default: [],
    maxItems: STEPS_MAX,
  }),
  expect: Type.Array(ExpectationSchema, {
    description: 'What must come of it.',
    minItems: 1,
    maxItems: EXPECTATIONS_MAX,
  }),
  teardown: Type.Array(TeardownStepSchema, { description: 'At the end, always.', default: [], maxItems: STEPS_MAX }),
})
