import { Command } from 'commander'

/** The bundler puts the version here; run from the sources there is none. */
declare const HB_VERSION: string

/** Adds a command, or a group of them, to the program. Nothing starts by it. */
type AddCommand = (program: Command) => void

/**
 * First word of a command line → the module that has it, read only when it is asked for: an agent beside a rig must
 * not spend memory and time on what a collector needs.
 */
const COMMANDS: ReadonlyMap<string, () => Promise<AddCommand>> = new Map([
  ['runtime', async () => (await import('../agent/cli/runtime.ts')).runtimeCommand],
  ['config', async () => (await import('../agent/cli/config-check.ts')).configCommands],
  ['keys', async () => (await import('../agent/cli/keys.ts')).keysCommands],
  ['decisions', async () => (await import('../agent/cli/decisions.ts')).decisionsCommands],
  ['replay', async () => (await import('../agent/cli/replay.ts')).replayCommand],
  ['journal', async () => (await import('../agent/cli/journal.ts')).journalCommands],
  ['baseline', async () => (await import('../agent/cli/baseline.ts')).baselineCommands],
  ['run', async () => (await import('../agent/cli/runs.ts')).runCommands],
  ['runs', async () => (await import('../agent/cli/runs.ts')).runsCommands],
  ['doctor', async () => (await import('../agent/cli/doctor.ts')).doctorCommand],
  ['collector', async () => (await import('../collector/cli/program.ts')).collectorCommands],
  ['hil', async () => (await import('../hil-testbed/cli/program.ts')).hilCommands],
])

/** The program with the one command that `word` names; with none for `--version`, and with every one otherwise. */
export async function createProgram(word = ''): Promise<Command> {
  const program = new Command('hb')
    .description('Watches hardware under test, decides bit-exactly against baselines, and can prove it afterwards.')
    .version(typeof HB_VERSION === 'string' ? HB_VERSION : '0.0.0-source', '--version', 'print the version')
    .showHelpAfterError(false)
  if (word === '--version') return program
  const one = COMMANDS.get(word)
  for (const load of one === undefined ? COMMANDS.values() : [one]) (await load())(program)
  return program
}
