import { type HbError, isHbError } from '../../shared/errors/hb-error.ts'
import type { AgentStorage } from '../storage.ts'
import type { SavedState } from './evaluator.ts'

export type StateSaverOptions = Readonly<{
  storage: Pick<AgentStorage, 'journal' | 'outbox' | 'checkpoints'>
  /** The state between two inputs; null before there is a configuration. */
  state(): Promise<SavedState | null>
  flush(): Promise<void>
  /** Everything that was decided and was a gap up to here is in batches. */
  flushed(): void
  saved(): void
  failed(error: HbError): void
}>

/**
 * Saves the state once everything decided up to it is durable in batches: a start from it must not have to know what was
 * in a batch that never came to be. One after the other.
 */
export function createStateSaver(options: StateSaverOptions): () => Promise<void> {
  const { storage, state, flush, flushed, saved, failed } = options
  let saving: Promise<void> = Promise.resolve()

  async function save(): Promise<void> {
    const taken = await state()
    if (taken === null) return
    const { journalSeq, body, emitted } = taken
    try {
      await flush()
      await storage.journal.sync()
      storage.journal.savePins()
      flushed()
      if (emitted > storage.outbox.lastDecisionSeq && emitted !== 0) return
      await storage.checkpoints.save(journalSeq, body)
      saved()
    } catch (error) {
      if (!isHbError(error)) throw error
      failed(error)
    }
  }

  return () => {
    saving = saving.then(save)
    return saving
  }
}
