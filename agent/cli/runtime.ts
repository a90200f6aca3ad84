import type { Command } from 'commander'
import { loadRuntimeConfig } from '../../shared/config/load.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import { watchEngine } from '../adapters/engine.ts'
import { createAgent } from '../compose.ts'

/** Exit code when something did not stop in time or failed to (sysexits: try again later). */
const STOP_INCOMPLETE_EXIT = 75

type RuntimeOptions = Readonly<{ config: string; state: string; stay?: boolean }>

/** Adds `hb runtime`. */
export function runtimeCommand(program: Command): void {
  program
    .command('runtime')
    .description('watch the rigs of a configuration: journal, decide, sign, forward')
    .requiredOption('--config <file>', 'runtime.yaml')
    .requiredOption('--state <dir>', 'state folder; made when it is not there')
    .option('--stay', 'go on when every recording is at its end')
    .option('--json', 'errors as JSON too; what it writes is JSON lines anyway')
    .action(async (options: RuntimeOptions) => {
      process.exitCode = await runAgent(options)
    })
}

/** Runs until SIGINT, SIGTERM or the end of all recordings, and stops in order; a second signal ends the process at once. */
async function runAgent({ config, state, stay }: RuntimeOptions): Promise<number> {
  const clock = systemClock()
  const agent = createAgent({ loaded: loadRuntimeConfig(config), statePath: state, clock })
  const { first, again } = stopSignals(clock)
  await agent.start()
  const endWatch = watchEngine(clock)
  const why = await (stay === true ? first : Promise.race([first, agent.ended.then(() => 'end of the recording')]))
  void again.then(() => process.exit(STOP_INCOMPLETE_EXIT))
  endWatch()
  const { overdue, failed } = await agent.stop(why)
  return overdue.length === 0 && failed.length === 0 ? 0 : STOP_INCOMPLETE_EXIT
}
