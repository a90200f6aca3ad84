import type { ErrorEntry } from './entry.ts'

/** Errors of who writes faults into files. */
export const INJECT_ERRORS = {
  INJECT_INPUT: {
    exit: 66,
    retry: false,
    summary: 'What faults are to be written into is not there, or cannot be read row by row.',
    remedy: 'Give a CSV file, or the folder of a run: `run_meta.json` and `metrics.csv`. Nothing was written.',
  },
  INJECT_NOTHING: {
    exit: 65,
    retry: false,
    summary: 'The fault changed nothing in the file, so a result would be taken for one with a fault.',
    remedy:
      'Look at its onset, duration and parameters, and at the names of the channels. Cells that are no plain numbers are left alone. Nothing was written.',
  },
} as const satisfies Record<string, ErrorEntry>
