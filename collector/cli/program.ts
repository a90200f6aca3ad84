import type { Command } from 'commander'
import { loadCollectorConfig } from '../../shared/config/load.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import { createCollector } from '../compose.ts'
import { runFsck } from './fsck.ts'

/** Exit code when something did not stop in time or failed to (sysexits: try again later). */
const STOP_INCOMPLETE_EXIT = 75

/** Adds `hb collector` to the program. */
export function collectorCommands(program: Command): void {
  const group = program
    .command('collector')
    .description('keep what must outlive the rigs: verify, store and receipt decisions, and show the fleet')
    .requiredOption('--config <file>', 'collector.yaml')
    .option('--json', 'errors as JSON too; what it writes is JSON lines anyway')
    .action(async (options: { config: string }) => {
      process.exitCode = await runCollector(options.config)
    })
  group
    .command('fsck')
    .description('prove everything that is stored anew: structure, signatures, chains, receipts, decisions')
    .requiredOption('--config <file>', 'collector.yaml')
    .option('--json', 'one JSON object')
    .action(async (_options: unknown, command: Command) => {
      process.exitCode = await runFsck(command.optsWithGlobals())
    })
}

/** Runs until SIGINT or SIGTERM and stops in order; a second signal ends the process at once. @returns the exit code */
async function runCollector(path: string): Promise<number> {
  const clock = systemClock()
  const collector = createCollector(loadCollectorConfig(path), clock)
  const { first, again } = stopSignals(clock)
  await collector.start()
  collector.events.stopping(await first)
  void again.then(() => process.exit(STOP_INCOMPLETE_EXIT))
  const { overdue, failed } = await collector.stop()
  collector.events.stopped({ overdue, failed: failed.map(({ name }) => name) })
  return overdue.length === 0 && failed.length === 0 ? 0 : STOP_INCOMPLETE_EXIT
}
