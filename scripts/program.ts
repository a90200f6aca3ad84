import type { Command } from 'commander'
import { isHbError } from '../shared/errors/hb-error.ts'
import { type AddCommand, AGENT_COMMANDS, bareProgram } from './agent-program.ts'

const COMMANDS: ReadonlyMap<string, () => Promise<AddCommand>> = new Map([
  ...AGENT_COMMANDS,
  ['collector', async () => (await import('../collector/cli/program.ts')).collectorCommands],
  // It reads databases, which needs a native part that an agent beside a rig does without.
  ['import', async () => (await import('../agent/cli/import.ts')).importCommands],
  ['inject', async () => (await import('../hil-testbed/cli/inject.ts')).injectCommand],
  ['hil', async () => (await import('../hil-testbed/cli/program.ts')).hilCommands],
  ['readiness', async () => (await import('../hil-testbed/cli/readiness.ts')).readinessCommands],
])

/** The program with the one command that `word` names; with none for `--version`, and with every one otherwise. */
export async function createProgram(word = ''): Promise<Command> {
  const program = bareProgram()
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
