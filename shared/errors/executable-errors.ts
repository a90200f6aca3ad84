import type { ErrorEntry } from './entry.ts'

/** Errors of the single executable: its native parts must lie in a file before the system can load them. */
export const EXECUTABLE_ERRORS = {
  RUNTIME_FOLDER_REFUSED: {
    exit: 77,
    retry: false,
    summary: 'The folder for the native parts of the executable is not safe to use.',
    remedy:
      'Set HB_RUNTIME_DIR to a folder that belongs to the user of this program, that nobody else may write (mode 700), and whose parent belongs to this user or to root.',
  },
  ADDON_DAMAGED: {
    exit: 65,
    retry: false,
    summary: 'A native part is not the one that the executable was built with.',
    remedy: 'Copy the executable again, compare its SHA-256 with the published one, and have the disk looked at.',
  },
  ADDON_NOT_LOADED: {
    exit: 69,
    retry: false,
    summary: 'The system did not load a native part of the executable.',
    remedy:
      'Set HB_RUNTIME_DIR to a folder on a file system that is not mounted `noexec`. The machine needs libstdc++ and glibc 2.28; a collector needs the glibc of the machine that built the executable.',
  },
} as const satisfies Record<string, ErrorEntry>
