import { Type } from 'typebox'
import { closed, oneOf } from '../../shared/config/schema-parts.ts'
import { ORDER_KINDS } from '../../shared/model/order.ts'
import { FAULT_SHAPES } from '../core/fault.ts'
import { TIME_FORM, TIME_PATTERN } from './time-text.ts'

/** Steps of one list. */
export const STEPS_MAX = 500
/** Longest expression over plant truth; the oracle takes no longer one. */
const EXPRESSION_MAX = 4096
/** Names of faults, marks and parameters. */
export const NAME_PATTERN = '^[A-Za-z][A-Za-z0-9_-]{0,62}$'

export const name = (description: string) =>
  Type.String({ pattern: NAME_PATTERN, form: 'a name: a letter, then letters, digits, `_` and `-`', description })
export const time = (description: string) => Type.String({ pattern: TIME_PATTERN, form: TIME_FORM, description })
export const expression = (description: string) =>
  Type.String({ minLength: 1, maxLength: EXPRESSION_MAX, description: `${description} As \`p_bar > 9.5\`.` })
const text = (description: string) => Type.String({ minLength: 1, maxLength: 512, description })
const number = Type.Number({ minimum: -1e300, maximum: 1e300 })
const people = (description: string) => Type.Array(text('Operator.'), { description, minItems: 1, maxItems: 2 })
const inputs = (description: string) => Type.Record(Type.String(), number, { description })
const word = Type.Optional

/** What a fault takes beside what all have: by name, as docs/reference/faults.md lists it. */
export const FaultParamSchema = Type.Union([number, Type.String({ maxLength: 256 })], {
  description: 'Parameter of the class of the fault.',
})

export const InjectSchema = Type.Object(
  {
    id: name('Name of the fault; what is expected of it names it.'),
    target: text('Channel, source, common-cause group, actuator, person, `agent`, `collector` or `peer`.'),
    class: text('Fault, as `sensor.stuck_at`.'),
    onset: Type.Optional(time('How long after its step it begins; by default at once.')),
    duration: Type.Optional(time('How long it acts; by default until the end of the run.')),
    shape: oneOf(FAULT_SHAPES, 'How strongly it acts over time.', 'step'),
    period: Type.Optional(time('One period, of `periodic`.')),
    pulse: Type.Optional(time('How long it acts, of `pulse`, and in each period of `periodic`.')),
  },
  {
    additionalProperties: false,
    patternProperties: { '^[a-z_]+$': FaultParamSchema },
    description: 'A fault, with the parameters of its class beside it.',
  },
)

const ArmSchema = closed(
  { by: people('Who arms: two people.'), for: time('Until it ends by itself.') },
  'Two people arm the rig; what stands against it only because the run has just begun is waited for.',
)
const OrderSchema = closed(
  {
    kind: oneOf(ORDER_KINDS, 'What is ordered.'),
    by: people('Who orders; a second one confirms.'),
    subject: Type.Optional(text('Action, rule, target or alarm that it is about.')),
    value: Type.Optional(text('Mode, target of an action, or what was seen of an alarm.')),
    reason: Type.Optional(text('Why.')),
    for_s: Type.Optional(Type.Number({ minimum: 0, maximum: 86_400, description: 'How long it holds, in seconds.' })),
  },
  'An order of people, signed by their keys.',
)
const ActuatorStepSchema = closed(
  { target: text('Actuator.'), set: inputs('What is set on the plant by hand, by input.') },
  'Sets by hand what an actuator sets.',
)

const ACTS = {
  stimulate: word(inputs('Sets inputs of the plant: what happens to it from outside.')),
  arm: word(ArmSchema),
  disarm: word(text('Operator who disarms.')),
  order: word(OrderSchema),
  actuator: word(ActuatorStepSchema),
}

const AWAIT = closed({ condition: expression('What is waited for, of plant truth.'), within: time('At most so long.') })

/** `setup`: before anything is injected. One word a step. */
export const SetupStepSchema = closed(
  { ...ACTS, await: word(AWAIT), wait: word(time('Waits, in event time.')) },
  'One of these words.',
)

/** `teardown`: what brings plant and people back, also after a run that broke off. One word a step. */
export const TeardownStepSchema = closed(
  { ...ACTS, clear: word(name('Fault that ends.')), wait: word(time('Waits, in event time.')) },
  'One of these words.',
)

/** `steps`: when, and what then; several words are done in the order in which they stand. */
export const TimedStepSchema = closed(
  {
    at: Type.Optional(time('When, from the start of the run; with `when`, from then on.')),
    when: Type.Optional(expression('As soon as this holds of plant truth, from `at` or the step above on.')),
    within: Type.Optional(time('At the latest so long after that, of `when`.')),
    note: Type.Optional(text('Said in the report.')),
    inject: word(InjectSchema),
    clear: word(name('Fault that ends.')),
    mark: word(name('Name of this moment, for what is expected of it.')),
    ...ACTS,
  },
  'When, and what then.',
)
