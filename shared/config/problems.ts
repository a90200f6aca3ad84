import { closest, distance } from 'fastest-levenshtein'
import { HbError } from '../errors/hb-error.ts'

/** One mistake in a configuration, where it is and what to do about it. Lines and columns count from 1. */
export type Problem = Readonly<{
  file: string
  line: number
  column: number
  /** Keys from the top of the file, as in `rigs[0].slide_ms`; empty for the whole file. */
  key: string
  found: string
  expected: string
  hint?: string
}>

/** Mistakes listed at once; the rest is counted. */
export const PROBLEMS_MAX = 100

/** All mistakes of a configuration in one error; the program has not touched anything yet. */
export class ConfigError extends HbError {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super('CONFIG_INVALID', { mistakes: problems.length, first: `${problems[0]!.file}:${problems[0]!.line}` })
    this.problems = problems
  }
}

/** The mistakes as text, one after the other, in order of file and line. */
export function formatProblems(problems: readonly Problem[]): string {
  const sorted = [...problems].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column))
  const lines = sorted.slice(0, PROBLEMS_MAX).map((p) => {
    const hint = p.hint === undefined ? '' : `\n    hint:     ${p.hint}`
    return `${p.file}:${p.line}:${p.column}  ${p.key === '' ? '(file)' : p.key}\n    found:    ${p.found}\n    expected: ${p.expected}${hint}`
  })
  if (sorted.length > PROBLEMS_MAX) lines.push(`… and ${sorted.length - PROBLEMS_MAX} more`)
  return lines.join('\n')
}

/** A known word that an unknown one was probably meant to be; undefined when none is near. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const renamed = renamedKey(word, known)
  if (renamed !== undefined) return renamed
  if (known.length === 0) return undefined
  const near = closest(word, known)
  return distance(word, near) <= Math.max(1, Math.floor(word.length / 3)) ? `did you mean \`${near}\`?` : undefined
}

/** The predecessor wrote seconds; every time is in milliseconds here, and its name says so (decisions 22). */
function renamedKey(word: string, known: readonly string[]): string | undefined {
  const now = PREDECESSOR_KEYS.get(word) ?? (word.endsWith('_sec') ? word.replace(/_sec$/, '_ms') : undefined)
  if (now === undefined) return undefined
  const near = known.includes(now) ? now : known.length === 0 ? now : closest(now, known)
  return `write \`${near}\`, in milliseconds: a value in seconds times 1000`
}

const PREDECESSOR_KEYS: ReadonlyMap<string, string> = new Map([
  ['allowed_lateness_sec', 'lateness_ms'],
  ['window_size_sec', 'windows_ms'],
  ['slide_sec', 'slide_ms'],
])
