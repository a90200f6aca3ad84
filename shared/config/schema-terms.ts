import { ID_PATTERN } from '../model/ids.ts'

/** What of a JSON schema is used here. `form` is ours: what the pattern asks for, in words. */
export type Schema = Readonly<{
  type?: string
  const?: unknown
  anyOf?: readonly Schema[]
  properties?: Readonly<Record<string, Schema>>
  patternProperties?: Readonly<Record<string, Schema>>
  required?: readonly string[]
  items?: Schema
  default?: unknown
  description?: string
  pattern?: string
  form?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  minItems?: number
  maxItems?: number
}>

/** Longest text of one key, in characters; a path of Linux is no longer. */
export const TEXT_MAX = 4096

/** Value of a key that is left out; undefined when it may not be. A group of keys may when each of them may. */
export function defaultOf(schema: Schema): unknown {
  if (schema.default !== undefined) return structuredClone(schema.default)
  if (schema.type !== 'object' || schema.properties === undefined) return undefined
  const value: Record<string, unknown> = {}
  for (const key of schema.required ?? []) {
    const part = defaultOf(schema.properties[key]!)
    if (part === undefined) return undefined
    value[key] = part
  }
  return value
}

/** Tells whether one value that is neither a map nor a list is what a schema asks for. */
export function fits(schema: Schema, value: unknown): boolean {
  if (schema.const !== undefined) return value === schema.const
  if (schema.type === 'boolean') return typeof value === 'boolean'
  if (schema.type === 'string') {
    if (typeof value !== 'string' || value.length < (schema.minLength ?? 0)) return false
    if (value.length > (schema.maxLength ?? TEXT_MAX)) return false
    return schema.pattern === undefined || new RegExp(schema.pattern).test(value)
  }
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema
  const { exclusiveMinimum = Number.NEGATIVE_INFINITY } = schema
  if (typeof value !== 'number' || !Number.isFinite(value)) return false
  const whole = schema.type !== 'integer' || Number.isSafeInteger(value)
  return whole && value >= minimum && value <= maximum && value > exclusiveMinimum
}

/** What a schema asks for, in words. */
export function expectedOf(schema: Schema): string {
  if (schema.const !== undefined || schema.anyOf !== undefined) return typeOf(schema)
  const range = rangeOf(schema)
  return range === '' ? typeOf(schema) : `${typeOf(schema)}, ${range}`
}

/** Kind of value, without its range. */
export function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(' or ')
  if (schema.type === 'array') return `a list of ${schema.items === undefined ? 'values' : typeOf(schema.items)}`
  if (schema.type === 'object') return 'a map of keys'
  if (schema.type === 'boolean') return 'true or false'
  if (schema.type === 'string') return schema.pattern === ID_PATTERN ? 'an id' : (schema.form ?? 'text')
  return schema.type === 'integer' ? 'a whole number' : 'a number'
}

/** Bounds of a value, of the length of a text or of the items of a list, in words; empty when there are none. */
export function rangeOf(schema: Schema): string {
  if (schema.pattern === ID_PATTERN) return '1 to 63 of a-z, 0-9 and `-`, not `-` first'
  if (schema.pattern !== undefined && schema.form === undefined) return `of the form ${schema.pattern}`
  if (schema.type === 'array') {
    const { items, minItems, maxItems } = schema
    const each = items === undefined || items.type === 'object' || items.anyOf !== undefined ? '' : rangeOf(items)
    return [each === '' ? '' : `each ${each}`, span(minItems, maxItems, 'item')]
      .filter((part) => part !== '')
      .join('; ')
  }
  if (schema.type === 'string') return span(schema.minLength, schema.maxLength, 'character')
  if (schema.anyOf !== undefined)
    return schema.anyOf
      .map(rangeOf)
      .filter((part) => part !== '')
      .join(' or ')
  const { minimum, maximum, exclusiveMinimum } = schema
  if (exclusiveMinimum !== undefined)
    return `above ${exclusiveMinimum}${maximum === undefined ? '' : ` up to ${maximum}`}`
  // A bound that only keeps infinity out is not worth reading.
  if (maximum !== undefined && maximum >= 1e300)
    return minimum === undefined || minimum <= -1e300 ? '' : `from ${minimum}`
  if (minimum === undefined) return maximum === undefined ? '' : `up to ${maximum}`
  return maximum === undefined ? `from ${minimum}` : `from ${minimum} to ${maximum}`
}

function span(min: number | undefined, max: number | undefined, what: string): string {
  if (max === undefined) return min === undefined ? '' : `at least ${min} ${what}${min === 1 ? '' : 's'}`
  if (min === max) return `${max} ${what}${max === 1 ? '' : 's'}`
  return min === undefined ? `at most ${max} ${what}s` : `${min} to ${max} ${what}s`
}
