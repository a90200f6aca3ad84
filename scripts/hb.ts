#!/usr/bin/env node
import { AGENT_COMMANDS, bareProgram } from './agent-program.ts'
import { endWith, runCommandLine } from './command-line.ts'

const args = process.argv.slice(2)
const command = AGENT_COMMANDS.get(args[0] ?? '')
if (command === undefined) void import('./hb-all.ts')
else {
  const program = bareProgram()
  void command().then(
    (add) => {
      add(program)
      return runCommandLine(program, args)
    },
    (error: unknown) => endWith(error, { json: args.includes('--json') }),
  )
}
