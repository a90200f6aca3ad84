import { type Static, Type } from 'typebox'
import { ACTIONS, SEVERITIES } from '../model/action.ts'
import { REARMS, VOTES } from '../model/actions-policy.ts'
import { MODES } from '../model/verdict.ts'
import { AlarmsSchema } from './alarm-schema.ts'
import { look } from './look-schema.ts'
import { closed, id, ms, oneOf } from './schema-parts.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Bounds of one policy: of its lists, and of the conditions of one rule. */
export const RULES_MAX = 256
export const CONDITIONS_MAX = 8
export const TARGETS_MAX = 32
/** Slides that a condition looks back. */
export const PERSISTENCE_SLIDES_MAX = 512
/** A common-cause group with its kind. */
export const GROUP_PATTERN = '^(sensor|daq|bus|power|clock|host|publisher):[^\\s:]{1,64}$'

const text = (description: string) => Type.String({ minLength: 3, maxLength: 512, description })
const share = (description: string, initial?: number) =>
  Type.Number({ minimum: 0, maximum: 1, description, ...(initial === undefined ? {} : { default: initial }) })
const action = oneOf(ACTIONS, 'What is done.')
const target = id('Target it is done to, by its name in `targets`.')
const actionOn = { action, target }
const stage = (description: string, initial: number) =>
  ms(description, { minimum: 1, maximum: MINUTE_MS, default: initial })

/** A look, how often it must be TRUE, and how old what it looks at may be. */
const condition = {
  ...look,
  persistence: Type.Integer({
    minimum: 1,
    maximum: PERSISTENCE_SLIDES_MAX,
    default: 1,
    description: 'Slides it must be TRUE in; with `persistence_of`, that many of so many.',
  }),
  persistence_of: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: PERSISTENCE_SLIDES_MAX,
      description: 'Newest slides of which `persistence` must be TRUE; by default all of them.',
    }),
  ),
  fresh_ms: ms('Age of the newest sample, by its own time and by its arrival, past which it is STALE.', {
    minimum: 1,
    maximum: HOUR_MS,
    default: 1000,
  }),
}

const ConditionSchema = closed({
  id: Type.Optional(id('Name in reasons and records; by default the number of its place, from 1.')),
  ...condition,
})
const PlainConditionSchema = (description: string) => closed(condition, description)

const VerifySchema = closed(
  {
    ...condition,
    within_ms: ms('How long after it started it must be TRUE.', { minimum: 1, maximum: HOUR_MS }),
  },
  'How it is seen that it had its effect, by a channel that the target has no hand in. `notify` alone needs none.',
)

const HazardSchema = closed({
  ...actionOn,
  inadvertent: oneOf(SEVERITIES, 'How bad it is when it comes unasked.'),
  omission: oneOf(SEVERITIES, 'How bad it is when it does not come.'),
  reason: text('Why it is as bad as that.'),
  ftti_ms: ms(
    'Fault tolerant time interval: from the fault to harm; where nothing shows a fault before a limit is passed, from there.',
    { minimum: 1, maximum: DAY_MS },
  ),
  safe_state: text('What state the rig is in afterwards.'),
  verify: Type.Optional(VerifySchema),
  loss_of_permit: Type.Optional(
    oneOf(
      ['de_energise', 'hold_last', 'none'] as const,
      'What the hardware does when the agent no longer says that it is well; by default `de_energise` where a missing action is critical, else `none`.',
    ),
  ),
  loss_of_permit_reason: Type.Optional(text('Why it is not `de_energise`.')),
  second_layer: Type.Optional(text('The hardwired layer that protects without the agent.')),
  on_unknown: Type.Optional(
    oneOf(
      ['safe_state', 'alarm'] as const,
      'What follows when too few conditions are known to tell, for an action whose missing is dangerous: it is done, or a CRITICAL alarm is raised.',
    ),
  ),
})

