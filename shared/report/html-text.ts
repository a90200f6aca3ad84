/** Text that is HTML already. Everything else that goes into a page is escaped. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = Html | string | number | null | undefined | readonly Part[]

/**
 * HTML with values put in. A value is escaped unless it is {@link Html} itself, so that the name of a metric is never
 * more than a name. Null and undefined are nothing.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  let text = strings[0] ?? ''
  values.forEach((value, k) => {
    text += textOf(value) + (strings[k + 1] ?? '')
  })
  return new Html(text)
}

function textOf(value: Part): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(textOf).join('')
  return escapeHtml(String(value))
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Characters that turn the order of a line around could make a name read as another one. */
const REORDERING = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

function escapeHtml(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!)
    .replace(REORDERING, (character) => `\\u${character.charCodeAt(0).toString(16)}`)
}

/** A number for people: six digits, and no more than it has. */
export function shownNumber(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  if (!Number.isFinite(value)) return 'not a number'
  return String(Number(value.toPrecision(6)))
}
