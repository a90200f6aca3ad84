/** The whole program: in a bundle a file of its own, which an agent beside a rig never reads. */
import { endWith, runCommandLine } from './command-line.ts'
import { createProgram } from './program.ts'

const args = process.argv.slice(2)
void createProgram(args[0]).then(
  (program) => runCommandLine(program, args),
  (error: unknown) => endWith(error, { json: args.includes('--json') }),
)