const RuleSchema = closed({
  id: id('Name of the rule.'),
  ...actionOn,
  vote: oneOf(
    VOTES,
    'How many conditions must be TRUE; what the hazard of the action asks for: 1ooN where missing it is worse, 2oo2 where doing it unasked is worse, 2oo3 where both are bad.',
  ),
  conditions: Type.Array(ConditionSchema, {
    description: 'Conditions that vote. A hard action (isolate, abort, shutdown) needs at least two.',
    minItems: 1,
    maxItems: CONDITIONS_MAX,
  }),
  params: Type.Record(
    Type.String(),
    Type.Union([Type.String({ maxLength: 256 }), Type.Number({ minimum: -1e300, maximum: 1e300 }), Type.Boolean()]),
    { description: 'Plain parameters that go to the target.', default: {} },
  ),
  coincidence_ms: ms('Within how long of each other the conditions must be TRUE, in event time.', {
    minimum: 0,
    maximum: HOUR_MS,
    default: 500,
  }),
  min_confidence: Type.Optional(
    share('Least confidence of the golden baseline times its decay; by default that of `decision_authority`.'),
  ),
  modes: Type.Array(oneOf(MODES, 'Mode.'), {
    description: 'Operational modes in which it may act.',
    minItems: 1,
    maxItems: MODES.length,
  }),
  rearm: oneOf(REARMS, 'Who arms it for the next episode after the cause has ended.', 'operator'),
  clear_ms: ms('How long the cause must have ended before it is armed again.', {
    minimum: 0,
    maximum: DAY_MS,
    default: 10_000,
  }),
  veto_window_ms: ms('How long any operator may cancel it before it is released; counts inside the FTTI.', {
    minimum: 0,
    maximum: HOUR_MS,
    default: 0,
  }),
  fast_path: Type.Boolean({
    default: false,
    description: 'Judged at every frame, on slides that have not closed. Extremes in their own direction alone.',
  }),
  dry_run: Type.Boolean({ default: false, description: 'Only ever says what it would have done.' }),
  escalation: Type.Optional(closed(actionOn, 'What follows when it is not seen to have had its effect.')),
  expected_per_hour: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 1e6,
      description: 'How often it is expected to come; by default as often as its budgets permit.',
    }),
  ),
})

