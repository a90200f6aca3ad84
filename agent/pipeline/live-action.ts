import type { ActionState } from '../../shared/model/action.ts'
import type { Micros } from '../../shared/units.ts'
import type { ActionChange } from '../core/safety/changes.ts'
import type { ActionFacts } from './action-facts.ts'

/** An action that is under way, as the shell sees it. Times are monotonic. */
export type LiveAction = {
  /** The newest change of it. */
  change: ActionChange
  readonly facts: ActionFacts
  /** When the shell learned of it, and how long after the event that was; null when that was before a restart. */
  readonly begunUs: Micros
  readonly detectedUs: Micros | null
  deadlineUs: Micros
  /** Settles when the newest change is in the ledger. */
  recorded: Promise<void>
  /** A release is asked for, and how often one was. */
  asking: boolean
  asked: number
  /** Newest attempt that was handed to the executor; 0: none. */
  handed: number
  /** It was handed over before that was durable; said in the ledger when it takes again. */
  late: boolean
  /** Nothing is sent before the peer was asked what it knows. */
  recovering: boolean
  acks: number
  /** Event time of the slide that it was proposed in, and whether the peer has said that it is done. */
  proposedEndUs: Micros
  done: boolean
  /** Level of the reaction budget that was told. */
  told: 'WARNING' | 'CRITICAL' | null
  /** Cancel the timer of the stage, that of the veto window, and those of the reaction budget. */
  stageTimer: (() => void) | null
  vetoTimer: (() => void) | null
  budgetTimers: readonly (() => void)[]
}

export function stopTimers(live: LiveAction): void {
  live.stageTimer?.()
  live.vetoTimer?.()
  live.stageTimer = null
  live.vetoTimer = null
  for (const cancel of live.budgetTimers) cancel()
  live.budgetTimers = []
}

/** States in which its release is to be asked for. */
export const BEFORE_RELEASE: readonly ActionState[] = ['PROPOSED', 'GATE_HELD', 'GATE_PASSED']

/** States in which the peer may be doing it, and has not said that it is done. */
export const UNDER_WAY: readonly ActionState[] = ['SENT', 'ACCEPTED', 'STARTED']
