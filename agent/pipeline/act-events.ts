import type { HbError } from '../../shared/errors/hb-error.ts'
import type { TimedStage } from '../../shared/model/action-input.ts'
import type { Micros } from '../../shared/units.ts'
import type { Durability } from './durability.ts'

/** What the shell has to say to people and metrics. */
export interface ActEvents {
  executorUp(target: string): void
  executorDown(target: string, reason: string): void
  sent(facts: { key: string; target: string; attempt: number; late: boolean }): void
  /** Certainly not: the kernel is told that the stage failed. */
  notSent(facts: { key: string; target: string; reason: string }): void
  timeout(facts: { key: string; target: string; stage: TimedStage }): void
  /** Not carried out and cancelled: no policy knows it, or too many are under way. */
  refused(facts: { key: string; reason: string }): void
  /** A must-work action went on without the disk; another hard one did not (K7). */
  diskStalled(facts: { key: string; mustWork: boolean; came: Durability }): void
  ackIgnored(facts: { key: string; reason: string }): void
  ledgerFailed(error: HbError): void
  /** What became of it is asked after a restart; `answer` null: nobody answered in its time. */
  asked(facts: { key: string; target: string; answer: string | null }): void
  /** The ledger had it open and the journal does not: it is closed there. */
  orphan(facts: { key: string; target: string; state: string }): void
  /** 80 % or all of the fault tolerant time is used up (SE-30). */
  budget(facts: { key: string; level: 'WARNING' | 'CRITICAL'; spentUs: Micros; fttiUs: Micros }): void
}
