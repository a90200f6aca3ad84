import { Command } from 'commander'
import { isHbError } from '../shared/errors/hb-error.ts'

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
  ['listen', async () => (await import('../agent/cli/listen.ts')).listenCommand],
  ['outbox', async () => (await import('../agent/cli/outbox.ts')).outboxCommands],
  ['top', async () => (await import('../agent/cli/top.ts')).topCommand],
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
    // An option belongs to the command it stands behind: `collector` and `collector fsck` both have `--config`.
    .enablePositionalOptions()
  if (word === '--version') return program
  const one = COMMANDS.get(word)
  if (one !== undefined) (await one())(program)
  else for (const [name, load] of COMMANDS) await addWhenItLoads(program, name, load)
  return program
}

/** A native part that does not load on this machine takes its command away, not the help that would say so. */
async function addWhenItLoads(program: Command, name: string, load: () => Promise<AddCommand>): Promise<void> {
  try {
    ;(await load())(program)
  } catch (error) {
    if (!isHbError(error)) throw error
    program.command(name).description(`cannot run here: ${error.message}`)
  }
}
