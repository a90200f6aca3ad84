import { type Command, CommanderError } from 'commander'
import { ERRORS } from '../shared/errors/catalog.ts'
import { HbError } from '../shared/errors/hb-error.ts'
import { printable } from '../shared/lib/command-output.ts'

/** What is shown of an error, and the exit code that goes with it. `found` is one line a fact or mistake. */
export type Failure = Readonly<{
  code: string
  summary: string
  found: readonly string[]
  remedy: string
  exit: number
  /** The mistakes themselves, where the error has them; for `--json`. */
  problems?: unknown
}>

/** Exit code of a defect of ours (sysexits EX_SOFTWARE). */
const EXIT_BUG = 70
/** Longest part of a foreign message shown as one fact. */
const FACT_MAX = 2_000

/**
 * Runs one command line to its end. Never throws: an error is printed to stderr (one JSON object with `--json`), and
 * its exit code from the catalogue ends the process. Results alone go to stdout.
 */
export async function runCommandLine(program: Command, args: readonly string[]): Promise<void> {
  const json = wantsJson(program, args)
  const usage: string[] = []
  takeOver(program, (text) => usage.push(text))
  const end = (error: unknown): void => {
    // `hb` and `hb decisions` alone are answered with their help, which is what is wanted then.
    if (isHelpInstead(error) && !json) process.stderr.write(`${usage.join('')}\n`)
    endWith(error, { json })
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
  // Whoever read our output has seen enough (`hb … | head`); that is no error of ours.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit()
      throw error
    })
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
  } catch (error) {
    end(error)
  }
}

/** Prints what was thrown to stderr, and ends the process with its exit code. */
export function endWith(error: unknown, { json }: Readonly<{ json: boolean }>): never {
  const failure = failureOf(error)
  if (failure !== null) process.stderr.write(json ? failureJson(failure) : failureText(failure))
  process.exit(failure === null ? 0 : failure.exit)
}

/** Turns anything thrown into what is shown, or null where the end is a good one (help, version). */
export function failureOf(error: unknown): Failure | null {
  if (error instanceof CommanderError) {
    const helped = ['commander.helpDisplayed', 'commander.version'].includes(error.code)
    return helped || error.exitCode === 0 ? null : usageFailure(error)
  }
  if (error instanceof HbError) return knownFailure(error)
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return {
    code: 'BUG',
    summary: 'hb failed in a way nobody foresaw.',
    found: text.split('\n'),
    remedy: 'Keep the state folder, and report this text together with the command and its version.',
    exit: EXIT_BUG,
  }
}

/** The text of a failure for people. */
export function failureText(failure: Failure): string {
  const { code, summary, found, remedy } = failure
  const lines = found.map((fact, index) => `  ${index === 0 ? 'found: ' : '       '}${fact}`)
  return `${[`${code}: ${summary}`, ...lines, `  remedy: ${remedy}`].map(printable).join('\n')}\n`
}

/** The same as one line of JSON. */
export function failureJson(failure: Failure): string {
  return `${JSON.stringify({ error: failure })}\n`
}

function knownFailure(error: HbError): Failure {
  const { summary } = ERRORS[error.code]
  const problems = 'problems' in error && Array.isArray(error.problems) ? error.problems : null
  const facts = Object.entries(error.context).filter(([, value]) => value !== undefined)
  const found = problems === null ? facts.map(([name, value]) => `${name} = ${cut(JSON.stringify(value))}`) : []
  if (problems === null && error.cause instanceof Error) found.push(`because: ${cut(error.cause.message)}`)
  const known = { code: error.code, summary, found, remedy: error.remedy, exit: error.exit }
  return problems === null ? known : { ...known, found: problems.flatMap(problemLines), problems }
}

/** One mistake in a file: where, and what is wrong in the words of the loader. */
function problemLines(problem: Record<string, unknown>): string[] {
  const place = [problem['file'], problem['line'], problem['column']].filter((part) => part !== undefined).join(':')
  const say = (name: string): string[] => {
    const value = problem[name]
    return value === undefined || value === null || value === '' ? [] : [`  ${name}: ${cut(String(value))}`]
  }
  return [`${place} ${String(problem['key'] ?? '')}`.trim(), ...['found', 'expected', 'hint', 'code'].flatMap(say)]
}

function usageFailure(error: CommanderError): Failure {
  const { summary, remedy, exit } = ERRORS.USAGE
  const text = isHelpInstead(error) ? 'no command' : error.message.replace(/^error: /, '')
  return { code: 'USAGE', summary, found: text.split('\n'), remedy, exit }
}

/** Whether commander answered a missing command with the help. */
function isHelpInstead(error: unknown): boolean {
  return error instanceof CommanderError && error.code === 'commander.help' && error.exitCode !== 0
}

/** Commander would print and exit by itself; here both are ours, on every command however it was added. */
function takeOver(command: Command, writeErr: (text: string) => void): void {
  command.exitOverride()
  command.configureOutput({ writeErr, outputError: writeErr })
  for (const child of command.commands) takeOver(child, writeErr)
}

/** Whether what is printed is for machines: not where `--json` names a file, which is what they read then. */
function wantsJson(program: Command, args: readonly string[]): boolean {
  const end = args.indexOf('--')
  const given = end < 0 ? args : args.slice(0, end)
  const at = given.indexOf('--json')
  const takesFile = commandIn(program, given).options.some(({ long, optional }) => long === '--json' && optional)
  const next = given[at + 1]
  const isFile = takesFile && next !== undefined && !next.startsWith('-')
  return at >= 0 && !isFile
}

function commandIn(program: Command, args: readonly string[]): Command {
  const child = program.commands.find((command) => command.name() === args[0])
  return child === undefined ? program : commandIn(child, args.slice(1))
}

function cut(text: string): string {
  return text.length > FACT_MAX ? `${text.slice(0, FACT_MAX)}…` : text
}
