import type { ErrorEntry } from './entry.ts'

/** Errors of what is kept on disk: state folder, journal, outbox, checkpoints, databases. */
export const STORAGE_ERRORS = {
  DISK_FULL: {
    exit: 75,
    retry: true,
    summary: 'The disk has no room left.',
    remedy: 'Free space on the file system that holds the state folder; writing goes on by itself.',
  },
  DISK_READ_ONLY: {
    exit: 77,
    retry: true,
    summary: 'The state folder cannot be written.',
    remedy:
      'Check that the file system is mounted writable and that the folder belongs to this user. A program that is running goes on writing by itself; one that ended with this at its start is started again.',
  },
  DISK_FAILED: {
    exit: 75,
    retry: true,
    summary: 'The disk refused an operation.',
    remedy: 'Look at the system log for errors of the disk, and move the state folder to a sound one.',
  },
  STATE_LOCKED: {
    exit: 75,
    retry: true,
    summary: 'Another agent uses this state folder.',
    remedy: 'Stop the process named, or give this agent a state folder of its own.',
  },
  STATE_FOLDER_SHAPE: {
    exit: 65,
    retry: false,
    summary: 'The state folder was not made by this program, or its identity file is damaged.',
    remedy: 'Name another folder. A folder with data in it is never taken over.',
  },
  STATE_MISSING: {
    exit: 66,
    retry: false,
    summary: 'There is no state folder here.',
    remedy: 'Check the path given with `--state`; it is made by the first `hb runtime`.',
  },
  OUTBOX_FULL: {
    exit: 75,
    retry: true,
    summary: 'The outbox is at its bound, and what is in it has no receipt.',
    remedy: 'Bring the collector back, or raise `outbox.bytes_max`. Nothing is deleted without a receipt.',
  },
  OUTBOX_FILLING: {
    exit: 75,
    retry: true,
    summary: 'Batches without a receipt fill the outbox; a warning, with the days that are left at the rate of now.',
    remedy: 'Bring the collector back, carry batches on a stick (`hb outbox export`), or raise `outbox.bytes_max`.',
  },
  BOOK_DAMAGED: {
    exit: 65,
    retry: false,
    summary: 'The book of baselines is damaged: a statement or record in it is not what was written.',
    remedy:
      'Keep the folder as it is, and restore it from a copy. `hb baseline list` says which file and place; nothing is read past it.',
  },
  BOOK_BUSY: {
    exit: 75,
    retry: true,
    summary: 'Another command writes into this book of baselines.',
    remedy: 'Wait for it and try again; a lock that a dead process left behind is taken over.',
  },
  BOOK_MISSING: {
    exit: 66,
    retry: false,
    summary: 'There is no book of baselines in this folder.',
    remedy: 'Check `--book`; the first `hb baseline propose` with a new or empty folder begins one.',
  },
  BOOK_FULL: {
    exit: 65,
    retry: false,
    summary: 'The book of baselines has as many statements as it may have.',
    remedy: 'Export what is in force with `hb baseline export`, keep the folder, and begin a new book.',
  },
  OUTBOX_DAMAGED: {
    exit: 65,
    retry: false,
    summary: 'Batches are missing in the outbox, and what is left cannot be sent as it is.',
    remedy:
      'Start the agent once with `hb runtime`: it begins a new epoch and signs anew what is left. Then export again.',
  },
  SLICE_GONE: {
    exit: 66,
    retry: false,
    summary: 'The journal does not reach back to what a decision was made from.',
    remedy:
      'Ask for less before it (`--before`); look at a copy of the state folder from then; or raise `journal.bytes_max` for the next time.',
  },
  SLICE_TOO_LARGE: {
    exit: 65,
    retry: false,
    summary: 'There are more samples around a decision than are taken out of a journal at once.',
    remedy: 'Ask for less with `--before` and `--after`.',
  },
} as const satisfies Record<string, ErrorEntry>
