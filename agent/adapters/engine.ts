import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import type { Clock } from '../../shared/lib/clock.ts'

/**
 * What the engine may keep for objects that live only a moment. The young generation stays as small as it starts until an
 * agent is busy, and then grows so far that what lives as long as the lateness of a rig has room in it: the platform
 * lets it grow to 64 MB, half of what an agent may have.
 *
 * It is a number that is set while running, so that no option of the process has to be trusted. Whether code is compiled is
 * not touched: Node warns of changing that after a start, and threads made before would never learn of it.
 */
export function restEngine(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** Young generation, in bytes, at which it has room enough for what lives as long as the lateness of a busy rig. */
const YOUNG_BYTES = 16_000_000
const LOOK_EVERY_MS = 200
/** Busy is who needs more than this share of a core, in two looks one after the other. */
const BUSY_SHARE = 0.2
const BUSY_LOOKS = 2

/** Looks whether an agent at rest has become busy. @returns ends it */
export function watchEngine(clock: Clock): () => void {
  let busyLooks = 0
  let usedUs = cpuUs()
  const cancel = clock.every(LOOK_EVERY_MS, () => {
    if (busyLooks < BUSY_LOOKS) {
      const beforeUs = usedUs
      usedUs = cpuUs()
      busyLooks = usedUs - beforeUs > BUSY_SHARE * LOOK_EVERY_MS * 1000 ? busyLooks + 1 : 0
      if (busyLooks === BUSY_LOOKS) setFlagsFromString('--semi-space-growth-factor=2')
    } else if (youngBytes() >= YOUNG_BYTES) {
      setFlagsFromString('--semi-space-growth-factor=1')
      cancel()
    }
  })
  return cancel
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? YOUNG_BYTES
}
