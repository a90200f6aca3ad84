import { ERRORS, type ErrorCode } from './catalog.ts'
import type { ErrorEntry } from './entry.ts'

/** Facts about one occurrence: ids, limits, counts. Never payloads or secrets; it goes to logs and replies. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | null | undefined>>

/** Longest text of one context value in a message; the rest is cut, so that a hostile name cannot fill a log. */
const CONTEXT_TEXT_MAX = 256

/**
 * An error that somebody outside the code can act on. Anything else that is thrown is a bug.
 *
 * The code stands at the front of the message so that it survives in any log it is copied to.
 */
export class HbError extends Error {
  override readonly name = 'HbError'
  readonly code: ErrorCode
  readonly context: ErrorContext

  constructor(code: ErrorCode, context: ErrorContext = {}, options?: { cause?: unknown }) {
    super(`${code}: ${ERRORS[code].summary}${describe(context)}`, options)
    this.code = code
    this.context = context
  }

  /** What a person can do about it. */
  get remedy(): string {
    return this.entry.remedy
  }

  /** Exit code of a command that ends with this error. */
  get exit(): number {
    return this.entry.exit
  }

  /** Whether doing the same again may help without anybody acting. */
  get retry(): boolean {
    return this.entry.retry
  }

  private get entry(): ErrorEntry {
    return ERRORS[this.code]
  }
}

/** Tells whether something thrown is an {@link HbError}, of one code when one is given. */
export function isHbError(thrown: unknown, code?: ErrorCode): thrown is HbError {
  return thrown instanceof HbError && (code === undefined || thrown.code === code)
}

function describe(context: ErrorContext): string {
  const facts: string[] = []
  for (const [name, value] of Object.entries(context)) {
    if (value === undefined) continue
    facts.push(`${name}=${typeof value === 'string' ? quote(value) : String(value)}`)
  }
  return facts.length === 0 ? '' : ` (${facts.join(', ')})`
}

/** Foreign text is quoted, without line breaks and control characters, so that it cannot pass for a line of ours. */
function quote(text: string): string {
  const cut = text.length > CONTEXT_TEXT_MAX ? `${text.slice(0, CONTEXT_TEXT_MAX)}…` : text
  return JSON.stringify(cut)
}
