import { defaultOf, type Schema } from '../../shared/config/schema-terms.ts'
import { RigFileSchema } from './rig-schema.ts'
import { ScenarioSchema } from './scenario-schema.ts'

/** JSON Schemas for editors, by file name; files of the bench name them in their first line. */
export function editorSchemas(): ReadonlyMap<string, object> {
  const of = (title: string, schema: unknown): object => ({
    title,
    ...(forEditor(schema as Schema) as object),
    $defs: { param: PARAM },
  })
  return new Map([
    ['hil-scenario.schema.json', of('Scenario of the HIL bench', ScenarioSchema)],
    ['hil-rig.schema.json', of('Rig of the HIL bench', RigFileSchema)],
  ])
}

/** A reference to a parameter, which may stand in place of any value. */
const PARAM = { type: 'string', pattern: '\\$\\{[A-Za-z]\\w*\\}' }
const REFERENCE = { $ref: '#/$defs/param' }

/**
 * A schema as editors want it: a key with a default may be left out, and a value may be a reference to a parameter. Words of
 * ours, which no editor knows, are left out.
 */
function forEditor(schema: Schema): unknown {
  const { form: _, properties, patternProperties, required, items, anyOf, ...rest } = schema
  const needed = (required ?? []).filter((key) => defaultOf(properties![key]!) === undefined)
  const changed = {
    ...rest,
    ...(properties === undefined ? {} : { properties: each(properties) }),
    ...(patternProperties === undefined ? {} : { patternProperties: each(patternProperties) }),
    ...(needed.length === 0 ? {} : { required: needed }),
    ...(items === undefined ? {} : { items: forEditor(items) }),
    ...(anyOf === undefined ? {} : { anyOf: [...anyOf.map(forEditor), ...(isOfValues(anyOf) ? [REFERENCE] : [])] }),
  }
  const { type, pattern } = schema
  const isStrict =
    schema.const === undefined &&
    (type === 'integer' || type === 'number' || (type === 'string' && pattern !== undefined))
  if (!isStrict) return changed
  const { description, default: initial, ...strict } = changed as Schema
  return {
    ...(description === undefined ? {} : { description }),
    ...(initial === undefined ? {} : { default: initial }),
    anyOf: [strict, REFERENCE],
  }
}

function isOfValues(choices: readonly Schema[]): boolean {
  return choices.every(({ type }) => type !== 'object')
}

function each(schemas: Readonly<Record<string, Schema>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, forEditor(schema)]))
}
