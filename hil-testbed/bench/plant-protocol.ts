import { type Static, type TProperties, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Micros } from '../../shared/units.ts'

/**
 * What the bench and an external plant say to each other, in turns: one JSON object (UTF-8) in one part of a ZeroMQ message.
 * The bench binds a ROUTER; the plant connects a REQ (or a DEALER with an empty part in front) and speaks first:
 *
 *   plant  hello                          bench  grant n = 0, until 0
 *   plant  advanced n = 0, at 0           bench  grant n = 1 …
 *   plant  failed                         bench  end
 *
 * `docs/reference/plant` is generated from here; `test/vectors/plant-1.json` has what is a message and what is none.
 */
export const PLANT_PROTOCOL_VERSION = 1
/** Longest message either way. */
export const PLANT_MESSAGE_BYTES_MAX = 256 * 1024
/** Signals, and inputs, of one plant. */
export const PLANT_NAMES_MAX = 1024
const TEXT_MAX = 512
const NAME = '^[a-z][a-z0-9_]{0,62}$'

const timeUs = (description: string) => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description })
const text = (description: string) => Type.String({ maxLength: TEXT_MAX, description })
const byName = <T extends TSchema>(of: T, description: string) =>
  Type.Record(Type.String({ pattern: NAME }), of, {
    additionalProperties: false,
    maxProperties: PLANT_NAMES_MAX,
    description,
  })
const closed = <K extends string, T extends TProperties>(type: K, properties: T, description: string) =>
  Type.Object({ type: Type.Literal(type), ...properties }, { additionalProperties: false, description })
const NUMBERS = Type.Number({ description: 'Finite.' })
const TURN = Type.Integer({ minimum: 0, description: 'Number of the grant, from 0; the answer repeats it.' })

export const PlantHelloSchema = closed(
  'hello',
  {
    v: Type.Literal(PLANT_PROTOCOL_VERSION, { description: 'Version of this protocol.' }),
    model: Type.String({ minLength: 1, maxLength: TEXT_MAX, description: 'What it is, with its version.' }),
    step_us: Type.Integer({
      minimum: 1,
      maximum: 60_000_000,
      description: 'Its step; that of the scenario is a multiple.',
    }),
    signals: byName(Type.String({ maxLength: 32 }), 'Unit of each signal, by its name.'),
    inputs: byName(Type.String({ maxLength: 32 }), 'Unit of each input, by its name.'),
  },
  'First message of a plant: what it has.',
)

export const PlantAdvancedSchema = closed(
  'advanced',
  {
    n: TURN,
    at_us: timeUs('Where it is: `until_us` of the grant.'),
    signals: byName(NUMBERS, 'Every signal of its hello, then.'),
  },
  'Answer to a grant: it is there.',
)

export const PlantFailedSchema = closed(
  'failed',
  { reason: text('Why, for people.') },
  'Instead of an answer: it cannot go on. The run ends as ERROR.',
)

export const PlantGrantSchema = closed(
  'grant',
  {
    n: TURN,
    until_us: timeUs('It may go on to there, since its start. The first is 0: nothing moves, signals are asked for.'),
    inputs: byName(
      NUMBERS,
      'What was ever set, as it is from now on. What is not here is as the plant begins with it.',
    ),
  },
  'The plant may go on.',
)

export const PlantEndSchema = closed(
  'end',
  { reason: text('Why.') },
  'The run is over: the plant makes itself safe and ends. Exit code 0 says that it is safe.',
)

/** What a plant says, and what it is told, by type. */
export const PLANT_SAYS = { hello: PlantHelloSchema, advanced: PlantAdvancedSchema, failed: PlantFailedSchema } as const
export const PLANT_HEARS = { grant: PlantGrantSchema, end: PlantEndSchema } as const

export type PlantHello = Static<typeof PlantHelloSchema>
export type PlantAdvanced = Static<typeof PlantAdvancedSchema>
export type FromPlant = PlantHello | PlantAdvanced | Static<typeof PlantFailedSchema>
export type PlantGrant = Static<typeof PlantGrantSchema>
export type ToPlant = PlantGrant | Static<typeof PlantEndSchema>

