/** Longest text of a formula; a longer one is refused. */
export const FORMULA_CHARS_MAX = 4096

export type TokenKind = 'number' | 'name' | 'symbol' | 'end'
/** `column` counts characters from 1. */
export type Token = Readonly<{ kind: TokenKind; text: string; column: number }>

/** Why a text is no formula, and where. */
export type FormulaProblem = Readonly<{ column: number; found: string; expected: string }>

const TOKEN =
  /\s*(?:(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<name>[A-Za-z_][\w.]*)|(?<symbol>[<>=!]=|[<>()[\],+\-*/]))/y

/** Cuts a text into numbers, names and symbols; the last one is the end. */
export function tokensOf(text: string): readonly Token[] | FormulaProblem {
  if (text.length > FORMULA_CHARS_MAX)
    return {
      column: FORMULA_CHARS_MAX + 1,
      found: `${text.length} characters`,
      expected: `at most ${FORMULA_CHARS_MAX}`,
    }
  const tokens: Token[] = []
  const end = text.trimEnd().length
  let at = 0
  while (at < end) {
    TOKEN.lastIndex = at
    const groups = TOKEN.exec(text)?.groups
    if (groups === undefined) {
      const bad = at + text.slice(at).search(/\S/)
      return { column: bad + 1, found: text[bad]!, expected: 'a number, a name, or an operator' }
    }
    const kind = groups['number'] !== undefined ? 'number' : groups['name'] !== undefined ? 'name' : 'symbol'
    at = TOKEN.lastIndex
    const found = groups[kind]!
    tokens.push({ kind, text: found, column: at - found.length + 1 })
  }
  tokens.push({ kind: 'end', text: 'the end', column: end + 1 })
  return tokens
}
