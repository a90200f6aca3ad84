import type { ErrorEntry } from './entry.ts'

/** Errors of signed bytes: encoding, signatures, keys, batches. */
export const EVIDENCE_ERRORS = {
  BATCH_SIGNATURE: {
    exit: 65,
    retry: false,
    summary: 'A decision batch does not match its signature.',
    remedy: 'Keep the batch. Compare the key on the agent with the key enrolled for it.',
  },
} as const satisfies Record<string, ErrorEntry>
