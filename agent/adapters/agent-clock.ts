import { readFileSync } from 'node:fs'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Micros } from '../../shared/units.ts'
import type { AgentClock } from '../ports.ts'

export type AgentClockOptions = Readonly<{
  clock: Clock
  /** Time since the machine was started, its sleep included; null where nobody knows. */
  bootUs?: () => Micros | null
}>

/** So much is corrected at once; what was used up comes back at this share of the time that passes (NTP slews by 0.05 %). */
const CORRECTION_MAX_US: Micros = 2_000_000
const CORRECTION_SHARE = 0.05
/** Up to here a clock that is not followed is approached, and this near it is followed again. */
const SLEW_MAX_US: Micros = 10_000_000
const TOGETHER_US: Micros = 100_000
/** Shorter sleep cannot be told from the two decimals that the system gives. */
const SLEPT_MIN_US: Micros = 500_000

export function createAgentClock({ clock, bootUs = bootTime }: AgentClockOptions): AgentClock {
  let lastUs = clock.nowUs()
  let lastRunUs = clock.monotonicUs()
  let correctable = CORRECTION_MAX_US
  let aheadUs: Micros | null = null
  /** How much of the time since the machine was started the monotonic clock did not count. */
  const sleptUs = (): Micros => (bootUs() ?? clock.monotonicUs()) - clock.monotonicUs()
  let sleptBeforeUs = sleptUs()

  function nowUs(): Micros {
    const runUs = clock.monotonicUs()
    const passedUs = runUs - lastRunUs
    correctable = Math.min(CORRECTION_MAX_US, correctable + passedUs * CORRECTION_SHARE)
    let ownUs = lastUs + passedUs
    let awayUs = clock.nowUs() - ownUs
    if (Math.abs(awayUs) > correctable && aheadUs === null) {
      const slept = sleptUs() - sleptBeforeUs
      if (slept > SLEPT_MIN_US) {
        sleptBeforeUs += slept
        ownUs += slept
        awayUs -= slept
      }
    }
    if (Math.abs(awayUs) <= (aheadUs === null ? correctable : Math.min(correctable, TOGETHER_US))) {
      correctable -= Math.abs(awayUs)
      ownUs += awayUs
      aheadUs = null
    } else {
      ownUs += nearerUs(awayUs, passedUs)
      aheadUs = awayUs
    }
    lastRunUs = runUs
    lastUs = ownUs
    return ownUs
  }

  return {
    ...clock,
    nowUs,
    wallUs: () => clock.nowUs(),
    notBefore(us) {
      if (us - nowUs() <= CORRECTION_MAX_US) return
      lastUs = us
      aheadUs = clock.nowUs() - us
    },
    aheadUs() {
      nowUs()
      return aheadUs
    },
    follow() {
      lastUs = clock.nowUs()
      lastRunUs = clock.monotonicUs()
      correctable = CORRECTION_MAX_US
      aheadUs = null
    },
  }
}

/** A little way off the wall clock is approached by and by; further off nobody knows which of the two is right. */
function nearerUs(awayUs: Micros, passedUs: Micros): Micros {
  return Math.abs(awayUs) <= SLEW_MAX_US ? Math.trunc(Math.sign(awayUs) * passedUs * CORRECTION_SHARE) : 0
}

function bootTime(): Micros | null {
  try {
    const seconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ', 1)[0])
    return Number.isFinite(seconds) ? Math.round(seconds * 1_000_000) : null
  } catch {
    return null
  }
}
