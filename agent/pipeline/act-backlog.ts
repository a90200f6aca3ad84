import { type HbError, isHbError } from '../../shared/errors/hb-error.ts'
import type { Clock } from '../../shared/lib/clock.ts'
import type { Millis } from '../../shared/units.ts'
import type { ActionChange, SafetyInput } from '../core/safety/changes.ts'
import type { ActionLedger } from './action-ledger.ts'

/** Inputs that the journal would not take, and changes that the ledger would not: past it the newest are dropped, and counted. */
export const BACKLOG_MAX = 4_096
/** What was not taken is offered again so often. */
const AGAIN_MS: Millis = 100

export type BacklogOptions = Readonly<{
  clock: Pick<Clock, 'after'>
  ledger: Pick<ActionLedger, 'record'>
  /** False: the journal would not take it. */
  submit(rig: string, input: SafetyInput): boolean
  /** The ledger would not take something; told once until it takes again. */
  ledgerFailed(error: HbError): void
}>

type Told = Readonly<{ rig: string; input: SafetyInput }>

/** What has to be told to the kernel and written to the ledger, in order, also when the disk does not take it for a while. */
export interface Backlog {
  /** @returns false when it waits */
  tell(rig: string, input: SafetyInput): boolean
  /** Settles when it is durable; rejects when the ledger would not take it, which then is tried again until it does. */
  record(change: ActionChange): Promise<void>
  readonly waiting: Readonly<{ inputs: number; changes: number; dropped: number }>
  stop(): void
}

export function createBacklog({ clock, ledger, submit, ledgerFailed }: BacklogOptions): Backlog {
  const inputs: Told[] = []
  let changes: ActionChange[] = []
  let dropped = 0
  let failing = false
  let cancel: (() => void) | null = null

  function later(): void {
    cancel ??= clock.after(AGAIN_MS, () => {
      cancel = null
      while (inputs.length > 0 && submit(inputs[0]!.rig, inputs[0]!.input)) inputs.shift()
      if (changes.length > 0) recordAgain()
      if (inputs.length > 0) later()
    })
  }

  function recordAgain(): void {
    const again = changes
    changes = []
    // Those that fail meanwhile come behind them.
    ledger.record(again).then(takesAgain, (error: unknown) => keep([...again, ...changes], error))
  }

  function takesAgain(): void {
    failing = false
  }

  function keep(all: readonly ActionChange[], error: unknown): void {
    if (!isHbError(error)) throw error
    changes = [...all]
    dropped += Math.max(0, changes.length - BACKLOG_MAX)
    changes.length = Math.min(changes.length, BACKLOG_MAX)
    if (!failing) ledgerFailed(error)
    failing = true
    later()
  }

  return {
    tell(rig, input) {
      if (inputs.length === 0 && submit(rig, input)) return true
      if (inputs.length < BACKLOG_MAX) inputs.push({ rig, input })
      else dropped += 1
      later()
      return false
    },
    record(change) {
      const recorded = ledger.record([change])
      recorded.catch((error: unknown) => keep([...changes, change], error))
      return recorded
    },
    get waiting() {
      return { inputs: inputs.length, changes: changes.length, dropped }
    },
    stop() {
      cancel?.()
      // One that is never over: nothing is offered again.
      cancel = () => undefined
    },
  }
}
