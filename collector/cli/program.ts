import type { Command } from 'commander'
import { loadCollectorConfig } from '../../shared/config/load.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import { systemClock } from '../../shared/lib/clock.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
import { createCollector } from '../compose.ts'
import { runFsck } from './fsck.ts'
import { runImport } from './import.ts'

/** Exit code when something did not stop in time or failed to (sysexits: try again later). */
const STOP_INCOMPLETE_EXIT = 75

/** Adds `hb collector` to the program. */
export function collectorCommands(program: Command): void {
  const group = program
    .command('collector')
    .description('keep what must outlive the rigs: verify, store and receipt decisions, and show the fleet')
    // What stands behind the name of a command below is that command's.
    .enablePositionalOptions()
    .option('--config <file>', 'collector.yaml; needed')
    .option('--json', 'errors as JSON too; what it writes is JSON lines anyway')
    .action(async ({ config }: { config?: string }) => {
      if (config === undefined) throw new HbError('USAGE', { found: 'no --config', expected: '--config FILE' })
      process.exitCode = await runCollector(config)
    })
  group
    .command('fsck')
    .description('prove everything that is stored anew: structure, signatures, chains, receipts, decisions')
    .requiredOption('--config <file>', 'collector.yaml')
    .option('--json', 'one JSON object')
    .action(async (options: { config: string; json?: boolean }) => {
      process.exitCode = await runFsck(options)
    })
  group
    .command('import')
    .description('take the batches of a file that `hb outbox export` wrote, and write the receipts to bring back')
    .argument('<file>', 'file from a stick')
    .requiredOption('--config <file>', 'collector.yaml; the collector may run or not')
    .option('--receipts <file>', 'where the receipts go; FILE.receipts without it')
    .option('--json', 'one JSON object')
    .action(runImport)
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
