import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type Scalar, visit, type YAMLMap } from 'yaml'
import { didYouMean, type Problem } from './problems.ts'

/** Longest configuration file, in bytes; a registry of four thousand metrics has about one. */
export const YAML_BYTES_MAX = 4 * 1024 * 1024

/** What of a JSON schema is used here. */
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
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  minItems?: number
  maxItems?: number
}>

/** A file that was read: its value with defaults, and where everything stands. */
export type CheckedFile = Readonly<{ value: unknown; problems: readonly Problem[]; at(path: readonly (string | number)[]): Pick<Problem, 'file' | 'line' | 'column' | 'key'> }>

/**
 * Reads a YAML file against its schema. Every mistake is noted with its place and the reading goes on; the value is to be
 * used only when there is none.
 */
export function checkYaml(file: string, bytes: Uint8Array, schema: Schema): CheckedFile {
  const check = new Check(file, bytes)
  const value = check.run(schema)
  return { value, problems: check.problems, at: (path) => check.place(path) }
}

type Path = readonly (string | number)[]

class Check {
  readonly problems: Problem[] = []
  private readonly file: string
  private readonly lines = new LineCounter()
  private readonly document: ReturnType<typeof parseDocument>

  constructor(file: string, bytes: Uint8Array) {
    this.file = file
    if (bytes.length > YAML_BYTES_MAX) {
      this.problems.push({ file, line: 1, column: 1, key: '', found: `${bytes.length} bytes`, expected: `at most ${YAML_BYTES_MAX}` })
      this.document = parseDocument('')
      return
    }
    this.document = parseDocument(new TextDecoder().decode(bytes), { lineCounter: this.lines, uniqueKeys: true, version: '1.2', prettyErrors: false, stringKeys: true })
  }

  run(schema: Schema): unknown {
    if (this.problems.length > 0) return undefined
    for (const error of this.document.errors) {
      const { line, col } = this.lines.linePos(error.pos[0])
      this.problems.push({ file: this.file, line, column: col, key: '', found: error.message, expected: 'YAML 1.2', hint: 'one key a line, two spaces an indent, no tabs' })
    }
    // Anchors let ten lines stand for gigabytes, and hide what is in force; nobody needs them here.
    visit(this.document, (_, node) => {
      if (isAlias(node)) this.add(node, [], { found: 'an alias (`*name`)', expected: 'the value itself' })
    })
    return this.problems.length > 0 ? undefined : this.value(schema, this.document.contents, [])
  }

  place(path: Path): Pick<Problem, 'file' | 'line' | 'column' | 'key'> {
    // The nearest part that exists: what is missing is looked for where it belongs.
    for (let n = path.length; n > 0; n -= 1) {
      const node = this.document.getIn(path.slice(0, n), true) as Node | undefined
      if (node?.range != null) return { ...this.position(node), key: keyOf(path) }
    }
    return { file: this.file, line: 1, column: 1, key: keyOf(path) }
  }

  private position(node: Node | null | undefined): Pick<Problem, 'file' | 'line' | 'column'> {
    const { line, col } = node?.range == null ? { line: 1, col: 1 } : this.lines.linePos(node.range[0])
    return { file: this.file, line, column: col }
  }

  private add(node: Node | null | undefined, path: Path, what: Pick<Problem, 'found' | 'expected'> & { hint?: string | undefined }): undefined {
    const { found, expected, hint } = what
    this.problems.push({ ...this.position(node), key: keyOf(path), found, expected, ...(hint === undefined ? {} : { hint }) })
    return undefined
  }

  private value(schema: Schema, node: Node | null | undefined, path: Path): unknown {
    if (schema.anyOf !== undefined) return this.choice(schema.anyOf, node, path)
    if (schema.type === 'object') return this.object(schema, node, path)
    if (schema.type === 'array') return this.list(schema, node, path)
    return this.scalar(schema, node, path)
  }

  private choice(choices: readonly Schema[], node: Node | null | undefined, path: Path): unknown {
    if (choices[0]?.type === 'object' && isMap(node)) {
      const types = choices.map((choice) => choice.properties?.['type']?.const as string)
      const type = node.get('type')
      const chosen = choices[types.indexOf(type as string)]
      if (chosen !== undefined) return this.object(chosen, node, path)
      return this.add(node, [...path, 'type'], { found: brief(type), expected: `one of ${types.join(', ')}`, hint: typeof type === 'string' ? didYouMean(type, types) : undefined })
    }
    const before = this.problems.length
    for (const choice of choices) {
      const value = this.value(choice, node, path)
      if (this.problems.length === before) return value
      this.problems.length = before
    }
    const found = isScalar(node) ? node.value : node
    const words = choices.flatMap((choice) => (typeof choice.const === 'string' ? [choice.const] : []))
    return this.add(node, path, { found: brief(found), expected: choices.map(expectedOf).join(' or '), hint: typeof found === 'string' ? didYouMean(found, words) : undefined })
  }

