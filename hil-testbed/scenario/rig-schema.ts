import { type TSchema, Type } from 'typebox'
import { RigSchema, RuntimeSchema } from '../../shared/config/schema.ts'
import { closed, file, id, oneOf } from '../../shared/config/schema-parts.ts'
import { LOSS_EFFECTS } from '../../shared/protocol/actuator.ts'
import { expression } from './step-schema.ts'

/** Sensors of a rig; actuators of a rig. */
export const SENSORS_MAX = 4096
export const ACTUATORS_MAX = 32
const RATE_MAX_HZ = 100_000
const MS_MAX = 3_600_000
const OPERATORS_MAX = 16

const value = (description: string) => Type.Number({ minimum: -1e150, maximum: 1e150, description })
const size = (description: string) => Type.Number({ minimum: 0, maximum: 1e150, description })
const ms = (description: string) => Type.Number({ minimum: 0, maximum: MS_MAX, description })
const text = (description: string) => Type.String({ minLength: 1, maxLength: 256, description })
const values = (description: string) => Type.Record(Type.String(), value('Value.'), { description })
const may = Type.Optional

const PlantSchema = closed(
  {
    model: may(text('Built-in plant (`hb hil plant list`); of an external one any name.')),
    params: may(values('What it is made with, by name.')),
    init: may(values('State that it starts in, by name.')),
    command: may(
      Type.Array(Type.String({ maxLength: 4096 }), {
        description:
          'Program and arguments of an external plant, run in the folder of the rig; `{endpoint}` is filled in.',
        minItems: 1,
        maxItems: 64,
      }),
    ),
    file: may(file('Recording of a rig (`hb decisions slice`) that is played instead: its channels are the signals.')),
    step_us: may(Type.Integer({ minimum: 1, maximum: 60_000_000, description: 'Step of an external plant, in µs.' })),
    hazard: may(expression('Where it does harm; by default what the model says.')),
  },
  'Plant: a built-in model, a program of your own, or a recording.',
)

const SensorSchema = closed(
  {
    of: may(text('Signal of the plant; needed.')),
    source: may(text('Acquisition that it is on; by default the `publisher` of its channel in the registry.')),
    rate_hz: may(Type.Number({ exclusiveMinimum: 0, maximum: RATE_MAX_HZ, description: 'Samples a second; needed.' })),
    noise_sd: may(size('Standard deviation of its noise.')),
    resolution: may(size('Smallest step of what it says; 0: none.')),
    lag_ms: may(ms('First-order lag.')),
    gain: may(value('Reading = gain · truth + offset.')),
    offset: may(value('See `gain`.')),
    ccg: may(
      Type.Array(text('Group.'), {
        description: 'Common-cause groups, as faults name them; by default those of its channel in the registry.',
        maxItems: 16,
      }),
    ),
  },
  'Sensor of a channel.',
)

const ActuatorSchema = closed(
  {
    effect: may(values('What its effect sets on the plant, by input; needed.')),
    latency_ms: may(ms('From its effect to that of the plant.')),
    ack: may(
      closed(
        {
          accept_ms: may(ms('Until accepted.')),
          start_ms: may(ms('Until started.')),
          complete_ms: may(ms('Until done.')),
        },
        'When it answers, each after the one before.',
      ),
    ),
    loss_effect: may(oneOf(LOSS_EFFECTS, 'What it does when its permit is lost; by default `de_energise`.')),
    idempotent: may(Type.Boolean({ description: 'Whether it knows keys again; by default true.' })),
  },
  'Actuator of a target of the policy.',
)

/** Keys that the bench writes itself, of a rig and of an agent. */
const RIG_OWN = ['rig', 'registry_file', 'baseline_file', 'actions_policy_file', 'testbed', 'sources'] as const
const AGENT_KEYS = ['decisions', 'checkpoint', 'journal', 'outbox', 'evaluation', 'log_level'] as const

function optional(keys: Readonly<Record<string, TSchema>>): Record<string, TSchema> {
  return Object.fromEntries(Object.entries(keys).map(([key, schema]) => [key, may(schema)]))
}

const rigKeys = Object.entries(RigSchema.properties as Record<string, TSchema>).filter(
  ([key]) => !(RIG_OWN as readonly string[]).includes(key),
)
const agentKeys = AGENT_KEYS.map((key) => [key, RuntimeSchema.properties[key] as TSchema] as const)

/** What a scenario may say of its rig as well: it then counts instead, map by map and key by key. */
export const RIG_PARTS = {
  plant: may(PlantSchema),
  sensors: may(Type.Record(Type.String(), SensorSchema, { description: 'Sensors by channel.' })),
  actuators: may(Type.Record(Type.String(), ActuatorSchema, { description: 'Actuators by target.' })),
  registry: may(file('Metric registry.')),
  policy: may(file('Policy of actions.')),
  baseline: may(
    closed(
      {
        kind: may(
          oneOf(
            ['golden', 'file', 'none'] as const,
            '`golden`: a nominal run of the rig, through the gate and three keys; `file`: one that there is.',
          ),
        ),
        file: may(
          file(
            'Baseline (`.hbb`) of `kind: file`; people of the bench certify it again, for no other is believed here.',
          ),
        ),
        seconds: may(Type.Integer({ minimum: 1, maximum: 86_400, description: 'Length of that run.' })),
        rate_hz: may(
          Type.Number({ exclusiveMinimum: 0, maximum: RATE_MAX_HZ, description: 'Samples a second in it.' }),
        ),
        seed: may(Type.Integer({ minimum: 0, maximum: 4_294_967_295, description: 'Seed of its noise.' })),
      },
      'Baseline of the rig.',
    ),
  ),
  keys: may(closed(optional(Object.fromEntries(rigKeys)), 'Keys of the rig in the `runtime.yaml` of its agent.')),
  agent: may(closed(optional(Object.fromEntries(agentKeys)), 'Keys of that file beside its rigs.')),
  peer: may(
    closed(
      { name: id('Name of the peer.'), link: oneOf(['zeromq', 'http'] as const, 'How it is reached.', 'zeromq') },
      'Peer that speaks the contract. Absent: none.',
    ),
  ),
  telemetry: may(oneOf(['zeromq', 'mqtt'] as const, 'How samples come; by default `zeromq`.')),
  collector: may(Type.Boolean({ description: 'Whether a collector takes part; by default not.' })),
  operators: may(Type.Array(id('Operator.'), { description: 'People with keys.', maxItems: OPERATORS_MAX })),
} as const

/** `rigs/NAME/rig.yaml`. */
export const RigFileSchema = closed({
  hil_rig: Type.Literal(1, { description: 'Version of this file.' }),
  name: id('Name of the rig; that of its folder.'),
  about: may(Type.String({ maxLength: 512, description: 'What it is.' })),
  reserve: may(
    text('Place that there is only one of, such as the rack of a plant: runs on it come one after the other.'),
  ),
  ...RIG_PARTS,
})
