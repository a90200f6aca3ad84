import { randomBytes } from 'node:crypto'
import type { LoopOptions } from './loop.ts'
import { DeadMan } from './pipeline/dead-man.ts'
import type { Evaluation } from './pipeline/evaluation.ts'
import type { Evaluator } from './pipeline/evaluator.ts'
import { Permits } from './pipeline/permits.ts'
import type { RigActions } from './rig-actions.ts'

/** Deadline of a token where no permit and no watchdog asks for a shorter one. */
const DEADLINE_MS = 5_000
const KEY_BYTES = 32

export type DeadManParts = Readonly<{
  evaluation: Evaluation
  evaluator(): Evaluator
  actions(): RigActions | null
  journalSync(): Promise<void>
}>

/** The dead-man of an agent; null under the clock of a recording, where no time passes by itself. */
export function deadManOf(
  { loaded, clock, events, acting, watchdog }: LoopOptions,
  parts: DeadManParts,
): DeadMan | null {
  if (loaded.config.clock === 'recording') return null
  const permits = acting?.permits ?? []
  const watchdogMs = watchdog?.everyMs ?? null
  // Half of what anybody waits: then there is time to drop a permit before its hold, or the system, ends it.
  const waits = [...permits.map(({ holdMs }) => holdMs), ...(watchdogMs === null ? [] : [watchdogMs]), 2 * DEADLINE_MS]
  return new DeadMan({
    clock,
    events,
    key: new Uint8Array(randomBytes(KEY_BYTES)),
    deadlineMs: Math.min(...waits) / 2,
    permits: new Permits({
      ...{ clock, events, permits },
      stands: (target, rigs, lost) => parts.actions()?.permitStands(target, rigs, lost) ?? true,
    }),
    rigs: () =>
      parts.evaluation.state.rigs.map(({ settings: { rig, latenessUs, slideUs, safety } }) => ({
        ...{ rig, latenessUs, slideUs, ruled: safety !== undefined },
      })),
    awaited: () => parts.evaluator().awaited,
    wayOut: () => {
      const disk = { stage: 'the disk of the journal', passed: parts.journalSync() }
      const actions = parts.actions()
      return actions === null ? [disk] : [disk, { stage: 'the ledger of actions', passed: actions.ledger.passed() }]
    },
    inForce: (pulses) => parts.actions()?.integrity.look(pulses),
    alive: () => watchdog?.alive(),
  })
}