  private object(schema: Schema, node: Node | null | undefined, path: Path): unknown {
    if (!isMap(node)) return this.add(node, path, { found: kindOf(node), expected: 'a map of keys' })
    const value: Record<string, unknown> = {}
    const every = schema.patternProperties === undefined ? undefined : Object.values(schema.patternProperties)[0]
    for (const pair of (node as YAMLMap).items as Pair<Scalar, Node>[]) {
      const key = String(pair.key.value)
      const known = schema.properties?.[key] ?? every
      if (known === undefined) this.unknownKey(schema, pair.key, [...path, key])
      else value[key] = this.value(known, pair.value, [...path, key])
    }
    for (const key of schema.required ?? []) {
      if (Object.hasOwn(value, key) || node.has(key)) continue
      const missing = schema.properties![key]!
      const initial = defaultOf(missing)
      if (initial !== undefined) value[key] = initial
      else this.add(node, [...path, key], { found: 'nothing', expected: `${expectedOf(missing)}: ${missing.description ?? 'this key is needed'}` })
    }
    return value
  }

  private unknownKey(schema: Schema, node: Node, path: Path): void {
    const known = Object.keys(schema.properties ?? {})
    const key = String(path.at(-1))
    this.add(node, path, { found: 'a key that is not known', expected: `one of ${known.join(', ')}`, hint: didYouMean(key, known) })
  }

  private list(schema: Schema, node: Node | null | undefined, path: Path): unknown {
    if (!isSeq(node)) return this.add(node, path, { found: kindOf(node), expected: 'a list' })
    const { minItems = 0, maxItems = Number.MAX_SAFE_INTEGER } = schema
    if (node.items.length < minItems || node.items.length > maxItems) this.add(node, path, { found: `${node.items.length} items`, expected: `${minItems} to ${maxItems}` })
    return node.items.slice(0, maxItems).map((item, k) => this.value(schema.items!, item as Node, [...path, k]))
  }

  private scalar(schema: Schema, node: Node | null | undefined, path: Path): unknown {
    const value = isScalar(node) ? node.value : undefined
    if (isScalar(node) && fits(schema, value)) return value
    const found = isScalar(node) ? (value === null ? 'nothing' : brief(value)) : kindOf(node)
    return this.add(node, path, { found, expected: expectedOf(schema) })
  }
}

/** Value of a key that is left out; undefined when it may not be. A group of keys may when each of them may. */
function defaultOf(schema: Schema): unknown {
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

function fits(schema: Schema, value: unknown): boolean {
  if (schema.const !== undefined) return value === schema.const
  if (schema.type === 'boolean') return typeof value === 'boolean'
  if (schema.type === 'string') {
    if (typeof value !== 'string' || value.length < (schema.minLength ?? 0) || value.length > (schema.maxLength ?? 4096)) return false
    return schema.pattern === undefined || new RegExp(schema.pattern).test(value)
  }
  const whole = schema.type !== 'integer' || Number.isSafeInteger(value)
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY, exclusiveMinimum = Number.NEGATIVE_INFINITY } = schema
  return typeof value === 'number' && whole && value >= minimum && value <= maximum && value > exclusiveMinimum
}

/** What a schema asks for, in words. */
export function expectedOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(expectedOf))].join(' or ')
  if (schema.type === 'array') return `a list of ${schema.items === undefined ? 'values' : expectedOf(schema.items)}`
  if (schema.type === 'object') return 'a map of keys'
  if (schema.type === 'string') return schema.pattern === undefined ? 'text' : `text of the form ${schema.pattern}`
  if (schema.type === 'boolean') return 'true or false'
  const kind = schema.type === 'integer' ? 'a whole number' : 'a number'
  const { minimum, maximum, exclusiveMinimum } = schema
  if (exclusiveMinimum !== undefined) return `${kind} above ${exclusiveMinimum}${maximum === undefined ? '' : ` up to ${maximum}`}`
  return minimum === undefined || maximum === undefined ? kind : `${kind} from ${minimum} to ${maximum}`
}

function kindOf(node: Node | null | undefined): string {
  if (node === null || node === undefined) return 'nothing'
  if (isMap(node)) return 'a map of keys'
  if (isSeq(node)) return 'a list'
  return isScalar(node) ? brief(node.value) : 'something else'
}

function brief(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function keyOf(path: Path): string {
  return path.map((part, k) => (typeof part === 'number' ? `[${part}]` : k === 0 ? part : `.${part}`)).join('')
}
