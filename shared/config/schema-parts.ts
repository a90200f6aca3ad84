import { Type } from 'typebox'
import { ID_PATTERN } from '../model/ids.ts'

/** Metrics of one registry, and columns of one file. */
export const METRICS_MAX = 4096

/** What `realm` means in every file that has it. */
export const REALM_TEXT =
  'Whether this is of a testbed. What is of a testbed and what is of production do not believe each other: keys, certificates, baselines, bundles and orders must be of the same realm.'

/** A name: of an agent, a rig, a program, a source. */
export const id = (description: string) => Type.String({ pattern: ID_PATTERN, description })
/** A path. */
export const file = (description: string) =>
  Type.String({ minLength: 1, description: `${description} Relative to this file.` })
/** A time span in whole milliseconds. */
export const ms = (description: string, range: { minimum: number; maximum: number; default?: number }) =>
  Type.Integer({ description, ...range })
/** One of some words. */
export const oneOf = <T extends string>(values: readonly T[], description: string, initial?: NoInfer<T>) =>
  Type.Unsafe<T>(
    Type.Union(
      values.map((value) => Type.Literal(value)),
      { description, ...(initial === undefined ? {} : { default: initial }) },
    ),
  )
/** A map of exactly these keys. */
export const closed = <T extends Parameters<typeof Type.Object>[0]>(properties: T, description?: string) =>
  Type.Object(properties, { additionalProperties: false, ...(description === undefined ? {} : { description }) })
