import { CST, Lexer } from 'yaml'

/** `${name}`, with the quotes around it where it is the whole of a quoted value: a number in quotes would be text. */
const REFERENCE = /"\$\{([^}\n]*)\}"|'\$\{([^}\n]*)\}'|\$\{([^}\n]*)\}/g
/** What stands for a reference while parameters are read: characters without a meaning in YAML. */
const MASKED = /⦃([^⦄]*)⦄/g

/** A reference in a text: to what, and where. */
export type Reference = Readonly<{ name: string; offset: number }>

/** Replaces every reference outside of comments. Lines stay the same. */
function replaced(text: string, value: (reference: Reference) => string): string {
  let out = ''
  let from = 0
  const take = (to: number): void => {
    out += text
      .slice(from, to)
      .replaceAll(REFERENCE, (_, a, b, c, k: number) => value({ name: a ?? b ?? c ?? '', offset: from + k }))
    from = to
  }
  let offset = 0
  for (const token of new Lexer().lex(text)) {
    // The lexer says between the words what follows; that is no part of the text.
    if (!text.startsWith(token, offset)) continue
    const end = offset + token.length
    if (CST.tokenType(token) === 'comment') {
      take(offset)
      out += token
      from = end
    }
    offset = end
  }
  take(text.length)
  return out
}

/** All references of a text, in order. */
export function referencesIn(text: string): Reference[] {
  const found: Reference[] = []
  replaced(text, (reference) => {
    found.push(reference)
    return ''
  })
  return found
}

/** The text with references that YAML takes for plain text, so that its parameters can be read before they are known. */
export function masked(text: string): string {
  return replaced(text, ({ name }) => `⦃${name}⦄`)
}

/** Whether something was found that only stands for a reference. */
export function isMasked(text: string): boolean {
  return text.includes('⦃')
}

/** The text with its values. Names without one stay as they are. */
export function filledIn(text: string, values: ReadonlyMap<string, number | string>): string {
  return replaced(text, ({ name }) => String(values.get(name) ?? `\${${name}}`))
}

/** References inside of a value that was masked. */
export function maskedNames(value: number | string): string[] {
  return typeof value === 'number' ? [] : [...value.matchAll(MASKED)].map(([, name]) => name!)
}

/** A masked value with what its references are. A reference alone is what it refers to, a number or a text. */
export function unmasked(value: number | string, of: (name: string) => number | string): number | string {
  if (typeof value === 'number') return value
  const whole = /^⦃([^⦄]*)⦄$/.exec(value)
  return whole !== null ? of(whole[1]!) : value.replaceAll(MASKED, (_, name: string) => String(of(name)))
}
