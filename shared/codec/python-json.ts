/**
 * JSON as the predecessor hashed it: what Python's `json.dumps(value, sort_keys=True, separators=(',', ':'))` writes.
 *
 * Its hashes are over text, so a number must stay as it was written: Python writes `10.0` where others write `10`.
 */
export type PythonJson = null | boolean | string | PythonNumber | readonly PythonJson[] | PythonMap
/** A number by its letters. */
export type PythonNumber = Readonly<{ lexeme: string }>
export type PythonMap = ReadonlyMap<string, PythonJson>

/** Maps and lists inside of each other. */
export const PYTHON_JSON_DEPTH_MAX = 64

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /null|true|false|NaN|-?Infinity/y
const TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const BLANK = /[ \t\r\n]*/y

/** Reads one value, with the words that Python writes for what is no number. Null with the place where it is none. */
export function parsePythonJson(text: string): Readonly<{ value: PythonJson }> | Readonly<{ problem: string }> {
  const reader = new Reader(text)
  try {
    return { value: reader.whole() }
  } catch (error) {
    if (!(error instanceof NotJson)) throw error
    return { problem: error.message }
  }
}

/** Writes a value as Python does: keys in the order of their code points, no blanks, nothing but printable ASCII. */
export function writePythonJson(value: PythonJson): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return quoted(value)
  if (isList(value)) return `[${value.map(writePythonJson).join(',')}]`
  if (!isPythonMap(value)) return value.lexeme
  const keys = [...value.keys()].sort(byCodePoint)
  return `{${keys.map((key) => `${quoted(key)}:${writePythonJson(value.get(key)!)}`).join(',')}}`
}

export function isPythonMap(value: PythonJson | undefined): value is PythonMap {
  return value instanceof Map
}

class NotJson extends Error {}

class Reader {
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  whole(): PythonJson {
    const value = this.value(0)
    this.take(BLANK)
    if (this.at < this.text.length) this.fail('the end')
    return value
  }

  private value(depth: number): PythonJson {
    this.take(BLANK)
    if (depth > PYTHON_JSON_DEPTH_MAX) this.fail(`at most ${PYTHON_JSON_DEPTH_MAX} levels`)
    const first = this.text[this.at]
    if (first === '{') return this.map(depth)
    if (first === '[') return this.list(depth)
    if (first === '"') return this.string()
    const word = this.take(WORD)
    if (word !== '') return word === 'null' ? null : wordValue(word)
    const lexeme = this.take(NUMBER)
    return lexeme === '' ? this.fail('a value') : { lexeme }
  }

  private map(depth: number): PythonMap {
    const map = new Map<string, PythonJson>()
    this.at += 1
    if (this.isNext('}')) return map
    do {
      this.take(BLANK)
      const key = this.string()
      if (!this.isNext(':')) this.fail('`:`')
      map.set(key, this.value(depth + 1))
    } while (this.isNext(','))
    if (!this.isNext('}')) this.fail('`,` or `}`')
    return map
  }

  private list(depth: number): PythonJson[] {
    const list: PythonJson[] = []
    this.at += 1
    if (this.isNext(']')) return list
    do list.push(this.value(depth + 1))
    while (this.isNext(','))
    if (!this.isNext(']')) this.fail('`,` or `]`')
    return list
  }

  private string(): string {
    const literal = this.take(TEXT)
    return literal === '' ? this.fail('a text') : (JSON.parse(literal) as string)
  }

  private isNext(mark: string): boolean {
    this.take(BLANK)
    if (this.text[this.at] !== mark) return false
    this.at += 1
    return true
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0] ?? ''
    this.at += found.length
    return found
  }

  private fail(expected: string): never {
    throw new NotJson(`column ${this.at + 1}: expected ${expected}`)
  }
}

function wordValue(word: string): PythonJson {
  if (word === 'true' || word === 'false') return word === 'true'
  return { lexeme: word }
}

function isList(value: PythonJson): value is readonly PythonJson[] {
  return Array.isArray(value)
}

const SHORT: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\f', '\\f'],
  ['\b', '\\b'],
])

function quoted(text: string): string {
  let out = '"'
  for (let i = 0; i < text.length; i += 1) {
    const unit = text[i]!
    const code = text.charCodeAt(i)
    out += SHORT.get(unit) ?? (code < 0x20 || code > 0x7e ? `\\u${code.toString(16).padStart(4, '0')}` : unit)
  }
  return `${out}"`
}

/** By code point; the units of UTF-16 would sort what lies beyond U+FFFF before U+E000. */
function byCodePoint(a: string, b: string): number {
  const [left, right] = [[...a], [...b]]
  for (let i = 0; i < Math.min(left.length, right.length); i += 1) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!
    if (difference !== 0) return difference
  }
  return left.length - right.length
}
