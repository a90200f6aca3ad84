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

/** Mistakes that are kept of one file; whoever has more sees the rest on the next try. */
export const PROBLEMS_MAX = 1000
/** Mistakes shown at once in {@link formatProblems}; the rest is counted. */
export const PROBLEMS_SHOWN_MAX = 100
/** Longer words than this are not compared with the known ones: it would take long and help nobody. */
const WORD_MAX = 64

/** All mistakes of a configuration in one error; the program has not touched anything yet. */
export class ConfigError extends HbError {
  /** In order of file, line and column; never empty. */
  readonly problems: readonly Problem[]

  /** @param code that of the files: its remedy names the command that checks them. */
  constructor(problems: readonly Problem[], code: 'CONFIG_INVALID' | 'SCENARIO_INVALID' = 'CONFIG_INVALID') {
    const sorted = [...problems].sort(inOrder)
    const first = sorted[0]
    super(code, { mistakes: sorted.length, first: first && `${first.file}:${first.line}:${first.column}` })
    this.problems = sorted
  }
}

/** The mistakes as lines of text, one after the other, in order of file and line. */
export function formatProblems(problems: readonly Problem[]): string[] {
  const sorted = [...problems].sort(inOrder)
  const lines = sorted.slice(0, PROBLEMS_SHOWN_MAX).flatMap((p) => {
    const hint = p.hint === undefined ? [] : [`    hint:     ${p.hint}`]
    const place = `${p.file}:${p.line}:${p.column}  ${p.key === '' ? '(file)' : p.key}`
    return [place, `    found:    ${p.found}`, `    expected: ${p.expected}`, ...hint]
  })
  if (sorted.length > PROBLEMS_SHOWN_MAX) lines.push(`… and ${sorted.length - PROBLEMS_SHOWN_MAX} more`)
  return lines
}

/** A file that a configuration names and that is not there, or too large. */
export function cannotRead(name: string, reason: string): Pick<Problem, 'found' | 'expected' | 'hint'> {
  const hint = 'relative paths start from the folder of this configuration'
  return { found: `${JSON.stringify(name)}: ${reason}`, expected: 'a file that can be read', hint }
}

/** Leaves out what was said before: two rigs that share a registry share its mistakes. */
export function withoutRepeats(problems: readonly Problem[]): Problem[] {
  const said = new Set<string>()
  return problems.filter((p) => {
    const text = JSON.stringify([p.file, p.line, p.column, p.key, p.found])
    return !said.has(text) && said.add(text)
  })
}

/** A known word that an unknown one was probably meant to be, as a sentence; undefined when none is near. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known)
  return near === undefined ? undefined : `did you mean \`${near}\`?`
}

/** The same for a key: knows the names the predecessor gave them, other units and `camelCase`. */
export function keyHint(key: string, known: readonly string[]): string | undefined {
  const gone = GONE.get(key)
  if (gone !== undefined) return gone
  if (key.length > WORD_MAX) return undefined
  const snake = key
    .replace(/(?<=[a-z0-9])[A-Z]/g, '_$&')
    .replaceAll('-', '_')
    .toLowerCase()
  if (known.includes(snake)) return `did you mean \`${snake}\`?`
  const inSeconds = IN_SECONDS.exec(snake)
  if (inSeconds !== null && known.includes(`${inSeconds[1]}_s`))
    return `write \`${inSeconds[1]}_s\`; its value stays, in seconds`
  if (inSeconds !== null) return secondsHint(RENAMED.get(snake) ?? `${inSeconds[1]}_ms`, known)
  const withUnit = known.filter((name) => name.startsWith(`${snake}_`))
  return withUnit.length === 1 ? `did you mean \`${withUnit[0]}\`?` : didYouMean(snake, known)
}

const IN_SECONDS = /^(.+?)_(s|sec|secs|seconds)$/

/** Keys of the predecessor, in seconds, that are called otherwise here and not only in another unit (decisions 22). */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['allowed_lateness_sec', 'lateness_ms'],
  ['max_lateness_sec', 'lateness_ms'],
  ['window_size_sec', 'windows_ms'],
  ['window_sec', 'windows_ms'],
  ['interval_sec', 'every_ms'],
  ['stale_after_sec', 'idle_after_ms'],
])

const GONE: ReadonlyMap<string, string> = new Map([
  ['watermark_interval_sec', 'the watermark moves with every sample; leave it out'],
])

/** Every time is in milliseconds here, and its name says so. */
function secondsHint(name: string, known: readonly string[]): string {
  const now = known.includes(name) ? name : nearest(name, known)
  if (now === undefined) return 'times are in milliseconds here, in keys that end in `_ms`'
  return `write \`${now}\`, in milliseconds: a value in seconds times 1000`
}

/** The known word that is nearest to another; undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0 || word.length > WORD_MAX) return undefined
  const near = closest(word, known)
  if (distance(word, near) <= Math.max(1, Math.floor(word.length / 3))) return near
  // Two letters the wrong way round are two edits, and the commonest slip in a short word.
  return known.find((name) => lettersOf(name) === lettersOf(word))
}

function lettersOf(word: string): string {
  return [...word].sort().join('')
}

function inOrder(a: Problem, b: Problem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1
  return a.line - b.line || a.column - b.column
}