export const ActionsPolicySchema = closed({
  version: Type.Literal(2, { description: 'Version of this file.' }),
  safety_gate: closed(
    {
      require_two_conditions: Type.Boolean({
        default: true,
        description: 'Whether hard actions need two independent conditions; anything but `true` is a mistake.',
      }),
    },
    'The gate of hard actions: isolate, abort and shutdown, always.',
  ),
  decision_authority: closed(
    {
      min_confidence: share(
        'Least confidence of the golden baseline times its decay, for rules with hard actions that say nothing else.',
        0.9,
      ),
      releases_max: Type.Integer({
        minimum: 1,
        maximum: 64,
        default: 4,
        description: 'Most actions released at one slide; notify is shed first, what makes safe never.',
      }),
    },
    'What any decision needs to be acted upon.',
  ),
  priority: Type.Optional(
    Type.Array(action, {
      description:
        'Every action once, the one that goes first at the top; by default shutdown, abort, isolate, failover, degrade, rate_limit, notify.',
      minItems: ACTIONS.length,
      maxItems: ACTIONS.length,
    }),
  ),
  targets: Type.Array(
    closed({
      name: id('Name of the target.'),
      executor: oneOf(['actuator', 'webhook', 'command', 'notify', 'peer'] as const, 'Who carries it out.'),
      groups: Type.Array(
        Type.String({ pattern: GROUP_PATTERN, form: 'KIND:NAME, such as `publisher:plc-1`', description: 'Group.' }),
        {
          description:
            'Common-cause groups it has a hand in, `[]` for none: what they feed cannot verify what it acknowledged. Kinds: sensor, daq, bus, power, clock, host, publisher.',
          maxItems: 32,
        },
      ),
      non_idempotent: Type.Boolean({
        default: false,
        description: 'It does not answer a repeated key with the first outcome: nothing is sent to it again by itself.',
      }),
      send_timeout_ms: stage('How long handing it over may take.', 100),
      accept_timeout_ms: stage('How long its acknowledgement may take.', 250),
      start_timeout_ms: stage('How long it may then take to start.', 250),
      complete_timeout_ms: ms('How long it may then take to be done.', { minimum: 1, maximum: HOUR_MS, default: 500 }),
      retries: Type.Integer({
        minimum: 0,
        maximum: 10,
        default: 2,
        description: 'Times it is sent again without an acknowledgement.',
      }),
      permit_hold_ms: Type.Optional(
        ms(
          'How long the hardware goes on without a sign of life, where a hazard asks for a permit; by default 1 s, or the shortest `ftti_ms` of those hazards.',
          { minimum: 50, maximum: MINUTE_MS },
        ),
      ),
      proof_every_h: Type.Optional(
        Type.Number({
          minimum: 0.01,
          maximum: 8784,
          description:
            'How often the whole path to it is proved without an effect, in hours; overdue, its rigs cannot be armed. By default never.',
        }),
      ),
      back_off_ms: ms('Pause before the first time; it doubles, inside what is left of the FTTI.', {
        minimum: 1,
        maximum: MINUTE_MS,
        default: 50,
      }),
    }),
    { description: 'Who carries actions out.', minItems: 1, maxItems: TARGETS_MAX },
  ),
  hazards: Type.Array(HazardSchema, {
    description: 'What each action on each target means for the rig; every one that a rule may lead to.',
    minItems: 1,
    maxItems: RULES_MAX,
  }),
  rules: Type.Array(RuleSchema, {
    description: 'What is done when. All that apply are done, in the order of `priority`.',
    minItems: 1,
    maxItems: RULES_MAX,
  }),
  interlocks: Type.Array(
    closed({
      id: id('Name of the interlock.'),
      assume: PlainConditionSchema('While this is TRUE …'),
      guarantee: PlainConditionSchema('… this must be TRUE too, or else'),
      blocks: Type.Array(closed(actionOn), {
        description: 'these actions are blocked.',
        minItems: 1,
        maxItems: RULES_MAX,
      }),
    }),
    { description: 'What must hold for actions to be permitted.', default: [], maxItems: RULES_MAX },
  ),
  exclusions: Type.Array(
    closed({
      actions: Type.Array(closed(actionOn), {
        description: 'Actions of which at most one may be under way.',
        minItems: 2,
        maxItems: TARGETS_MAX,
      }),
    }),
    { description: 'Actions that exclude each other.', default: [], maxItems: RULES_MAX },
  ),
  budgets: Type.Array(
    closed({
      action,
      target: Type.Optional(id('Target; without it the budget is for all of them together.')),
      most: Type.Integer({ minimum: 1, maximum: 10_000, description: 'Most of them in `window_ms`.' }),
      window_ms: ms('Window they are counted in.', { minimum: 1000, maximum: 7 * DAY_MS }),
      spacing_ms: ms('Least time between two of them.', { minimum: 0, maximum: DAY_MS, default: 0 }),
      latch_ms: ms(
        'How long after one of them the next is blocked, against swinging to and fro; a failover needs it.',
        {
          minimum: 0,
          maximum: 7 * DAY_MS,
          default: 0,
        },
      ),
    }),
    { description: 'How often things may be done.', default: [], maxItems: RULES_MAX },
  ),
  alarms: AlarmsSchema,
  alarms_notify: Type.Optional(
    id('Target of the kind notify that is told of every CRITICAL alarm too; without it nobody is told beyond the log.'),
  ),
})

/** A checked policy, as the file has it, with its defaults. */
export type ActionsPolicy = Static<typeof ActionsPolicySchema>
export type RuleConfig = ActionsPolicy['rules'][number]
export type HazardConfig = ActionsPolicy['hazards'][number]
export type TargetConfig = ActionsPolicy['targets'][number]
/** What is common to the conditions of rules, hazards and interlocks. */
export type ConditionConfig = Omit<RuleConfig['conditions'][number], 'id'>
