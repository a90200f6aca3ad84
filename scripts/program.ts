import { Command } from 'commander'
import { agentCommands } from '../agent/cli/program.ts'
import { collectorCommands } from '../collector/cli/program.ts'
import { hilCommands } from '../hil-testbed/cli/program.ts'

/** The bundler puts the version here; run from the sources there is none. */
declare const HB_VERSION: string

/** All commands of all programs, as `hb` offers them. Making it starts nothing. */
export function createProgram(): Command {
  const program = new Command('hb')
    .description('Watches hardware under test, decides bit-exactly against baselines, and can prove it afterwards.')
    .version(typeof HB_VERSION === 'string' ? HB_VERSION : '0.0.0-source', '--version', 'print the version')
    .showHelpAfterError(false)
  agentCommands(program)
  collectorCommands(program)
  hilCommands(program)
  return program
}