/** Why something is no message; the same words in `test/vectors/plant-1.json`. */
export const PLANT_REFUSALS = ['too_large', 'not_json', 'unknown_type', 'wrong_version', 'wrong_shape'] as const
export type PlantRead<T> =
  | Readonly<{ ok: true; message: T }>
  | Readonly<{ ok: false; refusal: (typeof PLANT_REFUSALS)[number]; detail: string }>

export function readFromPlant(bytes: Uint8Array): PlantRead<FromPlant> {
  return readMessage<FromPlant>(bytes, PLANT_SAYS)
}

export function readToPlant(bytes: Uint8Array): PlantRead<ToPlant> {
  return readMessage<ToPlant>(bytes, PLANT_HEARS)
}

/** All that is wrong with an answer, or '' when nothing is. */
export function advancedProblems(hello: PlantHello, grant: PlantGrant, answer: PlantAdvanced): string {
  const problems: string[] = []
  if (answer.n !== grant.n) problems.push(`n is ${answer.n}, expected ${grant.n}`)
  if (answer.at_us !== grant.until_us) problems.push(`at_us is ${answer.at_us}, expected ${grant.until_us}`)
  for (const name of Object.keys(hello.signals))
    if (!Object.hasOwn(answer.signals, name)) problems.push(`signal ${name} is missing`)
  for (const name of Object.keys(answer.signals))
    if (!Object.hasOwn(hello.signals, name)) problems.push(`signal ${name} is not in its hello`)
  return problems.join('; ')
}

/** What a run needs of a plant. */
export type PlantNeeds = Readonly<{ stepUs: Micros; signals: readonly string[]; inputs: readonly string[] }>

/** All that a plant lacks for a run, or '' when it lacks nothing. */
export function helloProblems(hello: PlantHello, { stepUs, signals, inputs }: PlantNeeds): string {
  const problems: string[] = []
  if (stepUs % hello.step_us !== 0) problems.push(`${stepUs} µs is no multiple of its step, ${hello.step_us} µs`)
  for (const name of signals) if (!Object.hasOwn(hello.signals, name)) problems.push(`it has no signal ${name}`)
  for (const name of inputs) if (!Object.hasOwn(hello.inputs, name)) problems.push(`it has no input ${name}`)
  return problems.join('; ')
}

/** A JSON Schema of each message, as a file of its own holds it: by file name. */
export function plantSchemaFiles(): ReadonlyMap<string, unknown> {
  return new Map(
    Object.entries({ ...PLANT_SAYS, ...PLANT_HEARS }).map(([type, schema]) => [
      `${type}.json`,
      { $schema: 'https://json-schema.org/draft/2020-12/schema', title: type, ...schema },
    ]),
  )
}

function readMessage<T>(bytes: Uint8Array, schemas: Readonly<Record<string, TSchema>>): PlantRead<T> {
  const refused = (refusal: (typeof PLANT_REFUSALS)[number], detail: string) =>
    ({ ok: false, refusal, detail: detail.slice(0, TEXT_MAX) }) as const
  if (bytes.length > PLANT_MESSAGE_BYTES_MAX) return refused('too_large', `${bytes.length} bytes`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return refused('not_json', 'not JSON in UTF-8; NaN and Infinity are none')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refused('not_json', 'not an object')
  const { type, v } = value as Record<string, unknown>
  const schema = typeof type === 'string' && Object.hasOwn(schemas, type) ? schemas[type] : undefined
  if (schema === undefined)
    return refused('unknown_type', `${String(type)}, expected one of ${Object.keys(schemas).join(', ')}`)
  if (type === 'hello' && v !== PLANT_PROTOCOL_VERSION)
    return refused('wrong_version', `${String(v)}, expected ${PLANT_PROTOCOL_VERSION}`)
  if (Value.Check(schema, value)) return { ok: true, message: value as T }
  const problems = [...Value.Errors(schema, value)].map(({ instancePath, message }) => `${instancePath} ${message}`)
  return refused('wrong_shape', problems.join('; '))
}
