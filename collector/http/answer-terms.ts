import { type TSchema, Type } from 'typebox'

/** Words that the shapes of answers are made of. They describe and do not filter: see {@link ./answers.ts}. */

/** An object with these keys and no others. */
export const closed = <T extends Record<string, TSchema>>(properties: T, description?: string) =>
  Type.Object(properties, { additionalProperties: false, ...(description === undefined ? {} : { description }) })
export const orNull = (schema: TSchema) => Type.Union([schema, Type.Null()])

export const Text = Type.String()
export const Whole = Type.Integer({ minimum: 0 })
export const Micros = Type.Integer({ description: 'Whole microseconds since 1970, UTC.' })
/** SHA-256 in hexadecimal. */
export const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' })
