import type { JournalFile } from '../../shared/codec/journal-input.ts'
import { HbError } from '../../shared/errors/hb-error.ts'
import type { Checkpoints, Journal } from '../ports.ts'
import { restoreEvaluation } from './evaluation.ts'
import { walkJournal } from './journal-walk.ts'

/**
 * The configuration that evaluation stands at, from what is on the disk: that of the newest saved state, and what was
 * journaled since. Works beside a running agent.
 *
 * @throws HbError CONFIG_MISSING when there was never one
 */
export async function filesInForce(
  { journal, checkpoints }: Readonly<{ journal: Journal; checkpoints: Checkpoints }>,
  path: string,
): Promise<readonly JournalFile[]> {
  let files: readonly JournalFile[] = []
  let afterSeq = 0
  for await (const { journalSeq, body } of checkpoints.newest()) {
    const saved = restoreEvaluation(body)
    if ('refused' in saved) continue
    files = saved.files
    afterSeq = journalSeq
    break
  }
  for await (const walked of walkJournal(journal, afterSeq))
    if (walked.kind === 'input' && walked.input.kind === 'config') files = walked.input.files
  if (files.length === 0) throw new HbError('CONFIG_MISSING', { path, found: 'no configuration in the state folder' })
  return files
}
