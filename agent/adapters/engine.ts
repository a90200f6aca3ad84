import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import type { Clock } from '../../shared/lib/clock.ts'

/**
 * What the engine may spend on an agent that has nothing to do, and when it has something to do after all.
 *
 * Optimising compilers take 15 MB: their code, what they make, and what the allocator keeps of their threads. An agent at
 * rest has no use for them; so they are off until it is busy, and then they stay on. The young generation stays as small
 * as it starts, and when busy grows so far that what lives as long as the lateness of a rig has room in it: the platform
 * lets it grow to 64 MB, half of what an agent may have.
 *
 * All of it is set while running, so that no option of the process has to be trusted, and none of it changes a result.
 */
export function restEngine(): void {
  if (CAN_REST) setFlags('--no-opt', '--no-maglev', '--no-sparkplug', '--semi-space-growth-factor=1')
}

/** Young generation, in bytes, at which it has room enough for what lives as long as the lateness of a busy rig. */
const YOUNG_BYTES = 16_000_000
const LOOK_EVERY_MS = 200
/** Busy is who needs more than this share of a core, in two looks one after the other. */
const BUSY_SHARE = 0.2
const BUSY_LOOKS = 2
/** Before it these compilers were off, or others. */
const CAN_REST = Number(process.versions.node.split('.')[0]) >= 24

/** Looks whether an agent whose engine rests has become busy. @returns ends it */
export function watchEngine(clock: Clock): () => void {
  let busyLooks = CAN_REST ? 0 : BUSY_LOOKS
  let usedUs = cpuUs()
  const cancel = clock.every(LOOK_EVERY_MS, () => {
    if (busyLooks < BUSY_LOOKS) {
      const beforeUs = usedUs
      usedUs = cpuUs()
      busyLooks = usedUs - beforeUs > BUSY_SHARE * LOOK_EVERY_MS * 1000 ? busyLooks + 1 : 0
      if (busyLooks === BUSY_LOOKS) setFlags('--opt', '--maglev', '--sparkplug', '--semi-space-growth-factor=2')
    } else if (youngBytes() >= YOUNG_BYTES) {
      setFlags('--semi-space-growth-factor=1')
      cancel()
    }
  })
  return cancel
}

function setFlags(...flags: readonly string[]): void {
  for (const flag of flags) setFlagsFromString(flag)
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? YOUNG_BYTES
}
