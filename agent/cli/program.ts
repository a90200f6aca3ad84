import type { Command } from 'commander'
import { baselineCommands } from './baseline.ts'
import { configCommands } from './config-check.ts'
import { decisionsCommands } from './decisions.ts'
import { doctorCommand } from './doctor.ts'
import { journalCommands } from './journal.ts'
import { keysCommands } from './keys.ts'
import { replayCommand } from './replay.ts'
import { runCommands } from './runs.ts'
import { runtimeCommand } from './runtime.ts'

/** Adds every command of an agent. Nothing starts by it. */
export function agentCommands(program: Command): void {
  runtimeCommand(program)
  configCommands(program)
  keysCommands(program)
  decisionsCommands(program)
  replayCommand(program)
  journalCommands(program)
  baselineCommands(program)
  runCommands(program)
  doctorCommand(program)
}
