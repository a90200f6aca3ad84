import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import type { Command } from 'commander'
import { loadRuntimeConfig } from '../../shared/config/load.ts'
import { type Clock, systemClock } from '../../shared/lib/clock.ts'
import { stopSignals } from '../../shared/lib/stop-signals.ts'
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
  void first.then(() => agent.giveUpWaiting())
  await agent.start()
  const letGrow = keepSmall(clock)
  const why = await (stay === true ? first : Promise.race([first, agent.ended.then(() => 'end of the recording')]))
  void again.then(() => process.exit(STOP_INCOMPLETE_EXIT))
  letGrow()
  const { overdue, failed } = await agent.stop(why)
  return overdue.length === 0 && failed.length === 0 ? 0 : STOP_INCOMPLETE_EXIT
}

/** Young generation, in bytes, at which it has room enough for what lives as long as the lateness of a busy rig. */
const YOUNG_BYTES = 16_000_000
const LOOK_EVERY_MS = 1_000

/**
 * The old generation is collected when it has grown by so much. Frames die there when their samples are closed, and each
 * holds as much again outside of it, which the platform would let grow by 64 MB.
 */
const OLD_GROWTH_PERCENT = 25

/**
 * Lets the young generation grow only so far, and the old one only by so much at a time. The platform lets the young one
 * grow to 64 MB before it looks at it again: half of what an agent may have.
 *
 * @returns ends the watch
 */
function keepSmall(clock: Clock): () => void {
  setFlagsFromString(`--heap-growing-percent=${OLD_GROWTH_PERCENT}`)
  const cancel = clock.every(LOOK_EVERY_MS, () => {
    const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
    if (young === undefined || young.space_size < YOUNG_BYTES) return
    setFlagsFromString('--semi-space-growth-factor=1')
    cancel()
  })
  return cancel
}
