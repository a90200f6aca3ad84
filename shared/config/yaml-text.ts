import { CST, Lexer } from 'yaml'

/** Longest configuration file, in bytes; a registry of four thousand metrics has about one million. */
export const YAML_BYTES_MAX = 4 * 1024 * 1024
/** Brackets inside brackets. No file here needs more than four, and a parser has to call itself for each. */
export const NESTING_MAX = 32
/** Widest indent, in characters: bounds the nesting of blocks as {@link NESTING_MAX} does that of brackets. */
export const INDENT_MAX = 200

/** Something that YAML has and a configuration must not: where it begins, and what it is. */
export type Unwanted = Readonly<{ offset: number; found: string; expected: string }>

/** A NUL and its like have no place in a file that people read; tabs are looked at by the parser. */
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/
const INDENTED_TOO_FAR = new RegExp(`^[ ?:-]{${INDENT_MAX + 1}}`, 'm')

/** Marks of the lexer that stand for no text of the file. */
const MARKS = new Set(['doc-mode', 'flow-error-end', 'scalar'])
const WORDS: Readonly<Record<string, Omit<Unwanted, 'offset'>>> = {
  // Ten lines of anchors stand for gigabytes, and hide what is in force.
  anchor: { found: 'an anchor (`&name`)', expected: 'the value written out wherever it is needed' },
  alias: { found: 'an alias (`*name`)', expected: 'the value itself' },
  tag: { found: 'a tag (`!name`)', expected: 'the value alone; its type follows from its key' },
  // `%YAML 1.1` would turn `on` into true and 0644 into 420.
  'directive-line': { found: 'a directive (`%…`)', expected: 'YAML 1.2 without directives' },
}

/**
 * Looks at the words of a text before anything is built from them, so that no file can exhaust the parser: its
 * recursion, and on some versions of Node the process with it.
 *
 * @returns everything unwanted in order, at most `max` of it; parse the text only when there is nothing.
 */
export function unwantedIn(text: string, max: number): Unwanted[] {
  const control = CONTROL.exec(text)
  if (control !== null)
    return [{ offset: control.index, found: `the control character ${code(control[0])}`, expected: 'text' }]
  const wide = INDENTED_TOO_FAR.exec(text)
  if (wide !== null) {
    return [{ offset: wide.index, found: `an indent wider than ${INDENT_MAX}`, expected: 'two blanks an indent' }]
  }
  return unwantedWords(text, max)
}

function unwantedWords(text: string, max: number): Unwanted[] {
  const found: Unwanted[] = []
  let offset = 0
  let depth = 0
  let isText = false
  for (const word of new Lexer().lex(text)) {
    // What follows the mark of a scalar is its text, whatever it looks like.
    const type: string | null = isText ? 'text' : CST.tokenType(word)
    isText = type === 'scalar'
    if (type !== null && MARKS.has(type)) continue
    const unwanted = type === null ? undefined : WORDS[type]
    if (unwanted !== undefined) found.push({ offset, ...unwanted })
    if (type === 'flow-seq-start' || type === 'flow-map-start') depth += 1
    if (type === 'flow-seq-end' || type === 'flow-map-end') depth -= 1
    if (depth > NESTING_MAX) {
      found.push({ offset, found: `more than ${NESTING_MAX} brackets inside each other`, expected: 'flat lists' })
      return found
    }
    if (found.length >= max) return found
    offset += word.length
  }
  return found
}

function code(character: string): string {
  return `U+${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
