import type { ErrorEntry } from './entry.ts'

/** Errors of what is kept on disk: journal, outbox, checkpoints, databases. */
export const STORAGE_ERRORS = {
  DISK_FULL: {
    exit: 75,
    retry: true,
    summary: 'The disk has no room left.',
    remedy: 'Free space on the file system that holds the state folder; writing goes on by itself.',
  },
} as const satisfies Record<string, ErrorEntry>
