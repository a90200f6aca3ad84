import { type Static, Type } from 'typebox'
import { ALARM_SLIDES_MAX, DEFINITIONS_MAX, LEVEL_SEVERITIES } from '../model/alarm.ts'
import { MODES } from '../model/verdict.ts'
import { look, quantity } from './look-schema.ts'
import { closed, id, ms, oneOf } from './schema-parts.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const text = (description: string) => Type.String({ minLength: 8, maxLength: 512, description })
const slides = (description: string, initial?: number) =>
  Type.Integer({
    minimum: 1,
    maximum: ALARM_SLIDES_MAX,
    description,
    ...(initial === undefined ? {} : { default: initial }),
  })

const LevelSchema = closed({
  severity: oneOf(LEVEL_SEVERITIES, 'How much it matters; each at most once in an alarm.'),
  ...look,
  value_by_mode: Type.Optional(
    closed(
      Object.fromEntries(MODES.map((mode) => [mode, Type.Optional(quantity(`Limit in mode ${mode}.`))])),
      'Other limits in some modes.',
    ),
  ),
  deadband: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 1e300,
      description: 'How far on the good side of its limit a value must be to clear, in the unit of the metric.',
    }),
  ),
  persistence: slides('Known slides it must be TRUE in; with `persistence_of`, that many of so many.', 1),
  persistence_of: Type.Optional(
    slides('Newest known slides of which `persistence` must be TRUE; by default all of them.'),
  ),
  held_ms: ms('How long that must last, without a slide that is unknown.', {
    minimum: 0,
    maximum: HOUR_MS,
    default: 0,
  }),
})

const AlarmSchema = closed({
  id: id('Name of the alarm.'),
  title: text('What is wrong, in a few words.'),
  levels: Type.Array(LevelSchema, {
    description:
      'One condition for each severity; each is raised and cleared by itself, and the alarm is as severe as the worst.',
    minItems: 1,
    maxItems: LEVEL_SEVERITIES.length,
  }),
  on_unknown: oneOf(
    ['hold', 'reset'] as const,
    'What an unknown slide does to `persistence`: it is passed over, or counting begins anew. `held_ms` begins anew in any case.',
    'hold',
  ),
  max_hold_ms: ms('Unknown for longer, and `ID:unknown` is raised, at least as severe as the alarm.', {
    minimum: 0,
    maximum: HOUR_MS,
    default: 5000,
  }),
  clear_slides: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 1,
    description: 'Slides in a row that must be known to be good to clear it.',
  }),
  clear_ms: ms('How long they must last.', { minimum: 0, maximum: HOUR_MS, default: 1000 }),
  latching: Type.Boolean({
    default: false,
    description: 'Whether it stays until somebody confirms that the cause is gone.',
  }),
  re_alarm_ms: Type.Optional(
    ms('Active for so long, it is announced again, acknowledged or not; never when it is left out.', {
      minimum: 60_000,
      maximum: DAY_MS,
    }),
  ),
  max_shelve_ms: ms('Longest time it may be shelved.', { minimum: 1000, maximum: DAY_MS, default: 8 * HOUR_MS }),
  modes: Type.Optional(
    Type.Array(oneOf(MODES, 'Mode.'), {
      description: 'Modes it is meant for; in the others it is suppressed. All when it is left out.',
      minItems: 1,
      maxItems: MODES.length,
    }),
  ),
  first_out_group: Type.Optional(
    id('Alarms of one cause: the first is announced, the others only when they are worse.'),
  ),
  consequence: text('What happens if nobody acts.'),
  response: text('What the operator does.'),
  time_to_respond_ms: ms('How soon that must be done.', { minimum: 1000, maximum: DAY_MS }),
  guidance: Type.String({
    minLength: 3,
    maxLength: 512,
    description: 'Where it is written: an address or the path of a page.',
  }),
})

/** `alarms` of `actions_policy.yaml`. The alarms of the verdicts of a rig are there without it. */
export const AlarmsSchema = Type.Array(AlarmSchema, {
  description: 'Alarms of the rig, beside those of its verdicts (`rig-fail`, `rig-no-test`, `rig-no-baseline`).',
  default: [],
  maxItems: DEFINITIONS_MAX,
})

/** As the file has it, with its defaults. */
export type AlarmConfig = Static<typeof AlarmSchema>
export type AlarmLevelConfig = Static<typeof LevelSchema>
