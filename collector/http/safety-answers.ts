import { type TSchema, Type } from 'typebox'
import { ACTION_ENDS, ACTION_STAGES, ACTIONS, UNKNOWN_OUTCOME } from '../../shared/model/action.ts'
import { closed, Digest, Micros, orNull, Text, Whole } from './answer-terms.ts'

/** Shapes of what the routes about actions answer; see {@link ./answers.ts}. */
export const ActionStates = Type.Enum([...ACTION_STAGES, ...ACTION_ENDS, UNKNOWN_OUTCOME])
const PLACE = {
  id: Type.String({ description: 'Id of the signed record that says so, as that of a decision.' }),
  time_us: Micros,
  receipt_us: Micros,
}
const Persons = Type.Array(Text, { description: 'Names that keys go by: keys are distinct, persons are unproven.' })

const Step = closed({
  ...PLACE,
  state: ActionStates,
  from: orNull(ActionStates),
  end_us: Micros,
  reasons: Type.Array(Text),
  conditions: Type.Array(Type.Tuple([Text, Text])),
  persons: Persons,
  note: Text,
})
const Action = closed({
  agent: Text,
  program: Text,
  rig: Text,
  key: Digest,
  rule: Text,
  episode: Whole,
  action: Type.Enum([...ACTIONS]),
  target: Text,
  params: orNull(Type.Record(Text, Type.Union([Text, Type.Number(), Type.Boolean()]))),
  state: ActionStates,
  open: Type.Boolean(),
  attempt: Whole,
  deadline_us: Micros,
  time_us: Micros,
  steps_before: Type.Integer({ minimum: 0, description: 'Steps before those that are listed.' }),
  steps: Type.Array(Step),
})

const Arm = closed({
  ...PLACE,
  state: Type.Enum(['ARMED', 'PASSIVE', 'OFF']),
  until_us: Micros,
  over: Type.Boolean({ description: 'Its time is over and the agent has not said that it ended.' }),
  persons: Persons,
  reason: Text,
})
const Inhibit = closed({
  ...PLACE,
  subject: Text,
  until_us: Micros,
  over: Type.Boolean(),
  count: Whole,
  persons: Persons,
  reason: Text,
})
const BreakGlass = closed({
  ...PLACE,
  until_us: Micros,
  over: Type.Boolean(),
  count: Whole,
  persons: Persons,
  reason: Text,
})
const Alarm = closed({ ...PLACE, alarm: Text, severity: Type.Enum(['WARNING', 'CRITICAL']), text: Text })

const ARMS = {
  note: Text,
  counts: closed({ armed: Whole, passive: Whole, break_glass: Whole, inhibits: Whole, alarms: Whole }),
  rigs: Type.Array(
    closed({
      agent: Text,
      program: Text,
      rig: Text,
      arm: orNull(Arm),
      break_glass: orNull(BreakGlass),
      inhibits: Type.Array(Inhibit),
      alarms: Type.Array(Alarm),
    }),
  ),
}

/** As it also stands in the fleet message. */
export const Safety = closed({ ...ARMS, actions: Type.Array(Action) })
export const SAFETY_ANSWERS = {
  actions: { 200: closed({ actions: Type.Array(Action) }) },
  arms: { 200: closed(ARMS) },
} as const satisfies Record<string, Readonly<Record<number, TSchema>>>
