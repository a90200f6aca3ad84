import { execFile } from 'node:child_process'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'
import type { Watchdog } from '../ports.ts'

/** What the service manager is told (sd_notify(3)). */
export type SystemdState = 'READY=1' | 'WATCHDOG=1' | 'STOPPING=1'

/**
 * The service manager, where one started this process and wants to be told. That the agent is ready and that it is alive come of
 * `watchdog.alive()` alone: a token of the dead-man that came through.
 */
export interface Systemd {
  readonly watchdog: Watchdog
  /** All parts of the agent run: from here on a sign of life counts. Under another clock than `system` there never is one. */
  started(clock: string): void
  stopping(): Promise<void>
}

/** Hands a state over; rejects with the reason when it certainly was not taken. */
export type NotifySystemd = (state: SystemdState) => Promise<void>

export type SystemdOptions = Readonly<{
  env: Readonly<Record<string, string | undefined>>
  pid: number
  clock: Clock
  notify?: NotifySystemd
  /** The manager could not be told; said once in a row. */
  failed(reason: string): void
}>

const PROGRAM = 'systemd-notify'
const NOTIFY_WITHIN_MS: Millis = 2000
/** A sign of life is due when this share of the time is over: three of them may go astray. */
const SIGNS_PER_WAIT = 4
/** Before the manager was told that the agent is ready it is tried so often. */
const READY_AGAIN_MS: Millis = 1000

/**
 * The service manager of this process; null when none asked to be told (no NOTIFY_SOCKET).
 *
 * Node has no datagram sockets of the file system, so what is said goes through `systemd-notify`, a process of its own: the unit
 * needs `NotifyAccess=all`. Where that program is missing, nothing is said, and a unit of `Type=notify` does not come up.
 */
export function createSystemd({ env, pid, clock, failed, notify = runProgram }: SystemdOptions): Systemd | null {
  if ((env['NOTIFY_SOCKET'] ?? '') === '') return null
  const teller = tellerOf(notify, failed)
  const everyMs = watchdogMs(env, pid)
  let isStarted = false
  let isReady = false
  let dueUs = Number.NEGATIVE_INFINITY
  return {
    watchdog: {
      everyMs,
      alive() {
        const nowUs = clock.monotonicUs()
        if (!isStarted || teller.busy || (isReady && everyMs === null) || nowUs < dueUs) return
        const againMs = isReady && everyMs !== null ? everyMs / SIGNS_PER_WAIT : READY_AGAIN_MS
        dueUs = nowUs + againMs * 1000
        if (isReady) void teller.tell('WATCHDOG=1')
        else
          void teller.tell('READY=1').then((isTold) => {
            isReady = isTold
            if (isTold) dueUs = Number.NEGATIVE_INFINITY
          })
      },
    },
    started(clockOf) {
      isStarted = true
      if (clockOf !== 'system')
        failed(`no time passes by itself under \`clock: ${clockOf}\`, so there is no sign of life`)
    },
    async stopping() {
      isStarted = false
      await teller.tell('STOPPING=1')
    },
  }
}

/** One word at a time. `tell` gives whether it was taken. */
function tellerOf(notify: NotifySystemd, failed: SystemdOptions['failed']) {
  let isFailing = false
  let telling = 0
  return {
    get busy(): boolean {
      return telling > 0
    },
    async tell(state: SystemdState): Promise<boolean> {
      telling += 1
      try {
        await notify(state)
        isFailing = false
      } catch (error) {
        if (!isFailing) failed((error as Error).message)
        isFailing = true
      }
      telling -= 1
      return !isFailing
    },
  }
}

/** WATCHDOG_USEC, when it is for this process (sd_watchdog_enabled(3)). */
function watchdogMs(env: SystemdOptions['env'], pid: number): Millis | null {
  const whose = env['WATCHDOG_PID'] ?? ''
  const waitUs = Number(env['WATCHDOG_USEC'] ?? '')
  const isOurs = whose === '' || whose === String(pid)
  return isOurs && Number.isSafeInteger(waitUs) && waitUs > 0 ? waitUs / 1000 : null
}

function runProgram(state: SystemdState): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(PROGRAM, [state], { timeout: NOTIFY_WITHIN_MS }, (error) => (error === null ? resolve() : reject(error)))
  })
}
