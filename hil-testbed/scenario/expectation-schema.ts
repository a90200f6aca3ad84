import { Type } from 'typebox'
import { closed, oneOf } from '../../shared/config/schema-parts.ts'
import { ACTION_ENDS, ACTION_STAGES, ACTIONS, ARM_STATES, UNKNOWN_OUTCOME } from '../../shared/model/action.ts'
import { ALARM_SEVERITIES } from '../../shared/model/alarm.ts'
import { METRIC_VERDICTS, OVERALL_VERDICTS } from '../../shared/model/verdict.ts'
import { TOLD_EVENTS, type ToldEvent } from '../core/run-record.ts'
import { expression, name, time } from './step-schema.ts'
import { WITHIN_FORM, WITHIN_PATTERN } from './time-text.ts'

/** Expectations of one scenario. */
export const EXPECTATIONS_MAX = 200
const COUNT_MAX = 1_000_000_000
const VERDICTS = [...new Set([...OVERALL_VERDICTS, ...METRIC_VERDICTS])]
const TOLD = Object.keys(TOLD_EVENTS) as ToldEvent[]
const STATES = [...ACTION_STAGES, ...ACTION_ENDS, UNKNOWN_OUTCOME]

const text = (description: string) => Type.String({ minLength: 1, maxLength: 512, description })
const maybe = (description: string) => Type.Optional(text(description))
const verdict = oneOf(VERDICTS, 'Verdict.')
/** A verdict or several; a list comes first, for the reader tries it first. */
const verdicts = Type.Union(
  [Type.Array(verdict, { minItems: 1, maxItems: VERDICTS.length }), ...VERDICTS.map((one) => Type.Literal(one))],
  {
    description: 'Verdict of the rig, or with `metric` of a metric; or a list of such, one of which it is.',
  },
)
const count = (description: string) => Type.Optional(Type.Integer({ minimum: 0, maximum: COUNT_MAX, description }))
const HOW_MANY = {
  is: count('Exactly so many.'),
  least: count('At least so many.'),
  most: count('At most so many.'),
}
const WHEN = {
  within: Type.Optional(
    Type.String({ pattern: WITHIN_PATTERN, form: WITHIN_FORM, description: 'Until when it must have come.' }),
  ),
  optional: Type.Boolean({ default: false, description: 'It may be missed; the report says whether it was.' }),
}
const SPAN = {
  from: Type.Optional(time('From when on; by default from the start.')),
  to: Type.Optional(time('Until when; by default the end.')),
}
const ACTION = {
  target: Type.Optional(text('Target of the action; by default any.')),
}
const state = (description: string, initial?: (typeof STATES)[number]) => oneOf(STATES, description, initial)
const action = oneOf(ACTIONS, 'Action.')
const word = Type.Optional

/** One thing that must come of a run: exactly one of these words. */
export const ExpectationSchema = closed(
  {
    verdict: word(
      closed({
        is: verdicts,
        metric: maybe('Metric; by default the rig.'),
        ground: maybe('Why, as the record says it.'),
        ...WHEN,
      }),
    ),
    alarm: word(
      closed({
        name: text('Alarm, as the record names it, or the word before its colon.'),
        severity: Type.Optional(oneOf(ALARM_SEVERITIES, 'How bad.')),
        active: Type.Boolean({ default: true, description: 'Whether it is raised, or is over.' }),
        ...WHEN,
      }),
    ),
    action: word(
      closed({
        kind: action,
        ...ACTION,
        reaches: state('State that it must come to.'),
        reason: maybe('A reason that the record gives, or the word before its colon.'),
        ...WHEN,
      }),
    ),
    arm: word(closed({ state: oneOf(ARM_STATES, 'What the rig must become.'), ...WHEN })),
    refused: word(closed({ reason: text('Why an order was refused, or the word before its colon.'), ...WHEN })),
    told: word(
      closed({
        event: oneOf(TOLD, 'What the agent told of those it is connected to, of its disk or of its clock.'),
        why: maybe('A word of the reason that it gave; by default any.'),
        ...WHEN,
      }),
    ),
    gap: word(closed({ reason: text('Why something is missing in the record.'), optional: WHEN.optional })),
    never: word(
      closed({
        plant: Type.Optional(expression('Of plant truth.')),
        verdict: Type.Optional(verdicts),
        alarm: maybe('Alarm.'),
        action: Type.Optional(action),
        ...ACTION,
        state: Type.Optional(state('State of that action; by default RELEASED.')),
        ...SPAN,
      }),
    ),
    always: word(closed({ verdict: verdicts, ...SPAN })),
    stl: word(expression('Bounded formula over plant truth, with windows.')),
    count: word(
      closed({
        action: Type.Optional(action),
        ...ACTION,
        state: Type.Optional(state('State of that action; by default RELEASED.')),
        effect: maybe('Actuator: what it really did.'),
        alarm: maybe('Alarm: how often it was raised.'),
        ...HOW_MANY,
      }),
    ),
    counter: word(closed({ name: text('Counter of the agent.'), ...HOW_MANY })),
    fhti: word(
      closed({
        from: name('Fault or mark at which the hazard begins.'),
        max_ms: Type.Number({ exclusiveMinimum: 0, maximum: 86_400_000, description: 'Longest time to the effect.' }),
        ftti_ms: Type.Number({ exclusiveMinimum: 0, maximum: 86_400_000, description: 'Fault tolerant time.' }),
      }),
    ),
    start_refused: word(text('Code of the error that the agent ends with before it begins.')),
    replay: word(Type.Literal('equal', { description: 'A replay of the record gives the same bytes.' })),
    collected: word(
      Type.Literal('all', {
        description: 'The collector has every decision exactly once, and the agent its receipt for each.',
      }),
    ),
  },
  'One of these words.',
)
